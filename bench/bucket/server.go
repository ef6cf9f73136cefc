package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	accessKey = "BENCHBENCHBENCHBENCH"
	secretKey = "bench-secret-bench-secret-bench-secret-0"
	bucket    = "bench"
)

// server is one S3 server, started for this run and stopped by its process id.
type server struct {
	name string
	url  string
	cmd  *exec.Cmd
	log  bytes.Buffer

	getter *getter // once there is something to get
}

// start runs a server on an empty folder and waits until it answers.
func start(ctx context.Context, name, bin, dir string) (*server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	address := "127.0.0.1:" + port
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var args []string
	env := os.Environ()
	switch name {
	case "postern":
		args = []string{"bucket", "--listen", address, "--data", dir, "--log-level", "error"}
		env = append(env, "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey)
	case "versitygw":
		args = []string{"-a", accessKey, "-s", secretKey, "-p", address, "--keep-alive", "--quiet", "posix", dir}
	case "minio":
		args = []string{"server", "--quiet", "--address", address, dir}
		env = append(env, "MINIO_ROOT_USER="+accessKey, "MINIO_ROOT_PASSWORD="+secretKey, "MINIO_UPDATE=off", "MINIO_BROWSER=off")
	default:
		return nil, fmt.Errorf("there is no server %q", name)
	}
	s := &server{name: name, url: "http://" + address, cmd: exec.CommandContext(ctx, bin, args...)} //nolint:gosec // the servers under test
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = env, &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.createBucket(ctx); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, s.log.String())
	}
	return s, nil
}

func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// createBucket asks until the server is up.
func (s *server) createBucket(ctx context.Context) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := s.do(ctx, http.MethodPut, "/"+bucket, nil)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may be gone
	s.cmd.Wait()                          //nolint:errcheck // it ends by the signal
}

// cpu is the processor time that the server has used so far.
func (s *server) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// Fields 14 and 15, counted behind the name in brackets, in ticks of 10 ms.
	_, rest, ok := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0, errors.New("read processor time: the line has another form")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// peak is the most memory that the server ever held, in MB.
func (s *server) peak() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1000, nil
		}
	}
	return 0, errors.New("there is no VmHWM")
}

// drop reads a body to its end.
func drop(r *http.Response) error {
	b, err := io.ReadAll(r.Body)
	err = errors.Join(err, r.Body.Close())
	if err == nil && r.StatusCode >= 300 {
		return fmt.Errorf("%s: %.300s", r.Status, b)
	}
	return err
}
