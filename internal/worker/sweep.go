package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern.example/postern"
)

const (
	sweepPage = 500 // objects held in memory at once
	// sweepFaults in a row end a sweep: then it is not the objects.
	sweepFaults = 10
	forgetEvery = time.Hour
)

// Swept is what a sweep found below [postern.IncomingPrefix].
type Swept struct {
	Objects      int64 // seen
	Noted        int64 // uploads whose browser never said that they arrived
	Pending      int64 // left alone
	Replays      int64 // deleted: their upload was settled
	Foreign      int64 // deleted: no valid ticket explains them
	DeletedBytes int64 // of replays and foreign objects
	Aborted      int64 // uploads in parts given up: their grant expired, or none explains them
	Faults       int64 // objects and uploads in parts that could not be decided on or deleted; the next sweep sees them
}

// Sweep goes through the objects below [postern.IncomingPrefix] once, in pages:
// uploads that were never completed are noted, what explains itself as left
// behind is deleted. One object's fault does not stop it; ten in a row or a
// listing that fails do. The error is the last fault's.
func (w *Worker) Sweep(ctx context.Context) (Swept, error) {
	s, err := w.sweepAll(ctx, false)
	w.countSwept(s)
	return s, err
}

// WouldSweep decides as [Worker.Sweep] does, and changes and counts nothing.
func (w *Worker) WouldSweep(ctx context.Context) (Swept, error) { return w.sweepAll(ctx, true) }

func (w *Worker) sweepAll(ctx context.Context, dry bool) (Swept, error) {
	var (
		s       Swept
		last    error
		inARow  int
		after   string
		listing []postern.Object
		err     error
	)
	for {
		if listing, err = w.bucket.List(ctx, postern.IncomingPrefix, after, sweepPage); err != nil {
			return s, fmt.Errorf("list %s: %w", postern.IncomingPrefix, err)
		}
		for _, o := range listing {
			after = o.Key
			s.Objects++
			if err := w.sweep(ctx, o, &s, dry); err == nil {
				inARow = 0
				continue
			} else if ctx.Err() != nil {
				return s, ctx.Err()
			} else {
				last = fmt.Errorf("sweep object: %w", err)
			}
			s.Faults++
			if inARow++; inARow == sweepFaults {
				return s, last
			}
		}
		if len(listing) < sweepPage {
			break
		}
	}
	return s, errors.Join(last, w.sweepParts(ctx, &s, dry))
}

// sweepParts goes through the uploads in parts that were neither completed nor
// aborted. Their parts are paid for, and no listing of objects shows them.
func (w *Worker) sweepParts(ctx context.Context, s *Swept, dry bool) error {
	judge := w.service.AdoptMultipart
	if dry {
		judge = w.service.JudgeMultipart
	}
	var after postern.MultipartUpload
	for {
		page, err := w.bucket.Multiparts(ctx, postern.IncomingPrefix, after, sweepPage)
		if err != nil {
			return fmt.Errorf("list uploads in parts: %w", err)
		}
		for _, u := range page {
			after = u
			if judge(u) == postern.Pending {
				continue
			}
			if dry {
				s.Aborted++
				continue
			}
			if err := w.bucket.AbortMultipart(ctx, u.Key, u.UploadID); err != nil {
				s.Faults++
				return fmt.Errorf("abort upload in parts: %w", err)
			}
			s.Aborted++
		}
		if len(page) < sweepPage {
			return nil
		}
	}
}

// sweep decides about one object.
func (w *Worker) sweep(ctx context.Context, o postern.Object, s *Swept, dry bool) error {
	judge := w.service.Adopt
	if dry {
		judge = w.service.Judge
	}
	verdict, err := judge(ctx, o)
	if err != nil {
		return err
	}
	count := &s.Pending
	switch verdict {
	case postern.Noted:
		count = &s.Noted
	case postern.Replay:
		count = &s.Replays
	case postern.Foreign:
		count = &s.Foreign
	}
	if verdict == postern.Replay || verdict == postern.Foreign {
		if !dry {
			if err := w.bucket.Delete(ctx, o.Key); err != nil {
				return err
			}
		}
		s.DeletedBytes += o.Size
	}
	*count++
	return nil
}

func (w *Worker) countSwept(s Swept) {
	c := &w.stats
	c.swept.Add(s.Objects)
	c.noted.Add(s.Noted)
	c.pending.Add(s.Pending)
	c.replays.Add(s.Replays)
	c.foreign.Add(s.Foreign)
	c.sweepFaults.Add(s.Faults)
	c.sweepBytes.Add(s.DeletedBytes)
}

// tend sweeps and forgets at its intervals until ctx is done.
func (w *Worker) tend(ctx context.Context) {
	sweep, forget := time.NewTimer(0), time.NewTimer(0)
	defer sweep.Stop()
	defer forget.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			w.sweepOnce(ctx)
			sweep.Reset(w.sweepEvery)
		case <-forget.C:
			w.forget(ctx)
			forget.Reset(forgetEvery)
		}
	}
}

// Seek looks for the objects of grants whose clients will not say that they
// have arrived, until ctx is done. [Worker.Run] does so as well: it is for the
// process that granted them, when it does no jobs.
func (w *Worker) Seek(ctx context.Context) {
	seek := time.NewTimer(0)
	defer seek.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.service.Sought():
			seek.Reset(0)
		case <-seek.C:
			wait, err := w.service.Seek(ctx)
			if err != nil && ctx.Err() == nil {
				w.log.WarnContext(ctx, "looking for uploads failed", "error", err)
			}
			if wait > 0 {
				seek.Reset(wait)
			}
		}
	}
}

func (w *Worker) sweepOnce(ctx context.Context) {
	s, err := w.Sweep(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.log.WarnContext(ctx, "sweep had faults", "objects", s.Objects, "faults", s.Faults, "error", err)
	case s.Noted+s.Replays+s.Foreign+s.Aborted > 0:
		w.log.InfoContext(ctx, "swept", "objects", s.Objects, "noted", s.Noted, "replays", s.Replays, "foreign", s.Foreign, "aborted", s.Aborted)
	}
}

// forget deletes the records of removed uploads that no replayed grant can
// bring back any more: a sweep takes nothing up later than Grace after expiry.
func (w *Worker) forget(ctx context.Context) {
	n, err := w.queue.Forget(ctx, w.now().Add(-2*postern.Grace))
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.log.WarnContext(ctx, "removed uploads were not forgotten", "error", err)
	case n > 0:
		w.log.InfoContext(ctx, "removed uploads forgotten", "uploads", n)
	}
}
