package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Time limits of our servers. None has a WriteTimeout of its own: events are
// watched for as long as somebody looks, and a large file takes its time. What
// is bounded instead is how long a connection may stand still.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	bodyTimeout   = 30 * time.Second // for the whole body of an API request
	answerTimeout = 5 * time.Minute  // for an answer that is not a stream of events
	standstill    = time.Minute      // between two reads of a file sent to the bucket
	maxHeader     = 32 << 10
	shutdownTime  = 10 * time.Second
)

func newServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// listen opens an address, or says who is in the way.
func listen(ctx context.Context, name, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, failed("Stop what listens there, or choose another address with "+name+" (port 0: any free one).",
			"listen on %s: the port is taken", address)
	case err != nil:
		return nil, failed("Choose another address with "+name+".", "listen on %s: %w", address, err)
	}
	return l, nil
}

// shutdown lets a server finish its requests, within ctx.
func shutdown(ctx context.Context, s *http.Server) error {
	if err := s.Shutdown(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// edge is around everything the main listener answers.
type edge struct {
	next     http.Handler
	observe  func(r *http.Request, status int, took time.Duration)
	stopping <-chan struct{} // closed when the server stops
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	out := &answer{ResponseWriter: w}
	deadlines := http.NewResponseController(w)
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/events") {
		// A stopping server waits for answers to end; these end by themselves
		// only when the upload does.
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		go func() {
			select {
			case <-e.stopping:
				cancel()
			case <-ctx.Done():
			}
		}()
		r = r.WithContext(ctx)
		_ = deadlines.SetWriteDeadline(time.Time{}) // the connection may have an earlier answer's
	} else {
		_ = deadlines.SetWriteDeadline(start.Add(answerTimeout)) // every connection of a server has deadlines
	}
	if r.ContentLength != 0 {
		_ = deadlines.SetReadDeadline(start.Add(bodyTimeout))
	}
	e.next.ServeHTTP(out, r)
	e.observe(r, out.code(), time.Since(start))
}

// answer remembers the status that was sent.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// ReadFrom keeps the way open on which a file goes straight to its connection.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return io.Copy(a.ResponseWriter, r)
}

// Unwrap serves http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// logged writes one line for each request, without its query.
func logged(next http.Handler, logger *slog.Logger, level slog.Level) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !logger.Enabled(r.Context(), level) {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		out := &answer{ResponseWriter: w}
		next.ServeHTTP(out, r)
		logger.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", out.code()), slog.Float64("took_ms", float64(time.Since(start).Microseconds())/1000))
	})
}

// onlyFor answers requests for the named hosts; nil is any.
func onlyFor(hosts []string, next http.Handler) http.Handler {
	if hosts == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.Trim(r.Host, "[]")
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			name = host
		}
		if !slices.Contains(hosts, name) {
			http.Error(w, "This server does not answer to the host name in the request.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// patient gives a file all the time it needs as long as bytes keep coming, and
// a whole body or answer as long as the slowest line that is worth waiting for
// takes. Who is slower holds a connection and a file for nobody's good.
func patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		out := &patientAnswer{answer: answer{ResponseWriter: w}, control: http.NewResponseController(w)}
		_ = out.control.SetWriteDeadline(time.Time{}) // the connection may have an earlier answer's
		if r.Body != nil && r.ContentLength != 0 {
			b := &patientBody{ReadCloser: r.Body, control: out.control, began: now}
			b.extend(now)
			r.Body = b
		}
		next.ServeHTTP(out, r)
	})
}

// slowest is the least that a connection must carry on the whole, in bytes a
// second: a phone at the edge of its cell.
const slowest = 1 << 10

// allowance is the time that so many bytes may take at most.
func allowance(bytes int64) time.Duration {
	return standstill + time.Duration(bytes/slowest)*time.Second
}

type patientBody struct {
	io.ReadCloser
	control  *http.ResponseController
	began    time.Time
	read     atomic.Int64
	extended atomic.Int64 // when, in nanoseconds since 1970
}

func (b *patientBody) Read(p []byte) (int, error) {
	// A second's grain keeps the system call off the fast path.
	if now := time.Now(); now.UnixNano()-b.extended.Load() > int64(time.Second) {
		b.extend(now)
	}
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func (b *patientBody) extend(now time.Time) {
	b.extended.Store(now.UnixNano())
	until := now.Add(standstill)
	if last := b.began.Add(allowance(b.read.Load())); last.Before(until) {
		until = last
	}
	_ = b.control.SetReadDeadline(until) // every connection of a server has deadlines
}

// patientAnswer bounds how long an answer may take by its length.
type patientAnswer struct {
	answer
	control *http.ResponseController
}

func (a *patientAnswer) WriteHeader(status int) {
	length, err := strconv.ParseInt(a.Header().Get("Content-Length"), 10, 64)
	if err != nil {
		length = 0
	}
	_ = a.control.SetWriteDeadline(time.Now().Add(allowance(length))) // every connection of a server has deadlines
	a.answer.WriteHeader(status)
}
