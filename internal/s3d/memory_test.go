package s3d

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"postern.example/postern/sigv4"
)

// nowhere takes an answer whose body nobody keeps.
type nowhere struct {
	header http.Header
	status int
	head   []byte // of the body
	n      int64
}

func (w *nowhere) Header() http.Header    { return w.header }
func (w *nowhere) WriteHeader(status int) { w.status = status }

func (w *nowhere) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	if room := 4096 - len(w.head); room > 0 {
		w.head = append(w.head, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// transfer sends a request straight to the server and returns its answer and
// what it cost.
func (f *fixture) transfer(method, target string, body io.Reader, length int64, payload string, header map[string]string) (w *nowhere, cost uint64) {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, f.url+target, body)
	r.ContentLength = length
	r.Header.Set("Content-Length", strconv.FormatInt(length, 10))
	for k, v := range header {
		r.Header.Set(k, v)
	}
	must(f.t, f.signer.SignHeader(testKey, f.now(), r, payload))
	w = &nowhere{header: make(http.Header)}
	cost = costOf(func() { f.server.ServeHTTP(w, r) })
	return w, cost
}

// writtenETag reads a header that is spelled as S3 does.
func writtenETag(h http.Header) string {
	for name, v := range h {
		if strings.EqualFold(name, "ETag") {
			return v[0]
		}
	}
	return ""
}

// No operation holds an object in memory: 64 MiB cost what 64 KiB do, whichever
// way they come, move or leave.
func TestMemoryOfTransfers(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 700 MiB")
	}
	const size, part = 64 << 20, 5 << 20
	f := start(t)
	chunks := func(each int64) (io.Reader, int64) {
		line := fmt.Sprintf("%x\r\n", each)
		var all []io.Reader
		for range size / each {
			all = append(all, strings.NewReader(line), &zeros{each}, strings.NewReader("\r\n"))
		}
		all = append(all, strings.NewReader("0\r\n\r\n"))
		return io.MultiReader(all...), size + size/each*int64(len(line)+2) + 5
	}
	check := func(name string, status int, w *nowhere, cost uint64) {
		t.Helper()
		if w.status != status || strings.Contains(string(w.head), "<Error>") {
			t.Errorf("%s: %d %s", name, w.status, w.head)
		}
		if cost > 768<<10 {
			t.Errorf("%s cost %d bytes", name, cost)
		}
	}
	w, cost := f.transfer("PUT", "/photos/a", &zeros{size}, size, sigv4.UnsignedPayload, nil)
	check("PUT", 200, w, cost)
	w, cost = f.transfer("PUT", "/photos/a", &zeros{size}, size, sigv4.UnsignedPayload, map[string]string{"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": "O2rQezKVKCnnh9UjhwlLLb3rFC9Q34ss3dVZp2Wnb3s="})
	if w.status != 400 || cost > 768<<10 { // another sum than that of so many zeros
		t.Errorf("PUT with a wrong SHA-256: %d, cost %d bytes", w.status, cost)
	}
	for _, each := range []int64{size, minChunkSize} {
		body, length := chunks(each)
		w, cost = f.transfer("PUT", "/photos/a", body, length, sigv4.StreamingUnsignedTrailer, map[string]string{"X-Amz-Decoded-Content-Length": strconv.Itoa(size)})
		check(fmt.Sprintf("PUT in chunks of %d", each), 200, w, cost)
	}
	w, cost = f.transfer("GET", "/photos/a", nil, 0, sigv4.EmptySHA256, nil)
	check("GET", 200, w, cost)
	if w.n != size {
		t.Errorf("GET: %d bytes", w.n)
	}
	w, cost = f.transfer("PUT", "/photos/copy", nil, 0, sigv4.EmptySHA256, map[string]string{"x-amz-copy-source": "/photos/a"})
	check("CopyObject", 200, w, cost)

	upload := f.do("POST", "/photos/parts?uploads", nil, nil).element("UploadId")
	if upload == "" {
		t.Fatal("no upload")
	}
	var doc strings.Builder
	doc.WriteString("<CompleteMultipartUpload>")
	for n := range 8 {
		target := fmt.Sprintf("/photos/parts?partNumber=%d&uploadId=%s", n+1, upload)
		w, cost = f.transfer("PUT", target, &zeros{part}, part, sigv4.UnsignedPayload, nil)
		check("UploadPart", 200, w, cost)
		fmt.Fprintf(&doc, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n+1, writtenETag(w.header))
	}
	doc.WriteString("</CompleteMultipartUpload>")
	w, cost = f.transfer("POST", "/photos/parts?uploadId="+upload, strings.NewReader(doc.String()), int64(doc.Len()), sigv4.UnsignedPayload, nil)
	check("CompleteMultipartUpload", 200, w, cost)
	w, cost = f.transfer("GET", "/photos/parts", nil, 0, sigv4.EmptySHA256, nil)
	check("GET of parts", 200, w, cost)
	if w.n != 8*part {
		t.Errorf("GET of parts: %d bytes", w.n)
	}
}

// minChunkSize is the least that a chunk may have, in bytes.
const minChunkSize = 8 << 10
