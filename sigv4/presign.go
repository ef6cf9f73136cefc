package sigv4

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
	place, err := placeOf(r.URL)
	if err != nil {
		return "", fmt.Errorf("presign URL: %w", err)
	}
	header, err := fieldsOf(r.Header)
	if err != nil {
		return "", fmt.Errorf("presign URL: %w", err)
	}
	b, err := s.AppendPresign(nil, c, now, PlaceRequest{
		Method: r.Method, Place: &place, Key: strings.TrimPrefix(r.URL.Path, "/"), Query: r.URL.RawQuery,
		Header: header, Expires: r.Expires,
	})
	return string(b), err
}

// Place is where a bucket's objects are: scheme, host, and the path before
// their keys. It is checked and encoded once, for any number of URLs. Safe for
// concurrent use.
type Place struct {
	origin string // https://bucket.example
	host   string
	path   string // encoded, without a slash at its end
}

// NewPlace returns the place whose objects have URLs of u, a slash and a key:
// https://bucket.s3.us-east-1.amazonaws.com, or http://127.0.0.1:9000/bucket
// with or without a slash at its end. Host names are lowered, and a port that
// is the scheme's own is left out, as clients do it.
func NewPlace(u *url.URL) (*Place, error) {
	p, err := placeOf(u)
	if err != nil {
		return nil, fmt.Errorf("prepare place: %w", err)
	}
	if u.RawQuery != "" {
		return nil, errors.New("prepare place: URL has a query")
	}
	if path := strings.TrimSuffix(u.Path, "/"); path != "" {
		p.path = string(appendPath(nil, path))
	}
	return &p, nil
}

// placeOf returns the place at the root of u's host.
func placeOf(u *url.URL) (Place, error) {
	host, err := checkURL(u)
	if err != nil {
		return Place{}, err
	}
	return Place{origin: u.Scheme + "://" + host, host: host}, nil
}

// PlaceRequest is what a presigned URL allows, in the form that is quickest to
// sign: [Signer.AppendPresign] keeps nothing of it, so that the slices may live
// on the caller's stack.
type PlaceRequest struct {
	Method  string  // GET if empty
	Place   *Place  // where
	Key     string  // the object's, not encoded
	Query   string  // of the URL, encoded, in any order, such as "versionId=3"; without authentication
	Header  []Field // headers the client must send just so, sorted by name, names in lower case; not host, which is signed anyway
	Expires time.Duration
}

// AppendPresign appends to dst what [Signer.Presign] returns for the same
// request, and allocates nothing if dst has room: some 450 bytes, the path, the
// names of the headers and the token. After an error, dst is returned as it was.
func (s *Signer) AppendPresign(dst []byte, c Credentials, now time.Time, r PlaceRequest) ([]byte, error) {
	payload, err := r.check(&c)
	if err != nil {
		return dst, fmt.Errorf("presign URL: %w", err)
	}
	now = now.UTC()
	k := s.keys.keyAt(c, s.region, now)
	w := k.take()
	defer k.put(w)
	var room [len(TimeFormat)]byte
	stamp := string(appendStamp(room[:0], now)) // it stays on the stack

	// The URL comes first: the canonical request has the same path and query.
	start := len(dst)
	dst = append(append(dst, r.Place.origin...), r.Place.path...)
	dst = appendKey(append(dst, '/'), r.Key)
	path, question := start+len(r.Place.origin), len(dst)
	dst = k.appendAuthentication(append(dst, '?'), c.SessionToken, stamp, r.Expires, r.Header)
	if r.Query != "" {
		w.addEncoded(dst[question+1:])
		if err := w.addQuery(r.Query, ""); err != nil {
			return dst[:start], fmt.Errorf("presign URL: parse query: %v", err)
		}
		w.sortQuery()
		dst = w.appendQuery(dst[:question+1])
	}

	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	b := append(append(w.text[:0], method...), '\n')
	b = append(append(b, dst[path:question]...), '\n')
	b = append(append(b, dst[question+1:]...), '\n')
	b = append(appendHeaderLines(b, r.Place.host, r.Header), '\n')
	b = append(appendHeaderNames(b, r.Header, ";"), '\n')
	b = append(b, payload...)
	sum := sha256.Sum256(b)
	b = appendStringToSign(b[:0], stamp, k.scope, &sum)

	dst = append(dst, "&"+querySignature+"="...)
	dst = w.appendSignature(dst, b)
	w.text = b
	return dst, nil
}

// check holds r against the rules, and returns the payload hash to sign.
func (r *PlaceRequest) check(c *Credentials) (payload string, err error) {
	switch {
	case r.Place == nil || r.Place.origin == "":
		return "", errors.New("no place")
	case r.Expires < time.Second || r.Expires > MaxExpires:
		return "", fmt.Errorf("expires in %v, must be 1s to %v", r.Expires, MaxExpires)
	case carriesAuthentication(r.Query):
		return "", errAuthentication
	}
	if err := c.check(); err != nil {
		return "", err
	}
	payload = UnsignedPayload
	for i := range r.Header {
		f := &r.Header[i]
		if i > 0 && f.Name <= r.Header[i-1].Name {
			return "", errors.New("headers are not sorted by name, or one is given twice")
		}
		if err := checkHeader(f.Name, f.Value); err != nil {
			return "", err
		}
		if f.Name == payloadName {
			payload = f.Value // S3 then holds the body against it
			if !validPayloadHash(payload) {
				return "", errors.New("x-amz-content-sha256 is neither a SHA-256 in hex nor a name S3 knows")
			}
		}
	}
	return payload, nil
}

// fieldsOf returns h as fields, sorted by name. Several values of one header
// become one, joined by commas as in a canonical request.
func fieldsOf(h http.Header) ([]Field, error) {
	fields := make([]Field, 0, len(h))
	for name, vs := range h {
		f := Field{Name: lowerASCII(name)}
		switch len(vs) {
		case 0: // a key without values is not sent
			if err := checkHeader(f.Name, ""); err != nil {
				return nil, err
			}
			continue
		case 1:
			f.Value = vs[0]
		default:
			f.Value = string(appendValues(nil, vs))
		}
		fields = append(fields, f)
	}
	slices.SortFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return fields, nil
}

// appendAuthentication appends all of a presigned URL's query but its
// signature: encoded, sorted by name.
func (k *signingKey) appendAuthentication(dst []byte, token, stamp string, expires time.Duration, header []Field) []byte {
	dst = append(append(dst, queryAlgorithm+"="+algorithm+"&"+queryCredential+"="...), k.encoded...)
	dst = append(append(dst, "&"+queryDate+"="...), stamp...)
	dst = strconv.AppendInt(append(dst, "&"+queryExpires+"="...), int64(expires/time.Second), 10)
	if token != "" {
		dst = appendEncoded(append(dst, "&"+queryToken+"="...), token)
	}
	return appendHeaderNames(append(dst, "&"+querySignedHeaders+"="...), header, "%3B")
}

// Names of headers, in lower case.
const (
	hostName    = "host"
	lengthName  = "content-length"
	payloadName = "x-amz-content-sha256"
)

// appendHeaderLines appends the lines of host and of the headers, sorted.
func appendHeaderLines(dst []byte, host string, header []Field) []byte {
	i := hostIndex(header)
	for j := range header[:i] {
		dst = appendHeaderLine(dst, header[j].Name, header[j].Value)
	}
	dst = appendHeaderLine(dst, hostName, host)
	for j := range header[i:] {
		dst = appendHeaderLine(dst, header[i+j].Name, header[i+j].Value)
	}
	return dst
}

func appendHeaderLine(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ':')
	return append(appendValue(dst, value), '\n')
}

// appendHeaderNames appends the names of host and of the headers, sorted.
func appendHeaderNames(dst []byte, header []Field, separator string) []byte {
	i := hostIndex(header)
	for j := range header[:i] {
		dst = append(append(dst, header[j].Name...), separator...)
	}
	dst = append(dst, hostName...)
	for j := range header[i:] {
		dst = append(append(dst, separator...), header[i+j].Name...)
	}
	return dst
}

// hostIndex returns how many headers sort before host.
func hostIndex(header []Field) int {
	i := 0
	for i < len(header) && header[i].Name < hostName {
		i++
	}
	return i
}
