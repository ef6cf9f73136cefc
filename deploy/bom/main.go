// Command bom says what the program is made of. It is run on a checkout:
//
//	go run -C deploy/bom . -licences          writes docs/licences.md
//	go run -C deploy/bom . -check             fails when that is not what it would write
//	go run -C deploy/bom . -sbom FILE BINARY  writes CycloneDX JSON of what is in a built program
//
// Each licence of each linked package has to be one of those that are allowed,
// word by word, or to have been read by a person (licences.go).
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "bom: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("bom", flag.ContinueOnError)
	write := flags.Bool("licences", false, "write docs/licences.md")
	check := flags.Bool("check", false, "fail when docs/licences.md is stale")
	sbom := flags.String("sbom", "", "write CycloneDX JSON of the program named to this `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *sbom != "" {
		if flags.NArg() != 1 {
			return errors.New("-sbom takes one program")
		}
		return writeSBOM(ctx, *sbom, flags.Arg(0))
	}
	if !*write && !*check || flags.NArg() > 0 {
		return errors.New("say -licences, -check or -sbom FILE BINARY")
	}
	root, err := repository(ctx)
	if err != nil {
		return err
	}
	modules, err := linked(ctx, root)
	if err != nil {
		return err
	}
	want, err := report(modules)
	if err != nil {
		return err
	}
	path := filepath.Join(root, "docs", "licences.md")
	if *write {
		return os.WriteFile(path, want, 0o644) //nolint:gosec // it is for everybody
	}
	have, err := os.ReadFile(path) //nolint:gosec // in the checkout
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return errors.New("docs/licences.md is stale: run make licences, and read what has changed")
	}
	_, err = fmt.Fprintf(stdout, "docs/licences.md is fresh: %d modules\n", len(modules))
	return err
}
