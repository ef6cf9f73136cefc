package asker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a server may take until it says where it listens.
const patience = 30 * time.Second

// Process is a server that runs as a process of its own.
type Process struct {
	Name    string
	Address string // host:port

	cmd *exec.Cmd
}

// Start runs a server and reads its output up to a line that ends with an
// address, with or without "http://" in front. The server's input is kept open
// as long as this process lives.
func (c Cores) Start(ctx context.Context, name string, env []string, command ...string) (*Process, error) {
	command = append(c.forServers(), command...)
	p := &Process{Name: name, cmd: exec.CommandContext(ctx, command[0], command[1:]...)} //nolint:gosec // the servers to be measured
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = os.Stderr
	if _, err := p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	silent := time.AfterFunc(patience, func() { p.cmd.Process.Kill() }) //nolint:errcheck // it may be gone
	defer silent.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		address := strings.TrimPrefix(words[len(words)-1], "http://")
		if strings.HasPrefix(address, "127.0.0.1:") {
			p.Address = address
			go io.Copy(io.Discard, out) //nolint:errcheck // a server that is not read from would stand still
			return p, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("start %s: it says no address", name), lines.Err(), p.Stop())
}

// Stop ends the server.
func (p *Process) Stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)                             //nolint:errcheck // it may be gone
	slow := time.AfterFunc(patience, func() { p.cmd.Process.Kill() }) //nolint:errcheck // it may be gone
	defer slow.Stop()
	err := p.cmd.Wait()
	var ended *exec.ExitError
	if errors.As(err, &ended) { // by our signal, whatever it makes of it
		return nil
	}
	return err
}

func (p *Process) pid() int { return p.cmd.Process.Pid }

// cpuOf is the processor time that a process has used so far; 0 is this one.
func cpuOf(pid int) (time.Duration, error) {
	name := "self"
	if pid != 0 {
		name = strconv.Itoa(pid)
	}
	line, err := os.ReadFile("/proc/" + name + "/stat")
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

// ResidentMiB is the memory that the server holds now.
func (p *Process) ResidentMiB() (float64, error) { return p.memory("VmRSS") }

// PeakMiB is the most memory that the server ever held.
func (p *Process) PeakMiB() (float64, error) { return p.memory("VmHWM") }

func (p *Process) memory(field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, field+": %f kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, errors.New("there is no " + field)
}

// CPUWhile is the processor time that the server uses while f runs.
func (p *Process) CPUWhile(f func() error) (time.Duration, error) {
	before, err := cpuOf(p.pid())
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := cpuOf(p.pid())
	return after - before, err
}

// Cores keeps the servers off the processor that asks them, so that a rate
// tells of the server and not of how two share two processors. The zero Cores
// lets all run everywhere.
type Cores struct{ servers, own string }

// Apart takes the last processor for this process and leaves the first to the
// servers; where there is only one, or no taskset, everything runs everywhere.
func Apart(ctx context.Context) (Cores, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return Cores{}, err
	}
	_, allowed, _ := strings.Cut(string(status), "Cpus_allowed_list:")
	allowed, _, _ = strings.Cut(allowed, "\n")
	ids := strings.FieldsFunc(allowed, func(r rune) bool { return r < '0' || r > '9' })
	if len(ids) < 2 {
		return Cores{}, nil
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return Cores{}, nil //nolint:nilerr // as said
	}
	c := Cores{servers: ids[0], own: ids[len(ids)-1]}
	out, err := exec.CommandContext(ctx, "taskset", "-a", "-p", "-c", c.own, strconv.Itoa(os.Getpid())).CombinedOutput() //nolint:gosec // numbers
	if err != nil {
		return Cores{}, fmt.Errorf("take processor %s: %w: %s", c.own, err, out)
	}
	runtime.GOMAXPROCS(1)
	return c, nil
}

func (c Cores) forServers() []string {
	if c.servers == "" {
		return nil
	}
	return []string{"taskset", "-c", c.servers}
}

// String says who runs where.
func (c Cores) String() string {
	if c.servers == "" {
		return "servers and client share the processors"
	}
	return "servers on processor " + c.servers + ", the client on " + c.own
}
