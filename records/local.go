package records

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"postern.example/postern"
)

// local is a database in a file of this machine: SQLite's.
type local struct {
	path      string
	noMigrate bool
	log       *slog.Logger
	tune      tuning

	// gate is held for reading by whoever uses the file, and for writing by
	// whoever opens or closes it.
	gate   sync.RWMutex
	file   *file // nil: none is open
	closed bool
}

func openLocal(ctx context.Context, c *Config, t tuning) (*local, error) {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("open records %s: %w", c.Path, err)
	}
	l := &local{path: path, noMigrate: c.NoMigrate, log: c.Logger, tune: t}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("open records: %w", err)
	}
	l.file, err = openPatiently(ctx, path, t, !c.NoMigrate)
	return l, explained(path, err)
}

// explained is why the file at path could not be opened.
func explained(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case locked(err):
		return postern.ErrRecordsUnavailable.Because(fmt.Errorf("open records %s: %v", path, err))
	case damaged(err):
		return fmt.Errorf("open records %s: the file is damaged or not a SQLite database: %v", path, err)
	}
	return fmt.Errorf("open records %s: %v", path, err)
}

func (l *local) close() error {
	l.gate.Lock()
	defer l.gate.Unlock()
	l.closed = true
	f := l.file
	l.file = nil
	if f == nil {
		return nil
	}
	return f.close()
}

// enter returns the file for use, once it is certain that it still lies at its
// path. Without an error the caller must release l.gate for reading.
func (l *local) enter(ctx context.Context) (*file, error) {
	for range 2 {
		l.gate.RLock()
		if l.file.usable() {
			return l.file, nil
		}
		l.gate.RUnlock()
		if err := l.mend(ctx); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the file is being replaced over and over")
}

// mend makes l.file usable again if that can be: the file is back, or another
// one has taken its place, or the connections had to be given up.
func (l *local) mend(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx) // never stop halfway; locks are waited for in bounded time
	l.gate.Lock()
	defer l.gate.Unlock()
	if l.closed {
		return errClosed
	}
	f := l.file
	info, err := os.Stat(l.path)
	switch {
	case err != nil:
		if f != nil && !f.lost {
			f.lost = true
			l.log.WarnContext(ctx, "records file is gone", "path", l.path, "err", err)
			// Whoever moved it shall have all of it.
			if err := f.fold(ctx); err != nil {
				l.log.WarnContext(ctx, "records file is incomplete", "path", l.path, "err", err)
			}
		}
		return err
	case f != nil && os.SameFile(info, f.info) && !f.broken.Load():
		if f.lost {
			f.lost, f.folded = false, false
			l.log.InfoContext(ctx, "records file is back", "path", l.path)
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
			l.log.WarnContext(ctx, "records file was not closed well", "path", l.path, "err", err)
		}
		l.file = nil
	}
	if l.file, err = openPatiently(ctx, l.path, l.tune, !l.noMigrate); err != nil {
		return err
	}
	l.log.InfoContext(ctx, "records file was opened anew", "path", l.path)
	return nil
}

// commit runs ops in one transaction.
func (l *local) commit(ctx context.Context, ops []*op) {
	f, err := l.enter(ctx)
	if err != nil {
		answer(ops, err)
		return
	}
	defer l.gate.RUnlock()

	err = f.transact(ctx, ops)
	if err != nil && len(ops) > 1 && refused(err) {
		// One of them is poisoned. Alone it fails alone.
		for i := range ops {
			if err = f.transact(ctx, ops[i:i+1]); err == nil {
				continue
			}
			if !refused(err) { // the database itself: no use to go on
				answer(ops[i:], err)
				break
			}
			answer(ops[i:i+1], err)
		}
	} else if err != nil {
		answer(ops, err)
	}
	if !f.inPlace() {
		// It was taken away meanwhile; the commit may have gone with it.
		answer(ops, errors.New("the file was moved or replaced during the commit"))
	}
}

// transact runs ops in one transaction. After an error nothing has happened.
func (f *file) transact(ctx context.Context, ops []*op) (fault error) {
	defer func() { f.suspect(fault) }()
	if _, err := f.writes.exec(ctx, begin); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, o := range ops {
		var n int64
		for _, s := range o.before {
			if _, fault = f.writes.exec(ctx, s.query, s.args...); fault != nil {
				f.undo(ctx)
				return fault
			}
		}
		if o.into == nil {
			n, fault = f.writes.exec(ctx, o.query, o.args...)
		} else {
			n, fault = 1, f.writes.rows(ctx, o.into, o.query, o.args...)
		}
		if fault != nil {
			f.undo(ctx)
			return fault
		}
		o.settle(n, nil)
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

func (l *local) read(ctx context.Context, into func(rows) error, query string, args ...any) error {
	f, err := l.enter(ctx)
	if err != nil {
		return err
	}
	defer l.gate.RUnlock()
	err = f.reads.rows(ctx, into, query, args...)
	if resultCode(err) != 0 { // not for a row that cannot be decoded
		f.suspect(err)
	}
	return err
}
