package decoder

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern.example/postern"
)

// process is one child, as its parent has it. One job at a time may use it.
type process struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	read   *bufio.Reader
	said   lastWords
	exited chan struct{} // closed when it is gone; what it left is in cmd then
	killed atomic.Pointer[error]

	limits   Limits
	pictures int // that it was asked about
	bytes    int64
	busy     time.Duration
}

// startTime bounds how long a child may take to set its limits.
const startTime = 10 * time.Second

// start starts a child and waits until it says that its limits are set.
func start(ctx context.Context, l allowance) (*process, error) {
	path, err := executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	arg, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close(), childIn.Close())
	}
	p := &process{in: in, out: out, read: bufio.NewReaderSize(out, 4096), exited: make(chan struct{})}
	p.cmd = exec.Command(path) //nolint:gosec,noctx // this program; it ends with its pipe, or is killed
	p.cmd.Args = []string{processName, string(arg)}
	p.cmd.Env = []string{} // nil would be ours
	p.cmd.Dir = rootDir
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = childIn, childOut, &p.said
	p.cmd.WaitDelay = time.Second
	separate(p.cmd, l.Apart)
	widen(in)
	widen(out)
	err = p.cmd.Start()
	childIn.Close()  //nolint:errcheck // the child's
	childOut.Close() //nolint:errcheck // the child's
	if err != nil {
		in.Close()  //nolint:errcheck // nothing was written
		out.Close() //nolint:errcheck // nothing is read
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is asked of its state
		close(p.exited)
	}()
	if err := p.greet(ctx); err != nil {
		p.kill(err)
		<-p.exited
		p.close()
		return nil, fmt.Errorf("%w (%s)", err, p.said.line())
	}
	return p, nil
}

func (p *process) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { p.kill(ctx.Err()) })()
	f, err := readFrame(p.read)
	if err != nil {
		return fmt.Errorf("child does not answer: %w", err)
	}
	var g greeting
	if f.kind != kindHello || f.body != 0 || json.Unmarshal(f.head, &g) != nil || g.Version != version {
		return errors.New("child answers in another way; the program was replaced, or its main does not begin with the hook for children")
	}
	p.limits = g.Limits
	return nil
}

// kill ends the child at once. The first reason counts.
func (p *process) kill(why error) {
	p.killed.CompareAndSwap(nil, &why)
	_ = p.cmd.Process.Kill() // it may be gone already
}

func (p *process) close() {
	p.in.Close()  //nolint:errcheck // all is said
	p.out.Close() //nolint:errcheck // nothing more is read
}

// gone reports whether the child ended while nobody asked it anything.
func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

var errSlow = errors.New("it took longer than it may")

// ask has the child do one job. When the error is not nil the child is gone.
func (p *process) ask(ctx context.Context, timeout time.Duration, kind byte, src []byte, preset *postern.Preset) (a answer, err error) {
	head, err := json.Marshal(preset)
	if err != nil {
		return a, err
	}
	p.pictures++
	number := uint32(p.pictures) //nolint:gosec // some hundred
	began := time.Now()
	slow := time.AfterFunc(timeout, func() { p.kill(errSlow) })
	defer context.AfterFunc(ctx, func() { p.kill(ctx.Err()) })()
	if err = writeFrame(p.in, kind, number, head, src); err == nil {
		a, err = readAnswer(p.read, kind, number, preset)
	}
	slow.Stop()
	if err == nil && p.read.Buffered() > 0 {
		err = nonsensical("more than an answer")
	}
	p.bytes += int64(len(src))
	p.busy += time.Since(began)
	if err != nil {
		return answer{}, p.postMortem(ctx, err)
	}
	return a, nil
}

// death is why a child is gone.
type death struct {
	reason string
	guilty bool // the picture led it there
}

func (d *death) Error() string { return "decoder " + d.reason }

// postMortem ends what is left of the child after err, and says why it is gone.
func (p *process) postMortem(ctx context.Context, err error) error {
	if n := (*nonsense)(nil); errors.As(err, &n) {
		p.kill(err)
	} else {
		// It closed its pipe, or is about to be gone. If it is neither it is
		// made to.
		select {
		case <-p.exited:
		case <-time.After(time.Second):
			p.kill(errors.New("closed its pipe and lived on"))
		}
	}
	<-p.exited
	p.close()
	why := p.killed.Load()
	switch {
	case why != nil && ctx.Err() != nil && errors.Is(*why, ctx.Err()):
		return ctx.Err()
	case why != nil && errors.Is(*why, errSlow):
		return &death{reason: "took longer than it may"}
	case why != nil:
		return &death{reason: (*why).Error(), guilty: true}
	}
	return p.died()
}

// died reads off the child's end what brought it about.
func (p *process) died() *death {
	words := p.said.line()
	s := p.cmd.ProcessState
	switch {
	case s == nil:
		return &death{reason: "is gone"}
	case s.ExitCode() == exitCPU:
		return &death{reason: "needed more processor time than it may use", guilty: true}
	case strings.Contains(words, "failed to create new OS thread"), strings.Contains(words, "pthread_create failed"):
		return &death{reason: "could not start a thread: " + words}
	case strings.Contains(words, "out of memory"), strings.Contains(words, "cannot allocate memory"):
		return &death{reason: "needed more memory than it may use", guilty: true}
	case s.ExitCode() < 0 && s.String() == "signal: killed":
		return &death{reason: "was killed by somebody else, or by the kernel for want of memory"}
	}
	return &death{reason: "crashed (" + s.String() + "): " + words, guilty: true}
}

// lastWords keeps the beginning of what a child says on its standard error,
// which is where Go says why it ends; the rest is read and forgotten.
type lastWords struct {
	mu sync.Mutex
	b  []byte
}

const maxWords = 2000

func (l *lastWords) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b[:min(len(b), maxWords-len(l.b))]...)
	return len(b), nil
}

// line is what was said, in one line for the log.
func (l *lastWords) line() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return legible(strings.Join(strings.Fields(string(l.b)), " "), 300)
}
