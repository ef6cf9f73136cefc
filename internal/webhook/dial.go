package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

var errPrivate = errors.New("the address is not a public one")

// closed are the networks that no public server has an address in: IANA's
// registries of special-purpose addresses (RFC 6890 and after it), and those
// that carry an IPv4 address inside, which is how a private one would be dressed
// up.
var closed = func() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}()

// global is the part of IPv6 that is given out.
var global = netip.MustParsePrefix("2000::/3")

// public reports whether a server out there can have this address.
func public(ip netip.Addr) bool {
	if ip.Zone() != "" {
		return false
	}
	ip = ip.Unmap()
	if ip.Is6() && !global.Contains(ip) {
		return false
	}
	for _, p := range closed {
		if p.Contains(ip) {
			return false
		}
	}
	return ip.IsValid()
}

// onlyPublic refuses a connection once it is known where it would lead: names
// are resolved by then, so it does not matter what they resolved to before.
func onlyPublic(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	if !public(to.Addr()) {
		return fmt.Errorf("dial %s: %w", to.Addr(), errPrivate)
	}
	return nil
}

const dialTime = 5 * time.Second

// newClient makes the client of all endpoints. It has no proxy: one would be
// told to connect where we may not.
func newClient(allowPrivate bool, resolver *net.Resolver) *http.Client {
	d := &net.Dialer{Timeout: dialTime, Resolver: resolver}
	if !allowPrivate {
		d.ControlContext = onlyPublic
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: d.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTime,
			MaxIdleConnsPerHost: atOnce, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
