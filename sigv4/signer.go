package sigv4

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
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
	pool   sync.Pool // of *canonicalizer
}

// NewSigner returns a signer for a region such as "us-east-1".
func NewSigner(region string) *Signer {
	return &Signer{region: region, pool: sync.Pool{New: func() any { return new(canonicalizer) }}}
}

// Field is one field of a form.
type Field struct{ Name, Value string }

// Post signs p and returns the fields to add to the form, in this order:
// policy, x-amz-algorithm, x-amz-credential, x-amz-date, x-amz-security-token
// (only with temporary credentials) and x-amz-signature. To the conditions of p,
// which is not changed, it adds one for each of these that needs one; the
// caller's p must have one for the bucket and for each field of his own.
//
// A form is good until p expires or c does, whichever comes first.
func (s *Signer) Post(c Credentials, now time.Time, p *Policy) []Field {
	now = now.UTC()
	k := s.keys.keyAt(c, s.region, now)
	w := s.pool.Get().(*canonicalizer)
	stamp := string(appendStamp(w.text[:0], now))

	added := [...]Condition{
		Eq(fieldAlgorithm, algorithm), Eq(fieldCredential, k.credential), Eq(fieldDate, stamp), Eq(fieldToken, c.SessionToken),
	}
	n := len(added)
	if c.SessionToken == "" {
		n--
	}
	b := appendPolicy(w.text[:0], p, added[:n])
	doc := len(b)
	b = base64.StdEncoding.AppendEncode(b, b[:doc])
	end := len(b)
	b = k.appendSignature(b, b[doc:end])

	fields := make([]Field, 0, len(added)+2)
	fields = append(fields, Field{fieldPolicy, string(b[doc:end])})
	for i := range added[:n] {
		fields = append(fields, Field{added[i].Field, added[i].Value})
	}
	fields = append(fields, Field{fieldSignature, string(b[end:])})

	w.text = b
	s.put(w)
	return fields
}

// Request is what a presigned URL allows.
type Request struct {
	Method  string        // GET if empty
	URL     *url.URL      // scheme, host, path and query; the rest must be empty
	Header  http.Header   // headers the client must send just so; Host is signed anyway
	Expires time.Duration // 1 s to MaxExpires; fractions of a second are cut off
}

// Presign returns the URL of r with a signature in its query. The body is not
// signed, so bind it by a checksum header if it matters. The query comes out in
// canonical order. The URL ends to work after r.Expires, or with c if earlier.
func (s *Signer) Presign(c Credentials, now time.Time, r Request) (string, error) {
	seconds := int64(r.Expires / time.Second)
	if seconds < 1 || r.Expires > MaxExpires {
		return "", fmt.Errorf("presign URL: expires in %v, must be 1s to %v", r.Expires, MaxExpires)
	}
	host, err := checkURL(r.URL)
	if err != nil {
		return "", fmt.Errorf("presign URL: %w", err)
	}
	if err := c.check(); err != nil {
		return "", fmt.Errorf("presign URL: %w", err)
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	now = now.UTC()
	k := s.keys.keyAt(c, s.region, now)
	w := s.pool.Get().(*canonicalizer)
	defer s.put(w)

	w.headers = append(w.headers, signedHeader{"host", []string{host}})
	for name, vs := range r.Header {
		if err := w.addHeader(name, vs); err != nil {
			return "", fmt.Errorf("presign URL: %w", err)
		}
	}
	if !w.sortHeaders() {
		return "", errors.New("presign URL: a header is given twice")
	}
	if err := w.addQuery(r.URL.RawQuery, ""); err != nil {
		return "", fmt.Errorf("presign URL: parse query: %v", err)
	}
	stamp := string(appendStamp(w.text[:0], now))
	w.addPair(queryAlgorithm, algorithm)
	w.addPair(queryCredential, k.credential)
	w.addPair(queryDate, stamp)
	w.addPair(queryExpires, strconv.FormatInt(seconds, 10))
	if c.SessionToken != "" {
		w.addPair(queryToken, c.SessionToken)
	}
	w.addPair(querySignedHeaders, string(w.appendSignedHeaders(w.text[:0])))
	payload := UnsignedPayload
	if vs := values(r.Header, headerPayload); len(vs) > 0 {
		payload = vs[0] // S3 then holds the body against it
		if len(vs) > 1 || !validPayloadHash(payload) {
			return "", errors.New("presign URL: x-amz-content-sha256 is neither a SHA-256 in hex nor a name S3 knows")
		}
	}
	w.request(method, r.URL.Path, payload, stamp, k.scope)

	text := len(w.text)
	b := append(append(append(w.text, r.URL.Scheme...), "://"...), host...)
	b = append(appendPath(b, r.URL.Path), '?')
	b = append(w.appendQuery(b), "&"+querySignature+"="...)
	b = k.appendSignature(b, w.text[:text])
	w.text = b
	return string(b[text:]), nil
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
	w := s.pool.Get().(*canonicalizer)
	defer s.put(w)
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
	b = k.appendSignature(b, w.text[:text])
	w.text = b
	r.Header.Set("Authorization", string(b[text:]))
	return nil
}

func (s *Signer) put(w *canonicalizer) {
	if w.reset() {
		s.pool.Put(w)
	}
}

func (c *Credentials) check() error {
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return errors.New("credentials are empty")
	}
	return nil
}

func (c *canonicalizer) addHeader(name string, vs []string) error {
	lower := lowerASCII(name)
	switch {
	case lower == "host":
		return errors.New("host is taken from the URL, not from a header")
	case lower == "authorization":
		return errors.New("an authorization header cannot be signed")
	case !validName(name):
		return fmt.Errorf("header %q is no name", name)
	}
	if len(vs) == 0 { // a key without values is not sent
		return nil
	}
	for _, v := range vs {
		if !validValue(v) {
			return fmt.Errorf("header %q has a value that cannot be sent", name)
		}
	}
	c.headers = append(c.headers, signedHeader{lower, vs})
	return nil
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
	for raw := u.RawQuery; raw != ""; {
		var name string
		name, _, raw = cutPair(raw)
		if authParameter(name) != "" {
			return "", errors.New("URL already carries authentication")
		}
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
