package assume

import (
	"net/http"
	"time"
)

// gets is what we assume of GetObject and HeadObject.
func gets() []Assumption {
	const page, head = "API GetObject", "API HeadObject"
	// hour is a time n hours from when an object was written.
	hour := func(n int) string {
		return time.Now().Add(time.Duration(n) * time.Hour).UTC().Format(http.TimeFormat)
	}
	// asked puts "0123456789" and reads it with these headers.
	asked := func(b *Bucket, header ...string) Answer {
		if a := b.put("a", "0123456789").is(200, ""); a.err != nil {
			return a
		}
		return b.get("a", header...)
	}
	etag := etagOf("0123456789")
	const ranges = "Downloads the specified byte range of an object."
	const mismatch = "Return the object only if its entity tag (ETag) is the same as the one specified in this header; otherwise, return a 412 Precondition Failed error."
	return []Assumption{
		{"get-headers", page, "Retrieves an object from Amazon S3.", func(b *Bucket) error {
			a := asked(b).is(200, "").body("0123456789").header("ETag", etag).header("Content-Length", "10").header("Accept-Ranges", "bytes")
			at, err := http.ParseTime(a.Header.Get("Last-Modified"))
			return all(a, that(err == nil && time.Since(at).Abs() < time.Minute, "Last-Modified is %q", a.Header.Get("Last-Modified")))
		}},
		{"get-of-nothing", "Error responses", "NoSuchKey: The specified key does not exist.", func(b *Bucket) error {
			return b.get("a").is(404, "NoSuchKey").element("Key", b.Prefix+"a").failed()
		}},
		{"get-of-no-bucket", "Error responses", "NoSuchBucket: The specified bucket does not exist.", func(b *Bucket) error {
			o := b.unmade()
			return o.get("a").is(404, "NoSuchBucket").element("BucketName", o.Name).failed()
		}},
		{"get-range", page, ranges, func(b *Bucket) error {
			return asked(b, "Range", "bytes=2-4").is(206, "").body("234").header("Content-Range", "bytes 2-4/10").header("Content-Length", "3").header("ETag", etag).failed()
		}},
		{"get-range-open", page, ranges, func(b *Bucket) error {
			return asked(b, "Range", "bytes=7-").is(206, "").body("789").header("Content-Range", "bytes 7-9/10").failed()
		}},
		{"get-range-suffix", page, ranges, func(b *Bucket) error {
			return all(asked(b, "Range", "bytes=-2").is(206, "").body("89").header("Content-Range", "bytes 8-9/10"), b.get("a", "Range", "bytes=-20").is(206, "").body("0123456789"))
		}},
		{"get-range-beyond-the-end", "RFC 9110", "If the last-pos value is absent, or if the value is greater than or equal to the current length …, the byte range is interpreted as the remainder", func(b *Bucket) error {
			return asked(b, "Range", "bytes=8-100").is(206, "").body("89").header("Content-Range", "bytes 8-9/10").failed()
		}},
		{"get-range-behind-the-end", "Error responses", "InvalidRange: The requested range cannot be satisfied.", func(b *Bucket) error {
			return asked(b, "Range", "bytes=10-").is(416, "InvalidRange").says("The requested range is not satisfiable").element("ActualObjectSize", "10").element("RangeRequested", "bytes=10-").failed()
		}},
		{"get-range-of-nothing", "recorded", "416 InvalidRange for an empty object", func(b *Bucket) error {
			return all(b.put("a", ""), b.get("a", "Range", "bytes=0-0").is(416, "InvalidRange"))
		}},
		{"get-if-match", page, mismatch, func(b *Bucket) error {
			return all(asked(b, "If-Match", etag).is(200, ""), b.get("a", "If-Match", `"other"`).is(412, "PreconditionFailed"))
		}},
		{"get-if-none-match", page, "Return the object only if its entity tag (ETag) is different from the one specified in this header; otherwise, return a 304 Not Modified error.", func(b *Bucket) error {
			return all(asked(b, "If-None-Match", etag).is(304, "").body(""), b.get("a", "If-None-Match", `"other"`).is(200, ""))
		}},
		{"get-if-modified-since", page, "Return the object only if it has been modified since the specified time; otherwise, return a 304 Not Modified error.", func(b *Bucket) error {
			return all(asked(b, "If-Modified-Since", hour(-1)).is(200, ""), b.get("a", "If-Modified-Since", b.head("a").Header.Get("Last-Modified")).is(304, "").body(""))
		}},
		{"get-if-unmodified-since", page, "Return the object only if it has not been modified since the specified time; otherwise, return a 412 Precondition Failed error.", func(b *Bucket) error {
			return all(asked(b, "If-Unmodified-Since", hour(1)).is(200, ""), b.get("a", "If-Unmodified-Since", hour(-1)).is(412, "PreconditionFailed"))
		}},
		{"get-if-match-outranks-unmodified", page, "If-Match condition evaluates to true, and; If-Unmodified-Since condition evaluates to false; then, S3 returns 200 OK and the data requested.", func(b *Bucket) error {
			return asked(b, "If-Match", etag, "If-Unmodified-Since", hour(-1)).is(200, "").body("0123456789").failed()
		}},
		{"get-if-none-match-outranks-modified", page, "If-None-Match condition evaluates to false, and; If-Modified-Since condition evaluates to true; then, S3 returns 304 Not Modified status code.", func(b *Bucket) error {
			return asked(b, "If-None-Match", etag, "If-Modified-Since", hour(-1)).is(304, "").failed()
		}},
		{"get-response-headers", page, "There are times when you want to override certain response header values of a GetObject response.", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.send("GET", b.at("a")+"?response-content-type=text%2Fplain&response-content-disposition=attachment%3B%20filename%3Da.txt&response-cache-control=no-store&response-content-encoding=x-none&response-content-language=de&response-expires=Thu%2C%2001%20Dec%201994%2016%3A00%3A00%20GMT", "").
				is(200, "").header("Content-Type", "text/plain").header("Content-Disposition", "attachment; filename=a.txt").header("Cache-Control", "no-store").
				header("Content-Encoding", "x-none").header("Content-Language", "de").header("Expires", "Thu, 01 Dec 1994 16:00:00 GMT"), b.head("a").header("Content-Type", "binary/octet-stream"))
		}},
		{"get-response-headers-presigned", page, "You can override values for a set of response headers.", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.follow("GET", b.presign("GET", b.at("a")+"?response-content-type=text%2Fplain"), "").is(200, "").header("Content-Type", "text/plain"))
		}},
		{"head-headers", head, "The HEAD operation retrieves metadata from an object without returning the object itself.", func(b *Bucket) error {
			return all(asked(b), b.head("a").is(200, "").body("").header("ETag", etag).header("Content-Length", "10").header("Content-Type", "binary/octet-stream").has("Last-Modified"))
		}},
		{"head-of-nothing", head, "if the HEAD request generates an error, it returns a generic code", func(b *Bucket) error {
			return b.head("a").is(404, "").body("").failed()
		}},
		{"head-range", head, "HeadObject returns only the metadata for an object. If the Range is satisfiable, only the ContentLength is affected in the response.", func(b *Bucket) error {
			return all(asked(b), b.head("a", "Range", "bytes=2-4").is(206, "").header("Content-Length", "3"))
		}},
		{"head-if-match", head, mismatch[:len("Return the object only if its entity tag (ETag) is the same as the one specified")], func(b *Bucket) error {
			return all(asked(b), b.head("a", "If-Match", etag).is(200, ""), b.head("a", "If-Match", `"other"`).is(412, ""), b.head("a", "If-None-Match", etag).is(304, ""))
		}},
	}
}
