package records

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// op is a change that waits for its commit.
type op struct {
	change
	cancelled <-chan struct{} // its caller has left
	changed   int64           // rows; set before done is closed, as is
	err       error           // the answer
	done      chan struct{}
}

// queue holds the changes that wait for the writer.
type queue struct {
	mu      sync.Mutex
	waiting []*op
	closed  bool
	wake    chan struct{} // holds a value when there is something new
}

func (q *queue) add(o *op) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, o)
	q.mu.Unlock()
	q.ring()
	return true
}

func (q *queue) ring() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// gather lets callers run until n changes wait, or patience ends. It yields
// rather than sleeps: what it waits for takes microseconds, a timer longer.
func (q *queue) gather(n int, patience time.Duration) {
	for end := time.Now().Add(patience); q.len() < n && time.Now().Before(end); {
		runtime.Gosched()
	}
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// take returns up to n changes, oldest first, and whether none will follow.
func (q *queue) take(n int) (batch []*op, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.waiting))
	batch = slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	if len(q.waiting) > 0 || q.closed {
		q.ring() // for another writer
	}
	return batch, q.closed && len(batch) == 0
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.ring()
}

// write has the writer run c and returns how many rows it changed, once it is
// durable. When ctx ends first it returns at once; c may or may not happen then.
func (r *Records) write(ctx context.Context, c change) (changed int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, told(fmt.Errorf("queue write: %w", err))
	}
	o := &op{change: c, cancelled: ctx.Done(), done: make(chan struct{})}
	if !r.queue.add(o) {
		return 0, told(errClosed)
	}
	select {
	case <-o.done:
		return o.changed, o.err
	case <-ctx.Done():
		return 0, told(fmt.Errorf("wait for commit: %w", ctx.Err()))
	}
}

// maxGather is the longest that a commit is put off for others to join it.
const maxGather = 200 * time.Microsecond

// writer commits what is waiting, all of it together, until the queue is
// closed and empty. A durable commit costs a sync of the disk however much is
// in it, so the more callers wait, the less each of them pays.
//
// Callers that were just answered often have the next change at hand. Begun at
// once, a commit would miss them, and the callers would split into two groups
// that take turns. So it is put off until as many wait as were there before,
// for an eighth of what a commit takes at most: at 16 callers that is worth a
// quarter of the rate, and a lone caller never waits.
func (r *Records) writer(ctx context.Context) {
	var callers int
	var patience time.Duration
	for range r.queue.wake {
		for {
			if callers > 1 {
				r.queue.gather(min(callers, r.tune.batch), patience)
			}
			batch, over := r.queue.take(r.tune.batch)
			if over {
				return
			}
			if len(batch) == 0 {
				break
			}
			start := time.Now()
			r.commit(ctx, batch)
			patience = min(time.Since(start)/8, maxGather)
			callers = len(batch) + r.queue.len()
		}
		callers = 0 // they have all left
	}
}

// commit runs a batch and answers each of its callers.
func (r *Records) commit(ctx context.Context, batch []*op) {
	defer func() {
		for _, o := range batch {
			close(o.done)
		}
	}()
	live := batch[:0:0]
	for _, o := range batch {
		select {
		case <-o.cancelled: // nobody is there to hear the answer
		default:
			live = append(live, o)
		}
	}
	if len(live) == 0 {
		return
	}
	r.db.commit(ctx, live)
}

// settle notes what came of o's statement.
func (o *op) settle(changed int64, err error) {
	o.changed, o.err = changed, err
	if err == nil && changed == 0 {
		o.err = o.none
	}
}

func answer(ops []*op, err error) {
	err = told(err)
	for _, o := range ops {
		o.err = err
	}
}
