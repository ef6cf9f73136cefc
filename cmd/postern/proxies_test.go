package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func trustedNetworks(list ...string) networks { return (&settings{trustedProxies: list}).trusted() }

func TestTrustedProxies_Networks(t *testing.T) {
	for v, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "192.0.2.7": "192.0.2.7/32", "fd00::/8": "fd00::/8", "::1": "::1/128", "::ffff:192.0.2.7": "192.0.2.7/32", "0.0.0.0/0": "0.0.0.0/0",
	} {
		if n, err := parseNetwork(v); err != nil || n.String() != want {
			t.Errorf("%s: %v, %v; want %s", v, n, err, want)
		}
	}
	for v, want := range map[string]string{
		"": "neither", "10.0.0.0/33": "neither", "proxy.example": "neither", "10.1.2.3/8": "10.0.0.0/8", "fe80::1%eth0": "neither", "::ffff:10.0.0.0/104": "10.0.0.0/8",
	} {
		if _, err := parseNetwork(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", v, err, want)
		}
	}
}

// TestThreat37_ForwardedAddresses pins that nobody can write somebody else's
// address, or anything that is not one, into the log.
func TestThreat37_ForwardedAddresses(t *testing.T) {
	trust := trustedNetworks("10.0.0.0/8", "fd00::/8")
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                     {"203.0.113.9", nil, "203.0.113.9"},
		"a stranger says who he is":    {"203.0.113.9", []string{"198.51.100.1"}, "203.0.113.9"},
		"behind a proxy":               {"10.0.0.1", []string{"203.0.113.9"}, "203.0.113.9"},
		"behind two":                   {"10.0.0.1", []string{"203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		"behind two, two headers":      {"10.0.0.1", []string{"203.0.113.9", "10.0.0.2"}, "203.0.113.9"},
		"he wrote an address before":   {"10.0.0.1", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		"he wrote a header before":     {"10.0.0.1", []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
		"he wrote a proxy's address":   {"10.0.0.1", []string{"10.0.0.7, 203.0.113.9"}, "203.0.113.9"},
		"from within":                  {"10.0.0.1", []string{"10.1.1.1"}, "10.1.1.1"},
		"no address":                   {"10.0.0.1", []string{"unknown"}, "10.0.0.1"},
		"no address further left":      {"10.0.0.1", []string{"a\nb, 10.0.0.2"}, "10.0.0.2"},
		"nothing":                      {"10.0.0.1", []string{""}, "10.0.0.1"},
		"nothing beside a comma":       {"10.0.0.1", []string{"203.0.113.9,"}, "10.0.0.1"},
		"with a port":                  {"10.0.0.1", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		"IPv6":                         {"fd00::1", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 in brackets":             {"fd00::1", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv6 with a port":             {"fd00::1", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"a zone, which could be long":  {"fd00::1", []string{"fe80::7%" + strings.Repeat("x", 500)}, "fe80::7"},
		"IPv4 as IPv6 is the same one": {"10.0.0.1", []string{"203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9"},
	} {
		if got := trust.visitor(netip.MustParseAddr(c.peer), c.forwarded); got.String() != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", ",", "203.0.113.9", "198.51.100.1, 203.0.113.9, 10.0.0.2", "[2001:db8::7]:1,fe80::1%x", "unknown, _hidden", "10.0.0.1,10.0.0.2"} {
		f.Add(seed)
	}
	trust, proxy := trustedNetworks("10.0.0.0/8"), netip.MustParseAddr("10.0.0.1")
	f.Fuzz(func(t *testing.T, header string) {
		got := trust.visitor(proxy, []string{header})
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q: %v", header, got)
		}
		// Whatever was there before a true proxy's word does not count.
		if got := trust.visitor(proxy, []string{header, "203.0.113.9"}); got.String() != "203.0.113.9" {
			t.Fatalf("%q before: %v", header, got)
		}
		if got := trust.visitor(proxy, []string{header + ",203.0.113.9"}); got.String() != "203.0.113.9" {
			t.Fatalf("%q before, in one: %v", header, got)
		}
	})
}

// A request's lines name who asked, on a real connection, and other lines
// nobody.
func TestTrustedProxies_Log(t *testing.T) {
	for name, c := range map[string]struct {
		trust     networks
		forwarded string
		want      string
	}{
		"trusted":     {trustedNetworks("127.0.0.0/8"), "203.0.113.9", "client=203.0.113.9\n"},
		"not trusted": {trustedNetworks("192.0.2.0/24"), "203.0.113.9", "client=127.0.0.1\n"},
		"none":        {nil, "203.0.113.9", "client=127.0.0.1\n"},
		"not said":    {trustedNetworks("127.0.0.0/8"), "", "client=127.0.0.1\n"},
	} {
		var logged strings.Builder
		logger := slog.New(visitorLog{slog.NewTextHandler(&logged, nil)})
		h := c.trust.see(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { logger.InfoContext(r.Context(), "request") }))
		s := httptest.NewUnstartedServer(h)
		s.Config.ConnContext = connected
		s.Start()
		defer s.Close()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if !strings.HasSuffix(logged.String(), c.want) {
			t.Errorf("%s: %s", name, logged.String())
		}
		logged.Reset()
		logger.InfoContext(context.Background(), "by itself")
		if strings.Contains(logged.String(), "client") {
			t.Errorf("%s: %s", name, logged.String())
		}
	}
}
