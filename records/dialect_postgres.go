package records

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What PostgreSQL says otherwise than SQLite.

// postgresWords puts PostgreSQL's words into a statement. The clock is read
// once per statement, as an index can be searched only for what stays the same.
var postgresWords = strings.NewReplacer(
	skipLocked, " FOR UPDATE SKIP LOCKED",
	inQueue, "", inTrouble, "",
	dbClock, "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)",
)

// texts are statements in PostgreSQL's words, made when first used.
type texts struct{ by sync.Map }

func (t *texts) get(query string) string {
	if s, ok := t.by.Load(query); ok {
		return s.(string)
	}
	s := postgresWords.Replace(query)
	t.by.Store(query, s)
	return s
}

// foreign begins a text that PostgreSQL would not take: not UTF-8, or with a
// zero byte. What follows is its bytes in hex. It is a code point that is
// reserved for use inside of a program (Unicode, section 23.7), so it begins
// no text of people; one that it does begin is written likewise.
const foreign = "\ufdd0"

func encodeText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && !strings.HasPrefix(s, foreign) {
		return s
	}
	return foreign + hex.EncodeToString([]byte(s))
}

func decodeText(s string) (string, error) {
	coded, ok := strings.CutPrefix(s, foreign)
	if !ok {
		return s, nil
	}
	b, err := hex.DecodeString(coded)
	return string(b), err
}

// encoded returns args as PostgreSQL takes them.
func encoded(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case string:
			out[i] = encodeText(a)
		case sql.NullString:
			out[i] = sql.NullString{String: encodeText(a.String), Valid: a.Valid}
		default:
			out[i] = a
		}
	}
	return out
}

// decoding is an answer whose texts come back as they were.
type decoding struct{ pgx.Rows }

func (d decoding) Scan(into ...any) error {
	err := d.Rows.Scan(into...)
	for _, p := range into {
		var fault error
		switch p := p.(type) {
		case *string:
			*p, fault = decodeText(*p)
		case *sql.NullString:
			p.String, fault = decodeText(p.String)
		}
		err = errors.Join(err, fault)
	}
	return err
}

// Conditions of PostgreSQL, by class and code; appendix A of its manual.
const (
	classException   = "22"
	classConstraint  = "23"
	classRollback    = "40"
	classAccessRule  = "42"
	classLimit       = "54"
	classPassword    = "28"
	classNoDatabase  = "3D"
	notSupported     = "0A000" // a cached plan's columns changed: it is made anew
	readOnly         = "25006"
	statementTimeout = "57014"
	adminShutdown    = "57P01"
	crashShutdown    = "57P02"
	cannotConnect    = "57P03" // it is starting, or stopping
	undefinedTable   = "42P01"
)

// condition returns the code that the server gave err, or nothing.
func condition(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// class is the first two characters of a code.
func class(code string) string {
	if len(code) != 5 {
		return ""
	}
	return code[:2]
}

// refusedByServer is what PostgreSQL says when a statement is at fault, see [refused].
func refusedByServer(err error) bool {
	switch class(condition(err)) {
	case classException, classConstraint, classAccessRule, classLimit:
		return true
	}
	return false
}

// misconfigured reports whether a server was reached that will not have us, now
// or later: no use to wait.
func misconfigured(err error) bool {
	switch class(condition(err)) {
	case classPassword, classNoDatabase, classAccessRule:
		return true
	}
	return false
}

// unsent reports whether nothing of what was asked can have happened, because
// it did not reach the server or was cut off before its commit: it may be asked
// again.
func unsent(err error) bool {
	switch condition(err) {
	case adminShutdown, crashShutdown, cannotConnect, notSupported:
		return true
	}
	return pgconn.SafeToRetry(err)
}
