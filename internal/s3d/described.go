package s3d

import (
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	// defaultType is what S3 stores when no type is given.
	defaultType = "binary/octet-stream"
	metaPrefix  = "x-amz-meta-"
	// maxUserMetadata: "the user-defined metadata is limited to 2 KB in size",
	// counted as "the number of bytes in the UTF-8 encoding of each key and
	// value" (AWS, Working with object metadata).
	maxUserMetadata = 2 << 10
	// maxStoredHeaders: "the PUT request header is limited to 8 KB" (same page).
	maxStoredHeaders = 8 << 10
	// maxObject is S3's limit for one request, 5 GiB.
	maxObject = 5 << 30
)

// storedHeaders are kept with an object and sent with it, besides Content-Type.
// Nothing else a client sends is ever kept.
func storedHeaders() []string {
	return []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"}
}

// describe makes an object of what a request says about it: get returns a
// header or field by its name in any case, names lists them all in lower case.
func describe(key string, get func(string) string, names []string) (*object, error) {
	o := &object{Key: key, ContentType: get("Content-Type")}
	if o.ContentType == "" {
		o.ContentType = defaultType
	}
	if !isText(o.ContentType) || strings.ContainsFunc(o.ContentType, func(r rune) bool { return r > '~' }) {
		return nil, errArgument("A header's value holds characters that are not allowed.", "Content-Type")
	}
	total := len(o.ContentType)
	for _, name := range storedHeaders() {
		v := get(name)
		if v == "" {
			continue
		}
		if !isText(v) {
			return nil, errArgument("A header's value holds characters that are not allowed.", name)
		}
		if o.Headers == nil {
			o.Headers = make(map[string]string)
		}
		o.Headers[name] = v
		total += len(v)
	}
	if total > maxStoredHeaders {
		return nil, fault(http.StatusBadRequest, "RequestHeaderSectionTooLarge",
			"Your request header and query parameters used to make the request exceed the maximum allowed size")
	}
	total = 0
	for _, name := range names {
		short, ok := strings.CutPrefix(name, metaPrefix)
		if !ok {
			continue
		}
		v := get(name)
		if !isToken(short) || !isText(v) {
			return nil, errArgument("The metadata name or value holds characters that are not allowed.", "x-amz-meta-")
		}
		if o.Metadata == nil {
			o.Metadata = make(map[string]string)
		}
		o.Metadata[short] = v
		total += len(short) + len(v)
	}
	if total > maxUserMetadata {
		return nil, fault(http.StatusBadRequest, "MetadataTooLarge",
			"Your metadata headers exceed the maximum allowed metadata size")
	}
	return o, nil
}

// isText reports whether a value can stand in a header: no line end and no
// other control character can be smuggled through us into an answer.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// isToken reports whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// writeTo sets the headers that tell about an object.
func (o *object) writeTo(h http.Header, withChecksums bool) {
	h.Set("Content-Type", o.ContentType)
	for name, v := range o.Headers {
		h.Set(name, v)
	}
	h["ETag"] = []string{`"` + o.ETag + `"`} // S3's spelling on the wire
	h.Set("Last-Modified", o.modified().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	for name, v := range o.Metadata {
		// Lower case on the wire, as S3; values beyond ASCII as RFC 2047 words.
		h[metaPrefix+name] = []string{mime.BEncoding.Encode("UTF-8", v)}
	}
	if withChecksums {
		for name, v := range o.Checksums {
			h["x-amz-checksum-"+name] = []string{v}
		}
		if len(o.Checksums) > 0 {
			h["x-amz-checksum-type"] = []string{"FULL_OBJECT"}
		}
	}
	// A browser is to take the bytes for what the type says, and never to run
	// them, wherever they came from.
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
}
