package s3d

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// defaultType is what S3 stores when no type is given.
	defaultType = "binary/octet-stream"
	metaPrefix  = "x-amz-meta-"
	// taggingHeader brings tags with a write.
	taggingHeader = "x-amz-tagging"
	// maxUserMetadata: "the user-defined metadata is limited to 2 KB in size",
	// counted as "the number of bytes in the UTF-8 encoding of each key and
	// value" (AWS, Working with object metadata).
	maxUserMetadata = 2 << 10
	// maxStoredHeaders: "the PUT request header is limited to 8 KB" (same page).
	maxStoredHeaders = 8 << 10
	// maxPut is S3's limit for what one request can write, 5 GiB; maxObject, 5
	// TiB, for what parts can make.
	maxPut    = 5 << 30
	maxObject = 5 << 40
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
		if name == "Content-Encoding" {
			v = withoutChunked(v)
		}
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

// withoutChunked drops aws-chunked from a Content-Encoding: it says how the body
// travels. "Amazon S3 stores the resulting object without the aws-chunked value".
func withoutChunked(v string) string {
	var kept []string
	for c := range strings.SplitSeq(v, ",") {
		if c = strings.TrimSpace(c); c != "" && !strings.EqualFold(c, "aws-chunked") {
			kept = append(kept, c)
		}
	}
	return strings.Join(kept, ",")
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
		o.writeChecksums(h)
	}
	if len(o.Tags) > 0 {
		h["x-amz-tagging-count"] = []string{strconv.Itoa(len(o.Tags))}
	}
	// A browser is to take the bytes for what the type says, and never to run
	// them, wherever they came from.
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
}

// writeChecksums sets the headers that tell an object's checksum.
func (o *object) writeChecksums(h http.Header) {
	for name, v := range o.Checksums {
		h[checksumPrefix+name] = []string{v}
		h["x-amz-checksum-type"] = []string{o.checksumType()}
	}
}

func (o *object) checksumType() string {
	if o.ChecksumType == "" {
		return fullObject
	}
	return o.ChecksumType
}

// storageClass refuses what would not be done: there is one class here.
func storageClass(v string) error {
	if v != "" && v != "STANDARD" {
		return fault(http.StatusBadRequest, "InvalidStorageClass", "The storage class you specified is not valid", "StorageClassRequested", v)
	}
	return nil
}

// customerKey begins the headers of encryption with keys of one's own (SSE-C),
// which new buckets of S3 do not allow since April 2026.
const customerKey = "x-amz-server-side-encryption-customer-"

func errCustomerKey(write bool) error {
	if write {
		return errDenied("Server-side encryption with customer-provided keys (SSE-C) is not allowed in this bucket")
	}
	return errInvalidRequest("The encryption parameters are not applicable to this object.")
}

// ownedByUs holds a header that names the account which is to own a bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
func (x *exchange) ownedByUs(header string) error {
	switch v := x.header(header); {
	case v == "", v == Account:
		return nil
	case len(v) != len(Account) || strings.Trim(v, "0123456789") != "":
		return fault(http.StatusBadRequest, "InvalidBucketOwnerAWSAccountID",
			"The value of the expected bucket owner parameter must be an AWS Account ID...")
	}
	return errDenied("Access Denied")
}
