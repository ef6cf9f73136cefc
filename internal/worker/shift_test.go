package worker_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/worker"
)

// rendering is an engine that stops at g before each rendering.
func (h *house) rendering(g *gate) worker.Engine {
	return &troubledEngine{Engine: h.engine, render: func(ctx context.Context, _ []byte) error { return g.pass(ctx) }}
}

// claimed notes the attempts that a worker's claims had.
type claimed struct {
	worker.Queue
	mu       sync.Mutex
	attempts []int
}

func (q *claimed) Claim(ctx context.Context, lease time.Duration, limit int) ([]postern.Claim, error) {
	claims, err := q.Queue.Claim(ctx, lease, limit)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range claims {
		q.attempts = append(q.attempts, c.Attempts)
	}
	return claims, err
}

func (q *claimed) list() []int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]int(nil), q.attempts...)
}

func TestShutdownLetsJobsEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	src, g := jpegOf(t, 640, 480, green), newGate()
	w := h.worker(func(c *worker.Config) { c.Engine, c.Concurrency = h.rendering(g), 1 })
	stop := h.run(w)
	first, second := h.upload(src), h.upload(src)
	g.waitFor(t)
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Fatal("Run returned while a job ran")
	case <-time.After(50 * time.Millisecond):
	}
	g.release()
	<-stopped
	h.wantShown(h.record(first), src, green)
	if u := h.record(second); u.State != postern.Stored {
		t.Errorf("the next job was begun: %s", u.State)
	}
}

func TestShutdownGivesLeasesBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		heeds bool
		most  time.Duration // Run may take, the grace included
	}{
		{"of an engine that heeds its context", true, 5 * time.Second},
		{"of an engine that does not", false, 10 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			src, g := jpegOf(t, 640, 480, green), newGate()
			defer g.release()
			w := h.worker(func(c *worker.Config) {
				c.Grace = 50 * time.Millisecond
				c.Engine = &troubledEngine{Engine: h.engine, render: func(ctx context.Context, _ []byte) error {
					if !test.heeds {
						ctx = context.WithoutCancel(ctx)
					}
					return g.pass(ctx)
				}}
			})
			stop := h.run(w)
			id := h.upload(src)
			g.waitFor(t)
			began := time.Now()
			stop()
			if took := time.Since(began); took > test.most {
				t.Errorf("Run took %s to return", took)
			}
			if s := w.Stats(); s.Retries+s.Postponed+s.Settled != 0 {
				t.Errorf("the job that was cut off came to something: %+v", s)
			}
			q := &claimed{Queue: h.queue}
			h.run(h.worker(func(c *worker.Config) { c.Queue = q }))
			h.wantShown(h.await(id, postern.Ready), src, green) // long before the lease of 60 s runs out
			if got := q.list(); len(got) != 1 || got[0] != 1 {
				t.Errorf("attempts were %v, want the first only: being cut off does not count", got)
			}
		})
	}
}

// What was put off is given back at the end, not held until its lease runs out.
func TestShutdownGivesBackWhatWaits(t *testing.T) {
	h := newHouse(t)
	src := jpegOf(t, 640, 480, green)
	w := h.worker(func(c *worker.Config) {
		c.Backoff = func(int) time.Duration { return time.Hour }
		c.Bucket = &troubledBucket{Bucket: h.bucket, before: func(_ context.Context, verb, key string) error {
			if verb == "get" {
				return postern.ErrBucketUnavailable
			}
			return nil
		}}
	})
	stop := h.run(w)
	id := h.upload(src)
	eventually(t, "a waiting job", func() bool { return w.Stats().Waiting == 1 })
	stop()
	if got := w.Stats().Waiting; got != 0 {
		t.Errorf("%d jobs wait after the end", got)
	}
	q := &claimed{Queue: h.queue}
	h.run(h.worker(func(c *worker.Config) { c.Queue = q }))
	h.wantShown(h.await(id, postern.Ready), src, green)
	if got := q.list(); len(got) != 1 || got[0] != 1 {
		t.Errorf("attempts were %v, want the first only: an outage does not count", got)
	}
}

// A worker with nothing to do asks at its interval, and takes up at once what
// is announced.
func TestIdle(t *testing.T) {
	h := newHouse(t)
	const poll = 40 * time.Millisecond
	var claims atomic.Int64
	count := func(verb string) error {
		if verb == "claim" {
			claims.Add(1)
		}
		return nil
	}
	began := time.Now()
	stop := h.run(h.worker(func(c *worker.Config) { c.Poll, c.Queue = poll, &troubledQueue{Queue: h.queue, before: count} }))
	eventually(t, "6 claims", func() bool { return claims.Load() >= 6 })
	if took := time.Since(began); took < 5*poll {
		t.Errorf("6 claims within %s, want %s between two", took, poll)
	}
	stop()

	q := &claimed{Queue: h.queue}
	h.run(h.worker(func(c *worker.Config) { c.Poll, c.Queue = time.Hour, q }))
	src := jpegOf(t, 640, 480, green)
	for range 3 {
		h.wantShown(h.await(h.upload(src), postern.Ready), src, green)
	}
	if got := q.list(); len(got) != 3 {
		t.Errorf("%d claims, want 3", len(got))
	}
}

// No more is claimed than there are slots for.
func TestConcurrency(t *testing.T) {
	h := newHouse(t)
	src, g := jpegOf(t, 64, 48, green), newGate()
	var now, most atomic.Int64
	var mu sync.Mutex
	w := h.worker(func(c *worker.Config) {
		c.Concurrency = 3
		c.Engine = &troubledEngine{
			Engine: h.engine,
			render: func(ctx context.Context, _ []byte) error {
				mu.Lock()
				most.Store(max(most.Load(), now.Add(1)))
				mu.Unlock()
				return g.pass(ctx)
			},
			after: func() { now.Add(-1) },
		}
	})
	h.run(w)
	ids := make([]postern.ID, 10)
	for i := range ids {
		ids[i] = h.upload(src)
	}
	for range 3 {
		g.waitFor(t)
	}
	claims, err := h.queue.Claim(t.Context(), time.Minute, 100)
	if err != nil || len(claims) != 7 {
		t.Fatalf("%d jobs are left to others, want 7 (%v)", len(claims), err)
	}
	for _, c := range claims {
		if err := h.queue.Release(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	g.release()
	for _, id := range ids {
		h.await(id, postern.Ready)
	}
	if most.Load() != 3 {
		t.Errorf("%d jobs ran at once, want 3", most.Load())
	}
}

// A job that takes longer than its lease keeps it.
func TestLeaseIsExtended(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	src, g := jpegOf(t, 640, 480, green), newGate()
	const lease = time.Second
	var extended atomic.Int64
	patient := func(c *worker.Config) {
		c.Lease, c.Engine = lease, h.rendering(g)
		c.Queue = &troubledQueue{Queue: h.queue, before: func(verb string) error {
			if verb == "extend" {
				extended.Add(1)
			}
			return nil
		}}
	}
	first, second := h.worker(patient), h.worker(patient)
	h.run(first)
	h.run(second)
	began := time.Now()
	id := h.upload(src)
	g.waitFor(t)
	eventually(t, "two leases to go by", func() bool { return time.Since(began) > 2*lease && extended.Load() >= 4 })
	select {
	case <-g.came:
		t.Fatal("the job was taken by another worker")
	default:
	}
	g.release()
	h.wantShown(h.await(id, postern.Ready), src, green)
	if lost := first.Stats().Lost + second.Stats().Lost; lost != 0 {
		t.Errorf("%d leases were lost", lost)
	}
}

// A worker that lost its lease drops its work; the one that has it now
// finishes. It learns of it from the records, or from its own clock.
func TestLeaseLostWhileRunning(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer error
	}{{"told by the records", postern.ErrLeaseLost}, {"records away", postern.ErrRecordsUnavailable}} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			src, g := jpegOf(t, 640, 480, green), newGate()
			var taken atomic.Bool
			var puts atomic.Int64
			slow := h.worker(func(c *worker.Config) {
				c.Lease, c.Engine = 200*time.Millisecond, h.rendering(g)
				c.Queue = &troubledQueue{Queue: h.queue, before: func(verb string) error {
					if verb == "extend" {
						return test.answer
					}
					if verb == "claim" && taken.Swap(true) {
						return postern.ErrRecordsUnavailable // one job is enough
					}
					return nil
				}}
				c.Bucket = &troubledBucket{Bucket: h.bucket, before: func(_ context.Context, verb, key string) error {
					if verb == "put" {
						puts.Add(1)
					}
					return nil
				}}
			})
			id := h.upload(src)
			h.run(slow)
			g.waitFor(t) // and is never let through: only the lease's end frees it
			h.run(h.worker(nil))
			h.wantShown(h.await(id, postern.Ready), src, green)
			eventually(t, "the lease to be noticed as lost", func() bool { s := slow.Stats(); return s.Lost == 1 && s.Running == 0 })
			if puts.Load() != 0 || slow.Stats().PixelsInUse != 0 {
				t.Errorf("%d objects written by the worker without a lease; %+v", puts.Load(), slow.Stats())
			}
			h.wantShown(h.record(id), src, green)
		})
	}
}

// A process that dies between the last variant and the record leaves an upload
// that another one brings to its end, with one set of variants.
func TestCrashBeforeSettle(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		next []byte // sent again with the same grant before the second attempt
		want postern.State
	}{
		{"same bytes", nil, postern.Ready},
		{"other picture", jpegOf(t, 480, 640, red), postern.Ready},
		{"no picture", []byte("no picture at all"), postern.Rejected},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			src, colour := jpegOf(t, 640, 480, green), green
			dead := h.newService(h.secrets, postern.Preset{Name: "photos", Variants: []postern.VariantRule{{Name: "old", Box: 128}}})
			settling := make(chan struct{}, 1)
			var died atomic.Bool
			w := h.worker(func(c *worker.Config) {
				c.Service, c.Lease, c.Grace = dead, 300*time.Millisecond, time.Millisecond
				c.Queue = &troubledQueue{Queue: h.queue, before: func(verb string) error {
					if verb == "settle" {
						died.Store(true)
						settling <- struct{}{}
					}
					if died.Load() {
						return errors.New("dead") // gives nothing back, extends nothing
					}
					return nil
				}}
			})
			stop := h.run(w)
			g := h.grant(postern.Request{})
			h.send(g, src)
			h.complete(g)
			<-settling
			stop()
			if got := h.keys(postern.ImagesPrefix); len(got) != 1 || !strings.HasSuffix(got[0], "/old") {
				t.Fatalf("the dead worker left %v", got)
			}
			if test.next != nil {
				h.send(g, test.next)
				src, colour = test.next, red
			}
			h.run(h.worker(nil))
			u := h.await(g.Ticket.ID, test.want)
			if test.want == postern.Ready {
				h.wantShown(u, src, colour)
			} else if got := h.keys(postern.ImagesPrefix); len(got) > 0 {
				t.Errorf("left behind: %v", got)
			}
			h.awaitGone(postern.IncomingPrefix)
		})
	}
}

// The pixels open at once never exceed the budget, and a picture that alone
// exceeds it is opened alone.
func TestBudgetIsKept(t *testing.T) {
	h := newHouse(t)
	const limit = 1_000_000
	var now, most, together atomic.Int64
	count := &measuredEngine{Engine: h.engine, begin: func(pixels int64) {
		n := now.Add(pixels)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if pixels > limit && n != pixels {
			together.Add(1)
		}
	}, end: func(pixels int64) { now.Add(-pixels) }}
	w := h.worker(func(c *worker.Config) { c.MaxPixels, c.Concurrency, c.Engine = limit, 6, count })
	sources := [][]byte{
		jpegOf(t, 700, 500, green), jpegOf(t, 700, 500, green), jpegOf(t, 1000, 800, green), jpegOf(t, 600, 600, green),
		jpegOf(t, 1500, 1000, green), jpegOf(t, 500, 500, green), jpegOf(t, 400, 300, green), jpegOf(t, 999, 999, green),
		jpegOf(t, 2000, 1000, green), jpegOf(t, 500, 400, green), jpegOf(t, 800, 700, green), jpegOf(t, 300, 300, green),
	}
	ids := make([]postern.ID, len(sources))
	for i, src := range sources {
		ids[i] = h.upload(src)
	}
	h.run(w)
	for i, id := range ids {
		h.wantShown(h.await(id, postern.Ready), sources[i], green)
	}
	if most.Load() > 2_000_000 || together.Load() != 0 {
		t.Errorf("%d pixels were open at once; %d large pictures had company", most.Load(), together.Load())
	}
	if count.over.Load() != 0 {
		t.Errorf("small pictures exceeded the budget %d times", count.over.Load())
	}
	if s := w.Stats(); s.PixelsInUse != 0 || s.PixelsMax != limit {
		t.Errorf("stats are %+v", s)
	}
}

// measuredEngine tells what each rendering has open.
type measuredEngine struct {
	worker.Engine
	begin, end func(pixels int64)
	mu         sync.Mutex
	open       int64
	count      int
	over       atomic.Int64
}

func (e *measuredEngine) Render(ctx context.Context, src []byte, p *postern.Preset) (*postern.Rendering, error) {
	probe, err := e.Probe(src, p)
	if err != nil {
		return nil, err
	}
	n := probe.Pixels()
	e.begin(n)
	defer e.end(n)
	e.note(n, 1)
	defer e.note(-n, -1)
	return e.Engine.Render(ctx, src, p)
}

func (e *measuredEngine) note(n int64, pictures int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open += n
	e.count += pictures
	if e.count > 1 && e.open > 1_000_000 {
		e.over.Add(1)
	}
}
