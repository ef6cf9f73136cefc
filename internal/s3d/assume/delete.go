package assume

import "strings"

// deletes is what we assume of DeleteObject and DeleteObjects.
func deletes() []Assumption {
	const page, many = "API DeleteObject", "API DeleteObjects"
	batch := func(b *Bucket, inner string, names ...string) string {
		for _, k := range names {
			inner += "<Object><Key>" + b.Prefix + k + "</Key></Object>"
		}
		return `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + inner + "</Delete>"
	}
	send := func(b *Bucket, doc string) Answer { return b.send("POST", "?delete", doc, "Content-MD5", md5Of(doc)) }
	return []Assumption{
		{"delete-answers-204", page, "Removes an object from a bucket.", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.remove("a").is(204, "").body(""), b.absent("a"))
		}},
		{"delete-of-nothing", "recorded", "204 No Content", func(b *Bucket) error {
			return b.remove("a").is(204, "").failed()
		}},
		{"delete-of-no-bucket", "Error responses", "NoSuchBucket: The specified bucket does not exist.", func(b *Bucket) error {
			return b.unmade().remove("a").is(404, "NoSuchBucket").failed()
		}},
		{"delete-leaves-the-list", "Amazon S3 data consistency model", "list operations are strongly consistent", func(b *Bucket) error {
			return all(b.put("a", "1"), b.put("b", "2"), b.remove("a"), b.send("GET", "?list-type=2&prefix="+b.Prefix, "").elements("Contents/Key", b.Prefix+"b"))
		}},
		{"delete-many", many, "This operation enables you to delete multiple objects from a bucket using a single HTTP request.", func(b *Bucket) error {
			return all(b.put("a", "1"), b.put("b", "2"), b.put("c", "3"), send(b, batch(b, "", "a", "b")).is(200, "").elements("Deleted/Key", b.Prefix+"a", b.Prefix+"b"),
				b.absent("a"), b.absent("b"), b.holds("c", "3"))
		}},
		{"delete-many-of-nothing", many, "If the object specified in the request isn't found, Amazon S3 confirms the deletion by returning the result as deleted.", func(b *Bucket) error {
			return send(b, batch(b, "", "a")).is(200, "").elements("Deleted/Key", b.Prefix+"a").failed()
		}},
		{"delete-many-quiet", many, "In quiet mode the response includes only keys where the delete operation encountered an error.", func(b *Bucket) error {
			return all(b.put("a", "1"), send(b, batch(b, "<Quiet>true</Quiet>", "a")).is(200, "").elements("Deleted/Key"), b.absent("a"))
		}},
		{"delete-many-needs-a-hash", many, "The Content-MD5 request header is required for all Multi-Object Delete requests.", func(b *Bucket) error {
			return all(b.put("a", "1"), b.send("POST", "?delete", batch(b, "", "a")).is(400, "InvalidRequest"), b.holds("a", "1"))
		}},
		{"delete-many-with-a-checksum", many, "Confirms that the requester knows", func(b *Bucket) error {
			doc := batch(b, "", "a")
			return all(b.put("a", "1"), b.send("POST", "?delete", doc, "x-amz-checksum-crc32", checksumOf("crc32", doc)).is(200, ""), b.absent("a"))
		}},
		{"delete-many-checks-the-hash", "Error responses", "BadDigest: The Content-MD5 you specified did not match what we received.", func(b *Bucket) error {
			return all(b.put("a", "1"), b.send("POST", "?delete", batch(b, "", "a"), "Content-MD5", md5Of("other")).is(400, "BadDigest"), b.holds("a", "1"))
		}},
		{"delete-many-malformed", "Error responses", "MalformedXML: This happens when the user sends malformed XML (XML that doesn't conform to the published XSD) for the configuration.", func(b *Bucket) error {
			return all(send(b, "<Delete>").is(400, "MalformedXML"), send(b, batch(b, "")).is(400, "MalformedXML"), send(b, "<Nothing/>").is(400, "MalformedXML"))
		}},
		{"delete-many-at-most-1000", many, "The request can contain a list of up to 1,000 keys that you want to delete.", func(b *Bucket) error {
			return all(b.put("a", "1"), send(b, batch(b, "", strings.Split(strings.Repeat("a ", 1000)+"a", " ")...)).is(400, "MalformedXML"), b.holds("a", "1"))
		}},
	}
}
