package records

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// What SQLite says otherwise than PostgreSQL. Every other statement of this
// package is the same in both; both take $1, $2 … as placeholders.
const (
	// begin takes the write lock at once. A plain BEGIN would take it at the
	// first write, and SQLite does not wait for the lock there when another
	// writer came between (sqlite.org/lang_transaction.html, section 2.2).
	begin    = "BEGIN IMMEDIATE"
	commit   = "COMMIT"
	rollback = "ROLLBACK"
)

// sqliteWords puts SQLite's words into a statement. There is one writer, so
// there is nobody to skip; and the time is always given, by the clock in Config.
var sqliteWords = strings.NewReplacer(
	skipLocked, "", dbClock, "NULL", inQueue, " INDEXED BY uploads_due", inTrouble, " INDEXED BY uploads_in_trouble",
)

// openSQLite returns a pool of n connections to the file at path, which must
// exist: SQLite never makes it. All n are opened now and kept, so that none of
// them can reach another file that has taken its place later.
func openSQLite(ctx context.Context, path string, n int, busy time.Duration, pragmas ...string) (*sql.DB, error) {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/… on Windows; see sqlite.org/uri.html, section 3.1
	}
	// Transactions of the migration take the write lock at once, as begin does.
	q := url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds())}, pragmas...)}
	c, err := sqlite.NewConnector((&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	opened := make([]*sql.Conn, 0, n)
	for range n {
		var conn *sql.Conn
		if conn, err = db.Conn(ctx); err != nil {
			break
		}
		opened = append(opened, conn)
	}
	for _, conn := range opened {
		err = errors.Join(err, conn.Close()) // back to the pool
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// writerPragmas make a commit durable when COMMIT returns: in WAL mode, FULL
// syncs the log at each commit (sqlite.org/pragma.html#pragma_synchronous),
// and fullfsync reaches the disk on macOS, where fsync alone does not.
func writerPragmas() []string {
	return []string{"journal_mode(WAL)", "synchronous(FULL)", "fullfsync(1)", "foreign_keys(1)"}
}

func readerPragmas() []string { return []string{"foreign_keys(1)", "query_only(1)"} }

// fold moves what is in the write-ahead log into the database file and empties
// the log.
func fold(ctx context.Context, conn *sql.Conn) error {
	var busy, frames, moved int
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("fold write-ahead log: %w", err)
	}
	if busy != 0 {
		return errors.New("fold write-ahead log: somebody else is reading it")
	}
	return nil
}

// journalMode returns how the database keeps its commits; "wal" is expected.
func journalMode(ctx context.Context, db *sql.DB) (mode string, err error) {
	err = db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode)
	return mode, err
}

// Primary result codes, sqlite.org/rescode.html.
const (
	sqliteError      = 1
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteCorrupt    = 11
	sqliteTooBig     = 18
	sqliteConstraint = 19
	sqliteMismatch   = 20
	sqliteMisuse     = 21
	sqliteRange      = 25
	sqliteNotADB     = 26
)

// resultCode returns the primary result code of err, or 0.
func resultCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// refusedByFile is what SQLite says when a statement is at fault, see [refused].
func refusedByFile(err error) bool {
	switch resultCode(err) {
	case sqliteError, sqliteTooBig, sqliteConstraint, sqliteMismatch, sqliteMisuse, sqliteRange:
		return true
	}
	return false
}

// locked reports whether somebody else held the lock until our patience ended.
func locked(err error) bool {
	c := resultCode(err)
	return c == sqliteBusy || c == sqliteLocked
}

// damaged reports whether the file is no database, or a broken one.
func damaged(err error) bool {
	c := resultCode(err)
	return c == sqliteCorrupt || c == sqliteNotADB
}
