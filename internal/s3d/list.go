package s3d

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	xmlNamespace = "http://s3.amazonaws.com/doc/2006-03-01/"
	// maxPage: "by default, the action returns up to 1,000 key names. The
	// response might contain fewer keys but will never contain more."
	maxPage = 1000
	// timeFormat is how S3 writes times in XML.
	timeFormat = "2006-01-02T15:04:05.000Z"
)

func listQuery() []string {
	return []string{"list-type", "prefix", "start-after", "continuation-token", "max-keys", "delimiter", "encoding-type", "fetch-owner"}
}

// listObjects answers ListObjectsV2.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (x *exchange) listObjects() error {
	q := x.query
	token, continued := q["continuation-token"]
	s := span{prefix: q["prefix"], after: q["start-after"], delimiter: q["delimiter"], limit: maxPage}
	if v, ok := q["max-keys"]; ok {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			return fault(http.StatusBadRequest, "InvalidArgument",
				"Provided max-keys not an integer or within integer range", "ArgumentName", "max-keys", "ArgumentValue", v)
		}
		s.limit = int(min(n, maxPage))
	}
	encode := func(s string) string { return s }
	switch v, ok := q["encoding-type"]; {
	case ok && v == "url":
		encode = func(s string) string { return escapeKey(s, true) }
	case ok:
		return fault(http.StatusBadRequest, "InvalidArgument", "Invalid Encoding Method specified in Request", "ArgumentName", "encoding-type")
	}
	if v := q["fetch-owner"]; v != "" && v != "false" {
		return errNotImplemented("fetch-owner")
	}
	if continued && !s.resume(token) {
		return errArgument("The continuation token provided is incorrect", "continuation-token")
	}
	var p page
	if s.limit > 0 {
		var err error
		if p, err = x.bucket.index.list(s); err != nil {
			return err
		}
	}

	var b bytes.Buffer
	b.Grow(256 * (len(p.items) + 2))
	b.WriteString(xmlHeader + `<ListBucketResult xmlns="` + xmlNamespace + `">`)
	element(&b, "Name", x.name)
	element(&b, "Prefix", encode(s.prefix))
	if v, ok := q["start-after"]; ok {
		element(&b, "StartAfter", encode(v))
	}
	if continued {
		element(&b, "ContinuationToken", token)
	}
	if p.more {
		element(&b, "NextContinuationToken", tokenBehind(p.items[len(p.items)-1]))
	}
	element(&b, "KeyCount", strconv.Itoa(len(p.items)))
	element(&b, "MaxKeys", strconv.Itoa(s.limit))
	if s.delimiter != "" {
		element(&b, "Delimiter", encode(s.delimiter))
	}
	if v := q["encoding-type"]; v != "" {
		element(&b, "EncodingType", v)
	}
	element(&b, "IsTruncated", strconv.FormatBool(p.more))
	for _, it := range p.items {
		if e := it.entry; e != nil {
			b.WriteString("<Contents>")
			element(&b, "Key", encode(e.key))
			element(&b, "LastModified", time.UnixMilli(e.modified).UTC().Format(timeFormat))
			element(&b, "ETag", `"`+e.etag()+`"`)
			element(&b, "Size", strconv.FormatInt(e.size, 10))
			element(&b, "StorageClass", "STANDARD")
			b.WriteString("</Contents>")
		}
	}
	for _, it := range p.items {
		if it.entry == nil {
			b.WriteString("<CommonPrefixes>")
			element(&b, "Prefix", encode(it.prefix))
			b.WriteString("</CommonPrefixes>")
		}
	}
	b.WriteString("</ListBucketResult>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
	return nil
}

// A continuation token says behind what the next page starts: "k" and a key, or
// "p" and a common prefix.

func tokenBehind(it item) string {
	t := "p" + it.prefix
	if it.entry != nil {
		t = "k" + it.entry.key
	}
	return base64.RawURLEncoding.EncodeToString([]byte(t))
}

func (s *span) resume(token string) bool {
	t, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(t) < 2 {
		return false
	}
	behind := string(t[1:])
	// A token outranks start-after: "if StartAfter is specified with a
	// continuation token, it is ignored".
	s.after = ""
	switch t[0] {
	case 'k':
		s.after = behind
	case 'p':
		s.skip = behind
	default:
		return false
	}
	return strings.HasPrefix(behind, s.prefix)
}
