package webhook

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"postern.example/postern"
	"postern.example/postern/records"
)

var (
	oldSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("o", 32)))
	newSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 32)))
)

func secret(t testing.TB, text string) Secret {
	t.Helper()
	s, err := ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// heard is one request that an endpoint got.
type heard struct {
	header http.Header
	body   []byte
}

// receiver is an endpoint that answers as it is told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	heard  []heard
	answer func(n int, w http.ResponseWriter)
}

func startReceiver(t *testing.T, answer func(n int, w http.ResponseWriter)) *receiver {
	t.Helper()
	x := &receiver{answer: answer}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		x.mu.Lock()
		x.heard = append(x.heard, heard{r.Header, body})
		n := len(x.heard)
		x.mu.Unlock()
		if x.answer != nil {
			x.answer(n, w)
		}
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *receiver) all() []heard {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]heard(nil), x.heard...)
}

// post has a sender and records that run until the test ends.
type post struct {
	*Sender
	records *records.Records
	ahead   *atomic.Int64
}

func (p *post) now() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }

func startPost(t *testing.T, c Config) *post {
	t.Helper()
	p := &post{ahead: &atomic.Int64{}}
	r, err := records.Open(t.Context(), records.Config{Path: filepath.Join(t.TempDir(), "r.db"), Now: p.now, Outbox: &records.Outbox{
		Endpoints: names(c.URLs), Render: func(u *postern.Upload) ([]byte, error) { return fmt.Appendf(nil, `{"id":%q}`, u.ID), nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.records, c.Queue, c.Now = r, r, p.now
	if c.Secrets == nil {
		c.Secrets = []Secret{secret(t, newSecret)}
	}
	if c.Poll == 0 {
		c.Poll = 5 * time.Millisecond
	}
	if p.Sender, err = New(c); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, r.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *post) arrive(t *testing.T, id string) {
	t.Helper()
	now := p.now()
	if _, _, err := p.records.Arrive(t.Context(), postern.Upload{
		Ticket: postern.Ticket{ID: postern.ID(id), Preset: "photos", Principal: "alice", Type: "image/jpeg", MinBytes: 1, MaxBytes: 9, Expires: now.Add(time.Hour)},
		Size:   5, StoredAt: now,
	}); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came: %s", what)
		}
	}
}

// The standard's own library takes what we sign, with either secret, and not
// what was altered.
func TestThreat33_SignedAsTheStandardSays(t *testing.T) {
	x := startReceiver(t, nil)
	p := startPost(t, Config{URLs: []string{x.URL}, AllowPrivate: true, Secrets: []Secret{secret(t, newSecret), secret(t, oldSecret)}})
	p.arrive(t, "one")
	eventually(t, "the event", func() bool { return len(x.all()) == 1 })
	h := x.all()[0]
	for _, text := range []string{oldSecret, newSecret} {
		w, err := standardwebhooks.NewWebhook(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(h.body, h.header); err != nil {
			t.Errorf("%v", err)
		}
		if err := w.Verify(append(h.body, ' '), h.header); err == nil {
			t.Error("an altered body is taken")
		}
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			changed := h.header.Clone()
			changed.Set(name, strings.Replace(changed.Get(name), "1", "2", 1)+"0")
			if err := w.Verify(h.body, changed); err == nil {
				t.Errorf("another %s is taken", name)
			}
		}
	}
	other, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32))))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Verify(h.body, h.header); err == nil {
		t.Error("another secret verifies it")
	}
	if h.header.Get("Content-Type") != "application/json" || h.header.Get("webhook-id") != "evt_one_stored" {
		t.Errorf("%v", h.header)
	}
}

// FuzzSign holds our signatures against the library's.
func FuzzSign(f *testing.F) {
	f.Add([]byte(strings.Repeat("k", 32)), "evt_1", int64(1614265330), []byte(`{"test": 2432232314}`))
	f.Fuzz(func(t *testing.T, key []byte, id string, at int64, body []byte) {
		w, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			t.Skip()
		}
		want, err := w.Sign(id, time.Unix(at, 0), body)
		if got := sign([]Secret{key}, id, time.Unix(at, 0), body); err == nil && got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// An endpoint that fails hears again, with the same id; one that answers is left
// in peace, and so is one that asks for it.
func TestTriesAgain(t *testing.T) {
	x := startReceiver(t, func(n int, w http.ResponseWriter) {
		switch n {
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p := startPost(t, Config{URLs: []string{x.URL}, AllowPrivate: true})
	p.arrive(t, "one")
	eventually(t, "the first try", func() bool { return p.Stats().Faults == 1 })
	p.ahead.Add(int64(10 * time.Second))
	eventually(t, "the second", func() bool { return p.Stats().Faults == 2 })
	p.ahead.Add(int64(30 * time.Minute)) // more than the pause, less than was asked for
	list, err := p.records.Deliveries(t.Context(), p.now(), false, 10)
	if err != nil || len(list) != 1 || list[0].NextAt.Before(p.now().Add(20*time.Minute)) || list[0].Fault != "status 503" {
		t.Fatalf("%+v, %v", list, err)
	}
	p.ahead.Add(int64(time.Hour))
	eventually(t, "the third", func() bool { return p.Stats().Delivered == 1 })
	for _, h := range x.all() {
		if h.header.Get("webhook-id") != "evt_one_stored" {
			t.Errorf("%v", h.header)
		}
	}
	first, last := x.all()[0].header, x.all()[2].header
	if first.Get("webhook-timestamp") == last.Get("webhook-timestamp") {
		t.Error("the time of the try is not in it")
	}
}

// After three days it is given up, and kept to be told when asked.
func TestGivesUp(t *testing.T) {
	x := startReceiver(t, func(n int, w http.ResponseWriter) {
		if n <= 3 {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	var whole time.Duration
	for _, d := range Pauses() {
		whole += d
	}
	if whole < 72*time.Hour || whole > 80*time.Hour {
		t.Errorf("it is tried for %s", whole)
	}
	p := startPost(t, Config{URLs: []string{x.URL}, AllowPrivate: true, Pauses: []time.Duration{time.Minute, time.Minute}})
	p.arrive(t, "one")
	for n := int64(1); n <= 2; n++ {
		eventually(t, "a try", func() bool { return p.Stats().Faults == n })
		p.ahead.Add(int64(2 * time.Minute))
	}
	eventually(t, "the end", func() bool { return p.Stats().GivenUp == 1 })
	p.ahead.Add(int64(time.Hour))
	if n, err := p.records.Replay(t.Context(), ""); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	eventually(t, "the replay", func() bool { return p.Stats().Delivered == 1 })
}

// One endpoint that never answers holds nobody else up, and the end waits for
// no more than what is under way.
func TestSlowEndpoint(t *testing.T) {
	hang := make(chan struct{})
	slow := startReceiver(t, func(int, http.ResponseWriter) { <-hang })
	quick := startReceiver(t, nil)
	p := startPost(t, Config{URLs: []string{slow.URL, quick.URL}, AllowPrivate: true})
	t.Cleanup(func() { close(hang) }) // before the sender's end
	const events = 20
	for i := range events {
		p.arrive(t, fmt.Sprint("u", i))
	}
	eventually(t, "the quick one hears of all", func() bool { return len(quick.all()) == events })
	eventually(t, "the slow one is asked a few times", func() bool { return len(slow.all()) == atOnce })
}

// What is logged and noted of faults has no address, no secret, no answer.
func TestThreat23_WebhooksAreNotLogged(t *testing.T) {
	x := startReceiver(t, func(_ int, w http.ResponseWriter) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "hush from the answer")
	})
	var said safe
	p := startPost(t, Config{
		URLs: []string{x.URL + "/hush-in-the-path?token=hush"}, AllowPrivate: true,
		Logger: slog.New(slog.NewJSONHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	p.arrive(t, "one")
	eventually(t, "the first try", func() bool { return p.Stats().Faults == 1 })
	x.Close() // now nobody is there
	p.ahead.Add(int64(time.Minute))
	eventually(t, "the second", func() bool { return p.Stats().Faults == 2 })
	list, err := p.records.Deliveries(t.Context(), p.now(), false, 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	text := said.String() + fmt.Sprintf("%+v", list)
	if strings.Contains(text, "hush") || strings.Contains(text, "v1,") || !strings.Contains(text, "connect") {
		t.Error(text)
	}
}

type safe struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestNew_Refuses(t *testing.T) {
	good := Config{URLs: []string{"https://app.example/hook"}, Secrets: []Secret{secret(t, newSecret)}, Queue: &records.Records{}}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no address":   func(c *Config) { c.URLs = nil },
		"no secret":    func(c *Config) { c.Secrets = nil },
		"many secrets": func(c *Config) { c.Secrets = make([]Secret, 5) },
		"twice":        func(c *Config) { c.URLs = append(c.URLs, c.URLs[0]) },
		"no records":   func(c *Config) { c.Queue = nil },
	} {
		c := good
		if change(&c); func() error { _, err := New(c); return err }() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, text := range []string{"", "whsec_", "whsec_!!", "whsec_c2hvcnQ=", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		if _, err := ParseSecret(text); err == nil || strings.Contains(err.Error(), "c2hvcnQ=") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
