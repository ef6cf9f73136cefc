package records

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"postern.example/postern"
)

// Config says where the records lie. Only Path must be given.
type Config struct {
	// Path of the database file. It and its folder are made when missing, for
	// the owner only. Beside it lie Path-wal and Path-shm while it is open.
	Path   string
	Now    func() time.Time // default time.Now
	Random io.Reader        // names leases; safe for concurrent use; default crypto/rand
	Logger *slog.Logger     // default: nothing is logged
}

// tuning is what tests and benchmarks vary.
type tuning struct {
	batch    int           // most writes in one commit
	readers  int           // connections that read
	patience time.Duration // how long a lock of somebody else is waited for
}

func defaults() tuning { return tuning{batch: 256, readers: 4, patience: 2500 * time.Millisecond} }

// Records are uploads and their jobs in a SQLite file. Make them with [Open].
// All methods are safe for concurrent use.
type Records struct {
	path   string
	now    func() time.Time
	random io.Reader
	log    *slog.Logger
	tune   tuning

	// gate is held for reading by whoever uses the file, and for writing by
	// whoever opens or closes it.
	gate   sync.RWMutex
	file   *file // nil: none is open
	closed bool

	queue   queue
	stopped chan struct{} // closed when the writer has ended
}

var _ postern.Records = (*Records)(nil)

var errClosed = errors.New("the records are closed")

// Open opens the records at c.Path, makes them when there are none, and brings
// their schema up to date. An error says what is wrong with the file: it is
// damaged, not a database, was written by a newer version of the program, or
// its folder cannot be written; it matches ErrRecordsUnavailable when somebody
// else keeps it locked. Close the records after use.
func Open(ctx context.Context, c Config) (*Records, error) { return open(ctx, c, defaults()) }

func open(ctx context.Context, c Config, t tuning) (*Records, error) {
	if c.Path == "" {
		return nil, errors.New("open records: a path is needed")
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("open records %s: %w", c.Path, err)
	}
	r := &Records{
		path: path, now: c.Now, random: c.Random, log: c.Logger, tune: t,
		queue: queue{wake: make(chan struct{}, 1)}, stopped: make(chan struct{}),
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.random == nil {
		r.random = rand.Reader
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("open records: %w", err)
	}
	switch r.file, err = openPatiently(ctx, path, t); {
	case locked(err):
		return nil, postern.ErrRecordsUnavailable.Because(fmt.Errorf("open records %s: %v", path, err))
	case damaged(err):
		return nil, fmt.Errorf("open records %s: the file is damaged or not a SQLite database: %v", path, err)
	case err != nil:
		return nil, fmt.Errorf("open records %s: %v", path, err)
	}
	go r.writer(context.WithoutCancel(ctx))
	return r, nil
}

// Close commits what is waiting, then closes the file. Later calls of other
// methods answer ErrRecordsUnavailable; a second Close does nothing.
func (r *Records) Close() error {
	r.queue.close()
	<-r.stopped
	r.gate.Lock()
	defer r.gate.Unlock()
	r.closed = true
	f := r.file
	r.file = nil
	if f == nil {
		return nil
	}
	if err := f.close(); err != nil {
		return fmt.Errorf("close records: %v", err)
	}
	return nil
}

// Ping reports whether the records can be read and written now, by taking and
// giving back the write lock. It writes nothing.
func (r *Records) Ping(ctx context.Context) error {
	return r.write(ctx, func(ctx context.Context, f *file) (answer, fault error) {
		var n int
		return nil, f.writes.row(ctx, `SELECT count(*) FROM (SELECT id FROM uploads LIMIT 1) AS some`).Scan(&n)
	})
}

// enter returns the file for use, once it is certain that it still lies at its
// path. Without an error the caller must release r.gate for reading.
func (r *Records) enter(ctx context.Context) (*file, error) {
	for range 2 {
		r.gate.RLock()
		if r.file.usable() {
			return r.file, nil
		}
		r.gate.RUnlock()
		if err := r.mend(ctx); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the file is being replaced over and over")
}

// mend makes r.file usable again if that can be: the file is back, or another
// one has taken its place, or the connections had to be given up.
func (r *Records) mend(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx) // never stop halfway; locks are waited for in bounded time
	r.gate.Lock()
	defer r.gate.Unlock()
	if r.closed {
		return errClosed
	}
	f := r.file
	info, err := os.Stat(r.path)
	switch {
	case err != nil:
		if f != nil && !f.lost {
			f.lost = true
			r.log.WarnContext(ctx, "records file is gone", "path", r.path, "err", err)
			// Whoever moved it shall have all of it.
			if err := f.fold(ctx); err != nil {
				r.log.WarnContext(ctx, "records file is incomplete", "path", r.path, "err", err)
			}
		}
		return err
	case f != nil && os.SameFile(info, f.info) && !f.broken.Load():
		if f.lost {
			f.lost, f.folded = false, false
			r.log.InfoContext(ctx, "records file is back", "path", r.path)
		}
		return nil
	case f != nil:
		if !os.SameFile(info, f.info) {
			// The log beside the new file may still be that of the old one,
			// and SQLite would replay it into the new one
			// (sqlite.org/howtocorrupt.html, section 1.4).
			if err := f.fold(ctx); err != nil {
				return err
			}
		}
		if err := f.close(); err != nil {
			r.log.WarnContext(ctx, "records file was not closed well", "path", r.path, "err", err)
		}
		r.file = nil
	}
	if r.file, err = openPatiently(ctx, r.path, r.tune); err != nil {
		return err
	}
	r.log.InfoContext(ctx, "records file was opened anew", "path", r.path)
	return nil
}

// told returns err as callers see it. Answers pass as they are; causes of the
// driver become text, so that nobody comes to depend on them.
func told(err error) error {
	var known *postern.Error
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, postern.ErrLeaseLost):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return postern.ErrRecordsUnavailable.Because(err)
	case refused(err):
		return fmt.Errorf("use records: %v", err)
	}
	return postern.ErrRecordsUnavailable.Because(errors.New(err.Error()))
}
