package assume

import (
	"mime"
	"strings"

	"postern.example/postern/sigv4"
)

// posts is what we assume of POST Object: the form and its answers.
func posts() []Assumption {
	const page = "POST Object"
	return []Assumption{
		{"post-answers-204", page, "If the value is not set to 200 or 201 … Amazon S3 returns an empty document with a 204 status code.", func(b *Bucket) error {
			return all(b.post(form{}).is(204, "").body(""), b.holds("a", "hello"))
		}},
		{"post-etag", "recorded", "204 with ETag", func(b *Bucket) error {
			return b.post(form{}).header("ETag", etagOf("hello")).failed()
		}},
		{"post-location", "recorded", `204 with Location; "/" in the key is %2F`, func(b *Bucket) error {
			l := b.post(form{}).is(204, "").Header.Get("Location")
			return that(strings.HasSuffix(l, escape(strings.TrimSuffix(b.Prefix, "/"))+"%2Fa"), "Location is %q", l).failed()
		}},
		{"post-status-200", page, "If the value is set to 200 or 204, Amazon S3 returns an empty document with a 200 or 204 status code.", func(b *Bucket) error {
			return all(b.post(form{fields: fields("success_action_status", "200")}).is(200, "").body(""), b.holds("a", "hello"))
		}},
		{"post-status-201", page, "If the value is set to 201, Amazon S3 returns an XML document with a 201 status code.", func(b *Bucket) error {
			a := b.post(form{fields: fields("success_action_status", "201")}).is(201, "").
				element("Bucket", b.Name).element("Key", b.Prefix+"a").element("ETag", etagOf("hello"))
			return all(a, same("Location", a.text("Location"), a.Header.Get("Location")))
		}},
		{"post-response-has-no-namespace", "recorded", "<PostResponse><Location>", func(b *Bucket) error {
			a := b.post(form{fields: fields("success_action_status", "201")}).is(201, "")
			return all(a, same("root", a.root().Local, "PostResponse"), same("namespace", a.root().Space, ""))
		}},
		{"post-status-other", page, "If the value is not set or is set to an invalid value, Amazon S3 returns an empty document with a 204 status code.", func(b *Bucket) error {
			return b.post(form{fields: fields("success_action_status", "302")}).is(204, "").failed()
		}},
		{"post-redirects", page, "Amazon S3 redirects … with bucket, key, and etag values appended as query parameters to the URL.", func(b *Bucket) error {
			return b.post(form{fields: fields("success_action_redirect", "https://app.example/done")}).is(303, "").
				header("Location", "https://app.example/done?bucket="+b.Name+"&key="+strings.ReplaceAll(escape(b.Prefix), "/", "%2F")+"a&etag="+escape(etagOf("hello"))).failed()
		}},
		{"post-redirect-keeps-the-query", "recorded", "303, Location: …?x=1&bucket=…&key=…&etag=…", func(b *Bucket) error {
			a := b.post(form{fields: fields("success_action_redirect", "https://app.example/?x=1")}).is(303, "")
			return all(a, that(strings.HasPrefix(a.Header.Get("Location"), "https://app.example/?x=1&bucket="), "Location is %q", a.Header.Get("Location")))
		}},
		{"post-redirect-must-be-a-url", page, "If Amazon S3 cannot interpret the URL, it acts as if the field is not present.", func(b *Bucket) error {
			return b.post(form{fields: fields("success_action_redirect", "/done")}).is(204, "").failed()
		}},
		{"post-errors-never-redirect", "recorded", "403 without Location", func(b *Bucket) error {
			return b.post(form{fields: fields("success_action_redirect", "https://app.example/"), more: []sigv4.Condition{sigv4.Eq("key", "other")}}).
				is(403, "AccessDenied").lacks("Location").failed()
		}},
		{"post-default-type", "recorded", "Content-Type: binary/octet-stream", func(b *Bucket) error {
			return all(b.post(form{}).is(204, ""), b.head("a").header("Content-Type", "binary/octet-stream"))
		}},
		{"post-default-checksum", "recorded", "x-amz-checksum-crc64nvme, x-amz-checksum-type: FULL_OBJECT", func(b *Bucket) error {
			return all(b.post(form{}).is(204, ""), b.head("a", "x-amz-checksum-mode", "ENABLED").
				header("x-amz-checksum-crc64nvme", checksumOf("crc64nvme", "hello")).header("x-amz-checksum-type", "FULL_OBJECT"))
		}},
		{"post-keeps-headers", page, "REST-specific headers: Cache-Control, Content-Type, Content-Disposition, Content-Encoding, Expires.", func(b *Bucket) error {
			return all(
				b.post(form{fields: fields("Content-Type", "image/png", "Cache-Control", "no-cache", "Content-Disposition", "inline", "Content-Encoding", "x-none", "Expires", "Thu, 01 Dec 1994 16:00:00 GMT")}).is(204, ""),
				b.head("a").header("Content-Type", "image/png").header("Cache-Control", "no-cache").header("Content-Disposition", "inline").
					header("Content-Encoding", "x-none").header("Expires", "Thu, 01 Dec 1994 16:00:00 GMT"))
		}},
		{"post-metadata", page, "Field names starting with this prefix are user-specified metadata. Each one is stored and returned as a set of key-value pairs.", func(b *Bucket) error {
			return all(b.post(form{fields: fields("X-Amz-Meta-Uuid", "14365123651274")}).is(204, ""), b.head("a").header("x-amz-meta-uuid", "14365123651274"))
		}},
		{"post-metadata-beyond-ascii", "recorded", "x-amz-meta-city: =?UTF-8?B?WsO8cmljaA==?=, as RFC 2047 says", func(b *Bucket) error {
			posted := b.post(form{fields: fields("x-amz-meta-city", "Zürich")}).is(204, "")
			said := b.head("a").Header.Get("x-amz-meta-city")
			word, err := new(mime.WordDecoder).Decode(said)
			return all(posted, that(err == nil && word == "Zürich", "x-amz-meta-city is %q", said))
		}},
		{"post-tagging", page, "tagging: The specified set of tags to add to the object. To add tags, use the following encoding scheme.", func(b *Bucket) error {
			return all(b.post(form{fields: fields("tagging", tagging("a", "1", "b", "2"))}).is(204, ""),
				b.send("GET", b.at("a")+"?tagging", "").is(200, "").tagged("a", "1", "b", "2"))
		}},
		{"post-tagging-not-xml", "recorded", "400 MalformedXML", func(b *Bucket) error {
			return b.post(form{fields: fields("tagging", "a=1")}).is(400, "MalformedXML").failed()
		}},
		{"post-tagging-wrong-root", "recorded", "204, and the object has no tags", func(b *Bucket) error {
			return all(b.post(form{fields: fields("tagging", "<Tag><Key>a</Key><Value>1</Value></Tag>")}).is(204, ""),
				b.head("a").is(200, "").lacks("x-amz-tagging-count"))
		}},
		{"post-md5", page, "When you use the Content-MD5 form field, Amazon S3 checks the object against the provided MD5 value. If they do not match, Amazon S3 returns an error.", func(b *Bucket) error {
			return all(b.post(form{fields: fields("Content-MD5", md5Of("hello"))}).is(204, ""),
				b.post(form{key: b.Prefix + "b", fields: fields("Content-MD5", md5Of("hullo"))}).is(400, "BadDigest"), b.absent("b"))
		}},
		{"post-md5-invalid", "Error responses", "InvalidDigest: The Content-MD5 you specified is not valid.", func(b *Bucket) error {
			return b.post(form{fields: fields("Content-MD5", "nonsense")}).is(400, "InvalidDigest").failed()
		}},
		{"post-checksum", page, "x-amz-checksum-algorithm: … you must also specify the corresponding x-amz-checksum-<algorithm> field", func(b *Bucket) error {
			return all(b.post(form{fields: fields("x-amz-checksum-algorithm", "SHA256", "x-amz-checksum-sha256", base64SHA256("hello"))}).is(204, ""),
				b.head("a", "x-amz-checksum-mode", "ENABLED").header("x-amz-checksum-sha256", base64SHA256("hello")))
		}},
		{"post-checksum-mismatch", "recorded", "400 BadDigest, nothing is stored", func(b *Bucket) error {
			return all(b.post(form{fields: fields("x-amz-checksum-algorithm", "SHA256", "x-amz-checksum-sha256", base64SHA256("hullo"))}).is(400, "BadDigest"), b.absent("a"))
		}},
		{"post-file-is-the-part-called-file", "recorded", "204 for a filename on every part", func(b *Bucket) error {
			return all(b.post(form{everywhere: true}).is(204, ""), b.holds("a", "hello"))
		}},
		{"post-file-without-filename", page, "file: File or text content.", func(b *Bucket) error {
			return all(b.post(form{nameless: true}).is(204, ""), b.holds("a", "hello"))
		}},
		{"post-ignores-what-follows-the-file", page, "The file or content must be the last field in the form. Any fields below it are ignored.", func(b *Bucket) error {
			return all(b.post(form{after: fields("key", b.Prefix+"b", "acl", "public-read", "submit", "Upload")}).is(204, ""), b.holds("a", "hello"), b.absent("b"))
		}},
		{"post-misses-what-follows-the-file", "recorded", "400 InvalidArgument: a key behind the file is missing", func(b *Bucket) error {
			return b.post(form{drop: []string{"key"}, after: fields("key", b.Prefix+"a")}).is(400, "InvalidArgument").element("ArgumentName", "key").failed()
		}},
		{"post-names-in-any-case", "recorded", "204 for Key, POLICY, X-Amz-Signature …", func(b *Bucket) error {
			return all(b.post(form{rename: strings.ToUpper}).is(204, ""), b.holds("a", "hello"))
		}},
		{"post-bucket-field", "recorded", "204: the SDK for JavaScript sends a bucket field and capitalised names", func(b *Bucket) error {
			capitals := strings.NewReplacer("policy", "Policy", "x-amz-algorithm", "X-Amz-Algorithm", "x-amz-credential", "X-Amz-Credential", "x-amz-date", "X-Amz-Date", "x-amz-signature", "X-Amz-Signature")
			return b.post(form{fields: fields("bucket", b.Name), rename: capitals.Replace}).is(204, "").failed()
		}},
		{"post-to-a-slash", page, "POST / HTTP/1.1", func(b *Bucket) error {
			return b.post(form{target: "/"}).is(204, "").failed()
		}},
		{"post-limits-what-precedes-the-file", page, "the form data and boundaries (excluding the contents of the file) cannot exceed 20 KB", func(b *Bucket) error {
			return all(b.post(form{set: fields("x-ignore-filler", strings.Repeat("x", 16000))}).is(204, ""),
				b.post(form{set: fields("x-ignore-filler", strings.Repeat("x", 20481))}).is(400, "MaxPostPreDataLengthExceeded"))
		}},
		{"post-limit-is-20480-bytes", "recorded", "<MaxPostPreDataLengthBytes>20480</MaxPostPreDataLengthBytes>", func(b *Bucket) error {
			return b.post(form{set: fields("x-ignore-filler", strings.Repeat("x", 20481))}).is(400, "MaxPostPreDataLengthExceeded").
				element("MaxPostPreDataLengthBytes", "20480").says("fields preceeding the upload file was too large").failed() //nolint:misspell // S3 spells it so
		}},
		{"post-ignores-if-none-match", "API PutObject", "Uploads the object only if the object key name does not already exist in the bucket specified.", func(b *Bucket) error {
			// Said of PutObject, CopyObject and CompleteMultipartUpload; not of POST.
			twice := form{header: []string{"If-None-Match", "*"}}
			return all(b.post(twice).is(204, ""), b.post(twice).is(204, ""))
		}},
		{"post-again-overwrites", page, "If Amazon S3 receives multiple write requests for the same object simultaneously, all but the last object written are overwritten.", func(b *Bucket) error {
			return all(b.post(form{}).is(204, ""), b.post(form{file: "again"}).is(204, ""), b.holds("a", "again"))
		}},
		{"post-filename-variable", page, "the key name is /user/jerry/mouse.jpg", func(b *Bucket) error {
			return all(named(b, "mouse.jpg").is(204, ""), b.holds("mouse.jpg", "hello"))
		}},
		{"post-filename-of-a-path", page, "If the user's browser provides a full or partial path, only the text following the last slash (/) or backslash (\\) is used.", func(b *Bucket) error {
			return all(named(b, `C:\photos/mouse.jpg`).is(204, ""), b.holds("mouse.jpg", "hello"))
		}},
		{"post-filename-empty", page, "If no file or content is provided, the variable is replaced with an empty string.", func(b *Bucket) error {
			return all(named(b, "").is(204, ""), b.holds("", "hello"))
		}},
		{"post-filename-missing", "recorded", "204, key …${filename}: without a filename parameter the text stays", func(b *Bucket) error {
			return all(b.post(form{key: b.Prefix + "${filename}", nameless: true, conditions: b.anyKey()}).is(204, ""), b.holds("${filename}", "hello"))
		}},
		{"post-filename-everywhere", page, "The variable ${filename} is automatically replaced with the name of the file provided by the user and is recognized by all form fields.", func(b *Bucket) error {
			return all(b.post(form{
				filename: "m.jpg", key: b.Prefix + "${filename}", fields: fields("x-amz-meta-name", "${filename}"),
				conditions: append(b.anyKey(), sigv4.Eq("x-amz-meta-name", "m.jpg")),
			}).is(204, ""), b.head("m.jpg").header("x-amz-meta-name", "m.jpg"))
		}},
		{"post-filename-before-matching", "POST Policy", "Variables in the form are expanded before the POST policy is validated.", func(b *Bucket) error {
			return b.post(form{filename: "m.jpg", key: b.Prefix + "${filename}", conditions: append(b.anyKey()[:1:1], sigv4.Eq("key", b.Prefix+"m.jpg"))}).is(204, "").failed()
		}},
		{"post-acl", "Controlling ownership of objects and disabling ACLs for your bucket", "Requests to set or update ACLs fail. … with the error code AccessControlListNotSupported", func(b *Bucket) error {
			return all(b.post(form{fields: fields("acl", "public-read")}).is(400, "AccessControlListNotSupported").says("The bucket does not allow ACLs"), b.absent("a"))
		}},
		{"post-empty-file", page, "file: File or text content.", func(b *Bucket) error {
			return all(b.post(form{empty: true, conditions: append(b.anyKey(), sigv4.LengthRange(0, 0))}).is(204, ""), b.holds("a", ""))
		}},
	}
}

// named posts a file whose name is to become its key's end.
func named(b *Bucket, filename string) Answer {
	return b.post(form{filename: filename, unnamed: filename == "", key: b.Prefix + "${filename}", conditions: b.anyKey()})
}

// anyKey are conditions that let any key below the prefix in.
func (b *Bucket) anyKey() []sigv4.Condition {
	return []sigv4.Condition{sigv4.Eq("bucket", b.Name), sigv4.StartsWith("key", b.Prefix)}
}
