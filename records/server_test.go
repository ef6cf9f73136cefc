package records

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// serverVariable names a PostgreSQL server in which tests may make databases;
// .ci/postgres starts one.
const serverVariable = "POSTERN_POSTGRES"

var (
	testDatabase = fmt.Sprintf("postern_test_%d", os.Getpid())
	databaseMade bool // by TestMain
	schemas      atomic.Int64
)

// withDatabase runs do with a database of its own. Its language is Czech, in
// which "ch" comes after "h": ids must not be sorted so.
func withDatabase(do func() int) int {
	if os.Getenv(serverVariable) == "" {
		return do()
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv(serverVariable))
	if err != nil {
		panic("connect to the server that " + serverVariable + " names")
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+testDatabase+` TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'cs-CZ' LOCALE 'C'`); err != nil {
		panic(err)
	}
	databaseMade = true
	code := do()
	if _, err := conn.Exec(ctx, `DROP DATABASE `+testDatabase+` WITH (FORCE)`); err != nil {
		panic(err)
	}
	return code
}

// newServerPlace is a schema of the test's own.
func newServerPlace(t testing.TB) *place {
	t.Helper()
	if !databaseMade {
		t.Skip("PostgreSQL IS NOT TESTED: " + serverVariable + " names no server; run: bash .ci/postgres go test ./records")
	}
	u, err := url.Parse(os.Getenv(serverVariable))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + testDatabase
	q := u.Query()
	q.Set("search_path", fmt.Sprintf("test_%d", schemas.Add(1)))
	u.RawQuery = q.Encode()
	return &place{conf: Config{URL: u.String()}}
}
