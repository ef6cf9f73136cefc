package assume

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // S3's ETag and Content-MD5 are MD5
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// escape writes a path as it is sent: every byte but those that RFC 3986 leaves
// alone as %XX, slashes as they are.
func escape(path string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// at is the target of a key below the prefix.
func (b *Bucket) at(key string) string { return escape("/" + b.Prefix + key) }

// request makes a request that is not signed. target is what follows the
// bucket's name, escaped: "", "?query" or what at returns. header has names and
// values by turns.
func (b *Bucket) request(method, target, body string, header ...string) *http.Request {
	return b.Server.request(method, "/"+b.Name+target, body, header...)
}

func (s *Server) request(method, target, body string, header ...string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), method, s.Endpoint+target, strings.NewReader(body))
	if err != nil { // a fault of the question: targets are literals and escaped
		panic("assume: " + err.Error())
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// sign signs a request by its header, for the hash of a payload.
func (s *Server) sign(r *http.Request, payload string) *http.Request {
	return s.signAs(s.Credentials, time.Now(), r, payload)
}

func (s *Server) signAs(c sigv4.Credentials, now time.Time, r *http.Request, payload string) *http.Request {
	if err := s.signer.SignHeader(c, now, r, payload); err != nil {
		panic("assume: " + err.Error())
	}
	return r
}

// exchange sends a request as it is.
func (s *Server) exchange(r *http.Request) Answer {
	resp, err := s.client.Do(r) //nolint:gosec // whom to ask is the caller's choice
	if err != nil {
		return Answer{err: unreached(err)}
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{err: unreached(err)}
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// send sends a signed request.
func (b *Bucket) send(method, target, body string, header ...string) Answer {
	return b.exchange(b.sign(b.request(method, target, body, header...), hexSHA256(body)))
}

// settings sends a document, with the hash that S3 wants of some.
func (b *Bucket) settings(query, document string) Answer {
	return b.send("PUT", "?"+query, document, "Content-MD5", md5Of(document))
}

// stranger sends a request that nobody signed.
func (b *Bucket) stranger(method, target, body string, header ...string) Answer {
	return b.exchange(b.request(method, target, body, header...))
}

func (b *Bucket) put(key, body string, header ...string) Answer {
	return b.send("PUT", b.at(key), body, header...)
}

func (b *Bucket) get(key string, header ...string) Answer {
	return b.send("GET", b.at(key), "", header...)
}

func (b *Bucket) head(key string, header ...string) Answer {
	return b.send("HEAD", b.at(key), "", header...)
}

func (b *Bucket) remove(key string, header ...string) Answer {
	return b.send("DELETE", b.at(key), "", header...)
}

// absent checks that there is no such object.
func (b *Bucket) absent(key string) Answer { return b.get(key).is(404, "NoSuchKey") }

// holds checks that an object has these bytes.
func (b *Bucket) holds(key, body string) Answer { return b.get(key).is(200, "").body(body) }

// presign returns a URL, good for five minutes, for a request with headers that
// must come with it.
func (b *Bucket) presign(method, target string, header ...string) string {
	return b.presignAt(time.Now(), 5*time.Minute, method, target, header...)
}

func (b *Bucket) presignAt(now time.Time, life time.Duration, method, target string, header ...string) string {
	r := b.request(method, target, "", header...)
	u, err := b.signer.Presign(b.Credentials, now, sigv4.Request{Method: method, URL: r.URL, Header: r.Header, Expires: life})
	if err != nil {
		panic("assume: " + err.Error())
	}
	return u
}

// follow sends a request to a presigned URL.
func (b *Bucket) follow(method, signed, body string, header ...string) Answer {
	return b.exchange(b.Server.request(method, strings.TrimPrefix(signed, b.Endpoint), body, header...))
}

// withQuery changes a parameter of a URL; an empty value removes it.
func withQuery(signed, name, value string) string {
	u, err := url.Parse(signed)
	if err != nil {
		panic("assume: " + err.Error())
	}
	q := u.Query()
	if q.Set(name, value); value == "" {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// unsized hides how long a body is, so that it is sent in HTTP's own chunks.
func unsized(r *http.Request) *http.Request {
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(io.MultiReader(r.Body)), -1, nil
	return r
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func base64SHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func md5Of(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// etagOf is the ETag of what one request wrote.
func etagOf(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // as above
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// etagOfParts is the ETag of an object made of parts.
func etagOfParts(parts ...string) string {
	var sums bytes.Buffer
	for _, p := range parts {
		sum := md5.Sum([]byte(p)) //nolint:gosec // as above
		sums.Write(sum[:])
	}
	sum := md5.Sum(sums.Bytes()) //nolint:gosec // as above
	return `"` + hex.EncodeToString(sum[:]) + "-" + decimal(len(parts)) + `"`
}
