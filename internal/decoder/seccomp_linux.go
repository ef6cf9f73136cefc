//go:build amd64 || arm64

package decoder

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls is what Go's runtime, and the C library beside it in a program built
// with cgo, need to compute, to allocate, to start threads and to read and
// write what is open.
var calls = []uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_FCNTL,
	unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_CTL,
	unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK,
	unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_RESTART_SYSCALL,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_GETTID, unix.SYS_GETPID, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_GETRANDOM,
	unix.SYS_GETRUSAGE, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}

// Offsets in struct seccomp_data; both processors are little-endian.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// prSetVMA names memory; Go's runtime does so (prctl(2)).
const prSetVMA = 0x53564d41

// filter is the list as the kernel wants it. What is not on it is refused and
// not killed: the runtime can do without most of what it asks for, and a
// decoder that asks for more than it needs gets an error as it does anywhere.
func filter() []unix.SockFilter {
	var (
		ld = func(at uint32) unix.SockFilter {
			return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
		}
		ret  = func(v uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: v} }
		when = func(v uint32, skip uint8) unix.SockFilter { // else skip
			return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: v, Jf: skip}
		}
		whenBits = func(v uint32, skip uint8) unix.SockFilter {
			return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: v, Jf: skip}
		}
		allow, refuse = ret(unix.SECCOMP_RET_ALLOW), ret(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM))
		arg           = func(n uint32) unix.SockFilter { return ld(offsetArgs + 8*n) }
		arch          = uint32(unix.AUDIT_ARCH_X86_64)
	)
	if runtime.GOARCH == "arm64" {
		arch = unix.AUDIT_ARCH_AARCH64
	}
	// Another processor's calls have other numbers.
	f := []unix.SockFilter{
		ld(offsetArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: arch, Jt: 1},
		ret(unix.SECCOMP_RET_KILL_PROCESS),
		ld(offsetNumber),
	}
	for _, n := range calls {
		f = append(f, when(n, 1), allow)
	}
	for _, n := range []uint32{unix.SYS_MMAP, unix.SYS_MPROTECT} { // nothing that could be run
		f = append(f, when(n, 4), arg(2), whenBits(unix.PROT_EXEC, 1), refuse, allow)
	}
	self := uint32(unix.Getpid()) //nolint:gosec // a process id
	return append(f,
		when(unix.SYS_CLONE, 4), arg(0), whenBits(unix.CLONE_THREAD, 1), allow, refuse, // threads, no processes
		when(unix.SYS_CLONE3, 1), ret(unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)), // its flags lie in memory; C libraries fall back
		when(unix.SYS_TGKILL, 4), arg(0), when(self, 1), allow, refuse,
		when(unix.SYS_PRLIMIT64, 4), arg(0), when(0, 1), allow, refuse,
		when(unix.SYS_PRCTL, 4), arg(0), when(prSetVMA, 1), allow, refuse,
		refuse,
	)
}

// forbidCalls leaves all threads of this process the calls of the filter.
func forbidCalls() error {
	f := filter()
	p := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}                                                                                   //nolint:gosec // some hundred
	thread, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&p))) //nolint:gosec // for the kernel
	switch {
	case e != 0:
		return e
	case thread != 0:
		return fmt.Errorf("thread %d does not take it", thread)
	}
	return nil
}
