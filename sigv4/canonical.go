package sigv4

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
)

// canonicalizer builds canonical requests. Its slices are used again; it lives
// in a pool and is used by one goroutine at a time.
type canonicalizer struct {
	text    []byte         // the document or canonical request, then the string to sign
	query   []byte         // encoded names and values of the query, in any order
	pairs   []pair         // where in query they lie, sorted
	headers []signedHeader // sorted by name
}

// pair is where a name, an equals sign at mid and a value lie in
// canonicalizer.query.
type pair struct{ start, mid, end int }

type signedHeader struct {
	name   string // lower case
	values []string
}

// reset empties c and reports whether it is worth keeping: one large request
// must not hold its memory for ever.
func (c *canonicalizer) reset() bool {
	c.text, c.query, c.pairs = c.text[:0], c.query[:0], c.pairs[:0]
	clear(c.headers) // hold on to no request
	c.headers = c.headers[:0]
	return cap(c.text)+cap(c.query) <= maxKept
}

// maxKept is the most memory, in bytes, that a canonicalizer in a pool may hold.
const maxKept = 64 << 10

// unreserved are the bytes that are never percent-encoded: RFC 3986 section
// 2.3. All others are, in capital hex, in paths (but for the slash) and
// queries alike. S3 encodes paths once, where other services do it twice.
func unreserved(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || isDigit(b) ||
		b == '-' || b == '.' || b == '_' || b == '~'
}

func appendEncodedByte(dst []byte, b byte) []byte {
	const capitals = "0123456789ABCDEF"
	return append(dst, '%', capitals[b>>4], capitals[b&15])
}

// plain has a 1 for the unreserved bytes, and a 2 more for the slash: a look-up
// in place of seven comparisons, and text is copied by the run, not by the byte.
var plain = func() (t [256]byte) {
	for i := range t {
		if unreserved(byte(i)) {
			t[i] = 1
		}
	}
	t['/'] = 2
	return t
}()

// appendEncoded appends s as a name or value of a query.
func appendEncoded(dst []byte, s string) []byte { return appendPercent(dst, s, 1) }

// appendKey appends the canonical form of a decoded path or of a part of one.
// Nothing is normalized: on S3, keys may hold "//" and "..". A slash that came
// as %2F is a slash like others, as it is in the key.
func appendKey(dst []byte, key string) []byte { return appendPercent(dst, key, 1|2) }

func appendPercent(dst []byte, s string, keep byte) []byte {
	start := 0 // of the run not yet appended
	for i := range len(s) {
		if plain[s[i]]&keep == 0 {
			dst = appendEncodedByte(append(dst, s[start:i]...), s[i])
			start = i + 1
		}
	}
	return append(dst, s[start:]...)
}

// appendPath appends the canonical form of a decoded path, with a slash at its
// beginning.
func appendPath(dst []byte, path string) []byte {
	if path == "" || path[0] != '/' {
		dst = append(dst, '/')
	}
	return appendKey(dst, path)
}

// appendReencoded decodes a name or value of a query and encodes it again, so
// that all spellings of one query are the same. A plus is a space, as it is for
// url.Values: what is signed must be what a server then reads.
func appendReencoded(dst []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch b {
		case '+':
			b = ' '
		case '%':
			if i+2 >= len(s) {
				return dst, false
			}
			high, okHigh := unhex(s[i+1])
			low, okLow := unhex(s[i+2])
			if !okHigh || !okLow {
				return dst, false
			}
			b = high<<4 | low
			i += 2
		}
		if unreserved(b) {
			dst = append(dst, b)
		} else {
			dst = appendEncodedByte(dst, b)
		}
	}
	return dst, true
}

// cutPair takes the first name and value, as they are, off a raw query.
func cutPair(query string) (name, value, rest string) {
	one, rest, _ := strings.Cut(query, "&")
	name, value, _ = strings.Cut(one, "=")
	return name, value, rest
}

// addEncoded adds a query that is encoded as it has to be, each parameter with
// a value.
func (c *canonicalizer) addEncoded(query []byte) {
	x := pair{start: len(c.query)}
	c.query = append(c.query, query...)
	for i := x.start; i < len(c.query); i++ {
		switch c.query[i] {
		case '=':
			x.mid = i
		case '&':
			x.end = i
			c.pairs = append(c.pairs, x)
			x.start = i + 1
		}
	}
	x.end = len(c.query)
	c.pairs = append(c.pairs, x)
}

// addQuery adds all of a raw query but the parameter called except.
func (c *canonicalizer) addQuery(raw, except string) error {
	for raw != "" {
		if raw[0] == '&' { // nothing between two; "=" is an empty name, for url.Values too
			raw = raw[1:]
			continue
		}
		var name, value string
		name, value, raw = cutPair(raw)
		start := len(c.query)
		var okName, okValue bool
		c.query, okName = appendReencoded(c.query, name)
		mid := len(c.query)
		c.query, okValue = appendReencoded(append(c.query, '='), value)
		if !okName || !okValue {
			return ErrInvalidURI
		}
		if except != "" && string(c.query[start:mid]) == except {
			c.query = c.query[:start]
			continue
		}
		c.pairs = append(c.pairs, pair{start, mid, len(c.query)})
	}
	return nil
}

// sortQuery sorts by encoded name, then by encoded value. Amazon's pages say
// that sorting comes after encoding, which is not the same for "/" and "-".
func (c *canonicalizer) sortQuery() {
	q := c.query
	slices.SortFunc(c.pairs, func(a, b pair) int {
		if n := bytes.Compare(q[a.start:a.mid], q[b.start:b.mid]); n != 0 {
			return n
		}
		return bytes.Compare(q[a.mid+1:a.end], q[b.mid+1:b.end])
	})
}

func (c *canonicalizer) appendQuery(dst []byte) []byte {
	for i, p := range c.pairs {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, c.query[p.start:p.end]...)
	}
	return dst
}

// appendSignedHeaders appends the names, joined by semicolons.
func (c *canonicalizer) appendSignedHeaders(dst []byte) []byte {
	for i := range c.headers {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = append(dst, c.headers[i].name...)
	}
	return dst
}

// sortHeaders sorts by name and reports whether every name is there once.
func (c *canonicalizer) sortHeaders() bool {
	slices.SortFunc(c.headers, func(a, b signedHeader) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(c.headers); i++ {
		if c.headers[i].name == c.headers[i-1].name {
			return false
		}
	}
	return true
}

// appendValue appends a header's value trimmed, with runs of spaces folded.
func appendValue(dst []byte, v string) []byte {
	if v != "" && (v[0] <= ' ' || v[len(v)-1] <= ' ') {
		v = strings.Trim(v, " \t")
	}
	if !strings.Contains(v, "  ") {
		return append(dst, v...)
	}
	for i := range len(v) {
		if v[i] != ' ' || v[i-1] != ' ' { // v never begins with a space
			dst = append(dst, v[i])
		}
	}
	return dst
}

// appendValues appends several values of one header, joined by commas.
func appendValues(dst []byte, vs []string) []byte {
	for i, v := range vs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, v)
	}
	return dst
}

// request writes the string to sign of a request to c.text, from what was added
// to c before. See Amazon's "Create a signed AWS API request", steps 1 and 2.
func (c *canonicalizer) request(method, path, payload, stamp, scope string) {
	c.sortQuery()
	b := append(append(c.text[:0], method...), '\n')
	b = append(appendPath(b, path), '\n')
	b = append(c.appendQuery(b), '\n')
	for i := range c.headers {
		h := &c.headers[i]
		b = append(append(b, h.name...), ':')
		b = append(appendValues(b, h.values), '\n')
	}
	b = append(b, '\n')
	b = append(c.appendSignedHeaders(b), '\n')
	b = append(b, payload...)
	sum := sha256.Sum256(b)

	c.text = appendStringToSign(b[:0], stamp, scope, &sum)
}

// appendStringToSign appends what is signed of a canonical request with the
// hash sum.
func appendStringToSign(dst []byte, stamp, scope string, sum *[sha256.Size]byte) []byte {
	dst = append(append(dst, algorithm+"\n"...), stamp...)
	dst = append(append(append(dst, '\n'), scope...), '\n')
	return appendHex(dst, sum)
}

// isAmz reports whether name is one of the x-amz- family, in any case. A
// header of that family changes what a request means, so it must be signed.
func isAmz(name string) bool {
	return len(name) >= 6 && lowerASCII(name[:6]) == "x-amz-"
}

// validValue refuses what cannot be sent in a header, above all line breaks:
// they would let a value forge further lines of the canonical request.
func validValue(v string) bool {
	if isPlain(v) {
		return true
	}
	for i := range len(v) {
		if v[i] < ' ' && v[i] != '\t' || v[i] == 0x7f {
			return false
		}
	}
	return true
}

// validName reports whether name is a token of RFC 9110 section 5.6.2, in lower
// case.
func validName(name string) bool {
	for i := range len(name) {
		if !lowerToken[name[i]] {
			return false
		}
	}
	return name != ""
}

var lowerToken = func() (t [256]bool) {
	for c := range t {
		t[c] = c > ' ' && c < 0x7f && (c < 'A' || c > 'Z') && strings.IndexByte(`"(),/:;<=>?@[\]{}`, byte(c)) < 0
	}
	return t
}()

// values returns what h holds under a lower-case name.
func values(h http.Header, name string) []string { return h[http.CanonicalHeaderKey(name)] }
