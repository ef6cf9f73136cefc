package records

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"postern.example/postern"
)

// Config says where the records lie: Path or URL must be given.
type Config struct {
	// Path of a SQLite file. It and its folder are made when missing, for the
	// owner only. Beside it lie Path-wal and Path-shm while it is open.
	Path string
	// URL of a PostgreSQL database, "postgres://user:password@host:5432/name".
	// It may have the parameters of libpq (sslmode, sslrootcert, passfile,
	// target_session_attrs, several hosts …), and search_path, the schema that
	// holds the tables; default "postern". It is a secret: no error and no log
	// line repeats it.
	URL string
	// Counted are the presets that have a quota. Of the others nothing is counted
	// when an upload arrives.
	Counted []string
	// NoMigrate refuses an older schema and does not bring it up to date:
	// [Migrate] did it, or will.
	NoMigrate bool
	// Now is the time. Default: time.Now with Path. With URL leases end and jobs
	// are due by the clock of the database, so that copies on many machines
	// agree; Now is for tests then.
	Now    func() time.Time
	Random io.Reader    // names leases; safe for concurrent use; default crypto/rand
	Logger *slog.Logger // default: nothing is logged
}

// tuning is what tests and benchmarks vary.
type tuning struct {
	batch    int           // most writes in one commit
	writers  int           // how many commits may be under way at once
	readers  int           // connections that read
	patience time.Duration // how long a lock of somebody else, or an answer, is waited for
	opening  time.Duration // how long a server that is not there yet is waited for
}

func defaults() tuning {
	return tuning{batch: 256, writers: 1, readers: 4, patience: 2500 * time.Millisecond}
}

// Records are uploads and their jobs in a SQLite file or on a PostgreSQL
// server. Make them with [Open]. All methods are safe for concurrent use.
type Records struct {
	db      database
	now     func() time.Time
	counted map[string]bool // presets
	shared  bool            // the time is the database's
	random  io.Reader
	log     *slog.Logger
	tune    tuning

	queue   queue
	stopped sync.WaitGroup // the writers
}

var _ postern.Records = (*Records)(nil)

var errClosed = errors.New("the records are closed")

// Open opens the records, makes them when there are none, and brings their
// schema up to date. It matches ErrRecordsUnavailable when somebody else keeps
// the file locked, or the server does not answer within ten seconds; any other
// error says what is wrong: the file is damaged, not a database, was written
// by a newer version of the program, or its folder cannot be written; the
// server refuses the user or has no such database. Close the records after use.
func Open(ctx context.Context, c Config) (*Records, error) {
	if c.URL != "" {
		return open(ctx, c, serverDefaults())
	}
	return open(ctx, c, defaults())
}

func open(ctx context.Context, c Config, t tuning) (_ *Records, err error) {
	if (c.Path == "") == (c.URL == "") {
		return nil, errors.New("open records: a path or a URL is needed")
	}
	r := &Records{
		now: c.Now, random: c.Random, log: c.Logger, tune: t, shared: c.URL != "" && c.Now == nil,
		queue: queue{wake: make(chan struct{}, 1)}, counted: map[string]bool{},
	}
	for _, name := range c.Counted {
		r.counted[name] = true
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
	c.Logger = r.log
	if c.URL != "" {
		r.db, err = openServer(ctx, &c, t)
	} else {
		r.db, err = openLocal(ctx, &c, t)
	}
	if err != nil {
		return nil, err
	}
	for range t.writers {
		r.stopped.Go(func() { r.writer(context.WithoutCancel(ctx)) })
	}
	return r, nil
}

// Close commits what is waiting, then closes the database. Later calls of other
// methods answer ErrRecordsUnavailable; a second Close does nothing.
func (r *Records) Close() error {
	r.queue.close()
	r.stopped.Wait()
	if err := r.db.close(); err != nil {
		return fmt.Errorf("close records: %v", err)
	}
	return nil
}

// clock is the time as an argument of a statement; see the function now.
func (r *Records) clock() sql.NullInt64 {
	return sql.NullInt64{Int64: r.now().UnixMilli(), Valid: !r.shared}
}

// Ping reports whether the records can be read and written now, by taking and
// giving back the write lock. It writes nothing.
func (r *Records) Ping(ctx context.Context) error {
	var n int
	_, err := r.write(ctx, change{query: `SELECT count(*) FROM (SELECT id FROM uploads LIMIT 1) AS newest`, into: one(&n)})
	return err
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
