package s3d

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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

// listing is one listing as a request asks for it.
type listing struct {
	span   span
	query  map[string]string
	encode func(string) string
	owner  bool
}

// listing reads the parameters that both versions have. Keys up to after, and
// those below it when it is a common prefix, are passed over.
func (x *exchange) listing(after string) (l listing, err error) {
	q := x.query
	l = listing{query: q, encode: func(s string) string { return s }}
	l.span = span{prefix: q["prefix"], after: after, delimiter: q["delimiter"], limit: maxPage}
	for _, name := range []string{"prefix", "delimiter", "marker", "start-after"} {
		if !utf8.ValidString(q[name]) { // no key could match, nor could the answer repeat it
			return l, errArgument("A listing's parameter is not UTF-8.", name)
		}
	}
	if rest, ok := strings.CutPrefix(after, l.span.prefix); ok && l.span.delimiter != "" {
		if i := strings.Index(rest, l.span.delimiter); i >= 0 && i+len(l.span.delimiter) == len(rest) {
			l.span.skip = after
		}
	}
	if v, ok := q["max-keys"]; ok {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			return l, fault(http.StatusBadRequest, "InvalidArgument",
				"Provided max-keys not an integer or within integer range", "ArgumentName", "max-keys", "ArgumentValue", v)
		}
		l.span.limit = int(min(n, maxPage))
	}
	switch v, ok := q["encoding-type"]; {
	case ok && v == "url":
		l.encode = func(s string) string { return escapeKey(s, true) }
	case ok:
		return l, errArgument("Invalid Encoding Method specified in Request", "encoding-type")
	}
	return l, nil
}

// page looks the items up. To ask for none is allowed, and never truncated.
func (l *listing) page(b *bucket) (page, error) {
	if l.span.limit == 0 {
		return page{}, nil
	}
	return b.index.list(l.span)
}

// begin writes what both versions have in front.
func (l *listing) begin(b *bytes.Buffer, bucket string, items int) {
	b.Grow(512 * (items + 2))
	b.WriteString(xmlHeader + `<ListBucketResult xmlns="` + xmlNamespace + `">`)
	element(b, "Name", bucket)
	element(b, "Prefix", l.encode(l.span.prefix))
}

// finish writes the rest of both versions.
func (l *listing) finish(b *bytes.Buffer, p page) {
	element(b, "MaxKeys", strconv.Itoa(l.span.limit))
	if l.span.delimiter != "" {
		element(b, "Delimiter", l.encode(l.span.delimiter))
	}
	if v := l.query["encoding-type"]; v != "" {
		element(b, "EncodingType", v)
	}
	element(b, "IsTruncated", strconv.FormatBool(p.more))
	for _, it := range p.items {
		if e := it.entry; e != nil {
			b.WriteString("<Contents>")
			element(b, "Key", l.encode(e.key))
			element(b, "LastModified", time.UnixMilli(e.modified).UTC().Format(timeFormat))
			element(b, "ETag", `"`+e.etag()+`"`)
			if name, kind := e.checksum(); name != "" {
				element(b, "ChecksumAlgorithm", name)
				element(b, "ChecksumType", kind)
			}
			element(b, "Size", strconv.FormatInt(e.size, 10))
			if l.owner {
				writeOwner(b)
			}
			element(b, "StorageClass", "STANDARD")
			b.WriteString("</Contents>")
		}
	}
	for _, it := range p.items {
		if it.entry == nil {
			b.WriteString("<CommonPrefixes>")
			element(b, "Prefix", l.encode(it.prefix))
			b.WriteString("</CommonPrefixes>")
		}
	}
	b.WriteString("</ListBucketResult>")
}

// listObjects answers ListObjectsV2.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (x *exchange) listObjects() error {
	q := x.query
	if q["list-type"] != "2" {
		return errArgument("Invalid List Type specified in Request", "list-type")
	}
	l, err := x.listing(q["start-after"])
	if err != nil {
		return err
	}
	switch v := q["fetch-owner"]; v {
	case "", "false":
	case "true":
		l.owner = true
	default:
		return errArgument("Invalid value for fetch-owner: it must be true or false.", "fetch-owner")
	}
	token, continued := q["continuation-token"]
	if continued && !l.span.resume(token) {
		return errArgument("The continuation token provided is incorrect", "continuation-token")
	}
	p, err := l.page(x.bucket)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	l.begin(&b, x.name, len(p.items))
	if v, ok := q["start-after"]; ok {
		element(&b, "StartAfter", l.encode(v))
	}
	if continued {
		element(&b, "ContinuationToken", token)
	}
	if p.more {
		element(&b, "NextContinuationToken", tokenBehind(p.items[len(p.items)-1]))
	}
	element(&b, "KeyCount", strconv.Itoa(len(p.items)))
	l.finish(&b, p)
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
	s.after, s.skip = "", ""
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
