package s3d

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// Hostile clients: what they send costs a bounded amount of memory and time,
// gets a clear answer, and reaches the disk only once it is known whose it is.

// costOf returns how many bytes f allocates in all, by this process: client
// and server together, for both are in it.
func costOf(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// direct sends a signed request straight to the server, so that what it
// allocates is nobody else's.
func (f *fixture) direct(method, target string, body []byte, key *sigv4.Credentials, header map[string]string) reply {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, f.url+target, bytes.NewReader(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	for k, v := range header {
		r.Header.Set(k, v)
	}
	if key != nil {
		sum := sha256.Sum256(body)
		must(f.t, f.signer.SignHeader(*key, f.now(), r, hex.EncodeToString(sum[:])))
	}
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.Bytes()}
}

func digested(body []byte) map[string]string {
	sum := md5.Sum(body)
	return map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(sum[:])}
}

// document is a body that an operation reads whole.
type document struct {
	method, target string
	root           string // of XML; empty: JSON
	limit          int    // bytes
	tooLong        string // code
	malformed      string // code
	status         int    // of a malformed one
}

// documents are all operations that read one. upload is an open upload.
func documents(upload string) []document {
	const malformed = "MalformedXML"
	var all []document
	for target, root := range map[string]string{
		"/photos?cors": "CORSConfiguration", "/photos?publicAccessBlock": "PublicAccessBlockConfiguration",
		"/photos?ownershipControls": "OwnershipControls", "/photos/a?tagging": "Tagging",
		"/newbucket": "CreateBucketConfiguration",
	} {
		all = append(all, document{"PUT", target, root, maxSettings, "MaxMessageLengthExceeded", malformed, 400})
	}
	return append(all,
		document{"PUT", "/photos?lifecycle", "LifecycleConfiguration", maxLifecycle, "MaxMessageLengthExceeded", malformed, 400},
		document{"PUT", "/photos?policy", "", maxSettings, "MaxMessageLengthExceeded", "MalformedPolicy", 400},
		document{"POST", "/photos?delete", "Delete", maxDeleteDocument, "MaxMessageLengthExceeded", malformed, 400},
		document{"POST", "/photos/a?uploadId=" + upload, "CompleteMultipartUpload", 2 << 20, "MaxMessageLengthExceeded", malformed, 400},
	)
}

// Every document that is too long, too deep, too wide or a riddle is refused by
// its code, changes nothing, and costs a small multiple of its length.
func TestThreat27_DocumentBombs(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	upload := f.do("POST", "/photos/a?uploads", nil, nil).element("UploadId")
	if upload == "" {
		t.Fatal("no upload")
	}
	before := f.files()
	for _, d := range documents(upload) {
		most := d.limit - 100
		bombs := map[string]string{
			"deep":       strings.Repeat("<a>", most/3),
			"deep known": "<" + d.root + ">" + strings.Repeat("<Rule><Filter><And>", most/19),
			"closed":     strings.Repeat("<a>", most/7) + strings.Repeat("</a>", most/7),
			"wide":       "<" + d.root + ">" + strings.Repeat("<a/>", (most-80)/4) + "</" + d.root + ">",
			"attributes": "<" + d.root + strings.Repeat(` a=""`, most/5-20) + ">",
			"entities": `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>` +
				"<" + d.root + ">&c;</" + d.root + ">",
			"file":        `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><` + d.root + ">&a;</" + d.root + ">",
			"two roots":   "<" + d.root + "/><" + d.root + "/>",
			"other root":  "<Other/>",
			"no end":      "<" + d.root + ">",
			"no XML":      "\x00\x01\x02",
			"bad UTF-8":   "<" + d.root + ">\xff</" + d.root + ">",
			"other bytes": `<?xml version="1.0" encoding="UTF-16"?><` + d.root + "/>",
		}
		if d.root == "" {
			bombs = map[string]string{
				"deep":    strings.Repeat("[", most),
				"deep {}": strings.Repeat(`{"a":`, most/5),
				"wide":    `{"Version":"2012-10-17","Statement":[` + strings.TrimSuffix(strings.Repeat("{},", most/3-30), ",") + "]}",
				"twice":   `{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}`,
				"number":  `{"Version":` + strings.Repeat("9", most-20) + `}`,
				"no JSON": "\x00",
				"stars":   `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"` + strings.Repeat("*?", most/2-100) + `","Resource":"arn:aws:s3:::photos/*"}]}`,
			}
		}
		refuse := func(name, bomb string, key *sigv4.Credentials, status int, code string) {
			t.Helper()
			body := []byte(bomb)
			header := digested(body)
			var r reply
			begun := time.Now()
			// encoding/xml takes some 100 bytes for an element of 4, all but
			// the names of unknown ones garbage at once.
			most := uint64(200*min(len(body), d.limit) + 512<<10)
			if key == nil && d.target != "/photos/a?tagging" { // whose tags a policy may speak of
				most = 512 << 10
			}
			if got := costOf(func() { r = f.direct(d.method, d.target, body, key, header) }); got > most {
				t.Errorf("%s, %s: %d bytes cost %d, at most %d may", d.target, name, len(body), got, most)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%s, %s: took %v", d.target, name, took)
			}
			if r.status != status || r.code() != code {
				t.Errorf("%s, %s: answer is %d %q, want %d %q\n%.300s", d.target, name, r.status, r.code(), status, code, r.body)
			}
		}
		for name, bomb := range bombs {
			if d.root == "CreateBucketConfiguration" && name == "wide" { // S3 has elements there that we lack
				refuse(name, bomb, &testKey, 501, "NotImplemented")
				continue
			}
			refuse(name, bomb, &testKey, d.status, d.malformed)
			refuse(name+", unsigned", bomb, nil, 403, "AccessDenied")
		}
		refuse("too long", "<"+d.root+">"+strings.Repeat(" ", d.limit)+"</"+d.root+">", &testKey, 400, d.tooLong)
		refuse("far too long", strings.Repeat("<a>", 4<<20), &testKey, 400, d.tooLong)
	}
	if after := f.files(); len(after) != len(before) {
		t.Errorf("files were %v and are %v", before, after)
	}
	f.expect(f.do("HEAD", "/newbucket", nil, nil), 404, "")
	f.expect(f.do("GET", "/photos?cors", nil, nil), 404, "NoSuchCORSConfiguration")
	f.expect(f.do("GET", "/photos?policy", nil, nil), 404, "NoSuchBucketPolicy")
}

// A list of 10 000 parts is read, held against what there is, and refused: none
// of them was uploaded. One more is too many, as are 1 001 keys to delete.
func TestThreat28_LongLists(t *testing.T) {
	f := start(t)
	upload := f.do("POST", "/photos/a?uploads", nil, nil).element("UploadId")
	parts := func(n int) []byte {
		var b bytes.Buffer
		b.WriteString("<CompleteMultipartUpload>")
		for i := range n {
			fmt.Fprintf(&b, `<Part><PartNumber>%d</PartNumber><ETag>"%032x"</ETag></Part>`, i+1, i)
		}
		b.WriteString("</CompleteMultipartUpload>")
		return b.Bytes()
	}
	keys := func(n int) []byte {
		var b bytes.Buffer
		b.WriteString("<Delete><Quiet>true</Quiet>")
		for i := range n {
			fmt.Fprintf(&b, "<Object><Key>%s%d</Key></Object>", strings.Repeat("k", 1000), i)
		}
		b.WriteString("</Delete>")
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		target string
		body   []byte
		status int
		code   string
	}{
		"10000 parts":    {"/photos/a?uploadId=" + upload, parts(10_000), 400, "InvalidPart"},
		"10001 parts":    {"/photos/a?uploadId=" + upload, parts(10_001), 400, "MalformedXML"},
		"no parts":       {"/photos/a?uploadId=" + upload, parts(0), 400, "MalformedXML"},
		"no such upload": {"/photos/a?uploadId=x", parts(10_000), 404, "NoSuchUpload"},
		"path as upload": {"/photos/a?uploadId=..%2F..%2Fobjects", parts(1), 404, "NoSuchUpload"},
		"1000 keys":      {"/photos?delete", keys(1000), 200, ""},
		"1001 keys":      {"/photos?delete", keys(1001), 400, "MalformedXML"},
	} {
		var r reply
		begun := time.Now()
		header := digested(c.body)
		if got := costOf(func() { r = f.direct("POST", c.target, c.body, &testKey, header) }); got > uint64(40*len(c.body)+512<<10) {
			t.Errorf("%s: %d bytes cost %d", name, len(c.body), got)
		}
		if r.status != c.status || r.code() != c.code {
			t.Errorf("%s: %d %s, want %d %s\n%.300s", name, r.status, r.code(), c.status, c.code, r.body)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	f.absent("a")
}

// A header that names two ways to sign is refused even if each is right.
func TestThreat30_HeaderAndQueryAuth(t *testing.T) {
	f := start(t)
	for _, method := range []string{"PUT", "GET", "DELETE"} {
		target := strings.TrimPrefix(f.presign(method, "/photos/a", nil), f.url)
		r := f.request(method, "/photos/a", []byte("x"), nil)
		must(t, f.signer.SignHeader(testKey, f.now(), r, sigv4.UnsignedPayload))
		_, r.URL.RawQuery, _ = strings.Cut(target, "?")
		f.expect(f.raw(r), 400, "InvalidArgument")
	}
	f.absent("a")
}

// chunked sends a body as aws-chunked, signed as a whole, its chunks unsigned.
func (f *fixture) chunked(wire string, decoded string, header map[string]string) reply {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), "PUT", f.url+"/photos/a", strings.NewReader(wire))
	r.Header.Set("Content-Length", strconv.Itoa(len(wire)))
	r.Header.Set("Content-Encoding", "aws-chunked")
	if decoded != "" {
		r.Header.Set("X-Amz-Decoded-Content-Length", decoded)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	must(f.t, f.signer.SignHeader(testKey, f.now(), r, sigv4.StreamingUnsignedTrailer))
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.Bytes()}
}

// What an aws-chunked body says of itself is not believed: neither sizes nor
// trailers that nobody announced.
func TestThreat30_ChunkedAbuse(t *testing.T) {
	f := start(t)
	const sum = "NhCmhg==" // CRC-32 of "hello"
	crc := map[string]string{"x-amz-trailer": "x-amz-checksum-crc32"}
	if r := f.chunked("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:"+sum+"\r\n\r\n", "5", crc); r.status != 200 {
		t.Fatalf("a good one: %d %s", r.status, r.body)
	}
	f.expect(f.do("DELETE", "/photos/a", nil, nil), 204, "")
	tiny := strings.Repeat("1\r\nx\r\n", 10_000)
	for name, c := range map[string]struct {
		wire, decoded string
		header        map[string]string
		status        int
		code          string
	}{
		"no decoded length":       {"5\r\nhello\r\n0\r\n\r\n", "", nil, 411, "MissingContentLength"},
		"decoded length a word":   {"5\r\nhello\r\n0\r\n\r\n", "five", nil, 411, "MissingContentLength"},
		"decoded length negative": {"5\r\nhello\r\n0\r\n\r\n", "-5", nil, 411, "MissingContentLength"},
		"decoded length overflow": {"5\r\nhello\r\n0\r\n\r\n", "9223372036854775808", nil, 411, "MissingContentLength"},
		"decoded length 6 GiB":    {"5\r\nhello\r\n0\r\n\r\n", strconv.Itoa(6 << 30), nil, 400, "EntityTooLarge"},
		"decoded length short":    {"5\r\nhello\r\n0\r\n\r\n", "4", nil, 400, "IncompleteBody"},
		"decoded length long":     {"5\r\nhello\r\n0\r\n\r\n", "6", nil, 400, "IncompleteBody"},
		"size overflow":           {"10000000000000005\r\nhello\r\n0\r\n\r\n", "5", nil, 400, "IncompleteBody"},
		"size negative":           {"-5\r\nhello\r\n0\r\n\r\n", "5", nil, 400, "IncompleteBody"},
		"size 0x5":                {"0x5\r\nhello\r\n0\r\n\r\n", "5", nil, 400, "IncompleteBody"},
		"size with spaces":        {" 5\r\nhello\r\n0\r\n\r\n", "5", nil, 400, "IncompleteBody"},
		"line without end":        {strings.Repeat("0", 1<<20), "5", nil, 400, "IncompleteBody"},
		"long extension":          {"5;a=" + strings.Repeat("x", 1<<20) + "\r\nhello\r\n0\r\n\r\n", "5", nil, 400, "IncompleteBody"},
		"tiny chunks":             {tiny + "0\r\n\r\n", "10000", nil, 403, "InvalidChunkSizeError"},
		"no last chunk":           {"5\r\nhello\r\n", "5", nil, 400, "IncompleteBody"},
		"something behind":        {"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", "5", nil, 400, "MalformedTrailerError"},
		"trailer unannounced":     {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + sum + "\r\n\r\n", "5", nil, 400, "MalformedTrailerError"},
		"trailer missing":         {"5\r\nhello\r\n0\r\n\r\n", "5", crc, 400, "MalformedTrailerError"},
		"trailer twice":           {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + sum + "\r\nx-amz-checksum-crc32:" + sum + "\r\n\r\n", "5", crc, 400, "MalformedTrailerError"},
		"trailer with another":    {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + sum + "\r\nx-amz-meta-evil:1\r\n\r\n", "5", crc, 400, "MalformedTrailerError"},
		"trailer of 1 MB":         {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + strings.Repeat("A", 1<<20) + "\r\n\r\n", "5", crc, 400, "IncompleteBody"},
		"trailer wrong":           {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "5", crc, 400, "BadDigest"},
		"trailer no checksum":     {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:zz\r\n\r\n", "5", crc, 400, "InvalidRequest"},
		"metadata as trailer":     {"5\r\nhello\r\n0\r\nx-amz-meta-evil:1\r\n\r\n", "5", map[string]string{"x-amz-trailer": "x-amz-meta-evil"}, 400, "InvalidRequest"},
		"length as trailer":       {"5\r\nhello\r\n0\r\ncontent-length:1\r\n\r\n", "5", map[string]string{"x-amz-trailer": "content-length"}, 400, "InvalidRequest"},
		"header and trailer":      {"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + sum + "\r\n\r\n", "5", map[string]string{"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-checksum-crc32": sum}, 400, "InvalidRequest"},
	} {
		var r reply
		if got := costOf(func() { r = f.chunked(c.wire, c.decoded, c.header) }); got > 768<<10 {
			t.Errorf("%s cost %d bytes", name, got)
		}
		if r.status != c.status || r.code() != c.code {
			t.Errorf("%s: %d %q, want %d %q\n%.300s", name, r.status, r.code(), c.status, c.code, r.body)
		}
	}
	// Chunks that say they are signed, and are nobody's.
	f.expect(f.doAs("PUT", "/photos/a", []byte("5;chunk-signature="+strings.Repeat("0", 64)+"\r\nhello\r\n0;chunk-signature="+strings.Repeat("0", 64)+"\r\n\r\n"),
		map[string]string{"X-Amz-Decoded-Content-Length": "5"}, sigv4.StreamingPayload), 403, "SignatureDoesNotMatch")
	r := f.direct("PUT", "/photos/a", []byte("5\r\nhello\r\n0\r\n\r\n"), nil, map[string]string{"X-Amz-Content-Sha256": sigv4.StreamingUnsignedTrailer, "X-Amz-Decoded-Content-Length": "5"})
	if r.status/100 != 4 {
		t.Errorf("chunks of nobody: %d %s", r.status, r.body)
	}
	f.absent("a")
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// A Content-Length that lies, and two that disagree.
func TestThreat28_ContentLengthLies(t *testing.T) {
	f := start(t)
	signed := func(target string, length string) string {
		r := f.request("PUT", target, []byte("x"), nil)
		must(t, f.signer.SignHeader(testKey, f.now(), r, sigv4.UnsignedPayload))
		var b strings.Builder
		fmt.Fprintf(&b, "PUT %s HTTP/1.1\r\nHost: %s\r\n", target, r.URL.Host)
		must(t, r.Header.Write(&b))
		return b.String() + length + "\r\n"
	}
	for name, c := range map[string]struct {
		lines, body string
		status      string
	}{
		"two that disagree":   {"Content-Length: 1\r\nContent-Length: 2\r\n", "xy", "400"},
		"negative":            {"Content-Length: -1\r\n", "x", "400"},
		"overflow":            {"Content-Length: 9223372036854775808\r\n", "x", "400"},
		"a word":              {"Content-Length: one\r\n", "x", "400"},
		"6 GiB":               {"Content-Length: 6442450944\r\n", "x", "400"},
		"with chunks":         {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n", "501"},
		"none":                {"", "x", "411"},
		"of another encoding": {"Transfer-Encoding: gzip\r\nContent-Length: 1\r\n", "x", "501"},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		write(t, conn, signed("/photos/a", c.lines)+c.body)
		line := make([]byte, len("HTTP/1.1 400"))
		if _, err := io.ReadFull(conn, line); err != nil || string(line[9:]) != c.status {
			t.Errorf("%s: %q %v, want %s", name, line, err, c.status)
		}
		must(t, conn.Close())
	}
	f.absent("a")
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// Ranges by the thousand are one whole answer, as S3 gives; and no number in a
// request is too large.
func TestThreat28_LongRanges(t *testing.T) {
	f := start(t)
	f.put("a", "0123456789")
	var ranges strings.Builder
	ranges.WriteString("bytes=0-0")
	for i := range 40_000 {
		fmt.Fprintf(&ranges, ",%d-%d", i%10, i%10)
	}
	for spec, want := range map[string]string{
		ranges.String():                      "0123456789",
		"bytes=0-99999999999999999999999999": "0123456789",
		"bytes=-99999999999999999999999999":  "0123456789",
		"bytes=-" + strings.Repeat("9", 1e5): "0123456789",
		"bytes=3-3":                          "3",
	} {
		var r reply
		header := map[string]string{"Range": spec}
		if got := costOf(func() { r = f.direct("GET", "/photos/a", nil, &testKey, header) }); got > uint64(16*len(spec)+256<<10) {
			t.Errorf("%.30s cost %d bytes", spec, got)
		}
		if r.status/100 != 2 || string(r.body) != want {
			t.Errorf("%.30s: %d %q", spec, r.status, r.body)
		}
	}
	f.expect(f.do("GET", "/photos/a", nil, map[string]string{"Range": "bytes=99999999999999999999999999-"}), 416, "InvalidRange")
	for query, status := range map[string]int{
		"max-keys=99999999999999999999": 400, "max-keys=2147483647": 200, "max-keys=-1": 400, "continuation-token=" + strings.Repeat("A", 10_000): 400,
		"prefix=" + strings.Repeat("p", 100_000): 200, "delimiter=" + strings.Repeat("d", 100_000): 200, "start-after=" + strings.Repeat("%ff", 1000): 400,
		strings.Repeat("a=1&", 20_000) + "b": 400,
	} {
		var r reply
		if got := costOf(func() { r = f.direct("GET", "/photos?list-type=2&"+query, nil, &testKey, nil) }); got > uint64(64*len(query)+512<<10) {
			t.Errorf("%.30s cost %d bytes", query, got)
		}
		if r.status != status {
			t.Errorf("%.30s: %d %.300s", query, r.status, r.body)
		}
	}
}

// Forms that stand still before their signature hold one buffer each, and
// nothing on the disk.
func TestThreat28_ManySlowForms(t *testing.T) {
	f := start(t)
	r := f.form(formSpec{})
	body, err := io.ReadAll(r.Body)
	must(t, err)
	half := bytes.Index(body, []byte("x-amz-signature"))
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const clients = 100
	before, received := heap(), f.server.Stats().BytesReceived
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i], err = net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
		must(t, err)
		fmt.Fprintf(conns[i], "POST /photos HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", r.Header.Get("Content-Type"), len(body))
		write(t, conns[i], string(body[:half]))
	}
	eventually(t, "all forms read so far", func() bool { return f.server.Stats().BytesReceived-received == int64(clients*half) })
	if each := (heap() - before) / clients; each > bufferSize+32<<10 {
		t.Errorf("each form holds %d bytes", each)
	}
	if left := f.files(); len(left) > 0 {
		t.Errorf("before the signature: %v", left)
	}
	begun := time.Now()
	f.put("a", "others are served meanwhile")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("another request took %v", took)
	}
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() { must(t, c.Close()) })
	}
	all.Wait()
	if left := f.files(); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

// What nobody signed is refused before anything of it is on the disk, however
// much of it there is.
func TestThreat28_StrangersWriteNothing(t *testing.T) {
	f := start(t)
	upload := f.do("POST", "/photos/a?uploads", nil, nil).element("UploadId")
	wrong := sigv4.Credentials{AccessKeyID: testKey.AccessKeyID, SecretAccessKey: "wrong"}
	other := sigv4.Credentials{AccessKeyID: "AKIAOTHER", SecretAccessKey: "wrong"}
	body := make([]byte, 3<<20)
	steps := 0
	f.server.disk.trace = func(change) { steps++ }
	for _, target := range []string{"/photos/a", "/photos/a?partNumber=1&uploadId=" + upload, "/photos/a?tagging", "/photos?cors", "/photos?policy", "/another"} {
		for code, key := range map[string]*sigv4.Credentials{"AccessDenied": nil, "SignatureDoesNotMatch": &wrong, "InvalidAccessKeyId": &other} {
			var r reply
			if got := costOf(func() { r = f.direct("PUT", target, body, key, nil) }); got > 512<<10 {
				t.Errorf("%s, %s: cost %d bytes", target, code, got)
			}
			if r.status != 403 || r.code() != code {
				t.Errorf("%s: %d %q, want 403 %q", target, r.status, r.code(), code)
			}
		}
	}
	big := string(body)
	if r := f.post(formSpec{key: &wrong, file: &big}); r.status != 403 || r.code() != "SignatureDoesNotMatch" {
		t.Errorf("form: %d %s", r.status, r.body)
	}
	if r := f.post(formSpec{drop: []string{"policy", "x-amz-signature", "x-amz-credential", "x-amz-algorithm", "x-amz-date"}, file: &big}); r.status != 403 || r.code() != "AccessDenied" {
		t.Errorf("form of nobody: %d %s", r.status, r.body)
	}
	if steps > 0 {
		t.Errorf("%d changes of the folder", steps)
	}
}
