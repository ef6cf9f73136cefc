package records

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// change is one write, run inside a transaction that it shares with others.
// An answer (not found, lease lost) is for its caller alone and must leave
// nothing changed; a fault is the database's and undoes the transaction. It
// may be run again after a fault, so it sets its results anew each time.
type change func(ctx context.Context, f *file) (answer, fault error)

// op is a change that waits for its commit.
type op struct {
	do        change
	cancelled <-chan struct{} // its caller has left
	err       error           // set before done is closed
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
	return batch, q.closed && len(batch) == 0
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.ring()
}

// write has the writer run do and returns its answer once it is durable. When
// ctx ends first it returns at once; do may or may not happen then.
func (r *Records) write(ctx context.Context, do change) error {
	if err := ctx.Err(); err != nil {
		return told(fmt.Errorf("queue write: %w", err))
	}
	o := &op{do: do, cancelled: ctx.Done(), done: make(chan struct{})}
	if !r.queue.add(o) {
		return told(errClosed)
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return told(fmt.Errorf("wait for commit: %w", ctx.Err()))
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
	defer close(r.stopped)
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
	f, err := r.enter(ctx)
	if err != nil {
		answer(live, err)
		return
	}
	defer r.gate.RUnlock()

	err = f.transact(ctx, live)
	if err != nil && len(live) > 1 && refused(err) {
		// One of them is poisoned. Alone it fails alone.
		for i := range live {
			if err = f.transact(ctx, live[i:i+1]); err == nil {
				continue
			}
			if !refused(err) { // the database itself: no use to go on
				answer(live[i:], err)
				break
			}
			answer(live[i:i+1], err)
		}
	} else if err != nil {
		answer(live, err)
	}
	if !f.inPlace() {
		// It was taken away meanwhile; the commit may have gone with it.
		answer(live, errors.New("the file was moved or replaced during the commit"))
	}
}

func answer(ops []*op, err error) {
	err = told(err)
	for _, o := range ops {
		o.err = err
	}
}

// transact runs ops in one transaction. After an error nothing has happened.
func (f *file) transact(ctx context.Context, ops []*op) (fault error) {
	defer func() { f.suspect(fault) }()
	if _, err := f.writes.exec(ctx, begin); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, o := range ops {
		if o.err, fault = o.do(ctx, f); fault != nil {
			f.undo(ctx)
			return fault
		}
	}
	if _, err := f.writes.exec(ctx, commit); err != nil {
		f.undo(ctx)
		f.broken.Store(true) // whatever the code: a failed sync must not be trusted to be retried
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// undo rolls back. SQLite has done so by itself after some faults and says
// that there is no transaction, so a new connection is taken then.
func (f *file) undo(ctx context.Context) {
	if _, err := f.writes.exec(ctx, rollback); err != nil {
		f.broken.Store(true)
	}
}
