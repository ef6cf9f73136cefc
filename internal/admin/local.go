package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Local lets only those through who are at this machine: by their address, past
// no proxy, and for a name that is this machine's, since a name of its own is how
// a page elsewhere would get at us (DNS rebinding). To others there is nothing.
func Local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !here(r) {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func here(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	name := strings.Trim(r.Host, "[]")
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		name = host
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// guarded refuses what a page elsewhere makes a browser send, and lets no such
// page show ours.
func guarded(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // which Origin needs in forms
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if err := cross.Check(r); err != nil {
			http.Error(w, "Pages of other sites may not do this here.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
