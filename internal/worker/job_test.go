package worker_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/worker"
)

func TestPictureBecomesReady(t *testing.T) {
	h := newHouse(t)
	w := h.worker(nil)
	h.run(w)
	for name, src := range map[string][]byte{
		"large jpeg": jpegOf(t, 3000, 2000, green), "small jpeg": jpegOf(t, 31, 17, green), "png": pngOf(t, 700, 500, green),
	} {
		t.Run(name, func(t *testing.T) {
			h := h.in(t)
			u := h.await(h.upload(src), postern.Ready)
			h.wantShown(u, src, green)
			if u.Problem != nil || u.SettledAt.IsZero() {
				t.Errorf("problem %v, settled at %v", u.Problem, u.SettledAt)
			}
		})
	}
	h.awaitGone(postern.IncomingPrefix)
	eventually(t, "3 settled jobs, none running", func() bool {
		s := w.Stats()
		return s.Settled == 3 && s.Running == 0 && s.PixelsInUse == 0 && s.Retries+s.Postponed+s.Lost+s.Panics == 0
	})
	if s := h.service.Stats(); s.Ready != 3 || s.Arrived != 3 {
		t.Errorf("service counted %+v", s)
	}
}

// alteredBucket gives other bytes than those that were sent, as no bucket
// should.
type alteredBucket struct {
	troubledBucket
	alter func(o *postern.Object, body []byte) io.Reader
}

func (b *alteredBucket) Get(ctx context.Context, key string) (postern.Object, io.ReadCloser, error) {
	o, body, err := b.Bucket.Get(ctx, key)
	if err != nil {
		return o, body, err
	}
	defer body.Close()
	all, err := io.ReadAll(body)
	return o, io.NopCloser(b.alter(&o, all)), err
}

// What the bucket should have refused is refused here as well.
func TestRefusedByItsBytes(t *testing.T) {
	src := jpegOf(t, 320, 200, green)
	sum := sha256.Sum256(src)
	size := int64(len(src))
	exactly := postern.Request{Size: &size, SHA256: base64.StdEncoding.EncodeToString(sum[:])}
	sized := func(n int64) func(*postern.Object, []byte) io.Reader {
		return func(o *postern.Object, body []byte) io.Reader {
			o.Size = n
			return io.LimitReader(io.MultiReader(bytes.NewReader(body), zeros{}), n)
		}
	}
	for _, test := range []struct {
		name  string
		ask   postern.Request
		alter func(*postern.Object, []byte) io.Reader
		want  *postern.Error
		words string
	}{
		{"empty", postern.Request{}, sized(0), postern.ErrEmpty, "The file is empty (0 bytes)."},
		{"a byte more than announced", exactly, sized(size + 1), postern.ErrTooLarge, "up to " + postern.Bytes(size) + " are allowed"},
		{"a byte less than announced", exactly, sized(size - 1), postern.ErrTooSmall, "at least " + postern.Bytes(size) + " are needed"},
		{"more than the preset takes", postern.Request{}, sized(postern.DefaultMaxBytes + 1), postern.ErrTooLarge, "up to 25 MB are allowed"},
		{"other bytes than announced", exactly, func(_ *postern.Object, body []byte) io.Reader {
			body[len(body)-3] ^= 1
			return bytes.NewReader(body)
		}, postern.ErrHashMismatch, "SHA-256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			g := h.grant(test.ask)
			h.send(g, src)
			h.complete(g)
			h.run(h.worker(func(c *worker.Config) { c.Bucket = &alteredBucket{troubledBucket{Bucket: h.bucket}, test.alter} }))
			u := h.await(g.Ticket.ID, postern.Rejected)
			if !errors.Is(u.Problem, test.want) || !strings.Contains(u.Problem.Detail, test.words) {
				t.Errorf("problem is %v, want %s with %q", u.Problem, test.want.Code, test.words)
			}
			h.awaitGone(postern.IncomingPrefix)
			h.awaitGone(postern.ImagesPrefix)
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A preset's limit that was lowered holds for what is checked from then on.
func TestPresetLowered(t *testing.T) {
	h := newHouse(t)
	id := h.upload(jpegOf(t, 640, 480, green))
	strict := h.newService(h.secrets, postern.Preset{Name: "photos", MaxBytes: 100})
	h.run(h.worker(func(c *worker.Config) { c.Service = strict }))
	u := h.await(id, postern.Rejected)
	if !errors.Is(u.Problem, postern.ErrTooLarge) || u.Problem.Limit != 100 {
		t.Errorf("problem is %+v", u.Problem)
	}
}

// A body that is cut or too long is the way's fault, and read again.
func TestBodyOfAnotherLength(t *testing.T) {
	for name, alter := range map[string]func([]byte) io.Reader{
		"cut":      func(b []byte) io.Reader { return bytes.NewReader(b[:len(b)/2]) },
		"broken":   func(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b[:9]), brokenReader{}) },
		"too long": func(b []byte) io.Reader { return bytes.NewReader(append(b, '!')) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			src := jpegOf(t, 640, 480, green)
			var reads atomic.Int64
			w := h.worker(func(c *worker.Config) {
				c.Attempts = 1
				c.Bucket = &alteredBucket{troubledBucket{Bucket: h.bucket}, func(_ *postern.Object, b []byte) io.Reader {
					if reads.Add(1) < 4 {
						return alter(b)
					}
					return bytes.NewReader(b)
				}}
			})
			h.run(w)
			h.wantShown(h.await(h.upload(src), postern.Ready), src, green)
			if got := w.Stats().Postponed; got != 3 {
				t.Errorf("postponed %d times, want 3", got)
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// An error of ours is tried again, with pauses that grow, and forgotten when
// it goes away.
func TestFaultOfOursTriedAgain(t *testing.T) {
	h := newHouse(t)
	src := jpegOf(t, 640, 480, green)
	var renders atomic.Int64
	var mu sync.Mutex
	var pauses []int
	w := h.worker(func(c *worker.Config) {
		c.Attempts = 5
		c.Backoff = func(attempt int) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			pauses = append(pauses, attempt)
			return time.Millisecond
		}
		c.Engine = &troubledEngine{Engine: h.engine, render: func(context.Context, []byte) error {
			if renders.Add(1) < 4 {
				return errors.New("out of something")
			}
			return nil
		}}
	})
	h.run(w)
	h.wantShown(h.await(h.upload(src), postern.Ready), src, green)
	mu.Lock()
	defer mu.Unlock()
	if want := []int{1, 2, 3}; !slices.Equal(pauses, want) {
		t.Errorf("pauses after attempts %v, want %v", pauses, want)
	}
	if got := w.Stats().Retries; got != 3 {
		t.Errorf("%d retries, want 3", got)
	}
}

// An object that is gone fails its upload in words, after a few attempts.
func TestObjectGone(t *testing.T) {
	h := newHouse(t)
	id := h.upload(jpegOf(t, 640, 480, green))
	if err := h.bucket.Delete(t.Context(), postern.IncomingPrefix+string(id)); err != nil {
		t.Fatal(err)
	}
	w := h.worker(func(c *worker.Config) { c.Attempts = 4 })
	h.run(w)
	u := h.await(id, postern.Failed)
	if !errors.Is(u.Problem, postern.ErrProcessing) || u.Problem.Detail != "The file is no longer in the bucket." {
		t.Errorf("problem is %+v", u.Problem)
	}
	if got := w.Stats().Retries; got != 3 {
		t.Errorf("%d retries, want 3", got)
	}
	eventually(t, "the service to count it", func() bool { return h.service.Stats().Failed == 1 })
}

// A file that kills the process in every attempt is given up unopened.
func TestAttemptsThatNeverEnded(t *testing.T) {
	h := newHouse(t)
	id := h.upload(jpegOf(t, 640, 480, green))
	for range 3 { // as processes that die leave it
		eventually(t, "a claim", func() bool {
			claims, err := h.queue.Claim(t.Context(), time.Millisecond, 1)
			if err != nil {
				t.Fatal(err)
			}
			return len(claims) == 1
		})
	}
	h.run(h.worker(func(c *worker.Config) {
		c.Attempts = 3
		c.Engine = &troubledEngine{Engine: h.engine, probe: func([]byte) { t.Error("the file was opened") }}
	}))
	h.await(id, postern.Failed)
}

// An outage of the bucket lasts as long as it lasts; no upload fails by it.
func TestBucketOutageFailsNothing(t *testing.T) {
	for _, verb := range []string{"get", "put"} {
		t.Run(verb, func(t *testing.T) {
			h := newHouse(t)
			src := jpegOf(t, 640, 480, green)
			var down atomic.Bool
			down.Store(true)
			lines := &lineCount{}
			w := h.worker(func(c *worker.Config) {
				c.Attempts, c.Logger = 2, slog.New(lines)
				c.Bucket = &troubledBucket{Bucket: h.bucket, before: func(_ context.Context, v, key string) error {
					if down.Load() && v == verb {
						return postern.ErrBucketUnavailable.Because(errors.New("connection refused"))
					}
					return nil
				}}
			})
			h.run(w)
			ids := []postern.ID{h.upload(src), h.upload(src), h.upload(src)}
			eventually(t, "30 attempts", func() bool { return w.Stats().Postponed >= 30 })
			for _, id := range ids {
				if u := h.record(id); u.State != postern.Stored {
					t.Fatalf("upload is %s during the outage", u.State)
				}
			}
			if got := lines.of(slog.LevelWarn, "job postponed"); verb == "get" && got != 1 {
				t.Errorf("the outage was logged %d times, want once", got)
			}
			down.Store(false)
			for _, id := range ids {
				h.wantShown(h.await(id, postern.Ready), src, green)
			}
			eventually(t, "nothing waiting", func() bool { return w.Stats().Waiting == 0 })
		})
	}
}

// lineCount counts log lines by level and message.
type lineCount struct {
	mu    sync.Mutex
	lines map[string]int
}

func (l *lineCount) Enabled(context.Context, slog.Level) bool { return true }
func (l *lineCount) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lineCount) WithGroup(string) slog.Handler            { return l }

func (l *lineCount) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil {
		l.lines = map[string]int{}
	}
	l.lines[r.Level.String()+r.Message]++
	return nil
}

func (l *lineCount) of(level slog.Level, message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[level.String()+message]
}

// A day of outage is the end of patience.
func TestBucketAwayForADay(t *testing.T) {
	h := newHouse(t)
	w := h.worker(func(c *worker.Config) {
		c.Bucket = &troubledBucket{Bucket: h.bucket, before: func(context.Context, string, string) error { return postern.ErrBucketUnavailable }}
	})
	h.run(w)
	id := h.upload(jpegOf(t, 640, 480, green))
	eventually(t, "an attempt", func() bool { return w.Stats().Postponed >= 1 })
	h.clock.advance(postern.Grace)
	u := h.await(id, postern.Failed)
	if !errors.Is(u.Problem, postern.ErrProcessing) || u.Problem.Detail != "The bucket could not be reached for a day." {
		t.Errorf("problem is %+v", u.Problem)
	}
}

// A preset that is taken out of the configuration by mistake can be put back.
func TestPresetGone(t *testing.T) {
	h := newHouse(t)
	src := jpegOf(t, 640, 480, green)
	id, late := h.upload(src), h.upload(src)
	other := h.newService(h.secrets, postern.Preset{Name: "avatars"})
	w := h.worker(func(c *worker.Config) { c.Service, c.Attempts, c.Concurrency = other, 1, 4 })
	stop := h.run(w)
	eventually(t, "6 attempts", func() bool { return w.Stats().Postponed >= 6 })
	stop()
	stop = h.run(h.worker(nil)) // with the preset
	h.wantShown(h.await(id, postern.Ready), src, green)
	h.await(late, postern.Ready)
	stop()

	id = h.upload(src)
	h.clock.advance(postern.Grace)
	h.run(h.worker(func(c *worker.Config) { c.Service = other }))
	u := h.await(id, postern.Failed)
	if want := `The rules for this upload (preset "photos") are no longer configured.`; u.Problem.Detail != want {
		t.Errorf("problem is %+v, want %q", u.Problem, want)
	}
}

// A mixed-up secret costs nothing if it is put right within a day.
func TestSecretMixedUp(t *testing.T) {
	h := newHouse(t)
	src := jpegOf(t, 640, 480, green)
	id := h.upload(src)
	other := h.newService([][]byte{bytes.Repeat([]byte("x"), 32)}, h.presets...)
	w := h.worker(func(c *worker.Config) { c.Service, c.Attempts = other, 1 })
	stop := h.run(w)
	eventually(t, "2 attempts", func() bool { return w.Stats().Postponed >= 2 })
	stop()
	h.run(h.worker(nil))
	h.wantShown(h.await(id, postern.Ready), src, green)
}

// Work that is done is not thrown away because the records do not answer.
func TestRecordsOutage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	src := jpegOf(t, 640, 480, green)
	var claims, settles, renders atomic.Int64
	lines := &lineCount{}
	w := h.worker(func(c *worker.Config) {
		c.Logger = slog.New(lines)
		c.Queue = &troubledQueue{Queue: h.queue, before: func(verb string) error {
			if verb == "claim" && claims.Add(1) <= 3 || verb == "settle" && settles.Add(1) <= 3 {
				return postern.ErrRecordsUnavailable.Because(errors.New("database is locked"))
			}
			return nil
		}}
		c.Engine = &troubledEngine{Engine: h.engine, after: func() { renders.Add(1) }}
	})
	h.run(w)
	h.wantShown(h.await(h.upload(src), postern.Ready), src, green)
	if got := renders.Load(); got != 1 {
		t.Errorf("rendered %d times, want once", got)
	}
	if got := lines.of(slog.LevelWarn, "jobs cannot be claimed"); got != 1 {
		t.Errorf("the outage was logged %d times, want once", got)
	}
	if got := lines.of(slog.LevelInfo, "jobs can be claimed again"); got != 1 {
		t.Errorf("its end was logged %d times, want once", got)
	}
}
