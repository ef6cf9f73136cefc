package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern.example/postern/internal/listen"
)

// onServer serves h as our servers do.
func onServer(t *testing.T, h http.Handler) (s *http.Server, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = listen.NewServer(h, slog.New(slog.DiscardHandler))
	go s.Serve(l) //nolint:errcheck // it ends by Close
	t.Cleanup(func() { s.Close() })
	return s, l.Addr().String()
}

func TestEdge_EventsEndWhenTheServerStops(t *testing.T) {
	stopping, stop := context.WithCancel(t.Context())
	defer stop()
	e := &edge{stopping: stopping.Done(), observe: func(*http.Request, int, time.Duration) {}}
	e.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "event: state\n\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	})
	s, address := onServer(t, e)
	res, err := http.Get("http://" + address + "/uploads/x/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "event: state\n" {
		t.Fatalf("event: %q, %v", line, err)
	}
	stop()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("a watched upload holds the stop: %v", err)
	}
}

func TestEdge_ObservesRouteAndStatus(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /uploads/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	mux.HandleFunc("GET /quiet", func(http.ResponseWriter, *http.Request) {})
	var route string
	var status int
	e := &edge{next: mux, stopping: t.Context().Done(), observe: func(r *http.Request, code int, _ time.Duration) { route, status = r.Pattern, code }}
	for path, want := range map[string]struct {
		route  string
		status int
	}{"/uploads/1": {"GET /uploads/{id}", 418}, "/quiet": {"GET /quiet", 200}, "/no/such": {"", 404}} {
		e.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		if route != want.route || status != want.status {
			t.Errorf("%s: %q %d, want %q %d", path, route, status, want.route, want.status)
		}
	}
}

// TestThreat17_ForeignHostNames pins what a gate on loopback answers to.
func TestThreat17_ForeignHostNames(t *testing.T) {
	h := onlyFor((&settings{listen: "127.0.0.1:8080"}).hosts(), http.HandlerFunc(alive))
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1:8080": 200, "127.0.0.1": 200, "[::1]:8080": 200, "[::1]": 200,
		"evil.example": 403, "evil.example:8080": 403, "localhost.evil.example": 403, "": 403, "127.0.0.1.evil.example:8080": 403, "0.0.0.0:8080": 403,
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestReady_NamesWhatIsNot(t *testing.T) {
	var logged strings.Builder
	h := ready([]part{
		{"records", func(context.Context) error { return nil }},
		{"bucket", func(ctx context.Context) error {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the check has no time limit")
			}
			return errors.New("no route to host")
		}},
	}, slog.New(slog.NewTextHandler(&logged, nil)))
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if want := `{"ready":false,"parts":{"bucket":"not ready","records":"ready"}}` + "\n"; w.Code != 503 || w.Body.String() != want {
		t.Errorf("answer is %d %s", w.Code, w.Body)
	}
	if !strings.Contains(logged.String(), "no route to host") {
		t.Errorf("log lacks the cause: %s", logged.String())
	}
}

func TestAdmin_ProfilesOnLoopbackOnly(t *testing.T) {
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for loopback, want := range map[bool]int{true: 200, false: 404} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/debug/pprof/cmdline", nil)
		r.Host = "127.0.0.1:8081"
		adminHandler(nothing, nothing, nothing, loopback).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("loopback %v: %d, want %d", loopback, w.Code, want)
		}
	}
}
