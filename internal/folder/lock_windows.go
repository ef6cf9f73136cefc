package folder

import (
	"os"
	"syscall"
	"unsafe"
)

// lockWhole locks f for this process until it is closed or the process ends,
// however it ends.
func lockWhole(f *os.File) error {
	const exclusively, immediately = 2, 1
	lock := syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")
	ok, _, err := lock.Call(f.Fd(), exclusively|immediately, 0, 1, 0, uintptr(unsafe.Pointer(&syscall.Overlapped{})))
	if ok == 0 {
		return err
	}
	return nil
}
