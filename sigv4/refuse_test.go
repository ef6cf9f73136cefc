package sigv4_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

func TestPresignRefuses(t *testing.T) {
	parse := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	ok := sigv4.Request{URL: parse("https://b.example/a"), Expires: time.Minute}
	s := sigv4.NewSigner("us-east-1")
	for name, change := range map[string]func(*sigv4.Request){
		"no URL":              func(r *sigv4.Request) { r.URL = nil },
		"no host":             func(r *sigv4.Request) { r.URL = parse("/a") },
		"no scheme":           func(r *sigv4.Request) { r.URL = parse("//b.example/a") },
		"another scheme":      func(r *sigv4.Request) { r.URL = parse("ftp://b.example/a") },
		"user":                func(r *sigv4.Request) { r.URL = parse("https://u:p@b.example/a") },
		"fragment":            func(r *sigv4.Request) { r.URL = parse("https://b.example/a#b") },
		"opaque":              func(r *sigv4.Request) { r.URL = &url.URL{Scheme: "https", Opaque: "//b.example/a"} },
		"host with a break":   func(r *sigv4.Request) { r.URL = &url.URL{Scheme: "https", Host: "b.example\n", Path: "/a"} },
		"host with a path":    func(r *sigv4.Request) { r.URL = &url.URL{Scheme: "https", Host: "b.example/x", Path: "/a"} },
		"international host":  func(r *sigv4.Request) { r.URL = &url.URL{Scheme: "https", Host: "bücher.example", Path: "/a"} },
		"query not decodable": func(r *sigv4.Request) { r.URL = parse("https://b.example/a?x=%zz") },
		"signed already":      func(r *sigv4.Request) { r.URL = parse("https://b.example/a?x-amz-signature=y") },
		"no life":             func(r *sigv4.Request) { r.Expires = 0 },
		"too short":           func(r *sigv4.Request) { r.Expires = 999 * time.Millisecond },
		"too long":            func(r *sigv4.Request) { r.Expires = 7*24*time.Hour + 1 },
		"host header":         func(r *sigv4.Request) { r.Header = http.Header{"Host": {"x"}} },
		"authorization":       func(r *sigv4.Request) { r.Header = http.Header{"Authorization": {"x"}} },
		"header name":         func(r *sigv4.Request) { r.Header = http.Header{"A B": {"x"}} },
		"header with a break": func(r *sigv4.Request) { r.Header = http.Header{"X-Amz-Meta-A": {"a\nhost:evil"}} },
		"header twice":        func(r *sigv4.Request) { r.Header = http.Header{"X-A": {"x"}, "x-a": {"y"}} },
		"payload hash":        func(r *sigv4.Request) { r.Header = http.Header{"X-Amz-Content-Sha256": {"x"}} },
	} {
		r := ok
		change(&r)
		if got, err := s.Presign(example, exampleTime, r); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := s.Presign(sigv4.Credentials{}, exampleTime, ok); err == nil {
		t.Error("signed without credentials")
	}
	if _, err := s.Presign(example, exampleTime, ok); err != nil {
		t.Error(err)
	}
	r := newRequest(t, "PUT", "https://b.example/a", "abc")
	if err := s.SignHeader(example, exampleTime, r, ""); err == nil {
		t.Error("signed a body as empty")
	}
	if err := s.SignHeader(sigv4.Credentials{}, exampleTime, r, sigv4.UnsignedPayload); err == nil {
		t.Error("signed without credentials")
	}
}

// Through net/http's own server and client, as in life.
func TestOverHTTP(t *testing.T) {
	now := time.Now()
	v := verifierFor(example, now)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := v.Request(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
	defer server.Close()
	s := sigv4.NewSigner("us-east-1")
	do := func(r *http.Request) {
		t.Helper()
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s: %s", r.Method, r.URL.Path, resp.Status)
		}
	}
	for _, key := range hostileKeys {
		u, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.Path = "/b/" + key
		r := newRequest(t, "PUT", u.String(), "abc")
		r.Header.Set("X-Amz-Meta-Name", "a  b")
		if err := s.SignHeader(example, now, r, sigv4.UnsignedPayload); err != nil {
			t.Fatal(err)
		}
		do(r)
		h := http.Header{"Content-Length": {"3"}, "Content-Type": {"image/png"}}
		signed, err := s.Presign(example, now, sigv4.Request{Method: "PUT", URL: u, Header: h, Expires: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		r = newRequest(t, "PUT", signed, "abc")
		r.Header = h
		do(r)
	}
}
