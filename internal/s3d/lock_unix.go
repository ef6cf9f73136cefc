//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package s3d

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes f for this opening alone, until f is closed or the process
// ends, however it ends.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path) //nolint:gosec // our own folder
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
