package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// createFile makes an empty file for the owner only, and its folders, unless
// it is there. An existing file is not opened, not even to look at it: closing
// it again would drop the locks that SQLite holds on it elsewhere in this
// process (sqlite.org/howtocorrupt.html, section 2.2).
func createFile(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	d, err := os.Open(folder) //nolint:gosec // as above
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // read only
	// The name is durable only with its folder. Some systems cannot sync one.
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// file is an open database file: one connection that writes, some that read.
type file struct {
	path string
	info os.FileInfo // tells it from another file at the same path

	writer *sql.DB
	conn   *sql.Conn // the only one of writer; used by one goroutine at a time
	reader *sql.DB
	writes *statements // on conn
	reads  *statements // on reader

	broken atomic.Bool // the connections are not to be trusted any more

	// Guarded by the gate of local, held for writing.
	lost   bool // it was not at its path when last looked for
	folded bool // the write-ahead log is empty
}

// openPatiently is openFile, again while others stand in the way: another
// process may be migrating the same file. SQLite answers some of these meetings
// at once, without the usual patience: the switch to write-ahead logging, and a
// read lock that cannot become a write lock.
func openPatiently(ctx context.Context, path string, t tuning, migrates bool) (*file, error) {
	end := time.Now().Add(t.patience)
	for try := 1; ; try++ {
		f, err := openFile(ctx, path, t, migrates)
		again := locked(err) && time.Now().Before(end) ||
			refused(err) && try < 3 // they made a table just after we looked for it
		if !again {
			return f, err
		}
		pause := time.NewTimer(10 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, err
		}
	}
}

// openFile opens the file at path, which must exist, and migrates it, or makes
// sure that it need not be.
func openFile(ctx context.Context, path string, t tuning, migrates bool) (_ *file, err error) {
	f := &file{path: path}
	if f.info, err = os.Stat(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.writer, err = openSQLite(ctx, path, 1, t.patience, writerPragmas()...); err != nil {
		return nil, err
	}
	mode, err := journalMode(ctx, f.writer)
	if err != nil {
		return nil, err
	}
	if mode != "wal" {
		return nil, fmt.Errorf("the file system allows no write-ahead log: journal mode is %q", mode)
	}
	if _, _, err := migrateFile(ctx, f.writer, migrates); err != nil {
		return nil, err
	}
	if f.conn, err = f.writer.Conn(ctx); err != nil {
		return nil, err
	}
	if f.reader, err = openSQLite(ctx, path, t.readers, t.patience, readerPragmas()...); err != nil {
		return nil, err
	}
	f.writes = &statements{on: f.conn}
	f.reads = &statements{on: f.reader}
	if !f.inPlace() {
		return nil, errors.New("the file was replaced while it was opened")
	}
	return f, nil
}

// usable reports whether the file lies at its path and its connections are good.
func (f *file) usable() bool {
	return f != nil && !f.lost && !f.broken.Load() && f.inPlace()
}

// inPlace reports whether the file still lies at its path. It costs one stat,
// about a microsecond. SQLite itself would go on writing to a file that was
// moved or deleted, and everybody would be told that all is well.
func (f *file) inPlace() bool {
	info, err := os.Stat(f.path)
	return err == nil && os.SameFile(info, f.info)
}

// suspect gives up the connections when err says that they may be at fault.
func (f *file) suspect(err error) {
	if err == nil || locked(err) || refused(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	f.broken.Store(true)
}

// fold moves all that was committed into the file itself.
func (f *file) fold(ctx context.Context) error {
	if f.folded {
		return nil
	}
	err := fold(ctx, f.conn)
	f.folded = err == nil
	return err
}

func (f *file) close() error {
	var errs []error
	for _, s := range []*statements{f.reads, f.writes} {
		if s != nil {
			errs = append(errs, s.close())
		}
	}
	if f.reader != nil {
		errs = append(errs, f.reader.Close())
	}
	if f.conn != nil {
		errs = append(errs, f.conn.Close())
	}
	if f.writer != nil { // last, so that it empties the write-ahead log
		errs = append(errs, f.writer.Close())
	}
	return errors.Join(errs...)
}

// statements are prepared when first used and kept.
type statements struct {
	on interface {
		PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	}
	mu sync.RWMutex
	by map[string]*sql.Stmt
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	st := s.by[query]
	s.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.by[query]; st != nil {
		return st, nil
	}
	st, err := s.on.PrepareContext(ctx, sqliteWords.Replace(query)) //nolint:sqlclosecheck // close does
	if err != nil {
		return nil, err
	}
	if s.by == nil {
		s.by = map[string]*sql.Stmt{}
	}
	s.by[query] = st
	return st, nil
}

// exec returns how many rows were changed.
func (s *statements) exec(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := s.get(ctx, query) //nolint:sqlclosecheck // kept; close does
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// rows runs query and has into read its answer.
func (s *statements) rows(ctx context.Context, into func(rows) error, query string, args ...any) error {
	st, err := s.get(ctx, query) //nolint:sqlclosecheck // kept; close does
	if err != nil {
		return err
	}
	rs, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rs.Close() //nolint:errcheck // Err tells
	if err := into(rs); err != nil {
		return err
	}
	for rs.Next() { // to the end: a statement that changes rows does so as it is read
	}
	return rs.Err()
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.by))
	for _, st := range s.by {
		errs = append(errs, st.Close())
	}
	s.by = nil
	return errors.Join(errs...)
}
