package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// onServer serves h as our servers do.
func onServer(t *testing.T, h http.Handler) (s *http.Server, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = newServer(h, slog.New(slog.DiscardHandler))
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

// TestPatient_StandstillEndsTheRead shows that a body in which nothing moves
// is given up: the deadline is set before the first read, and in the past here.
func TestPatient_StandstillEndsTheRead(t *testing.T) {
	read := make(chan error, 1)
	_, address := onServer(t, patient(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b := r.Body.(*patientBody)
		b.extend(time.Now().Add(-2 * standstill)) // as if the last byte had come long ago
		_, err := b.ReadCloser.Read(make([]byte, 10))
		read <- err
	})))
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	select {
	case err := <-read:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("the read still waits")
	}
}

// TestPatient_MovingBodyIsExtended shows that each read moves the deadline on.
func TestPatient_MovingBodyIsExtended(t *testing.T) {
	_, address := onServer(t, patient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := r.Body.(*patientBody)
		b.extend(time.Now().Add(-2 * standstill))
		n, err := io.Copy(io.Discard, b)
		if n != 5 || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	})))
	res, err := http.Post("http://"+address, "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
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
		adminHandler(nothing, nothing, loopback).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("loopback %v: %d, want %d", loopback, w.Code, want)
		}
	}
}
