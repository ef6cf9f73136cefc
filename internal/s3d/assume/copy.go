package assume

import (
	"net/http"
	"time"
)

// copies is what we assume of CopyObject.
func copies() []Assumption {
	const page = "API CopyObject"
	// from copies "a" to another key.
	from := func(b *Bucket, to string, header ...string) Answer {
		return b.put(to, "", append([]string{"x-amz-copy-source", "/" + b.Name + b.at("a")}, header...)...)
	}
	hour := func(n int) string {
		return time.Now().Add(time.Duration(n) * time.Hour).UTC().Format(http.TimeFormat)
	}
	const source = "Copies the object if "
	return []Assumption{
		{"copy", page, "Creates a copy of an object that is already stored in Amazon S3.", func(b *Bucket) error {
			a := from(b, "b")
			return all(a.is(404, "NoSuchKey"), b.put("a", "hello"), from(b, "b").is(200, "").element("ETag", etagOf("hello")), b.holds("b", "hello"), b.holds("a", "hello"))
		}},
		{"copy-result", page, "Container for all response elements.", func(b *Bucket) error {
			b.put("a", "hello")
			a := from(b, "b").is(200, "")
			_, err := time.Parse(time.RFC3339, a.text("LastModified"))
			return all(a, same("root", a.root().Local, "CopyObjectResult"), that(err == nil, "LastModified is %q", a.text("LastModified")))
		}},
		{"copy-source-without-slash", page, "specify the name of the source bucket and the key of the source object, separated by a slash (/)", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.put("b", "", "x-amz-copy-source", b.Name+b.at("a")).is(200, ""), b.holds("b", "hello"))
		}},
		{"copy-source-is-encoded", page, "The value must be URL-encoded.", func(b *Bucket) error {
			return all(b.put("a +%2F猫", "hello"), b.put("b", "", "x-amz-copy-source", "/"+b.Name+b.at("a +%2F猫")).is(200, ""), b.holds("b", "hello"))
		}},
		{"copy-from-another-bucket", page, "Specifies the source object for the copy operation.", func(b *Bucket) error {
			o := b.other()
			return all(o.put("a", "hello"), b.put("b", "", "x-amz-copy-source", "/"+o.Name+"/a").is(200, ""), b.holds("b", "hello"))
		}},
		{"copy-from-no-bucket", "Error responses", "NoSuchBucket: The specified bucket does not exist.", func(b *Bucket) error {
			return b.put("b", "", "x-amz-copy-source", "/"+b.unmade().Name+"/a").is(404, "NoSuchBucket").failed()
		}},
		{"copy-source-malformed", "recorded", "400 InvalidArgument: Copy Source must mention the source bucket and key: sourcebucket/sourcekey", func(b *Bucket) error {
			return b.put("b", "", "x-amz-copy-source", "nonsense").is(400, "InvalidArgument").failed()
		}},
		{"copy-keeps-metadata", page, "COPY is the default behavior", func(b *Bucket) error {
			return all(b.put("a", "hello", "Content-Type", "image/png", "Cache-Control", "no-cache", "x-amz-meta-a", "1"), from(b, "b", "Content-Type", "text/html", "x-amz-meta-a", "2").is(200, ""),
				b.head("b").header("Content-Type", "image/png").header("Cache-Control", "no-cache").header("x-amz-meta-a", "1"))
		}},
		{"copy-replaces-metadata", page, "Specifies whether the metadata is copied from the source object or replaced with metadata that's provided in the request.", func(b *Bucket) error {
			return all(b.put("a", "hello", "Content-Type", "image/png", "x-amz-meta-a", "1"), from(b, "b", "x-amz-metadata-directive", "REPLACE", "Content-Type", "text/html", "x-amz-meta-b", "2").is(200, ""),
				b.head("b").header("Content-Type", "text/html").lacks("x-amz-meta-a").header("x-amz-meta-b", "2"))
		}},
		{"copy-unknown-directive", "recorded", "400 InvalidArgument: Unknown metadata directive.", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "b", "x-amz-metadata-directive", "MERGE").is(400, "InvalidArgument"), b.absent("b"))
		}},
		{"copy-onto-itself", "recorded", "400 InvalidRequest: This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, …", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "a").is(400, "InvalidRequest").says("This copy request is illegal because it is trying to copy an object to itself"))
		}},
		{"copy-onto-itself-with-new-metadata", "Working with object metadata", "After you upload the object, you can't modify object metadata. The only way to modify object metadata is to make a copy of the object and set the metadata.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-meta-a", "1"), from(b, "a", "x-amz-metadata-directive", "REPLACE", "x-amz-meta-a", "2").is(200, ""), b.holds("a", "hello").header("x-amz-meta-a", "2"))
		}},
		{"copy-keeps-tags", page, "The default value is COPY", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-tagging", "k=v"), from(b, "b").is(200, ""), b.send("GET", b.at("b")+"?tagging", "").tagged("k", "v"))
		}},
		{"copy-replaces-tags", page, "Specifies whether the object tag-set is copied from the source object or replaced with the tag-set that's provided in the request.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-tagging", "k=v"), from(b, "b", "x-amz-tagging-directive", "REPLACE", "x-amz-tagging", "k=w").is(200, ""), b.send("GET", b.at("b")+"?tagging", "").tagged("k", "w"))
		}},
		{"copy-if-match", page, source + "its entity tag (ETag) matches the specified tag.", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "b", "x-amz-copy-source-if-match", etagOf("other")).is(412, "PreconditionFailed"), b.absent("b"), from(b, "b", "x-amz-copy-source-if-match", etagOf("hello")).is(200, ""))
		}},
		{"copy-if-none-match", page, source + "its entity tag (ETag) is different than the specified ETag.", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "b", "x-amz-copy-source-if-none-match", etagOf("hello")).is(412, "PreconditionFailed"), b.absent("b"), from(b, "b", "x-amz-copy-source-if-none-match", etagOf("other")).is(200, ""))
		}},
		{"copy-if-modified-since", page, source + "it has been modified since the specified time.", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "b", "x-amz-copy-source-if-modified-since", b.head("a").Header.Get("Last-Modified")).is(412, "PreconditionFailed"), b.absent("b"), from(b, "b", "x-amz-copy-source-if-modified-since", hour(-1)).is(200, ""))
		}},
		{"copy-if-unmodified-since", page, source + "it hasn't been modified since the specified time.", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "b", "x-amz-copy-source-if-unmodified-since", hour(-1)).is(412, "PreconditionFailed"), b.absent("b"), from(b, "b", "x-amz-copy-source-if-unmodified-since", hour(1)).is(200, ""))
		}},
		{"copy-if-match-outranks-unmodified", page, "x-amz-copy-source-if-match condition evaluates to true", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "b", "x-amz-copy-source-if-match", etagOf("hello"), "x-amz-copy-source-if-unmodified-since", hour(-1)).is(200, ""), b.holds("b", "hello"))
		}},
		{"copy-if-none-match-outranks-modified", page, "x-amz-copy-source-if-none-match condition evaluates to false", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "b", "x-amz-copy-source-if-none-match", etagOf("hello"), "x-amz-copy-source-if-modified-since", hour(-1)).is(412, "PreconditionFailed"))
		}},
		{"copy-if-absent", page, "Copies the object only if the object key name at the destination does not already exist in the bucket specified.", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "b", "If-None-Match", "*").is(200, ""), from(b, "b", "If-None-Match", "*").is(412, "PreconditionFailed"))
		}},
		{"copy-checksum", page, "the checksum", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-checksum-sha256", base64SHA256("hello")), from(b, "b").is(200, ""), b.head("b", "x-amz-checksum-mode", "ENABLED").header("x-amz-checksum-sha256", base64SHA256("hello")))
		}},
		{"copy-acl", "Controlling ownership of objects and disabling ACLs for your bucket", "Requests to set or update ACLs fail. … with the error code AccessControlListNotSupported", func(b *Bucket) error {
			return all(b.put("a", "hello"), from(b, "b", "x-amz-acl", "public-read").is(400, "AccessControlListNotSupported"), b.absent("b"))
		}},
	}
}
