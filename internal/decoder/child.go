package decoder

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"postern.example/postern"
)

// Engine checks and renders pictures, as the worker's does.
type Engine interface {
	Probe(src []byte, p *postern.Preset) (postern.Probe, error)
	Render(ctx context.Context, src []byte, p *postern.Preset) (*postern.Rendering, error)
}

// processName is what a child is called, in lists of processes as well.
const processName = "postern: decoder"

// Exit codes of a child; 2 is Go's own for what it cannot recover from.
const (
	exitFailed = 1
	exitCPU    = 11
)

// restAfter is how long a child has nothing to do before it gives back what
// memory its last picture took.
const restAfter = time.Second

// Main must be called first thing in main, with what the process was started
// with. In a child it opens pictures with e until the parent has no more, and
// returns true with the code to exit with. In any other process it does
// nothing and returns false.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer, e Engine) (code int, child bool) {
	if len(args) != 2 || args[0] != processName {
		return 0, false
	}
	var l allowance
	if err := json.Unmarshal([]byte(args[1]), &l); err != nil || l.Memory <= 0 || l.CPU <= 0 || l.Life < l.CPU {
		fmt.Fprintln(stderr, "postern: this is started by postern itself")
		return exitFailed, true
	}
	if err := serve(&l, stdin, stdout, stderr, e); err != nil {
		fmt.Fprintf(stderr, "postern: decoder: %v\n", err)
		return exitFailed, true
	}
	return 0, true
}

// allowance is what a child may use; its parent says so as it starts it.
type allowance struct {
	Memory int64         // bytes
	CPU    time.Duration // for one picture, whole seconds
	Life   time.Duration // processor time for all pictures
	Apart  bool          // it was put into namespaces of its own
}

func serve(l *allowance, stdin io.Reader, stdout, stderr io.Writer, e Engine) error {
	runtime.GOMAXPROCS(1) // there is one child for each processor
	debug.SetMemoryLimit(l.Memory / 4 * 3)
	// The first timer has the runtime open its poller; there will be no more
	// files to open in a moment.
	rest := time.AfterFunc(time.Hour, debug.FreeOSMemory)
	c, err := confine(l, stderr)
	if err != nil {
		return err
	}
	head, err := json.Marshal(greeting{version, c.limits})
	if err != nil {
		return err
	}
	if err := writeFrame(stdout, kindHello, 0, head); err != nil {
		return err
	}
	in, src := bufio.NewReaderSize(stdin, frameHeader), []byte(nil)
	for {
		rest.Reset(restAfter)
		q, p, file, err := readQuestion(in, src)
		if errors.Is(err, io.EOF) && q.kind == 0 {
			return nil
		} else if err != nil {
			return fmt.Errorf("read question: %w", err)
		}
		rest.Stop()
		c.next()
		if err := reply(stdout, q, file, p, e); err != nil {
			return err
		}
		if src = file; cap(src) > 2*atOnce {
			src = nil
		}
	}
}

// readQuestion reads what the parent wants, the file into buf if it fits.
func readQuestion(r io.Reader, buf []byte) (f frame, p *postern.Preset, src []byte, err error) {
	f, err = readFrame(r)
	if err != nil {
		return f, nil, nil, err
	}
	if f.kind != kindProbe && f.kind != kindRender {
		return f, nil, nil, fmt.Errorf("kind %q", f.kind)
	}
	p = &postern.Preset{}
	if err := json.Unmarshal(f.head, p); err != nil {
		return f, nil, nil, err
	}
	src, err = readBytes(r, buf, f.body)
	return f, p, src, err
}

// reply does one job. A panic is not recovered: what it left behind is not to
// be trusted, and the parent has other children.
func reply(w io.Writer, q frame, src []byte, p *postern.Preset, e Engine) error {
	var err error
	var told any
	var files [][]byte
	answer := byte(kindProbed)
	if q.kind == kindProbe {
		told, err = e.Probe(src, p)
	} else {
		var r *postern.Rendering
		if r, err = e.Render(context.Background(), src, p); err == nil {
			answer = kindRendering
			told, files = renderingOf(r)
		}
	}
	if err != nil {
		answer, told = kindRefused, refusalOf(err)
	}
	head, err := json.Marshal(told)
	if err != nil {
		return err
	}
	return writeFrame(w, answer, q.number, head, files...)
}
