package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"postern.example/postern/internal/listen"
	"postern.example/postern/internal/s3d"
	"postern.example/postern/sigv4"
)

// hostiles is the embedded bucket behind a server as the commands set it up.
type hostiles struct {
	t       *testing.T
	dir     string
	address string
	server  *http.Server
	signer  *sigv4.Signer
}

// embedded serves the bucket; around may wrap it once more.
func embedded(t *testing.T, around func(http.Handler) http.Handler) *hostiles {
	t.Helper()
	h := &hostiles{t: t, dir: filepath.Join(t.TempDir(), "bucket"), signer: sigv4.NewSigner("us-east-1")}
	b, err := s3d.New(s3d.Config{Dir: h.dir, Keys: []sigv4.Credentials{processKey()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	handler := http.Handler(b)
	if around != nil {
		handler = around(b)
	}
	waiting := listen.Patient(handler)
	h.server, h.address = onServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waiting.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), rawBody{}, r.Body)))
	}))
	r := h.signed("PUT", "/"+processBucket, nil)
	r.Header.Set("Content-Length", "0")
	res, err := http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("bucket: %v %v", res, err)
	}
	res.Body.Close()
	return h
}

func (h *hostiles) signed(method, target string, body []byte) *http.Request {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, "http://"+h.address+target, bytes.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	if err := h.signer.SignHeader(processKey(), time.Now(), r, hex.EncodeToString(sum[:])); err != nil {
		h.t.Fatal(err)
	}
	return r
}

// files lists what is in the bucket.
func (h *hostiles) files() (all []string) {
	h.t.Helper()
	err := filepath.WalkDir(filepath.Join(h.dir, processBucket), func(path string, e fs.DirEntry, err error) error {
		if in := filepath.Base(filepath.Dir(path)); err == nil && !e.IsDir() && in != processBucket {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// dial sends text and returns the connection.
func (h *hostiles) dial(text string) net.Conn {
	h.t.Helper()
	c, err := net.Dial("tcp", h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		h.t.Fatal(err)
	}
	// It may stop reading before all is sent.
	io.WriteString(c, text) //nolint:errcheck // what counts is the answer
	return c
}

// answered reads the status and code of an answer.
func answered(t *testing.T, c net.Conn) (int, string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return res.StatusCode, fullAnswer{res.StatusCode, res.Header, b}.code()
}

// allocatedBy returns how many bytes this process allocates for f.
func allocatedBy(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestThreat28_HugeHeaders: a header line of 1 MB, 100 000 lines and a URL of
// 1 MB are refused by their length, before they are held.
func TestThreat28_HugeHeaders(t *testing.T) {
	h := embedded(t, nil)
	mega := strings.Repeat("x", 1<<20)
	for name, text := range map[string]string{
		"header line":   "GET /photos/a HTTP/1.1\r\nHost: x\r\nX-Long: " + mega + "\r\n\r\n",
		"authorization": "PUT /photos/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + mega + "\r\n\r\nx",
		"boundary":      "POST /photos HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Type: multipart/form-data; boundary=" + mega + "\r\n\r\nx",
		"many lines":    "GET /photos/a HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("x-amz-meta-a: b\r\n", 100_000) + "\r\n",
		"path":          "GET /photos/" + mega + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"query":         "GET /photos?" + mega + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		var status int
		// Our own copy of the text counts, too.
		if got := allocatedBy(func() { status, _ = answered(t, h.dial(text)) }); got > uint64(len(text)+512<<10) {
			t.Errorf("%s cost %d bytes", name, got)
		}
		if status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %d, want 431", name, status)
		}
	}
	if left := h.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// TestThreat28_BrokenForms: what is no form is told so, and nothing is kept.
func TestThreat28_BrokenForms(t *testing.T) {
	h := embedded(t, nil)
	for name, c := range map[string]struct {
		mediaType string
		status    int
		code      string
	}{
		"no boundary":       {"multipart/form-data", 400, "MalformedPOSTRequest"},
		"empty boundary":    {`multipart/form-data; boundary=""`, 400, "MalformedPOSTRequest"},
		"long boundary":     {"multipart/form-data; boundary=" + strings.Repeat("b", 71), 400, "MalformedPOSTRequest"},
		"two boundaries":    {"multipart/form-data; boundary=a; boundary=b", 400, "MalformedPOSTRequest"},
		"evil boundary":     {`multipart/form-data; boundary="a\r\nb"`, 400, "MalformedPOSTRequest"},
		"no type":           {"", 412, "PreconditionFailed"},
		"urlencoded":        {"application/x-www-form-urlencoded", 412, "PreconditionFailed"},
		"boundary not seen": {"multipart/form-data; boundary=a", 400, "MalformedPOSTRequest"},
	} {
		status, code := answered(t, h.dial("POST /photos HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Type: "+c.mediaType+"\r\n\r\nhello"))
		if status != c.status || code != c.code {
			t.Errorf("%s: %d %s, want %d %s", name, status, code, c.status, c.code)
		}
	}
	if left := h.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// TestThreat28_SlowHeaders: whoever sends a header a byte at a time is cut off
// by the clock, however many do, and the others are served meanwhile.
func TestThreat28_SlowHeaders(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a time limit")
	}
	h := embedded(t, nil)
	begun := time.Now()
	conns := make([]net.Conn, 100)
	cost := allocatedBy(func() {
		for i := range conns {
			conns[i] = h.dial("GET /photos/a HTTP/1.1\r\nHost: x\r\nX-Sl")
		}
	})
	if each := int(cost) / len(conns); each > 64<<10 {
		t.Errorf("each slow header costs %d bytes", each)
	}
	res, err := http.DefaultClient.Do(h.signed("HEAD", "/photos", nil))
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("others are not served: %v %v", res, err)
	}
	res.Body.Close()
	for _, c := range conns {
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatalf("it was not cut off: %v", err)
		}
	}
	if took := time.Since(begun); took > listen.HeaderTimeout+patience/2 {
		t.Errorf("they were cut off after %v", took)
	}
}

// TestThreat28_BodyStandsStill: a file in which nothing moves is given up, with
// S3's answer for that, and none of it stays.
func TestThreat28_BodyStandsStill(t *testing.T) {
	var still http.HandlerFunc
	h := embedded(t, func(next http.Handler) http.Handler {
		still = func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength == 100_000 {
				raw := r.Context().Value(rawBody{}).(io.ReadCloser)
				r.Body = &stillBody{ReadCloser: r.Body, raw: raw, control: http.NewResponseController(w)}
			}
			next.ServeHTTP(w, r)
		}
		return still
	})
	r := h.signed("PUT", "/photos/a", nil)
	if err := h.signer.SignHeader(processKey(), time.Now(), r, sigv4.UnsignedPayload); err != nil {
		t.Fatal(err)
	}
	var head strings.Builder
	fmt.Fprintf(&head, "PUT /photos/a HTTP/1.1\r\nHost: %s\r\nContent-Length: 100000\r\n", h.address)
	if err := r.Header.Write(&head); err != nil {
		t.Fatal(err)
	}
	status, code := answered(t, h.dial(head.String()+"\r\nhello"))
	if status != 400 || code != "RequestTimeout" {
		t.Errorf("answer is %d %s", status, code)
	}
	if left := h.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// rawBody is the key of a request's body as the server has it.
type rawBody struct{}

// stillBody is a body whose first bytes were long ago when the next are awaited.
type stillBody struct {
	io.ReadCloser
	raw     io.ReadCloser
	control *http.ResponseController
	begun   bool
}

func (b *stillBody) Read(p []byte) (int, error) {
	if b.begun {
		b.control.SetReadDeadline(time.Now().Add(-time.Second)) //nolint:errcheck // every connection of a server has deadlines
		return b.raw.Read(p)
	}
	b.begun = true
	return b.ReadCloser.Read(p)
}

// TestThreat28_StrangersStream: of 50 MB that nobody signed no more is read than
// to let them know, and the connection is closed.
func TestThreat28_StrangersStream(t *testing.T) {
	h := embedded(t, nil)
	for name, head := range map[string]string{
		"PUT":  "PUT /photos/a HTTP/1.1\r\nHost: x\r\n",
		"part": "PUT /photos/a?partNumber=1&uploadId=x HTTP/1.1\r\nHost: x\r\n",
		"CORS": "PUT /photos?cors HTTP/1.1\r\nHost: x\r\n",
	} {
		c := h.dial(head + "Content-Length: 52428800\r\n\r\n")
		go io.CopyN(c, &zeros{50 << 20}, 50<<20) //nolint:errcheck // it is cut off
		status, code := answered(t, c)
		if status != 403 || code != "AccessDenied" {
			t.Errorf("%s: %d %s", name, status, code)
		}
		if left := h.files(); len(left) > 0 {
			t.Errorf("%s left %v", name, left)
		}
	}
}
