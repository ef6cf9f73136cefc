package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealthcheck_WhereToAsk(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8081": "http://127.0.0.1:8081/readyz", "0.0.0.0:8081": "http://127.0.0.1:8081/readyz", ":8081": "http://127.0.0.1:8081/readyz",
		"[::]:8081": "http://[::1]:8081/readyz", "10.0.0.5:81": "http://10.0.0.5:81/readyz", "127.0.0.1:0": "",
	} {
		if got, err := (&settings{adminListen: listen}).readyURL(); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", listen, got, err, want)
		}
	}
}

func TestHealthcheck_Answers(t *testing.T) {
	for body, want := range map[string]string{
		`{"ready":false,"parts":{"records":"not ready","bucket":"ready","a":"not ready"}}`: "not ready: a, records",
		`{"ready":false,"parts":{"bucket":"ready"}}`:                                       "it is not ready",
		"<html>": "it answers 503 Service Unavailable",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				http.Redirect(w, r, "/fine", http.StatusFound)
				return
			}
			if r.URL.Path != "/fine" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			w.Write([]byte(body)) //nolint:errcheck // the test reads it
		}))
		if err := askReady(t.Context(), s.URL+"/readyz"); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
		if err := askReady(t.Context(), s.URL+"/fine"); err != nil {
			t.Errorf("200: %v", err)
		}
		if err := askReady(t.Context(), s.URL+"/elsewhere"); err == nil || !strings.Contains(err.Error(), "302") {
			t.Errorf("a redirect: %v", err)
		}
		s.Close()
		if err := askReady(t.Context(), s.URL+"/fine"); err == nil {
			t.Error("nobody is there, and is ready")
		}
	}
}
