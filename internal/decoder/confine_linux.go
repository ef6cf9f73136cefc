package decoder

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confinement is what a child holds on to after it has confined itself.
type confinement struct {
	limits Limits
	cpu    time.Duration
	life   uint64 // seconds
}

// maxThreads is far more than Go's runtime starts for one processor.
const maxThreads = 64

// confine takes from this process all that opening pictures does not need. It
// cannot be undone. Errors are those of limits that every Linux has; what only
// some have is noted when it lacks.
func confine(l *allowance, stderr io.Writer) (*confinement, error) {
	c := &confinement{cpu: l.CPU, life: seconds(l.Life)}
	overtime := make(chan os.Signal, 1)
	signal.Notify(overtime, unix.SIGXCPU) // Go's runtime would overlook it
	go func() {
		<-overtime
		fmt.Fprintln(stderr, "processor time is over")
		os.Exit(exitCPU)
	}()

	if err := closeInherited(); err != nil {
		return nil, fmt.Errorf("close files: %w", err)
	}
	type rlimit struct {
		name string
		what int
		most uint64
	}
	// Not RLIMIT_AS: see the package's comment.
	list := []rlimit{
		{"no core dumps", unix.RLIMIT_CORE, 0},
		{"no bytes written to files", unix.RLIMIT_FSIZE, 0},
		{"no locked memory", unix.RLIMIT_MEMLOCK, 0},
		{"no message queues", unix.RLIMIT_MSGQUEUE, 0},
	}
	if memory := fmt.Sprintf("memory (RLIMIT_DATA) %d MB", l.Memory/1e6); raced {
		c.limits.tried(memory, errors.New("this program was built with the race detector"))
	} else {
		list = append(list, rlimit{memory, unix.RLIMIT_DATA, uint64(l.Memory)}) //nolint:gosec // above 0
	}
	if l.Apart {
		// Elsewhere it would count what the user runs besides.
		list = append(list, rlimit{fmt.Sprintf("%d threads", maxThreads), unix.RLIMIT_NPROC, maxThreads})
		c.limits.has("namespaces of its own: user, network, processes, IPC")
	}
	for _, r := range list {
		if err := setLimit(r.what, r.most, r.most); err != nil {
			return nil, fmt.Errorf("set limit: %s: %w", r.name, err)
		}
		c.limits.has(r.name)
	}
	c.next()
	c.limits.has(fmt.Sprintf("%v of processor time for one picture", l.CPU))

	// Privileges belong to threads: this one does the rest for all of them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("set no_new_privs: %w", err)
	}
	c.limits.tried("no capabilities", dropCapabilities())
	c.limits.tried("no file system (Landlock)", forbidFiles())
	if err := setLimit(unix.RLIMIT_NOFILE, 0, 0); err != nil {
		return nil, fmt.Errorf("set limit: no files: %w", err)
	}
	c.limits.has("no files, sockets or pipes can be opened (RLIMIT_NOFILE)")
	c.limits.tried("only the system calls of Go's runtime (seccomp)", forbidCalls())
	return c, nil
}

// closeInherited closes what the parent left open. Go's own files close as a
// child is started; these are of whoever started the parent, or of a library
// in it. What is ours by now, such as the runtime's poller, is marked to close.
func closeInherited() error {
	const listing = "/proc/self/fd"
	list, err := os.ReadDir(listing)
	if err != nil {
		return err
	}
	for _, f := range list {
		fd, err := strconv.Atoi(f.Name())
		if err != nil || fd <= 2 {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd) // it is gone, whatever that says
		}
	}
	return nil
}

// next gives the child time for one more picture.
func (c *confinement) next() {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return // the limit of the last picture stays
	}
	used := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	_ = setLimit(unix.RLIMIT_CPU, min(seconds(used+c.cpu), c.life), c.life) // else that of the last picture stays
}

func seconds(d time.Duration) uint64 { return uint64(max(math.Ceil(d.Seconds()), 1)) }

func setLimit(what int, soft, hard uint64) error {
	return unix.Prlimit(0, what, &unix.Rlimit{Cur: soft, Max: hard}, nil)
}

var errCgo = errors.New("this program was built with cgo; build it with CGO_ENABLED=0")

// onAllThreads reads the result of a system call made on each thread, those to
// come included. Where there may be threads that Go does not know, there is
// no such call.
func onAllThreads(_, _ uintptr, e syscall.Errno) error {
	switch e {
	case 0:
		return nil
	case unix.ENOTSUP:
		return errCgo
	}
	return e
}

// dropCapabilities leaves this process without any, for good.
func dropCapabilities() error {
	h, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	now := none
	if err := unix.Capget(&h, &now[0]); err == nil && now == none {
		return nil
	}
	return onAllThreads(syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&none)), 0)) //nolint:gosec // for the kernel
}
