package main

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"postern.example/postern/gate"
)

// loopbackHost reports whether a host name or address means this machine only.
func loopbackHost(host string) bool {
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopbackHost(host)
}

// anywhere reports whether an address means every interface, and so names none.
func anywhere(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsUnspecified()
}

// local reports whether only this machine can reach the gate.
func (s *settings) local() bool {
	public, err := url.Parse(s.publicURL)
	return loopbackAddress(s.listen) && (s.publicURL == "" || err == nil && loopbackHost(public.Hostname()))
}

// checkReach refuses what would let strangers upload without having been told
// to. Signing is closed beyond loopback unless the settings say otherwise.
func (s *settings) checkReach() error {
	if len(s.auth) == 0 {
		for _, l := range []struct {
			name, what string
			used       bool
		}{{"listen", s.listen, s.asked()}, {"bucket-listen", s.bucketListen, s.bucket == ""}, {"admin-listen", s.adminListen, s.asked()}} {
			if !l.used || loopbackAddress(l.what) {
				continue
			}
			return misused(openHint, "listen on %s (%s): others could reach it, and no sign-in is set up", l.what, s.from[l.name])
		}
		if s.asked() && !s.local() {
			return misused(openHint, "serve %s (%s): others could reach it, and no sign-in is set up", s.publicURL, s.from["public-url"])
		}
	}
	if s.asked() && anywhere(s.listen) && s.publicURL == "" {
		return misused("Give it with --public-url, such as http://192.168.1.5:8080.",
			"listen on %s: the address at which browsers reach the page is not known", s.listen)
	}
	if s.bucket == "" && anywhere(s.bucketListen) && s.bucketURL == "" {
		return misused("Give it with --bucket-url, such as http://192.168.1.5:9000/"+gate.EmbeddedBucket+".",
			"listen on %s: the address at which browsers reach the embedded bucket is not known", s.bucketListen)
	}
	return nil
}

const openHint = `Listen on 127.0.0.1, or say with --auth who may upload: keys, jwt, forward, or none, which lets everybody who can reach it.`

// hosts are the host names that a gate on loopback answers to. A page from
// elsewhere whose name was made to resolve to 127.0.0.1 ("DNS rebinding")
// looks same-origin to the browser; only its Host header gives it away.
// Beyond loopback the names are the operator's affair: nil.
func (s *settings) hosts() []string {
	if !loopbackAddress(s.listen) {
		return nil
	}
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(s.listen); err == nil {
		names = append(names, host)
	}
	if u, err := url.Parse(s.publicURL); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	return names
}

// pageOrigins are the origins under which browsers know our own page.
func (s *settings) pageOrigins(listening string) []string {
	var origins []string
	if s.publicURL != "" {
		origins = append(origins, originOf(s.publicURL))
	}
	host, port, err := net.SplitHostPort(listening)
	if err != nil || anywhere(listening) {
		return origins
	}
	origins = append(origins, originOf("http://"+net.JoinHostPort(host, port)))
	if loopbackHost(host) {
		for _, name := range []string{"127.0.0.1", "localhost"} {
			if name != host {
				origins = append(origins, originOf("http://"+net.JoinHostPort(name, port)))
			}
		}
	}
	return origins
}
