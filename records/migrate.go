package records

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the schema of the records up to date, or makes it, and returns
// its version before and after. Any number of programs may do so at once. On a
// server, programs of the last release go on meanwhile and afterwards; see the
// package's documentation. c.NoMigrate is not looked at.
func Migrate(ctx context.Context, c Config) (from, to int64, err error) {
	switch {
	case (c.Path == "") == (c.URL == ""):
		return 0, 0, errors.New("migrate records: a path or a URL is needed")
	case c.URL != "":
		return migrateServer(ctx, &c, serverDefaults())
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return 0, 0, fmt.Errorf("migrate records %s: %w", c.Path, err)
	}
	if err := createFile(path); err != nil {
		return 0, 0, fmt.Errorf("migrate records: %w", err)
	}
	db, err := openSQLite(ctx, path, 1, defaults().patience, writerPragmas()...)
	if err != nil {
		return 0, 0, explained(path, err)
	}
	from, to, err = migrateFile(ctx, db, true)
	return from, to, explained(path, errors.Join(err, db.Close()))
}

// newProvider reads the migrations for one of the databases.
func newProvider(dialect goose.Dialect, folder string, db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// migrateFile brings a file's schema to the version this program knows. It
// refuses a schema that is newer: an older program would write rows the newer
// one does not expect.
func migrateFile(ctx context.Context, db *sql.DB, allowed bool) (from, to int64, err error) {
	p, err := newProvider(goose.DialectSQLite3, "sqlite", db)
	if err != nil {
		return 0, 0, err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read schema version: %w", err)
	}
	switch {
	case have > want:
		return have, have, tooNew(have, want)
	case have == want:
		return have, have, nil
	case !allowed:
		return have, have, tooOld(have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		// Another process may have done the same at the same time.
		if now, _, again := p.GetVersions(ctx); again == nil && now == want {
			return have, want, nil
		}
		return have, have, fmt.Errorf("migrate schema from version %d to %d: %w", have, want, err)
	}
	return have, want, nil
}

func tooNew(have, want int64) error {
	return fmt.Errorf("the records have schema version %d, this program knows versions up to %d: use the newer program that wrote them", have, want)
}

func tooOld(have, want int64) error {
	return fmt.Errorf("the records have schema version %d, this program needs %d: migrate them first", have, want)
}
