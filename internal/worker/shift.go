package worker

import (
	"container/heap"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"postern.example/postern"
)

// maxWaiting bounds the postponed jobs of a process, about 2 kB each. With so
// many, something is badly wrong: no more are claimed until some were given back.
const maxWaiting = 10_000

// maxPause is how seldom records that do not answer are asked again.
const maxPause = 5 * time.Second

// afterwards is how long giving leases back may take once the grace is over,
// and then how long jobs that do not heed their context are waited for.
const afterwards = 2 * time.Second

// shift is one call of Run. Its fields belong to that goroutine; jobs answer
// through ended.
type shift struct {
	w       *Worker
	jobs    map[held]postern.Claim // running
	waiting waitingHeap
	ended   chan ended
	cut     []postern.Claim // of jobs that the end of the shift ended
	asked   time.Time       // no claim before this
	pause   time.Duration   // between claims that fail; 0 when the records answer
}

// held names a claim: claims made together may have one lease.
type held struct {
	id    postern.ID
	lease string
}

// task is a claim to work on.
type task struct {
	claim postern.Claim
	until time.Time // when the lease ends, by this process's clock
	again bool      // the second pass of a removal
}

// waiting is a claim kept for later, without a slot.
type waiting struct {
	task
	due time.Time
}

// ended is what a job says when it is over.
type ended struct {
	job  held
	wait *waiting // nil: nothing is left to do
	cut  bool     // the shift's end may have ended it: its lease is to be given back
}

// Run does jobs and sweeps until ctx is done. Then no more are begun, and
// running ones have the grace to end; the leases of those that do not are
// given back, and what they were doing comes to nothing. It returns nil.
func (w *Worker) Run(ctx context.Context) error {
	// Jobs outlive ctx by the grace.
	hard, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(w.grace, stop) })()

	var tending sync.WaitGroup
	tending.Go(func() { w.tend(ctx) })
	tending.Go(func() { w.Seek(ctx) })
	defer tending.Wait()

	s := &shift{w: w, jobs: map[held]postern.Claim{}, ended: make(chan ended, w.concurrency)}
	s.work(ctx, hard)
	s.close(ctx, hard)
	return nil
}

// work hands out jobs until ctx is done.
func (s *shift) work(ctx, hard context.Context) {
	t := time.NewTimer(0)
	defer t.Stop()
	for ctx.Err() == nil {
		s.resume(hard)
		s.claim(ctx, hard)
		t.Reset(s.rest())
		select {
		case <-ctx.Done():
		case e := <-s.ended:
			s.end(e)
		case <-s.w.service.Arrivals():
		case <-t.C:
		}
	}
}

// rest is how long nothing need be looked at, unless somebody says so.
func (s *shift) rest() time.Duration {
	rest := s.w.poll
	if s.pause > 0 {
		rest = time.Until(s.asked)
	}
	if len(s.waiting) > 0 {
		// What is due and still there waits for a slot, not for the clock.
		if d := time.Until(s.waiting[0].due); d > 0 {
			rest = min(rest, d)
		}
	}
	return max(rest, 0)
}

// claim fills the free slots.
func (s *shift) claim(ctx, hard context.Context) {
	free := s.w.concurrency - len(s.jobs)
	if free == 0 || len(s.waiting) >= maxWaiting || time.Now().Before(s.asked) {
		return
	}
	// Not ctx: a claim cut off halfway might be ours without our knowing.
	began := time.Now()
	claims, err := s.w.queue.Claim(hard, s.w.lease, free)
	if err != nil {
		if s.pause == 0 {
			s.w.log.WarnContext(ctx, "jobs cannot be claimed", "error", err)
		}
		s.pause = min(max(2*s.pause, 100*time.Millisecond), maxPause)
		s.asked = time.Now().Add(s.pause)
		return
	}
	if s.pause > 0 {
		s.w.log.InfoContext(ctx, "jobs can be claimed again")
		s.pause = 0
	}
	for _, c := range claims {
		s.start(hard, task{claim: c, until: began.Add(s.w.lease)})
	}
}

func (s *shift) start(hard context.Context, t task) {
	job := held{t.claim.Upload.ID, t.claim.Lease}
	s.jobs[job] = t.claim
	s.w.stats.running.Store(int64(len(s.jobs)))
	go func() {
		wait := s.w.do(hard, t)
		s.ended <- ended{job, wait, hard.Err() != nil}
	}()
}

func (s *shift) end(e ended) {
	if e.cut {
		s.cut = append(s.cut, s.jobs[e.job])
	}
	delete(s.jobs, e.job)
	s.w.stats.running.Store(int64(len(s.jobs)))
	if e.wait != nil {
		heap.Push(&s.waiting, *e.wait)
		s.w.stats.waiting.Store(int64(len(s.waiting)))
	}
}

// resume takes up what has waited long enough. A postponed check is given
// back, not taken up: another process may be better off than this one.
func (s *shift) resume(hard context.Context) {
	for len(s.waiting) > 0 && !time.Now().Before(s.waiting[0].due) {
		again := s.waiting[0].again
		if again && len(s.jobs) == s.w.concurrency {
			break
		}
		next := heap.Pop(&s.waiting).(waiting) //nolint:forcetypeassert // holds nothing else
		if again {
			s.start(hard, next.task)
		} else {
			_ = s.w.release(hard, next.claim) // else the lease runs out by itself
		}
	}
	s.w.stats.waiting.Store(int64(len(s.waiting)))
}

// close lets the running jobs end, or gives their leases back.
func (s *shift) close(ctx, hard context.Context) {
	for _, n := range s.waiting {
		if s.w.release(hard, n.claim) != nil {
			break // the records are away; the leases run out by themselves
		}
	}
	for len(s.jobs) > 0 && hard.Err() == nil {
		select {
		case e := <-s.ended:
			s.end(e)
			if e.wait != nil && !e.cut {
				_ = s.w.release(hard, e.wait.claim) // else the lease runs out by itself
			}
		case <-hard.Done():
		}
	}
	s.waiting = nil
	s.w.stats.waiting.Store(0)
	cut := slices.AppendSeq(s.cut, maps.Values(s.jobs))
	if len(cut) == 0 {
		return
	}
	s.w.log.WarnContext(ctx, "jobs were cut off", "jobs", len(cut))
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	for _, c := range cut {
		_ = s.w.release(last, c) // else the lease runs out by itself
	}
	for len(s.jobs) > 0 {
		select {
		case e := <-s.ended:
			s.end(e)
		case <-last.Done():
			return
		}
	}
}

// release gives a lease back. Only records that do not answer are an error.
func (w *Worker) release(ctx context.Context, c postern.Claim) error {
	err := w.queue.Release(ctx, c)
	if errors.Is(err, postern.ErrLeaseLost) {
		return nil
	}
	return err
}

// waitingHeap has what is due next at its head (container/heap).
type waitingHeap []waiting

func (h waitingHeap) Len() int           { return len(h) }
func (h waitingHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h waitingHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *waitingHeap) Push(x any) { *h = append(*h, x.(waiting)) } //nolint:forcetypeassert // holds nothing else

// Pop implements [heap.Interface].
func (h *waitingHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = waiting{} // let go of the upload
	*h = (*h)[:last]
	return x
}
