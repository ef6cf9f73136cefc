package s3d

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"postern.example/postern/sigv4"
)

// userKey returns a user's key; the access key id tells the name.
func userKey(name string) sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: "AKIA" + strings.ToUpper(name), SecretAccessKey: "secret of " + name}
}

// identity makes a user whose one policy has these statements.
func identity(name string, statements ...string) User {
	return User{
		Name: name, Keys: []sigv4.Credentials{userKey(name)},
		Policies: [][]byte{[]byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`)},
	}
}

// say writes a statement of an identity policy. A condition follows its
// resource, if there is one, as `"Condition":{…}`.
func say(effect, actions, resource string, condition ...string) string {
	more := ""
	for _, c := range condition {
		more += "," + c
	}
	return `{"Effect":"` + effect + `","Action":["` + strings.ReplaceAll(actions, " ", `","`) + `"],"Resource":"arn:aws:s3:::` + resource + `"` + more + `}`
}

// startWith opens a server as start does, with users.
func startWith(t testing.TB, users ...User) *fixture {
	t.Helper()
	return startOver(t, filepath.Join(t.TempDir(), "bucket"), func(c *Config) { c.Users = users })
}

// startOver opens a server over a folder, configured otherwise.
func startOver(t testing.TB, dir string, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: dir, log: new(syncBuffer), signer: sigv4.NewSigner(testRegion)}
	c := Config{
		Dir: dir, Keys: []sigv4.Credentials{testKey}, Now: f.now,
		Logger: slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	change(&c)
	var err error
	f.server, err = New(c)
	must(t, err)
	h := httptest.NewServer(f.server)
	f.url = h.URL
	t.Cleanup(func() {
		h.Close()
		must(t, f.server.Close())
	})
	f.expect(f.do("PUT", "/"+testBucket, nil, nil), 200, "")
	return f
}

// by sends a request signed with a key; nil is nobody's.
func (f *fixture) by(key *sigv4.Credentials, method, target string, body []byte, header map[string]string) reply {
	f.t.Helper()
	r := f.request(method, target, body, header)
	if key != nil {
		sum := sha256.Sum256(body)
		must(f.t, f.signer.SignHeader(*key, f.now(), r, hex.EncodeToString(sum[:])))
	}
	return f.raw(r)
}

// md5Header is what some settings insist on.
func md5Header(doc string) map[string]string {
	sum := md5.Sum([]byte(doc))
	return map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(sum[:])}
}

// set puts a document on the bucket, as the owner.
func (f *fixture) set(setting, doc string) reply {
	f.t.Helper()
	return f.do("PUT", "/photos?"+setting, []byte(doc), md5Header(doc))
}

func (f *fixture) postBy(key sigv4.Credentials, name string) reply {
	f.t.Helper()
	return f.post(formSpec{key: &key, fields: fieldsFor(name)})
}

// The table of what servers make of a key that may do little: a POST is judged
// by the key of its object, and a Deny binds. [D] "s3:PutObject … on the object".
func TestThreat22_PostIsJudgedByItsKey(t *testing.T) {
	const put = "s3:PutObject"
	users := []User{
		identity("prefix", say("Allow", put, "photos/u/*")),
		identity("objects", say("Allow", put, "photos/*")),
		identity("bucket", say("Allow", put, "photos")),
		identity("denied", say("Allow", "s3:*", "*"), say("Deny", "s3:*", "photos/v/*")),
		identity("nothing", say("Allow", "s3:GetObject", "photos/*")),
	}
	f := startWith(t, users...)
	for _, c := range []struct {
		user       string
		postU, put int // to u/
		postV      int // to v/, as is PUT's
	}{
		{"prefix", 204, 200, 403},
		{"objects", 204, 200, 0},
		{"bucket", 403, 403, 403},
		{"denied", 204, 200, 403},
		{"nothing", 403, 403, 403},
	} {
		key := userKey(c.user)
		postV, putV := c.postV, c.postV
		if postV == 0 {
			postV, putV = 204, 200
		}
		if r := f.postBy(key, "u/"+c.user); r.status != c.postU {
			t.Errorf("%s: POST to u/: %d %s", c.user, r.status, r.body)
		}
		if r := f.postBy(key, "v/"+c.user); r.status != postV {
			t.Errorf("%s: POST to v/: %d %s", c.user, r.status, r.body)
		}
		if r := f.by(&key, "PUT", "/photos/u/p-"+c.user, []byte("x"), nil); r.status != c.put {
			t.Errorf("%s: PUT to u/: %d %s", c.user, r.status, r.body)
		}
		if r := f.by(&key, "PUT", "/photos/v/p-"+c.user, []byte("x"), nil); r.status != putV {
			t.Errorf("%s: PUT to v/: %d %s", c.user, r.status, r.body)
		}
		// What was refused is not there, what was taken is.
		for key, status := range map[string]int{"u/" + c.user: c.postU, "v/" + c.user: postV, "u/p-" + c.user: c.put, "v/p-" + c.user: putV} {
			if got := f.get(key); (got.status == 200) != (status < 300) {
				t.Errorf("%s: %s is there: %d", c.user, key, got.status)
			}
		}
	}
}

// The signer's key of the role table: it may write to the quarantine and do
// nothing else there or anywhere.
func TestThreat22_SignerMayOnlyWriteToQuarantine(t *testing.T) {
	signer := identity("signer", say("Allow", "s3:PutObject s3:AbortMultipartUpload s3:ListMultipartUploadParts", "photos/incoming/*"))
	f := startWith(t, signer)
	f.put("incoming/a", "x")
	f.put("images/a", "x")
	key := userKey("signer")
	f.expect(f.postBy(key, "incoming/b"), 204, "")
	f.expect(f.by(&key, "PUT", "/photos/incoming/c", []byte("x"), nil), 200, "")
	presigned := func(method, target string) reply {
		u := f.request(method, target, nil, nil).URL
		s, err := f.signer.Presign(key, f.now(), sigv4.Request{Method: method, URL: u, Expires: time.Minute})
		must(t, err)
		return f.raw(f.request(method, strings.TrimPrefix(s, f.url), nil, nil))
	}
	for _, c := range [][2]string{
		{"GET", "/photos/incoming/a"},
		{"HEAD", "/photos/incoming/a"},
		{"DELETE", "/photos/incoming/a"},
		{"GET", "/photos/incoming/a?acl"},
		{"GET", "/photos/incoming/missing"},
		{"GET", "/photos/images/a"},
		{"PUT", "/photos/images/a"},
		{"DELETE", "/photos/images/a"},
		{"PUT", "/photos/incoming"},
		{"GET", "/photos?list-type=2"},
		{"GET", "/photos?list-type=2&prefix=incoming/"},
		{"HEAD", "/photos"},
		{"DELETE", "/photos"},
		{"GET", "/photos?policy"},
		{"DELETE", "/photos?policy"},
		{"GET", "/photos?policyStatus"},
		{"GET", "/photos?cors"},
		{"DELETE", "/photos?cors"},
		{"GET", "/photos?lifecycle"},
		{"DELETE", "/photos?lifecycle"},
		{"GET", "/photos?publicAccessBlock"},
		{"DELETE", "/photos?publicAccessBlock"},
		{"GET", "/photos?ownershipControls"},
		{"GET", "/photos?encryption"},
		{"GET", "/photos?versioning"},
		{"GET", "/photos?location"},
		{"GET", "/photos?acl"},
		{"GET", "/"},
		{"PUT", "/another"},
	} {
		for how, r := range map[string]reply{"header": f.by(&key, c[0], c[1], nil, nil), "query": presigned(c[0], c[1])} {
			if r.status != 403 || c[0] != "HEAD" && r.code() != "AccessDenied" {
				t.Errorf("%s %s, signed in the %s: %d %s", c[0], c[1], how, r.status, r.body)
			}
		}
	}
	f.expect(f.postBy(key, "images/b"), 403, "AccessDenied")
	f.expect(f.postBy(key, "incoming"), 403, "AccessDenied")
	f.expect(f.post(formSpec{
		key: &key, fields: fieldsFor("incoming/${filename}"), filename: aws.String("x/../../images/d"),
		conditions: []sigv4.Condition{sigv4.StartsWith("key", "")},
	}), 204, "")
	f.expect(f.post(formSpec{
		key: &key, fields: fieldsFor("${filename}"), filename: aws.String("incoming/d"), conditions: []sigv4.Condition{sigv4.StartsWith("key", "")},
	}), 403, "AccessDenied")
	f.expect(f.get("incoming/a"), 200, "")
	f.absent("images/b")

	// A refused form leaves no draft.
	if all := f.files(); len(all) != 5 {
		t.Errorf("files are %v", all)
	}
}

// Copies need to read the one and write the other, and deletes of many are
// judged one by one.
func TestUsersCopyAndDelete(t *testing.T) {
	f := startWith(t,
		identity("copier", say("Allow", "s3:GetObject", "photos/from/*"), say("Allow", "s3:PutObject", "photos/to/*"), say("Allow", "s3:DeleteObject", "photos/to/*")))
	f.put("from/a", "x")
	f.put("other/a", "x")
	key := userKey("copier")
	cp := func(from, to string) reply {
		return f.by(&key, "PUT", "/photos/"+to, nil, map[string]string{"x-amz-copy-source": "photos/" + from})
	}
	if r := cp("from/a", "to/a"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	f.expect(cp("other/a", "to/b"), 403, "AccessDenied")
	f.expect(cp("from/a", "other/b"), 403, "AccessDenied")
	f.absent("to/b")
	f.absent("other/b")

	doc := `<Delete><Object><Key>to/a</Key></Object><Object><Key>from/a</Key></Object></Delete>`
	r := f.by(&key, "POST", "/photos?delete", []byte(doc), md5Header(doc))
	if body := string(r.body); r.status != 200 || !strings.Contains(body, "<Deleted><Key>to/a</Key>") || !strings.Contains(body, "<Code>AccessDenied</Code>") {
		t.Errorf("%d %s", r.status, body)
	}
	f.absent("to/a")
	f.expect(f.get("from/a"), 200, "")
}

// All requests of a multipart upload are s3:PutObject on its key, but the ones
// that have an action of their own.
func TestUsersMultipart(t *testing.T) {
	f := startWith(t,
		identity("writer", say("Allow", "s3:PutObject", "photos/u/*")),
		identity("aborter", say("Allow", "s3:PutObject s3:AbortMultipartUpload s3:ListMultipartUploadParts", "photos/u/*"),
			say("Allow", "s3:ListBucketMultipartUploads", "photos")))
	ctx := context.Background()
	client := func(name string) *s3.Client {
		k := userKey(name)
		return s3.New(s3.Options{
			Region: testRegion, BaseEndpoint: aws.String(f.url), UsePathStyle: true, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, ""),
		})
	}
	denied := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("%s: %v", what, err)
		}
	}
	bucket, key := aws.String(testBucket), aws.String("u/a")
	w, a := client("writer"), client("aborter")
	_, err := w.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("v/a")})
	denied("create", err)
	up, err := w.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	must(t, err)
	part := func(c *s3.Client, key string) error {
		_, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: aws.String(key), UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("part")})
		return err
	}
	must(t, part(w, "u/a"))
	denied("part", part(w, "v/a"))
	_, err = w.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
	denied("list parts", err)
	_, err = a.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
	must(t, err)
	_, err = w.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	denied("list uploads", err)
	_, err = a.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	must(t, err)
	_, err = w.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
	denied("abort", err)
	_, err = a.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
	must(t, err)
}

// [D] "s3:ListBucket with s3:prefix": only pages below it, and a missing key is
// 403 to whoever may not list.
func TestUsersListByPrefix(t *testing.T) {
	f := startWith(t,
		identity("lister", say("Allow", "s3:ListBucket", "photos", `"Condition":{"StringLike":{"s3:prefix":"u/*"},"NumericLessThanEquals":{"s3:max-keys":"10"}}`)),
		identity("reader", say("Allow", "s3:GetObject", "photos/*")),
		identity("both", say("Allow", "s3:GetObject", "photos/*"), say("Allow", "s3:ListBucket", "photos")))
	f.put("u/a", "x")
	key := userKey("lister")
	for query, status := range map[string]int{
		"prefix=u/&max-keys=10": 200, "prefix=u/a&max-keys=1": 200, "prefix=u/&max-keys=11": 403, "prefix=u/": 403,
		"prefix=u&max-keys=1": 403, "prefix=v/&max-keys=1": 403, "max-keys=1": 403, "prefix=&max-keys=1": 403,
	} {
		if r := f.by(&key, "GET", "/photos?list-type=2&"+query, nil, nil); r.status != status {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	reader, both := userKey("reader"), userKey("both")
	f.expect(f.by(&reader, "GET", "/photos/none", nil, nil), 403, "AccessDenied")
	f.expect(f.by(&both, "GET", "/photos/none", nil, nil), 404, "NoSuchKey")
}

// Only those who may list buckets see their names.
func TestUsersListBuckets(t *testing.T) {
	f := startWith(t, identity("all", say("Allow", "s3:ListAllMyBuckets", "*")), identity("none", say("Allow", "s3:*", "photos"), say("Allow", "s3:*", "photos/*")))
	all, none := userKey("all"), userKey("none")
	f.expect(f.by(&all, "GET", "/", nil, nil), 200, "")
	r := f.by(&none, "GET", "/", nil, nil)
	f.expect(r, 403, "AccessDenied")
	if want := `not authorized to perform: s3:ListAllMyBuckets on resource: "arn:aws:s3:::*"`; !strings.Contains(string(bytes.ReplaceAll(r.body, []byte("&quot;"), []byte(`"`))), want) {
		t.Errorf("%s", r.body)
	}
	f.expect(f.by(nil, "GET", "/", nil, nil), 403, "AccessDenied")
}

// CreateBucket is asked for the bucket that is to be, with its place and owner.
func TestUsersCreateBuckets(t *testing.T) {
	f := startWith(t, identity("maker", say("Allow", "s3:CreateBucket s3:DeleteBucket", "made-*"),
		say("Deny", "s3:CreateBucket", "*", `"Condition":{"StringNotEqualsIfExists":{"s3:x-amz-object-ownership":"BucketOwnerEnforced"},"Null":{"s3:locationconstraint":"false"}}`)))
	key := userKey("maker")
	f.expect(f.by(&key, "PUT", "/made-a", nil, nil), 200, "")
	f.expect(f.by(&key, "PUT", "/other-a", nil, nil), 403, "AccessDenied")
	f.expect(f.by(nil, "PUT", "/made-b", nil, nil), 403, "AccessDenied")
	f.expect(f.by(&key, "DELETE", "/made-a", nil, nil), 204, "")
}

// An error says what was lacking, to those whose account it is.
func TestDenialNamesWhatWasLacking(t *testing.T) {
	f := startWith(t, identity("ann", say("Allow", "s3:PutObject", "photos/u/*"), say("Deny", "s3:PutObject", "photos/u/not/*")))
	key := userKey("ann")
	arn := "User: " + UserARN("ann") + " is not authorized to perform: s3:PutObject on resource: "
	for name, want := range map[string]string{
		"v/a":     arn + `"arn:aws:s3:::photos/v/a" because no identity-based policy allows the s3:PutObject action`,
		"u/not/a": arn + `"arn:aws:s3:::photos/u/not/a" with an explicit deny in an identity-based policy`,
	} {
		for how, r := range map[string]reply{"POST": f.postBy(key, name), "PUT": f.by(&key, "PUT", "/photos/"+name, []byte("x"), nil)} {
			if got := r.element("Message"); r.status != 403 || got != want {
				t.Errorf("%s %s: %d %s", how, name, r.status, got)
			}
		}
	}
	if r := f.by(nil, "PUT", "/photos/v/a", []byte("x"), nil); r.element("Message") != "Access Denied" {
		t.Errorf("%s", r.body)
	}
	deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`
	f.expect(f.set("policy", deny), 204, "")
	want := `User: arn:aws:iam::000000000000:root is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::photos/a" with an explicit deny in a resource-based policy`
	if got := f.get("a").element("Message"); got != want {
		t.Errorf("%s", got)
	}
}

// A condition of a form is judged by its fields; headers beside it say nothing.
func TestFormConditionsComeFromFields(t *testing.T) {
	f := startWith(t,
		identity("acl", say("Allow", "s3:PutObject", "photos/*", `"Condition":{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`)),
		identity("fresh", say("Allow", "s3:PutObject", "photos/*", `"Condition":{"NumericLessThan":{"s3:signatureAge":"60000"}}`)),
		identity("forms", say("Allow", "s3:PutObject", "photos/*", `"Condition":{"StringEquals":{"s3:authType":"POST"}}`)),
		identity("new", say("Allow", "s3:PutObject", "photos/*", `"Condition":{"Bool":{"s3:ObjectCreationOperation":"true"}}`)))
	acl, fresh, forms, created := userKey("acl"), userKey("fresh"), userKey("forms"), userKey("new")
	spoofed := formSpec{key: &acl, request: func(r *http.Request) { r.Header.Set("X-Amz-Acl", ownerACL) }}
	f.expect(f.post(spoofed), 403, "AccessDenied")
	f.expect(f.post(formSpec{key: &acl, fields: []sigv4.Field{field("key", "a"), field("acl", ownerACL)}}), 204, "")
	f.expect(f.by(&acl, "PUT", "/photos/a", []byte("x"), map[string]string{"x-amz-acl": ownerACL}), 200, "")
	f.expect(f.by(&acl, "PUT", "/photos/a", []byte("x"), nil), 403, "AccessDenied")

	f.expect(f.post(formSpec{key: &fresh}), 204, "")
	f.expect(f.post(formSpec{key: &fresh, now: f.now().Add(-2 * time.Minute)}), 403, "AccessDenied")
	f.expect(f.post(formSpec{key: &forms}), 204, "")
	f.expect(f.by(&forms, "PUT", "/photos/a", []byte("x"), nil), 403, "AccessDenied")
	f.expect(f.post(formSpec{key: &created}), 204, "")
	f.expect(f.by(&created, "PUT", "/photos/a", []byte("x"), nil), 200, "")
}

// Users whose configuration is wrong are refused when the server is made.
func TestUsersAreChecked(t *testing.T) {
	good := identity("ann", say("Allow", "s3:*", "*"))
	other := identity("bob", say("Allow", "s3:*", "*"))
	for what, users := range map[string][]User{
		"no name":       {{Keys: good.Keys}},
		"bad name":      {{Name: "a b", Keys: good.Keys}},
		"slash":         {{Name: "a/b", Keys: good.Keys}},
		"star":          {{Name: "*", Keys: good.Keys}},
		"umlaut":        {{Name: "ä", Keys: good.Keys}},
		"long":          {{Name: strings.Repeat("a", 65), Keys: good.Keys}},
		"no keys":       {{Name: "ann"}},
		"empty key":     {{Name: "ann", Keys: []sigv4.Credentials{{AccessKeyID: "x"}}}},
		"same name":     {good, {Name: "ann", Keys: other.Keys}},
		"same key":      {good, {Name: "bob", Keys: good.Keys}},
		"owner's key":   {{Name: "ann", Keys: []sigv4.Credentials{testKey}}},
		"broken policy": {{Name: "ann", Keys: good.Keys, Policies: [][]byte{[]byte(`{}`)}}},
	} {
		c := config(filepath.Join(t.TempDir(), "bucket"))
		c.Users = users
		s, err := New(c)
		if err == nil {
			must(t, s.Close())
			t.Errorf("%s is taken", what)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
	}
	c := config(filepath.Join(t.TempDir(), "bucket"))
	c.Users = []User{good, other, {Name: "A-z0+=,.@_", Keys: []sigv4.Credentials{userKey("x"), userKey("y")}}}
	s, err := New(c)
	must(t, err)
	must(t, s.Close())
}

// Nobody signs with something that is no known way: it is 4xx, and nothing is
// there, whatever the bucket's policy allows to all.
func TestThreat30_PublicWriteIsNoWayAroundSignatures(t *testing.T) {
	f := start(t)
	f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
	f.expect(f.set("policy", publicPolicy("s3:PutObject", "photos/open/*")), 204, "")
	f.expect(f.by(nil, "PUT", "/photos/open/a", []byte("x"), nil), 200, "")
	for name, header := range map[string]map[string]string{
		"SigV2":           {"Authorization": "AWS " + testKey.AccessKeyID + ":c2ln"},
		"basic":           {"Authorization": "Basic YTpi"},
		"empty":           {"Authorization": ""},
		"no signature":    {"Authorization": "AWS4-HMAC-SHA256 Credential=" + testKey.AccessKeyID + "/20261123/us-east-1/s3/aws4_request, SignedHeaders=host, Signature="},
		"unknown key":     {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIANOBODY/20261123/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64)},
		"chunks unsigned": {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x-amz-decoded-content-length": "1"},
	} {
		if r := f.by(nil, "PUT", "/photos/open/b", []byte("x"), header); r.status/100 != 4 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	for _, q := range []string{"X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Signature=00", "AWSAccessKeyId=a&Signature=b&Expires=99999999999"} {
		if r := f.by(nil, "PUT", "/photos/open/b?"+q, []byte("x"), nil); r.status/100 != 4 && r.status != 501 {
			t.Errorf("%s: %d %s", q, r.status, r.body)
		}
	}
	f.absent("open/b")
}
