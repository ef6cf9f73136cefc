package main

import (
	"net/http"
	"net/http/pprof"
)

// adminHandler answers the second listener: metrics, health and, on loopback
// only, profiles, since a heap profile holds whatever the process knows.
func adminHandler(metrics, ready http.Handler, loopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", alive)
	mux.Handle("GET /readyz", ready)
	if !loopback {
		return mux
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return onlyFor([]string{"localhost", "127.0.0.1", "::1"}, mux)
}
