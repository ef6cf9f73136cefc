package s3d

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
)

// A key becomes a file name like this:
//
//   - The name starts with "k-", so that no key is a reserved name ("con",
//     ".", ".."), and ends with none of the dots that Windows drops.
//   - a–z, 0–9, "-", "_" and inner dots stand for themselves. Every other byte
//     is "%" and two lower-case hex digits: "/" cannot make a folder, "A" and
//     "a" differ on file systems that fold case, and no file system gets
//     non-ASCII letters that it would normalise.
//   - A name that would pass maxName bytes is "h-" and the SHA-256 of the key
//     instead; the key itself stands inside the file.
//
// The folder <xx> is the first byte of the key's SHA-256: 256 shards keep
// folders small and spread the locks and syncs of concurrent writes.

const (
	// maxKey is S3's limit in bytes: "The name for a key is a sequence of
	// Unicode characters whose UTF-8 encoding is at most 1,024 bytes long."
	maxKey = 1024
	// maxName stays below the 255 bytes (or UTF-16 units) of common file
	// systems, and below the 143 of none we know to be in use.
	maxName = 200

	plainPrefix  = "k-"
	hashedPrefix = "h-"
	lowerHex     = "0123456789abcdef"
)

// errName is the error of a file name that no key leads to.
var errName = errors.New("not the name of an object file")

// fileName returns the shard folder's number and the file name of a key.
func fileName(key string) (shard byte, name string) {
	sum := sha256.Sum256([]byte(key))
	if len(key) <= maxName-len(plainPrefix) {
		if n := plainName(key); len(n) <= maxName {
			return sum[0], n
		}
	}
	return sum[0], hashedPrefix + hex.EncodeToString(sum[:])
}

func plainName(key string) string {
	var b strings.Builder
	b.Grow(len(plainPrefix) + len(key) + 16)
	b.WriteString(plainPrefix)
	for i := range len(key) {
		c := key[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.' && i < len(key)-1:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(lowerHex[c>>4])
			b.WriteByte(lowerHex[c&15])
		}
	}
	return b.String()
}

// keyOf returns the key that a file name stands for. ok is false for a hashed
// name, whose key stands in the file. Names that fileName never makes are
// errName.
func keyOf(name string) (key string, ok bool, err error) {
	if rest, found := strings.CutPrefix(name, hashedPrefix); found {
		if len(rest) != 2*sha256.Size || strings.Trim(rest, lowerHex) != "" {
			return "", false, errName
		}
		return "", false, nil
	}
	rest, found := strings.CutPrefix(name, plainPrefix)
	if !found || len(name) > maxName || rest == "" {
		return "", false, errName
	}
	b := make([]byte, 0, len(rest))
	for i := 0; i < len(rest); i++ {
		c := rest[i]
		if c == '%' {
			if i+2 >= len(rest) {
				return "", false, errName
			}
			hi, lo := strings.IndexByte(lowerHex, rest[i+1]), strings.IndexByte(lowerHex, rest[i+2])
			if hi < 0 || lo < 0 {
				return "", false, errName
			}
			c = byte(hi<<4 | lo) //nolint:gosec // both are below 16
			i += 2
		}
		b = append(b, c)
	}
	if key = string(b); plainName(key) != name { // one key, one name
		return "", false, errName
	}
	return key, true, nil
}

// shardDir is the folder of a shard below objects.
func shardDir(objects string, shard byte) string {
	return filepath.Join(objects, string([]byte{lowerHex[shard>>4], lowerHex[shard&15]}))
}
