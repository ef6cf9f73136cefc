package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// lockFolder makes the data folder, for its owner only, and takes it for this
// process: two gates that share one would each sweep what the other is at.
// Closing the file gives it back.
func lockFolder(dir string) (*os.File, error) {
	if err := makeFolder(dir); err != nil {
		return nil, failed("Choose another folder with --data.", "open data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // in the folder that the caller names
	if err != nil {
		return nil, failed("Choose another folder with --data.", "open data folder: %w", err)
	}
	if err := lockWhole(f); err != nil {
		f.Close() //nolint:errcheck // nothing was written
		return nil, failed("Stop the other postern, or choose another folder with --data.", "open data folder: %s is in use by another postern", dir)
	}
	return f, nil
}

// makeFolder makes a folder and those around it. Each name is durable before
// anything is put behind it: a power cut must not take the whole.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) { //nolint:gosec // the folder that the caller names
		return err
	}
	around := filepath.Dir(dir)
	if around == dir {
		return fs.ErrNotExist
	}
	if err := makeFolder(around); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // the same
		return err
	}
	return syncDir(around)
}

// show is dir as a person finds it: below the current folder as it was given.
func show(parts ...string) string {
	p := filepath.Join(parts...)
	if filepath.IsLocal(p) {
		return fmt.Sprintf(".%c%s", filepath.Separator, p)
	}
	return p
}
