package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// hooks hears of events, and verifies them as the standard's library does.
type hooks struct {
	url, secret string
	server      *http.Server
	fail        atomic.Bool

	mu     sync.Mutex
	heard  map[string]map[string]int // by upload, type and id: how often
	forged int
}

func startHooks(ctx context.Context) (*hooks, error) {
	h := &hooks{secret: newSecret(), heard: map[string]map[string]int{}}
	verifier, err := standardwebhooks.NewWebhook(h.secret)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h.url = "http://" + l.Addr().String() + "/"
	h.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || h.fail.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var e struct {
			Type string
			Data struct{ ID string }
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if verifier.Verify(body, r.Header) != nil || json.Unmarshal(body, &e) != nil {
			h.forged++
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if h.heard[e.Data.ID] == nil {
			h.heard[e.Data.ID] = map[string]int{}
		}
		h.heard[e.Data.ID][e.Type+" "+r.Header.Get("webhook-id")]++
	})}
	go h.server.Serve(l) //nolint:errcheck // it ends with close
	return h, nil
}

func (h *hooks) close() error { return h.server.Close() }
