package s3d

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// One test for each row of S3's errors to POST Object, as they come over the
// wire (its documentation names other codes for some).

func formType(v string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Content-Type", v) }
}

// Not multipart: 412, and the condition in words.
func TestPostErrorNotMultipart(t *testing.T) {
	f := start(t)
	for _, v := range []string{"", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "text/plain"} {
		r := f.refused(formSpec{request: formType(v)}, 412, "PreconditionFailed", "")
		if got := r.element("Condition"); got != "Bucket POST must be of the enclosure-type multipart/form-data" {
			t.Errorf("Condition is %q", got)
		}
	}
}

// No boundary: 400 MalformedPOSTRequest.
func TestPostErrorNoBoundary(t *testing.T) {
	f := start(t)
	for _, v := range []string{"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + strings.Repeat("x", 71), "multipart/form-data; x"} {
		f.refused(formSpec{request: formType(v)}, 400, "MalformedPOSTRequest", "")
	}
}

// A field of the signature is missing: 400 that names it. None is there: anonymous.
func TestPostErrorMissingFields(t *testing.T) {
	f := start(t)
	auth := map[string]string{
		"policy": "Policy", "x-amz-algorithm": "X-Amz-Algorithm", "x-amz-credential": "X-Amz-Credential",
		"x-amz-date": "X-Amz-Date", "x-amz-signature": "X-Amz-Signature",
	}
	var all []string
	for field, named := range auth {
		all = append(all, field)
		r := f.refused(formSpec{drop: []string{field}}, 400, "InvalidArgument", "Bucket POST must contain a field named '")
		if !strings.EqualFold(r.element("ArgumentName"), named) {
			t.Errorf("without %s ArgumentName is %q", field, r.element("ArgumentName"))
		}
		if !strings.Contains(r.element("Message"), ".  If it is specified, please check the order of the fields.") {
			t.Errorf("message is %q", r.element("Message"))
		}
	}
	f.refused(formSpec{drop: []string{"key"}}, 400, "InvalidArgument", "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.")
	f.refused(formSpec{drop: all}, 403, "AccessDenied", "")
}

// No file: 400, ArgumentName file.
func TestPostErrorNoFile(t *testing.T) {
	f := start(t)
	r := f.refused(formSpec{noFile: true}, 400, "InvalidArgument", "POST requires exactly one file upload per request.")
	if r.element("ArgumentName") != "file" {
		t.Errorf("ArgumentName is %q", r.element("ArgumentName"))
	}
}

// Unknown key id: 403 InvalidAccessKeyId.
func TestPostErrorUnknownKey(t *testing.T) {
	f := start(t)
	f.refused(formSpec{key: &sigv4.Credentials{AccessKeyID: "AKIAOTHER", SecretAccessKey: "x"}}, 403, "InvalidAccessKeyId", "")
}

// Bad signature: 403, judged over the text as received before it is decoded.
func TestPostErrorBadSignature(t *testing.T) {
	f := start(t)
	f.refused(formSpec{key: &sigv4.Credentials{AccessKeyID: testKey.AccessKeyID, SecretAccessKey: "wrong"}}, 403, "SignatureDoesNotMatch", "")
	f.refused(formSpec{change: func(m map[string]string) { m["policy"] = m["policy"][:40] }}, 403, "SignatureDoesNotMatch", "")
	f.refused(formSpec{change: func(m map[string]string) { m["policy"] = "!" }}, 403, "SignatureDoesNotMatch", "")
	f.refused(formSpec{change: func(m map[string]string) { m["x-amz-signature"] = strings.Repeat("0", 64) }}, 403, "SignatureDoesNotMatch", "")
}

// Wrong region: 400 that names both.
func TestPostErrorWrongRegion(t *testing.T) {
	f := start(t)
	f.refused(formSpec{signer: sigv4.NewSigner("eu-west-1")}, 400, "InvalidArgument", "the region 'eu-west-1' is wrong; expecting 'us-east-1'")
}

// signText makes a form whose policy is any text.
func signText(doc string) formSpec {
	// The signer signs policies of its own making only, so the signature over
	// this text is made by the scheme's four steps here.
	return formSpec{change: func(m map[string]string) {
		m["policy"] = base64.StdEncoding.EncodeToString([]byte(doc))
		m["x-amz-signature"] = signature(testKey.SecretAccessKey, m["x-amz-date"][:8], testRegion, m["policy"])
	}}
}

// Policy's shape: 400 InvalidPolicyDocument.
func TestPostErrorPolicyShape(t *testing.T) {
	f := start(t)
	for _, doc := range []string{
		``, `{`, `[]`, `{"expiration":"2099-01-01T00:00:00Z"}`, `{"conditions":[]}`,
		`{"EXPIRATION":"2099-01-01T00:00:00Z","conditions":[]}`,
		`{"expiration":"2099-01-01T00:00:00+01:00","conditions":[]}`,
		`{"expiration":"2099-01-01T00:00:00Z","conditions":[["content-length-range",0,1.5]]}`,
		`{"expiration":"2099-01-01T00:00:00Z","conditions":[{"a":"b","c":"d"}]}`,
	} {
		f.refused(signText(doc), 400, "InvalidPolicyDocument", "Invalid Policy: ")
	}
}

// Expired: 403 AccessDenied, "Policy expired."
func TestPostErrorExpired(t *testing.T) {
	f := start(t)
	f.refused(formSpec{policy: func(p *sigv4.Policy) { p.Expiration = f.now().Add(-time.Second) }}, 403, "AccessDenied", "Invalid according to Policy: Policy expired.")
	f.expect(f.post(formSpec{policy: func(p *sigv4.Policy) { p.Expiration = f.now().Add(time.Minute) }}), 204, "")
	f.advance(time.Hour)
	f.expect(f.post(formSpec{now: f.now().Add(-10 * time.Minute), policy: func(p *sigv4.Policy) { p.Expiration = f.now().Add(-time.Minute) }}), 403, "AccessDenied")
}

// Condition fails: 403, the condition in words.
func TestPostErrorCondition(t *testing.T) {
	f := start(t)
	f.refused(formSpec{change: func(m map[string]string) { m["key"] = "up/b" }}, 403, "AccessDenied",
		`Invalid according to Policy: Policy Condition failed: ["eq", "$key", "up/a"]`)
}

// Size: 400, with the sizes in elements of their own.
func TestPostErrorSize(t *testing.T) {
	f := start(t)
	big, small := strings.Repeat("x", 101), ""
	r := f.refused(formSpec{file: &big}, 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	if r.element("ProposedSize") != "101" || r.element("MaxSizeAllowed") != "100" {
		t.Errorf("elements are %s", r.body)
	}
	r = f.refused(formSpec{file: &small}, 400, "EntityTooSmall", "is smaller than the minimum allowed size")
	if r.element("ProposedSize") != "0" || r.element("MinSizeAllowed") != "1" {
		t.Errorf("elements are %s", r.body)
	}
}

// ACL on a bucket without ACLs: 400 AccessControlListNotSupported.
func TestPostErrorACL(t *testing.T) {
	f := start(t)
	f.refused(formSpec{fields: []sigv4.Field{field("key", "up/a"), field("acl", "public-read")}}, 400, "AccessControlListNotSupported", "")
}

// Order of checks: content type, required fields, anonymous, signature, policy,
// conditions, size. Each form here has all faults from one step on.
func TestPostErrorOrder(t *testing.T) {
	f := start(t)
	big := strings.Repeat("x", 200)
	badKey := &sigv4.Credentials{AccessKeyID: testKey.AccessKeyID, SecretAccessKey: "wrong"}
	expired := func(p *sigv4.Policy) { p.Expiration = f.now().Add(-time.Hour) }
	auth := []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}
	f.refused(formSpec{file: &big, key: badKey, policy: expired, drop: append([]string{"key"}, auth...), request: formType("text/plain")}, 412, "PreconditionFailed", "")
	f.refused(formSpec{file: &big, key: badKey, policy: expired, drop: append([]string{"key"}, auth...)}, 400, "InvalidArgument", "'key'")
	f.refused(formSpec{file: &big, key: badKey, policy: expired, drop: auth}, 403, "AccessDenied", "Access Denied")
	f.refused(formSpec{file: &big, key: badKey, policy: expired}, 403, "SignatureDoesNotMatch", "")
	f.refused(signTextWithFile("{", &big), 400, "InvalidPolicyDocument", "")
	f.refused(formSpec{file: &big, policy: expired}, 403, "AccessDenied", "Policy expired.")
	f.refused(formSpec{file: &big, change: func(m map[string]string) { m["key"] = "b" }}, 403, "AccessDenied", "Condition failed")
	f.refused(formSpec{file: &big}, 400, "EntityTooLarge", "")
}

func signTextWithFile(doc string, file *string) formSpec {
	s := signText(doc)
	s.file = file
	return s
}

// Anonymous: nobody without a key may do anything.
func TestAnonymousMayDoNothing(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	for _, c := range [][2]string{
		{"GET", "/photos/a"},
		{"HEAD", "/photos/a"},
		{"PUT", "/photos/a"},
		{"DELETE", "/photos/a"},
		{"GET", "/photos?list-type=2"},
		{"GET", "/photos?cors"},
		{"PUT", "/photos?cors"},
		{"DELETE", "/photos?cors"},
		{"PUT", "/other"},
		{"HEAD", "/photos"},
		{"GET", "/photos/missing"},
		{"GET", "/photos"},
		{"POST", "/photos?delete"},
		{"GET", "/photos/a?tagging"},
		{"PUT", "/photos/a?tagging"},
		{"GET", "/photos/a?response-content-type=text/html"},
		{"GET", "/photos?acl"},
		{"GET", "/"},
	} {
		r := f.raw(f.request(c[0], c[1], nil, nil))
		if r.status != 403 || c[0] != "HEAD" && r.code() != "AccessDenied" {
			t.Errorf("%s %s: %d %s", c[0], c[1], r.status, r.body)
		}
	}
}

// Far more than the policy allows is refused from Content-Length, before the
// file is read, and a sender that is still sending gets to read why.
func TestPostRefusesOversizeEarly(t *testing.T) {
	f := start(t)
	for _, size := range []int{200 << 10, 8 << 20} {
		file := strings.Repeat("x", size)
		before := f.server.Stats().BytesReceived
		r := f.refused(formSpec{file: &file}, 400, "EntityTooLarge", "")
		if got := r.element("ProposedSize"); got != fmt.Sprint(size) {
			t.Errorf("ProposedSize is %s, want %d", got, size)
		}
		if read := f.server.Stats().BytesReceived - before; read > drainLimit+bufferSize {
			t.Errorf("%d bytes were read", read)
		}
	}
}

// S3 takes up to 5 GiB in one request.
func TestPutLimit(t *testing.T) {
	f := start(t)
	r := f.request("PUT", "/photos/a", nil, map[string]string{"Expect": "100-continue"})
	must(t, f.signer.SignHeader(testKey, f.now(), r, sigv4.UnsignedPayload))
	r.Body, r.ContentLength = io.NopCloser(&zeros{5<<30 + 1}), 5<<30+1
	got := f.raw(r)
	f.expect(got, 400, "EntityTooLarge")
	if got.element("MaxSizeAllowed") != "5368709120" {
		t.Errorf("elements are %s", got.body)
	}
}

// Threat 28: a body that comes slowly makes no file before its signature is
// Threat 37: whatever a key or a file name holds, the log stays one valid line
// A form refused early over a plain connection: the answer is there although
// the sender never finishes.
func TestPostRefusalIsReadableMidway(t *testing.T) {
	f := start(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /photos HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", 100<<20)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 412 || !resp.Close || !bytes.Contains(b, []byte("</Error>")) {
		t.Errorf("%d %v %v %s", resp.StatusCode, resp.Close, err, b)
	}
}

// With Expect: 100-continue a refused PUT never sends its body.
func TestPutRefusedBeforeTheBody(t *testing.T) {
	f := start(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "PUT /photos/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("first answer is %d", resp.StatusCode)
	}
}
