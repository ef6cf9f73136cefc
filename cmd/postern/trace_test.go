package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes spans as OTLP over HTTP has them.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
	raw   bytes.Buffer
	about map[string]string
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{about: map[string]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var data tracepb.TracesData
		if err == nil {
			err = proto.Unmarshal(body, &data)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Authorization") != "Bearer hush" {
			t.Errorf("%s %v: %v", r.URL, r.Header, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.Write(body)
		for _, rs := range data.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				c.about[a.Key] = a.Value.GetStringValue()
			}
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func said(s *tracepb.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// One trace leads from the caller's own span over the request to the check and
// to what that asked of the bucket; and nothing in it is a secret or a name.
func TestTraces(t *testing.T) {
	inFolder(t)
	c := startCollector(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stdout, stderr lines
	code := make(chan int, 1)
	env := func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hush"}[name]
	}
	go func() {
		code <- run(ctx, []string{"postern", "serve", "--listen", "127.0.0.1:0", "--bucket-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"},
			strings.NewReader(""), &stdout, &stderr, env, children)
	}()
	waitReady(t, &stdout, &stderr, code)
	page := regexp.MustCompile(`ready: (http://\S+)`).FindStringSubmatch(stdout.String())[1]
	// By the time that one is through, the first sweep is as well, which might find
	// the other before it is announced.
	if _, err := send(page, "warm.jpg", "image/jpeg", smallPhoto(t)); err != nil {
		t.Fatal(err)
	}
	const caller = "4bf92f3577b34da6a3ce929d0e0e4736"
	caught := http.DefaultTransport
	http.DefaultTransport = named{caught, caller}
	sent, err := send(page, "holiday-in-rome.jpg", "image/jpeg", smallPhoto(t))
	http.DefaultTransport = caught
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if n := <-code; n != exitDone {
		t.Fatalf("ended with %d\n%s", n, stderr.String())
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.about["service.name"] != "postern" || c.about["service.version"] == "" {
		t.Errorf("it calls itself %v", c.about)
	}
	one := func(name string) *tracepb.Span {
		for _, s := range c.spans {
			if s.Name == name && said(s, "postern.upload") == sent.id {
				return s
			}
		}
		t.Fatalf("there is no span %q", name)
		return nil
	}
	grant, complete, check := one("POST /uploads"), one("POST /uploads/{id}/complete"), one("check")
	for _, s := range []*tracepb.Span{grant, complete, check} {
		if hex.EncodeToString(s.TraceId) != caller {
			t.Errorf("%s is of trace %x", s.Name, s.TraceId)
		}
		if said(s, "postern.upload") != sent.id {
			t.Errorf("%s is of upload %q, not %s", s.Name, said(s, "postern.upload"), sent.id)
		}
	}
	if !bytes.Equal(check.ParentSpanId, complete.SpanId) || said(check, "postern.outcome") != "ready" || said(check, "postern.request_id") != said(complete, "postern.request_id") {
		t.Errorf("the check: %v\nthe request: %v", check, complete)
	}
	below := map[string]int{}
	for _, s := range c.spans {
		if bytes.Equal(s.ParentSpanId, check.SpanId) {
			below[s.Name]++
		}
		if bytes.Equal(s.ParentSpanId, complete.SpanId) && s.Name == "bucket HeadObject" {
			below["the request's HeadObject"]++
		}
		if strings.HasPrefix(s.Name, "bucket ") && len(s.ParentSpanId) == 0 {
			t.Errorf("%s is part of nothing", s.Name)
		}
	}
	for name, want := range map[string]int{"bucket GetObject": 1, "bucket PutObject": 3, "bucket DeleteObject": 1, "the request's HeadObject": 1} {
		if below[name] != want {
			t.Errorf("%d × %s, want %d", below[name], name, want)
		}
	}
	for _, secret := range []string{"holiday", "incoming/", "images/", "X-Amz", "x-amz", "hush", "ignature", "olicy"} {
		if bytes.Contains(c.raw.Bytes(), []byte(secret)) {
			t.Errorf("the spans hold %q", secret)
		}
	}
}

// named is the caller's own tracing.
type named struct {
	http.RoundTripper
	trace string
}

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Traceparent", "00-"+n.trace+"-00f067aa0ba902b7-01")
	return n.RoundTripper.RoundTrip(r)
}

// A collector that is not there costs nobody anything but a line.
func TestTraces_CollectorAway(t *testing.T) {
	inFolder(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stdout, stderr lines
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"postern", "serve", "--otlp-endpoint", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--bucket-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"},
			strings.NewReader(""), &stdout, &stderr, noEnv, children)
	}()
	waitReady(t, &stdout, &stderr, code)
	page := regexp.MustCompile(`ready: (http://\S+)`).FindStringSubmatch(stdout.String())[1]
	if _, err := send(page, "p.jpg", "image/jpeg", smallPhoto(t)); err != nil {
		t.Fatal(err)
	}
	stop()
	if n := <-code; n != exitDone {
		t.Fatalf("ended with %d\n%s", n, stderr.String())
	}
	n := 0
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "spans") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d lines of it:\n%s", n, stderr.String())
	}
}
