// Package listen is the HTTP servers of the program: their time limits, their
// log lines, and how a file is waited for.
package listen

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Time limits of our servers. None has a WriteTimeout of its own: events are
// watched for as long as somebody looks, and a large file takes its time. What
// is bounded instead is how long a connection may stand still.
const (
	HeaderTimeout = 10 * time.Second // for the head of a request
	idleTimeout   = 2 * time.Minute
	standstill    = time.Minute // between two reads of a file sent to the bucket
	maxHeader     = 32 << 10
)

// NewServer makes a server for h with those limits.
func NewServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: HeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// Shutdown lets a server finish its requests, within ctx.
func Shutdown(ctx context.Context, s *http.Server) error {
	if err := s.Shutdown(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// Answer remembers the status that was sent.
type Answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (a *Answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// ReadFrom keeps the way open on which a file goes straight to its connection.
func (a *Answer) ReadFrom(r io.Reader) (int64, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return io.Copy(a.ResponseWriter, r)
}

// Unwrap serves http.ResponseController.
func (a *Answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Code is the status that was sent; 200 before one was.
func (a *Answer) Code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// Logged writes one line for each request, without its query.
func Logged(next http.Handler, logger *slog.Logger, level slog.Level) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !logger.Enabled(r.Context(), level) {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		out := &Answer{ResponseWriter: w}
		next.ServeHTTP(out, r)
		logger.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", out.Code()), slog.Float64("took_ms", float64(time.Since(start).Microseconds())/1000))
	})
}
