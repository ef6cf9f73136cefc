package access_test

import (
	"maps"
	"strings"
	"testing"

	"postern.example/postern/internal/s3d/access"
)

const (
	account = "111122223333"
	ann     = "arn:aws:iam::111122223333:user/ann"
	bob     = "arn:aws:iam::111122223333:user/bob"
	root    = "arn:aws:iam::111122223333:root"
)

// ask is a request, in short: "s3:GetObject b/key", by a user's ARN or by
// nobody, with condition keys in pairs.
type ask struct {
	what string
	who  string
	with []string
	want access.Decision
}

func (a ask) request() access.Request {
	action, resource, _ := strings.Cut(a.what, " ")
	bucket, key, _ := strings.Cut(resource, "/")
	r := access.Request{Action: action, Bucket: bucket, Key: key, Conditions: map[string][]string{}}
	if a.who != "" {
		r.Principal = access.Principal{ARN: a.who, Account: strings.Split(a.who, ":")[4]}
	}
	for i := 0; i < len(a.with); i += 2 {
		r.Conditions[a.with[i]] = append(r.Conditions[a.with[i]], a.with[i+1])
	}
	return r
}

func judge(t *testing.T, p *access.Policy, asks []ask) {
	t.Helper()
	for _, a := range asks {
		r := a.request()
		before := maps.Clone(r.Conditions)
		if got := p.Judge(r); got != a.want {
			t.Errorf("%s by %q with %q: %s, want %s", a.what, a.who, a.with, got, a.want)
		}
		if !maps.EqualFunc(before, r.Conditions, func(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }) {
			t.Errorf("%s: Judge wrote to the request", a.what)
		}
	}
}

func identity(t *testing.T, doc string) *access.Policy {
	t.Helper()
	p, err := access.ParseIdentity([]byte(doc))
	if err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return p
}

func ofBucket(t *testing.T, doc string) *access.Policy {
	t.Helper()
	p, err := access.ParseBucket([]byte(doc), "b")
	if err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return p
}

// document makes a policy of statements.
func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

const (
	no    = access.NoMatch
	allow = access.Allow
	deny  = access.Deny
)

// Policies as AWS's pages show them, for a bucket named b.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html
func TestBucketPolicyExamples(t *testing.T) {
	for name, tt := range map[string]struct {
		doc  string
		asks []ask
	}{
		"public read of a prefix": {
			`{"Version":"2012-10-17","Id":"images","Statement":[{"Sid":"PublicRead","Effect":"Allow","Principal":"*",
			  "Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/images/*"]}]}`,
			[]ask{
				{"s3:GetObject b/images/1/2.webp", "", nil, allow},
				{"s3:getobject b/images/", ann, nil, allow},
				{"s3:GetObject b/incoming/1", "", nil, no},
				{"s3:GetObject b/Images/1", "", nil, no},
				{"s3:GetObject b/images", "", nil, no},
				{"s3:PutObject b/images/1", "", nil, no},
				{"s3:GetObjectVersion b/images/1", "", nil, no},
				{"s3:ListBucket b", "", nil, no},
				{"s3:GetObject other/images/1", "", nil, no},
			},
		},
		"deny insecure transport": {
			document(`{"Sid":"RestrictToTLSRequestsOnly","Action":"s3:*","Effect":"Deny","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],
			  "Condition":{"Bool":{"aws:SecureTransport":"false"}},"Principal":"*"}`),
			[]ask{
				{"s3:GetObject b/k", "", []string{"aws:securetransport", "false"}, deny},
				{"s3:ListBucket b", ann, []string{"aws:securetransport", "false"}, deny},
				{"s3:PutObject b/k", root, []string{"aws:securetransport", "true"}, no},
				{"s3:PutObject b/k", root, nil, no},
			},
		},
		"deny by prefix": {
			document(`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`,
				`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/private/*"}`),
			[]ask{
				{"s3:GetObject b/a", "", nil, allow},
				{"s3:GetObject b/private/a", "", nil, deny},
				{"s3:PutObject b/private/a", root, nil, deny},
				{"s3:PutObject b/a", "", nil, no},
			},
		},
		"CloudFront's origin access control": {
			document(`{"Sid":"AllowCloudFrontServicePrincipalReadOnly","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},
			  "Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*",
			  "Condition":{"StringEquals":{"AWS:SourceArn":"arn:aws:cloudfront::111122223333:distribution/EDFDVBD6EXAMPLE"}}}`),
			[]ask{
				{"s3:GetObject b/a", "", []string{"aws:sourcearn", "arn:aws:cloudfront::111122223333:distribution/EDFDVBD6EXAMPLE"}, no},
				{"s3:GetObject b/a", ann, nil, no},
			},
		},
		"no signature older than ten minutes": {
			document(`{"Sid":"Deny a presigned URL request if the signature is more than 10 min old","Effect":"Deny",
			  "Principal":{"AWS":"*"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"NumericGreaterThan":{"s3:signatureAge":600000}}}`),
			[]ask{
				{"s3:PutObject b/a", ann, []string{"s3:signatureage", "600000"}, no},
				{"s3:PutObject b/a", ann, []string{"s3:signatureage", "600001"}, deny},
				{"s3:PutObject b/a", "", nil, no},
			},
		},
		"a user's own": {
			document(`{"Effect":"Allow","Principal":{"AWS":["` + ann + `","444455556666"]},"Action":["s3:Put*","s3:ListBucket"],"Resource":["arn:aws:s3:::b*"]}`),
			[]ask{
				{"s3:PutObject b/k", ann, nil, allow},
				{"s3:PutBucketCORS b", ann, nil, allow},
				{"s3:ListBucket b", ann, nil, allow},
				{"s3:ListBucket b2", ann, nil, no},
				{"s3:PutObject b/k", bob, nil, no},
				{"s3:PutObject b/k", root, nil, no},
				{"s3:PutObject b/k", "", nil, no},
				{"s3:PutObject b/k", "arn:aws:iam::444455556666:root", nil, allow},
				{"s3:PutObject b/k", "arn:aws:iam::444455556666:user/ann", nil, no},
			},
		},
		// "When you allow access to a different account, an administrator in
		// that account must then grant access": an account is not its users
		// where it is allowed something, and all of them where it is denied.
		"an account": {
			document(`{"Effect":"Allow","Principal":{"AWS":"`+root+`"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`,
				`{"Effect":"Deny","Principal":{"AWS":"`+account+`"},"Action":"s3:*","Resource":"arn:aws:s3:::b/no/*"}`),
			[]ask{
				{"s3:PutObject b/k", root, nil, allow},
				{"s3:PutObject b/k", ann, nil, no},
				{"s3:PutObject b/no/k", ann, nil, deny},
				{"s3:PutObject b/no/k", root, nil, deny},
				{"s3:PutObject b/no/k", "", nil, no},
				{"s3:PutObject b/no/k", "arn:aws:iam::444455556666:root", nil, no},
			},
		},
		"by referer": {
			document(`{"Sid":"Allow only GET requests originating from www.example.com and example.com.","Effect":"Allow","Principal":"*",
			  "Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::b/*",
			  "Condition":{"StringLike":{"aws:Referer":["http://www.example.com/*","http://example.com/*"]}}}`),
			[]ask{
				{"s3:GetObject b/k", "", []string{"aws:referer", "http://example.com/page"}, allow},
				{"s3:GetObject b/k", "", []string{"aws:referer", "http://evil.example/http://example.com/"}, no},
				{"s3:GetObject b/k", "", nil, no},
			},
		},
		"by address": {
			document(`{"Sid":"SourceIP","Action":"s3:*","Effect":"Deny","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],
			  "Condition":{"NotIpAddress":{"aws:SourceIp":["11.11.11.11/32","22.22.22.0/24","2001:DB8:1234:5678::/64"]}},"Principal":"*"}`),
			[]ask{
				{"s3:GetObject b/k", "", []string{"aws:sourceip", "11.11.11.11"}, no},
				{"s3:GetObject b/k", "", []string{"aws:sourceip", "::ffff:22.22.22.22"}, no},
				{"s3:GetObject b/k", "", []string{"aws:sourceip", "2001:db8:1234:5678::1"}, no},
				{"s3:GetObject b/k", "", []string{"aws:sourceip", "22.22.23.22"}, deny},
				{"s3:GetObject b/k", "", []string{"aws:sourceip", "no address"}, deny},
				{"s3:GetObject b/k", "", nil, deny},
			},
		},
		"only with encryption": {
			document(`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*",
			  "Condition":{"Null":{"s3:x-amz-server-side-encryption":"true"}}}`,
				`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*",
			  "Condition":{"StringNotEqualsIfExists":{"s3:x-amz-server-side-encryption":"AES256"}}}`),
			[]ask{
				{"s3:PutObject b/k", ann, nil, deny},
				{"s3:PutObject b/k", ann, []string{"s3:x-amz-server-side-encryption", "aws:kms"}, deny},
				{"s3:PutObject b/k", ann, []string{"s3:x-amz-server-side-encryption", "AES256"}, no},
			},
		},
		"no overwriting": {
			document(`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*",
			  "Condition":{"Null":{"s3:if-none-match":"true"},"Bool":{"s3:ObjectCreationOperation":true}}}`),
			[]ask{
				{"s3:PutObject b/k", ann, []string{"s3:objectcreationoperation", "true"}, deny},
				{"s3:PutObject b/k", ann, []string{"s3:objectcreationoperation", "true", "s3:if-none-match", "*"}, no},
				{"s3:PutObject b/k", ann, []string{"s3:objectcreationoperation", "false"}, no},
			},
		},
		"all but": {
			document(`{"Effect":"Deny","Principal":"*","NotAction":["s3:Get*","s3:ListBucket"],"NotResource":["arn:aws:s3:::b/open/*","arn:aws:s3:::b"]}`),
			[]ask{
				{"s3:GetObject b/k", ann, nil, no},
				{"s3:PutObject b/k", ann, nil, deny},
				{"s3:PutObject b/open/k", ann, nil, no},
				{"s3:PutBucketCORS b", ann, nil, no},
				{"s3:DeleteObject b/ope", "", nil, deny},
			},
		},
		"by tag": {
			document(`{"Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":"arn:aws:s3:::b/*",
			  "Condition":{"StringEquals":{"s3:ExistingObjectTag/Class":"public"}}}`,
				`{"Effect":"Allow","Principal":{"AWS":"`+ann+`"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*",
			  "Condition":{"ForAllValues:StringLike":{"s3:RequestObjectTagKeys":["Owner","Class"]}}}`),
			[]ask{
				{"s3:GetObject b/k", "", []string{"s3:existingobjecttag/class", "public"}, allow},
				{"s3:GetObject b/k", "", []string{"s3:existingobjecttag/class", "Public"}, no},
				{"s3:GetObject b/k", "", []string{"s3:existingobjecttag/other", "public"}, no},
				{"s3:PutObject b/k", ann, []string{"s3:requestobjecttagkeys", "Owner", "s3:requestobjecttagkeys", "Class"}, allow},
				{"s3:PutObject b/k", ann, []string{"s3:requestobjecttagkeys", "Owner", "s3:requestobjecttagkeys", "Money"}, no},
				{"s3:PutObject b/k", ann, nil, allow},
			},
		},
	} {
		t.Run(name, func(t *testing.T) { judge(t, ofBucket(t, tt.doc), tt.asks) })
	}
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-policies-s3.html
func TestIdentityPolicyExamples(t *testing.T) {
	for name, tt := range map[string]struct {
		doc  string
		asks []ask
	}{
		"list a prefix": {
			document(`{"Sid":"AllowListingOfUserFolder","Action":["s3:ListBucket"],"Effect":"Allow","Resource":["arn:aws:s3:::b"],
			  "Condition":{"StringLike":{"s3:prefix":["home/${aws:username}/*"]}}}`,
				`{"Sid":"AllowAllS3ActionsInUserFolder","Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::b/home/${aws:username}/*"]}`),
			[]ask{
				{"s3:ListBucket b", ann, []string{"aws:username", "ann", "s3:prefix", "home/ann/x"}, allow},
				{"s3:ListBucket b", ann, []string{"aws:username", "ann", "s3:prefix", "home/ann"}, no},
				{"s3:ListBucket b", ann, []string{"aws:username", "ann", "s3:prefix", "home/bob/"}, no},
				{"s3:ListBucket b", ann, []string{"aws:username", "ann"}, no},
				{"s3:ListBucket b", ann, []string{"s3:prefix", "home//x"}, no},
				{"s3:PutObject b/home/ann/x", ann, []string{"aws:username", "ann"}, allow},
				{"s3:PutObject b/home/bob/x", ann, []string{"aws:username", "ann"}, no},
				{"s3:PutObject b/home/bob/x", ann, []string{"aws:username", "*"}, no},
				{"s3:PutObject b/home/${aws:username}/x", ann, nil, no},
			},
		},
		"console": {
			document(`{"Effect":"Allow","Action":["s3:ListAllMyBuckets","s3:GetBucketLocation"],"Resource":"arn:aws:s3:::*"}`),
			[]ask{
				{"s3:ListAllMyBuckets", ann, nil, allow},
				{"s3:GetBucketLocation b", ann, nil, allow},
				{"s3:ListBucket b", ann, nil, no},
			},
		},
		"no buckets": {
			document(`{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}`),
			[]ask{
				{"s3:ListAllMyBuckets", ann, nil, no},
				{"s3:ListBucket b", ann, nil, allow},
				{"s3:GetObject b/", ann, nil, allow},
				{"s3:GetObject bb/k", ann, nil, no},
			},
		},
		"everything but": {
			document(`{"Effect":"Allow","Action":"*","Resource":"*"}`,
				`{"Effect":"Deny","Action":["s3:Delete*","iam:*","sts:AssumeRole"],"Resource":"*"}`),
			[]ask{
				{"s3:PutObject any/k", ann, nil, allow},
				{"s3:ListAllMyBuckets", ann, nil, allow},
				{"s3:DeleteObject any/k", ann, nil, deny},
				{"S3:DELETEBUCKET any", ann, nil, deny},
			},
		},
		"other services": {
			document(`{"Effect":"Allow","Action":["iam:CreateRole","iam:PutRolePolicy","kms:*"],"Resource":["arn:aws:iam::111122223333:role/*","*"],
			  "Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}}`),
			[]ask{{"s3:GetObject b/k", ann, []string{"kms:viaservice", "s3.us-east-1.amazonaws.com"}, no}},
		},
		// A wildcard stays within its part of an ARN.
		"parts": {
			document(`{"Effect":"Allow","Action":"s3:GetObject","Resource":["arn:aws:s3:*:*:b/*","arn:aws:s3:::c?/[k]"]}`),
			[]ask{
				{"s3:GetObject b/k", ann, nil, allow},
				{"s3:GetObject a/x:b/k", ann, nil, no},
				{"s3:GetObject cc/[k]", ann, nil, allow},
				{"s3:GetObject cc/k", ann, nil, no},
				{"s3:GetObject c/[k]", ann, nil, no},
			},
		},
	} {
		t.Run(name, func(t *testing.T) { judge(t, identity(t, tt.doc), tt.asks) })
	}
}

// Before 2012-10-17 there were no variables, and no Version means so.
func TestVariablesNeedTheirVersion(t *testing.T) {
	for _, version := range []string{``, `"Version":"2008-10-17",`} {
		p := identity(t, `{`+version+`"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}/${x}"}}`)
		judge(t, p, []ask{
			{"s3:GetObject b/ann/x", ann, []string{"aws:username", "ann"}, no},
			{"s3:GetObject b/${aws:username}/${x}", ann, []string{"aws:username", "ann"}, allow},
		})
	}
	// Version may come last.
	p := identity(t, `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"},"Version":"2012-10-17"}`)
	judge(t, p, []ask{{"s3:GetObject b/ann", ann, []string{"aws:username", "ann"}, allow}})
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func TestVariables(t *testing.T) {
	p := identity(t, document(
		`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${*}/${?}/${$}{x}/*"}`,
		`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team, 'company-wide'}/*"}`,
		`{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/owner":"${aws:username}"}}}`,
		`{"Effect":"Allow","Action":"s3:PutObjectAcl","NotResource":"arn:aws:s3:::b/${aws:username}"}`,
		`{"Effect":"Deny","Action":"s3:PutObjectTagging","NotResource":"arn:aws:s3:::b/${aws:username}"}`,
		`{"Effect":"Allow","Action":"s3:GetObjectAcl","Resource":"*","Condition":{"StringNotEquals":{"s3:ExistingObjectTag/owner":"${aws:username}"}}}`,
		`{"Effect":"Deny","Action":"s3:GetObjectTagging","Resource":"*","Condition":{"StringNotEquals":{"s3:ExistingObjectTag/owner":"${aws:username}"}}}`,
	))
	user, owner := "aws:username", "s3:existingobjecttag/owner"
	judge(t, p, []ask{
		{"s3:GetObject b/*/?/${x}/k", ann, nil, allow},
		{"s3:GetObject b/a/?/${x}/k", ann, nil, no},
		{"s3:GetObject b/*/a/${x}/k", ann, nil, no},
		{"s3:PutObject b/company-wide/k", ann, nil, allow},
		{"s3:PutObject b/red/k", ann, []string{"aws:principaltag/team", "red"}, allow},
		{"s3:PutObject b/company-wide/k", ann, []string{"aws:principaltag/team", "red"}, no},
		// A value's wildcards are none.
		{"s3:PutObject b/red/k", ann, []string{"aws:principaltag/team", "*"}, no},
		{"s3:PutObject b/red/k", ann, []string{"aws:principaltag/team", "???"}, no},
		{"s3:DeleteObject b/k", ann, []string{user, "ann", owner, "ann"}, allow},
		{"s3:DeleteObject b/k", ann, []string{user, "ann", owner, "bob"}, no},
		{"s3:DeleteObject b/k", ann, []string{owner, ""}, no},
		// What is unknown allows nothing and spares nothing.
		{"s3:PutObjectAcl b/k", ann, []string{user, "ann"}, allow},
		{"s3:PutObjectAcl b/ann", ann, []string{user, "ann"}, no},
		{"s3:PutObjectAcl b/k", ann, nil, no},
		{"s3:PutObjectAcl b/k", ann, []string{user, "ann", user, "bob"}, no},
		{"s3:PutObjectTagging b/ann", ann, []string{user, "ann"}, no},
		{"s3:PutObjectTagging b/ann", ann, nil, deny},
		{"s3:GetObjectAcl b/k", ann, []string{user, "ann", owner, "bob"}, allow},
		{"s3:GetObjectAcl b/k", ann, []string{owner, "bob"}, no},
		{"s3:GetObjectTagging b/k", ann, []string{user, "ann", owner, "ann"}, no},
		{"s3:GetObjectTagging b/k", ann, []string{owner, "ann"}, deny},
	})
}

func TestKnown(t *testing.T) {
	for action, want := range map[string]bool{
		"s3:PutObject": true, "S3:putobject": true, "s3:ListAllMyBuckets": true, "s3:CreateBucket": true,
		"s3:HeadObject": false, "s3:Put*": false, "s3:": false, "": false, "PutObject": false, "iam:PutObject": false, "s3:PutObject ": false,
	} {
		if access.Known(action) != want {
			t.Errorf("%q: %v", action, !want)
		}
	}
}

func TestDecisionNames(t *testing.T) {
	if no.String() != "no match" || allow.String() != "allow" || deny.String() != "deny" {
		t.Error(no, allow, deny)
	}
}
