//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package s3d

import (
	"errors"
	"os"
)

// lockFile has no lock to take here: that one folder is opened once is up to
// whoever starts the program.
func lockFile(*os.File) error { return nil }

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
