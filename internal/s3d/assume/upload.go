package assume

import (
	"net/url"
	"strings"
)

// upload is one in parts, of the key "a".
type upload struct {
	b       *Bucket
	id      string
	created Answer
	etags   []string // of the parts, in order
	list    string   // the document that completes it
}

// begin creates an upload of the key "a".
func (b *Bucket) begin(header ...string) *upload {
	a := b.send("POST", b.at("a")+"?uploads", "", header...).is(200, "")
	return &upload{b: b, id: a.text("UploadId"), created: a}
}

func (m *upload) target(more string) string {
	return m.b.at("a") + "?uploadId=" + url.QueryEscape(m.id) + more
}

// part uploads a part and lists it for Complete.
func (m *upload) part(n int, body string, header ...string) Answer {
	a := m.b.send("PUT", m.target("&partNumber="+decimal(n)), body, header...)
	m.add(n, a.Header.Get("ETag"), "")
	return a
}

// add lists a part for Complete; more are further elements.
func (m *upload) add(n int, etag, more string) {
	m.etags = append(m.etags, etag)
	m.list += "<Part><PartNumber>" + decimal(n) + "</PartNumber><ETag>" + etag + "</ETag>" + more + "</Part>"
}

func (m *upload) complete(header ...string) Answer {
	return m.send(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`+m.list+"</CompleteMultipartUpload>", header...)
}

// send completes with a document. S3 may send blanks and 200 before it knows
// that it fails; that is an error all the same.
func (m *upload) send(document string, header ...string) Answer {
	a := m.b.send("POST", m.target(""), document, header...)
	if a.Status == 200 && a.root().Local == "Error" {
		a.Status = 400
	}
	return a
}

func (m *upload) parts(more string) Answer { return m.b.send("GET", m.target(more), "") }

// fiveMiB is the least that a part but the last may have.
func fiveMiB() string { return strings.Repeat("0123456789abcdef", 5<<20/16) }

// uploads is what we assume of uploads before they are completed.
func uploads() []Assumption {
	const create, part, list, abort, uploading = "API CreateMultipartUpload", "API UploadPart", "API ListParts", "API AbortMultipartUpload", "API ListMultipartUploads"
	return []Assumption{
		{"upload-create", create, "This action initiates a multipart upload and returns an upload ID.", func(b *Bucket) error {
			m := b.begin()
			return all(m.created.element("Bucket", b.Name).element("Key", b.Prefix+"a"), that(m.id != "", "no UploadId"), same("root", m.created.root().Local, "InitiateMultipartUploadResult"))
		}},
		{"upload-ids-differ", create, "This upload ID is used to associate all of the parts in the specific multipart upload.", func(b *Bucket) error {
			first, second := b.begin(), b.begin()
			return all(first.created, second.created, that(first.id != second.id, "the same UploadId twice"))
		}},
		{"upload-part", part, "Entity tag for the uploaded object.", func(b *Bucket) error {
			return b.begin().part(1, "hello").is(200, "").header("ETag", etagOf("hello")).failed()
		}},
		{"upload-is-no-object-yet", "Uploading and copying objects using multipart upload", "After you've uploaded all the parts, Amazon S3 assembles these parts and creates the object.", func(b *Bucket) error {
			return all(b.begin().part(1, "hello").is(200, ""), b.absent("a"), b.keyed(b.ls("2")))
		}},
		{"upload-part-number", part, "Part numbers can be any number from 1 to 10,000, inclusive.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(10000, "x").is(200, ""), m.part(0, "x").is(400, "InvalidArgument"), m.part(10001, "x").is(400, "InvalidArgument"))
		}},
		{"upload-part-overwrites", part, "If you upload a new part using the same part number that was used with a previous part, the previously uploaded part is overwritten.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, "hello").is(200, ""), m.part(1, "again").is(200, ""), m.parts("").is(200, "").elements("Part/ETag", etagOf("again")))
		}},
		{"upload-part-of-no-upload", part, "The specified multipart upload does not exist.", func(b *Bucket) error {
			m := b.begin()
			m.id = "nonsense"
			return m.part(1, "hello").is(404, "NoSuchUpload").failed()
		}},
		{"upload-part-of-another-key", part, "The specified multipart upload does not exist.", func(b *Bucket) error {
			m := b.begin()
			return b.send("PUT", b.at("b")+"?partNumber=1&uploadId="+url.QueryEscape(m.id), "hello").is(404, "NoSuchUpload").failed()
		}},
		{"upload-part-md5", part, "Amazon S3 checks the part data against the provided MD5 value. If they do not match, Amazon S3 returns an error.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, "hello", "Content-MD5", md5Of("hullo")).is(400, "BadDigest"), m.parts("").is(200, "").elements("Part/PartNumber"), m.part(1, "hello", "Content-MD5", md5Of("hello")).is(200, ""))
		}},
		{"upload-part-presigned-length", "recorded", "200 for the signed content-length, 403 for any other", func(b *Bucket) error {
			m := b.begin()
			u := b.presign("PUT", m.target("&partNumber=1"), "Content-Length", "5")
			return all(b.follow("PUT", u, "hello!").is(403, "SignatureDoesNotMatch"), b.follow("PUT", u, "hello").is(200, "").header("ETag", etagOf("hello")), b.follow("PUT", u, "again").is(200, ""))
		}},
		{"upload-part-chunked", "Transferring payload in multiple chunks with trailing headers", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", func(b *Bucket) error {
			m := b.begin("x-amz-checksum-algorithm", "CRC32")
			return all(b.chunk(chunks{payload: "STREAMING-UNSIGNED-PAYLOAD-TRAILER", parts: []string{"hello"}, trailer: "x-amz-checksum-crc32:" + checksumOf("crc32", "hello"), target: m.target("&partNumber=1")}).
				is(200, ""), m.parts("").element("Part/ETag", etagOf("hello")))
		}},
		{"upload-list-parts", list, "Lists the parts that have been uploaded for a specific multipart upload.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(3, "ccc"), m.part(1, "a"), m.parts("").is(200, "").elements("Part/PartNumber", "1", "3").elements("Part/Size", "1", "3").elements("Part/ETag", etagOf("a"), etagOf("ccc")).
				element("Bucket", b.Name).element("Key", b.Prefix+"a").element("UploadId", m.id).element("IsTruncated", "false").element("MaxParts", "1000"))
		}},
		{"upload-list-parts-pages", list, "A list can be truncated if the number of parts exceeds the limit returned in the MaxParts element.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, "a"), m.part(2, "b"), m.part(3, "c"), m.parts("&max-parts=2").is(200, "").elements("Part/PartNumber", "1", "2").element("IsTruncated", "true").element("NextPartNumberMarker", "2"),
				m.parts("&max-parts=2&part-number-marker=2").is(200, "").elements("Part/PartNumber", "3").element("IsTruncated", "false"))
		}},
		{"upload-list-parts-of-nothing", "Error responses", "NoSuchUpload: The specified multipart upload does not exist.", func(b *Bucket) error {
			m := b.begin()
			m.id = "nonsense"
			return m.parts("").is(404, "NoSuchUpload").failed()
		}},
		{"upload-abort", abort, "After a multipart upload is aborted, no additional parts can be uploaded using that upload ID.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, "a"), b.send("DELETE", m.target(""), "").is(204, ""), m.parts("").is(404, "NoSuchUpload"), m.part(2, "b").is(404, "NoSuchUpload"), m.complete().is(404, "NoSuchUpload"))
		}},
		{"upload-abort-of-nothing", abort, "The specified multipart upload does not exist.", func(b *Bucket) error {
			m := b.begin()
			m.id = "nonsense"
			return b.send("DELETE", m.target(""), "").is(404, "NoSuchUpload").failed()
		}},
		{"upload-list", uploading, "This operation lists in-progress multipart uploads in a bucket.", func(b *Bucket) error {
			m := b.begin()
			return b.send("GET", "?uploads&prefix="+b.Prefix, "").is(200, "").element("Bucket", b.Name).elements("Upload/Key", b.Prefix+"a").elements("Upload/UploadId", m.id).element("IsTruncated", "false").failed()
		}},
		{"upload-list-order", uploading, "Multipart uploads are initially sorted in ascending order based on their object keys.", func(b *Bucket) error {
			for _, k := range []string{"b", "a", "c"} {
				b.send("POST", b.at(k)+"?uploads", "")
			}
			return all(b.send("GET", "?uploads&prefix="+b.Prefix, "").elements("Upload/Key", b.Prefix+"a", b.Prefix+"b", b.Prefix+"c"),
				b.send("GET", "?uploads&prefix="+b.Prefix+"&max-uploads=2", "").elements("Upload/Key", b.Prefix+"a", b.Prefix+"b").element("IsTruncated", "true").element("NextKeyMarker", b.Prefix+"b"),
				b.send("GET", "?uploads&prefix="+b.Prefix+"&key-marker="+b.Prefix+"b", "").elements("Upload/Key", b.Prefix+"c"))
		}},
		{"upload-list-delimiter", uploading, "Character you use to group keys.", func(b *Bucket) error {
			for _, k := range []string{"d/1", "d/2", "e"} {
				b.send("POST", b.at(k)+"?uploads", "")
			}
			return b.send("GET", "?uploads&delimiter=%2F&prefix="+b.Prefix, "").is(200, "").elements("Upload/Key", b.Prefix+"e").elements("CommonPrefixes/Prefix", b.Prefix+"d/").failed()
		}},
	}
}

// completions is what we assume of the end of an upload.
func completions() []Assumption {
	const page = "API CompleteMultipartUpload"
	return []Assumption{
		{"complete", page, "Completes a multipart upload by assembling previously uploaded parts.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, fiveMiB()).is(200, ""), m.part(2, "end").is(200, ""), m.complete().is(200, "").element("Bucket", b.Name).element("Key", b.Prefix+"a").element("ETag", etagOfParts(fiveMiB(), "end")),
				b.head("a").header("Content-Length", decimal(5<<20+3)).header("ETag", etagOfParts(fiveMiB(), "end")), b.get("a", "Range", "bytes=-5").body("efend"))
		}},
		{"complete-one-small-part", page, "Each part must be at least 5 MB in size, except the last part.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(7, "hello").is(200, ""), m.complete().is(200, "").element("ETag", etagOfParts("hello")), b.holds("a", "hello"))
		}},
		{"complete-lists-the-size", page, "Completes a multipart upload", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, "hello"), m.complete().is(200, ""), b.keyed(b.ls("2"), "a").element("Contents/Size", "5").element("Contents/ETag", etagOfParts("hello")))
		}},
		{"complete-keeps-headers", "API CreateMultipartUpload", "A standard MIME type describing the format of the object data.", func(b *Bucket) error {
			m := b.begin("Content-Type", "image/png", "Cache-Control", "no-cache", "x-amz-meta-a", "1", "x-amz-tagging", "k=v")
			return all(m.part(1, "hello"), m.complete().is(200, ""), b.head("a").header("Content-Type", "image/png").header("Cache-Control", "no-cache").header("x-amz-meta-a", "1").header("x-amz-tagging-count", "1"))
		}},
		{"complete-too-small", page, "Your proposed upload is smaller than the minimum allowed object size. Each part must be at least 5 MB in size, except the last part.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, "a"), m.part(2, "b"), m.complete().is(400, "EntityTooSmall"), b.absent("a"))
		}},
		{"complete-wrong-etag", page, "the specified ETag might not have matched the uploaded part's ETag", func(b *Bucket) error {
			m := b.begin()
			m.part(1, "hello")
			m.list = ""
			m.add(1, etagOf("hullo"), "")
			return all(m.complete().is(400, "InvalidPart"), b.absent("a"))
		}},
		{"complete-missing-part", page, "One or more of the specified parts could not be found. The part might not have been uploaded", func(b *Bucket) error {
			m := b.begin()
			m.part(1, "hello")
			m.list = ""
			m.add(2, etagOf("hello"), "")
			return all(m.complete().is(400, "InvalidPart"), b.absent("a"))
		}},
		{"complete-after-a-part-was-put-again", "recorded", "400 InvalidPart: the ETag is of the part before", func(b *Bucket) error {
			m := b.begin()
			m.part(1, "hello")
			b.send("PUT", m.target("&partNumber=1"), "again")
			return all(m.complete().is(400, "InvalidPart"), b.absent("a"))
		}},
		{"complete-order", page, "The list of parts was not in ascending order. The parts list must be specified in order by part number.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(2, fiveMiB()), m.part(1, "end"), m.complete().is(400, "InvalidPartOrder"), b.absent("a"))
		}},
		{"complete-leaves-out", page, "The CompleteMultipartUpload API operation concatenates the parts that you provide in the list.", func(b *Bucket) error {
			m := b.begin()
			m.part(1, "left out")
			m.list = ""
			return all(m.part(2, "hello"), m.complete().is(200, ""), b.holds("a", "hello"))
		}},
		{"complete-of-no-upload", page, "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might have been aborted or completed.", func(b *Bucket) error {
			m := b.begin()
			m.id = "nonsense"
			m.add(1, etagOf("hello"), "")
			return m.complete().is(404, "NoSuchUpload").failed()
		}},
		{"complete-malformed", "Error responses", "MalformedXML: This happens when the user sends malformed XML (XML that doesn't conform to the published XSD) for the configuration.", func(b *Bucket) error {
			m := b.begin()
			m.part(1, "hello")
			return all(m.send("<CompleteMultipartUpload>").is(400, "MalformedXML"), m.send("").is(400, "MalformedXML"), b.absent("a"))
		}},
		{"complete-without-parts", "recorded", "400 MalformedXML", func(b *Bucket) error {
			m := b.begin()
			return all(m.complete().is(400, "MalformedXML"), b.absent("a"))
		}},
		{"complete-size", page, "If there's a mismatch between the specified object size value and the actual object size value, it results in an HTTP 400 InvalidRequest error.", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, "hello"), m.complete("x-amz-mp-object-size", "6").is(400, "InvalidRequest"), b.absent("a"), m.complete("x-amz-mp-object-size", "5").is(200, ""), b.holds("a", "hello"))
		}},
		{"complete-ends-the-upload", page, "the multipart upload might have been aborted or completed", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, "hello"), m.complete().is(200, ""), m.parts("").is(404, "NoSuchUpload"), m.part(2, "more").is(404, "NoSuchUpload"), b.send("GET", "?uploads&prefix="+b.Prefix, "").elements("Upload/Key"))
		}},
		{"complete-if-none-match", page, "Uploads the object only if the object key name does not already exist in the bucket specified. Otherwise, Amazon S3 returns a 412 Precondition Failed error.", func(b *Bucket) error {
			m, n := b.begin(), b.begin()
			return all(m.part(1, "hello"), n.part(1, "again"), m.complete("If-None-Match", "*").is(200, ""), n.complete("If-None-Match", "*").is(412, "PreconditionFailed"), b.holds("a", "hello"))
		}},
		{"complete-if-match", page, "Uploads the object only if the ETag (entity tag) value provided during the WRITE operation matches the ETag of the object in S3.", func(b *Bucket) error {
			b.put("a", "old")
			m := b.begin()
			return all(m.part(1, "hello"), m.complete("If-Match", etagOf("other")).is(412, "PreconditionFailed"), b.holds("a", "old"), m.complete("If-Match", etagOf("old")).is(200, ""), b.holds("a", "hello"))
		}},
		{"complete-last-wins", "API PutObject", "If it receives multiple write requests for the same object simultaneously, it overwrites all but the last object written.", func(b *Bucket) error {
			m, n := b.begin(), b.begin()
			return all(m.part(1, "hello"), n.part(1, "again"), n.complete().is(200, ""), m.complete().is(200, ""), b.holds("a", "hello"))
		}},
	}
}

// uploadChecksums is what we assume of checksums of objects made of parts.
func uploadChecksums() []Assumption {
	const page = "Checking object integrity"
	var list []Assumption
	// of uploads two parts with their checksums.
	of := func(b *Bucket, algorithm, kind string) (*upload, Answer) {
		upper, header := strings.ToUpper(algorithm), "x-amz-checksum-"+algorithm
		m := b.begin("x-amz-checksum-algorithm", upper, "x-amz-checksum-type", kind)
		first := m.part(1, fiveMiB(), header, checksumOf(algorithm, fiveMiB())).is(200, "").header(header, checksumOf(algorithm, fiveMiB()))
		second := m.part(2, "end", header, checksumOf(algorithm, "end")).is(200, "")
		m.list = ""
		element := func(body string) string {
			return "<Checksum" + upper + ">" + checksumOf(algorithm, body) + "</Checksum" + upper + ">"
		}
		m.add(1, first.Header.Get("ETag"), element(fiveMiB()))
		m.add(2, second.Header.Get("ETag"), element("end"))
		if m.created.err != nil {
			return m, m.created
		}
		if first.err != nil {
			return m, first
		}
		return m, second
	}
	for _, name := range []string{"crc32", "crc32c", "sha1", "sha256"} {
		list = append(list, Assumption{"complete-composite-" + name, page, "The checksum is calculated based on the checksum of each individual part (a composite checksum), followed by a dash and the number of parts.", func(b *Bucket) error {
			m, uploaded := of(b, name, "COMPOSITE")
			want := checksumOfParts(name, fiveMiB(), "end")
			return all(uploaded, m.complete().is(200, "").element("Checksum"+strings.ToUpper(name), want).element("ChecksumType", "COMPOSITE"),
				b.head("a", "x-amz-checksum-mode", "ENABLED").header("x-amz-checksum-"+name, want).header("x-amz-checksum-type", "COMPOSITE"))
		}})
	}
	for _, name := range []string{"crc32", "crc32c", "crc64nvme"} {
		list = append(list, Assumption{"complete-full-object-" + name, page, "Full object checksums in multipart uploads are only available for CRC-based checksums", func(b *Bucket) error {
			m, uploaded := of(b, name, "FULL_OBJECT")
			want := checksumOf(name, fiveMiB()+"end")
			return all(uploaded, m.complete().is(200, "").element("Checksum"+strings.ToUpper(name), want).element("ChecksumType", "FULL_OBJECT"),
				b.head("a", "x-amz-checksum-mode", "ENABLED").header("x-amz-checksum-"+name, want).header("x-amz-checksum-type", "FULL_OBJECT"))
		}})
	}
	return append(list, []Assumption{
		{"complete-full-object-sha256", page, "The SHA-1 and SHA-256 checksum algorithms support composite checksums only", func(b *Bucket) error {
			return b.send("POST", b.at("a")+"?uploads", "", "x-amz-checksum-algorithm", "SHA256", "x-amz-checksum-type", "FULL_OBJECT").is(400, "InvalidRequest").failed()
		}},
		{"complete-composite-crc64nvme", page, "CRC64NVME: Full object, not composite", func(b *Bucket) error {
			return b.send("POST", b.at("a")+"?uploads", "", "x-amz-checksum-algorithm", "CRC64NVME", "x-amz-checksum-type", "COMPOSITE").is(400, "InvalidRequest").failed()
		}},
		{"complete-full-object-mismatch", page, "If the checksum values don't match, the request fails with a BadDigest error", func(b *Bucket) error {
			m, uploaded := of(b, "crc32", "FULL_OBJECT")
			return all(uploaded, m.complete("x-amz-checksum-crc32", checksumOf("crc32", "other")).is(400, "BadDigest"), b.absent("a"))
		}},
		{"upload-part-checksum-mismatch", "recorded", "400 BadDigest", func(b *Bucket) error {
			m := b.begin("x-amz-checksum-algorithm", "SHA256")
			return all(m.part(1, "hullo", "x-amz-checksum-sha256", base64SHA256("hello")).is(400, "BadDigest"), m.parts("").elements("Part/PartNumber"))
		}},
		{"upload-list-parts-checksum", "API ListParts", "The algorithm that was used to create a checksum of the object.", func(b *Bucket) error {
			m := b.begin("x-amz-checksum-algorithm", "SHA256")
			return all(m.part(1, "hello", "x-amz-checksum-sha256", base64SHA256("hello")), m.parts("").element("ChecksumAlgorithm", "SHA256").element("Part/ChecksumSHA256", base64SHA256("hello")))
		}},
		{"complete-default-checksum", page, "Amazon S3 automatically … CRC64NVME … FULL_OBJECT", func(b *Bucket) error {
			m := b.begin()
			return all(m.part(1, "hello"), m.complete().is(200, ""), b.head("a", "x-amz-checksum-mode", "ENABLED").header("x-amz-checksum-crc64nvme", checksumOf("crc64nvme", "hello")).header("x-amz-checksum-type", "FULL_OBJECT"))
		}},
	}...)
}
