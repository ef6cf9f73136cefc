package records

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to the version this program knows. It refuses a
// schema that is newer: an older program would write rows the newer one does
// not expect.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(gooseDialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	switch {
	case have > want:
		return fmt.Errorf("the records have schema version %d, this program knows versions up to %d: use the newer program that wrote them", have, want)
	case have == want:
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		// Another process may have done the same at the same time.
		if have, want, again := p.GetVersions(ctx); again == nil && have == want {
			return nil
		}
		return fmt.Errorf("migrate schema from version %d to %d: %w", have, want, err)
	}
	return nil
}
