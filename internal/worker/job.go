package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"postern.example/postern"
)

// job is one attempt at one upload.
type job struct {
	w      *Worker
	claim  postern.Claim
	until  time.Time      // when the lease ends, by this process's clock
	upload postern.Upload // becomes what is to be settled
	wrote  []string       // keys of the variants that were, or may have been, written

	outcome string // how the attempt ended, for traces
}

// do works on one claim and brings it to an end, or says when to go on.
func (w *Worker) do(ctx context.Context, t task) *waiting {
	ctx, ended := w.around(postern.WithTrail(ctx, t.claim.Upload.Trail), t.claim)
	during, l := w.hold(ctx, t.claim, t.until)
	defer l.free()
	j := &job{w: w, claim: t.claim, upload: t.claim.Upload, outcome: "cut off"}
	defer func() { ended(j.outcome) }()
	f := j.attempt(during)
	j.claim, j.until = l.stop()
	switch {
	case errors.Is(context.Cause(during), postern.ErrLeaseLost):
		j.drop(ctx)
		return nil
	case ctx.Err() != nil: // the shift is over, and gives the lease back
		return nil
	case t.claim.Upload.State == postern.Removed:
		return j.removed(ctx, f, t.again)
	}
	return j.conclude(ctx, f)
}

// attempt does the job once. A panic is a fault of ours: it ends this attempt
// and nothing else (threat 12).
func (j *job) attempt(ctx context.Context) (f *fault) {
	defer func() {
		if v := recover(); v != nil {
			j.w.stats.panics.Add(1)
			j.w.log.ErrorContext(ctx, "job panicked", "upload", j.upload.ID, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			f = processing(ours, wordsProcessing, fmt.Errorf("panic: %v", v))
		}
	}()
	if j.upload.State == postern.Removed {
		return j.remove(ctx)
	}
	return j.check(ctx)
}

// conclude settles the upload, or gives it back for another attempt.
func (j *job) conclude(ctx context.Context, f *fault) *waiting {
	w, u := j.w, &j.upload
	if f != nil {
		u.Image, u.Problem = nil, public(f.words)
		switch {
		case f.blame == theirs:
			u.State = postern.Rejected
		case f.blame == ours && j.claim.Attempts < w.attempts:
			j.retry(ctx, f)
			return nil
		case f.blame == around && w.now().Before(u.StoredAt.Add(postern.Grace)):
			return j.postpone(ctx, f)
		default:
			u.State = postern.Failed
		}
	}
	if err := j.tidy(ctx); err != nil && w.now().Before(u.StoredAt.Add(postern.Grace)) {
		return j.postpone(ctx, away(err))
	}
	u.SettledAt = w.now()
	switch err := j.settle(ctx); {
	case errors.Is(err, postern.ErrLeaseLost):
		j.drop(ctx)
		return nil
	case err != nil: // the lease runs out, and the job is done again
		j.outcome = "not settled"
		w.log.WarnContext(ctx, "upload was not settled", "upload", u.ID, "state", u.State, "error", err)
		return nil
	}
	j.outcome = string(u.State)
	w.service.Settled(u)
	w.stats.settled.Add(1)
	j.report(ctx, f)
	if u.State == postern.Failed {
		return nil // its bytes are kept for a second try; the sweep knows until when
	}
	if err := w.bucket.Delete(ctx, u.Key()); err != nil {
		w.log.WarnContext(ctx, "checked object was not deleted, the sweep will", "upload", u.ID, "error", err)
	}
	return nil
}

// report writes the one line of a settled upload.
func (j *job) report(ctx context.Context, f *fault) {
	u, logger := &j.upload, j.w.log.With("upload", j.upload.ID, "state", j.upload.State, "attempt", j.claim.Attempts)
	switch {
	case f == nil:
		logger.InfoContext(ctx, "upload settled")
	case u.State == postern.Failed:
		logger.ErrorContext(ctx, "upload settled", "code", u.Problem.Code, "blame", f.blame, "error", f.cause)
	default:
		logger.InfoContext(ctx, "upload settled", "code", u.Problem.Code, "error", f.cause)
	}
}

// public is e without its private cause, for the record.
func public(e *postern.Error) *postern.Error { return e.Because(nil) }

// tidy deletes what earlier attempts wrote and this one did not. They may have
// read other bytes, or known other variants.
func (j *job) tidy(ctx context.Context) error {
	u := &j.upload
	if u.State == postern.Ready && j.claim.Attempts == 1 && j.w.now().Before(u.StoredAt.Add(j.w.lease)) {
		return nil // no earlier attempt can have known other variants: spare the listing
	}
	var keep []string
	if u.State == postern.Ready {
		keep = j.wrote
	}
	return j.deleteVariants(ctx, keep)
}

// settle writes the result. Records that do not answer are asked again while
// the lease lasts: the work is done, and doing it again costs more.
func (j *job) settle(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(ctx, j.until)
	defer cancel()
	pause := 50 * time.Millisecond
	for {
		err := j.w.queue.Settle(ctx, j.claim, j.upload)
		if err == nil || !errors.Is(err, postern.ErrRecordsUnavailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		}
	}
}

// retry gives the job back after a fault of ours.
func (j *job) retry(ctx context.Context, f *fault) {
	if ctx.Err() != nil {
		return // cut off: the shift gives the lease back
	}
	j.outcome = "tried again"
	pause := j.w.backoff(j.claim.Attempts)
	j.w.stats.retries.Add(1)
	j.w.log.WarnContext(ctx, "attempt failed", "upload", j.upload.ID, "attempt", j.claim.Attempts, "pause", pause, "error", f.cause)
	err := j.w.queue.Retry(ctx, j.claim, j.w.now().Add(pause))
	if err != nil && !errors.Is(err, postern.ErrLeaseLost) { // the lease runs out instead
		j.w.log.WarnContext(ctx, "job was not given back", "upload", j.upload.ID, "error", err)
	}
}

// postpone keeps the job, without a slot, until what it needs may be back.
// It is kept and not given back with a time, since that would count as an
// attempt: an outage must not use them up.
func (j *job) postpone(ctx context.Context, f *fault) *waiting {
	if ctx.Err() != nil {
		return nil // cut off: the shift gives the lease back
	}
	j.outcome = "postponed"
	since := j.upload.StoredAt
	if j.upload.State == postern.Removed {
		since = j.upload.SettledAt
	}
	pause := j.w.backoff(patience(j.w.now().Sub(since)))
	j.w.stats.postponed.Add(1)
	level := slog.LevelWarn
	if j.w.away.Swap(true) { // said before, and nothing was read since
		level = slog.LevelDebug
	}
	j.w.log.Log(ctx, level, "job postponed", "upload", j.upload.ID, "pause", pause, "error", f.cause)
	return j.keep(ctx, pause)
}

// keep makes the lease last for pause and one more.
func (j *job) keep(ctx context.Context, pause time.Duration) *waiting {
	now := time.Now()
	c, err := j.w.queue.Extend(ctx, j.claim, pause+j.w.lease)
	if err != nil {
		if !errors.Is(err, postern.ErrLeaseLost) { // the lease runs out instead
			j.w.log.WarnContext(ctx, "job was not kept", "upload", j.upload.ID, "error", err)
		}
		return nil
	}
	return &waiting{task: task{claim: c, until: now.Add(pause + j.w.lease)}, due: now.Add(pause)}
}

// drop forgets the work on an upload that is not ours any more. Either another
// worker has it, and writes the same keys; or it was removed, and what was
// written here might have come after the removal's own deletions.
func (j *job) drop(ctx context.Context) {
	j.outcome = "lease lost"
	j.w.stats.lost.Add(1)
	j.w.log.DebugContext(ctx, "lease lost", "upload", j.upload.ID)
	if len(j.wrote) == 0 {
		return
	}
	_, err := j.w.service.Upload(ctx, j.upload.Principal, j.upload.ID)
	if !errors.Is(err, postern.ErrNotFound) {
		return
	}
	for _, key := range j.wrote {
		if err := j.w.bucket.Delete(ctx, key); err != nil { // the removal's second pass finds it
			j.w.log.WarnContext(ctx, "variant of a removed upload was not deleted", "key", key, "error", err)
		}
	}
}
