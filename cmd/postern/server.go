package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"postern.example/postern/internal/listen"
)

// Time limits of the main listener; package listen has those of all.
const (
	bodyTimeout   = 30 * time.Second // for the whole body of an API request
	answerTimeout = 5 * time.Minute  // for an answer that is not a stream of events
	shutdownTime  = 10 * time.Second
)

// listenOn opens an address, or says who is in the way.
func listenOn(ctx context.Context, name, address string) (net.Listener, error) {
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

// edge is around everything the main listener answers.
type edge struct {
	next     http.Handler
	observe  func(r *http.Request, status int, took time.Duration)
	stopping <-chan struct{} // closed when the server stops
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	out := &listen.Answer{ResponseWriter: w}
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
	e.observe(r, out.Code(), time.Since(start))
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
