// Package worker does what is to be done with uploads that have arrived: it
// claims them, reads each one's bytes once, has them checked and rendered,
// writes what was made and settles the record. It also sweeps what browsers
// left below incoming/, and makes removed uploads disappear.
//
// The rules it keeps, so that nobody ever sees bytes a browser wrote:
//
//  1. An object below incoming/ is read once, into memory. Everything after
//     that is about those bytes; who overwrites the object changes nothing.
//  2. What is written lies below images/, under keys that follow from the
//     upload's id alone, so a second attempt overwrites the first one's work.
//  3. The record is settled after the variants are durable and before the
//     browser's object is deleted. A crash in between costs work, never an
//     upload: the lease runs out, or a sweep finds the object.
//
// What ends an upload, and when:
//
//   - The file is at fault: rejected at once, in words.
//   - We are at fault (an error or a panic while checking, an object that is
//     gone): tried again Attempts times with growing pauses, then failed. An
//     attempt that killed the process counts too.
//   - Something around us is away or set up wrongly (the bucket does not
//     answer, the preset is not configured any more, no key opens the object's
//     ticket): nobody's attempt. It is tried again until the upload is
//     [postern.Grace] old, then failed. Its object is kept that long again.
//
// An object without the upload's own ticket cannot come from a grant, whose
// signature binds the ticket. It was put there by someone who holds a key to
// the bucket, or our secrets were changed too early. It is never rendered, and
// never deleted here, since the second case can be cured.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"postern.example/postern"
)

// Queue is the part of the records that hands out jobs. Every method returns
// [postern.ErrRecordsUnavailable] when a later try may succeed; those that
// take a claim return [postern.ErrLeaseLost] when it is not held any more.
type Queue interface {
	// Claim leases up to limit jobs that are due: uploads in state Stored to be
	// checked, and uploads in state Removed whose objects are to be deleted.
	Claim(ctx context.Context, lease time.Duration, limit int) ([]postern.Claim, error)
	// Extend makes a lease end lease from now.
	Extend(ctx context.Context, c postern.Claim, lease time.Duration) (postern.Claim, error)
	// Settle writes u, whose state is final, and ends the job.
	Settle(ctx context.Context, c postern.Claim, u postern.Upload) error
	// Retry gives the job back; it is due again at the time given.
	Retry(ctx context.Context, c postern.Claim, at time.Time) error
	// Release gives the job back, due at once, as if it had not been claimed.
	Release(ctx context.Context, c postern.Claim) error
	// Forget deletes the records of uploads removed before the time given, and
	// says how many.
	Forget(ctx context.Context, before time.Time) (int, error)
}

// Engine checks and renders pictures. An error that is a [*postern.Error]
// with an HTTP status below 500 blames the file; any other is ours.
type Engine interface {
	// Probe reads the headers of src and holds them against p's limits.
	Probe(src []byte, p *postern.Preset) (postern.Probe, error)
	// Render opens src and makes p's variants.
	Render(ctx context.Context, src []byte, p *postern.Preset) (*postern.Rendering, error)
}

// Config is what a Worker is made of. Service, Bucket, Queue and Engine must
// be given; zero values of the rest mean the default.
type Config struct {
	Service *postern.Service
	Bucket  postern.Bucket
	Queue   Queue
	Engine  Engine

	// Concurrency is how many jobs run at once; default GOMAXPROCS. Each holds
	// one upload's bytes, so up to Concurrency times the largest preset's
	// MaxBytes are in memory besides the pixels.
	Concurrency int
	// MaxPixels is how many pixels may be open at once, all jobs together;
	// default 100 000 000. A picture that alone has more waits for all of it
	// and is opened alone.
	MaxPixels int64
	// Lease is how long a job is ours without a sign of life; default 20 s. It
	// is extended while the job runs, and is how long the jobs of a process
	// that was killed wait for another one.
	Lease time.Duration
	// Poll is how often due jobs are looked for when nobody announces one;
	// default 1 s.
	Poll time.Duration
	// SweepEvery is the pause between sweeps; default 1 min. The first is made
	// at the start.
	SweepEvery time.Duration
	// Attempts is how often a job is tried when we are at fault; default 8.
	Attempts int
	// Backoff is the pause after a fault; attempt counts from 1. Default: a
	// random time up to 1 s·2^attempt, and up to 5 min.
	Backoff func(attempt int) time.Duration
	// Grace is how long running jobs may go on after Run's context is done;
	// default 10 s.
	Grace time.Duration

	// Around is told that a job begins, and what it returns that it ended: with
	// the upload's state, or how the attempt ended without one. For traces.
	Around func(ctx context.Context, c postern.Claim) (context.Context, func(outcome string))

	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: nothing is logged
}

// Worker does the jobs of one process. Its methods are safe for concurrent
// use; Run is to be called once.
type Worker struct {
	service *postern.Service
	bucket  postern.Bucket
	queue   Queue
	engine  Engine

	concurrency int
	lease       time.Duration
	poll        time.Duration
	sweepEvery  time.Duration
	attempts    int
	backoff     func(int) time.Duration
	grace       time.Duration
	around      func(context.Context, postern.Claim) (context.Context, func(string))
	now         func() time.Time
	log         *slog.Logger

	pixels *budget
	away   atomic.Bool // a job was postponed and no object was read since
	stats  counters
}

// Defaults of [Config].
const (
	defaultMaxPixels  = 100_000_000
	defaultLease      = 20 * time.Second
	defaultPoll       = time.Second
	defaultSweepEvery = time.Minute
	defaultAttempts   = 8
	defaultGrace      = 10 * time.Second
)

// New makes a Worker, or says which part of c is unusable.
func New(c Config) (*Worker, error) {
	switch {
	case c.Service == nil:
		return nil, errors.New("worker: a service is missing")
	case c.Bucket == nil:
		return nil, errors.New("worker: a bucket is missing")
	case c.Queue == nil:
		return nil, errors.New("worker: a queue is missing")
	case c.Engine == nil:
		return nil, errors.New("worker: an engine is missing")
	}
	w := &Worker{
		service: c.Service, bucket: c.Bucket, queue: c.Queue, engine: c.Engine,
		concurrency: or(c.Concurrency, runtime.GOMAXPROCS(0)), attempts: or(c.Attempts, defaultAttempts),
		lease: or(c.Lease, defaultLease), poll: or(c.Poll, defaultPoll),
		sweepEvery: or(c.SweepEvery, defaultSweepEvery), grace: or(c.Grace, defaultGrace),
		backoff: c.Backoff, around: c.Around, now: c.Now, log: c.Logger,
	}
	maxPixels := or(c.MaxPixels, defaultMaxPixels)
	for name, ok := range map[string]bool{
		"Concurrency": w.concurrency > 0, "MaxPixels": maxPixels > 0, "Lease": w.lease > 0, "Poll": w.poll > 0,
		"SweepEvery": w.sweepEvery > 0, "Attempts": w.attempts > 0, "Grace": w.grace > 0,
	} {
		if !ok {
			return nil, fmt.Errorf("worker: %s must be above 0", name)
		}
	}
	if w.backoff == nil {
		w.backoff = fullJitter
	}
	if w.around == nil {
		w.around = func(ctx context.Context, _ postern.Claim) (context.Context, func(string)) {
			return ctx, func(string) {}
		}
	}
	if w.now == nil {
		w.now = time.Now
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.pixels = newBudget(maxPixels)
	return w, nil
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Stats is what a Worker has counted since it was made, and what it is at.
type Stats struct {
	Settled   int64 // jobs brought to an end, removals included
	Retries   int64 // attempts that ended in a fault of ours and are made again
	Postponed int64 // attempts that ended because something around us was away
	Lost      int64 // jobs dropped because the lease was lost
	Panics    int64 // panics while checking a picture

	Running     int64 // jobs now
	Waiting     int64 // postponed jobs now
	PixelsInUse int64 // of the budget, now
	PixelsMax   int64 // the budget

	Swept Swept // by all sweeps together
}

type counters struct {
	settled, retries, postponed, lost, panics, running, waiting      atomic.Int64
	swept, noted, pending, replays, foreign, sweepFaults, sweepBytes atomic.Int64
}

// Stats returns the counters.
func (w *Worker) Stats() Stats {
	c := &w.stats
	return Stats{
		Settled: c.settled.Load(), Retries: c.retries.Load(), Postponed: c.postponed.Load(), Lost: c.lost.Load(),
		Panics: c.panics.Load(), Running: c.running.Load(), Waiting: c.waiting.Load(),
		PixelsInUse: w.pixels.inUse.Load(), PixelsMax: w.pixels.size,
		Swept: Swept{
			Objects: c.swept.Load(), Noted: c.noted.Load(), Pending: c.pending.Load(), Replays: c.replays.Load(),
			Foreign: c.foreign.Load(), Faults: c.sweepFaults.Load(), DeletedBytes: c.sweepBytes.Load(),
		},
	}
}
