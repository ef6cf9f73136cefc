package access_test

import (
	"strings"
	"testing"

	"postern.example/postern/internal/s3d/access"
)

// What each part of the product may do to the bucket, and no more.
const (
	signer = `{"Version":"2012-10-17","Statement":[
	  {"Sid":"Sign","Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":"arn:aws:s3:::b/incoming/*"}]}`
	promoter = `{"Version":"2012-10-17","Statement":[
	  {"Sid":"Check","Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::b/incoming/*"},
	  {"Sid":"Promote","Effect":"Allow","Action":"s3:PutObject","Resource":["arn:aws:s3:::b/images/*"]},
	  {"Sid":"Sweep","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b","Condition":{"StringLike":{"s3:prefix":"incoming/*"}}}]}`
	closed = `{"Version":"2012-10-17","Statement":[
	  {"Sid":"TLS","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}},
	  {"Sid":"Age","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/incoming/*","Condition":{"NumericGreaterThan":{"s3:signatureAge":"600000"}}},
	  {"Sid":"V2","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"s3:signatureversion":"AWS"}}},
	  {"Sid":"How","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/incoming/*",
	   "Condition":{"StringNotEquals":{"s3:authType":["POST","REST-QUERY-STRING","REST-HEADER"]}}}]}`
)

func TestThreat22_SignerOverPrivileged(t *testing.T) {
	p := identity(t, signer)
	judge(t, p, []ask{
		{"s3:PutObject b/incoming/01j", ann, nil, allow},
		{"s3:AbortMultipartUpload b/incoming/01j", ann, nil, allow},
		{"s3:ListMultipartUploadParts b/incoming/01j", ann, nil, allow},
	})
	allowed := map[string]bool{"s3:PutObject": true, "s3:AbortMultipartUpload": true, "s3:ListMultipartUploadParts": true}
	for _, action := range access.Actions() {
		for _, resource := range []string{"b", "b/incoming/01j", "b/incoming", "b/images/01j/x", "b/INCOMING/x", "b/incomingx/y", "b//incoming/x", "b/x/incoming/y", "c/incoming/x", "bb/incoming/x", ""} {
			if resource == "b/incoming/01j" && allowed[action] {
				continue
			}
			judge(t, p, []ask{{action + " " + resource, ann, nil, no}})
		}
	}
}

func TestThreat22_PromoterOverPrivileged(t *testing.T) {
	judge(t, identity(t, promoter), []ask{
		{"s3:GetObject b/incoming/x", ann, nil, allow},
		{"s3:DeleteObject b/incoming/x", ann, nil, allow},
		{"s3:PutObject b/images/x/y", ann, nil, allow},
		{"s3:ListBucket b", ann, []string{"s3:prefix", "incoming/"}, allow},
		{"s3:PutObject b/incoming/x", ann, nil, no},
		{"s3:GetObject b/images/x", ann, nil, no},
		{"s3:DeleteObject b/images/x", ann, nil, no},
		{"s3:PutObjectAcl b/images/x", ann, nil, no},
		{"s3:ListBucket b", ann, []string{"s3:prefix", "images/"}, no},
		{"s3:ListBucket b", ann, []string{"s3:prefix", ""}, no},
		{"s3:ListBucket b", ann, nil, no},
		{"s3:ListBucketMultipartUploads b", ann, nil, no},
	})
}

func TestThreat22_BucketDenies(t *testing.T) {
	p := ofBucket(t, closed)
	if p.Public() {
		t.Error("it is public")
	}
	good := func(more ...string) []string {
		return append([]string{"aws:securetransport", "true", "s3:signatureversion", "AWS4-HMAC-SHA256"}, more...)
	}
	judge(t, p, []ask{
		{"s3:PutObject b/incoming/x", ann, good("s3:authtype", "POST", "s3:signatureage", "1"), no},
		{"s3:PutObject b/incoming/x", root, good("s3:authtype", "REST-QUERY-STRING"), no},
		{"s3:PutObject b/incoming/x", ann, good("s3:authtype", "Post"), deny},
		{"s3:PutObject b/incoming/x", "", good(), deny},
		{"s3:PutObject b/incoming/x", ann, good("s3:authtype", "POST", "s3:signatureage", "600001"), deny},
		{"s3:GetObject b/images/x", ann, good("s3:signatureage", "600001"), no},
		{"s3:GetObject b/images/x", ann, []string{"s3:signatureversion", "AWS"}, deny},
		{"s3:GetObject b/images/x", "", []string{"aws:securetransport", "false"}, deny},
	})
}

// An S3 that judges a form by the bucket's name alone lets keys past that are
// not the signer's; here the key decides, also what lies in it.
func TestThreat22_KeysThatLookLikePatterns(t *testing.T) {
	p := ofBucket(t, document(
		`{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}`,
		`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b/v/*","arn:aws:s3:::b/[a-z]","arn:aws:s3:::b/w/?"]}`))
	for key, want := range map[string]access.Decision{
		"u/1": allow, "v/1": deny, "v/": deny, "v": allow, "v/\xff": deny, "v/\n": deny, "v/" + strings.Repeat("x", 1022): deny,
		"[a-z]": deny, "a": allow, "*": allow, "w/\xff": deny, "w/é": deny, "w/éé": allow, "w/": allow, "x/../v/1": allow,
	} {
		if got := p.Judge(access.Request{Action: "s3:PutObject", Bucket: "b", Key: key}); got != want {
			t.Errorf("%.20q: %s", key, got)
		}
	}
}
