package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// terminal FILE [arg...] runs "postern arg..." on a terminal of its own, and
// holds the conversation of FILE: "< text" waits until the program says that,
// "> text" types a line, "^C" interrupts. What was on the screen is printed.
func terminalScript(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: terminal FILE [arg...]")
	}
	path, err := lookIn(ts.Getenv("PATH"), "postern")
	ts.Check(err)
	ours, theirs := openTerminal(ts)
	defer ours.Close()
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"TERM=xterm", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "NO_COLOR", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(cmd.Start())
	ts.Check(theirs.Close())
	screen := &screen{}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := ours.Read(b) // EIO when the program has ended
			screen.add(b[:n])
			if err != nil {
				return
			}
		}
	}()
	exited := make(chan error, 1)
	go func() { <-read; exited <- cmd.Wait() }()
	seen := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case line == "^C":
			_, err := ours.WriteString("\x03")
			ts.Check(err)
		case strings.HasPrefix(line, "> ") || line == ">":
			_, err := ours.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, ">"), " ") + "\n")
			ts.Check(err)
		case strings.HasPrefix(line, "< "):
			for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
				text := screen.text()
				if i := strings.Index(text[seen:], line[2:]); i >= 0 {
					seen += i + len(line) - 2
					break
				}
				if time.Now().After(end) {
					cmd.Process.Kill() //nolint:errcheck // it may have ended
					ts.Fatalf("waited in vain for %q in\n%s", line[2:], text[seen:])
				}
			}
		default:
			ts.Fatalf("what is %q?", line)
		}
	}
	select {
	case err = <-exited:
	case <-time.After(patience):
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		ts.Fatalf("the program does not end\n%s", screen.text())
	}
	fmt.Fprintf(ts.Stdout(), "%s", screen.text())
	fmt.Fprintf(ts.Stdout(), "exit code %d\n", cmd.ProcessState.ExitCode())
	if (err != nil) != neg {
		ts.Fatalf("the program ended with %v\n%s", cmd.ProcessState, screen.text())
	}
}

// openTerminal makes a pseudo-terminal (pty(7)).
func openTerminal(ts *testscript.TestScript) (ours, theirs *os.File) {
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	ts.Check(err)
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	ts.Check(err)
	ts.Check(unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0))
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	ts.Check(err)
	return ours, theirs
}

// screen is what a program has written to its terminal.
type screen struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *screen) add(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Write(b)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.b.String(), "\r\n", "\n")
}
