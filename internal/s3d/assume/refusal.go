package assume

import (
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// policies is what we assume of the forms that S3 refuses before it looks at
// what their policy says: shape, authentication, and the policy's own grammar.
func policies() []Assumption {
	const page = "POST Policy"
	needed := func(name, field string) Assumption {
		return Assumption{"post-needs-" + strings.ToLower(name), "recorded", "400 InvalidArgument: Bucket POST must contain a field named '" + name + "'.  If it is specified, please check the order of the fields.", func(b *Bucket) error {
			return b.post(form{drop: []string{field}}).is(400, "InvalidArgument").element("ArgumentName", name).
				says("Bucket POST must contain a field named '" + name + "'.  If it is specified, please check the order of the fields.").failed()
		}}
	}
	invalid := func(name, quote, old, with string) Assumption {
		return Assumption{"policy-" + name, "recorded", "400 InvalidPolicyDocument: " + quote, func(b *Bucket) error {
			return all(b.post(form{document: replaced(old, with)}).is(400, "InvalidPolicyDocument").says(quote), b.absent("a"))
		}}
	}
	return []Assumption{
		{"post-must-be-multipart", "recorded", "412 PreconditionFailed, Condition: Bucket POST must be of the enclosure-type multipart/form-data", func(b *Bucket) error {
			r := b.posting(form{})
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return b.exchange(r).is(412, "PreconditionFailed").element("Condition", "Bucket POST must be of the enclosure-type multipart/form-data").failed()
		}},
		{"post-type-is-not-a-substring", "recorded", "412 PreconditionFailed for multipart/form-dataX", func(b *Bucket) error {
			r := b.posting(form{})
			r.Header.Set("Content-Type", strings.Replace(r.Header.Get("Content-Type"), "form-data", "form-dataX", 1))
			x := b.posting(form{})
			x.Header.Set("Content-Type", "x"+x.Header.Get("Content-Type"))
			return all(b.exchange(r).is(412, "PreconditionFailed"), b.exchange(x).is(412, "PreconditionFailed"), b.absent("a"))
		}},
		{"post-needs-a-boundary", "recorded", "400 MalformedPOSTRequest", func(b *Bucket) error {
			r := b.posting(form{})
			r.Header.Set("Content-Type", "multipart/form-data")
			return b.exchange(r).is(400, "MalformedPOSTRequest").failed()
		}},
		needed("key", "key"),
		needed("X-Amz-Algorithm", "x-amz-algorithm"),
		needed("X-Amz-Credential", "x-amz-credential"),
		needed("X-Amz-Date", "x-amz-date"),
		needed("X-Amz-Signature", "x-amz-signature"),
		needed("policy", "policy"),
		{"post-needs-a-file", "recorded", "400 InvalidArgument: POST requires exactly one file upload per request.", func(b *Bucket) error {
			return b.post(form{noFile: true}).is(400, "InvalidArgument").element("ArgumentName", "file").says("POST requires exactly one file upload per request.").failed()
		}},
		{"post-anonymous", "recorded", "403 AccessDenied on a private bucket", func(b *Bucket) error {
			return all(b.post(form{drop: []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}}).is(403, "AccessDenied"), b.absent("a"))
		}},
		{"post-unknown-key-id", "recorded", "403 InvalidAccessKeyId", func(b *Bucket) error {
			return b.post(form{by: sigv4.Credentials{AccessKeyID: "AKIANOBODYKNOWSTHIS0", SecretAccessKey: "x"}}).is(403, "InvalidAccessKeyId").failed()
		}},
		{"post-wrong-signature", "recorded", "403 SignatureDoesNotMatch", func(b *Bucket) error {
			return all(b.post(form{by: sigv4.Credentials{AccessKeyID: b.Credentials.AccessKeyID, SecretAccessKey: "another"}}).is(403, "SignatureDoesNotMatch"), b.absent("a"))
		}},
		{"post-empty-signature", "Error responses", "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided.", func(b *Bucket) error {
			return all(b.post(form{set: fields("x-amz-signature", "")}).refused(), b.absent("a"))
		}},
		{"post-changed-policy", "recorded", "403 SignatureDoesNotMatch: the signature is checked before the policy is decoded", func(b *Bucket) error {
			f := form{}
			policy := b.sealed(&f)[1].Value
			return b.post(form{set: fields("policy", policy[:len(policy)-5])}).is(403, "SignatureDoesNotMatch").failed()
		}},
		{"post-wrong-region", "recorded", "400 InvalidArgument: the region 'eu-north-1' is wrong; expecting 'us-east-1'", func(b *Bucket) error {
			return all(b.post(form{region: "eu-north-1"}).is(400, "InvalidArgument").says("the region 'eu-north-1' is wrong; expecting '"+b.Region+"'"), b.absent("a"))
		}},
		{"post-to-no-bucket", "Error responses", "NoSuchBucket: The specified bucket does not exist.", func(b *Bucket) error {
			return b.unmade().post(form{}).is(404, "NoSuchBucket").failed()
		}},

		// The order of the checks: content type, required fields, anonymous,
		// signature, the policy's text, its expiration and conditions.
		{"post-order-type-before-fields", "recorded", "412 PreconditionFailed", func(b *Bucket) error {
			r := b.posting(form{drop: []string{"key"}})
			r.Header.Set("Content-Type", "text/plain")
			return b.exchange(r).is(412, "PreconditionFailed").failed()
		}},
		{"post-order-fields-before-signature", "recorded", "400 InvalidArgument", func(b *Bucket) error {
			return b.post(form{drop: []string{"key"}, set: fields("x-amz-signature", strings.Repeat("0", 64))}).is(400, "InvalidArgument").failed()
		}},
		{"post-order-signature-before-policy", "recorded", "403 SignatureDoesNotMatch", func(b *Bucket) error {
			return b.post(form{document: func(string) string { return "{" }, set: fields("x-amz-signature", strings.Repeat("0", 64))}).is(403, "SignatureDoesNotMatch").failed()
		}},
		{"post-order-policy-before-expiration", "recorded", "400 InvalidPolicyDocument", func(b *Bucket) error {
			return b.post(form{expires: -time.Hour, document: replaced(`"conditions"`, `"Conditions"`)}).is(400, "InvalidPolicyDocument").failed()
		}},

		invalid("expiration-in-capitals", "Invalid Policy", `"expiration"`, `"EXPIRATION"`),
		invalid("conditions-in-capitals", "Invalid Policy", `"conditions"`, `"CONDITIONS"`),
		invalid("without-expiration", "Invalid Policy", `"expiration"`, `"x"`),
		invalid("not-json", "Invalid JSON.", `{`, `{{`),
		invalid("bound-is-a-fraction", "Invalid JSON.", `,1,100]`, `,1.5,100]`),
		invalid("bound-is-null", "Invalid JSON.", `,1,100]`, `,null,100]`),
		invalid("value-is-a-number", "value must be a string.", `"conditions":[`, `"conditions":[{"x-amz-meta-a":1},`),
		invalid("two-properties", "Simple-Conditions must have exactly one property specified.", `"conditions":[`, `"conditions":[{"x-ignore-a":"1","x-ignore-b":"2"},`),
		invalid("extra-member", "Unexpected: 'extra'", `{`, `{"extra":"1",`),
		{"policy-expiration-has-no-offset", "recorded", "400 InvalidPolicyDocument: Invalid 'expiration' value: '2099-01-01T00:00:00+02:00'", func(b *Bucket) error {
			return b.post(form{document: withExpiration("2099-01-01T00:00:00+02:00")}).is(400, "InvalidPolicyDocument").says("Invalid 'expiration' value: '2099-01-01T00:00:00+02:00'").failed()
		}},
		{"policy-expiration-has-no-space", "recorded", "400 InvalidPolicyDocument: Invalid 'expiration' value: '2099-01-01 00:00:00Z'", func(b *Bucket) error {
			return b.post(form{document: withExpiration("2099-01-01 00:00:00Z")}).is(400, "InvalidPolicyDocument").says("Invalid 'expiration' value: '2099-01-01 00:00:00Z'").failed()
		}},
		{"policy-expiration-with-milliseconds", page, "2013-08-01T12:00:00.000Z specifies that the POST policy is not valid after midnight GMT on August 1, 2013.", func(b *Bucket) error {
			return b.post(form{document: withExpiration("2099-01-01T00:00:00.000Z")}).is(204, "").failed()
		}},
		{"policy-expiration-without-milliseconds", "recorded", "204", func(b *Bucket) error {
			return b.post(form{document: withExpiration("2099-01-01T00:00:00Z")}).is(204, "").failed()
		}},
		{"policy-bounds-as-texts", "recorded", `204 for ["content-length-range","1","100"]`, func(b *Bucket) error {
			return b.post(form{document: replaced(",1,100]", `,"1","100"]`)}).is(204, "").failed()
		}},
		{"policy-lines-and-spaces", page, "a UTF-8 and base64-encoded document written in JavaScript Object Notation (JSON)", func(b *Bucket) error {
			return b.post(form{document: func(s string) string { return strings.ReplaceAll(s, ",", " ,\r\n\t") + "\r\n" }}).is(204, "").failed()
		}},
	}
}

// withExpiration puts another expiration into a policy.
func withExpiration(v string) func(string) string {
	return func(s string) string {
		const member = `"expiration":"`
		i := strings.Index(s, member) + len(member)
		return s[:i] + v + s[i+strings.IndexByte(s[i:], '"'):]
	}
}
