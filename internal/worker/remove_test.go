package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/worker"
)

func (h *house) remove(id postern.ID) {
	h.t.Helper()
	if err := h.service.Remove(h.t.Context(), principal, id); err != nil {
		h.t.Fatal(err)
	}
}

func TestRemovedUploadLeavesNothing(t *testing.T) {
	h := newHouse(t)
	w := h.worker(nil)
	h.run(w)
	src := jpegOf(t, 640, 480, green)
	kept, gone := h.upload(src), h.upload(src)
	h.await(kept, postern.Ready)
	h.await(gone, postern.Ready)
	h.remove(gone)
	h.awaitGone(postern.VariantKey(gone, ""))
	h.awaitGone(postern.IncomingPrefix)
	h.wantShown(h.await(kept, postern.Ready), src, green)
	eventually(t, "the removal to be settled", func() bool { return w.Stats().Settled == 3 })

	// A replay stays away for as long as the grant can be replayed and taken up.
	if u := h.record(gone); u.State != postern.Removed {
		t.Errorf("record is %+v, want it removed", u)
	}
}

// A removal is tried until it is done, whatever Attempts says.
func TestRemovalIsNeverGivenUp(t *testing.T) {
	h := newHouse(t)
	var deletes atomic.Int64
	w := h.worker(func(c *worker.Config) {
		c.Attempts = 2
		c.Bucket = &troubledBucket{Bucket: h.bucket, before: func(_ context.Context, verb, key string) error {
			if verb == "delete" && isVariant(key) && deletes.Add(1) <= 9 {
				return postern.ErrBucketUnavailable
			}
			return nil
		}}
	})
	h.run(w)
	id := h.upload(jpegOf(t, 640, 480, green))
	h.await(id, postern.Ready)
	h.remove(id)
	h.awaitGone(postern.ImagesPrefix)
}

// An upload that is removed while its variants are being written must leave
// none of them, in whatever order the two workers come, and also when the one
// that wrote dies before it can clean up.
func TestRemovalRace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		dies bool
	}{{"writer lives", false}, {"writer dies", true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			writing := newGate()
			var died atomic.Bool
			const lease = time.Second
			writer := h.worker(func(c *worker.Config) {
				c.Lease, c.SweepEvery = lease, time.Hour
				c.Bucket = &troubledBucket{
					Bucket: h.bucket,
					before: func(ctx context.Context, verb, key string) error {
						switch {
						case verb == "put":
							// The request is out; no context calls it back.
							return writing.pass(context.WithoutCancel(ctx))
						case verb == "delete" && test.dies:
							return errors.New("dead")
						}
						return nil
					},
				}
				c.Queue = &troubledQueue{Queue: h.queue, before: func(verb string) error {
					if verb == "claim" && died.Load() {
						return postern.ErrRecordsUnavailable
					}
					return nil
				}}
			})
			id := h.upload(jpegOf(t, 640, 480, green))
			stop := h.run(writer)
			writing.waitFor(t)
			died.Store(true) // it claims nothing more
			h.remove(id)

			passes := make(chan struct{}, 10)
			remover := h.worker(func(c *worker.Config) {
				c.Lease, c.SweepEvery = lease, time.Hour
				c.Bucket = &troubledBucket{Bucket: h.bucket, after: func(_ context.Context, verb, key string) {
					if verb == "list" && isVariant(key) {
						passes <- struct{}{}
					}
				}}
			})
			h.run(remover)
			<-passes // the removal has looked, and found nothing to delete
			writing.release()
			eventually(t, "the writer to end", func() bool { return writer.Stats().Running == 0 })
			stop()
			eventually(t, "the removal to be settled", func() bool { return remover.Stats().Settled == 1 })
			if got := h.keys(postern.ImagesPrefix); len(got) != 0 {
				t.Errorf("left behind: %v", got)
			}
			h.awaitGone(postern.IncomingPrefix)
			if got := writer.Stats().Lost; got != 1 {
				t.Errorf("the writer lost %d leases, want 1", got)
			}
		})
	}
}

// Without the removal's second pass, a live writer cleans up by itself.
func TestRemovedWhileSettling(t *testing.T) {
	h := newHouse(t)
	var once atomic.Bool
	var id postern.ID
	w := h.worker(func(c *worker.Config) {
		c.Concurrency, c.SweepEvery = 1, time.Hour
		c.Queue = &troubledQueue{Queue: h.queue, before: func(verb string) error {
			if verb == "settle" && !once.Swap(true) {
				h.remove(id) // the variants are written, the record is not
			}
			if verb == "claim" && once.Load() {
				return postern.ErrRecordsUnavailable // nobody does the removal
			}
			return nil
		}}
	})
	id = h.upload(jpegOf(t, 640, 480, green))
	h.run(w)
	eventually(t, "the lease to be lost", func() bool { s := w.Stats(); return s.Lost == 1 && s.Running == 0 })
	if got := h.keys(postern.ImagesPrefix); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// forgetful says when its queue was told to forget.
type forgetful struct {
	worker.Queue
	told chan struct{}
}

func (q *forgetful) Forget(ctx context.Context, before time.Time) (int, error) {
	n, err := q.Queue.Forget(ctx, before)
	q.told <- struct{}{}
	return n, err
}

// Removed uploads are forgotten when no replay can bring them back.
func TestForget(t *testing.T) {
	h := newHouse(t)
	w := h.worker(nil)
	stop := h.run(w)
	id := h.upload(jpegOf(t, 640, 480, green))
	h.await(id, postern.Ready)
	h.remove(id)
	eventually(t, "the removal to be settled", func() bool { return w.Stats().Settled == 2 })
	stop()
	for _, step := range []struct {
		ahead time.Duration
		want  postern.State
	}{{postern.Grace, postern.Removed}, {postern.Grace + time.Minute, ""}} {
		h.clock.advance(step.ahead)
		q := &forgetful{h.queue, make(chan struct{}, 1)}
		stop := h.run(h.worker(func(c *worker.Config) { c.Queue = q }))
		<-q.told // the first thing it does
		if got := h.record(id).State; got != step.want {
			t.Errorf("state is %q, want %q", got, step.want)
		}
		stop()
	}
}
