package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"postern.example/postern"
)

// check brings j.upload to ready, or says why not. Nobody sees any of it
// before the record is settled.
func (j *job) check(ctx context.Context) *fault {
	if j.claim.Attempts > j.w.attempts {
		// The last attempt neither ended well nor badly: the process died in it.
		// Without this, a file that kills us would do so for ever.
		return processing(ours, wordsProcessing, errors.New("no attempt came to an end"))
	}
	src, ticket, preset, f := j.read(ctx)
	if f != nil {
		return f
	}
	sum := sha256.Sum256(src)
	if f := refuse(src, sum[:], &ticket); f != nil {
		return f
	}
	r, f := j.render(ctx, src, &preset)
	if f != nil {
		return f
	}
	r.Image.SHA256 = sum[:]
	if f := j.write(ctx, r); f != nil {
		return f
	}
	j.upload.State, j.upload.Image = postern.Ready, &r.Image
	return nil
}

// read gets the object once, if it is the one that was granted and of a size
// that may be held in memory.
func (j *job) read(ctx context.Context) (src []byte, t postern.Ticket, p postern.Preset, f *fault) {
	o, body, err := j.w.bucket.Get(ctx, j.upload.Key())
	if errors.Is(err, postern.ErrNotFound) {
		return nil, t, p, processing(ours, wordsGone, err)
	} else if err != nil {
		return nil, t, p, away(err)
	}
	defer body.Close() //nolint:errcheck // it was read to its end, or given up
	j.w.away.Store(false)

	if t, err = j.w.service.Verify(o, j.upload.ID); err != nil {
		return nil, t, p, processing(around, wordsNotGranted, err)
	}
	if p, err = j.w.service.Preset(t.Preset); err != nil {
		words := fmt.Sprintf("The rules for this upload (preset %q) are no longer configured.", t.Preset)
		return nil, t, p, processing(around, words, err)
	}
	j.upload.Size, j.upload.ETag = o.Size, o.ETag
	if limit := min(t.MaxBytes, p.MaxBytes); o.Size > limit {
		e := postern.ErrTooLarge.With("The file has %s; up to %s are allowed.", postern.Bytes(o.Size), postern.Bytes(limit))
		e.Limit = limit
		return nil, t, p, rejects(e)
	}
	if src, err = readExactly(body, o.Size); err != nil {
		return nil, t, p, away(fmt.Errorf("read object: %w", err))
	}
	return src, t, p, nil
}

// readExactly reads size bytes and the end after them. An object has one size;
// a body that has another is a fault of the way here.
func readExactly(r io.Reader, size int64) ([]byte, error) {
	src := make([]byte, size)
	if _, err := io.ReadFull(r, src); err != nil {
		return nil, err
	}
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return nil, fmt.Errorf("more than the %d bytes it said", size)
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return src, nil
}

// refuse is what can be said against the bytes without looking into them. The
// bucket should have said it before; not every S3 holds every condition.
func refuse(src, sum []byte, t *postern.Ticket) *fault {
	var e *postern.Error
	switch n := int64(len(src)); {
	case n == 0:
		e = postern.ErrEmpty.With("The file is empty (0 bytes).")
		e.Limit = t.MinBytes
	case n < t.MinBytes:
		e = postern.ErrTooSmall.With("The file has %s; at least %s are needed.", postern.Bytes(n), postern.Bytes(t.MinBytes))
		e.Limit = t.MinBytes
	case t.SHA256 != nil && !bytes.Equal(sum, t.SHA256):
		e = postern.ErrHashMismatch.With("The file that arrived is not the one that was announced: its SHA-256 differs.")
	default:
		return nil
	}
	return rejects(e)
}

// render has the engine look at the headers first; only what they promise to
// be within the limits is opened, when there is memory for it.
func (j *job) render(ctx context.Context, src []byte, p *postern.Preset) (*postern.Rendering, *fault) {
	probe, err := j.w.engine.Probe(src, p)
	if err != nil {
		return nil, engineFault(err)
	}
	giveBack, err := j.w.pixels.take(ctx, probe.Pixels())
	if err != nil {
		return nil, processing(ours, wordsProcessing, err)
	}
	defer giveBack()
	r, err := j.w.engine.Render(ctx, src, p)
	if err != nil {
		return nil, engineFault(err)
	}
	return r, nil
}

// write makes the variants durable. All of them are, when it returns nil.
func (j *job) write(ctx context.Context, r *postern.Rendering) *fault {
	for _, v := range r.Image.Variants {
		if _, ok := r.Files[v.Name]; !ok {
			return processing(ours, wordsProcessing, fmt.Errorf("render: variant %q has no bytes", v.Name))
		}
		j.wrote = append(j.wrote, postern.VariantKey(j.upload.ID, v.Name))
	}
	g, ctx := errgroup.WithContext(ctx)
	for i, v := range r.Image.Variants {
		g.Go(func() error { return j.w.bucket.Put(ctx, j.wrote[i], v.Type, r.Files[v.Name]) })
	}
	if err := g.Wait(); err != nil {
		return away(err)
	}
	return nil
}
