package main

import (
	"slices"
	"testing"
)

func TestLoopbackHost(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.8.9.1": true, "localhost": true, "LOCALHOST": true, "::1": true, "[::1]": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "::": false, "10.0.0.1": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "2130706433": false,
	} {
		if got := loopbackHost(host); got != want {
			t.Errorf("loopbackHost(%q) is %v", host, got)
		}
	}
}

func TestPageOrigins(t *testing.T) {
	for _, tc := range []struct {
		public, listening string
		want              []string
	}{
		{"", "127.0.0.1:8080", []string{"http://127.0.0.1:8080", "http://localhost:8080"}},
		{"", "127.0.0.1:80", []string{"http://127.0.0.1", "http://localhost"}},
		{"", "[::1]:8080", []string{"http://[::1]:8080", "http://127.0.0.1:8080", "http://localhost:8080"}},
		{"", "192.0.2.1:8080", []string{"http://192.0.2.1:8080"}},
		{"https://Photos.example:443/up", "[::]:8080", []string{"https://photos.example"}},
		{"https://photos.example", "127.0.0.1:8080", []string{"https://photos.example", "http://127.0.0.1:8080", "http://localhost:8080"}},
	} {
		s := &settings{publicURL: tc.public}
		if got := s.pageOrigins(tc.listening); !slices.Equal(got, tc.want) {
			t.Errorf("pageOrigins of %q on %s: %v, want %v", tc.public, tc.listening, got, tc.want)
		}
	}
}

// TestThreat18_OriginsAreExact pins what --origin accepts.
func TestThreat18_OriginsAreExact(t *testing.T) {
	for _, v := range []string{"https://app.example", "http://localhost:3000", "https://[2001:db8::1]:8443"} {
		if err := isOrigin(v); err != nil {
			t.Error(err)
		}
	}
	for _, v := range []string{
		"", "*", "null", "https://*.app.example", "app.example", "https://app.example/", "https://app.example/x", "https://App.example",
		"https://app.example:443", "ftp://app.example", "https://u@app.example", "https://app.example?x", "file://",
	} {
		if isOrigin(v) == nil {
			t.Errorf("origin %q is accepted", v)
		}
	}
}
