package s3d

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"postern.example/postern/sigv4"
)

// One test for each thing we believe about POST Object. The comment of each is
// the sentence it pins; [D] is Amazon's documentation, [R] an answer recorded
// from S3.

// [D] "The file … must be the last field in the form"; success answers 204.
func TestPostStoresTheFile(t *testing.T) {
	f := start(t)
	r := f.post(formSpec{})
	f.expect(r, 204, "")
	if got := r.header.Get("ETag"); got != fmt.Sprintf(`"%x"`, md5.Sum([]byte("hello"))) {
		t.Errorf("ETag is %s", got)
	}
	if got, want := r.header.Get("Location"), f.url+"/photos/up%2Fa"; got != want {
		t.Errorf("Location is %s, want %s", got, want) // [R] "/" in Location is %2F
	}
	g := f.get("up/a")
	if string(g.body) != "hello" || g.header.Get("Content-Type") != "binary/octet-stream" {
		t.Errorf("stored %q as %s", g.body, g.header.Get("Content-Type")) // [R] no Content-Type field: binary/octet-stream
	}
}

// [R] The file part is the part named "file", whatever else has a filename.
func TestPostTakesFilenameOnEveryPart(t *testing.T) {
	f := start(t)
	name := "photo.jpg"
	f.expect(f.post(formSpec{named: true, filename: &name}), 204, "")
	if g := f.get("up/a"); string(g.body) != "hello" {
		t.Errorf("stored %q", g.body)
	}
}

// [D] Names of fields are case-insensitive; AWS SDKs capitalise them and send a bucket field.
func TestPostTakesCapitalisedNamesAndBucketField(t *testing.T) {
	f := start(t)
	f.expect(f.post(formSpec{
		fields: []sigv4.Field{field("Key", "up/a"), field("bucket", testBucket), field("CONTENT-TYPE", "image/png")},
		order: func(fields []sigv4.Field) []sigv4.Field {
			for i := range fields {
				switch fields[i].Name {
				case "policy":
					fields[i].Name = "Policy"
				case "x-amz-signature":
					fields[i].Name = "X-Amz-Signature"
				case "x-amz-date":
					fields[i].Name = "X-Amz-Date"
				}
			}
			return fields
		},
	}), 204, "")
	if got := f.get("up/a").header.Get("Content-Type"); got != "image/png" {
		t.Errorf("Content-Type is %s", got)
	}
}

// [D] Everything after the file is ignored.
func TestPostIgnoresWhatFollowsTheFile(t *testing.T) {
	f := start(t)
	f.expect(f.post(formSpec{after: []sigv4.Field{field("acl", "public-read"), field("key", "elsewhere")}}), 204, "")
	f.absent("elsewhere")
	if g := f.get("up/a"); string(g.body) != "hello" {
		t.Errorf("stored %q", g.body)
	}
}

// [D] A field after the file is also missing if it is needed.
func TestPostMissesFieldsThatFollowTheFile(t *testing.T) {
	f := start(t)
	f.refused(formSpec{drop: []string{"key"}, after: []sigv4.Field{field("key", "up/a")}}, 400, "InvalidArgument", "'key'")
}

// [D] Fields and boundaries before the file: up to 20 KB = 20480 bytes.
func TestPostLimitsWhatPrecedesTheFile(t *testing.T) {
	f := start(t)
	at := func(n int) *http.Request {
		return f.form(formSpec{part: func(w *multipart.Writer) {
			must(t, w.WriteField("x-ignore-filler", strings.Repeat("x", n)))
		}})
	}
	// Find out how long the rest is, then fill to the byte.
	probe := at(0)
	b, err := io.ReadAll(probe.Body)
	must(t, err)
	rest := strings.Index(string(b), "hello")
	f.expect(f.raw(at(20480-rest)), 204, "")
	r := f.raw(at(20480 - rest + 1))
	f.expect(r, 400, "MaxPostPreDataLengthExceeded")
	if got := r.element("MaxPostPreDataLengthBytes"); got != "20480" {
		t.Errorf("MaxPostPreDataLengthBytes is %q", got)
	}
}

// [D] Every field needs a condition but x-amz-signature, file, policy and x-ignore-*.
func TestPostNeedsAConditionForEachField(t *testing.T) {
	f := start(t)
	for _, name := range []string{"x-amz-meta-a", "Content-Disposition", "acl", "tagging", "submit"} {
		f.refused(formSpec{change: func(m map[string]string) { m[name] = "v" }}, 403, "AccessDenied",
			"Invalid according to Policy: Extra input fields: "+strings.ToLower(name))
	}
	f.expect(f.post(formSpec{change: func(m map[string]string) { m["x-ignore-this"] = "v" }}), 204, "")
}

// [I] A policy without a bucket condition fails with "Extra input fields: bucket".
func TestPostNeedsABucketCondition(t *testing.T) {
	f := start(t)
	f.refused(formSpec{policy: func(p *sigv4.Policy) { p.Conditions = p.Conditions[1:] }}, 403, "AccessDenied", "Extra input fields: bucket")
}

// [D] starts-with with an empty prefix allows any value; [R] an absent field fails.
func TestPostStartsWith(t *testing.T) {
	f := start(t)
	f.expect(f.post(formSpec{conditions: []sigv4.Condition{sigv4.StartsWith("key", ""), sigv4.LengthRange(1, 10)}}), 204, "")
	r := f.post(formSpec{conditions: []sigv4.Condition{sigv4.Eq("key", "up/a"), sigv4.StartsWith("x-amz-meta-a", "")}})
	f.expect(r, 403, "AccessDenied")
}

// [D] content-length-range is inclusive at both ends.
func TestPostSizeRangeIsInclusive(t *testing.T) {
	f := start(t)
	size := func(n int, lo, hi int64) reply {
		file := strings.Repeat("x", n)
		return f.post(formSpec{file: &file, conditions: []sigv4.Condition{sigv4.Eq("key", "up/a"), sigv4.LengthRange(lo, hi)}})
	}
	f.expect(size(3, 3, 5), 204, "")
	f.expect(size(5, 3, 5), 204, "")
	f.expect(size(2, 3, 5), 400, "EntityTooSmall")
	f.expect(size(6, 3, 5), 400, "EntityTooLarge")
	f.expect(size(0, 0, 0), 204, "")
	f.expect(size(1, 0, 0), 400, "EntityTooLarge") // some servers read [0,0] as no limit
}

// [D] Several conditions on one field must all hold; several ranges, too.
func TestPostSeveralConditionsAllHold(t *testing.T) {
	f := start(t)
	f.refused(formSpec{conditions: []sigv4.Condition{sigv4.Eq("key", "up/a"), sigv4.StartsWith("key", "down/")}}, 403, "AccessDenied", "Policy Condition failed")
	f.refused(formSpec{conditions: []sigv4.Condition{sigv4.Eq("key", "up/a"), sigv4.LengthRange(0, 3), sigv4.LengthRange(0, 100)}}, 400, "EntityTooLarge", "")
}

// [D] starts-with on Content-Type takes a comma value as a list; all must match.
func TestPostContentTypeList(t *testing.T) {
	f := start(t)
	with := func(v string) formSpec {
		return formSpec{
			fields:     []sigv4.Field{field("key", "up/a"), field("Content-Type", v)},
			conditions: []sigv4.Condition{sigv4.Eq("key", "up/a"), sigv4.StartsWith("Content-Type", "image/")},
		}
	}
	f.refused(with("image/png,text/html"), 403, "AccessDenied", "")
	f.expect(f.post(with("image/png,image/jpeg")), 204, "")
}

// Servers differ in which of two fields of one name counts, so none does.
func TestPostRefusesDuplicateFields(t *testing.T) {
	f := start(t)
	for _, name := range []string{"key", "KEY", "x-ignore-me"} {
		f.refused(formSpec{part: func(w *multipart.Writer) {
			must(t, w.WriteField(name, "up/a"))
			must(t, w.WriteField(name, "up/b"))
		}}, 400, "InvalidArgument", "")
	}
}

// [D] ${filename} is expanded in all fields before matching, to the text after
// the last "/" or "\"; filename="" expands to nothing; [R] without a filename
// parameter it stays as it is.
func TestPostExpandsFilename(t *testing.T) {
	f := start(t)
	for _, c := range []struct{ filename, key string }{
		{`cat.jpg`, "up/cat.jpg"}, {`/home/me/cat.jpg`, "up/cat.jpg"}, {`C:\photos\cat.jpg`, "up/cat.jpg"}, {``, "up/"}, {`-`, "up/${filename}"},
	} {
		s := formSpec{
			fields:     []sigv4.Field{field("key", "up/${filename}"), field("x-amz-meta-name", "n-${filename}")},
			conditions: []sigv4.Condition{sigv4.StartsWith("key", "up/"), sigv4.StartsWith("x-amz-meta-name", "n-")},
		}
		if c.filename != "-" {
			s.filename = &c.filename
		}
		f.expect(f.post(s), 204, "")
		g := f.get(c.key)
		f.expect(g, 200, "")
		if got, want := g.header.Get("X-Amz-Meta-Name"), "n-"+strings.TrimPrefix(c.key, "up/"); got != want {
			t.Errorf("meta is %q, want %q", got, want)
		}
	}
	// Matched after expansion: the eq below names the expanded key.
	name := "a"
	f.expect(f.post(formSpec{
		filename: &name, fields: []sigv4.Field{field("key", "up/${filename}")},
		conditions: []sigv4.Condition{sigv4.Eq("key", "up/a")},
	}), 204, "")
}

// A short form must not grow: 1,800 times ${filename} and a name of 2 KB.
func TestPostExpansionIsBounded(t *testing.T) {
	f := start(t)
	name := strings.Repeat("n", 2000)
	f.refused(formSpec{
		filename: &name, fields: []sigv4.Field{field("key", strings.Repeat("${filename}", 60))},
		conditions: []sigv4.Condition{sigv4.StartsWith("key", "")},
	}, 400, "MaxPostPreDataLengthExceeded", "")
}

// [D] Success is 200, 201 or 204 by success_action_status; any other value is 204.
func TestPostSuccessStatus(t *testing.T) {
	f := start(t)
	for status, want := range map[string]int{"200": 200, "201": 201, "204": 204, "302": 204, "abc": 204} {
		r := f.post(formSpec{fields: []sigv4.Field{field("key", "a&b/<c>"), field("success_action_status", status)}})
		if r.status != want {
			t.Errorf("success_action_status %s is answered %d", status, r.status)
		}
		if r.header.Get("ETag") == "" || r.header.Get("Location") == "" {
			t.Errorf("%d lacks ETag or Location", want)
		}
		if want != 201 && len(r.body) > 0 {
			t.Errorf("%d has a body", want)
		}
		if want == 201 {
			// [R] PostResponse has no namespace; ETag stands in quotes.
			if !strings.Contains(string(r.body), "<PostResponse><Location>") {
				t.Errorf("body is %s", r.body)
			}
			if r.element("Bucket") != testBucket || r.element("Key") != "a&b/<c>" || r.element("ETag") != r.header.Get("ETag") || r.element("Location") != r.header.Get("Location") {
				t.Errorf("body is %s", r.body)
			}
		}
	}
}

// [D] success_action_redirect answers 303 with bucket, key and etag added to its
// query; [R] an unparsable or relative one is as if absent.
func TestPostRedirect(t *testing.T) {
	f := start(t)
	to := func(name, u string) reply {
		return f.post(formSpec{fields: []sigv4.Field{field("key", "up/a b"), field(name, u), field("success_action_status", "201")}})
	}
	etag := fmt.Sprintf("%%22%x%%22", md5.Sum([]byte("hello")))
	for u, want := range map[string]string{
		"https://app.example/done":     "https://app.example/done?bucket=photos&key=up%2Fa+b&etag=" + etag,
		"https://app.example/done?x=1": "https://app.example/done?x=1&bucket=photos&key=up%2Fa+b&etag=" + etag,
	} {
		for _, name := range []string{"success_action_redirect", "redirect"} {
			if r := to(name, u); r.status != 303 || r.header.Get("Location") != want {
				t.Errorf("%s: %d %s", u, r.status, r.header.Get("Location"))
			}
		}
	}
	for _, u := range []string{"/done", "done", "//app.example", "http://[::1", "javascript:alert(1)", ""} {
		if r := to("success_action_redirect", u); r.status != 201 {
			t.Errorf("%q: answered %d", u, r.status)
		}
	}
}

// [R] Errors never redirect.
func TestPostErrorsNeverRedirect(t *testing.T) {
	f := start(t)
	r := f.refused(formSpec{
		fields:     []sigv4.Field{field("key", "up/a"), field("success_action_redirect", "https://app.example/")},
		conditions: []sigv4.Condition{sigv4.Eq("key", "other"), sigv4.StartsWith("success_action_redirect", "")},
	}, 403, "AccessDenied", "")
	if r.header.Get("Location") != "" {
		t.Error("a refused form is sent elsewhere")
	}
}

// [R] x-amz-meta-* is stored lower case; non-ASCII is returned RFC 2047-encoded.
func TestPostMetadata(t *testing.T) {
	f := start(t)
	f.expect(f.post(formSpec{fields: []sigv4.Field{field("key", "up/a"), field("X-Amz-Meta-Postern", "Ticket"), field("x-amz-meta-city", "Zürich")}}), 204, "")
	h := f.get("up/a").header
	if h.Get("x-amz-meta-postern") != "Ticket" || h.Get("x-amz-meta-city") != "=?UTF-8?b?WsO8cmljaA==?=" {
		t.Errorf("metadata is %v", h)
	}
}

// [D] Cache-Control, Content-Disposition, Content-Encoding and Expires are kept.
func TestPostKeepsSystemHeaders(t *testing.T) {
	f := start(t)
	want := map[string]string{"Cache-Control": "no-cache", "Content-Disposition": "inline", "Content-Encoding": "identity", "Expires": "0"}
	fields := []sigv4.Field{field("key", "up/a")}
	for k, v := range want {
		fields = append(fields, field(k, v))
	}
	f.expect(f.post(formSpec{fields: fields}), 204, "")
	for k, v := range want {
		if got := f.get("up/a").header.Get(k); got != v {
			t.Errorf("%s is %q, want %q", k, got, v)
		}
	}
}

// [D] x-amz-checksum-* and Content-MD5 are compared with the bytes.
func TestPostChecksums(t *testing.T) {
	f := start(t)
	file := "hello"
	md, sum := md5.Sum([]byte(file)), sha256.Sum256([]byte(file))
	crc := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(file)))
	b64 := base64.StdEncoding.EncodeToString
	with := func(fields ...sigv4.Field) formSpec {
		return formSpec{fields: append([]sigv4.Field{field("key", "up/a")}, fields...)}
	}
	for _, bad := range []formSpec{
		with(field("Content-MD5", b64(make([]byte, 16)))),
		with(field("x-amz-checksum-sha256", b64(make([]byte, 32)))),
		with(field("x-amz-checksum-algorithm", "CRC32"), field("x-amz-checksum-crc32", "AAAAAA==")),
	} {
		f.refused(bad, 400, "BadDigest", "")
	}
	f.refused(with(field("Content-MD5", "nonsense")), 400, "InvalidDigest", "")
	f.refused(with(field("x-amz-checksum-sha256", "AAAA")), 400, "InvalidRequest", "")
	f.refused(with(field("x-amz-checksum-algorithm", "SHA256")), 400, "InvalidRequest", "")
	f.refused(with(field("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")), 400, "BadDigest", "")
	f.refused(with(field("x-amz-checksum-md5", "AAAA")), 501, "NotImplemented", "")
	for _, good := range []formSpec{
		with(field("Content-MD5", b64(md[:]))),
		with(field("x-amz-checksum-algorithm", "SHA256"), field("x-amz-checksum-sha256", b64(sum[:]))),
		with(field("x-amz-checksum-crc32", b64(crc))),
	} {
		f.expect(f.post(good), 204, "")
	}
}

// What S3 has and we lack is refused, never ignored.
func TestPostRefusesWhatItLacks(t *testing.T) {
	f := start(t)
	for _, name := range []string{"x-amz-server-side-encryption", "x-amz-website-redirect-location", "x-amz-object-lock-mode"} {
		f.refused(formSpec{fields: []sigv4.Field{field("key", "up/a"), field(name, "v")}}, 501, "NotImplemented", "")
	}
	if !strings.Contains(f.log.String(), `"header":"x-amz-object-lock-mode"`) {
		t.Error("the log does not say what is not implemented")
	}
}

// [I] POST ignores If-None-Match.
func TestPostIgnoresIfNoneMatch(t *testing.T) {
	f := start(t)
	for range 2 {
		f.expect(f.post(formSpec{request: func(r *http.Request) { r.Header.Set("If-None-Match", "*") }}), 204, "")
	}
}

// [D] POST /{bucket}, with or without a slash; POST to a key is no upload.
func TestPostAddresses(t *testing.T) {
	f := start(t)
	f.expect(f.post(formSpec{request: func(r *http.Request) { r.URL.Path = "/photos/" }}), 204, "")
	f.expect(f.post(formSpec{request: func(r *http.Request) { r.URL.Path = "/photos/key" }}), 403, "AccessDenied")
	f.expect(f.do("POST", "/photos/key", nil, nil), 405, "MethodNotAllowed")
	f.expect(f.do("POST", "/photos?anything", nil, nil), 501, "NotImplemented")
}
