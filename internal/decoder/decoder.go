package decoder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"postern.example/postern"
)

// rootDir is where children stand: on no disk that is to be unmounted.
var rootDir = filepath.VolumeName(os.TempDir()) + string(filepath.Separator)

// Config says how many children there are and what each may use. Zero values
// mean the default.
type Config struct {
	Children int           // how many; default GOMAXPROCS
	Memory   int64         // bytes of each; default 1 GB; [MemoryFor] says what presets need
	CPU      time.Duration // processor time for one picture, in whole seconds; default 20 s
	Timeout  time.Duration // wall-clock time for one picture; default 30 s
	Pictures int           // that a child opens before it is replaced; default 200
	Bytes    int64         // of them together; default 1 GB
	Logger   *slog.Logger  // nil: nothing is logged
}

// wearTime is how long a child works before it is replaced, whatever it did.
const wearTime = 5 * time.Minute

// leastMemory is what Go's runtime and a small picture need.
const leastMemory = 64e6

// Decoder is an engine of the worker whose work is done by children. Its
// methods are safe for concurrent use; as many jobs run at once as there are
// children, and more wait.
type Decoder struct {
	c      Config
	log    *slog.Logger
	ready  chan *process
	stop   context.CancelFunc
	closed <-chan struct{}
	keep   sync.WaitGroup

	together atomic.Pointer[error] // why there are no namespaces
	first    sync.Once
	started  chan struct{} // closed when the first child is ready
	limits   Limits        // set by then
	failed   chan struct{} // has one when a child could not be started
	lastErr  atomic.Pointer[error]

	stats struct{ started, deaths, guilty atomic.Int64 }
}

// MemoryFor is what a child needs for any picture that a preset allows. The
// dearest are progressive JPEGs without subsampling, whose coefficients are
// all kept until the last scan: 15 bytes a pixel.
func MemoryFor(presets []postern.Preset) int64 {
	var most int64
	for _, p := range presets {
		side := int64(min(p.Pixels.MaxSide, 1<<20))
		most = max(most, 16*min(p.Pixels.MaxPixels, side*side)+2*p.MaxBytes)
	}
	return most + 160e6
}

// New starts children and waits until the first one is ready. Errors say why
// there can be none. Whoever calls it must have called [Main] first.
func New(ctx context.Context, c Config) (d *Decoder, err error) {
	c.Children = or(c.Children, runtime.GOMAXPROCS(0))
	c.Memory = or(c.Memory, 1e9)
	c.CPU = or(c.CPU, 20*time.Second)
	c.Timeout = or(c.Timeout, 30*time.Second)
	c.Pictures = or(c.Pictures, 200)
	c.Bytes = or(c.Bytes, 1e9)
	c.Logger = or(c.Logger, slog.New(slog.DiscardHandler))
	if c.Children < 0 || c.Memory < leastMemory || c.CPU < time.Second || c.Timeout < 0 || c.Pictures < 0 || c.Bytes < 0 {
		return nil, errors.New("start decoders: a limit is below 0, the processor time below a second or the memory below 64 MB")
	}
	living, stop := context.WithCancel(context.WithoutCancel(ctx))
	d = &Decoder{c: c, log: c.Logger, ready: make(chan *process, c.Children), stop: stop, closed: living.Done(), started: make(chan struct{}), failed: make(chan struct{}, 1)}
	for range c.Children {
		d.keep.Go(func() { d.keepOne(living) })
	}
	select {
	case <-d.started:
		d.log.InfoContext(ctx, "pictures are opened in child processes", "children", c.Children, "limits", d.limits.Has, "lacks", d.limits.Lacks)
		return d, nil
	case <-d.failed:
		err = *d.lastErr.Load()
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(fmt.Errorf("start decoders: %w", err), d.Close())
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Limits says what holds the children on this system, and what does not.
func (d *Decoder) Limits() Limits { return d.limits }

// Stats is what a Decoder has counted since it was made.
type Stats struct {
	Started int64 // children
	Deaths  int64 // of children at work
	Guilty  int64 // deaths that the picture brought about
}

// Stats returns the counters.
func (d *Decoder) Stats() Stats {
	return Stats{d.stats.started.Load(), d.stats.deaths.Load(), d.stats.guilty.Load()}
}

// Close ends all children, and the jobs that they are at.
func (d *Decoder) Close() error {
	d.stop()
	d.keep.Wait()
	return nil
}

// keepOne has one child ready at any time: when it is gone, there is another.
func (d *Decoder) keepOne(ctx context.Context) {
	defer keepThread()() // a child ends with the thread that started it
	const maxPause = 5 * time.Second
	pause := time.Duration(0)
	for ctx.Err() == nil {
		p, err := d.start(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			d.lastErr.Store(&err)
			select {
			case d.failed <- struct{}{}:
			default:
			}
			if pause == 0 {
				d.log.ErrorContext(ctx, "no decoder can be started", "error", err)
			}
			pause = min(max(2*pause, 100*time.Millisecond), maxPause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0
		d.stats.started.Add(1)
		d.first.Do(func() {
			d.limits = p.limits
			if why := d.together.Load(); why != nil {
				d.limits.tried("namespaces of its own", *why)
			}
			close(d.started)
		})
		d.ready <- p // has room: one for each keeper
		select {
		case <-p.exited:
		case <-ctx.Done():
			p.kill(errClosed)
			<-p.exited
		}
		p.close()
	}
}

// start starts a child in namespaces of its own where it may: settings of the
// kernel, containers and too many of them are in the way, each in its own words.
func (d *Decoder) start(ctx context.Context) (*process, error) {
	l := allowance{Memory: d.c.Memory, CPU: d.c.CPU, Life: 2*wearTime + d.c.Timeout + d.c.CPU, Apart: canSeparate && d.together.Load() == nil}
	p, err := start(ctx, l)
	if err == nil || !l.Apart || d.stats.started.Load() > 0 {
		return p, err
	}
	l.Apart = false
	p, again := start(ctx, l)
	if again == nil {
		d.together.Store(&err)
	}
	return p, again
}

var errClosed = errors.New("decoder is closed")

// take waits for a child that is alive.
func (d *Decoder) take(ctx context.Context) (*process, error) {
	patience := time.NewTimer(d.c.Timeout)
	defer patience.Stop()
	for {
		select {
		case p := <-d.ready:
			if !p.gone() {
				return p, nil
			}
		case <-d.closed:
			return nil, errClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
			err := errors.New("all are at work")
			if last := d.lastErr.Load(); last != nil {
				err = *last
			}
			return nil, fmt.Errorf("wait for a decoder: %w", err)
		}
	}
}

// giveBack lets others use the child, or lets it go when it has done enough:
// it ends when there is nothing more to read.
func (d *Decoder) giveBack(p *process) {
	if p.pictures >= d.c.Pictures || p.bytes >= d.c.Bytes || p.busy >= wearTime {
		p.in.Close() //nolint:errcheck // all is said
		return
	}
	d.ready <- p
}

// errBreaks is what is said of a file that no child survives.
var errBreaks = postern.ErrCorrupt.With("The picture is damaged: it broke the program that opens it, twice.")

// job asks a child, and another one when the picture ended the first.
func (d *Decoder) job(ctx context.Context, kind byte, src []byte, preset *postern.Preset) (a answer, err error) {
	for range 2 {
		var p *process
		if p, err = d.take(ctx); err != nil {
			return a, err
		}
		if a, err = p.ask(ctx, d.c.Timeout, kind, src, preset); err == nil {
			if p.killed.Load() == nil { // its time may have ended in this instant
				d.giveBack(p)
			}
			return a, a.refused
		}
		var died *death
		switch {
		case d.isClosed():
			return a, errClosed
		case !errors.As(err, &died):
			return a, err
		}
		d.stats.deaths.Add(1)
		d.log.WarnContext(ctx, "decoder is gone", "reason", died.reason, "guilty", died.guilty, "pictures", p.pictures)
		if !died.guilty {
			return a, err
		}
		d.stats.guilty.Add(1)
	}
	return a, errBreaks.Because(err)
}

func (d *Decoder) isClosed() bool {
	select {
	case <-d.closed:
		return true
	default:
		return false
	}
}

// Probe reads the headers of src and holds them against p's limits. Errors are
// *postern.Error when the file is at fault, else ours.
func (d *Decoder) Probe(src []byte, p *postern.Preset) (postern.Probe, error) {
	a, err := d.job(context.Background(), kindProbe, src, p)
	if err != nil {
		return postern.Probe{}, err
	}
	return *a.probe, nil
}

// Render opens src and makes p's variants. Errors are *postern.Error when the
// file is at fault, else ctx's or ours. A picture that ends two children is
// at fault.
func (d *Decoder) Render(ctx context.Context, src []byte, p *postern.Preset) (*postern.Rendering, error) {
	a, err := d.job(ctx, kindRender, src, p)
	if err != nil {
		return nil, err
	}
	return a.rendering, nil
}
