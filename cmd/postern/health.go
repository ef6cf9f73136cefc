package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// readyTime is how long a part may take to answer before it counts as not
// ready: less than the time-out of the usual prober.
const readyTime = 2 * time.Second

// part is something the gate needs to be ready.
type part struct {
	name string
	ping func(context.Context) error
}

// alive answers /healthz: the process runs and answers.
func alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintln(w, "ok")
}

// ready answers /readyz: 200 when every part answers in time, else 503, and
// names what does not. Why is in the log.
func ready(parts []part, logger *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTime)
		defer cancel()
		faults := make([]error, len(parts))
		var wg sync.WaitGroup
		for i, p := range parts {
			wg.Go(func() { faults[i] = p.ping(ctx) })
		}
		wg.Wait()
		doc := struct {
			Ready bool              `json:"ready"`
			Parts map[string]string `json:"parts"`
		}{true, map[string]string{}}
		for i, p := range parts {
			doc.Parts[p.name] = "ready"
			if faults[i] != nil {
				doc.Ready, doc.Parts[p.name] = false, "not ready"
				logger.LogAttrs(r.Context(), slog.LevelWarn, "not ready", slog.String("part", p.name), slog.String("cause", faults[i].Error()))
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !doc.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		json.NewEncoder(w).Encode(doc) //nolint:errcheck // the prober has gone
	}
}
