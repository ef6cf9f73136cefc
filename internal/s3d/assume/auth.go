package assume

import (
	"net/http"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// authorization is what we assume of the Authorization header.
func authorization() []Assumption {
	const page = "Authenticating Requests: Using the Authorization Header"
	// changed signs a PUT and changes it then.
	changed := func(b *Bucket, change func(*http.Request)) Answer {
		r := b.sign(b.request("PUT", b.at("a"), "hello"), hexSHA256("hello"))
		change(r)
		return b.exchange(r)
	}
	return []Assumption{
		{"auth-signature", page, "the 256-bit signature expressed as 64 lowercase hexadecimal characters", func(b *Bucket) error {
			return all(changed(b, func(r *http.Request) {
				v := r.Header.Get("Authorization")
				r.Header.Set("Authorization", v[:len(v)-64]+strings.Repeat("0", 64))
			}).is(403, "SignatureDoesNotMatch"), b.absent("a"))
		}},
		{"auth-secret", "Error responses", "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided.", func(b *Bucket) error {
			r := b.signAs(sigv4.Credentials{AccessKeyID: b.Credentials.AccessKeyID, SecretAccessKey: "another"}, time.Now(), b.request("PUT", b.at("a"), "hello"), hexSHA256("hello"))
			return all(b.exchange(r).is(403, "SignatureDoesNotMatch"), b.absent("a"))
		}},
		{"auth-unknown-key-id", "Error responses", "InvalidAccessKeyId: The Amazon Web Services access key ID you provided does not exist in our records.", func(b *Bucket) error {
			r := b.signAs(sigv4.Credentials{AccessKeyID: "AKIANOBODYKNOWSTHIS0", SecretAccessKey: "x"}, time.Now(), b.request("GET", b.at("a"), ""), "")
			return b.exchange(r).is(403, "InvalidAccessKeyId").failed()
		}},
		{"auth-empty-signature", "Error responses", "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided.", func(b *Bucket) error {
			return all(changed(b, func(r *http.Request) {
				v := r.Header.Get("Authorization")
				r.Header.Set("Authorization", v[:len(v)-64])
			}).refused(), b.absent("a"))
		}},
		{"auth-region", "recorded", "400 AuthorizationHeaderMalformed: …the region 'eu-north-1' is wrong; expecting 'us-east-1'", func(b *Bucket) error {
			r := b.request("GET", b.at("a"), "")
			if err := sigv4.NewSigner("eu-north-1").SignHeader(b.Credentials, time.Now(), r, ""); err != nil {
				return err
			}
			return b.exchange(r).is(400, "AuthorizationHeaderMalformed").says("the region 'eu-north-1' is wrong; expecting '"+b.Region+"'").element("Region", b.Region).failed()
		}},
		{"auth-malformed", "recorded", "400 AuthorizationHeaderMalformed", func(b *Bucket) error {
			return changed(b, func(r *http.Request) {
				v, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature=")
				v, _, _ = strings.Cut(v, ",Signature=")
				r.Header.Set("Authorization", v)
			}).is(400, "AuthorizationHeaderMalformed").failed()
		}},
		{"auth-unknown-type", "recorded", "400 InvalidArgument: Unsupported Authorization Type", func(b *Bucket) error {
			return changed(b, func(r *http.Request) { r.Header.Set("Authorization", "Basic YTpi") }).is(400, "InvalidArgument").says("Unsupported Authorization Type").failed()
		}},
		{"auth-version-2", "recorded", "400 InvalidRequest: The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.", func(b *Bucket) error {
			return all(changed(b, func(r *http.Request) {
				r.Header.Set("Authorization", "AWS "+b.Credentials.AccessKeyID+":c2lnbmF0dXJlIG9mIHR3ZW50eQ==")
			}).is(400, "InvalidRequest").says("Please use AWS4-HMAC-SHA256."), b.absent("a"))
		}},
		{"auth-twice", "recorded", "400 InvalidArgument: Only one auth mechanism allowed", func(b *Bucket) error {
			signed := b.sign(b.request("GET", b.at("a"), ""), "")
			return b.follow("GET", b.presign("GET", b.at("a")), "", "Authorization", signed.Header.Get("Authorization"),
				"X-Amz-Date", signed.Header.Get("X-Amz-Date"), "X-Amz-Content-Sha256", signed.Header.Get("X-Amz-Content-Sha256")).
				is(400, "InvalidArgument").says("Only one auth mechanism allowed").failed()
		}},
		{"auth-clock", "Error responses", "RequestTimeTooSkewed: The difference between the request time and the server's time is too large.", func(b *Bucket) error {
			late := b.signAs(b.Credentials, time.Now().Add(-16*time.Minute), b.request("GET", b.at("a"), ""), "")
			early := b.signAs(b.Credentials, time.Now().Add(16*time.Minute), b.request("GET", b.at("a"), ""), "")
			return all(b.exchange(late).is(403, "RequestTimeTooSkewed"), b.exchange(early).is(403, "RequestTimeTooSkewed"))
		}},
		{"auth-clock-15-minutes", "Making requests", "The difference must be no more than 15 minutes.", func(b *Bucket) error {
			r := b.signAs(b.Credentials, time.Now().Add(-14*time.Minute), b.request("PUT", b.at("a"), "hello"), hexSHA256("hello"))
			return all(b.exchange(r).is(200, ""), b.holds("a", "hello"))
		}},
		{"auth-needs-content-sha256", page, "The x-amz-content-sha256 header is required for all AWS Signature Version 4 requests.", func(b *Bucket) error {
			return changed(b, func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }).refused().failed()
		}},
		{"auth-content-sha256-mismatch", "recorded", "400 XAmzContentSHA256Mismatch: The provided 'x-amz-content-sha256' header does not match what was computed.", func(b *Bucket) error {
			r := b.sign(b.request("PUT", b.at("a"), "hello"), hexSHA256("hullo"))
			return all(b.exchange(r).is(400, "XAmzContentSHA256Mismatch"), b.absent("a"))
		}},
		{"auth-content-sha256-nonsense", "recorded", "400 InvalidArgument: x-amz-content-sha256 must be UNSIGNED-PAYLOAD, … or a valid sha256 value.", func(b *Bucket) error {
			return all(changed(b, func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "nonsense") }).refused(), b.absent("a"))
		}},
		{"auth-unsigned-payload", page, "If the value is UNSIGNED-PAYLOAD, the payload is not included in the signature.", func(b *Bucket) error {
			return all(b.exchange(b.sign(b.request("PUT", b.at("a"), "hello"), sigv4.UnsignedPayload)).is(200, ""), b.holds("a", "hello"))
		}},
		{"auth-all-amz-headers-signed", page, "The CanonicalHeaders list must include … Any x-amz-* headers that you plan to include in your request.", func(b *Bucket) error {
			return all(changed(b, func(r *http.Request) { r.Header.Set("x-amz-meta-a", "1") }).is(403, "AccessDenied").
				says("There were headers present in the request which were not signed"), b.absent("a"))
		}},
		{"auth-other-headers-need-not-be", page, "The CanonicalHeaders list must include … HTTP host header … Content-Type header", func(b *Bucket) error {
			return changed(b, func(r *http.Request) { r.Header.Set("Cache-Control", "no-cache") }).is(200, "").header("ETag", etagOf("hello")).failed()
		}},
		{"auth-streaming-needs-a-signature", "Signature calculations: transferring a payload in multiple chunks", "STREAMING-UNSIGNED-PAYLOAD-TRAILER … in the Authorization header", func(b *Bucket) error {
			return all(b.stranger("PUT", b.at("a"), "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "X-Amz-Content-Sha256", sigv4.StreamingUnsignedTrailer,
				"X-Amz-Trailer", "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length", "5", "Content-Encoding", "aws-chunked").refused(), b.absent("a"))
		}},
		{"auth-in-every-answer", "Common response headers", "x-amz-request-id: A value created by Amazon S3 that uniquely identifies the request.", func(b *Bucket) error {
			a := b.absent("a").has("x-amz-request-id")
			return all(b.put("b", "").has("x-amz-request-id"), a, same("RequestId", a.text("RequestId"), a.Header.Get("x-amz-request-id")))
		}},
		{"auth-errors-are-xml", "REST error responses", "Content-Type: application/xml … <Error> <Code> <Message> <Resource> <RequestId>", func(b *Bucket) error {
			a := b.absent("a").header("Content-Type", "application/xml").says("The specified key does not exist.")
			return all(a, same("root", a.root().Local, "Error"), same("namespace", a.root().Space, ""))
		}},
	}
}

// presigned is what we assume of URLs that carry their signature.
func presigned() []Assumption {
	const page = "Authenticating Requests: Using Query Parameters"
	// url puts an object by a URL for 5 bytes of text.
	return []Assumption{
		{"presigned-get", page, "Using query parameters to authenticate requests is useful when you want to express a request entirely in a URL.", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.follow("GET", b.presign("GET", b.at("a")), "").is(200, "").body("hello"))
		}},
		{"presigned-put", "Sharing objects with presigned URLs", "When someone uses the URL to upload an object, Amazon S3 creates the object in the specified bucket.", func(b *Bucket) error {
			return all(b.follow("PUT", b.presign("PUT", b.at("a")), "hello").is(200, "").header("ETag", etagOf("hello")), b.holds("a", "hello"))
		}},
		{"presigned-again", "Sharing objects with presigned URLs", "you can use the presigned URL multiple times, up to the expiration date and time", func(b *Bucket) error {
			u := b.presign("PUT", b.at("a"))
			return all(b.follow("PUT", u, "hello").is(200, ""), b.follow("PUT", u, "again").is(200, ""), b.holds("a", "again"))
		}},
		{"presigned-replaces", "Sharing objects with presigned URLs", "If an object with the same key that is specified in the presigned URL already exists in the bucket, Amazon S3 replaces the existing object with the uploaded object.", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.follow("PUT", b.presign("PUT", b.at("a")), "again").is(200, ""), b.holds("a", "again"))
		}},
		{"presigned-expired", "recorded", "403 AccessDenied: Request has expired", func(b *Bucket) error {
			return all(b.follow("PUT", b.presignAt(time.Now().Add(-2*time.Minute), time.Minute, "PUT", b.at("a")), "hello").is(403, "AccessDenied").says("Request has expired"), b.absent("a"))
		}},
		{"presigned-signature", "Error responses", "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided.", func(b *Bucket) error {
			return all(b.follow("PUT", withQuery(b.presign("PUT", b.at("a")), "X-Amz-Signature", strings.Repeat("0", 64)), "hello").is(403, "SignatureDoesNotMatch"), b.absent("a"))
		}},
		{"presigned-other-method", page, "the signature … HTTP Verb", func(b *Bucket) error {
			return all(b.follow("PUT", b.presign("GET", b.at("a")), "hello").is(403, "SignatureDoesNotMatch"), b.absent("a"))
		}},
		{"presigned-other-key", page, "the signature … Canonical URI", func(b *Bucket) error {
			return all(b.follow("PUT", strings.Replace(b.presign("PUT", b.at("a")), b.at("a"), b.at("b"), 1), "hello").is(403, "SignatureDoesNotMatch"), b.absent("b"))
		}},
		{"presigned-other-query", page, "the signature … Canonical Query String", func(b *Bucket) error {
			return b.follow("GET", b.presign("GET", b.at("a"))+"&response-content-type=text%2Fhtml", "").is(403, "SignatureDoesNotMatch").failed()
		}},
		{"presigned-week", page, "The minimum value you can set is 1, and the maximum is 604800 (seven days).", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.follow("GET", b.presignAt(time.Now(), sigv4.MaxExpires, "GET", b.at("a")), "").is(200, "").body("hello"))
		}},
		{"presigned-more-than-a-week", "recorded", "400 AuthorizationQueryParametersError: X-Amz-Expires must be less than a week (in seconds)", func(b *Bucket) error {
			return b.follow("GET", withQuery(b.presign("GET", b.at("a")), "X-Amz-Expires", "604801"), "").is(400, "AuthorizationQueryParametersError").says("X-Amz-Expires must be less than a week").failed()
		}},
		{"presigned-negative-life", "recorded", "400 AuthorizationQueryParametersError: X-Amz-Expires must be non-negative", func(b *Bucket) error {
			return b.follow("GET", withQuery(b.presign("GET", b.at("a")), "X-Amz-Expires", "-1"), "").is(400, "AuthorizationQueryParametersError").says("X-Amz-Expires must be non-negative").failed()
		}},
		{"presigned-parameter-missing", "recorded", "400 AuthorizationQueryParametersError: Query-string authentication version 4 requires the X-Amz-Algorithm, …", func(b *Bucket) error {
			for _, name := range []string{"X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"} {
				if err := b.follow("GET", withQuery(b.presign("GET", b.at("a")), name, ""), "").is(400, "AuthorizationQueryParametersError").failed(); err != nil {
					return err
				}
			}
			return nil
		}},
		{"presigned-region", "recorded", "400 AuthorizationQueryParametersError: …the region 'eu-north-1' is wrong; expecting 'us-east-1'", func(b *Bucket) error {
			u := b.presign("GET", b.at("a"))
			u = strings.Replace(u, "%2F"+b.Region+"%2F", "%2Feu-north-1%2F", 1)
			return b.follow("GET", u, "").is(400, "AuthorizationQueryParametersError").failed()
		}},
		{"presigned-header-must-be-sent", page, "X-Amz-SignedHeaders: Lists the headers that you used to calculate the signature.", func(b *Bucket) error {
			return all(b.follow("PUT", b.presign("PUT", b.at("a"), "Content-Type", "image/png"), "hello").is(403, "SignatureDoesNotMatch"), b.absent("a"))
		}},
		{"presigned-header-must-be-the-same", page, "X-Amz-SignedHeaders: Lists the headers that you used to calculate the signature.", func(b *Bucket) error {
			u := b.presign("PUT", b.at("a"), "Content-Type", "image/png")
			return all(b.follow("PUT", u, "hello", "Content-Type", "text/html").is(403, "SignatureDoesNotMatch"), b.absent("a"),
				b.follow("PUT", u, "hello", "Content-Type", "image/png").is(200, ""), b.head("a").header("Content-Type", "image/png"))
		}},
		{"presigned-length", "recorded", "200 for the signed content-length, 403 SignatureDoesNotMatch for any other", func(b *Bucket) error {
			u := b.presign("PUT", b.at("a"), "Content-Length", "5")
			return all(b.follow("PUT", u, "hello!").is(403, "SignatureDoesNotMatch"), b.absent("a"), b.follow("PUT", u, "hello").is(200, ""))
		}},
		{"presigned-unsigned-amz-header", "recorded", "403 AccessDenied: There were headers present in the request which were not signed", func(b *Bucket) error {
			return all(b.follow("PUT", b.presign("PUT", b.at("a")), "hello", "x-amz-meta-a", "1").is(403, "AccessDenied").says("There were headers present in the request which were not signed"), b.absent("a"))
		}},
		{"presigned-unsigned-acl", "recorded", "403 AccessDenied: There were headers present in the request which were not signed", func(b *Bucket) error {
			return all(b.follow("PUT", b.presign("PUT", b.at("a")), "hello", "x-amz-acl", "public-read").is(403, "AccessDenied"), b.absent("a"))
		}},
		{"presigned-metadata", "recorded", "a signed x-amz-meta-* header is bound, and must be sent", func(b *Bucket) error {
			u := b.presign("PUT", b.at("a"), "x-amz-meta-postern", "ticket")
			return all(b.follow("PUT", u, "hello").is(403, "SignatureDoesNotMatch"), b.follow("PUT", u, "hello", "x-amz-meta-postern", "forged").is(403, "SignatureDoesNotMatch"),
				b.follow("PUT", u, "hello", "x-amz-meta-postern", "ticket").is(200, ""), b.head("a").header("x-amz-meta-postern", "ticket"))
		}},
		{"presigned-once", "recorded", "200, then 412 PreconditionFailed, with a signed if-none-match: *", func(b *Bucket) error {
			u := b.presign("PUT", b.at("a"), "If-None-Match", "*")
			return all(b.follow("PUT", u, "hello").is(403, "SignatureDoesNotMatch"), b.follow("PUT", u, "hello", "If-None-Match", "*").is(200, ""),
				b.follow("PUT", u, "again", "If-None-Match", "*").is(412, "PreconditionFailed"), b.holds("a", "hello"))
		}},
		{"presigned-md5", "recorded", "400 BadDigest with a signed content-md5", func(b *Bucket) error {
			u := b.presign("PUT", b.at("a"), "Content-MD5", md5Of("hello"))
			return all(b.follow("PUT", u, "hullo", "Content-MD5", md5Of("hello")).is(400, "BadDigest"), b.absent("a"), b.follow("PUT", u, "hello", "Content-MD5", md5Of("hello")).is(200, ""))
		}},
		{"presigned-sha256", "recorded", "a signed x-amz-checksum-sha256: 400 BadDigest for other bytes, 403 without the header", func(b *Bucket) error {
			u := b.presign("PUT", b.at("a"), "x-amz-checksum-sha256", base64SHA256("hello"))
			return all(b.follow("PUT", u, "hullo", "x-amz-checksum-sha256", base64SHA256("hello")).is(400, "BadDigest"), b.follow("PUT", u, "hullo").is(403, "SignatureDoesNotMatch"),
				b.absent("a"), b.follow("PUT", u, "hello", "x-amz-checksum-sha256", base64SHA256("hello")).is(200, ""))
		}},
		{"presigned-delete", page, "Using query parameters to authenticate requests", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.follow("DELETE", b.presign("DELETE", b.at("a")), "").is(204, ""), b.absent("a"))
		}},
		{"presigned-list", page, "Using query parameters to authenticate requests", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.follow("GET", b.presign("GET", "?list-type=2&prefix="+b.Prefix), "").is(200, "").elements("Contents/Key", b.Prefix+"a"))
		}},
	}
}

// anonymous is what we assume that strangers get.
func anonymous() []Assumption {
	const page = "Blocking public access to your Amazon S3 storage"
	denied := func(name, method, target, body string) Assumption {
		return Assumption{"anonymous-" + name, page, "By default, new buckets, access points, and objects don't allow public access.", func(b *Bucket) error {
			t := target
			if b.put("a", "hello"); !strings.HasPrefix(target, "?") {
				t = b.at(target)
			}
			return all(b.stranger(method, t, body).is(403, "AccessDenied"), b.holds("a", "hello"), b.absent("b"))
		}}
	}
	return []Assumption{
		denied("get", "GET", "a", ""), denied("get-of-nothing", "GET", "c", ""), denied("put", "PUT", "b", "hello"), denied("overwrite", "PUT", "a", "again"),
		denied("delete", "DELETE", "a", ""), denied("list", "GET", "?list-type=2", ""), denied("policy", "GET", "?policy", ""), denied("create-upload", "POST", "b?uploads", ""),
		{"anonymous-head", page, "By default, new buckets, access points, and objects don't allow public access.", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.stranger("HEAD", b.at("a"), "").is(403, ""))
		}},
		{"anonymous-list-buckets", "API ListBuckets", "Returns a list of all buckets owned by the authenticated sender of the request.", func(b *Bucket) error {
			a := b.exchange(b.Server.request("GET", "/", ""))
			return that(a.Status != 200 && !strings.Contains(string(a.Body), b.Name), "%d, and it names the bucket", a.Status).failed()
		}},
	}
}
