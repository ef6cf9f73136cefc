package assume

import "strings"

// cors is what we assume of cross-origin rules.
func cors() []Assumption {
	const guide = "Using cross-origin resource sharing (CORS)"
	rule := func(inner string) string {
		return `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + inner + "</CORSConfiguration>"
	}
	const one = "<CORSRule><AllowedOrigin>https://app.example</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod>" +
		"<AllowedHeader>content-type</AllowedHeader><AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>600</MaxAgeSeconds></CORSRule>"
	// with makes a bucket with these rules.
	with := func(b *Bucket, inner string) (*Bucket, Answer) {
		o := b.other()
		return o, o.settings("cors", rule(inner)).is(200, "")
	}
	preflight := func(b *Bucket, origin, method, headers string) Answer {
		header := []string{"Origin", origin, "Access-Control-Request-Method", method}
		if headers != "" {
			header = append(header, "Access-Control-Request-Headers", headers)
		}
		return b.stranger("OPTIONS", "/a", "", header...)
	}
	open := func(origin, method string) string {
		return "<CORSRule><AllowedOrigin>" + origin + "</AllowedOrigin><AllowedMethod>" + method + "</AllowedMethod></CORSRule>"
	}
	return []Assumption{
		{"cors-get-what-was-put", "API GetBucketCors", "Returns the Cross-Origin Resource Sharing (CORS) configuration information set for the bucket.", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, o.send("GET", "?cors", "").is(200, "").elements("CORSRule/AllowedOrigin", "https://app.example").elements("CORSRule/AllowedMethod", "PUT", "POST").
				elements("CORSRule/AllowedHeader", "content-type", "x-amz-*").elements("CORSRule/ExposeHeader", "ETag").elements("CORSRule/MaxAgeSeconds", "600"))
		}},
		{"cors-none", "recorded", "404 NoSuchCORSConfiguration: The CORS configuration does not exist", func(b *Bucket) error {
			return b.other().send("GET", "?cors", "").is(404, "NoSuchCORSConfiguration").failed()
		}},
		{"cors-delete", "API DeleteBucketCors", "Deletes the cors configuration information set for the bucket.", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, o.send("DELETE", "?cors", "").is(204, ""), o.send("GET", "?cors", "").is(404, "NoSuchCORSConfiguration"), preflight(o, "https://app.example", "PUT", "").is(403, "AccessForbidden"))
		}},
		{"cors-put-needs-a-hash", "API PutBucketCors", "The Base64 encoded 128-bit MD5 digest of the data. This header must be used as a message integrity check", func(b *Bucket) error {
			o := b.other()
			return all(o.send("PUT", "?cors", rule(one)).is(400, "InvalidRequest"), o.send("GET", "?cors", "").is(404, "NoSuchCORSConfiguration"))
		}},
		{"cors-preflight", guide, "When Amazon S3 receives a preflight request from a browser, it evaluates the CORS configuration for the bucket and uses the first CORSRule rule that matches the incoming browser request to enable a cross-origin request.", func(b *Bucket) error {
			o, put := with(b, one)
			a := preflight(o, "https://app.example", "PUT", "content-type, x-amz-meta-a").is(200, "").header("Access-Control-Allow-Origin", "https://app.example").header("Access-Control-Max-Age", "600").
				header("Access-Control-Expose-Headers", "ETag").header("Access-Control-Allow-Headers", "content-type, x-amz-meta-a")
			return all(put, a, that(strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "PUT"), "Access-Control-Allow-Methods is %q", a.Header.Get("Access-Control-Allow-Methods")))
		}},
		{"cors-preflight-other-origin", "recorded", "403 AccessForbidden: CORSResponse: This CORS request is not allowed. …", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, preflight(o, "https://evil.example", "PUT", "").is(403, "AccessForbidden").says("CORSResponse: This CORS request is not allowed.").lacks("Access-Control-Allow-Origin"))
		}},
		{"cors-preflight-other-method", guide, "The request method … must be one of the AllowedMethod elements.", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, preflight(o, "https://app.example", "DELETE", "").is(403, "AccessForbidden"))
		}},
		{"cors-preflight-other-header", guide, "Every header listed in the request's Access-Control-Request-Headers header on the preflight request must match an AllowedHeader element.", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, preflight(o, "https://app.example", "PUT", "content-type,authorization").is(403, "AccessForbidden"))
		}},
		{"cors-preflight-without-rules", "recorded", "403 AccessForbidden: CORSResponse: CORS is not enabled for this bucket.", func(b *Bucket) error {
			return preflight(b.other(), "https://app.example", "PUT", "").is(403, "AccessForbidden").says("CORSResponse: CORS is not enabled for this bucket.").failed()
		}},
		{"cors-preflight-without-origin", "recorded", "400 BadRequest: Insufficient information. Origin request header needed.", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, o.stranger("OPTIONS", "/a", "", "Access-Control-Request-Method", "PUT").is(400, "BadRequest").says("Insufficient information. Origin request header needed."))
		}},
		{"cors-any-origin", "recorded", "Access-Control-Allow-Origin: * for the rule <AllowedOrigin>*</AllowedOrigin>", func(b *Bucket) error {
			o, put := with(b, open("*", "GET"))
			return all(put, preflight(o, "https://app.example", "GET", "").is(200, "").header("Access-Control-Allow-Origin", "*").lacks("Access-Control-Allow-Credentials"))
		}},
		{"cors-credentials", "recorded", "Access-Control-Allow-Credentials: true for a rule with named origins", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, preflight(o, "https://app.example", "PUT", "").is(200, "").header("Access-Control-Allow-Credentials", "true"))
		}},
		{"cors-vary", "recorded", "Vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method", func(b *Bucket) error {
			o, put := with(b, one)
			a := preflight(o, "https://app.example", "PUT", "")
			return all(put, that(strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin"), "Vary is %q", a.Header.Values("Vary")))
		}},
		{"cors-wildcard-origin", "Creating a cross-origin resource sharing (CORS) configuration", "The origin string can contain only one * wildcard character, such as http://*.example.com.", func(b *Bucket) error {
			o, put := with(b, open("https://*.app.example", "GET"))
			return all(put, preflight(o, "https://a.app.example", "GET", "").is(200, "").header("Access-Control-Allow-Origin", "https://a.app.example"), preflight(o, "https://app.example.evil", "GET", "").is(403, "AccessForbidden"))
		}},
		{"cors-two-wildcards", "recorded", `400 InvalidRequest: AllowedOrigin "https://*.*" can not have more than one wildcard.`, func(b *Bucket) error {
			o := b.other()
			return all(o.settings("cors", rule(open("https://*.*", "GET"))).is(400, "InvalidRequest").says("can not have more than one wildcard"), o.send("GET", "?cors", "").is(404, "NoSuchCORSConfiguration"))
		}},
		{"cors-unknown-method", "recorded", "400 InvalidRequest: Found unsupported HTTP method in CORS config. Unsupported method is PATCH", func(b *Bucket) error {
			return b.other().settings("cors", rule(open("*", "PATCH"))).is(400, "InvalidRequest").says("Found unsupported HTTP method in CORS config. Unsupported method is PATCH").failed()
		}},
		{"cors-malformed", "Error responses", "MalformedXML: This happens when the user sends malformed XML (XML that doesn't conform to the published XSD) for the configuration.", func(b *Bucket) error {
			o := b.other()
			return all(o.settings("cors", "<CORSConfiguration>").is(400, "MalformedXML"), o.settings("cors", rule("")).is(400, "MalformedXML"), o.settings("cors", rule("<CORSRule/>")).is(400, "MalformedXML"))
		}},
		{"cors-on-answers", guide, "The request's Origin header must match an AllowedOrigin element.", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, o.put("a", "hello", "Origin", "https://app.example").is(200, "").header("Access-Control-Allow-Origin", "https://app.example").header("Access-Control-Expose-Headers", "ETag"),
				o.put("a", "hello", "Origin", "https://evil.example").is(200, "").lacks("Access-Control-Allow-Origin"), o.put("a", "hello").is(200, "").lacks("Access-Control-Allow-Origin"))
		}},
		{"cors-on-errors", "recorded", "403 with Access-Control-Allow-Origin", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, o.stranger("PUT", "/a", "hello", "Origin", "https://app.example").is(403, "AccessDenied").header("Access-Control-Allow-Origin", "https://app.example"))
		}},
		{"cors-on-forms", guide, "The request method (for example, GET or PUT) … must be one of the AllowedMethod elements.", func(b *Bucket) error {
			o, put := with(b, one)
			return all(put, o.post(form{header: []string{"Origin", "https://app.example"}}).is(204, "").header("Access-Control-Allow-Origin", "https://app.example").header("Access-Control-Expose-Headers", "ETag"),
				o.post(form{expires: -1e9, header: []string{"Origin", "https://app.example"}}).is(403, "AccessDenied").header("Access-Control-Allow-Origin", "https://app.example"))
		}},
		{"cors-first-rule-wins", guide, "uses the first CORSRule rule that matches the incoming browser request", func(b *Bucket) error {
			o, put := with(b, "<CORSRule><AllowedOrigin>https://app.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>1</MaxAgeSeconds></CORSRule>"+
				"<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>2</MaxAgeSeconds></CORSRule>")
			return all(put, preflight(o, "https://app.example", "GET", "").header("Access-Control-Max-Age", "1"), preflight(o, "https://b.example", "GET", "").header("Access-Control-Max-Age", "2"))
		}},
	}
}
