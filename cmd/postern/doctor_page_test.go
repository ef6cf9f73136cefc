package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern.example/postern/internal/doctor"
	"postern.example/postern/sigv4"
)

// pageOf is a doctor's page over a bucket that is not there.
func pageOf(t *testing.T) (d *doctorPage, asked *int) {
	t.Helper()
	asked = new(int)
	nobody := func(context.Context) (sigv4.Credentials, error) {
		return sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "very-secret"}, nil
	}
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return &doctorPage{
		config: func(origin string) (doctor.Config, error) {
			*asked++
			return doctor.Config{
				URL: "http://127.0.0.1:1/photos", Bucket: "photos", Region: "us-east-1", Signer: nobody, Worker: nobody,
				Origins: []string{origin}, Only: []string{"network"},
			}, nil
		},
		hosts: []string{"localhost", "127.0.0.1", "::1"}, log: slog.New(slog.DiscardHandler), now: func() time.Time { return now },
	}, asked
}

func knock(d *doctorPage, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/doctor", nil)
	r.RemoteAddr = "127.0.0.1:50000"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// The doctor answers the person at this machine, and to everybody else there is
// no such page.
func TestDoctorPage_NotForStrangers(t *testing.T) {
	d, asked := pageOf(t)
	for name, change := range map[string]func(*http.Request){
		"another machine":           func(r *http.Request) { r.RemoteAddr = "192.0.2.7:50000" },
		"another machine, mapped":   func(r *http.Request) { r.RemoteAddr = "[::ffff:192.0.2.7]:50000" },
		"no address":                func(r *http.Request) { r.RemoteAddr = "@" },
		"DNS rebinding":             func(r *http.Request) { r.Host = "evil.example:8080" },
		"a name that begins alike":  func(r *http.Request) { r.Host = "localhost.evil.example" },
		"no name":                   func(r *http.Request) { r.Host = "" },
		"another site's page":       func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a page on another port":    func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"a page with its origin":    func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"a page without an origin":  func(r *http.Request) { r.Header.Set("Origin", "null") },
		"past a proxy":              func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.7") },
		"past a proxy, by RFC 7239": func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.7") },
	} {
		if w := knock(d, change); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if *asked != 0 {
		t.Errorf("strangers had %d reports made", *asked)
	}
	for name, change := range map[string]func(*http.Request){
		"typed":                  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") },
		"a link on our page":     func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") },
		"by IPv6":                func(r *http.Request) { r.RemoteAddr, r.Host = "[::1]:50000", "[::1]:8080" },
		"by name":                func(r *http.Request) { r.Host = "localhost:8080" },
		"an older browser":       nil,
		"our page with a script": func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:8080") },
	} {
		if w := knock(d, change); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestDoctorPage_KeepsAReportForAMoment(t *testing.T) {
	d, asked := pageOf(t)
	now := d.now()
	d.now = func() time.Time { return now }
	knock(d, nil)
	knock(d, nil)
	if *asked != 1 {
		t.Errorf("two askers at once had %d reports made, want 1", *asked)
	}
	knock(d, func(r *http.Request) { r.Host = "localhost:8080" })
	if *asked != 2 {
		t.Error("a report for one origin was given for another")
	}
	now = now.Add(doctorFresh)
	knock(d, func(r *http.Request) { r.Host = "localhost:8080" })
	if *asked != 3 {
		t.Error("an old report was given")
	}
}

func TestDoctorPage_HTMLAndJSON(t *testing.T) {
	d, _ := pageOf(t)
	w := knock(d, func(r *http.Request) { r.Header.Set("Accept", "application/json") })
	var report doctor.Report
	if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil || report.Bucket != "photos" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%v %v\n%s", err, w.Header(), w.Body)
	}
	w = knock(d, func(r *http.Request) {
		r.Header.Set("Accept", "text/html,application/xhtml+xml,application/json;q=0.1")
	})
	h := w.Header()
	if !strings.HasPrefix(h.Get("Content-Type"), "text/html") || h.Get("Cache-Control") != "no-store" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%v", h)
	}
	if !strings.Contains(w.Body.String(), "Bucket photos in us-east-1") || strings.Contains(w.Body.String(), "very-secret") {
		t.Errorf("%s", w.Body)
	}
	d.config = func(string) (doctor.Config, error) { return doctor.Config{}, errors.New("<b>no keys</b>") }
	d.last = nil
	w = knock(d, nil)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "&lt;b&gt;no keys") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
