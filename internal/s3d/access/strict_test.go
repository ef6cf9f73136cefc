package access_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"postern.example/postern/internal/s3d/access"
)

// refused checks that a document is refused with a message, and says where.
func refused(t *testing.T, parse func(string) (*access.Policy, error), doc, message, place string) {
	t.Helper()
	p, err := parse(doc)
	var e *access.Error
	if p != nil || !errors.As(err, &e) {
		t.Errorf("%.300s\n got %v, %v\nwant %s", doc, p, err, message)
		return
	}
	got := ""
	if e.Statement > 0 {
		got = fmt.Sprint(e.Statement, " ")
	}
	got += e.Element
	got = strings.TrimSpace(got)
	if e.Message != message || got != place {
		t.Errorf("%.300s\n got %q at %q\nwant %q at %q", doc, e.Message, got, message, place)
	}
}

func parseBucket(doc string) (*access.Policy, error)   { return access.ParseBucket([]byte(doc), "b") }
func parseIdentity(doc string) (*access.Policy, error) { return access.ParseIdentity([]byte(doc)) }

// In S3's words: versitygw's issues 645 to 650 and 1176 record them, and people
// who met them, on aws-samples/aws-serverless-appsync-app#4,
// humanmade/S3-Uploads#191 and #239, noobaa-core#10058,
// cloud-gov/terraform-provision#574.
func TestThreat27_BucketPolicyLaxness(t *testing.T) {
	const (
		invalidJSON = "This policy contains invalid Json"
		first       = "Policies must be valid JSON and the first byte must be '{'"
		action      = "Policy has invalid action"
		resource    = "Policy has invalid resource"
		principal   = "Invalid principal in policy"
		mismatch    = "Action does not apply to any resource(s) in statement"
		key         = "Policy has an invalid condition key"
		value       = "Invalid value in Conditions"
		address     = "Invalid IP address in Conditions"
		combination = "Conditions do not apply to combination of actions and resources in statement"
	)
	const good = `"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"`
	if _, err := parseBucket(document(`{` + good + `}`)); err != nil {
		t.Fatal(err)
	}
	with := func(member, value string) string { // good with another value, or none
		var out []string
		for _, m := range strings.Split(good, `,"`) {
			m = `"` + strings.TrimPrefix(m, `"`)
			if !strings.HasPrefix(m, `"`+member+`"`) {
				out = append(out, m)
			}
		}
		if value != "" {
			out = append(out, `"`+member+`":`+value)
		}
		return document(`{` + strings.Join(out, ",") + `}`)
	}
	condition := func(c string) string { return document(`{` + good + `,"Condition":` + c + `}`) }
	for _, tt := range [][3]string{
		// The document.
		{"", first, ""},
		{"[]", first, ""},
		{" " + document(`{`+good+`}`), first, ""},
		{"\ufeff" + document(`{`+good+`}`), first, ""},
		{"null", first, ""},
		{"{", invalidJSON, ""},
		{document(`{`+good+`}`) + "x", invalidJSON, ""},
		{document(`{`+good+`}`) + document(`{`+good+`}`), invalidJSON, ""},
		{document(`{`+good+`}`) + "\x00", invalidJSON, ""},
		{document(`{` + good + `,}`), invalidJSON, ""},
		{`{"Statement":` + strings.Repeat("[", 10000), invalidJSON, ""},
		{`{"Statement":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, invalidJSON, "Statement"},
		{`{"Statement":[{"Condition":` + strings.Repeat(`{"a":`, 2000) + `1` + strings.Repeat(`}`, 2000) + `}]}`, invalidJSON, "1 Condition"},
		{`{"Statement":[{` + good + `}],"Id":"` + strings.Repeat("x", 20<<10) + `"}`, "Policy exceeds the maximum allowed document size.", ""},
		{`{}`, "Missing required field Statement", ""},
		{`{"Version":"2012-10-17"}`, "Missing required field Statement", ""},
		{`{"statement":[{` + good + `}]}`, "Unknown field statement", ""},
		{`{"VERSION":"2012-10-17","Statement":[{` + good + `}]}`, "Unknown field VERSION", ""},
		{`{"Statement":[{` + good + `}],"Statement":[{` + good + `}]}`, invalidJSON, ""},
		{`{"Version":"2012-10-17","Vers\u0069on":"2012-10-17","Statement":[{` + good + `}]}`, invalidJSON, ""},
		{`{"Version":"2012-10-18","Statement":[{` + good + `}]}`, "The policy must contain a valid version string", "Version"},
		{`{"Version":2012,"Statement":[{` + good + `}]}`, invalidJSON, "Version"},
		{`{"Id":null,"Statement":[{` + good + `}]}`, invalidJSON, "Id"},
		{`{"Id":"\ud800","Statement":[{` + good + `}]}`, invalidJSON, "Id"},
		{"{\"Id\":\"\xff\",\"Statement\":[{" + good + `}]}`, invalidJSON, ""},
		{document(), "Could not parse the policy: Statement is empty!", "Statement"},
		{`{"Statement":null}`, invalidJSON, "Statement"},
		{`{"Statement":"Allow"}`, invalidJSON, "Statement"},
		{document(`null`), invalidJSON, "Statement"},
		{document(`[{` + good + `}]`), invalidJSON, "Statement"},
		// Elements.
		{document(`{` + good + `,"Comment":"x"}`), "Unknown field Comment", "1"},
		{document(`{`+good+`}`, `{`+good+`,"condition":{}}`), "Unknown field condition", "2"},
		{document(`{` + good + `,"Effect":"Deny"}`), invalidJSON, "1"},
		{with("Effect", ""), "Missing required field Effect", "1"},
		{with("Effect", `"allow"`), "Invalid effect: allow", "1 Effect"},
		{with("Effect", `["Allow"]`), invalidJSON, "1 Effect"},
		{document(`{` + good + `,"Sid":"é"}`), "Statement IDs (SID) must be printable ASCII", "1 Sid"},
		{document(`{`+good+`,"Sid":"a"}`, `{`+good+`,"Sid":"a"}`), "The Statement Ids in the policy are not unique", "2 Sid"},
		{document(`{` + good + `,"Sid":1}`), invalidJSON, "1 Sid"},
		// Principals.
		{with("Principal", ""), "Missing required field Principal", "1"},
		{with("Principal", `"arn:aws:iam::111122223333:root"`), principal, "1 Principal"},
		{with("Principal", `["*"]`), principal, "1 Principal"},
		{with("Principal", `null`), principal, "1 Principal"},
		{with("Principal", `{}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":[]}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":{"AWS":"*"}}`), principal, "1 Principal"},
		{with("Principal", `{"aws":"*"}`), principal, "1 Principal"},
		{with("Principal", `{"*":"*"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"ann"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"11112222333"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"AIDACKCEVSQ6C2EXAMPLE"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"arn:aws:iam::111122223333:user/*"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"arn:aws:iam::*:root"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"arn:aws:iam::111122223333:user/"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"arn:aws:iam::111122223333:group/a"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"arn:aws:iam::111122223333:user role/a"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"arn:aws:s3:::b"}`), principal, "1 Principal"},
		{with("Principal", `{"Service":"*"}`), principal, "1 Principal"},
		{with("Principal", `{"Service":"cloudfront"}`), principal, "1 Principal"},
		{with("Principal", `{"CanonicalUser":"abc"}`), principal, "1 Principal"},
		{with("Principal", `{"Federated":"*"}`), principal, "1 Principal"},
		{with("Principal", `{"AWS":"*","AWS":"*"}`), invalidJSON, "1"},
		{with("NotPrincipal", `{"AWS":"*"}`), "NotPrincipal is not supported", "1 NotPrincipal"},
		// Actions.
		{with("Action", ""), "Missing required field Action", "1"},
		{with("Action", `[]`), invalidJSON, "1 Action"},
		{with("Action", `{}`), invalidJSON, "1 Action"},
		{with("Action", `""`), action, "1 Action"},
		{with("Action", `"GetObject"`), action, "1 Action"},
		{with("Action", `"s3:HeadObject"`), action, "1 Action"},
		{with("Action", `"s3:Fetch*"`), action, "1 Action"},
		{with("Action", `"s3:"`), action, "1 Action"},
		{with("Action", `"s3:GetObject "`), action, "1 Action"},
		{with("Action", `"s*:GetObject"`), action, "1 Action"},
		{with("Action", `["s3:GetObject","sts:AssumeRole"]`), action, "1 Action"},
		{with("Action", `"s3:CreateBucket"`), action, "1 Action"},
		{document(`{` + good + `,"NotAction":"s3:PutObject"}`), "Statement has both Action and NotAction", "1 NotAction"},
		// Resources.
		{with("Resource", ""), "Missing required field Resource", "1"},
		{with("Resource", `"*"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::*"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::other/*"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::bb/*"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::b?/*"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::${aws:username}/*"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:us-east-1:111122223333:b/*"`), resource, "1 Resource"},
		{with("Resource", `"b/*"`), resource, "1 Resource"},
		{with("Resource", `["arn:aws:s3:::b/*",""]`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::b/${user}"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::b/${aws:user"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::b/${}"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::b/${aws:username, x}"`), resource, "1 Resource"},
		{with("Resource", `"arn:aws:s3:::b/${aws:TagKeys}"`), resource, "1 Resource"},
		{document(`{` + good + `,"NotResource":"arn:aws:s3:::b/x"}`), "Statement has both Resource and NotResource", "1 NotResource"},
		// Actions with resources.
		{with("Resource", `"arn:aws:s3:::b"`), mismatch, "1 Action"},
		{with("Action", `"s3:ListBucket"`), mismatch, "1 Action"},
		{with("Action", `["s3:GetObject","s3:PutBucket*"]`), mismatch, "1 Action"},
		{with("Action", `"s3:ListAllMyBuckets"`), mismatch, "1 Action"},
		// Conditions.
		{condition(`[]`), invalidJSON, "1 Condition"},
		{condition(`{"Bool":{}}`), invalidJSON, "1 Condition"},
		{condition(`{"Bool":{"aws:SecureTransport":[]}}`), invalidJSON, "1 Condition"},
		{condition(`{"Bool":{"aws:SecureTransport":null}}`), invalidJSON, "1 Condition"},
		{condition(`{"Bool":{"aws:SecureTransport":"false","aws:SecureTransport":"true"}}`), invalidJSON, "1"},
		{condition(`{"StringEqual":{"aws:Referer":"x"}}`), "Invalid Condition type : StringEqual", "1 Condition"},
		{condition(`{"stringequals":{"aws:Referer":"x"}}`), "Invalid Condition type : stringequals", "1 Condition"},
		{condition(`{"String":{"aws:Referer":"x"}}`), "Invalid Condition type : String", "1 Condition"},
		{condition(`{"StringEquals NotEquals":{"aws:Referer":"x"}}`), "Invalid Condition type : StringEquals NotEquals", "1 Condition"},
		{condition(`{"NotBool":{"aws:SecureTransport":"x"}}`), "Invalid Condition type : NotBool", "1 Condition"},
		{condition(`{"NumericLike":{"s3:signatureAge":1}}`), "Invalid Condition type : NumericLike", "1 Condition"},
		{condition(`{"BinaryEquals":{"aws:Referer":"QQ=="}}`), "Invalid Condition type : BinaryEquals", "1 Condition"},
		{condition(`{"NullIfExists":{"aws:Referer":"true"}}`), "Invalid Condition type : NullIfExists", "1 Condition"},
		{condition(`{"ForAllValues:Null":{"aws:Referer":"true"}}`), "Invalid Condition type : ForAllValues:Null", "1 Condition"},
		{condition(`{"ForSomeValues:Bool":{"aws:SecureTransport":"x"}}`), "Invalid Condition type : ForSomeValues:Bool", "1 Condition"},
		{condition(`{"StringEquals":{"aws:Reverer":"x"}}`), key, "1 Condition"},
		{condition(`{"StringEquals":{"Referer":"x"}}`), key, "1 Condition"},
		{condition(`{"StringEquals":{"":"x"}}`), key, "1 Condition"},
		{condition(`{"StringEquals":{"s3:ExistingObjectTag":"x"}}`), key, "1 Condition"},
		{condition(`{"StringEquals":{"s3:ExistingObjectTag/":"x"}}`), key, "1 Condition"},
		{condition(`{"StringEquals":{"s3:prefix/x":"x"}}`), key, "1 Condition"},
		{condition(`{"StringEquals":{"kms:ViaService":"x"}}`), key, "1 Condition"},
		{condition(`{"StringEquals":{"aws:Referer":"${what}"}}`), key, "1 Condition"},
		{condition(`{"StringEquals":{"s3:prefix":"x"}}`), combination, "1 Condition"},
		{condition(`{"Null":{"s3:x-amz-acl":"true"}}`), combination, "1 Condition"},
		{condition(`{"Null":{"aws:Referer":"yes"}}`), value, "1 Condition"},
		{condition(`{"Bool":{"aws:SecureTransport":"no"}}`), value, "1 Condition"},
		{condition(`{"NumericEquals":{"s3:signatureAge":"ten"}}`), value, "1 Condition"},
		{condition(`{"NumericEquals":{"s3:signatureAge":"0x10"}}`), value, "1 Condition"},
		{condition(`{"NumericEquals":{"s3:signatureAge":"1e3"}}`), value, "1 Condition"},
		{condition(`{"NumericEquals":{"s3:signatureAge":"NaN"}}`), value, "1 Condition"},
		{condition(`{"NumericEquals":{"s3:signatureAge":1e999}}`), value, "1 Condition"},
		{condition(`{"DateLessThan":{"aws:CurrentTime":"tomorrow"}}`), value, "1 Condition"},
		{condition(`{"DateLessThan":{"aws:CurrentTime":"2026-13-01T00:00:00Z"}}`), value, "1 Condition"},
		{condition(`{"ArnLike":{"aws:SourceArn":"arn:aws:s3:b"}}`), value, "1 Condition"},
		{condition(`{"ArnLike":{"aws:SourceArn":"b"}}`), value, "1 Condition"},
		{condition(`{"IpAddress":{"aws:SourceIp":"10.0.0"}}`), address, "1 Condition"},
		{condition(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}`), address, "1 Condition"},
		{condition(`{"IpAddress":{"aws:SourceIp":"fe80::1%eth0"}}`), address, "1 Condition"},
		{condition(`{"StringLike":{"aws:SourceIp":"10.*"}}`), address, "1 Condition"},
		{condition(`{"IpAddress":{"aws:VpcSourceIp":"x"}}`), address, "1 Condition"},
	} {
		refused(t, parseBucket, tt[0], tt[1], tt[2])
	}
}

// In IAM's words, which kubernetes/kops#4951, Wolox/carthage_cache#22 and
// hashicorp/terraform-provider-aws#10419 and others met.
func TestThreat27_IdentityPolicyLaxness(t *testing.T) {
	const syntax = "Syntax errors in policy."
	const good = `"Effect":"Allow","Action":"s3:GetObject","Resource":"*"`
	for _, tt := range [][3]string{
		{"", syntax, ""},
		{"[]", syntax, ""},
		{`{}`, syntax, ""},
		{document(), syntax, "Statement"},
		{document(`{` + good + `,"Foo":1}`), syntax, "1"},
		{`{"Version":"2012-10-17","Statement":[{` + good + `}],"Id":"` + strings.Repeat("x", 10240) + `"}`, "Policy exceeds the maximum allowed document size.", ""},
		{document(`{` + good + `,"Principal":"*"}`), "Policy document should not specify a principal.", "1 Principal"},
		{document(`{` + good + `,"NotPrincipal":"*"}`), "Policy document should not specify a principal.", "1 NotPrincipal"},
		{document(`{"Effect":"Allow","Resource":"*"}`), "Policy statement must contain actions.", "1"},
		{document(`{"Effect":"Allow","Action":"s3:*"}`), "Policy statement must contain resources.", "1"},
		{document(`{"Action":"s3:*","Resource":"*"}`), syntax, "1"},
		{document(`{` + good + `,"Sid":"a-b"}`), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*", "1 Sid"},
		{document(`{`+good+`,"Sid":"a"}`, `{`+good+`,"Sid":"a"}`), "Statement IDs (SID) in a single policy must be unique.", "2 Sid"},
		{document(`{"Effect":"Allow","Action":"GetObject","Resource":"*"}`), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", "1 Action"},
		{document(`{"Effect":"Allow","Action":":GetObject","Resource":"*"}`), "Vendor  is not valid", "1 Action"},
		{document(`{"Effect":"Allow","Action":"s3 :GetObject","Resource":"*"}`), "Vendor s3  is not valid", "1 Action"},
		{document(`{"Effect":"Allow","Action":"s3:HeadObject","Resource":"*"}`), "Policy has invalid action", "1 Action"},
		{document(`{"Effect":"Allow","Action":"iam:Create Role","Resource":"*"}`), "Policy has invalid action", "1 Action"},
		{document(`{"Effect":"Allow","Action":"s3:*","Resource":"b"}`), `Resource b must be in ARN format or "*".`, "1 Resource"},
		{document(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3::b"}`), `Resource arn:aws:s3::b must be in ARN format or "*".`, "1 Resource"},
		{document(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::"}`), `Resource arn:aws:s3::: must be in ARN format or "*".`, "1 Resource"},
		{document(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:${aws:username}::b"}`), `Resource arn:aws:s3:${aws:username}::b must be in ARN format or "*".`, "1 Resource"},
		{document(`{` + good + `,"Condition":{"StringEquals":{"kms:ViaService":"x"}}}`), "Policy has an invalid condition key", "1 Condition"},
		{document(`{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:What":"x"}}}`), "Policy has an invalid condition key", "1 Condition"},
	} {
		refused(t, parseIdentity, tt[0], tt[1], tt[2])
	}
}

// What must not be refused.
func TestSpellingsThatAreTaken(t *testing.T) {
	for _, doc := range []string{
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:s3:::b/*"}}` + " \r\n\t",
		`{"Statement":[{"Sid":"","Effect":"Deny","Principal":{"AWS":"*"},"Action":"S3:GETOBJECT","Resource":"arn:aws:s3:::b*"},
		  {"Sid":"","Effect":"Deny","Principal":{"AWS":["*"]},"NotAction":"s3:GetObject","NotResource":"arn:aws:s3:::b","Condition":{}}]}`,
		document(`{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/a/b","arn:aws:sts::111122223333:assumed-role/a/b",
		  "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1EXAMPLE"],"Federated":["cognito-identity.amazonaws.com",
		  "arn:aws:iam::111122223333:saml-provider/x"],"CanonicalUser":"` + strings.Repeat("0f", 32) + `","Service":["logging.s3.amazonaws.com"]},
		  "Action":"s3:PutObject","Resource":"arn:aws:s3:::b/$x{"}`),
		document(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],"Condition":{
		  "StringNotEquals":{"aws:PrincipalOrgID":"o-1","s3:prefix":["a","b"]},"NumericLessThan":{"S3:TLSVERSION":1.2},
		  "StringNotLikeIfExists":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"},"Null":{"aws:SourceIp":true}}}`),
	} {
		if _, err := parseBucket(doc); err != nil {
			t.Errorf("%v in %s", err, doc)
		}
	}
}

// An error says where, and never repeats more of a document than a name.
func TestErrorText(t *testing.T) {
	_, err := parseIdentity(document(`{"Effect":"Allow","Action":"s3:HeadObject","Resource":"*"}`))
	if want := `Policy has invalid action (statement 1, Action: "s3:headobject")`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	long := strings.Repeat("é", 1000)
	for _, doc := range []string{
		`{"` + long + `":1}`,
		document(`{"Effect":"` + long + `"}`),
		document(`{"Effect":"Allow","Principal":{"AWS":"` + long + `"}}`),
		document(`{"Effect":"Allow","Principal":"*","Action":"` + long + `","Resource":"x"}`),
		document(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"` + long + `"}`),
		document(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b","Condition":{"` + long + `":{"a":"b"}}}`),
	} {
		_, err := parseBucket(doc)
		if err == nil || len(err.Error()) > 300 || strings.Contains(err.Error(), "\ufffd") {
			t.Errorf("%d bytes of error: %v", len(err.Error()), err)
		}
	}
}
