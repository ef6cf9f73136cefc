package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// proxySettings are the rows of the table about what stands before the gate.
func proxySettings() []setting {
	return []setting{{
		name: "trusted-proxies", env: []string{"POSTERN_TRUSTED_PROXIES"}, category: publicly,
		usage: "`networks` of your reverse proxies, such as 10.0.0.0/8,192.0.2.7: what they say in X-Forwarded-For about who asks is written to the log, and used for nothing else",
		check: func(v string) error { _, err := parseNetwork(v); return err },
		into:  func(s *settings) any { return &s.trustedProxies },
	}}
}

// networks are where trusted proxies are.
type networks []netip.Prefix

// trusted are the networks of settings that were checked.
func (s *settings) trusted() networks {
	var list networks
	for _, v := range s.trustedProxies {
		if n, err := parseNetwork(v); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// parseNetwork reads a network or one address. Bits beyond the length are an
// error: who writes 10.1.2.3/8 means something else than what it says.
func parseNetwork(v string) (netip.Prefix, error) {
	n, err := netip.ParsePrefix(v)
	if err != nil {
		a, err := netip.ParseAddr(v)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither a network such as 10.0.0.0/8 nor an address", v)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	if n != n.Masked() || n.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not a network: it would be written %s", v, unmapped(n.Masked()))
	}
	return n, nil
}

func unmapped(n netip.Prefix) netip.Prefix {
	if n.Addr().Is4In6() && n.Bits() >= 96 {
		return netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
	}
	return n
}

func (n networks) contain(a netip.Addr) bool {
	for _, p := range n {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// visitor is who asked, when peer is at the other end of the connection and
// forwarded are the request's X-Forwarded-For headers.
//
// Each proxy adds whom it was asked by at the right; what stands to the left of
// that was sent by the asker, who may write what he likes. So the list is read
// from the right, for as long as it was written by a trusted proxy: the first
// address that is not one is the visitor. What is no address was written by
// nobody who can be believed, and ends the reading.
func (n networks) visitor(peer netip.Addr, forwarded []string) netip.Addr {
	for i := len(forwarded) - 1; i >= 0; i-- {
		rest := forwarded[i]
		for more := true; more; {
			if !n.contain(peer) {
				return peer
			}
			entry := rest
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, entry = rest[:comma], rest[comma+1:]
			} else {
				more = false
			}
			next, ok := parseHop(strings.Trim(entry, " \t"))
			if !ok {
				return peer
			}
			peer = next
		}
	}
	return peer
}

// parseHop reads an entry of X-Forwarded-For: an address, with a port from
// some proxies, and with brackets from some for IPv6. Zones are of other
// machines and mean nothing here.
func parseHop(entry string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(entry)
		if err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), true
}

type visitorKey struct{}

// connected is a server's ConnContext: the address of a connection's other
// end is read once, and every request on it has it.
func connected(ctx context.Context, c net.Conn) context.Context {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return context.WithValue(ctx, visitorKey{}, a.AddrPort().Addr().Unmap().WithZone(""))
	}
	return ctx
}

// see has requests that came through trusted proxies carry who asked.
func (n networks) see(next http.Handler) http.Handler {
	if len(n) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forwarded := r.Header["X-Forwarded-For"]
		if peer, ok := r.Context().Value(visitorKey{}).(netip.Addr); ok && len(forwarded) > 0 {
			r = r.WithContext(context.WithValue(r.Context(), visitorKey{}, n.visitor(peer, forwarded)))
		}
		next.ServeHTTP(w, r)
	})
}

// visitorLog adds who asked to lines that are written in the course of a
// request.
type visitorLog struct{ slog.Handler }

func (h visitorLog) Handle(ctx context.Context, r slog.Record) error {
	if a, ok := ctx.Value(visitorKey{}).(netip.Addr); ok {
		r.AddAttrs(slog.String("client", a.String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h visitorLog) WithAttrs(as []slog.Attr) slog.Handler {
	return visitorLog{h.Handler.WithAttrs(as)}
}

func (h visitorLog) WithGroup(name string) slog.Handler { return visitorLog{h.Handler.WithGroup(name)} }
