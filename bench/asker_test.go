package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// serveEnv names the handler that this program serves as a child.
const serveEnv = "POSTERN_BENCH_SERVE"

// serveEndpoint serves a handler until its standard input ends, which happens
// when the parent ends, however it ends.
func serveEndpoint(name string) int {
	h, err := endpointHandler(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go http.Serve(l, h) //nolint:errcheck // the process ends with it
	fmt.Fprintln(os.Stdout, l.Addr())
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // only its end matters
	return 0
}

// endpointServer is a child that serves one handler, and connections to it.
type endpointServer struct {
	name   string
	pid    int
	askers []*asker
}

func startEndpoint(b *testing.B, name string, conns int) *endpointServer {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), exe)
	cmd.Env = append(os.Environ(), serveEnv+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		cmd.Wait() //nolint:errcheck // it ends by its input's end
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	s := &endpointServer{name: name, pid: cmd.Process.Pid}
	for range conns {
		c, err := net.Dial("tcp", strings.TrimSpace(address))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		s.askers = append(s.askers, &asker{c: c})
	}
	return s
}

// load asks n times over all connections. It returns the rate, a second, and
// the processor time that the server took for each answer, in µs.
func (s *endpointServer) load(n int) (rate, cpu float64, err error) {
	before, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, len(s.askers))
	begun := time.Now()
	for i, a := range s.askers {
		wg.Go(func() {
			for next.Add(1) <= int64(n) && errs[i] == nil {
				errs[i] = a.ask()
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	after, err := s.cpu()
	used := float64((after - before).Microseconds())
	return float64(n) / took.Seconds(), used / float64(n), errors.Join(append(errs, err)...)
}

// cpu is the processor time that the server has used so far.
func (s *endpointServer) cpu() (time.Duration, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		return 0, err
	}
	// Fields 14 and 15, counted behind the name in brackets, in ticks of 10 ms.
	_, rest, ok := strings.Cut(string(line), ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0, errors.New("read processor time: the line has another form")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// peakMiB is the most memory that the server ever held.
func (s *endpointServer) peakMiB() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, errors.New("there is no VmHWM")
}

// asker sends one prepared request over a connection of its own, again and
// again. It shares the processors with the server; net/http's client would
// take more of them than the server does, and hide what is measured.
type asker struct {
	c   net.Conn
	buf [8 << 10]byte
}

var prepared = []byte("POST /uploads HTTP/1.1\r\nHost: photos.example\r\n" +
	"Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(endpointAsk)) + "\r\n\r\n" + endpointAsk)

// ask sends the request and reads the answer, which must be 201.
func (a *asker) ask() error {
	if _, err := a.c.Write(prepared); err != nil {
		return err
	}
	want := -1 // bytes of the whole answer, once its head is there
	for n := 0; n != want; {
		if n == len(a.buf) {
			return fmt.Errorf("answer is too long: %.60q", a.buf)
		}
		m, err := a.c.Read(a.buf[n:])
		if err != nil {
			return err
		}
		n += m
		if want >= 0 {
			continue
		}
		if head := bytes.Index(a.buf[:n], []byte("\r\n\r\n")); head >= 0 {
			if want, err = answerLength(a.buf[:head]); err != nil {
				return err
			}
			want += head + 4
		}
	}
	return nil
}

func answerLength(head []byte) (int, error) {
	const created, length = "HTTP/1.1 201 ", "\r\nContent-Length: "
	at := bytes.Index(head, []byte(length))
	if !bytes.HasPrefix(head, []byte(created)) || at < 0 {
		return 0, fmt.Errorf("answer is %q", head)
	}
	value, _, _ := bytes.Cut(head[at+len(length):], []byte("\r\n"))
	return strconv.Atoi(string(value))
}
