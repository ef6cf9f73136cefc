package sigv4_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// The other side of aws-chunked, written from Amazon's pages alone: it shares no
// code with the package.

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// chain signs one chunk after the other.
type chain struct {
	key                   []byte
	date, scope, previous string
}

// newChain begins with the signature of a request.
func newChain(c sigv4.Credentials, date, region, signature string) *chain {
	key := []byte("AWS4" + c.SecretAccessKey)
	for _, part := range []string{date[:8], region, "s3", "aws4_request"} {
		key = hmacOf(key, part)
	}
	return &chain{key, date, date[:8] + "/" + region + "/s3/aws4_request", signature}
}

func (c *chain) sign(lines ...string) string {
	lines = append([]string{lines[0], c.date, c.scope, c.previous}, lines[1:]...)
	c.previous = hex.EncodeToString(hmacOf(c.key, strings.Join(lines, "\n")))
	return c.previous
}

func (c *chain) chunk(text string) string {
	return c.sign("AWS4-HMAC-SHA256-PAYLOAD", sha256Hex(""), sha256Hex(text))
}

// fields signs a trailer, given with LF after each field.
func (c *chain) fields(text string) string {
	return c.sign("AWS4-HMAC-SHA256-TRAILER", sha256Hex(text))
}

// encoding says how to send a body.
type encoding struct {
	mode    string
	chunk   int      // bytes in each, but for the last
	trailer []string // such as "x-amz-checksum-crc32c:sOO8/Q=="
	bare    bool     // end lines of the trailer as minio-go does
}

func (e encoding) encode(c *chain, body string) string {
	var b strings.Builder
	signed := e.mode != sigv4.StreamingUnsignedTrailer
	for {
		n := min(e.chunk, len(body))
		fmt.Fprintf(&b, "%x", n)
		if signed {
			b.WriteString(";chunk-signature=" + c.chunk(body[:n]))
		}
		b.WriteString("\r\n")
		if n == 0 {
			break
		}
		b.WriteString(body[:n] + "\r\n")
		body = body[n:]
	}
	end := "\r\n"
	if e.bare {
		end = "\n"
	}
	fields := ""
	for _, f := range e.trailer {
		fields += f + "\n"
		b.WriteString(f + end)
	}
	if e.bare {
		b.WriteString("\r\n")
	}
	if e.mode == sigv4.StreamingPayloadTrailer {
		b.WriteString("x-amz-trailer-signature:" + c.fields(fields) + "\r\n")
	}
	return b.String() + "\r\n"
}

func (e encoding) names() []string {
	var names []string
	for _, f := range e.trailer {
		name, _, _ := strings.Cut(f, ":")
		names = append(names, name)
	}
	return names
}

// streaming signs a request of that mode, has it verified, and returns the
// identity with the chain that begins at its signature.
func streaming(t testing.TB, mode string, length int, names ...string) (sigv4.Identity, *chain) {
	t.Helper()
	r := newRequest(t, "PUT", "http://127.0.0.1:9000/photos/a", "x")
	r.Header.Set("Content-Encoding", "aws-chunked")
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(length))
	if len(names) > 0 {
		r.Header.Set("X-Amz-Trailer", strings.Join(names, ","))
	}
	if err := sigv4.NewSigner("us-east-1").SignHeader(example, exampleTime, r, mode); err != nil {
		t.Fatal(err)
	}
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	id, err := verifierFor(example, exampleTime).Request(received(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return id, newChain(example, exampleStamp, "us-east-1", signature)
}

// decode reads all of an encoded body.
func decode(id sigv4.Identity, encoded io.Reader, length int, names ...string) (string, *sigv4.ChunkReader, error) {
	r, err := id.Chunked(encoded, int64(length), names)
	if err != nil {
		return "", nil, err
	}
	body, err := io.ReadAll(r)
	return string(body), r, err
}

// codeOf returns the code of an *Error, or says what else the error is.
func codeOf(err error) string {
	var e *sigv4.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &e):
		return fmt.Sprintf("no *Error: %v", err)
	case e.Status < 400 || e.Message == "":
		return fmt.Sprintf("no status or message: %+v", e)
	}
	return e.Code
}

// signedAs is a request whose headers and signature were recorded.
func signedAs(t testing.TB, at time.Time, target, host, signedHeaders, signature string, header http.Header) sigv4.Identity {
	t.Helper()
	r := newRequest(t, "PUT", "https://"+host+target, "")
	for name, values := range header {
		if name == "Content-Length" {
			_, err := fmt.Sscan(values[0], &r.ContentLength)
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		r.Header[name] = values
	}
	stamp := at.Format(sigv4.TimeFormat)
	r.Header.Set("X-Amz-Date", stamp)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+example.AccessKeyID+"/"+stamp[:8]+"/us-east-1/s3/aws4_request,SignedHeaders="+signedHeaders+",Signature="+signature)
	id, err := verifierFor(example, at).Request(r)
	if err != nil {
		t.Fatalf("%s: %v", signature, err)
	}
	return id
}
