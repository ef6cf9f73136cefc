package gate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// with returns the lines that have a message.
func (l *lines) with(t *testing.T, message string) (list []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if m["msg"] == message {
			list = append(list, m)
		}
	}
	return list
}

// One id leads from the request to its log line, to the job that it caused, to
// the webhook, and to that one's log line.
func TestTrail(t *testing.T) {
	var mu sync.Mutex
	heard := map[string]string{} // by type
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e struct {
			Type string
			Data struct {
				RequestID string `json:"request_id"`
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		heard[e.Type] = e.Data.RequestID
	}))
	defer receiver.Close()
	out := &lines{}
	g, at := open(t, gate.Config{
		Dir: t.TempDir(), BucketListener: anyPort(), Logger: slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Webhooks: &gate.Webhooks{URLs: []string{receiver.URL}, Secrets: []string{"whsec_" + strings.Repeat("AAAA", 8)}, AllowPrivate: true},
	})
	ask := func(method, path, id string) (answered string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, at+"/gate"+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header["X-Request-Id"] = []string{id}
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		answered = res.Header.Get("X-Request-Id")
		if res.StatusCode >= 400 && !strings.Contains(string(body), `"instance":"`+answered+`"`) {
			t.Errorf("%s %s: %s", method, path, body)
		}
		return answered
	}
	// By the time that one is through, the first sweep is as well, which might find
	// the other before it is announced.
	once(t, at)
	posterntest.Eventually(t, "the first is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		told := len(heard) == 2
		if told {
			clear(heard)
		}
		return told
	})
	up := call(t, "POST", at+"/gate/uploads", `{"filename":"p.jpg","type":"image/jpeg"}`)
	form, contentType := posterntest.Form(up.Grant, photo.JPEG(photo.Options{Width: 300, Height: 200}))
	res, err := http.Post(up.Grant.URL, contentType, bytes.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := ask("POST", "/uploads/"+up.ID+"/complete", "proxy.A-1_b"); got != "proxy.A-1_b" {
		t.Fatalf("the request is called %q", got)
	}
	posterntest.Eventually(t, "both events are told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(heard) == 2
	})
	mu.Lock()
	for name, id := range heard {
		if id != "proxy.A-1_b" {
			t.Errorf("%s is of request %q", name, id)
		}
	}
	mu.Unlock()
	posterntest.Eventually(t, "the log has its lines", func() bool { return len(out.with(t, "event told")) == 4 })
	for _, message := range []string{"upload settled", "event told"} {
		for _, line := range out.with(t, message) {
			if line["upload"] == up.ID && line["request_id"] != "proxy.A-1_b" {
				t.Errorf("%v", line)
			}
		}
	}
	u, err := g.Service.Upload(t.Context(), postern.Anonymous, postern.ID(up.ID))
	if err != nil || u.Trail.Parent != "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" {
		t.Errorf("%+v, %v", u.Trail, err)
	}
	if n := len(out.with(t, "upload settled")); n != 2 {
		t.Errorf("%d lines of the job", n)
	}

	// Removing it is another request's doing.
	ask("DELETE", "/uploads/"+up.ID, "remover")
	posterntest.Eventually(t, "the removal is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return heard["upload.removed"] == "remover"
	})
	// Nobody writes into our log by an id, nor makes it long.
	for _, id := range []string{"", "a b", "a\"b", "<b>", "é", strings.Repeat("x", 65), "a,b", "a=b"} {
		if got := ask("GET", "/uploads/none", id); got == id || len(got) != 16 {
			t.Errorf("%q was answered as %q", id, got)
		}
	}
	if got := ask("GET", "/uploads/none", strings.Repeat("x", 64)); len(got) != 64 {
		t.Errorf("a long one was answered as %q", got)
	}
	for _, line := range out.with(t, "request") {
		if line["route"] != nil && line["request_id"] == nil { // those of the API; the bucket has its own
			t.Errorf("%v", line)
		}
	}
}
