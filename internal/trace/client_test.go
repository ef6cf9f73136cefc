package trace

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"postern.example/postern"
)

var some = []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{Name: "one"}}}}}}

// What may help is tried again, what cannot is not, and nobody is told twice.
func TestClient(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []int // the last one stays
		want    int64 // requests
		said    string
	}{
		{"taken", []int{200}, 1, ""},
		{"taken, and empty", []int{204}, 1, ""},
		{"soon", []int{503, 429, 200}, 3, ""},
		{"never", []int{503}, tries, "status 503"},
		{"refused", []int{400}, 1, "status 400"},
		{"broken", []int{500}, 1, "status 500"},
		{"elsewhere", []int{302}, 1, "status 302"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := int(asked.Add(1))
				body, err := io.ReadAll(r.Body)
				var data tracepb.TracesData
				if err != nil || proto.Unmarshal(body, &data) != nil || data.ResourceSpans[0].ScopeSpans[0].Spans[0].Name != "one" {
					t.Errorf("%x, %v", body, err)
				}
				if r.URL.Path != "/base/v1/traces" || r.Header.Get("Tenant") != "a" || r.Method != http.MethodPost {
					t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.answers[min(n, len(c.answers))-1])
			}))
			defer server.Close()
			var out bytes.Buffer
			x, err := newClient(Config{URL: server.URL + "/base/", Headers: map[string]string{"tenant": "a"}, Logger: slog.New(slog.NewTextHandler(&out, nil))})
			if err != nil {
				t.Fatal(err)
			}
			x.pause = func(int, time.Duration) time.Duration { return 0 }
			for range 2 {
				if err := x.UploadTraces(t.Context(), some); err != nil {
					t.Fatal(err)
				}
			}
			if n := asked.Load(); c.said != "" && n != 2*c.want || c.said == "" && n != c.want+1 {
				t.Errorf("%d requests, want %d and as many again", n, c.want)
			}
			if strings.Count(out.String(), "does not take spans") > 1 || !strings.Contains(out.String(), c.said) || (c.said == "") != (out.Len() == 0) {
				t.Errorf("the log: %s", out.String())
			}
			if err := x.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A collector that hangs holds nobody longer than he wants to wait.
func TestClient_Hangs(t *testing.T) {
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer server.Close()
	defer close(over)
	tracer, err := New(t.Context(), Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, end := tracer.Job(t.Context(), postern.Claim{})
	end("ready")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := tracer.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v", err)
	}
}

func TestPause(t *testing.T) {
	for _, c := range []struct {
		attempt int
		asked   time.Duration
		want    time.Duration
	}{{1, 0, time.Second}, {2, 0, 2 * time.Second}, {3, 0, 4 * time.Second}, {1, 3 * time.Second, 3 * time.Second}, {1, time.Hour, maxPause}} {
		if got := pause(c.attempt, c.asked); got != c.want {
			t.Errorf("%d, %s: %s, want %s", c.attempt, c.asked, got, c.want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, u := range []string{"", "collector", "collector:4318", "grpc://c:4317", "https://me:hush@c", "https://c?token=hush", "https://c#x", "https://", "http://[::1"} {
		if err := CheckURL(u); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", u, err)
		}
		if _, err := New(t.Context(), Config{URL: u}); err == nil {
			t.Errorf("New takes %q", u)
		}
	}
	for base, want := range map[string]string{"http://c:4318": "http://c:4318/v1/traces", "http://c:4318/": "http://c:4318/v1/traces", "https://c/otlp/v1/traces": "https://c/otlp/v1/traces"} {
		if x, err := newClient(Config{URL: base}); err != nil || x.url != want {
			t.Errorf("%s: %v, %v", base, x, err)
		}
	}
}

func FuzzParseHeaders(f *testing.F) {
	for _, s := range []string{"", "a=b", "authorization=Bearer%20x,tenant=a", " a = b , ,c=", "=x", "a", "a=%", "a=%0d%0aX: y", "a b=c", "a:b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseHeaders(text)
		if err != nil {
			if len(text) > 3 && strings.Contains(err.Error(), text) {
				t.Errorf("the error repeats it: %v", err)
			}
			return
		}
		h := http.Header{}
		for name, value := range list {
			if strings.ContainsAny(name+value, "\r\n") {
				t.Fatalf("%q: %q", name, value)
			}
			h.Set(name, value)
		}
		if err := h.Write(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}

func TestParseHeaders(t *testing.T) {
	list, err := ParseHeaders(" authorization=Bearer%20x%3D , tenant=a=b,,")
	if err != nil || len(list) != 2 || list["authorization"] != "Bearer x=" || list["tenant"] != "a=b" {
		t.Errorf("%q, %v", list, err)
	}
	for _, text := range []string{"hush", "=hush", "a=%zz", "a=%0Ahush", "a b=hush", "a:b=hush"} {
		if _, err := ParseHeaders(text); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
