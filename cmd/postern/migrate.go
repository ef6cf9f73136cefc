package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"postern.example/postern"
	"postern.example/postern/internal/folder"
	"postern.example/postern/records"
)

func migrateCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:  "migrate",
		Usage: "bring the records up to the version that this program knows",
		Description: `"postern serve" does so when it starts. This is for who wants it done before, by
a user of the database that may change tables, and starts the copies with
--no-migrate. Any number of programs may do it at once. On PostgreSQL copies of
the last release go on working meanwhile and afterwards, so that an upgrade is:
migrate, then replace the copies one by one.`,
		Flags: flags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			return migrate(ctx, s, stdout)
		},
	}
}

func migrate(ctx context.Context, s *settings, stdout io.Writer) (err error) {
	conf := records.Config{Path: filepath.Join(s.data, folder.RecordsFile)}
	if conf.URL, err = s.databaseURL(); err != nil {
		return err
	}
	where := show(conf.Path)
	if conf.URL != "" {
		conf.Path, where = "", records.MaskURL(conf.URL)
	} else {
		lock, err := folder.Lock(s.data)
		if err != nil {
			return err
		}
		defer lock.Close() //nolint:errcheck // nothing is written to it
	}
	from, to, err := records.Migrate(ctx, conf)
	switch {
	case errors.Is(err, postern.ErrRecordsUnavailable):
		return failed("Is it running, and reached at that address from here?", "migrate %s: %w", where, err)
	case err != nil:
		return failed("", "migrate %s: %w", where, err)
	case from == to:
		_, err = fmt.Fprintf(stdout, "%s has version %d: nothing to do\n", where, to)
	default:
		_, err = fmt.Fprintf(stdout, "%s had version %d, now has %d\n", where, from, to)
	}
	return err
}
