package assume

import (
	"strings"
)

// puts is what we assume of PutObject.
func puts() []Assumption {
	const page = "API PutObject"
	return []Assumption{
		{"put-answers-200", page, "Amazon S3 never adds partial objects; if you receive a success response, Amazon S3 added the entire object to the bucket.", func(b *Bucket) error {
			return all(b.put("a", "hello").is(200, "").body(""), b.holds("a", "hello"))
		}},
		{"put-etag", page, "Entity tag for the uploaded object.", func(b *Bucket) error {
			return b.put("a", "hello").header("ETag", etagOf("hello")).failed()
		}},
		{"put-empty", page, "Adds an object to a bucket.", func(b *Bucket) error {
			return all(b.put("a", "").is(200, "").header("ETag", etagOf("")), b.holds("a", "").header("Content-Length", "0"))
		}},
		{"put-overwrites", page, "If it receives multiple write requests for the same object simultaneously, it overwrites all but the last object written.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-meta-a", "1"), b.put("a", "again").is(200, ""), b.holds("a", "again").lacks("x-amz-meta-a"))
		}},
		{"put-default-type", "recorded", "Content-Type: binary/octet-stream", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.head("a").header("Content-Type", "binary/octet-stream"))
		}},
		{"put-keeps-headers", page, "Can be used to specify caching behavior along the request/reply chain.", func(b *Bucket) error {
			return all(b.put("a", "hello", "Content-Type", "image/png", "Cache-Control", "no-cache", "Content-Disposition", "inline", "Content-Encoding", "x-none",
				"Content-Language", "de", "Expires", "Thu, 01 Dec 1994 16:00:00 GMT").is(200, ""),
				b.head("a").header("Content-Type", "image/png").header("Cache-Control", "no-cache").header("Content-Disposition", "inline").
					header("Content-Encoding", "x-none").header("Content-Language", "de").header("Expires", "Thu, 01 Dec 1994 16:00:00 GMT"))
		}},
		{"put-metadata", "Working with object metadata", "Amazon S3 stores user-defined metadata keys in lowercase.", func(b *Bucket) error {
			return all(b.put("a", "hello", "X-Amz-Meta-Camera", "Box"), b.head("a").header("x-amz-meta-camera", "Box"))
		}},
		{"put-metadata-limit", "Working with object metadata", "the user-defined metadata is limited to 2 KB in size", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-meta-a", strings.Repeat("x", 1900)).is(200, ""),
				b.put("b", "hello", "x-amz-meta-a", strings.Repeat("x", 2049)).is(400, "MetadataTooLarge"), b.absent("b"))
		}},
		{"put-keeps-no-other-headers", "Working with object metadata", "When uploading an object, you can also assign metadata … each name … must begin with x-amz-meta-", func(b *Bucket) error {
			return all(b.put("a", "hello", "X-Internal-Type", "x", "X-Minio-Internal-Actual-Size", "1", "X-Postern-Etag", "x").is(200, ""),
				b.head("a").lacks("X-Internal-Type").lacks("X-Minio-Internal-Actual-Size").lacks("X-Postern-Etag").header("Content-Length", "5").header("ETag", etagOf("hello")))
		}},
		{"put-md5", page, "The Base64 encoded 128-bit MD5 digest of the message (without the headers) according to RFC 1864.", func(b *Bucket) error {
			return all(b.put("a", "hello", "Content-MD5", md5Of("hello")).is(200, ""),
				b.put("b", "hello", "Content-MD5", md5Of("hullo")).is(400, "BadDigest"), b.absent("b"))
		}},
		{"put-md5-invalid", "Error responses", "InvalidDigest: The Content-MD5 you specified is not valid.", func(b *Bucket) error {
			return all(b.put("a", "hello", "Content-MD5", "bm9uc2Vuc2U=").is(400, "InvalidDigest"), b.absent("a"))
		}},
		{"put-acl", "Controlling ownership of objects and disabling ACLs for your bucket", "Requests to set or update ACLs fail. … with the error code AccessControlListNotSupported", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-acl", "public-read").is(400, "AccessControlListNotSupported"), b.absent("a"))
		}},
		{"put-acl-of-the-owner", page, "Buckets that use this setting only accept PUT requests that don't specify an ACL or PUT requests that specify bucket owner full control ACLs", func(b *Bucket) error {
			return b.put("a", "hello", "x-amz-acl", "bucket-owner-full-control").is(200, "").header("ETag", etagOf("hello")).failed()
		}},
		{"put-grants", page, "PUT requests that contain other ACLs (for example, custom grants to certain Amazon Web Services accounts) fail and return a 400 error with the error code AccessControlListNotSupported.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-grant-read", `uri="http://acs.amazonaws.com/groups/global/AllUsers"`).is(400, "AccessControlListNotSupported"), b.absent("a"))
		}},
		{"put-storage-class", page, "By default, Amazon S3 uses the STANDARD Storage Class to store newly created objects.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-storage-class", "STANDARD").is(200, "").header("ETag", etagOf("hello")), b.head("a").lacks("x-amz-storage-class"))
		}},
		{"put-for-another-owner", page, "If the account ID that you provide does not match the actual owner of the bucket, the request fails with the HTTP status code 403 Forbidden (access denied).", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-expected-bucket-owner", "999999999999").is(403, "AccessDenied"), b.absent("a"))
		}},
		{"put-needs-a-length", "recorded", "501 NotImplemented: A header you provided implies functionality that is not implemented, Header: Transfer-Encoding", func(b *Bucket) error {
			r := unsized(b.sign(b.request("PUT", b.at("a"), "hello"), hexSHA256("hello")))
			return all(b.exchange(r).is(501, "NotImplemented").element("Header", "Transfer-Encoding"), b.absent("a"))
		}},
		{"put-to-no-bucket", "Error responses", "NoSuchBucket: The specified bucket does not exist.", func(b *Bucket) error {
			return b.unmade().put("a", "hello").is(404, "NoSuchBucket").failed()
		}},
		{"put-reads-its-writes", "Amazon S3 data consistency model", "Amazon S3 provides strong read-after-write consistency for PUT and DELETE requests of objects", func(b *Bucket) error {
			for i := range 8 {
				v := strings.Repeat("x", i)
				if err := all(b.put("a", v).is(200, ""), b.holds("a", v), b.send("GET", "?list-type=2&prefix="+b.Prefix, "").element("Contents/Size", decimal(i))); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// keys is what we assume of names.
func keys() []Assumption {
	const page = "Naming Amazon S3 objects"
	// kept writes, reads and lists a key.
	kept := func(name, quote, key string) Assumption {
		return Assumption{"key-" + name, page, quote, func(b *Bucket) error {
			return all(b.put(key, key).is(200, ""), b.holds(key, key), b.send("GET", "?list-type=2&prefix="+escape(b.Prefix), "").elements("Contents/Key", b.Prefix+key),
				b.remove(key).is(204, ""), b.absent(key))
		}}
	}
	const unicode = "The name for a key is a sequence of Unicode characters whose UTF-8 encoding is up to 1,024 bytes long."
	return []Assumption{
		kept("unicode", unicode, "Zürich/猫 🐈.jpg"),
		kept("decomposed", unicode, "Zu\u0308rich"),
		kept("safe-characters", "Safe characters: 0-9 a-z A-Z ! - _ . * ' ( )", "0aZ!-_.*'()"),
		kept("special-characters", "Characters that might require special handling: & $ @ = ; / : + space , ?", "&$@=;:+ ,?"),
		kept("characters-to-avoid", `Characters to avoid: \ { ^ } % `+"` ] \" > [ ~ < # |", "\\{^}%`]\">[~<#|"),
		kept("percent", unicode, "a%2Fb%20c%"),
		kept("trailing-slash", "The Amazon S3 console treats all objects that have a forward slash (/) character as the last (trailing) character in the key name as a folder", "folder/"),
		kept("two-slashes", unicode, "a//b"),
		kept("dots", unicode, "...a/.b"),
		kept("plus-and-space", unicode, "a+b c"),
		kept("tab", "Escape codes: when you use XML requests, … ASCII control characters", "a\tb"),
		{"key-1024-bytes", page, unicode, func(b *Bucket) error {
			long := strings.Repeat("k", 1024-len(b.Prefix))
			return all(b.put(long, "hello").is(200, ""), b.holds(long, "hello"))
		}},
		{"key-1024-bytes-of-unicode", page, unicode, func(b *Bucket) error {
			long := strings.Repeat("é", (1024-len(b.Prefix))/2)
			return all(b.put(long, "hello").is(200, ""), b.holds(long, "hello"))
		}},
		{"key-1025-bytes", "Error responses", "KeyTooLongError: Your key is too long.", func(b *Bucket) error {
			return b.put(strings.Repeat("k", 1025-len(b.Prefix)), "hello").is(400, "KeyTooLongError").failed()
		}},
		{"key-case", page, "Object key names are case sensitive.", func(b *Bucket) error {
			return all(b.put("cat.jpg", "1").is(200, ""), b.put("Cat.JPG", "2").is(200, ""), b.holds("cat.jpg", "1"), b.holds("Cat.JPG", "2"))
		}},
		{"key-and-below-it", page, "The Amazon S3 data model is a flat structure … there is no hierarchy of subbuckets or subfolders.", func(b *Bucket) error {
			return all(b.put("a", "1").is(200, ""), b.put("a/b", "2").is(200, ""), b.put("a/", "3").is(200, ""), b.holds("a", "1"), b.holds("a/b", "2"), b.holds("a/", "3"), b.keyed(b.ls("2"), "a", "a/", "a/b"))
		}},
		{"key-slashes-are-kept", page, "The Amazon S3 data model is a flat structure", func(b *Bucket) error {
			return all(b.put("a/b", "1").is(200, ""), b.absent("a//b"), b.absent("a/b/"), b.absent("a/./b"))
		}},
		{"key-relative-path", page, "objects with … ../ in the key … valid when the number of relative path elements never exceeds the number of non-relative path elements", func(b *Bucket) error {
			return all(b.put("folder/../object.txt", "1").is(200, ""), b.absent("object.txt"), b.holds("folder/../object.txt", "1"))
		}},
		{"key-slash-encoded", "Authenticating Requests", "Encode the forward slash character, '/', everywhere except in the object key name.", func(b *Bucket) error {
			return all(b.put("a/b", "1").is(200, ""), b.send("GET", strings.Replace(b.at("a/b"), "a/b", "a%2Fb", 1), "").is(200, "").body("1"))
		}},
		{"key-plus-in-a-path", "RFC 3986", "a plus is a plus", func(b *Bucket) error {
			return all(b.put("a+b", "1").is(200, ""), b.send("GET", escape("/"+b.Prefix)+"a+b", "").is(200, "").body("1"))
		}},
	}
}
