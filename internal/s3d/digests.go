package s3d

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Content-MD5 is an MD5
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/http"
	"strings"
)

// digests is what a request says the body's hashes are. Nil or empty: nothing.
type digests struct {
	md5, sha256, crc32 []byte
	payload            string // hex SHA-256 that the signature covers
}

// wanted reads the digests among headers or fields.
func wanted(get func(string) string, names []string) (digests, error) {
	var d digests
	if v := get("Content-MD5"); v != "" {
		if d.md5 = decode64(v, 16); d.md5 == nil {
			return d, fault(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified is not valid.")
		}
	}
	found := ""
	for _, name := range names {
		algorithm, ok := strings.CutPrefix(name, "x-amz-checksum-")
		if !ok || algorithm == "algorithm" || algorithm == "mode" {
			continue
		}
		var into *[]byte
		var length int
		switch algorithm {
		case "sha256":
			into, length = &d.sha256, 32
		case "crc32":
			into, length = &d.crc32, 4
		default:
			return d, errNotImplemented(name)
		}
		if found != "" {
			return d, errInvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		if *into = decode64(get(name), length); *into == nil {
			return d, errInvalidRequest("Value for " + name + " header is invalid.")
		}
		found = algorithm
	}
	for _, name := range []string{"x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm"} {
		switch v := strings.ToLower(get(name)); v {
		case "", found:
		case "sha256", "crc32":
			return d, errInvalidRequest(name + " specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
		case "crc32c", "crc64nvme", "sha1":
			return d, errNotImplemented(name)
		default:
			return d, errInvalidRequest("Checksum algorithm provided is unsupported. " +
				"Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
		}
	}
	return d, nil
}

// decode64 returns nil for anything but the base64 of n bytes.
func decode64(v string, n int) []byte {
	b, err := base64.StdEncoding.Strict().DecodeString(v)
	if err != nil || len(b) != n {
		return nil
	}
	return b
}

// sums are the hashes of a body; those that nobody asked for are nil.
type sums struct{ md5, sha256, crc32 []byte }

func sumsOf(doc []byte) sums {
	m, s := md5.Sum(doc), sha256.Sum256(doc) //nolint:gosec // Content-MD5 is an MD5
	return sums{m[:], s[:], binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(doc))}
}

// check compares a body with what was said of it. It returns the checksums that
// were given and hold, to be kept.
func (d digests) check(got sums) (map[string]string, error) {
	switch {
	case d.md5 != nil && !bytes.Equal(got.md5, d.md5):
		return nil, fault(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	case d.payload != "" && hex.EncodeToString(got.sha256) != d.payload:
		return nil, fault(http.StatusBadRequest, "XAmzContentSHA256Mismatch",
			"The provided 'x-amz-content-sha256' header does not match what was computed.")
	case d.sha256 != nil && !bytes.Equal(got.sha256, d.sha256):
		return nil, badChecksum("SHA256")
	case d.crc32 != nil && !bytes.Equal(got.crc32, d.crc32):
		return nil, badChecksum("CRC32")
	case d.sha256 != nil:
		return map[string]string{"sha256": base64.StdEncoding.EncodeToString(d.sha256)}, nil
	case d.crc32 != nil:
		return map[string]string{"crc32": base64.StdEncoding.EncodeToString(d.crc32)}, nil
	}
	return nil, nil
}

func badChecksum(algorithm string) error {
	return fault(http.StatusBadRequest, "BadDigest", "The "+algorithm+" you specified did not match the calculated checksum.")
}
