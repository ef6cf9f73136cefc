package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// CheckURL says what is wrong with the address of an endpoint. Errors do not
// repeat it: it may hold a token.
func CheckURL(address string, allowPrivate bool) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Hostname() == "":
		return errors.New("a webhook's URL must look like https://app.example/hooks/uploads")
	case u.User != nil:
		return errors.New("a webhook's URL must not hold a password: the signature says who calls")
	case u.Fragment != "":
		return errors.New("a webhook's URL has no fragment")
	case u.Scheme == "http" && allowPrivate:
	case u.Scheme != "https":
		return fmt.Errorf("a webhook's URL must be https, not %q; http is for private addresses, where those are allowed", u.Scheme)
	}
	if allowPrivate {
		return nil
	}
	if ip, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]")); err == nil && !public(ip) {
		return fmt.Errorf("a webhook's URL leads to %s, which is not a public address; private ones have to be allowed", ip)
	}
	return nil
}

// NameOf is how records and logs call an endpoint: its host and a hash of the
// whole address, which may hold a token.
func NameOf(address string) string {
	host := "?"
	if u, err := url.Parse(address); err == nil {
		host = u.Host
		if h, _, err := net.SplitHostPort(u.Host); err == nil {
			host = h
		}
	}
	sum := sha256.Sum256([]byte(address))
	return host[:min(len(host), 64)] + "-" + hex.EncodeToString(sum[:4])
}
