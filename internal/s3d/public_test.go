package s3d

import (
	"strings"
	"testing"
)

func publicAccessDoc(acls, ignore, policy, restrict string) string {
	return `<PublicAccessBlockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><BlockPublicAcls>` + acls + `</BlockPublicAcls><IgnorePublicAcls>` + ignore +
		`</IgnorePublicAcls><BlockPublicPolicy>` + policy + `</BlockPublicPolicy><RestrictPublicBuckets>` + restrict + `</RestrictPublicBuckets></PublicAccessBlockConfiguration>`
}

// [D] "All new buckets have Block Public Access enabled"; deleting it is another
// state than never having set it.
func TestPublicAccessSettings(t *testing.T) {
	f := start(t)
	all := func(want string) {
		t.Helper()
		r := f.do("GET", "/photos?publicAccessBlock", nil, nil)
		got := r.element("BlockPublicAcls") + " " + r.element("IgnorePublicAcls") + " " + r.element("BlockPublicPolicy") + " " + r.element("RestrictPublicBuckets")
		if r.status != 200 || got != want {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	all("true true true true")
	f.expect(f.set("publicAccessBlock", publicAccessDoc("true", "false", "false", "true")), 200, "")
	all("true false false true")
	b := f.server.newBucket(testBucket)
	if err := b.open(); err != nil || b.publicAccess() != (publicAccess{true, false, false, true}) {
		t.Errorf("reopened: %v %+v", err, b.publicAccess())
	}
	f.expect(f.set("publicAccessBlock", `<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>`), 200, "")
	all("false false true false")
	f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
	f.expect(f.do("GET", "/photos?publicAccessBlock", nil, nil), 404, "NoSuchPublicAccessBlockConfiguration")
	if b := f.server.newBucket(testBucket); b.open() != nil || b.publicAccess() != (publicAccess{}) {
		t.Errorf("reopened: %+v", b.publicAccess())
	}
	// New buckets are not touched by what others are set to.
	f.expect(f.do("PUT", "/second", nil, nil), 200, "")
	if r := f.do("GET", "/second?publicAccessBlock", nil, nil); r.element("BlockPublicPolicy") != "true" {
		t.Errorf("%s", r.body)
	}
}

func TestPublicAccessDocumentIsChecked(t *testing.T) {
	f := start(t)
	doc := func(s string) string {
		return "<PublicAccessBlockConfiguration>" + s + "</PublicAccessBlockConfiguration>"
	}
	for _, bad := range []string{
		"", "x", "<Other/>", "<PublicAccessBlockConfiguration>", doc("<BlockPublicAcls>yes</BlockPublicAcls>"), doc("<BlockPublicAcls></BlockPublicAcls>"),
		doc("<BlockPublicAcls>TRUE</BlockPublicAcls>"), doc("<Unknown>true</Unknown>"), doc("") + doc(""),
		doc("<BlockPublicAcls>true</BlockPublicAcls><BlockPublicAcls>false</BlockPublicAcls>"),
	} {
		if r := f.set("publicAccessBlock", bad); r.status != 400 || r.code() != "MalformedXML" {
			t.Errorf("%s: %d %s", bad, r.status, r.body)
		}
	}
	f.expect(f.do("PUT", "/photos?publicAccessBlock", []byte(doc("")), nil), 400, "InvalidRequest")
	if r := f.do("GET", "/photos?publicAccessBlock", nil, nil); r.element("BlockPublicAcls") != "true" {
		t.Errorf("%s", r.body)
	}
}

// [D] "BlockPublicPolicy: … reject calls to PUT Bucket policy if the specified
// bucket policy allows public access."
func TestBlockPublicPolicy(t *testing.T) {
	f := start(t)
	public := publicPolicy("s3:GetObject", "photos/*")
	r := f.set("policy", public)
	f.expect(r, 403, "AccessDenied")
	if !strings.Contains(r.element("Message"), "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.") {
		t.Errorf("%s", r.body)
	}
	f.expect(f.do("GET", "/photos?policy", nil, nil), 404, "NoSuchBucketPolicy")
	// One that lets in an address range, or denies, is not public.
	for _, doc := range []string{
		strings.Replace(public, "}]}", `,"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}]}`, 1),
		denyAll("s3:GetObject", `"arn:aws:s3:::photos/*"`),
	} {
		f.expect(f.set("policy", doc), 204, "")
		if r := f.do("GET", "/photos?policyStatus", nil, nil); r.element("IsPublic") != "false" {
			t.Errorf("%s: %s", doc, r.body)
		}
	}
	// The other three settings do not keep it out.
	f.expect(f.set("publicAccessBlock", publicAccessDoc("true", "true", "false", "true")), 200, "")
	f.expect(f.set("policy", public), 204, "")
	if r := f.do("GET", "/photos?policyStatus", nil, nil); r.element("IsPublic") != "true" {
		t.Errorf("%s", r.body)
	}
	// "Enabling this setting doesn't affect existing bucket policies."
	f.put("a", "x")
	f.expect(f.set("publicAccessBlock", publicAccessDoc("false", "false", "true", "false")), 200, "")
	f.expect(f.by(nil, "GET", "/photos/a", nil, nil), 200, "")
	f.expect(f.set("policy", public), 403, "AccessDenied")
}

// [D] "RestrictPublicBuckets: … restricts access to an access point or bucket
// with a public policy to only AWS service principals and authorized users
// within the bucket owner's account."
func TestRestrictPublicBuckets(t *testing.T) {
	f := startWith(t, identity("ann", say("Allow", "s3:PutObject", "photos/none")))
	ann := userKey("ann")
	f.put("a", "x")
	f.expect(f.set("publicAccessBlock", publicAccessDoc("false", "false", "false", "false")), 200, "")
	f.expect(f.set("policy", publicPolicy("s3:*", "photos/*")), 204, "")
	f.expect(f.by(nil, "GET", "/photos/a", nil, nil), 200, "")
	f.expect(f.set("publicAccessBlock", publicAccessDoc("false", "false", "false", "true")), 200, "")
	auth := []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}
	f.expect(f.by(nil, "GET", "/photos/a", nil, nil), 403, "AccessDenied")
	f.expect(f.by(nil, "PUT", "/photos/b", []byte("x"), nil), 403, "AccessDenied")
	f.expect(f.post(formSpec{drop: auth}), 403, "AccessDenied")
	f.expect(f.by(&ann, "GET", "/photos/a", nil, nil), 200, "")
	f.expect(f.get("a"), 200, "")
	f.absent("b")
	f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
	f.expect(f.by(nil, "GET", "/photos/a", nil, nil), 200, "")
}
