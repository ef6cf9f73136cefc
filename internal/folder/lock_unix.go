//go:build unix

package folder

import (
	"os"
	"syscall"
)

// lockWhole locks f for this process until it is closed or the process ends,
// however it ends.
func lockWhole(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
