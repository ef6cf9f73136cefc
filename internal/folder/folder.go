// Package folder is the data folder: taken for one process, and the keys in it.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Lock makes the data folder, for its owner only, and takes it for this
// process: two gates that share one would each sweep what the other is at.
// Closing the file gives it back.
func Lock(dir string) (*os.File, error) {
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
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	around := filepath.Dir(dir)
	if around == dir {
		return fs.ErrNotExist
	}
	if err := makeFolder(around); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(around)
}

// Fault is an error with what a person may do about it.
type Fault struct {
	Err  error
	Hint string // one sentence
}

func (f *Fault) Error() string { return f.Err.Error() }

// Unwrap returns the error itself.
func (f *Fault) Unwrap() error { return f.Err }

func failed(hint, format string, args ...any) error {
	return &Fault{fmt.Errorf(format, args...), hint}
}
