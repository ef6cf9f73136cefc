package decoder

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"postern.example/postern"
)

func init() {
	for name, deed := range map[string]func() error{
		"socket": func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); return err },
		"unix":   func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0); return err },
		"pipe":   func() error { return unix.Pipe2(make([]int, 2), 0) },
		"memfd":  func() error { _, err := unix.MemfdCreate("x", 0); return err },
		"clone": func() error {
			_, _, e := unix.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0)
			return number(e)
		},
		"ptrace": func() error { return unix.PtraceAttach(1) },
		"kill":   func() error { return unix.Kill(-1, unix.SIGTERM) },
		"parent": func() error { return unix.Tgkill(os.Getppid(), os.Getppid(), 0) },
		"mount":  func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") },
		"uid":    func() error { return unix.Setuid(0) },
		"users":  func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"code": func() error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_EXEC|unix.PROT_READ, unix.MAP_ANON|unix.MAP_PRIVATE)
			return err
		},
		"rlimit": func() error { return unix.Prlimit(0, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 100}, nil) },
		"others": func() error { return unix.Prlimit(os.Getppid(), unix.RLIMIT_NOFILE, nil, &unix.Rlimit{}) },
		"bpf":    func() error { _, _, e := unix.RawSyscall(unix.SYS_BPF, 0, 0, 0); return number(e) },
		"uring":  func() error { _, _, e := unix.RawSyscall(unix.SYS_IO_URING_SETUP, 1, 0, 0); return number(e) },
	} {
		deeds[name] = deed
	}
}

// Without the other walls Landlock holds as well. A program that was built
// with cgo has none, so the tests of the walls are run again in one without.
func TestLandlock(t *testing.T) {
	if os.Getenv("POSTERN_TEST_LANDLOCK") != "" {
		if err := forbidFiles(); err != nil {
			t.Skip("NO LANDLOCK HERE: ", err)
		}
		for _, deed := range []string{"write", "read", "list"} {
			if err := deeds[deed](); !errors.Is(err, unix.EACCES) {
				t.Errorf("%s: %v", deed, err)
			}
		}
		return
	}
	if testing.Short() {
		t.Skip("builds itself again")
	}
	bin := filepath.Join(t.TempDir(), "decoder.test")
	build := exec.Command("go", "test", "-c", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for tests, env := range map[string]string{"TestWalls|TestThreat12_DecoderCanDoNothing|TestSameAsInProcess": "", "TestLandlock": "yes"} {
		cmd := exec.Command(bin, "-test.v", "-test.short", "-test.run", tests)
		cmd.Env = append(os.Environ(), "POSTERN_TEST_LANDLOCK="+env)
		out, err := cmd.CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("built with cgo")) {
			t.Errorf("%v\n%s", err, out)
		}
		t.Logf("%s", bytes.Join(regexp.MustCompile(`(?m)^.*(lacks|LANDLOCK).*$`).FindAll(out, -1), nil))
	}
}

func number(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// Threat 12: what a taken-over decoder tries, it is refused.
func TestThreat12_DecoderCanDoNothing(t *testing.T) {
	d, _ := begin(t, Config{Children: 1})
	for _, deed := range []string{
		"write", "read", "list", "self", "fork", "exec", "environment",
		"socket", "unix", "pipe", "memfd", "clone", "ptrace", "kill", "parent", "mount", "uid", "users", "code", "rlimit", "others", "bpf", "uring",
	} {
		_, err := d.Render(t.Context(), []byte("!"+deed), preset())
		if !errors.Is(err, postern.ErrUnsupported) {
			t.Errorf("%s: %v", deed, err)
		}
	}
	if _, err := os.Stat("/tmp/postern-decoder-was-here"); err == nil {
		t.Error("it wrote a file")
	}
	works(t, d)
	if s := d.Stats(); s.Deaths != 0 || s.Started != 1 {
		t.Errorf("a refused call ended the child: %+v", s)
	}
}

// Each wall stands by itself: what the kernel says of a child.
func TestWalls(t *testing.T) {
	d, said := begin(t, Config{Children: 1, Memory: 300e6})
	works(t, d)
	p := <-d.ready
	d.ready <- p
	read := func(name string) string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(b)), " ")
	}
	limits := read("limits")
	for _, want := range []string{
		"Max file size 0 0", "Max open files 0 0", "Max core file size 0 0", "Max locked memory 0 0", "Max msgqueue size 0 0",
	} {
		if !strings.Contains(limits, want) {
			t.Errorf("limits are %s, want %s", limits, want)
		}
	}
	if want := "Max data size 300000000 300000000"; !raced && !strings.Contains(limits, want) {
		t.Errorf("limits are %s, want %s", limits, want)
	}
	if !strings.Contains(limits, "Max cpu time 2") {
		t.Errorf("no limit of processor time: %s", limits)
	}
	lacks := strings.Join(d.Limits().Lacks, "\n")
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks { // privileges belong to threads
		status := read("task/" + task.Name() + "/status")
		for what, want := range map[string]string{"no_new_privs": "NoNewPrivs: 1", "seccomp": "Seccomp: 2 ", "capabilities": "CapEff: 0000000000000000"} {
			if !strings.Contains(status, want) && !strings.Contains(lacks, what) {
				t.Errorf("thread %s: %s lacks: %s", task.Name(), what, status)
			}
		}
	}
	if !strings.Contains(lacks, "namespaces") {
		for _, ns := range []string{"user", "net", "pid", "ipc"} {
			theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", p.cmd.Process.Pid, ns))
			ours, err2 := os.Readlink("/proc/self/ns/" + ns)
			if err != nil || err2 != nil || theirs == ours {
				t.Errorf("%s: %s as ours, %v %v", ns, theirs, err, err2)
			}
		}
	}
	if env := read("environ"); env != "" {
		t.Errorf("environment %q", env)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.cmd.Process.Pid)); cwd != "/" {
		t.Errorf("stands in %s, %v", cwd, err)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.cmd.Process.Pid, f.Name()))
		// Go's runtime has those that say how many processors it may use.
		if err == nil && !strings.HasPrefix(to, "pipe:") && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/sys/fs/cgroup/") {
			t.Errorf("file %s is open: %s", f.Name(), to)
		}
	}
	t.Logf("has %q", d.Limits().Has)
	t.Logf("lacks %q", d.Limits().Lacks)
	if !strings.Contains(said.String(), "pictures are opened in child processes") {
		t.Errorf("the log says %s", said)
	}
}
