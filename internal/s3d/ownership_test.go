package s3d

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"postern.example/postern/sigv4"
)

// [D] "By default … BucketOwnerEnforced": that is told and taken, and nothing
// that would bring access control lists back.
func TestOwnershipControls(t *testing.T) {
	f := start(t)
	doc := func(s string) string {
		return `<OwnershipControls xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ObjectOwnership>` + s + `</ObjectOwnership></Rule></OwnershipControls>`
	}
	out, err := f.sdk().GetBucketOwnershipControls(context.Background(), &s3.GetBucketOwnershipControlsInput{Bucket: aws.String(testBucket)})
	if err != nil || len(out.OwnershipControls.Rules) != 1 || out.OwnershipControls.Rules[0].ObjectOwnership != types.ObjectOwnershipBucketOwnerEnforced {
		t.Errorf("%v %+v", err, out)
	}
	for _, c := range []struct {
		doc    string
		status int
		code   string
	}{
		{doc("BucketOwnerEnforced"), 200, ""},
		{doc("BucketOwnerPreferred"), 501, "NotImplemented"},
		{doc("ObjectWriter"), 501, "NotImplemented"},
		{doc("bucketownerenforced"), 400, "MalformedXML"},
		{"", 400, "MalformedXML"},
		{"<OwnershipControls/>", 400, "MalformedXML"},
		{"<OwnershipControls><Rule/></OwnershipControls>", 400, "MalformedXML"},
		{"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership><Other/></Rule></OwnershipControls>", 400, "MalformedXML"},
		{"<Other><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></Other>", 400, "MalformedXML"},
	} {
		if r := f.set("ownershipControls", c.doc); r.status != c.status || r.code() != c.code {
			t.Errorf("%s: %d %s", c.doc, r.status, r.body)
		}
	}
	f.expect(f.do("DELETE", "/photos?ownershipControls", nil, nil), 501, "NotImplemented")
	if r := f.do("GET", "/photos?ownershipControls", nil, nil); !strings.Contains(string(r.body), ">BucketOwnerEnforced<") {
		t.Errorf("%s", r.body)
	}
}

// [D] "Requests to set ACLs or update ACLs fail with a 400 error … Requests to
// read ACLs always return a response that shows full control for the bucket
// owner. … All S3 PUT requests must either specify the bucket-owner-full-control
// canned ACL or not specify an ACL".
func TestACLs(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	ctx := context.Background()
	b, err := f.sdk().GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: aws.String(testBucket)})
	must(t, err)
	o, err := f.sdk().GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: aws.String(testBucket), Key: aws.String("a")})
	must(t, err)
	for what, c := range map[string]struct {
		owner  *types.Owner
		grants []types.Grant
	}{"bucket": {b.Owner, b.Grants}, "object": {o.Owner, o.Grants}} {
		if aws.ToString(c.owner.ID) != ownerID || len(c.grants) != 1 || c.grants[0].Permission != types.PermissionFullControl ||
			c.grants[0].Grantee.Type != types.TypeCanonicalUser || aws.ToString(c.grants[0].Grantee.ID) != ownerID {
			t.Errorf("%s: %+v", what, c)
		}
	}
	f.expect(f.do("GET", "/photos/none?acl", nil, nil), 404, "NoSuchKey")
	doc := `<AccessControlPolicy><AccessControlList/></AccessControlPolicy>`
	for _, target := range []string{"/photos?acl", "/photos/a?acl"} {
		f.expect(f.do("PUT", target, []byte(doc), md5Header(doc)), 400, "AccessControlListNotSupported")
		f.expect(f.do("PUT", target, nil, map[string]string{"x-amz-acl": "public-read"}), 400, "AccessControlListNotSupported")
	}

	for _, c := range []struct {
		header, value string
		status        int
		code          string
	}{
		{"x-amz-acl", ownerACL, 200, ""},
		{"x-amz-acl", "public-read", 400, "AccessControlListNotSupported"},
		{"x-amz-acl", "private", 400, "AccessControlListNotSupported"},
		{"x-amz-acl", ownerACL + ",public-read", 400, "AccessControlListNotSupported"},
		{"x-amz-grant-read", `uri="http://acs.amazonaws.com/groups/global/AllUsers"`, 400, "AccessControlListNotSupported"},
		{"x-amz-grant-full-control", "id=" + ownerID, 400, "AccessControlListNotSupported"},
	} {
		f.expect(f.do("PUT", "/photos/b", []byte("x"), map[string]string{c.header: c.value}), c.status, c.code)
		status := c.status
		if status == 200 {
			status = 204
		}
		f.expect(f.post(formSpec{fields: []sigv4.Field{field("key", "c"), field(c.header, c.value)}}), status, c.code)
		if c.header == "x-amz-acl" {
			f.expect(f.post(formSpec{fields: []sigv4.Field{field("key", "c"), field("acl", c.value)}}), status, c.code)
		}
	}
	f.expect(f.do("GET", "/photos/a", nil, map[string]string{"x-amz-acl": ownerACL}), 400, "AccessControlListNotSupported") // of no use there
}

// Nothing is encrypted or versioned, and nothing says that it is.
func TestWhatIsNotThereIsNotClaimed(t *testing.T) {
	f := start(t)
	f.expect(f.do("GET", "/photos?encryption", nil, nil), 404, "ServerSideEncryptionConfigurationNotFoundError")
	doc := `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`
	r := f.set("encryption", doc)
	f.expect(r, 501, "NotImplemented")
	if r.element("Header") != "encryption" || !strings.Contains(r.element("Message"), "Encryption") {
		t.Errorf("%s", r.body)
	}
	f.expect(f.do("DELETE", "/photos?encryption", nil, nil), 204, "")
	f.expect(f.do("GET", "/photos?encryption", nil, nil), 404, "ServerSideEncryptionConfigurationNotFoundError")
	f.expect(f.do("PUT", "/photos/a", []byte("x"), map[string]string{"x-amz-server-side-encryption": "AES256"}), 501, "NotImplemented")
	f.put("a", "x")
	if h := f.get("a").header; h.Get("x-amz-server-side-encryption") != "" || h.Get("x-amz-version-id") != "" {
		t.Errorf("%v", h)
	}

	out, err := f.sdk().GetBucketVersioning(context.Background(), &s3.GetBucketVersioningInput{Bucket: aws.String(testBucket)})
	if err != nil || out.Status != "" {
		t.Errorf("%v %+v", err, out)
	}
	for _, status := range []string{"Enabled", "Suspended"} {
		r := f.set("versioning", "<VersioningConfiguration><Status>"+status+"</Status></VersioningConfiguration>")
		f.expect(r, 501, "NotImplemented")
		if r.element("Header") != "versioning" {
			t.Errorf("%s", r.body)
		}
	}
	before := strings.Count(f.log.String(), `"msg":"operation not implemented"`)
	lacking := []string{
		"requestPayment", "logging", "notification", "website", "accelerate", "replication", "object-lock", "analytics", "inventory", "metrics",
		"intelligent-tiering", "versions", "abac", "metadataConfiguration", "metadataTable", "session",
	}
	for _, name := range lacking {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			r := f.do(method, "/photos?"+name, nil, nil)
			if r.status != 501 || r.code() != "NotImplemented" {
				t.Errorf("%s %s: %d %s", method, name, r.status, r.body)
			}
			if r := f.by(nil, method, "/photos?"+name, nil, nil); r.status != 403 {
				t.Errorf("nobody's %s %s: %d %s", method, name, r.status, r.body)
			}
		}
	}
	if got := strings.Count(f.log.String(), `"msg":"operation not implemented"`) - before; got != 3*len(lacking) {
		t.Errorf("%d lines in the log for %d requests", got, 3*len(lacking))
	}
	f.expect(f.get("a"), 200, "") // DELETE of a sub-resource was not DELETE of the bucket
}
