package sigv4_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// A fuzz target that lost its seeds still passes, and finds nothing.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	targets := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`).FindAllSubmatch(source, -1) {
			targets++
			seeds, err := os.ReadDir(filepath.Join("testdata", "fuzz", string(m[1])))
			if err != nil || len(seeds) == 0 {
				t.Errorf("%s has no seeds: %v", m[1], err)
			}
		}
	}
	if targets != 7 {
		t.Errorf("%d fuzz targets were found", targets)
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := sigv4.ParsePolicy(doc)
		if err != nil {
			var e *sigv4.Error
			if p != nil || !errors.As(err, &e) || e.Code != "InvalidPolicyDocument" && e.Code != "AccessDenied" {
				t.Fatalf("%v, %v", p, err)
			}
			return
		}
		// What is taken is JSON by another's judgement, but for the two
		// escapes that Amazon adds to it.
		if plain := strings.NewReplacer(`\\`, `\\`, `\$`, `$`, `\v`, `\t`).Replace(string(doc)); !json.Valid([]byte(plain)) {
			t.Fatalf("taken, but no JSON: %q", doc)
		}
		again := p.AppendJSON(nil)
		q, err := sigv4.ParsePolicy(again)
		if err != nil {
			t.Fatalf("%q became %q: %v", doc, again, err)
		}
		if !equalPolicies(p, q) {
			t.Fatalf("%q: %v became %v", doc, p, q)
		}
		if !json.Valid(again) {
			t.Fatalf("%q became %q", doc, again)
		}
		_ = p.CheckSize(1)
		form := formWith(map[string]string{"key": "a", "content-type": "image/png"})
		if err := p.Evaluate(form, "b", time.Unix(0, 0)); err != nil && !errors.Is(err, sigv4.ErrAccessDenied) {
			t.Fatal(err)
		}
	})
}

func FuzzPresignRoundTrip(f *testing.F) {
	signer := sigv4.NewSigner("us-east-1")
	f.Fuzz(func(t *testing.T, path, query, token, value string) {
		c := sigv4.Credentials{AccessKeyID: "AKID", SecretAccessKey: "s", SessionToken: token}
		u := &url.URL{Scheme: "http", Host: "127.0.0.1:9000", Path: path, RawQuery: query}
		h := http.Header{"Content-Type": {value}}
		signed, err := signer.Presign(c, exampleTime, sigv4.Request{Method: "PUT", URL: u, Header: h, Expires: time.Minute})
		if err != nil {
			return
		}
		r, err := http.NewRequestWithContext(t.Context(), "PUT", signed, nil)
		if err != nil {
			t.Fatalf("%q: %v", signed, err)
		}
		if want := "/" + strings.TrimPrefix(path, "/"); r.URL.Path != want {
			t.Fatalf("path %q became %q", want, r.URL.Path)
		}
		r.Header = h
		v := verifierFor(c, exampleTime)
		in := received(t, r)
		if _, err := v.Request(in); err != nil {
			t.Fatalf("%q: %v", signed, err)
		}
		in.URL.Path += "x"
		if _, err := v.Request(in); !errors.Is(err, sigv4.ErrSignatureDoesNotMatch) {
			t.Fatalf("another path: %v", err)
		}
	})
}

// Nobody without the secret is let in, whatever he sends.
func FuzzVerifyRequest(f *testing.F) {
	c := sigv4.Credentials{AccessKeyID: example.AccessKeyID, SecretAccessKey: "known to nobody else, b1946ac9"}
	v := verifierFor(c, exampleTime)
	f.Fuzz(func(t *testing.T, path, query, authorization, date, hash string) {
		r := &http.Request{Method: "GET", Host: "h", URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{}}
		for name, value := range map[string]string{"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Content-Sha256": hash} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		id, err := v.Request(r)
		var e *sigv4.Error
		if !errors.As(err, &e) || e.Status < 400 || e.Code == "" || e.Message == "" {
			t.Fatalf("%+v, %v", id, err)
		}
		if authorization == "" && query == "" && !errors.Is(err, sigv4.ErrAnonymous) {
			t.Fatalf("nothing was sent: %v", err)
		}
	})
}
