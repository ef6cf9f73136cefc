package main

import (
	"net/http"
	"net/http/pprof"
	"os"

	"postern.example/postern/gate"
	"postern.example/postern/internal/admin"
)

// adminPage is the operator's page of this copy.
func (p *program) adminPage(c programConfig) http.Handler {
	conf := admin.Config{Service: p.Service, Records: p.Records, Bucket: p.Bucket, Webhooks: p.Webhooks != nil, Logger: c.log}
	if gate.Role(c.role) != gate.API {
		conf.Jobs = func() (running, waiting int64) {
			s := p.Worker.Stats()
			return s.Running, s.Waiting
		}
	}
	if c.shared() { // there may be others
		conf.Name, _ = os.Hostname() // else it has none
	}
	return admin.New(conf)
}

// adminHandler answers the second listener: metrics, health, to people at this
// machine the operator's page and, on loopback only, profiles, since a heap
// profile holds whatever the process knows.
func adminHandler(metrics, ready, page http.Handler, loopback bool) http.Handler {
	mux := http.NewServeMux()
	for _, pattern := range admin.Patterns() {
		mux.Handle(pattern, admin.Local(page))
	}
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
