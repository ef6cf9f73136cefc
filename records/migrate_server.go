package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

func migrateServer(ctx context.Context, c *Config, t tuning) (from, to int64, err error) {
	conf, err := parseURL(c, t)
	if err != nil {
		return 0, 0, err
	}
	whole := *c
	whole.NoMigrate = false
	return migratePatiently(ctx, conf.ConnConfig, &whole, t)
}

// migratePatiently migrates as soon as the server is there: programs and
// databases are often started together.
func migratePatiently(ctx context.Context, conf *pgx.ConnConfig, c *Config, t tuning) (from, to int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.opening+migrating)
	defer cancel()
	for end := time.Now().Add(t.opening); ; {
		from, to, err = migrateOnce(ctx, conf, !c.NoMigrate, t)
		var own *schemaError
		switch {
		case err == nil:
			return from, to, nil
		case errors.As(err, &own):
			return from, to, fmt.Errorf("open records: %v", own.error)
		case misconfigured(err) || refused(err) || !time.Now().Before(end):
			return from, to, unreachable(err)
		}
		if !pause(ctx, 100*time.Millisecond) {
			return from, to, unreachable(err)
		}
	}
}

// schemaError is a fault that waiting does not mend.
type schemaError struct{ error }

const (
	// migrating is how long a migration, or that of another copy, may take.
	migrating = 10 * time.Minute
	// A migration gives up a table that it does not get in time: whoever comes
	// after it in the queue for the lock would wait as long.
	migrationLock = "3s"
)

// migrateOnce brings the schema to the version this program knows, if allowed.
// A newer schema is fine as long as it says so: a copy of the last release may
// start while, or after, the first of the next release has migrated.
func migrateOnce(ctx context.Context, conf *pgx.ConnConfig, allowed bool, t tuning) (from, to int64, err error) {
	conf = conf.Copy()
	conf.RuntimeParams["statement_timeout"] = "0"
	conf.RuntimeParams["lock_timeout"] = migrationLock
	db := stdlib.OpenDB(*conf, stdlib.OptionAfterConnect(prepareSession))
	defer func() { err = errors.Join(err, db.Close()) }()

	p, err := newProvider(goose.DialectPostgres, "postgres", db)
	if err != nil {
		return 0, 0, &schemaError{err}
	}
	sources := p.ListSources()
	want := sources[len(sources)-1].Version
	have, err := schemaVersion(ctx, db, t)
	if err != nil {
		return 0, 0, err
	}
	switch {
	case have > want:
		return have, have, compatible(ctx, db, have, want)
	case have == want:
		return have, have, nil
	case !allowed:
		return have, have, &schemaError{tooOld(have, want)}
	}
	unlock, err := lockMigration(ctx, db, schema(conf))
	if err != nil {
		return have, have, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if have, err = schemaVersion(ctx, db, t); err != nil || have >= want { // another copy was first
		return have, have, err
	}
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+schema(conf)); err != nil { // a plain name
		return have, have, fmt.Errorf("create schema: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return have, have, fmt.Errorf("migrate schema from version %d to %d: %w", have, want, err)
	}
	return have, want, nil
}

// schemaVersion returns 0 when there are no records yet.
func schemaVersion(ctx context.Context, db *sql.DB, t tuning) (version int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&version)
	if condition(err) == undefinedTable {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("read schema version: %w", err)
	}
	return version, nil
}

// compatible returns an error unless a program that knows versions up to want
// may use a schema of the newer version have.
func compatible(ctx context.Context, db *sql.DB, have, want int64) error {
	var floor int64
	if err := db.QueryRowContext(ctx, `SELECT max(version) FROM schema_floor`).Scan(&floor); err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if floor > want {
		return &schemaError{tooNew(have, want)}
	}
	return nil
}

// lockMigration waits until no other copy migrates. It asks again and again: a
// statement that waits for the lock would hold a snapshot, for which CREATE
// INDEX CONCURRENTLY in another copy's migration would wait, and that in turn
// holds the lock.
func lockMigration(ctx context.Context, db *sql.DB, schema string) (unlock func() error, err error) {
	h := fnv.New64a()
	h.Write([]byte("postern: migration of the schema " + schema))
	key := int64(h.Sum64()) //nolint:gosec // any number will do
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for {
		var ours bool
		if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&ours); err != nil {
			return nil, errors.Join(fmt.Errorf("lock schema: %w", err), conn.Close())
		}
		if ours {
			break
		}
		if !pause(ctx, 50*time.Millisecond) {
			return nil, errors.Join(fmt.Errorf("lock schema: %w", ctx.Err()), conn.Close())
		}
	}
	return func() error {
		// The pool closes with the migration, and the lock ends with its session.
		_, err := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, key)
		return errors.Join(err, conn.Close())
	}, nil
}

// pause waits, and reports whether ctx lives on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
