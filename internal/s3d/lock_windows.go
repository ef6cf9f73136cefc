package s3d

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile takes f for this opening alone, until f is closed or the process
// ends, however it ends.
func lockFile(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrInUse
	}
	return err
}

// syncFolder does nothing: NTFS keeps names in its journal, and Windows offers no
// way to flush a folder.
func syncFolder(string) error { return nil }
