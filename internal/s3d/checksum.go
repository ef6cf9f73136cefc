package s3d

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // Content-MD5 is an MD5
	"crypto/sha1" //nolint:gosec // one of S3's checksums; nothing trusts it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"net/http"
	"slices"
	"strings"

	"github.com/minio/crc64nvme"
)

// What a request says about its body, and what the body says.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html

// algorithm is one of S3's checksums.
type algorithm struct {
	name string // as in x-amz-checksum-NAME
	size int    // bytes
	new  func() hash.Hash
	// Whole objects made of parts may have: a checksum of all their bytes, a
	// checksum of their parts' checksums, or either.
	full, composite bool
}

const (
	checksumPrefix = "x-amz-checksum-"
	fullObject     = "FULL_OBJECT"
	composite      = "COMPOSITE"
	// defaultChecksum is what S3 keeps of an object that came without one.
	defaultChecksum = "crc64nvme"
)

// findAlgorithm finds a checksum by its name in any case; nil: unknown.
func findAlgorithm(name string) *algorithm {
	switch strings.ToLower(name) {
	case "crc32":
		return &algorithm{"crc32", 4, func() hash.Hash { return crc32.NewIEEE() }, true, true}
	case "crc32c":
		return &algorithm{"crc32c", 4, func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }, true, true}
	case "crc64nvme":
		return &algorithm{"crc64nvme", 8, func() hash.Hash { return crc64nvme.New() }, true, false}
	case "sha1":
		return &algorithm{"sha1", 20, sha1.New, false, true}
	case "sha256":
		return &algorithm{"sha256", 32, sha256.New, false, true}
	}
	return nil
}

// checksumNames are the algorithms that findAlgorithm finds.
func checksumNames() []string { return []string{"crc32", "crc32c", "crc64nvme", "sha1", "sha256"} }

// upper is the name as S3 spells it in texts and XML values.
func (a *algorithm) upper() string { return strings.ToUpper(a.name) }

func (a *algorithm) header() string { return checksumPrefix + a.name }

// digests is what a request says its body's hashes are. Nil or empty: nothing.
type digests struct {
	md5     []byte
	payload string // hex SHA-256 that the signature covers
	// algorithm is the checksum to compute: the one given, the one that a
	// trailer brings, or S3's default. Nil: none, for bodies that are not kept.
	algorithm *algorithm
	value     []byte // nil: not given, or not yet
	trailer   bool   // the value comes behind the body
}

func errUnknownAlgorithm() error {
	return errInvalidRequest("Checksum algorithm provided is unsupported. " +
		"Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
}

// wanted reads the digests among headers or fields. trailer is the name of the
// checksum that is announced to follow the body, or empty.
func wanted(get func(string) string, names []string, trailer string) (digests, error) {
	var d digests
	if v := get("Content-MD5"); v != "" {
		if d.md5 = decode64(v, md5.Size); d.md5 == nil {
			return d, fault(http.StatusBadRequest, "InvalidDigest", "The Content-MD5 you specified is not valid.")
		}
	}
	if trailer != "" {
		if d.algorithm = findAlgorithm(strings.TrimPrefix(trailer, checksumPrefix)); d.algorithm == nil || !strings.HasPrefix(trailer, checksumPrefix) {
			return d, errInvalidRequest("The value specified in the x-amz-trailer header is not supported")
		}
		d.trailer = true
	}
	for _, name := range names {
		suffix, ok := strings.CutPrefix(name, checksumPrefix)
		if !ok || suffix == "algorithm" || suffix == "mode" || suffix == "type" {
			continue
		}
		a := findAlgorithm(suffix)
		switch {
		case a == nil:
			return d, errNotImplemented(name)
		case d.algorithm != nil:
			return d, errInvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		if d.value = decode64(get(name), a.size); d.value == nil {
			return d, errInvalidRequest("Value for " + name + " header is invalid.")
		}
		d.algorithm = a
	}
	for _, name := range []string{"x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm"} {
		switch v := get(name); {
		case v == "":
		case findAlgorithm(v) == nil:
			return d, errUnknownAlgorithm()
		case d.algorithm == nil && name == "x-amz-checksum-algorithm":
			// It belongs to uploads in parts and to copies; minio-go sends it
			// with empty objects, too. There is nothing to check, but it says
			// which checksum to keep.
			d.algorithm = findAlgorithm(v)
		case d.algorithm == nil:
			return d, errInvalidRequest(name + " specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
		case !strings.EqualFold(v, d.algorithm.name):
			return d, errInvalidRequest("Value for " + name + " header is invalid.")
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

// sums hashes a body as it passes; hashes that nobody asked for are nil.
type sums struct {
	md5, sha256, checksum hash.Hash
}

// hashes returns what the body is to be hashed with: always its MD5, which is
// the ETag.
func (d digests) hashes() sums {
	s := sums{md5: md5.New()} //nolint:gosec // S3's ETag is an MD5, and nothing here trusts it
	if d.payload != "" {
		s.sha256 = sha256.New()
	}
	switch {
	case d.algorithm == nil:
	case d.algorithm.name == "sha256" && s.sha256 != nil:
		s.checksum = s.sha256
	default:
		s.checksum = d.algorithm.new()
	}
	return s
}

func (s sums) Write(p []byte) (int, error) {
	s.md5.Write(p)
	if s.sha256 != nil {
		s.sha256.Write(p)
	}
	if s.checksum != nil && s.checksum != s.sha256 {
		s.checksum.Write(p)
	}
	return len(p), nil
}

// check compares a body with what was said of it. It returns the checksum to be
// kept, as base64, or "" when there is none.
func (d digests) check(got sums) (string, error) {
	if d.md5 != nil && !bytes.Equal(got.md5.Sum(nil), d.md5) {
		return "", fault(http.StatusBadRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	if d.payload != "" && hex.EncodeToString(got.sha256.Sum(nil)) != d.payload {
		return "", fault(http.StatusBadRequest, "XAmzContentSHA256Mismatch",
			"The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	if d.algorithm == nil {
		return "", nil
	}
	sum := got.checksum.Sum(nil)
	if (d.value != nil || d.trailer) && !bytes.Equal(sum, d.value) {
		return "", errBadChecksum(d.algorithm)
	}
	return base64.StdEncoding.EncodeToString(sum), nil
}

func errBadChecksum(a *algorithm) error {
	return fault(http.StatusBadRequest, "BadDigest", "The "+a.upper()+" you specified did not match the calculated checksum.")
}

// checksumHeaders are the headers of a request that may name checksums.
func checksumHeaders(more ...string) []string {
	return slices.Concat([]string{checksumPrefix, "x-amz-sdk-checksum-algorithm", "x-amz-trailer", "x-amz-decoded-content-length"}, more)
}
