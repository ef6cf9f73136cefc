package webhook

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestThreat32_PrivateAddresses(t *testing.T) {
	for _, text := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"192.0.0.170", "198.18.0.1", "203.0.113.9", "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
		"fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001::1", "2001:db8::1", "fec0::1", "100::1",
	} {
		if public(netip.MustParseAddr(text)) {
			t.Errorf("%s counts as public", text)
		}
		host := text
		if strings.Contains(host, ":") {
			host = "[" + strings.ReplaceAll(host, "%", "%25") + "]"
		}
		if err := CheckURL("https://"+host+"/hook", false); err == nil {
			t.Errorf("https://%s is taken", host)
		}
		if err := CheckURL("http://"+host+"/hook", true); err != nil {
			t.Errorf("http://%s, allowed: %v", host, err)
		}
	}
	for _, text := range []string{"8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"} {
		if !public(netip.MustParseAddr(text)) {
			t.Errorf("%s counts as private", text)
		}
	}
	for _, u := range []string{"http://app.example/hook", "file:///etc/passwd", "ftp://app.example", "gopher://app.example", "https://", "https:app.example", "//app.example", "https://me:hush@app.example/", "https://app.example/#x", "https://[::1", ""} {
		if err := CheckURL(u, false); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", u, err)
		}
	}
}

// names answers every question for an IPv4 address with the one it has now.
func startNames(t *testing.T, address func(asked int64) netip.Addr) (*net.Resolver, *atomic.Int64) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	asked := &atomic.Int64{}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			q := b[:n]
			end := 12 // RFC 1035, section 4.1: the question follows the header
			for end < n && q[end] != 0 {
				end += int(q[end]) + 1
			}
			question := q[12 : end+5]
			answer := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
			if binary.BigEndian.Uint16(q[end+1:]) == 1 { // A
				ip := address(asked.Add(1)).As4()
				answer[7] = 1
				answer = append(answer, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				answer = append(answer, ip[:]...)
			}
			if _, err := c.WriteTo(answer, from); err != nil {
				return
			}
		}
	}()
	at := c.LocalAddr().String()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", at)
	}}, asked
}

// A name that is public when it is looked at, and private when it is called, is
// not called; nor is one that was always private, nor where a redirect leads.
func TestThreat32_RebindingAndRedirects(t *testing.T) {
	inside := startReceiver(t, nil)
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	send := func(c Config, url string) error {
		c.URLs, c.Secrets = []string{"https://app.example/"}, []Secret{secret(t, newSecret)}
		c.Queue = noQueue{}
		s, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Send(t.Context(), url, "evt_1", []byte("{}"))
		return err
	}
	resolver, asked := startNames(t, func(n int64) netip.Addr {
		if n == 1 {
			return netip.MustParseAddr("8.8.8.8")
		}
		return netip.MustParseAddr("127.0.0.1")
	})
	if ips, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example"); err != nil || !public(ips[0]) {
		t.Fatal(ips, err) // whoever looks first sees nothing wrong
	}
	if err := send(Config{Resolver: resolver}, "http://rebind.example"+port+"/"); err == nil || !strings.Contains(err.Error(), "not public") {
		t.Errorf("rebound: %v", err)
	}
	if asked.Load() < 2 {
		t.Fatal("it was not resolved when it was called")
	}
	for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "localhost"} {
		if err := send(Config{}, "http://"+host+port+"/"); err == nil || !strings.Contains(err.Error(), "not public") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := len(inside.all()); n != 0 {
		t.Errorf("it was called %d times", n)
	}
	if err := send(Config{AllowPrivate: true}, inside.URL); err != nil {
		t.Errorf("allowed: %v", err) // so it was the address that stood against it
	}

	for _, to := range []string{inside.URL, "file:///etc/passwd", "http://169.254.169.254/latest/meta-data"} {
		outside := startReceiver(t, func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		if err := send(Config{AllowPrivate: true}, outside.URL); err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
			t.Errorf("redirect to %s: %v", to, err)
		}
	}
	if n := len(inside.all()); n != 1 {
		t.Errorf("it was called %d times", n)
	}
}

// noQueue is of a sender that is only asked to send.
type noQueue struct{ Queue }

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "7": 7 * time.Second, "99999999999999999999": 0, "999999999": maxPause, "soon": 0,
		"Mon, 04 May 2026 12:00:09 GMT": 9 * time.Second, "Mon, 04 May 2020 12:00:09 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
