package s3d

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"postern.example/postern/sigv4"
)

// A test for each threat that is this package's to meet, by its number in the
// list of threats; some stand beside their subject in other files.

// Threat 13: the size is bound by the policy, and must be known.
func TestThreat13_SizeUnlimited(t *testing.T) {
	f := start(t)
	over := strings.Repeat("x", 101)
	f.refused(formSpec{file: &over}, 400, "EntityTooLarge", "")
	empty := ""
	f.refused(formSpec{file: &empty}, 400, "EntityTooSmall", "")
	chunked := func(r *http.Request) { r.ContentLength = -1; r.Body = io.NopCloser(io.MultiReader(r.Body)) }
	f.refused(formSpec{request: chunked}, 501, "NotImplemented", "")
	r := f.request("PUT", "/photos/a", []byte("x"), nil)
	if err := f.signer.SignHeader(testKey, f.now(), r, sigv4.UnsignedPayload); err != nil {
		t.Fatal(err)
	}
	chunked(r)
	f.expect(f.raw(r), 501, "NotImplemented")
	f.absent("a")
}

// Threat 27: a policy that says anything in another than the one way.
func TestThreat27_PolicyParserLaxness(t *testing.T) {
	f := start(t)
	const head, tail = `{"expiration":"2099-01-01T00:00:00Z",`, `["starts-with","$key",""]]}`
	for _, doc := range map[string]string{
		"upper case":    `{"EXPIRATION":"2099-01-01T00:00:00Z","conditions":[` + tail,
		"twice":         head + `"expiration":"2099-01-01T00:00:00Z","conditions":[` + tail,
		"float":         head + `"conditions":[["content-length-range",0,1e2],` + tail,
		"null":          head + `"conditions":[["content-length-range",0,null],` + tail,
		"nested":        head + `"conditions":[[` + tail + `]`,
		"deep":          head + `"conditions":` + strings.Repeat("[", 5000),
		"trailing data": head + `"conditions":[` + tail + `{}`,
		"unknown":       head + `"comment":"x","conditions":[` + tail,
		"bad UTF-8":     head + `"conditions":[["eq","$key","\xff"],` + tail,
	} {
		f.refused(signText(doc), 400, "InvalidPolicyDocument", "")
	}
	f.refused(signText(head+strings.Repeat(" ", 1<<20)+`"conditions":[`+tail), 400, "MaxPostPreDataLengthExceeded", "")
	// No range means "without limit", and of two not the last counts alone.
	for _, ranges := range [][]sigv4.Condition{
		{sigv4.LengthRange(0, 0)}, {sigv4.LengthRange(-1, 0)}, {sigv4.LengthRange(0, 1), sigv4.LengthRange(0, 99)}, {sigv4.LengthRange(0, 99), sigv4.LengthRange(0, 1)},
	} {
		f.refused(formSpec{conditions: append(ranges, sigv4.Eq("key", "up/a"))}, 400, "EntityTooLarge", "")
	}
}

// Threat 28: the form parser.
func TestThreat28_FormParserDoS(t *testing.T) {
	f := start(t)
	b := "multipart/form-data; boundary=B"
	send := func(body string) reply {
		return f.raw(f.request("POST", "/photos", []byte(body), map[string]string{"Content-Type": b}))
	}
	head := "Content-Disposition: form-data; name=\"%s\"\r\n"
	part := func(name, value string) string {
		return "--B\r\n" + fmt.Sprintf(head, name) + "\r\n" + value + "\r\n"
	}
	var tiny strings.Builder
	for i := range 10_000 {
		tiny.WriteString(part(fmt.Sprintf("f%d", i), ""))
	}
	for name, c := range map[string]struct{ body, code string }{
		"20 KB + 1":         {part("key", strings.Repeat("x", 20481)) + part("file", "x") + "--B--\r\n", "MaxPostPreDataLengthExceeded"},
		"10 k tiny parts":   {tiny.String() + "--B--\r\n", "MaxPostPreDataLengthExceeded"},
		"1 MB header line":  {"--B\r\nX-Long: " + strings.Repeat("x", 1<<20) + "\r\n" + fmt.Sprintf(head, "key") + "\r\na\r\n--B--\r\n", "MaxPostPreDataLengthExceeded"},
		"1 MB preamble":     {strings.Repeat("x", 1<<20) + "\r\n" + part("key", "a") + "--B--\r\n", "MaxPostPreDataLengthExceeded"},
		"many header lines": {"--B\r\n" + strings.Repeat("A: b\r\n", 17) + fmt.Sprintf(head, "key") + "\r\na\r\n--B--\r\n", "MalformedPOSTRequest"},
		"no delimiter":      {"hello", "MalformedPOSTRequest"},
		"empty":             {"\r\n", "MalformedPOSTRequest"},
		"not closed":        {part("key", "a"), "MalformedPOSTRequest"},
		"no headers":        {"--B\r\n\r\na\r\n--B--\r\n", "MalformedPOSTRequest"},
		"no name":           {"--B\r\nContent-Disposition: form-data\r\n\r\na\r\n--B--\r\n", "MalformedPOSTRequest"},
		"two dispositions":  {"--B\r\n" + fmt.Sprintf(head, "key") + fmt.Sprintf(head, "file") + "\r\na\r\n--B--\r\n", "MalformedPOSTRequest"},
		"folded line":       {"--B\r\nContent-Disposition: form-data;\r\n name=\"key\"\r\n\r\na\r\n--B--\r\n", "MalformedPOSTRequest"},
		"encoded part":      {"--B\r\n" + fmt.Sprintf(head, "key") + "Content-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--B--\r\n", "MalformedPOSTRequest"},
		"bare line feeds":   {"--B\nContent-Disposition: form-data; name=\"key\"\n\na\n--B--\n", "MalformedPOSTRequest"},
		"closed at once":    {"--B--\r\n", "InvalidArgument"},
	} {
		t.Run(name, func(t *testing.T) {
			r := send(c.body)
			if r.status != 400 || r.code() != c.code {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// judged, and none afterwards when it breaks off.
func TestThreat28_SlowBody(t *testing.T) {
	f := start(t)
	r := f.form(formSpec{})
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /photos HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", r.Header.Get("Content-Type"), len(body))
	before := f.server.Stats().BytesReceived
	half := bytes.Index(body, []byte("x-amz-signature"))
	write(t, c, string(body[:half]))
	eventually(t, "half of the form read", func() bool { return f.server.Stats().BytesReceived-before == int64(half) })
	if left := f.files(); len(left) > 0 {
		t.Errorf("before the signature: %v", left)
	}
	write(t, c, string(body[half:len(body)-20]))
	eventually(t, "most of the form read", func() bool { return f.server.Stats().BytesReceived-before == int64(len(body)-20) })
	must(t, c.Close())
	eventually(t, "no file left", func() bool { return len(f.files()) == 0 })
	f.absent("up/a")
}

// Threat 29: content type by substring, bucket named twice, names of our own.
func TestThreat29_OneRouterDecision(t *testing.T) {
	f := start(t)
	for _, v := range []string{"xmultipart/form-data; boundary=B", "multipart/form-dataX; boundary=B", "text/plain; multipart/form-data; boundary=B", "multipart/form-data, text/plain; boundary=B"} {
		f.refused(formSpec{request: formType(v)}, 412, "PreconditionFailed", "")
	}
	f.refused(formSpec{fields: []sigv4.Field{field("key", "a"), field("bucket", "other")}}, 403, "AccessDenied", "")
	f.refused(formSpec{bucket: "other"}, 403, "AccessDenied", "Policy Condition failed")
	for _, name := range []string{".lock", "..", "%2e%2e", "tmp%2f..", "PHOTOS", "a", "photos%00", "192.168.0.1", "-ab", "a..b"} {
		r := f.do("PUT", "/"+name+"/k", []byte("x"), nil)
		if r.status/100 == 2 || r.code() != "InvalidBucketName" {
			t.Errorf("bucket %s: %d %s", name, r.status, r.body)
		}
		if r := f.do("PUT", "/"+name, nil, nil); r.status/100 == 2 {
			t.Errorf("bucket %s made", name)
		}
	}
	f.expect(f.post(formSpec{bucket: "nobucket", request: func(r *http.Request) { r.URL.Path = "/nobucket" }}), 404, "NoSuchBucket")
}

// Threat 30: every way to sign that is not known is refused, and nothing stored.
func TestThreat30_SignatureBypass(t *testing.T) {
	f := start(t)
	for _, payload := range []string{"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-X"} {
		h := map[string]string{"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "5"}
		if strings.HasPrefix(payload, "STREAMING-AWS4-HMAC") { // and no chunk is signed
			if r := f.doAs("PUT", "/photos/a", []byte("5\r\nhello\r\n0\r\n\r\n"), h, payload); r.status/100 != 4 {
				t.Errorf("%s: %d %s", payload, r.status, r.body)
			}
		}
		r := f.request("PUT", "/photos/a", []byte("5\r\nhello\r\n0\r\n\r\n"), h)
		r.Header.Set("X-Amz-Content-Sha256", payload)
		if got := f.raw(r); got.status/100 != 4 {
			t.Errorf("anonymous %s: %d %s", payload, got.status, got.body)
		}
	}
	signed := strings.TrimPrefix(f.presign("PUT", "/photos/a", nil), f.url)
	both := f.request("PUT", signed, []byte("x"), map[string]string{"Authorization": "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b"})
	v2 := f.request("PUT", "/photos/a", []byte("x"), map[string]string{"Authorization": "AWS " + testKey.AccessKeyID + ":c2ln"})
	v2q := f.request("PUT", "/photos/a?AWSAccessKeyId="+testKey.AccessKeyID+"&Signature=c2ln&Expires=4102444800", []byte("x"), nil)
	i := strings.Index(signed, "X-Amz-Signature=")
	empty := f.request("PUT", signed[:i]+"X-Amz-Signature=", []byte("x"), nil)
	none := f.request("PUT", strings.TrimSuffix(signed[:i], "&"), []byte("x"), nil)
	unsignedMeta := f.request("PUT", signed, []byte("x"), map[string]string{"x-amz-meta-a": "b"})
	odd := f.request("PUT", "/photos/a", []byte("x"), map[string]string{"Authorization": "Bearer x"})
	for name, r := range map[string]*http.Request{"both": both, "v2": v2, "v2 query": v2q, "empty": empty, "none": none, "unsigned": unsignedMeta, "odd": odd} {
		if got := f.raw(r); got.status/100 != 4 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	// On a form, too: neither header nor query may come besides its fields.
	f.refused(formSpec{request: func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x") }}, 400, "InvalidArgument", "")
	r := f.form(formSpec{})
	r.URL.RawQuery = "X-Amz-Signature=x"
	if got := f.raw(r); got.status/100 != 4 {
		t.Errorf("form with query: %d %s", got.status, got.body)
	}
	// A form of signature version 2.
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, x := range [][2]string{{"key", "a"}, {"AWSAccessKeyId", testKey.AccessKeyID}, {"policy", "e30="}, {"signature", "c2ln"}, {"file", "x"}} {
		must(t, w.WriteField(x[0], x[1]))
	}
	must(t, w.Close())
	if got := f.raw(f.request("POST", "/photos", b.Bytes(), map[string]string{"Content-Type": w.FormDataContentType()})); got.status/100 != 4 {
		t.Errorf("form v2: %d %s", got.status, got.body)
	}
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// Answers and log never hold a signature, a policy or a secret (threat 23).
func TestThreat23_NoSecretsInAnswersOrLog(t *testing.T) {
	f := start(t)
	var secrets []string
	keep := func(m map[string]string) {
		secrets = append(secrets, m["policy"], m["x-amz-signature"])
		m["key"] = "other"
	}
	r := f.refused(formSpec{change: keep}, 403, "AccessDenied", "")
	r2 := f.refused(formSpec{change: func(m map[string]string) { keep(m); m["policy"] += "x"; secrets = append(secrets, m["policy"]) }}, 403, "SignatureDoesNotMatch", "")
	u := f.presign("GET", "/photos/missing", nil)
	secrets = append(secrets, u[strings.Index(u, "X-Amz-Signature=")+16:], testKey.SecretAccessKey)
	r3 := f.raw(f.request("GET", strings.TrimPrefix(u, f.url)+"0", nil, nil))
	f.raw(f.request("GET", strings.TrimPrefix(u, f.url), nil, nil))
	f.raw(f.request("GET", strings.Replace(strings.TrimPrefix(u, f.url), "?", "?acl=&", 1), nil, nil))
	f.put("a", "x")
	must(t, filepath.WalkDir(f.dir, func(path string, d os.DirEntry, err error) error {
		if fi, err := d.Info(); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v (%v)", path, fi.Mode(), err)
		}
		return err
	}))
	for _, s := range secrets {
		for _, text := range []string{string(r.body), string(r2.body), string(r3.body), f.log.String()} {
			if strings.Contains(text, s) {
				t.Errorf("%q is in %q", s, text)
			}
		}
	}
}

// Threat 31: headers and fields that look like ours are not stored.
func TestThreat31_InternalMetadata(t *testing.T) {
	f := start(t)
	f.expect(f.post(formSpec{fields: []sigv4.Field{field("key", "up/a"), field("etag", "x"), field("size", "0"), field("modified", "0"), field("x-postern-internal", "1")}}), 204, "")
	f.expect(f.do("PUT", "/photos/b", []byte("hello"), map[string]string{"Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT", "ETag": "x", "X-Postern-Internal": "1", "X-Amz-Meta-Ok": "1"}), 200, "")
	for _, key := range []string{"up/a", "b"} {
		g := f.get(key)
		if g.header.Get("X-Postern-Internal") != "" || strings.Contains(g.header.Get("ETag"), "x") || strings.Contains(g.header.Get("Last-Modified"), "1970") || string(g.body) != "hello" {
			t.Errorf("%s: %v", key, g.header)
		}
	}
}

// Threat 36: no value can hold a line end or another control character.
func TestThreat36_HeaderInjection(t *testing.T) {
	f := start(t)
	for _, name := range []string{"Content-Type", "Content-Disposition", "Cache-Control", "x-amz-meta-a"} {
		for _, v := range []string{"a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\x00b", "a\x1b[31mb", "a\xff"} {
			s := formSpec{fields: []sigv4.Field{field("key", "up/a"), field(name, v)}, conditions: []sigv4.Condition{sigv4.Eq("key", "up/a"), sigv4.StartsWith(name, "")}}
			if r := f.post(s); r.status != 400 {
				t.Errorf("%s %q: %d", name, v, r.status)
			}
		}
	}
	f.refused(formSpec{fields: []sigv4.Field{field("key", "up/a"), field("x-amz-meta-a b", "v")}}, 400, "InvalidArgument", "")
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// per record.
func TestThreat37_LogInjection(t *testing.T) {
	f := start(t)
	evil := "a\n{\"level\":\"ERROR\"}\x1b[31m%0d%0a\""
	f.expect(f.do("GET", "/photos/"+escapeKey(evil, true), nil, nil), 404, "NoSuchKey")
	f.expect(f.do("GET", "/photos/"+escapeKey(evil, true)+"?torrent", nil, nil), 501, "NotImplemented")
	lines := bufio.NewScanner(strings.NewReader(f.log.String()))
	n := 0
	for lines.Scan() {
		n++
		if !strings.HasPrefix(lines.Text(), `{"time"`) || strings.ContainsRune(lines.Text(), 0x1b) {
			t.Errorf("line %q", lines.Text())
		}
	}
	if n != 2 {
		t.Errorf("%d lines in the log, want 2:\n%s", n, f.log.String())
	}
}
