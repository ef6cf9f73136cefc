package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/worker"
)

// A browser that dies after its bytes arrived loses nothing.
func TestSweepOfUploadNeverCompleted(t *testing.T) {
	h := newHouse(t)
	src := jpegOf(t, 640, 480, green)
	early := h.grant(postern.Request{})
	h.send(early, src) // found by the sweep at the start
	w := h.worker(func(c *worker.Config) { c.SweepEvery = 20 * time.Millisecond })
	h.run(w)
	h.wantShown(h.await(early.Ticket.ID, postern.Ready), src, green)
	late := h.grant(postern.Request{})
	h.send(late, src)
	h.wantShown(h.await(late.Ticket.ID, postern.Ready), src, green)
	h.awaitGone(postern.IncomingPrefix)
	eventually(t, "2 noted", func() bool { return w.Stats().Swept.Noted == 2 })
}

// What nobody's ticket explains is deleted, when there was time to notice a
// mistake; what lies elsewhere is not looked at.
func TestThreat20_ForeignObject(t *testing.T) {
	h := newHouse(t)
	w := h.worker(nil)
	h.put("incoming/junk", []byte("junk"))
	h.put("incoming/"+strings.Repeat("0", 52), []byte("more junk"))
	h.put("images/elsewhere/thumb", []byte("made"))
	h.put("incoming.txt", []byte("beside"))
	for _, step := range []struct {
		ahead time.Duration
		want  worker.Swept
	}{
		{0, worker.Swept{Objects: 2, Pending: 2}},
		{postern.ForeignGrace - time.Minute, worker.Swept{Objects: 2, Pending: 2}},
		{2 * time.Minute, worker.Swept{Objects: 2, Foreign: 2, DeletedBytes: 13}},
		{0, worker.Swept{}},
	} {
		h.clock.advance(step.ahead)
		if got, err := w.Sweep(t.Context()); err != nil || got != step.want {
			t.Errorf("swept %+v, %v; want %+v", got, err, step.want)
		}
	}
	if got := w.Stats().Swept; got.Foreign != 2 || got.Objects != 6 {
		t.Errorf("counted %+v", got)
	}
	if h.object("images/elsewhere/thumb") == nil || h.object("incoming.txt") == nil {
		t.Error("the sweep deleted what it has no business with")
	}
}

// An expired grant's object is still taken up within the grace, and deleted
// after it.
func TestThreat20_AbandonedObject(t *testing.T) {
	h := newHouse(t)
	src := jpegOf(t, 640, 480, green)
	inTime, tooLate := h.grant(postern.Request{}), h.grant(postern.Request{})
	h.send(inTime, src)
	w := h.worker(nil)
	h.clock.advance(postern.Grace)
	if s, err := w.Sweep(t.Context()); err != nil || s.Noted != 1 {
		t.Fatalf("sweep: %+v, %v", s, err)
	}
	stop := h.run(w)
	h.await(inTime.Ticket.ID, postern.Ready)
	h.awaitGone(postern.IncomingPrefix)
	stop()
	h.send(tooLate, src) // the bucket's own clock is not ahead
	h.clock.advance(postern.DefaultLife + time.Minute)
	if s, err := w.Sweep(t.Context()); err != nil || s.Foreign != 1 {
		t.Fatalf("sweep: %+v, %v", s, err)
	}
	h.awaitGone(postern.IncomingPrefix)
	if u := h.record(tooLate.Ticket.ID); u.ID != "" {
		t.Errorf("record is %+v, want none", u)
	}
}

// One object's fault does not keep the others from being swept; when nothing
// goes, the sweep gives up early.
func TestSweepGoesOn(t *testing.T) {
	h := newHouse(t)
	for i := range 20 {
		h.put(fmt.Sprintf("incoming/%02d", i), []byte("junk"))
	}
	h.clock.advance(2 * postern.ForeignGrace)
	fault := func(bad func(key string) bool) *worker.Worker {
		return h.worker(func(c *worker.Config) {
			c.Bucket = &troubledBucket{Bucket: h.bucket, before: func(_ context.Context, verb, key string) error {
				if verb == "delete" && bad(key) {
					return postern.ErrBucketUnavailable
				}
				return nil
			}}
		})
	}
	s, err := fault(func(string) bool { return true }).Sweep(t.Context())
	if !errors.Is(err, postern.ErrBucketUnavailable) || s.Faults != 10 || s.Objects != 10 {
		t.Errorf("all bad: swept %+v, %v", s, err)
	}
	s, err = fault(func(key string) bool { return key == "incoming/07" || key == "incoming/19" }).Sweep(t.Context())
	if !errors.Is(err, postern.ErrBucketUnavailable) || s.Faults != 2 || s.Foreign != 18 {
		t.Errorf("two bad: swept %+v, %v", s, err)
	}
	if s, err = h.worker(nil).Sweep(t.Context()); err != nil || s.Foreign != 2 {
		t.Errorf("none bad: swept %+v, %v", s, err)
	}
	h.awaitGone(postern.IncomingPrefix)
}

// A sweep sees every object of a listing that has several pages, and holds one
// page of it.
func TestSweepPages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const objects = 1013
	var g sync.WaitGroup
	next := make(chan int)
	for range 8 {
		g.Go(func() {
			for i := range next {
				if err := h.bucket.Put(t.Context(), fmt.Sprintf("incoming/%d", i), "text/plain", []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range objects {
		next <- i
	}
	close(next)
	g.Wait()
	h.clock.advance(2 * postern.ForeignGrace)
	pages := &pageCount{troubledBucket: troubledBucket{Bucket: h.bucket}}
	w := h.worker(func(c *worker.Config) { c.Bucket = pages })
	if s, err := w.Sweep(t.Context()); err != nil || s.Foreign != objects || s.Objects != objects {
		t.Errorf("swept %+v, %v", s, err)
	}
	if pages.lists != 3 || pages.most > 500 {
		t.Errorf("%d listings of up to %d objects, want 3 of up to 500", pages.lists, pages.most)
	}
}

type pageCount struct {
	troubledBucket
	lists, most int
}

func (b *pageCount) List(ctx context.Context, prefix, after string, limit int) ([]postern.Object, error) {
	list, err := b.Bucket.List(ctx, prefix, after, limit)
	b.lists++
	b.most = max(b.most, len(list))
	return list, err
}

// A listing that fails is the sweep's error, and the worker's shrug.
func TestSweepWithoutListing(t *testing.T) {
	h := newHouse(t)
	w := h.worker(func(c *worker.Config) {
		c.SweepEvery = 10 * time.Millisecond
		c.Bucket = &troubledBucket{Bucket: h.bucket, before: func(_ context.Context, verb, key string) error {
			if verb == "list" && key == postern.IncomingPrefix {
				return postern.ErrBucketUnavailable
			}
			return nil
		}}
	})
	if _, err := w.Sweep(t.Context()); !errors.Is(err, postern.ErrBucketUnavailable) {
		t.Errorf("sweep: %v", err)
	}
	h.run(w)
	src := jpegOf(t, 640, 480, green)
	h.wantShown(h.await(h.upload(src), postern.Ready), src, green)
}
