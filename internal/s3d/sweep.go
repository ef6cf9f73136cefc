package s3d

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// sweepEvery is how often Run looks for what has expired. Rules count in days,
// so S3 looks once a day; an hour keeps what a short sleep of the machine missed
// from waiting for the next one.
const sweepEvery = time.Hour

// Swept is what a sweep removed by the buckets' lifecycle rules.
type Swept struct {
	Objects int   // expired objects
	Bytes   int64 // of those
	Uploads int   // multipart uploads aborted
}

func (s *Swept) add(more Swept) {
	s.Objects += more.Objects
	s.Bytes += more.Bytes
	s.Uploads += more.Uploads
}

// Run sweeps at once and then every hour until ctx ends. Close the Server after
// it has returned, or before: then it ends by itself.
func (s *Server) Run(ctx context.Context) {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	s.run(ctx, t.C)
}

func (s *Server) run(ctx context.Context, tick <-chan time.Time) {
	for {
		_, err := s.Sweep(ctx)
		switch {
		case errors.Is(err, errClosed), ctx.Err() != nil:
			return
		case err != nil:
			s.log.LogAttrs(ctx, slog.LevelError, "sweep failed", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
	}
}

var errClosed = errors.New("the server is closed")

// Sweep looks through all buckets once and removes what their lifecycle rules
// say: expired objects, and multipart uploads that were not completed. It goes
// on with the next bucket when one fails; its error names them all. An object
// that is written anew while it is looked at stays.
func (s *Server) Sweep(ctx context.Context) (Swept, error) {
	var total Swept
	var names []string
	err := s.whileOpen(func() (err error) {
		names, err = s.bucketNames()
		return err
	})
	if err != nil {
		return total, err
	}
	var failed []error
	for _, name := range names {
		n, err := s.sweepBucket(ctx, name)
		total.add(n)
		if err != nil {
			failed = append(failed, err)
			if ctx.Err() != nil || errors.Is(err, errClosed) {
				break
			}
		}
	}
	if total != (Swept{}) {
		s.log.LogAttrs(ctx, slog.LevelInfo, "lifecycle swept", slog.Int("objects", total.Objects),
			slog.Int64("bytes", total.Bytes), slog.Int("uploads", total.Uploads))
	}
	return total, errors.Join(failed...)
}

// whileOpen calls f unless the server is closed, and keeps it from being closed
// meanwhile. f must be short: Close waits for it, and new requests for Close.
func (s *Server) whileOpen(f func() error) error {
	s.open.RLock()
	defer s.open.RUnlock()
	if s.closed {
		return errClosed
	}
	return f()
}

func (s *Server) sweepBucket(ctx context.Context, name string) (n Swept, err error) {
	var b *bucket
	err = s.whileOpen(func() (err error) {
		b, err = s.bucket(name)
		return err
	})
	var e *sigv4.Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound { // deleted meanwhile
		return n, nil
	}
	if err != nil {
		return n, err
	}
	rules := slices.DeleteFunc(slices.Clone(b.lifecycle.value()), func(r lifecycleRule) bool { return !r.enabled })
	for _, prefix := range prefixes(rules) {
		removed, err := s.sweepPrefix(ctx, b, rules, prefix)
		n.add(removed)
		if err != nil {
			return n, err
		}
	}
	if slices.ContainsFunc(rules, func(r lifecycleRule) bool { return r.abortDays > 0 }) {
		n.Uploads, err = s.sweepUploads(ctx, b, rules)
	}
	return n, err
}

// prefixes returns the fewest prefixes that hold all keys which rules expire,
// so that no key is looked at twice.
func prefixes(rules []lifecycleRule) []string {
	var all []string
	for i := range rules {
		if rules[i].expires() {
			all = append(all, rules[i].prefix)
		}
	}
	slices.Sort(all)
	fewest := all[:0]
	for _, p := range all {
		if len(fewest) == 0 || !strings.HasPrefix(p, fewest[len(fewest)-1]) {
			fewest = append(fewest, p)
		}
	}
	return fewest
}

// sweepPrefix goes through keys a page at a time, so that its memory does not
// depend on how many there are.
func (s *Server) sweepPrefix(ctx context.Context, b *bucket, rules []lifecycleRule, prefix string) (n Swept, err error) {
	for at, more := (span{prefix: prefix, limit: maxPage}), true; more && err == nil; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		err = s.whileOpen(func() error {
			p, err := b.index.list(at)
			if err != nil || len(p.items) == 0 {
				more = false
				return err
			}
			more, at.after = p.more, p.items[len(p.items)-1].entry.key
			removed, err := s.expire(b, rules, p)
			n.add(removed)
			return err
		})
	}
	return n, err
}

// expire removes those of a page that are due, durably.
func (s *Server) expire(b *bucket, rules []lifecycleRule, p page) (n Swept, err error) {
	now := s.now()
	var touched [256]bool
	for _, it := range p.items {
		// What the index knows spares opening most files. Tags it does not know.
		e := it.entry
		if !slices.ContainsFunc(rules, func(r lifecycleRule) bool {
			return r.expires() && r.covers(e.key, e.size) && !now.Before(r.expiry(time.UnixMilli(e.modified)))
		}) {
			continue
		}
		size, shard, err := b.removeIf(e.key, func(o *object) bool {
			r, at := expiring(rules, o)
			return r != nil && !now.Before(at)
		})
		if err != nil {
			return n, err
		}
		if size >= 0 {
			touched[shard] = true
			n.add(Swept{Objects: 1, Bytes: size})
		}
	}
	for shard, changed := range touched {
		if changed {
			err = errors.Join(err, b.disk.syncDir(shardDir(b.index.objects, byte(shard))))
		}
	}
	return n, err
}

// removeIf removes an object that is still as it has to be for that. It returns
// its size, or -1 when nothing was removed. The folder is yet to be synced.
func (b *bucket) removeIf(key string, holds func(*object) bool) (size int64, shard byte, err error) {
	shard, path := b.path(key)
	b.life.RLock()
	defer b.life.RUnlock()
	b.shards[shard].Lock()
	defer b.shards[shard].Unlock()
	if b.gone {
		return -1, shard, nil
	}
	o, err := b.find(key)
	if err != nil || o == nil || !holds(o) {
		return -1, shard, err
	}
	if err := b.disk.remove(path); err != nil {
		return -1, shard, err
	}
	b.index.remove(key)
	return o.Size, shard, nil
}

// sweepUploads aborts what was not completed in time.
func (s *Server) sweepUploads(ctx context.Context, b *bucket, rules []lifecycleRule) (n int, err error) {
	behind := ""
	for at, more := (span{limit: maxPage}), true; more && err == nil; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		err = s.whileOpen(func() error {
			p, err := b.listUploads(at, behind)
			if err != nil || len(p.items) == 0 {
				more = false
				return err
			}
			last := p.items[len(p.items)-1].upload
			more, at.after, behind = p.more, last.key, last.id
			now := s.now()
			for _, it := range p.items {
				if r, due := aborting(rules, it.upload.key, it.upload.began()); r == nil || now.Before(due) {
					continue
				}
				aborted, err := b.abort(it.upload)
				if err != nil {
					return err
				}
				if aborted {
					n++
				}
			}
			return nil
		})
	}
	return n, err
}
