package assume

import (
	"crypto/sha1" //nolint:gosec // one of S3's checksums
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

func algorithms() []string { return []string{"crc32", "crc32c", "crc64nvme", "sha1", "sha256"} }

func newChecksum(algorithm string) hash.Hash {
	switch algorithm {
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme": // the polynomial of NVM Express, reflected
		return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
	case "sha1":
		return sha1.New() //nolint:gosec // as above
	}
	return sha256.New()
}

// checksumOf is a checksum as headers have it.
func checksumOf(algorithm, body string) string {
	h := newChecksum(algorithm)
	h.Write([]byte(body))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// checksumOfParts is the composite checksum of an object made of parts.
func checksumOfParts(algorithm string, parts ...string) string {
	h := newChecksum(algorithm)
	for _, p := range parts {
		one := newChecksum(algorithm)
		one.Write([]byte(p))
		h.Write(one.Sum(nil))
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts))
}

// checksums is what we assume of the checksums of objects that came in one
// piece.
func checksums() []Assumption {
	const page = "Checking object integrity"
	var list []Assumption
	for _, name := range algorithms() {
		header := "x-amz-checksum-" + name
		list = append(list,
			Assumption{"checksum-" + name, "API PutObject", "This header can be used as a data integrity check to verify that the data received is the same data that was originally sent.", func(b *Bucket) error {
				return all(b.put("a", "hello", header, checksumOf(name, "hello")).is(200, "").header(header, checksumOf(name, "hello")),
					b.get("a", "x-amz-checksum-mode", "ENABLED").header(header, checksumOf(name, "hello")).header("x-amz-checksum-type", "FULL_OBJECT"))
			}},
			Assumption{"checksum-" + name + "-mismatch", "recorded", "400 BadDigest: The " + strings.ToUpper(name) + " you specified did not match the calculated checksum.", func(b *Bucket) error {
				return all(b.put("a", "hullo", header, checksumOf(name, "hello")).is(400, "BadDigest").says("The "+strings.ToUpper(name)+" you specified did not match the calculated checksum."), b.absent("a"))
			}})
	}
	return append(list, []Assumption{
		{"checksum-by-default", page, "If you don't specify a checksum, Amazon S3 automatically adds a CRC64NVME checksum", func(b *Bucket) error {
			return all(b.put("a", "hello"), b.head("a", "x-amz-checksum-mode", "ENABLED").header("x-amz-checksum-crc64nvme", checksumOf("crc64nvme", "hello")))
		}},
		{"checksum-only-when-asked", "API GetObject", "To retrieve the checksum, this mode must be enabled.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-checksum-crc32", checksumOf("crc32", "hello")), b.get("a").body("hello").lacks("x-amz-checksum-crc32"))
		}},
		{"checksum-not-of-a-range", "recorded", "206 without x-amz-checksum-*", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-checksum-crc32", checksumOf("crc32", "hello")), b.get("a", "x-amz-checksum-mode", "ENABLED", "Range", "bytes=0-1").is(206, "").lacks("x-amz-checksum-crc32"))
		}},
		{"checksum-two", "recorded", "400 InvalidRequest: Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-checksum-crc32", checksumOf("crc32", "hello"), "x-amz-checksum-sha1", checksumOf("sha1", "hello")).
				is(400, "InvalidRequest").says("Expecting a single x-amz-checksum- header"), b.absent("a"))
		}},
		{"checksum-malformed", "recorded", "400 InvalidRequest: Value for x-amz-checksum-crc32 header is invalid.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-checksum-crc32", "nonsense").is(400, "InvalidRequest").says("Value for x-amz-checksum-crc32 header is invalid."), b.absent("a"))
		}},
		{"checksum-algorithm-needs-a-value", "API PutObject", "When you send this header, there must be a corresponding x-amz-checksum-algorithm or x-amz-trailer header sent. Otherwise, Amazon S3 fails the request with the HTTP status code 400 Bad Request", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-sdk-checksum-algorithm", "CRC32").is(400, "InvalidRequest"), b.absent("a"))
		}},
		{"checksum-algorithm-with-a-value", "API PutObject", "Indicates the algorithm used to create the checksum for the object when you use the SDK.", func(b *Bucket) error {
			return b.put("a", "hello", "x-amz-sdk-checksum-algorithm", "CRC32", "x-amz-checksum-crc32", checksumOf("crc32", "hello")).is(200, "").header("ETag", etagOf("hello")).failed()
		}},
	}...)
}
