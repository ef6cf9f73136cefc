package decoder

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ruleset is struct landlock_ruleset_attr; kernels read as much of it as they
// know.
type ruleset struct{ files, network uint64 }

// forbidFiles takes away the file system and TCP by Landlock: all that the
// kernel knows is handled, and nothing is allowed
// (https://docs.kernel.org/userspace-api/landlock.html). Signals are left to
// seccomp: until Linux 6.15 Landlock's scope kept threads from each other's.
func forbidFiles() error {
	abi, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case e == unix.ENOSYS:
		return errors.New("the kernel is older than 5.13 or has no Landlock")
	case e == unix.EOPNOTSUPP:
		return errors.New("switched off in the kernel")
	case e != 0:
		return e
	}
	r := ruleset{files: 1<<13 - 1} // all rights to files of the first version
	size := unsafe.Sizeof(r.files)
	if abi >= 2 {
		r.files |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		r.files |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		r.network = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size = unsafe.Sizeof(r)
	}
	if abi >= 5 {
		r.files |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&r)), size, 0) //nolint:gosec // for the kernel
	if e != 0 {
		return e
	}
	defer unix.Close(int(fd)) //nolint:errcheck // nothing was written
	// One thread has no_new_privs by now; the others need it first.
	if err := onAllThreads(syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)); err != nil {
		return err
	}
	return onAllThreads(syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0))
}
