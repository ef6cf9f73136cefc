package assume

import (
	"encoding/json"
	"reflect"
	"strings"
)

// bucketPolicies is what we assume of bucket policies and of public access.
func bucketPolicies() []Assumption {
	const guide = "Policies and permissions in Amazon S3"
	const how = "Policy evaluation logic"
	public := func(b *Bucket, prefix string) string {
		return statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::"+b.Name+"/"+prefix+"*", "")
	}
	refused := func(name, quote, document string) Assumption {
		return Assumption{"bucket-policy-" + name, guide, quote, func(b *Bucket) error {
			o := b.other()
			return all(o.send("PUT", "?policy", strings.ReplaceAll(document, "BUCKET", o.Name)).is(400, "MalformedPolicy"), o.send("GET", "?policy", "").is(404, "NoSuchBucketPolicy"))
		}}
	}
	return []Assumption{
		{"bucket-policy", "API PutBucketPolicy", "Applies an Amazon S3 bucket policy to an Amazon S3 bucket.", func(b *Bucket) error {
			o := b.other().open()
			doc := public(o, "p/")
			put := o.send("PUT", "?policy", doc).is(204, "")
			var want, got any
			a := o.send("GET", "?policy", "").is(200, "")
			return all(put, a, that(json.Unmarshal([]byte(doc), &want) == nil && json.Unmarshal(a.Body, &got) == nil && reflect.DeepEqual(want, got), "policy is %s", clip(string(a.Body))))
		}},
		{"bucket-policy-none", "API GetBucketPolicy", "Returns the policy of a specified bucket.", func(b *Bucket) error {
			return b.other().send("GET", "?policy", "").is(404, "NoSuchBucketPolicy").says("The bucket policy does not exist").failed()
		}},
		{"bucket-policy-delete", "API DeleteBucketPolicy", "Deletes the policy of a specified bucket.", func(b *Bucket) error {
			o := b.other().open()
			return all(o.put("p/a", "hello"), o.send("PUT", "?policy", public(o, "p/")).is(204, ""), o.send("DELETE", "?policy", "").is(204, ""), o.send("GET", "?policy", "").is(404, "NoSuchBucketPolicy"), o.stranger("GET", "/p/a", "").is(403, "AccessDenied"))
		}},
		{"bucket-policy-public-prefix", "Bucket policy examples", `"Principal": "*", "Action": "s3:GetObject": grants … to any public anonymous users`, func(b *Bucket) error {
			o := b.other().open()
			return all(o.put("p/a", "hello"), o.put("q/a", "secret"), o.send("PUT", "?policy", public(o, "p/")).is(204, ""),
				o.stranger("GET", "/p/a", "").is(200, "").body("hello"), o.stranger("HEAD", "/p/a", "").is(200, ""), o.stranger("GET", "/q/a", "").is(403, "AccessDenied"),
				o.stranger("PUT", "/p/b", "x").is(403, "AccessDenied"), o.stranger("DELETE", "/p/a", "").is(403, "AccessDenied"), o.stranger("GET", "?list-type=2&prefix=p%2F", "").is(403, "AccessDenied"))
		}},
		{"bucket-policy-public-nothing", "API GetObject", "If you don't have the s3:ListBucket permission, Amazon S3 returns an HTTP status code 403 Access Denied error.", func(b *Bucket) error {
			o := b.other().open()
			return all(o.send("PUT", "?policy", public(o, "p/")).is(204, ""), o.stranger("GET", "/p/none", "").is(403, "AccessDenied"))
		}},
		{"bucket-policy-public-list", "API GetObject", "If you have the s3:ListBucket permission on the bucket, Amazon S3 returns an HTTP status code 404 Not Found error.", func(b *Bucket) error {
			o := b.other().open()
			doc := policy(`{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::` + o.Name + `","arn:aws:s3:::` + o.Name + `/*"]}`)
			return all(o.put("a", "hello"), o.send("PUT", "?policy", doc).is(204, ""), o.stranger("GET", "/none", "").is(404, "NoSuchKey"), o.stranger("GET", "?list-type=2", "").is(200, "").elements("Contents/Key", "a"))
		}},
		{"bucket-policy-response-headers", "API GetObject", "cannot be used with an unsigned (anonymous) request", func(b *Bucket) error {
			o := b.other().open()
			return all(o.put("p/a", "hello"), o.send("PUT", "?policy", public(o, "p/")).is(204, ""), o.stranger("GET", "/p/a?response-content-type=text%2Fhtml", "").is(400, "InvalidRequest"))
		}},
		{"bucket-policy-public-post", "RESTObjectPOST", "Although the policy document is optional …. If you make the bucket publicly writable, you have no control at all over which users can write to your bucket.", func(b *Bucket) error {
			o := b.other().open()
			put := o.send("PUT", "?policy", statement("Allow", `"*"`, "s3:PutObject", "arn:aws:s3:::"+o.Name+"/p/*", "")).is(204, "")
			strange := form{drop: []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}}
			in, out := strange, strange
			in.key, out.key = "p/a", "q/a"
			return all(put, o.post(in).is(204, ""), o.holds("p/a", "hello"), o.post(out).is(403, "AccessDenied"), o.absent("q/a"))
		}},
		{"bucket-policy-deny", how, "An explicit deny in any policy overrides any allows.", func(b *Bucket) error {
			o := b.other().open()
			doc := policy(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + o.Name + `/*"},` +
				`{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + o.Name + `/secret/*"}`)
			return all(o.put("a", "hello"), o.put("secret/a", "hello"), o.send("PUT", "?policy", doc).is(204, ""), o.stranger("GET", "/a", "").is(200, ""), o.stranger("GET", "/secret/a", "").is(403, "AccessDenied"))
		}},
		{"bucket-policy-deny-binds-the-owner", how, "An explicit deny in any policy overrides any allows.", func(b *Bucket) error {
			o := b.other()
			put := o.send("PUT", "?policy", statement("Deny", `"*"`, "s3:PutObject", "arn:aws:s3:::"+o.Name+"/locked/*", "")).is(204, "")
			return all(put, o.put("locked/a", "x").is(403, "AccessDenied"), o.put("a", "x").is(200, ""), o.absent("locked/a"))
		}},
		{"bucket-policy-deny-a-form-by-its-key", how, "An explicit deny in any policy overrides any allows.", func(b *Bucket) error {
			o := b.other()
			put := o.send("PUT", "?policy", statement("Deny", `"*"`, "s3:PutObject", "arn:aws:s3:::"+o.Name+"/locked/*", "")).is(204, "")
			return all(put, o.post(form{key: "locked/a"}).is(403, "AccessDenied"), o.post(form{key: "a"}).is(204, ""), o.absent("locked/a"))
		}},
		{"bucket-policy-owner-keeps-the-policy", "API PutBucketPolicy", "the root principal in a bucket owner's Amazon Web Services account can perform the GetBucketPolicy, PutBucketPolicy, and DeleteBucketPolicy API actions, even if their bucket policy explicitly denies the root principal's access", func(b *Bucket) error {
			o := b.other()
			put := o.send("PUT", "?policy", policy(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::`+o.Name+`","arn:aws:s3:::`+o.Name+`/*"]}`)).is(204, "")
			return all(put, o.put("a", "x").is(403, "AccessDenied"), o.send("GET", "?policy", "").is(200, ""), o.send("DELETE", "?policy", "").is(204, ""), o.put("a", "x").is(200, ""))
		}},
		{"bucket-policy-secure-transport", "Bucket policy examples", `"Condition": {"Bool": {"aws:SecureTransport": "false"}}`, func(b *Bucket) error {
			o := b.other()
			put := o.send("PUT", "?policy", statement("Deny", `"*"`, "s3:GetObject", "arn:aws:s3:::"+o.Name+"/*", `,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`)).is(204, "")
			want := 403
			if strings.HasPrefix(o.Endpoint, "https:") {
				want = 200
			}
			o.put("a", "x")
			return all(put, same("status", o.get("a").Status, want))
		}},
		refused("malformed", "MalformedPolicy: This policy contains invalid Json", "{"),
		refused("unknown-element", "MalformedPolicy: Unknown field", policy(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*","When":"now"}`)),
		refused("unknown-effect", "MalformedPolicy: Invalid effect", statement("Maybe", `"*"`, "s3:GetObject", "arn:aws:s3:::BUCKET/*", "")),
		refused("unknown-action", "MalformedPolicy: Policy has invalid action", statement("Allow", `"*"`, "s3:Juggle", "arn:aws:s3:::BUCKET/*", "")),
		refused("other-bucket", "MalformedPolicy: Policy has invalid resource", statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::another-bucket/*", "")),
		refused("no-principal", "MalformedPolicy: Missing required field Principal", policy(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}`)),
		refused("no-statement", "MalformedPolicy: Could not parse the policy: Statement is empty!", policy("")),
		refused("unknown-condition", "MalformedPolicy: Policy has an invalid condition key", statement("Deny", `"*"`, "s3:GetObject", "arn:aws:s3:::BUCKET/*", `,"Condition":{"Perhaps":{"aws:SecureTransport":"false"}}`)),
		refused("action-does-not-fit", "MalformedPolicy: Action does not apply to any resource(s) in statement", statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::BUCKET", "")),
	}
}

// policy is a document with these statements.
func policy(statements string) string {
	return `{"Version":"2012-10-17","Statement":[` + statements + `]}`
}

// statement is a policy of one statement.
func statement(effect, principal, action, resource, more string) string {
	return policy(`{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"` + action + `","Resource":"` + resource + `"` + more + `}`)
}
