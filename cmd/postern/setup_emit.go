package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"postern.example/postern/internal/provision"
)

// emitFiles writes files that do the same by other tools. One file goes to
// standard output unless a folder is named.
func (r *setupRun) emitFiles() error {
	if err := r.want.Check(); err != nil {
		return r.explain(err)
	}
	files, err := provision.Emit(r.emit, &r.want)
	if err != nil {
		return r.explain(err)
	}
	if r.setupAsk.out == "" && len(files) == 1 {
		_, err := fmt.Fprint(r.out, files[0].Text)
		return err
	}
	folder := r.setupAsk.out
	if folder == "" {
		folder = "."
	}
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // nothing in it is secret
		return failed("Choose another folder with --out.", "make folder: %w", err)
	}
	if !r.force {
		for _, f := range files {
			path := filepath.Join(folder, f.Name)
			if here, err := exists(path); err != nil || here {
				return failed("Add --force to overwrite it, or choose another folder with --out.", "%s is there already", show(path))
			}
		}
	}
	for _, f := range files {
		path := filepath.Join(folder, f.Name)
		if err := writeWhole(path, []byte(f.Text), 0o644); err != nil {
			return failed("Choose another folder with --out.", "%w", err)
		}
		fmt.Fprintf(r.out, "%s\n", show(path))
	}
	return nil
}

// exists reports whether there is something at path.
func exists(path string) (bool, error) {
	switch _, err := os.Stat(path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, err
	}
}
