package sigv4

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// UnsignedPayload stands for the hash of a body that is not signed.
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	// EmptySHA256 is the hash of no bytes at all.
	EmptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	// MaxExpires is the longest life S3 allows a presigned URL.
	MaxExpires = 7 * 24 * time.Hour
)

// Signer signs for one region. It derives the key once for each UTC day and
// credential. Safe for concurrent use; must not be copied.
type Signer struct {
	region string
	keys   keyring
}

// NewSigner returns a signer for a region such as "us-east-1".
func NewSigner(region string) *Signer {
	return &Signer{region: region}
}

// SignHeader signs r by its Authorization header and sets X-Amz-Date,
// X-Amz-Content-Sha256 and, with temporary credentials, X-Amz-Security-Token.
// It must be the last to change r, whose URL must not carry a signature.
//
// The payloadHash is the SHA-256 of the body in lower-case hex,
// [UnsignedPayload] or one of S3's STREAMING- names; empty stands for
// [EmptySHA256], if r has no body. All headers are signed but those that
// transports and proxies set or change. It sets r.Host without a port that is
// the scheme's own.
func (s *Signer) SignHeader(c Credentials, now time.Time, r *http.Request, payloadHash string) error {
	if payloadHash == "" && (r.Body == nil || r.Body == http.NoBody) {
		payloadHash = EmptySHA256
	}
	if !validPayloadHash(payloadHash) {
		return errors.New("sign request: payload hash is neither a SHA-256 in hex nor a name S3 knows")
	}
	if err := c.check(); err != nil {
		return fmt.Errorf("sign request: %w", err)
	}
	u := *r.URL
	if r.Host != "" {
		u.Host = r.Host
	}
	host, err := checkURL(&u)
	if err != nil {
		return fmt.Errorf("sign request: %w", err)
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	now = now.UTC()
	k := s.keys.keyAt(c, s.region, now)
	w := k.take()
	defer k.put(w)
	stamp := string(appendStamp(w.text[:0], now))

	if r.Header == nil {
		r.Header = make(http.Header, 4)
	}
	r.Host = host
	r.Header.Del("Authorization")
	r.Header.Set(headerDate, stamp)
	r.Header.Set(headerPayload, payloadHash)
	r.Header.Del(headerToken)
	if c.SessionToken != "" {
		r.Header.Set(headerToken, c.SessionToken)
	}
	w.headers = append(w.headers, signedHeader{"host", []string{host}})
	for name, vs := range r.Header {
		if changesOnTheWay(lowerASCII(name)) {
			continue
		}
		if err := w.addHeader(name, vs); err != nil {
			return fmt.Errorf("sign request: %w", err)
		}
	}
	if !w.sortHeaders() {
		return errors.New("sign request: a header is given twice")
	}
	if err := w.addQuery(r.URL.RawQuery, ""); err != nil {
		return fmt.Errorf("sign request: parse query: %v", err)
	}
	w.request(method, r.URL.Path, payloadHash, stamp, k.scope)

	text := len(w.text)
	b := append(w.text, algorithm+" Credential="...)
	b = append(b, k.credential...)
	b = append(b, ", SignedHeaders="...)
	b = append(w.appendSignedHeaders(b), ", Signature="...)
	b = w.appendSignature(b, w.text[:text])
	w.text = b
	r.Header.Set("Authorization", string(b[text:]))
	return nil
}

func (c *Credentials) check() error {
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return errors.New("credentials are empty")
	}
	return nil
}

// addHeader adds a header; one without values is not sent, and so not signed.
func (c *canonicalizer) addHeader(name string, vs []string) error {
	lower := lowerASCII(name)
	if len(vs) == 0 {
		return checkHeader(lower, "")
	}
	for _, v := range vs {
		if err := checkHeader(lower, v); err != nil {
			return err
		}
	}
	c.headers = append(c.headers, signedHeader{lower, vs})
	return nil
}

// checkHeader reports why a header, its name in lower case, cannot be signed.
// It copies a name that it tells, so that all others need not outlive the call.
func checkHeader(name, value string) error {
	switch {
	case name == hostName:
		return errors.New("host is taken from the URL, not from a header")
	case name == "authorization":
		return errors.New("an authorization header cannot be signed")
	case !validName(name):
		return fmt.Errorf("header %q is no name in lower case", strings.Clone(name))
	case !validValue(value):
		return fmt.Errorf("header %q has a value that cannot be sent", strings.Clone(name))
	}
	return nil
}

var errAuthentication = errors.New("URL already carries authentication")

// carriesAuthentication reports whether a raw query has a parameter that
// authenticates.
func carriesAuthentication(raw string) bool {
	for raw != "" {
		var name string
		name, _, raw = cutPair(raw)
		if authParameter(name) != "" {
			return true
		}
	}
	return false
}

// checkURL returns the host as clients send it: browsers lower it and leave
// out the scheme's own port.
func checkURL(u *url.URL) (string, error) {
	switch {
	case u == nil:
		return "", errors.New("no URL")
	case u.Opaque != "" || u.User != nil || u.Fragment != "":
		return "", errors.New("URL has more than scheme, host, path and query")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("URL must be http or https")
	}
	host := lowerASCII(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	for i := range len(host) {
		if !unreserved(host[i]) && strings.IndexByte(":[]", host[i]) < 0 {
			return "", errors.New("URL has a host that cannot be sent; international names must be in ASCII form")
		}
	}
	if host == "" {
		return "", errors.New("URL has no host")
	}
	if carriesAuthentication(u.RawQuery) {
		return "", errAuthentication
	}
	return host, nil
}

// changesOnTheWay lists what http.Transport sets, or intermediaries may add,
// drop or rewrite; RFC 9110 section 7.6.1 and the lists of Amazon's SDKs.
func changesOnTheWay(name string) bool {
	switch name {
	case "accept-encoding", "authorization", "connection", "content-length", "expect", "forwarded", "host", "keep-alive",
		"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via",
		"x-amzn-trace-id":
		return true
	}
	return strings.HasPrefix(name, "x-forwarded-")
}
