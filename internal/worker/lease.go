package worker

import (
	"context"
	"errors"
	"time"

	"postern.example/postern"
)

// lease keeps one claim ours while its job runs. The job's context ends when
// the claim is lost: at once when the records say so, and by our own clock
// when they could not be asked until its end.
type lease struct {
	claim  postern.Claim // as last extended
	until  time.Time     // when it ends, by this process's clock
	done   chan struct{} // closed to end the extending
	ended  chan struct{} // closed when it has ended
	cancel context.CancelCauseFunc
}

// hold starts extending claim c, which ends at until. Nothing is extended any
// more after ctx is done.
func (w *Worker) hold(ctx context.Context, c postern.Claim, until time.Time) (context.Context, *lease) {
	ctx, cancel := context.WithCancelCause(ctx)
	l := &lease{claim: c, until: until, done: make(chan struct{}), ended: make(chan struct{}), cancel: cancel}
	go l.extend(ctx, w)
	return ctx, l
}

// stop ends the extending and returns the claim as last extended, and when it
// ends. The job's context lives on until free.
func (l *lease) stop() (postern.Claim, time.Time) {
	close(l.done)
	<-l.ended
	return l.claim, l.until
}

// free ends the job's context.
func (l *lease) free() { l.cancel(nil) }

func (l *lease) extend(ctx context.Context, w *Worker) {
	defer close(l.ended)
	every := w.lease / 3
	// A job that waited has little of its lease left.
	t := time.NewTimer(max(min(every, time.Until(l.until)-2*every), 0))
	defer t.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ctx.Done():
			return
		case <-t.C:
		}
		began := time.Now()
		c, err := l.ask(ctx, w)
		switch {
		case err == nil:
			l.claim, l.until = c, began.Add(w.lease)
			t.Reset(every)
		case errors.Is(err, postern.ErrLeaseLost), !time.Now().Before(l.until):
			l.cancel(postern.ErrLeaseLost)
			return
		default: // the records do not answer; they have until the lease's end
			t.Reset(min(every/4, time.Until(l.until)))
		}
	}
}

func (l *lease) ask(ctx context.Context, w *Worker) (postern.Claim, error) {
	ctx, cancel := context.WithDeadline(ctx, l.until)
	defer cancel()
	return w.queue.Extend(ctx, l.claim, w.lease)
}
