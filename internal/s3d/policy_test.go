package s3d

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// publicPolicy allows something to everybody.
func publicPolicy(action, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"` + action + `","Resource":"arn:aws:s3:::` + resource + `"}]}`
}

// denyAll denies something to everybody, under conditions.
func denyAll(action, resource string, condition ...string) string {
	more := ""
	for _, c := range condition {
		more += "," + c
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"` + action + `","Resource":` + resource + more + `}]}`
}

// [D] Put, Get and DeleteBucketPolicy; the policy survives a restart, as sent.
func TestPolicySettings(t *testing.T) {
	f := start(t)
	f.expect(f.do("GET", "/photos?policy", nil, nil), 404, "NoSuchBucketPolicy")
	f.expect(f.do("GET", "/photos?policyStatus", nil, nil), 404, "NoSuchBucketPolicy")
	doc := denyAll("s3:DeleteObject", `"arn:aws:s3:::photos/kept/*"`) + " \n"
	f.expect(f.set("policy", doc), 204, "")
	r := f.do("GET", "/photos?policy", nil, nil)
	if r.status != 200 || string(r.body) != doc || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", r.status, r.body)
	}
	b := f.server.newBucket(testBucket)
	if err := b.open(); err != nil || string(b.policy.document()) != doc || b.policy.value() == nil {
		t.Errorf("reopened: %v", err)
	}
	f.put("kept/a", "x")
	f.expect(f.do("DELETE", "/photos/kept/a", nil, nil), 403, "AccessDenied")
	f.expect(f.do("DELETE", "/photos?policy", nil, nil), 204, "")
	f.expect(f.do("DELETE", "/photos?policy", nil, nil), 204, "")
	f.expect(f.do("GET", "/photos?policy", nil, nil), 404, "NoSuchBucketPolicy")
	f.expect(f.do("DELETE", "/photos/kept/a", nil, nil), 204, "")
	f.expect(f.do("PUT", "/nobucket?policy", []byte(doc), nil), 404, "NoSuchBucket")
}

// What is not understood to its last element is refused, in S3's words, and the
// policy from before stays.
func TestMalformedPolicies(t *testing.T) {
	f := start(t)
	kept := denyAll("s3:DeleteObject", `"arn:aws:s3:::photos/kept/*"`)
	f.expect(f.set("policy", kept), 204, "")
	statement := func(s string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` + s + `}]}`
	}
	const action, resource = `"Action":"s3:GetObject"`, `"Resource":"arn:aws:s3:::photos/*"`
	for doc, message := range map[string]string{
		"":                "Policies must be valid JSON and the first byte must be '{'",
		"x":               "Policies must be valid JSON and the first byte must be '{'",
		"[]":              "Policies must be valid JSON and the first byte must be '{'",
		"{":               "",
		"{}":              "Missing required field Statement",
		"null":            "Policies must be valid JSON and the first byte must be '{'",
		statement(action): "Missing required field Resource",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + action + `,` + resource + `}]}`: "Missing required field Principal",
		statement(`"Action":"s3:GetObjekt",` + resource):                                            "Policy has invalid action",
		statement(action + `,"Resource":"arn:aws:s3:::other/*"`):                                    "Policy has invalid resource",
		statement(`"Action":"s3:ListBucket",` + resource):                                           "Action does not apply to any resource(s) in statement",
		statement(action + `,` + resource + `,"Condition":{"StringLike":{"aws:nothing":"x"}}`):      "Policy has an invalid condition key",
		statement(action + `,` + resource + `,"Note":"x"`):                                          "",
		statement(action + `,` + resource + `,` + action):                                           "",
		statement(action+`,`+resource) + strings.Repeat(" ", 20<<10):                                "Policy exceeds the maximum allowed document size.",
	} {
		r := f.set("policy", doc)
		if r.status != 400 || r.code() != "MalformedPolicy" || !strings.Contains(r.element("Message"), message) {
			t.Errorf("%.120s: %d %s", doc, r.status, r.body)
		}
	}
	f.expect(f.set("policy", strings.Repeat(" ", maxSettings+1)), 400, "MaxMessageLengthExceeded")
	r := f.set("policy", statement(`"Action":"s3:GetObjekt",`+resource))
	if got := strings.ToLower(r.element("Detail")); !strings.Contains(got, "statement 1") || !strings.Contains(got, "getobjekt") {
		t.Errorf("%s", r.body)
	}
	if r := f.do("GET", "/photos?policy", nil, nil); string(r.body) != kept {
		t.Errorf("%s", r.body)
	}
}

// [D] "Public read of a prefix": for everybody, for reading, for that prefix.
func TestPublicReadOfAPrefix(t *testing.T) {
	f := start(t)
	for _, key := range []string{"open/a", "open/b/c", "opened", "incoming/a"} {
		f.put(key, "x")
	}
	f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
	f.expect(f.set("policy", publicPolicy("s3:GetObject", "photos/open/*")), 204, "")
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/photos/open/a", 200},
		{"HEAD", "/photos/open/b/c", 200},
		{"GET", "/photos/open/missing", 403}, // who may not list does not learn that
		{"GET", "/photos/opened", 403},
		{"GET", "/photos/incoming/a", 403},
		{"GET", "/photos/open/../incoming/a", 403},
		{"GET", "/photos/open%2F..%2Fincoming/a", 403},
		{"GET", "/photos/open/a?acl", 403},
		{"PUT", "/photos/open/a", 403},
		{"DELETE", "/photos/open/a", 403},
		{"GET", "/photos?list-type=2", 403},
		{"GET", "/photos?policy", 403},
		{"GET", "/photos?policyStatus", 403},
		{"DELETE", "/photos?policy", 403},
		{"PUT", "/photos?policy", 403},
		{"GET", "/", 403},
	} {
		u, err := url.Parse(f.url)
		must(t, err)
		r := f.request(c.method, "/", nil, nil)
		r.URL = &url.URL{Scheme: u.Scheme, Host: u.Host, Opaque: "//" + u.Host + c.target} // the path as it is
		if got := f.raw(r); got.status != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.target, got.status, got.body)
		}
	}
	// Lists, too, when they are public.
	f.expect(f.set("policy", publicPolicy("s3:ListBucket", "photos")), 204, "")
	f.expect(f.by(nil, "GET", "/photos?list-type=2", nil, nil), 200, "")
	f.expect(f.by(nil, "GET", "/photos/open/a", nil, nil), 403, "AccessDenied")
	f.expect(f.by(nil, "GET", "/photos/open/missing", nil, nil), 403, "AccessDenied")
}

// What arrives in the quarantine is read by nobody, however wide the rest is open.
func TestThreat21_QuarantineIsNotReadable(t *testing.T) {
	f := start(t)
	f.put("incoming/a", "x")
	f.put("images/a", "x")
	f.expect(f.by(nil, "GET", "/photos/incoming/a", nil, nil), 403, "AccessDenied")
	f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
	doc := strings.Replace(publicPolicy("s3:GetObject", "photos/*"), `}]}`,
		`},{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/incoming/*"}]}`, 1)
	f.expect(f.set("policy", doc), 204, "")
	f.expect(f.by(nil, "GET", "/photos/images/a", nil, nil), 200, "")
	f.expect(f.by(nil, "GET", "/photos/incoming/a", nil, nil), 403, "AccessDenied")
	f.expect(f.raw(f.request("GET", strings.TrimPrefix(f.presign("GET", "/photos/incoming/a", nil), f.url), nil, nil)), 403, "AccessDenied")
}

// "An explicit deny in any policy overrides any allows", the owner's too; but
// nobody is locked out for good: "the root user of the bucket owner's account
// can always" put, get and delete the policy.
func TestDenyBindsTheOwner(t *testing.T) {
	f := startWith(t, identity("ann", say("Allow", "s3:*", "*")))
	ann := userKey("ann")
	f.put("v/a", "x")
	f.expect(f.set("policy", denyAll("s3:*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`)), 204, "")
	for _, key := range []string{"v/a", "w/a"} {
		f.expect(f.get(key), 403, "AccessDenied")
		f.expect(f.do("PUT", "/photos/"+key, []byte("y"), nil), 403, "AccessDenied")
		f.expect(f.do("DELETE", "/photos/"+key, nil, nil), 403, "AccessDenied")
		f.expect(f.post(formSpec{fields: fieldsFor(key)}), 403, "AccessDenied")
	}
	f.expect(f.do("GET", "/photos?list-type=2", nil, nil), 403, "AccessDenied")
	f.expect(f.do("GET", "/photos?policyStatus", nil, nil), 403, "AccessDenied")
	f.expect(f.do("DELETE", "/photos", nil, nil), 403, "AccessDenied")
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		f.expect(f.by(&ann, method, "/photos?policy", nil, nil), 403, "AccessDenied")
	}
	f.expect(f.do("GET", "/photos?policy", nil, nil), 200, "")
	f.expect(f.set("policy", denyAll("s3:*", `"arn:aws:s3:::photos/v/*"`)), 204, "")
	f.expect(f.get("v/a"), 403, "AccessDenied")
	f.expect(f.post(formSpec{fields: fieldsFor("v/b")}), 403, "AccessDenied")
	f.put("w/a", "x")
	f.expect(f.by(&ann, "PUT", "/photos/v/b", []byte("x"), nil), 403, "AccessDenied")
	f.expect(f.by(&ann, "PUT", "/photos/w/b", []byte("x"), nil), 200, "")
	f.expect(f.do("DELETE", "/photos?policy", nil, nil), 204, "")
	if r := f.get("v/a"); string(r.body) != "x" {
		t.Errorf("%s", r.body)
	}
	f.absent("v/b")
}

// [D] "aws:SecureTransport": plain HTTP is refused, forms included; TLS is not.
func TestDenyInsecureTransport(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	f.expect(f.set("policy", denyAll("s3:*", `["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`, `"Condition":{"Bool":{"aws:SecureTransport":"false"}}`)), 204, "")
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		if r := f.do(method, "/photos/a", nil, nil); r.status != 403 {
			t.Errorf("%s: %d", method, r.status)
		}
	}
	f.expect(f.do("GET", "/photos?list-type=2", nil, nil), 403, "AccessDenied")
	f.expect(f.post(formSpec{}), 403, "AccessDenied")

	h := httptest.NewTLSServer(f.server)
	defer h.Close()
	over := &fixture{t: t, dir: f.dir, server: f.server, url: h.URL, log: f.log, signer: f.signer}
	send := func(r *http.Request) (int, string) {
		resp, err := h.Client().Do(r)
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(b)
	}
	r := over.request("GET", "/photos/a", nil, nil)
	sum := sha256.Sum256(nil)
	must(t, f.signer.SignHeader(testKey, f.now(), r, hex.EncodeToString(sum[:])))
	if status, b := send(r); status != 200 || b != "x" {
		t.Errorf("over TLS: %d %s", status, b)
	}
	if status, b := send(over.form(formSpec{})); status != 204 {
		t.Errorf("a form over TLS: %d %s", status, b)
	}
}

// A policy that lets everybody write takes forms without a policy document and
// plain PUTs, where it says so and nowhere else.
func TestPublicWrite(t *testing.T) {
	f := start(t)
	f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
	auth := []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}
	f.expect(f.post(formSpec{drop: auth, fields: fieldsFor("drop/a")}), 403, "AccessDenied")
	f.expect(f.set("policy", publicPolicy("s3:PutObject", "photos/drop/*")), 204, "")
	f.expect(f.post(formSpec{drop: auth, fields: fieldsFor("drop/a")}), 204, "")
	f.expect(f.post(formSpec{drop: auth, fields: fieldsFor("else/a")}), 403, "AccessDenied")
	f.expect(f.by(nil, "PUT", "/photos/drop/b", []byte("x"), nil), 200, "")
	f.expect(f.by(nil, "PUT", "/photos/else/b", []byte("x"), nil), 403, "AccessDenied")
	f.expect(f.by(nil, "GET", "/photos/drop/a", nil, nil), 403, "AccessDenied")
	f.expect(f.by(nil, "DELETE", "/photos/drop/a", nil, nil), 403, "AccessDenied")
	// A form that is signed in part, or wrongly, is not one that nobody signed.
	for _, name := range auth[1:] {
		rest := strings.Fields(strings.ReplaceAll(strings.Join(auth, " "), name, ""))
		if r := f.post(formSpec{drop: rest, fields: fieldsFor("drop/c")}); r.status/100 != 4 {
			t.Errorf("only %s: %d %s", name, r.status, r.body)
		}
	}
	f.expect(f.post(formSpec{drop: auth[1:], fields: fieldsFor("drop/c")}), 400, "InvalidArgument")
	f.expect(f.post(formSpec{fields: fieldsFor("drop/c"), change: func(m map[string]string) { m["x-amz-signature"] = strings.Repeat("0", 64) }}), 403, "SignatureDoesNotMatch")
	f.absent("drop/c")
	f.absent("else/a")
	if r := f.get("drop/a"); string(r.body) != "hello" {
		t.Errorf("%s", r.body)
	}
}

// A bucket policy may allow a user what his own do not; its Deny binds him.
func TestPolicyNamesUsers(t *testing.T) {
	f := startWith(t, identity("ann", say("Allow", "s3:GetObject", "photos/b/*")), identity("bob", say("Allow", "s3:GetObject", "photos/b/*")))
	ann, bob := userKey("ann"), userKey("bob")
	f.put("a/x", "x")
	f.put("b/x", "x")
	doc := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"` + UserARN("ann") + `"},"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::photos/a/*"},
		{"Effect":"Deny","Principal":{"AWS":"` + UserARN("bob") + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/b/*"}]}`
	f.expect(f.set("policy", doc), 204, "") // it is not public, so nothing blocks it
	f.expect(f.by(&ann, "GET", "/photos/a/x", nil, nil), 200, "")
	f.expect(f.by(&ann, "GET", "/photos/b/x", nil, nil), 200, "")
	f.expect(f.postBy(ann, "a/y"), 204, "")
	f.expect(f.postBy(ann, "b/y"), 403, "AccessDenied")
	f.expect(f.by(&bob, "GET", "/photos/a/x", nil, nil), 403, "AccessDenied")
	f.expect(f.by(&bob, "GET", "/photos/b/x", nil, nil), 403, "AccessDenied")
	f.expect(f.get("b/x"), 200, "")
	f.expect(f.by(nil, "GET", "/photos/a/x", nil, nil), 403, "AccessDenied")
}

// Policy and public access settings hold after a restart.
func TestPolicyAfterRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bucket")
	t.Run("before", func(t *testing.T) {
		f := startIn(t, dir)
		f.put("open/a", "x")
		f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
		f.expect(f.set("policy", publicPolicy("s3:GetObject", "photos/open/*")), 204, "")
	})
	f := startIn(t, dir)
	f.expect(f.by(nil, "GET", "/photos/open/a", nil, nil), 200, "")
	f.expect(f.do("GET", "/photos?publicAccessBlock", nil, nil), 404, "NoSuchPublicAccessBlockConfiguration")
}
