package s3d

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"postern.example/postern/sigv4"
)

// inParts is a multipart upload of a test.
type inParts struct {
	*fixture
	key, id string
}

func (f *fixture) inParts(key string, header map[string]string) inParts {
	f.t.Helper()
	r := f.do("POST", "/photos/"+escapeKey(key, true)+"?uploads", nil, header)
	f.expect(r, 200, "")
	if r.element("Bucket") != testBucket || r.element("Key") != key || !isUploadID(r.element("UploadId")) {
		f.t.Fatalf("%s", r.body)
	}
	return inParts{f, key, r.element("UploadId")}
}

func (u inParts) target() string {
	return "/photos/" + escapeKey(u.key, true) + "?uploadId=" + u.id
}

func (u inParts) part(number int, body string, header map[string]string) reply {
	u.t.Helper()
	return u.do("PUT", fmt.Sprintf("%s&partNumber=%d", u.target(), number), []byte(body), header)
}

// upload uploads a part that must be taken, and returns its ETag.
func (u inParts) upload(number int, body string) string {
	u.t.Helper()
	r := u.part(number, body, nil)
	u.expect(r, 200, "")
	return strings.Join(r.header["Etag"], "")
}

// named is a part of a document; more are further elements.
func named(number int, etag string, more ...string) string {
	return fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>%s</Part>", number, etag, strings.Join(more, ""))
}

func (u inParts) complete(header map[string]string, parts ...string) reply {
	u.t.Helper()
	return u.do("POST", u.target(), []byte(`<CompleteMultipartUpload xmlns="`+xmlNamespace+`">`+strings.Join(parts, "")+"</CompleteMultipartUpload>"), header)
}

// listed is a ListParts answer.
type listed struct {
	Bucket, Key, UploadId, StorageClass    string
	PartNumberMarker, NextPartNumberMarker int
	MaxParts                               int
	IsTruncated                            bool
	ChecksumAlgorithm, ChecksumType        string
	Parts                                  []listedPart `xml:"Part"`
	Owner                                  struct{ ID string }
	Initiator                              struct{ ID string }
}

type listedPart struct {
	PartNumber                       int
	LastModified, ETag               string
	Size                             int64
	ChecksumCRC64NVME, ChecksumCRC32 string
}

func (u inParts) parts(query string) (l listed) {
	u.t.Helper()
	r := u.do("GET", u.target()+query, nil, nil)
	u.expect(r, 200, "")
	must(u.t, xml.Unmarshal(r.body, &l))
	return l
}

func (l listed) numbers() (all []int) {
	for _, p := range l.Parts {
		all = append(all, p.PartNumber)
	}
	return all
}

// full is as little as a part that is not the last may have.
var full = strings.Repeat("12345678", minPart/8)

// A stock client uploads, replaces a part, lists, completes and reads.
func TestMultipartByStockClient(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	c := f.sdk()
	bucket, key := aws.String(testBucket), aws.String("up/ä b.bin")
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: bucket, Key: key, ContentType: aws.String("image/png"), CacheControl: aws.String("no-cache"),
		Metadata: map[string]string{"by": "hand"}, Tagging: aws.String("a=b&c=d"),
	})
	must(t, err)
	bodies := map[int32]string{1: full, 2: full + "more", 3: "end"}
	var parts []types.CompletedPart
	upload := func(n int32, body string) types.CompletedPart {
		t.Helper()
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(n), Body: strings.NewReader(body)})
		must(t, err)
		return types.CompletedPart{PartNumber: aws.Int32(n), ETag: p.ETag, ChecksumCRC32: p.ChecksumCRC32, ChecksumCRC64NVME: p.ChecksumCRC64NVME}
	}
	upload(2, "replaced")
	for _, n := range []int32{3, 1, 2} {
		parts = append(parts, upload(n, bodies[n]))
	}
	slices.SortFunc(parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	list, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
	must(t, err)
	for i, p := range list.Parts {
		if *p.PartNumber != int32(i+1) || *p.Size != int64(len(bodies[*p.PartNumber])) || *p.ETag != *parts[i].ETag {
			t.Errorf("part %d is %+v", i+1, p)
		}
	}
	uploads, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	must(t, err)
	if len(uploads.Uploads) != 1 || *uploads.Uploads[0].Key != *key || *uploads.Uploads[0].UploadId != *up.UploadId || time.Since(*uploads.Uploads[0].Initiated) > time.Minute {
		t.Errorf("%+v", uploads.Uploads)
	}
	f.absent(*key)
	done, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	must(t, err)
	whole := bodies[1] + bodies[2] + bodies[3]
	if want := etagOfBodies(bodies[1], bodies[2], bodies[3]); *done.ETag != want || *done.Key != *key || *done.Location != f.url+"/photos/up%2F%C3%A4%20b.bin" {
		t.Errorf("%+v, want ETag %s", done, want)
	}
	got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, ChecksumMode: types.ChecksumModeEnabled})
	must(t, err)
	b, err := io.ReadAll(got.Body)
	must(t, err)
	if string(b) != whole || *got.ContentType != "image/png" || *got.CacheControl != "no-cache" || !maps.Equal(got.Metadata, map[string]string{"by": "hand"}) || *got.TagCount != 2 || *got.ETag != *done.ETag {
		t.Errorf("%d bytes, %+v", len(b), got)
	}
	if ok, err := f.bucket().hasUploads(); ok || err != nil {
		t.Errorf("uploads are left: %v, %v", ok, err)
	}
	if left := f.files(); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	objects := f.do("GET", "/photos?list-type=2", nil, nil)
	if !strings.Contains(string(objects.body), "<ETag>"+strings.ReplaceAll(*done.ETag, `"`, "&quot;")+"</ETag>") {
		t.Errorf("%s", objects.body)
	}
}

func (f *fixture) bucket() *bucket {
	f.t.Helper()
	b, err := f.server.bucket(testBucket)
	must(f.t, err)
	return b
}

func etagOfBodies(bodies ...string) string {
	var all []byte
	for _, b := range bodies {
		sum := md5.Sum([]byte(b))
		all = append(all, sum[:]...)
	}
	return fmt.Sprintf(`"%x-%d"`, md5.Sum(all), len(bodies))
}

// [D] CreateMultipartUpload: which checksums go with which type, and the
// defaults.
func TestCreateUploadChecksums(t *testing.T) {
	f := start(t)
	for _, c := range []struct{ algorithm, kind, wantAlgorithm, wantKind, message string }{
		{"", "", "", "", ""},
		{"CRC32", "", "CRC32", composite, ""},
		{"crc32c", "", "CRC32C", composite, ""},
		{"CRC32", fullObject, "CRC32", fullObject, ""},
		{"CRC32C", fullObject, "CRC32C", fullObject, ""},
		{"CRC64NVME", "", "CRC64NVME", fullObject, ""},
		{"CRC64NVME", fullObject, "CRC64NVME", fullObject, ""},
		{"SHA1", "", "SHA1", composite, ""},
		{"SHA256", composite, "SHA256", composite, ""},
		{"CRC64NVME", composite, "", "", "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."},
		{"SHA1", fullObject, "", "", "The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm."},
		{"SHA256", fullObject, "", "", "The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm."},
		{"", fullObject, "", "", "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."},
		{"CRC32", "full_object", "", "", "Value for x-amz-checksum-type header is invalid."},
		{"MD5", "", "", "", "Checksum algorithm provided is unsupported."},
	} {
		h := map[string]string{"x-amz-checksum-algorithm": c.algorithm, "x-amz-checksum-type": c.kind}
		maps.DeleteFunc(h, func(_, v string) bool { return v == "" })
		r := f.do("POST", "/photos/a?uploads", nil, h)
		if c.message != "" {
			if f.expect(r, 400, "InvalidRequest"); !strings.Contains(r.element("Message"), c.message) {
				t.Errorf("%+v: %s", c, r.body)
			}
			continue
		}
		f.expect(r, 200, "")
		if a, k := r.header.Get("x-amz-checksum-algorithm"), r.header.Get("x-amz-checksum-type"); a != c.wantAlgorithm || k != c.wantKind {
			t.Errorf("%+v: %s %s", c, a, k)
		}
		l := inParts{f, "a", r.element("UploadId")}.parts("")
		if c.wantAlgorithm == "" {
			c.wantAlgorithm, c.wantKind = "CRC64NVME", fullObject
		}
		if l.ChecksumAlgorithm != c.wantAlgorithm || l.ChecksumType != c.wantKind {
			t.Errorf("%+v: %+v", c, l)
		}
	}
}

// What an object may not be described by is refused when its upload begins.
func TestCreateUploadRefuses(t *testing.T) {
	f := start(t)
	for _, c := range []struct {
		header map[string]string
		body   string
		status int
		code   string
	}{
		{map[string]string{"x-amz-storage-class": "GLACIER"}, "", 400, "InvalidStorageClass"},
		{map[string]string{"x-amz-tagging": "a=b&a=c"}, "", 400, "InvalidArgument"},
		{map[string]string{"x-amz-meta-a": strings.Repeat("x", 2048)}, "", 400, "MetadataTooLarge"},
		{map[string]string{"x-amz-acl": "public-read"}, "", 400, "AccessControlListNotSupported"},
		{map[string]string{"x-amz-server-side-encryption": "AES256"}, "", 501, "NotImplemented"},
		{map[string]string{"x-amz-checksum-crc32": "AAAAAA=="}, "", 501, "NotImplemented"},
		{nil, "body", 400, "InvalidRequest"},
	} {
		f.expect(f.do("POST", "/photos/a?uploads", []byte(c.body), c.header), c.status, c.code)
	}
	f.expect(f.do("POST", "/photos/"+strings.Repeat("k", 1025)+"?uploads", nil, nil), 400, "KeyTooLongError")
	f.expect(f.do("POST", "/none/a?uploads", nil, nil), 404, "NoSuchBucket")
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// What we lack of multipart uploads is refused by its name.
func TestMultipartNotImplemented(t *testing.T) {
	f := start(t)
	f.put("src", "x")
	u := f.inParts("a", nil)
	for want, r := range map[string]reply{
		"x-amz-copy-source":             f.do("PUT", u.target()+"&partNumber=1", nil, map[string]string{"x-amz-copy-source": "/photos/src"}),
		"x-amz-copy-source-range":       f.do("PUT", u.target()+"&partNumber=1", nil, map[string]string{"x-amz-copy-source-range": "bytes=0-1"}),
		"versionId":                     f.do("GET", u.target()+"&versionId=1", nil, nil),
		"x-amz-if-match-initiated-time": f.do("DELETE", u.target(), nil, map[string]string{"x-amz-if-match-initiated-time": "Mon, 01 Jan 2024 00:00:00 GMT"}),
		"uploadId":                      f.do("POST", "/photos/a?uploads&uploadId="+u.id, nil, nil),
		"partNumber":                    f.do("GET", "/photos/src?partNumber=1", nil, nil),
	} {
		if f.expect(r, 501, "NotImplemented"); r.element("Header") != want {
			t.Errorf("%s: %s", want, r.body)
		}
	}
	f.expect(f.do("HEAD", "/photos/src?partNumber=1", nil, nil), 501, "")
	f.expect(f.do("PUT", "/photos/a?partNumber=1", []byte("x"), nil), 501, "NotImplemented")
	if l := u.parts(""); len(l.Parts) > 0 {
		t.Errorf("%+v", l)
	}
}

// An upload is found by its key and its whole id alone, and by no other text,
// whatever path that might lead to.
func TestNoSuchUpload(t *testing.T) {
	f := start(t)
	u := f.inParts("a", nil)
	u.upload(1, "x")
	other := f.inParts("b", nil)
	for _, id := range []string{
		"", "x", "..", "../" + u.id, u.id + "/", u.id[:63], u.id + "0", strings.ToLower(u.id), other.id, u.id[:62] + "\r\n",
		"../../objects", strings.Repeat("V", 64), strings.Repeat(".", 64), strings.Repeat("/", 64), "\x00",
	} {
		target := "/photos/a?uploadId=" + url.QueryEscape(id)
		doc := []byte("<CompleteMultipartUpload>" + named(1, "x") + "</CompleteMultipartUpload>")
		for _, r := range []reply{
			f.do("PUT", target+"&partNumber=1", []byte("y"), nil), f.do("GET", target, nil, nil),
			f.do("POST", target, doc, nil), f.do("DELETE", target, nil, nil),
		} {
			if r.status != 404 || r.code() != "NoSuchUpload" {
				t.Errorf("%q: %d %s", id, r.status, r.body)
			}
		}
	}
	if l := u.parts(""); len(l.Parts) != 1 || l.Parts[0].Size != 1 {
		t.Errorf("%+v", l)
	}
}

// Who may not is told so before anything of an upload: one that is there and
// one that is not look the same.
func TestUploadsAreHiddenFromStrangers(t *testing.T) {
	f := startWith(t, identity("other", say("Allow", "s3:GetObject", "photos/*")))
	u := f.inParts("a", nil)
	u.upload(1, "x")
	other := userKey("other")
	unknown := strings.Repeat("0", 64)
	for _, method := range []string{"PUT", "GET", "POST", "DELETE"} {
		for by, key := range map[string]*sigv4.Credentials{"nobody": nil, "other": &other} {
			var said []string
			for _, id := range []string{u.id, unknown, "x"} {
				query := "?uploadId=" + id
				if method == "PUT" {
					query += "&partNumber=1"
				}
				r := f.by(key, method, "/photos/a"+query, []byte("x"), nil)
				f.expect(r, 403, "AccessDenied")
				said = append(said, r.element("Message"))
			}
			if said[0] != said[1] || said[1] != said[2] {
				t.Errorf("%s by %s: %q", method, by, said)
			}
		}
	}
	f.expect(f.by(&other, "GET", "/photos?uploads", nil, nil), 403, "AccessDenied")
	f.expect(f.by(&other, "POST", "/photos/b?uploads", nil, nil), 403, "AccessDenied")
}

// [D] AbortMultipartUpload: its parts are gone, and it is unknown afterwards.
func TestAbortUpload(t *testing.T) {
	f := start(t)
	f.put("a", "stays")
	u := f.inParts("a", nil)
	etag := u.upload(1, "x")
	u.upload(10_000, "y")
	f.expect(f.do("DELETE", u.target(), nil, nil), 204, "")
	for _, r := range []reply{
		f.do("DELETE", u.target(), nil, nil), u.part(1, "x", nil), f.do("GET", u.target(), nil, nil), u.complete(nil, named(1, etag)),
	} {
		f.expect(r, 404, "NoSuchUpload")
		if r.element("UploadId") != u.id {
			t.Errorf("%s", r.body)
		}
	}
	if g := f.get("a"); string(g.body) != "stays" || len(f.files()) != 1 {
		t.Errorf("%s, left %v", g.body, f.files())
	}
	if ok, err := f.bucket().hasUploads(); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

type listedUploads struct {
	KeyMarker, UploadIdMarker, NextKeyMarker, NextUploadIdMarker string
	Prefix, Delimiter, EncodingType                              string
	MaxUploads                                                   int
	IsTruncated                                                  bool
	Upload                                                       []struct{ Key, UploadId, Initiated, StorageClass, ChecksumAlgorithm, ChecksumType string }
	CommonPrefixes                                               []struct{ Prefix string }
}

func (f *fixture) uploads(query string) (l listedUploads) {
	f.t.Helper()
	r := f.do("GET", "/photos?uploads"+query, nil, nil)
	f.expect(r, 200, "")
	must(f.t, xml.Unmarshal(r.body, &l))
	return l
}

func (l listedUploads) all() string {
	var all []string
	for _, u := range l.Upload {
		all = append(all, u.Key)
	}
	for _, p := range l.CommonPrefixes {
		all = append(all, "["+p.Prefix+"]")
	}
	return strings.Join(all, " ")
}

// [D] ListMultipartUploads: "In the response, the uploads are sorted by key …
// and uploads of a key by the time they were initiated."
func TestListUploads(t *testing.T) {
	f := start(t)
	if l := f.uploads(""); l.all() != "" || l.IsTruncated || l.MaxUploads != 1000 {
		t.Errorf("%+v", l)
	}
	var ids []string
	for _, key := range []string{"b", "a/2", "a/1", "c", "b", "a", "b", "ü &"} {
		f.advance(time.Second)
		ids = append(ids, f.inParts(key, map[string]string{"x-amz-checksum-algorithm": "SHA1"}).id)
	}
	f.put("object", "x")
	l := f.uploads("")
	if l.all() != "a a/1 a/2 b b b c ü &" || l.Upload[3].UploadId != ids[0] || l.Upload[4].UploadId != ids[4] || l.Upload[5].UploadId != ids[6] {
		t.Errorf("%+v", l)
	}
	if u := l.Upload[3]; u.StorageClass != "STANDARD" || u.ChecksumAlgorithm != "SHA1" || u.ChecksumType != composite || u.Initiated == "" {
		t.Errorf("%+v", u)
	}
	for query, want := range map[string]string{
		"&prefix=a":                   "a a/1 a/2",
		"&prefix=a/":                  "a/1 a/2",
		"&prefix=x":                   "",
		"&delimiter=/":                "a b b b c ü & [a/]",
		"&delimiter=/&prefix=a/":      "a/1 a/2",
		"&key-marker=a":               "a/1 a/2 b b b c ü &",
		"&key-marker=a&delimiter=/":   "b b b c ü & [a/]",
		"&key-marker=a/&delimiter=/":  "b b b c ü &",
		"&key-marker=a/1&delimiter=/": "b b b c ü & [a/]",
		"&key-marker=b":               "c ü &",

		"&key-marker=b&upload-id-marker=" + ids[0]: "b b c ü &",
		"&key-marker=b&upload-id-marker=" + ids[6]: "c ü &",
		"&upload-id-marker=" + ids[6]:              "a a/1 a/2 b b b c ü &",
		"&key-marker=z&prefix=a":                   "",
		"&max-uploads=0":                           "",
		"&encoding-type=url&prefix=%C3%BC":         "%C3%BC%20%26",
	} {
		if got := f.uploads(query); got.all() != want || got.IsTruncated {
			t.Errorf("%s: %q, want %q (%+v)", query, got.all(), want, got)
		}
	}
	for _, delimiter := range []string{"", "/"} {
		for size := 1; size <= 9; size++ {
			var all []string
			query := fmt.Sprintf("&delimiter=%s&max-uploads=%d", delimiter, size)
			for marker := ""; ; {
				l := f.uploads(query + marker)
				if n := len(l.Upload) + len(l.CommonPrefixes); n > size || n < size && l.IsTruncated {
					t.Fatalf("%d uploads of %d: %+v", n, size, l)
				}
				all = append(all, strings.Fields(strings.ReplaceAll(l.all(), "ü &", "ü"))...)
				if !l.IsTruncated {
					break
				}
				marker = "&key-marker=" + url.QueryEscape(l.NextKeyMarker) + "&upload-id-marker=" + l.NextUploadIdMarker
			}
			slices.Sort(all)
			want := "a a/1 a/2 b b b c ü"
			if delimiter != "" {
				want = "[a/] a b b b c ü"
			}
			if got := strings.Join(all, " "); got != want {
				t.Errorf("by %d, %q: %s", size, delimiter, got)
			}
		}
	}
	for _, query := range []string{"&max-uploads=-1", "&max-uploads=x", "&max-uploads=", "&encoding-type=x", "&key-marker=b&upload-id-marker=x", "&prefix=%ff"} {
		f.expect(f.do("GET", "/photos?uploads"+query, nil, nil), 400, "InvalidArgument")
	}
	f.expect(f.do("GET", "/photos?uploads&max-keys=1", nil, nil), 501, "NotImplemented")
}

// Uploads keep what their key is, byte by byte.
func TestUploadsOfOddKeys(t *testing.T) {
	f := start(t)
	for _, key := range []string{"..", "../../x", "a/../b", "//", "%2F", strings.Repeat("é", 512), "A", "a"} {
		u := f.inParts(key, nil)
		r := u.complete(nil, named(1, u.upload(1, key)))
		f.expect(r, 200, "")
		if g := f.get(key); string(g.body) != key || r.element("Key") != key {
			t.Errorf("%q: %d %q, %s", key, g.status, g.body, r.body)
		}
	}
	if bytes.Contains(f.do("GET", "/photos?uploads", nil, nil).body, []byte("<Upload>")) {
		t.Error("an upload is left")
	}
}
