package decoder

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// executable is this very program, whatever lies at its path by now.
func executable() (string, error) {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return self, nil
	}
	return os.Executable()
}

// apart is the namespaces of a child. No ids are mapped into its users, so it
// is nobody there.
const apart = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS

// separate says how the child is started. It has no terminal, and ends when
// the thread that started it does.
func separate(cmd *exec.Cmd, namespaces bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if namespaces {
		cmd.SysProcAttr.Cloneflags = apart
	}
}

// keepThread ties a goroutine that starts children to its thread.
func keepThread() (free func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}

const canSeparate = true

// widen makes room for a picture in a pipe, as far as the system allows.
func widen(f *os.File) {
	_, _ = unix.FcntlInt(f.Fd(), unix.F_SETPIPE_SZ, 1<<20) // else it stays at 64 KB
}
