package decoder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/imaging"
	"postern.example/postern/internal/imaging/photo"
)

func TestMain(m *testing.M) {
	if code, child := Main(os.Args, os.Stdin, os.Stdout, os.Stderr, hostile{}); child {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// lines is a log that tests can read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// begin starts a Decoder until the test ends.
func begin(t testing.TB, c Config) (*Decoder, *lines) {
	t.Helper()
	log := &lines{}
	c.Logger = slog.New(slog.NewTextHandler(log, nil))
	d, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, log
}

func preset() *postern.Preset {
	p := postern.DefaultPreset()
	return &p
}

func good() []byte { return photo.JPEG(photo.Options{Width: 320, Height: 200}) }

// works asserts that the next picture is opened.
func works(t *testing.T, d *Decoder) {
	t.Helper()
	r, err := d.Render(t.Context(), good(), preset())
	if err != nil || len(r.Files) != 3 {
		t.Fatalf("the next picture is not opened: %v", err)
	}
}

// Whatever a picture is, a child says of it what this process would.
func TestSameAsInProcess(t *testing.T) {
	d, _ := begin(t, Config{Children: 2})
	o := photo.Options{Width: 500, Height: 300, Orientation: 6, GPS: true, ICC: true}
	for name, src := range map[string][]byte{
		"nothing": nil, "JPEG": photo.JPEG(o), "small": photo.JPEG(photo.Options{Width: 40, Height: 30}), "PNG": photo.PNG(o), "alpha": photo.PNGAlpha(o),
		"GIF": photo.GIF(o, 3), "WebP": photo.WebP(o), "WebP alpha": photo.WebPAlpha(o), "cut": photo.JPEG(o)[:4000],
		"too wide": photo.PNGHeader(20000, 10), "too many": photo.PNGHeader(9000, 9000), "PDF": []byte("%PDF-1.7\n"),
		"frames": photo.GIF(photo.Options{Width: 8, Height: 8}, 301), "hollow": photo.PNGHeader(3000, 3000),
	} {
		t.Run(name, func(t *testing.T) {
			wantProbe, wantErr := imaging.Engine{}.Probe(src, preset())
			probe, err := d.Probe(src, preset())
			sameError(t, "probe", err, wantErr)
			if probe != wantProbe {
				t.Errorf("probe is %+v, want %+v", probe, wantProbe)
			}
			want, wantErr := imaging.Engine{}.Render(t.Context(), src, preset())
			r, err := d.Render(t.Context(), src, preset())
			sameError(t, "render", err, wantErr)
			if !reflect.DeepEqual(r, want) {
				t.Errorf("rendering differs: %+v", r)
			}
		})
	}
	if s := d.Stats(); s.Deaths != 0 {
		t.Errorf("%+v", s)
	}
}

func sameError(t *testing.T, what string, got, want error) {
	t.Helper()
	g, gp := postern.ProblemOf(got)
	w, wp := postern.ProblemOf(want)
	if (got == nil) != (want == nil) || gp != wp || g.Detail != w.Detail || g.Limit != w.Limit || !reflect.DeepEqual(g.Allowed, w.Allowed) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A child has opened enough pictures some time, and is followed by another.
func TestChildrenAreReplaced(t *testing.T) {
	d, log := begin(t, Config{Children: 1, Pictures: 3})
	for range 7 {
		works(t, d)
	}
	if s := d.Stats(); s.Started != 3 || s.Deaths != 0 {
		t.Errorf("%+v\n%s", s, log)
	}
	d, _ = begin(t, Config{Children: 1, Bytes: 1})
	works(t, d)
	works(t, d)
	if s := d.Stats(); s.Started < 2 || s.Deaths != 0 {
		t.Errorf("%+v", s)
	}
}

func TestManyAtOnce(t *testing.T) {
	d, _ := begin(t, Config{Children: 2, Pictures: 5})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 8 {
				if _, err := d.Render(t.Context(), good(), preset()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// Who gives up, or has too little time, gets his own error, and no picture is
// blamed.
func TestGivenUp(t *testing.T) {
	d, _ := begin(t, Config{Children: 1, Timeout: 5 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := d.Render(ctx, []byte("!hang"), preset()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	works(t, d)
	if _, err := d.Render(ctx, good(), preset()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	works(t, d)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.Probe(good(), preset()); !errors.Is(err, errClosed) {
		t.Errorf("after it was closed: %v", err)
	}
}

func TestRefusesLimits(t *testing.T) {
	for _, c := range []Config{{CPU: time.Millisecond}, {Children: -1}, {Memory: 1e6}, {Memory: -1}} {
		if _, err := New(t.Context(), c); err == nil {
			t.Errorf("%+v", c)
		}
	}
}

func TestMainLeavesOthersAlone(t *testing.T) {
	for _, args := range [][]string{nil, {"postern"}, {"postern", "serve"}, {processName}, {"postern", `{"Memory":1}`}} {
		if _, child := Main(args, strings.NewReader(""), nil, nil, hostile{}); child {
			t.Errorf("%q is a child", args)
		}
	}
	for _, arg := range []string{"", "{}", "null", `{"Memory":-1,"CPU":1,"Life":1}`} {
		var out, said bytes.Buffer
		if code, child := Main([]string{processName, arg}, strings.NewReader(""), &out, &said, hostile{}); !child || code == 0 || out.Len() > 0 || said.Len() == 0 {
			t.Errorf("%q: %d %v", arg, code, child)
		}
	}
}

func TestMemoryFor(t *testing.T) {
	if n := MemoryFor([]postern.Preset{{}, *preset()}); n < 16*50e6+50e6 || n > 2e9 {
		t.Errorf("%d", n)
	}
}

// hostile opens pictures, until a file says what to do instead.
type hostile struct{ imaging.Engine }

func (h hostile) Render(ctx context.Context, src []byte, p *postern.Preset) (*postern.Rendering, error) {
	if !bytes.HasPrefix(src, []byte("!")) {
		return h.Engine.Render(ctx, src, p)
	}
	name, _, _ := strings.Cut(string(src[1:]), " ")
	deed, ok := deeds[name]
	if !ok {
		return nil, fmt.Errorf("no deed %q", name)
	}
	if err := deed(); err != nil {
		return nil, postern.ErrUnsupported.With("%s", legible(err.Error(), 200))
	}
	return nil, postern.ErrCorrupt.With("it could")
}
