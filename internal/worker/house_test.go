package worker_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/s3d"
	"postern.example/postern/internal/worker"
	"postern.example/postern/records"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

const principal = "tester"

// clock runs with the real one, some time ahead of it. Nothing can stop it, so
// nothing that waits on real timers disagrees with it.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// house is every real part around a worker: service, records, embedded bucket
// over HTTP, engine.
type house struct {
	t       *testing.T
	clock   *clock
	service *postern.Service
	bucket  postern.Bucket
	queue   worker.Queue
	records postern.Records
	engine  worker.Engine
	log     *slog.Logger

	secrets [][]byte
	presets []postern.Preset
	target  postern.Target
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{
		t: t, clock: &clock{}, log: slog.New(slog.DiscardHandler),
		secrets: [][]byte{bytes.Repeat([]byte("s"), 32)}, presets: []postern.Preset{postern.DefaultPreset()},
	}
	if testing.Verbose() {
		h.log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	cred := sigv4.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "secret of the test"}
	credentials := func(context.Context) (sigv4.Credentials, error) { return cred, nil }
	server, err := s3d.New(s3d.Config{Dir: t.TempDir(), Keys: []sigv4.Credentials{cred}, Logger: h.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	bucket, err := s3.New(t.Context(), s3.Config{Bucket: "photos", Endpoint: listener.URL, PathStyle: true, Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := records.Open(t.Context(), records.Config{Path: filepath.Join(t.TempDir(), "records.db"), Now: h.clock.Now, Logger: h.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	h.bucket, h.records, h.queue, h.engine = bucket, r, r, engine
	h.target = postern.Target{URL: listener.URL + "/photos", Bucket: "photos", Credentials: credentials}
	h.service = h.newService(h.secrets, h.presets...)
	return h
}

// in is the same house, whose faults are those of a subtest.
func (h *house) in(t *testing.T) *house {
	c := *h
	c.t = t
	return &c
}

// newService makes another service over the same records and bucket, as a second
// process or one with other settings would have it.
func (h *house) newService(secrets [][]byte, presets ...postern.Preset) *postern.Service {
	h.t.Helper()
	s, err := postern.New(postern.Config{
		Presets: presets, Secrets: secrets, Target: h.target, Bucket: h.bucket, Records: h.records,
		Now: h.clock.Now, Logger: h.log,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// worker makes a worker that is quick to try again. set may put faults between
// it and the real parts.
func (h *house) worker(set func(*worker.Config)) *worker.Worker {
	h.t.Helper()
	c := worker.Config{
		Service: h.service, Bucket: h.bucket, Queue: h.queue, Engine: h.engine,
		Concurrency: 2, Poll: 20 * time.Millisecond, Now: h.clock.Now, Logger: h.log,
		Backoff: func(int) time.Duration { return time.Millisecond },
	}
	if set != nil {
		set(&c)
	}
	w, err := worker.New(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

// run runs w until the test ends or stop is called, which waits for the end.
func (h *house) run(w *worker.Worker) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			h.t.Errorf("Run: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	h.t.Cleanup(stop)
	return stop
}

func (h *house) grant(r postern.Request) *postern.Grant {
	h.t.Helper()
	if r.Filename == "" {
		r.Filename = "cat.jpg"
	}
	if r.Type == "" {
		r.Type = "image/jpeg"
	}
	g, err := h.service.Grant(h.t.Context(), postern.As(principal), r)
	if err != nil {
		h.t.Fatalf("grant: %v", err)
	}
	return g
}

// send posts body as a browser does, with the grant's form.
func (h *house) send(g *postern.Grant, body []byte) {
	h.t.Helper()
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	for _, f := range g.Fields {
		if err := m.WriteField(f.Name, f.Value); err != nil {
			h.t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile(g.FileField, "cat.jpg")
	if err != nil {
		h.t.Fatal(err)
	}
	part.Write(body) //nolint:errcheck // a buffer takes everything
	if err := m.Close(); err != nil {
		h.t.Fatal(err)
	}
	answer, err := http.Post(g.URL, m.FormDataContentType(), &form)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	words, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusNoContent {
		h.t.Fatalf("post: %s\n%s", answer.Status, words)
	}
}

// put writes an object with our own key, as an operator might.
func (h *house) put(key string, body []byte) {
	h.t.Helper()
	if err := h.bucket.Put(h.t.Context(), key, "application/octet-stream", body); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) complete(g *postern.Grant) {
	h.t.Helper()
	if _, err := h.service.Complete(h.t.Context(), principal, g.Ticket.ID); err != nil {
		h.t.Fatalf("complete: %v", err)
	}
}

// upload grants, sends and completes.
func (h *house) upload(body []byte) postern.ID {
	h.t.Helper()
	g := h.grant(postern.Request{})
	h.send(g, body)
	h.complete(g)
	return g.Ticket.ID
}

// record is the upload's record, a removed one too.
func (h *house) record(id postern.ID) postern.Upload {
	h.t.Helper()
	u, err := h.records.Upload(h.t.Context(), id)
	if err != nil && !errors.Is(err, postern.ErrNotFound) {
		h.t.Fatal(err)
	}
	return u
}

// await waits until the upload is in the state, and fails if it ends in another.
func (h *house) await(id postern.ID, want postern.State) postern.Upload {
	h.t.Helper()
	var u postern.Upload
	eventually(h.t, fmt.Sprintf("upload %s", want), func() bool {
		u = h.record(id)
		if u.State.Final() && u.State != want {
			h.t.Fatalf("upload is %s (%v), want %s", u.State, u.Problem, want)
		}
		return u.State == want
	})
	return u
}

// awaitGone waits until nothing is left below the prefix.
func (h *house) awaitGone(prefix string) {
	h.t.Helper()
	eventually(h.t, "nothing below "+prefix, func() bool { return len(h.keys(prefix)) == 0 })
}

// keys lists what is below prefix.
func (h *house) keys(prefix string) []string {
	h.t.Helper()
	list, err := h.bucket.List(h.t.Context(), prefix, "", 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	keys := make([]string, len(list))
	for i, o := range list {
		keys[i] = o.Key
	}
	return keys
}

// object reads one object whole; nil when it is not there.
func (h *house) object(key string) []byte {
	h.t.Helper()
	_, body, err := h.bucket.Get(h.t.Context(), key)
	if errors.Is(err, postern.ErrNotFound) {
		return nil
	} else if err != nil {
		h.t.Fatal(err)
	}
	defer body.Close()
	all, err := io.ReadAll(body)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// served is every byte that can be seen of the upload: hashes by key.
func (h *house) served(id postern.ID) map[string]string {
	h.t.Helper()
	seen := map[string]string{}
	for _, key := range h.keys(postern.VariantKey(id, "")) {
		sum := sha256.Sum256(h.object(key))
		seen[key] = hex.EncodeToString(sum[:])
	}
	return seen
}

// wantShown checks that the ready upload shows the picture made from src, which is
// of colour c, in all its variants and nothing else.
func (h *house) wantShown(u postern.Upload, src []byte, c color.RGBA) {
	h.t.Helper()
	sum := sha256.Sum256(src)
	if u.Image == nil || !bytes.Equal(u.Image.SHA256, sum[:]) {
		h.t.Fatalf("image is %+v, want the one with SHA-256 %x", u.Image, sum)
	}
	if u.Size != int64(len(src)) {
		h.t.Errorf("size %d, want %d", u.Size, len(src))
	}
	want := make([]string, 0, len(u.Image.Variants))
	for _, v := range u.Image.Variants {
		key := postern.VariantKey(u.ID, v.Name)
		want = append(want, key)
		made := h.object(key)
		if int64(len(made)) != v.Size {
			h.t.Errorf("%s has %d bytes, want %d", key, len(made), v.Size)
		}
		picture, _, err := image.Decode(bytes.NewReader(made))
		if err != nil {
			h.t.Fatalf("%s: %v", key, err)
		}
		b := picture.Bounds()
		if b.Dx() != v.Width || b.Dy() != v.Height {
			h.t.Errorf("%s is %v, want %d × %d", key, b, v.Width, v.Height)
		}
		r, g, bl, _ := picture.At(b.Dx()/2, b.Dy()/2).RGBA()
		if got := (color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8), 255}); far(got, c) {
			h.t.Errorf("%s is of colour %v, want %v", key, got, c)
		}
	}
	slices.Sort(want)
	if got := h.keys(postern.VariantKey(u.ID, "")); !slices.Equal(got, want) {
		h.t.Errorf("objects %v, want %v", got, want)
	}
}

func (h *house) wantSame(id postern.ID, before map[string]string) {
	h.t.Helper()
	if after := h.served(id); !maps.Equal(before, after) {
		h.t.Errorf("what is served changed: %v, was %v", after, before)
	}
}

func far(a, b color.RGBA) bool {
	d := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return d(a.R, b.R)+d(a.G, b.G)+d(a.B, b.B) > 24
}

var (
	green = color.RGBA{30, 160, 60, 255}
	red   = color.RGBA{200, 30, 40, 255}
)

func jpegOf(t *testing.T, width, height int, c color.RGBA) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, plain(width, height, c), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t *testing.T, width, height int, c color.RGBA) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, plain(width, height, c)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func plain(width, height int, c color.RGBA) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := 0; i < len(m.Pix); i += 4 {
		m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = c.R, c.G, c.B, c.A
	}
	return m
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
}
