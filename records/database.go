package records

import "context"

// database is where statements run: a [local] file or a [server]. Statements
// are the same in both but for the marks at the end of this file.
type database interface {
	// commit runs the changes of ops together and sets each one's answer. When
	// it returns, what was answered without an error is durable.
	commit(ctx context.Context, ops []*op)
	// read runs a query and has into read its answer.
	read(ctx context.Context, into func(rows) error, query string, args ...any) error
	close() error
}

// rows is the answer of a statement.
type rows interface {
	Next() bool
	Scan(into ...any) error
	Err() error
}

// one returns what reads the only row of an answer.
func one(into ...any) func(rows) error {
	return func(rs rows) error {
		if rs.Next() {
			return rs.Scan(into...)
		}
		return rs.Err()
	}
}

// change is one write. It shares a transaction with others, of which none may
// touch the others: one that changes no row gets its answer, one that the
// database refuses fails alone.
type change struct {
	before []statement // run first, in the same transaction; what they change is not counted
	query  string
	after  []statement // run last, likewise; each must find out by itself whether query had an effect
	args   []any
	row    string           // the id of the one row it may change; empty: any
	into   func(rows) error // reads what is returned; may be run again, so it sets its results anew
	none   error            // the answer when no row was changed
	news   news             // for the other copies, when a row was changed
}

// statement is a part of a change that nobody waits for an answer of.
type statement struct {
	query string
	args  []any
}

// news is what a change means to other copies.
type news byte

const (
	quiet news = iota // nothing that anybody waits for
	moved             // the upload has another state
	due               // likewise, and its job is due
)

// Words that each database has its own for.
const (
	// skipLocked ends a query for rows that another copy may be at: it passes
	// over those that are locked, and locks the others.
	skipLocked = "{skip locked}"
	// inQueue and inTrouble name an index to SQLite, which else prefers the ids.
	inQueue   = "{in queue}"
	inTrouble = "{in trouble}"
	// dbClock is the database's time, in milliseconds since 1970.
	dbClock = "{clock}"
)

// refused reports whether the database was reached and would not have this
// statement or its values: a fault of the one change, not of the database.
func refused(err error) bool { return refusedByFile(err) || refusedByServer(err) }
