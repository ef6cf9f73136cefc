package s3d

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

func errURI() error {
	return fault(http.StatusBadRequest, "InvalidURI", "Couldn't parse the specified URI.")
}

// splitPath returns bucket and key of a path as it was sent. Every byte behind
// the bucket's slash belongs to the key, once unescaped: "%2F", "..", "//" and a
// slash at the end mean themselves. An empty key means the bucket.
func splitPath(u *url.URL) (bucket, key string, err error) {
	path, ok := strings.CutPrefix(u.EscapedPath(), "/")
	if !ok {
		return "", "", errURI()
	}
	bucket, key, _ = strings.Cut(path, "/")
	if bucket, err = url.PathUnescape(bucket); err != nil {
		return "", "", errURI()
	}
	if key, err = url.PathUnescape(key); err != nil || !utf8.ValidString(key) {
		return "", "", errURI()
	}
	return bucket, key, nil
}

// checkBucketName holds a name against S3's rules. No name that passes leads
// out of the folder or to one of our own files.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func checkBucketName(name string) error {
	bad := errBucketName()
	if len(name) < 3 || len(name) > 63 || strings.Contains(name, "..") || !filepath.IsLocal(name) {
		return bad
	}
	digits := true
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z':
			digits = false
		case '0' <= c && c <= '9':
		case c == '-', c == '.':
			if i == 0 || i == len(name)-1 {
				return bad
			}
			digits = digits && c == '.'
		default:
			return bad
		}
	}
	if digits && strings.Count(name, ".") == 3 { // formatted as an IP address
		return bad
	}
	return nil
}

// checkKey holds a key against S3's limit of 1,024 bytes of UTF-8.
func checkKey(key string) error {
	if len(key) > maxKey {
		return fault(http.StatusBadRequest, "KeyTooLongError", "Your key is too long",
			"Size", strconv.Itoa(len(key)), "MaxSizeAllowed", strconv.Itoa(maxKey))
	}
	if !utf8.ValidString(key) {
		return errURI()
	}
	return nil
}

// escapeKey escapes everything but unreserved characters; "/" too, unless kept.
func escapeKey(key string, keepSlash bool) string {
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/' && keepSlash:
			b.WriteByte(c)
		default:
			const upperHex = "0123456789ABCDEF"
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
	return b.String()
}

// parseQuery reads a query whose names are each given once.
func parseQuery(raw string) (map[string]string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errURI()
	}
	q := make(map[string]string, len(values))
	for name, v := range values {
		if len(v) > 1 {
			return nil, errArgument("A query parameter is given twice.", name)
		}
		q[name] = v[0]
	}
	return q, nil
}
