package s3d

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"postern.example/postern/sigv4"
)

func (f *fixture) copy(to, from string, header map[string]string) reply {
	f.t.Helper()
	h := map[string]string{"x-amz-copy-source": from}
	maps.Copy(h, header)
	return f.do("PUT", "/photos/"+to, nil, h)
}

// place writes an object's file as it is, for what no request makes: parts.
func (f *fixture) place(o *object, body string) {
	f.t.Helper()
	b := f.server.buckets[testBucket]
	d, err := b.newDraft(digests{})
	must(f.t, err)
	write(f.t, d.f, body)
	d.size = int64(len(body))
	must(f.t, b.commit(d, o, precondition{}))
}

func etagOf(body string) string { return fmt.Sprintf(`"%x"`, md5.Sum([]byte(body))) }

// [D] CopyObject: everything comes along by default, and is replaced as a whole
// when asked.
func TestCopy(t *testing.T) {
	f := start(t)
	f.expect(f.do("PUT", "/photos/a", []byte("hello"), map[string]string{
		"Content-Type": "image/png", "Cache-Control": "no-store", "x-amz-meta-m": "1", "x-amz-tagging": "k=v",
	}), 200, "")
	f.advance(time.Hour)
	for _, from := range []string{"/photos/a", "photos/a", "%2Fphotos/a", "photos/%61"} {
		r := f.copy("b", strings.Replace(from, "%2F", "/", 1), nil)
		f.expect(r, 200, "")
		if r.element("ETag") != etagOf("hello") || r.element("LastModified") == "" || r.element("ChecksumCRC64NVME") == "" || r.element("ChecksumType") != "FULL_OBJECT" {
			t.Errorf("result is %s", r.body)
		}
	}
	a, b := f.get("a"), f.get("b")
	for _, name := range []string{"ETag", "Content-Type", "Cache-Control", "x-amz-meta-m", "x-amz-tagging-count"} {
		if a.header.Get(name) == "" || a.header.Get(name) != b.header.Get(name) {
			t.Errorf("%s is %q, was %q", name, b.header.Get(name), a.header.Get(name))
		}
	}
	if string(b.body) != "hello" || a.header.Get("Last-Modified") == b.header.Get("Last-Modified") {
		t.Errorf("%s %v", b.body, b.header)
	}
	// Without REPLACE what the request says about the copy means nothing.
	f.expect(f.copy("c", "photos/a", map[string]string{"Content-Type": "text/plain", "x-amz-meta-n": "2", "x-amz-tagging": "x=y"}), 200, "")
	if c := f.get("c"); c.header.Get("Content-Type") != "image/png" || c.header.Get("x-amz-meta-n") != "" {
		t.Errorf("%v", c.header)
	}
	f.expectTags("c", "k", "v")
	f.expect(f.copy("c", "photos/a", map[string]string{"x-amz-metadata-directive": "REPLACE", "Content-Type": "text/plain", "x-amz-meta-n": "2"}), 200, "")
	if c := f.get("c"); c.header.Get("Content-Type") != "text/plain" || c.header.Get("x-amz-meta-n") != "2" || c.header.Get("x-amz-meta-m") != "" || c.header.Get("Cache-Control") != "" {
		t.Errorf("%v", c.header)
	}
	f.expectTags("c", "k", "v")
	f.expect(f.copy("c", "photos/a", map[string]string{"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "n=2"}), 200, "")
	f.expectTags("c", "n", "2")
	f.expect(f.copy("c", "photos/a", map[string]string{"x-amz-tagging-directive": "REPLACE"}), 200, "")
	f.expectTags("c")
	// From another bucket, with a key that needs escapes, and an empty one.
	f.expect(f.do("PUT", "/second", nil, nil), 200, "")
	f.expect(f.do("PUT", "/second/"+escapeKey("ü b+c?d%2F", true), []byte("there"), nil), 200, "")
	f.expect(f.copy("d", "second/"+escapeKey("ü b+c?d%2F", true), nil), 200, "")
	if d := f.get("d"); string(d.body) != "there" {
		t.Errorf("%s", d.body)
	}
	f.put("empty", "")
	f.expect(f.copy("e", "photos/empty", nil), 200, "")
	if e := f.get("e"); e.status != 200 || len(e.body) != 0 || e.header.Get("ETag") != etagOf("") {
		t.Errorf("%d %v", e.status, e.header)
	}
}

func TestCopyRefusals(t *testing.T) {
	f := start(t)
	f.put("a", "hello")
	f.put("b", "old")
	replace := map[string]string{"x-amz-metadata-directive": "REPLACE", "x-amz-meta-n": "2"}
	self := f.copy("a", "photos/a", nil)
	f.expect(self, 400, "InvalidRequest")
	if got := self.element("Message"); got != "This copy request is illegal because it is trying to copy an object to itself without changing "+
		"the object's metadata, storage class, website redirect location or encryption attributes." {
		t.Errorf("message is %q", got)
	}
	f.expect(f.copy("a", "/photos/%61", map[string]string{"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "k=v"}), 400, "InvalidRequest")
	f.expect(f.copy("a", "photos/a", replace), 200, "")
	if g := f.get("a"); string(g.body) != "hello" || g.header.Get("x-amz-meta-n") != "2" {
		t.Errorf("%s %v", g.body, g.header)
	}
	for _, c := range []struct {
		from   string
		header map[string]string
		status int
		code   string
	}{
		{"photos/missing", nil, 404, "NoSuchKey"},
		{"nobucket/a", nil, 404, "NoSuchBucket"},
		{"photos", nil, 400, "InvalidArgument"},
		{"/photos/", nil, 400, "InvalidArgument"},
		{"/", nil, 400, "InvalidArgument"},
		{"photos/%zz", nil, 400, "InvalidArgument"},
		{"photos/%ff", nil, 400, "InvalidArgument"},
		{"PHOTOS/a", nil, 400, "InvalidBucketName"},
		{"../photos/a", nil, 400, "InvalidBucketName"},
		{"photos/a?versionId=null", nil, 501, "NotImplemented"},
		{"photos/a?x=y", nil, 400, "InvalidArgument"},
		{"photos/a", map[string]string{"x-amz-metadata-directive": "copy"}, 400, "InvalidArgument"},
		{"photos/a", map[string]string{"x-amz-tagging-directive": "KEEP"}, 400, "InvalidArgument"},
		{"photos/a", map[string]string{"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "a=*"}, 400, "InvalidTag"},
		{"photos/a", map[string]string{"x-amz-checksum-algorithm": "MD5"}, 400, "InvalidRequest"},
		{"photos/a", map[string]string{"x-amz-checksum-crc32": "AAAAAA=="}, 501, "NotImplemented"},
		{"photos/a", map[string]string{"x-amz-storage-class": "GLACIER"}, 400, "InvalidStorageClass"},
		{"photos/a", map[string]string{"x-amz-acl": "public-read"}, 400, "AccessControlListNotSupported"},
		{"photos/a", map[string]string{"x-amz-copy-source-server-side-encryption-customer-algorithm": "AES256"}, 501, "NotImplemented"},
		{"photos/a", map[string]string{"x-amz-copy-source-range": "bytes=0-1"}, 501, "NotImplemented"},
		{"photos/a", map[string]string{"x-amz-source-expected-bucket-owner": "123456789012"}, 403, "AccessDenied"},
		{"photos/a", map[string]string{"x-amz-source-expected-bucket-owner": "me"}, 400, "InvalidBucketOwnerAWSAccountID"},
		{"photos/a", map[string]string{"x-amz-copy-source-if-modified-since": "yesterday"}, 400, "InvalidArgument"},
		{"photos/a", map[string]string{"x-amz-metadata-directive": "REPLACE", "x-amz-meta-a": strings.Repeat("x", 2049)}, 400, "MetadataTooLarge"},
	} {
		if r := f.copy("b", c.from, c.header); r.status != c.status || r.code() != c.code {
			t.Errorf("%s %v: %d %s", c.from, c.header, r.status, r.body)
		}
	}
	f.expect(f.do("PUT", "/photos/b", []byte("body"), map[string]string{"x-amz-copy-source": "photos/a"}), 400, "InvalidRequest")
	f.expect(f.do("PUT", "/photos/b?partNumber=1", nil, map[string]string{"x-amz-copy-source": "photos/a"}), 501, "NotImplemented")
	f.expect(f.copy("b", "photos/a", map[string]string{"x-amz-source-expected-bucket-owner": Account, "x-amz-expected-bucket-owner": Account, "x-amz-storage-class": "STANDARD", "x-amz-request-payer": "requester"}), 200, "")
	f.put("b", "old")
	// Larger than one copy may be. The file is sparse.
	_, path := f.server.buckets[testBucket].path("huge")
	f.put("huge", "")
	o := &object{Key: "huge", Size: maxPut + 1, ETag: strings.Repeat("0", 32)}
	trailer, err := o.appendTrailer(nil)
	must(t, err)
	fd, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0o600)
	must(t, err)
	_, err = fd.WriteAt(trailer, o.Size)
	must(t, errors.Join(err, fd.Close()))
	r := f.copy("b", "photos/huge", nil)
	f.expect(r, 400, "InvalidRequest")
	if got := r.element("Message"); got != "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120" {
		t.Errorf("message is %q", got)
	}
	if g := f.get("b"); string(g.body) != "old" {
		t.Errorf("the target is %q now", g.body)
	}
	if n := len(f.files()); n != 3 {
		t.Errorf("%d files", n)
	}
}

// [D] x-amz-copy-source-if-*: 412 when they fail. "If both … if-match … true
// and if-unmodified-since … false, Amazon S3 returns 200 OK"; "if-none-match …
// false and if-modified-since … true: 412 Precondition Failed".
func TestCopySourceConditions(t *testing.T) {
	f := start(t)
	f.put("a", "hello")
	h := f.get("a").header
	tag, at := h.Get("ETag"), h.Get("Last-Modified")
	when, err := http.ParseTime(at)
	must(t, err)
	before, after := when.Add(-time.Hour).Format(http.TimeFormat), when.Add(time.Hour).Format(http.TimeFormat)
	for _, c := range []struct {
		match, none, modified, unmodified string
		status                            int
	}{
		{match: tag, status: 200},
		{match: strings.Trim(tag, `"`), status: 200},
		{match: `"x"`, status: 412},
		{none: tag, status: 412},
		{none: `"x"`, status: 200},
		{modified: before, status: 200},
		{modified: at, status: 412},
		{unmodified: at, status: 200},
		{unmodified: after, status: 200},
		{unmodified: before, status: 412},
		{match: tag, unmodified: before, status: 200},
		{match: `"x"`, unmodified: after, status: 412},
		{none: tag, modified: before, status: 412},
		{none: `"x"`, modified: before, status: 200},
		{match: tag, none: tag, status: 412},
	} {
		header := make(map[string]string)
		for name, v := range map[string]string{"match": c.match, "none-match": c.none, "modified-since": c.modified, "unmodified-since": c.unmodified} {
			if v != "" {
				header["x-amz-copy-source-if-"+name] = v
			}
		}
		code := map[int]string{412: "PreconditionFailed"}[c.status]
		if r := f.copy("b", "photos/a", header); r.status != c.status || r.code() != code {
			t.Errorf("%v: %d %s", header, r.status, r.body)
		}
	}
}

// [D] If-None-Match and If-Match of a copy are about its target, and of many
// one wins.
func TestCopyTargetConditions(t *testing.T) {
	f := start(t)
	f.put("a", "hello")
	f.put("b", "old")
	f.expect(f.copy("b", "photos/a", map[string]string{"If-None-Match": "*"}), 412, "PreconditionFailed")
	f.expect(f.copy("b", "photos/a", map[string]string{"If-Match": etagOf("hello")}), 412, "PreconditionFailed")
	f.expect(f.copy("c", "photos/a", map[string]string{"If-Match": etagOf("hello")}), 404, "NoSuchKey")
	f.expect(f.copy("b", "photos/a", map[string]string{"If-Match": etagOf("old")}), 200, "")
	for round := range 5 {
		var won, lost atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				switch f.copy(fmt.Sprint("r", round), "photos/a", map[string]string{"If-None-Match": "*"}).status {
				case 200:
					won.Add(1)
				case 412:
					lost.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || lost.Load() != 7 {
			t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
		}
	}
}

// The copy's ETag is the MD5 of its bytes, also of a source made of parts; a
// checksum comes along, unless it is of parts or another is asked for.
func TestCopyETagAndChecksums(t *testing.T) {
	f := start(t)
	body := strings.Repeat("0123456789", 20_000)
	b64 := base64.StdEncoding.EncodeToString
	sum := sha256.Sum256([]byte(body))
	crc := crc32.ChecksumIEEE([]byte(body))
	crc32Of := b64([]byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})
	check := func(key, name, value string) {
		t.Helper()
		g := f.do("GET", "/photos/"+key, nil, map[string]string{"x-amz-checksum-mode": "ENABLED"})
		if string(g.body) != body || g.header.Get("ETag") != etagOf(body) || g.header.Get("x-amz-checksum-"+name) != value || g.header.Get("x-amz-checksum-type") != "FULL_OBJECT" {
			t.Errorf("%s: %d bytes, %v", key, len(g.body), g.header)
		}
	}
	f.place(&object{Key: "parts", ETag: strings.Repeat("a", 32) + "-2", ContentType: "x/y", ChecksumType: composite, Checksums: map[string]string{"sha256": "AAAA-2"}}, body)
	f.expect(f.copy("a", "photos/parts", nil), 200, "")
	check("a", "sha256", b64(sum[:]))
	f.expect(f.copy("b", "photos/parts", map[string]string{"x-amz-checksum-algorithm": "crc32"}), 200, "")
	check("b", "crc32", crc32Of)
	f.expect(f.do("PUT", "/photos/c", []byte(body), map[string]string{"x-amz-checksum-crc32": crc32Of}), 200, "")
	f.expect(f.copy("d", "photos/c", nil), 200, "")
	check("d", "crc32", crc32Of)
	f.expect(f.copy("e", "photos/c", map[string]string{"x-amz-checksum-algorithm": "SHA256"}), 200, "")
	check("e", "sha256", b64(sum[:]))
	f.place(&object{Key: "whole", ETag: strings.Repeat("b", 32) + "-2", ContentType: "x/y", Checksums: map[string]string{"crc32": crc32Of}}, body)
	f.expect(f.copy("f", "photos/whole", nil), 200, "")
	check("f", "crc32", crc32Of)
	// One of an earlier version, without any checksum.
	f.place(&object{Key: "none", ETag: strings.Trim(etagOf(body), `"`), ContentType: "x/y"}, body)
	r := f.copy("g", "photos/none", nil)
	f.expect(r, 200, "")
	check("g", "crc64nvme", r.element("ChecksumCRC64NVME"))
}

// A stock SDK copies, tags and deletes.
func TestSDKCopyTagDelete(t *testing.T) {
	f := start(t)
	c, ctx := f.sdk(), t.Context()
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String("a b"), Body: strings.NewReader("hello"), Tagging: aws.String("k=v")})
	must(t, err)
	out, err := c.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: aws.String(testBucket), Key: aws.String("c"), CopySource: aws.String("photos/a%20b"), ChecksumAlgorithm: types.ChecksumAlgorithmSha1,
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"x": "y"}, ExpectedBucketOwner: aws.String(Account),
	})
	must(t, err)
	if aws.ToString(out.CopyObjectResult.ETag) != etagOf("hello") || aws.ToString(out.CopyObjectResult.ChecksumSHA1) != "qvTGHdzF6KLavt4PO0gs2a6pQ00=" {
		t.Errorf("result is %+v", out.CopyObjectResult)
	}
	_, err = c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: aws.String(testBucket), Key: aws.String("c"), Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("n"), Value: aws.String("2")}}}})
	must(t, err)
	tags, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: aws.String(testBucket), Key: aws.String("c")})
	must(t, err)
	if len(tags.TagSet) != 1 || aws.ToString(tags.TagSet[0].Key) != "n" {
		t.Errorf("tags are %+v", tags.TagSet)
	}
	_, err = c.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: aws.String(testBucket), Key: aws.String("c")})
	must(t, err)
	list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(testBucket), FetchOwner: aws.Bool(true)})
	must(t, err)
	if len(list.Contents) != 2 || list.Contents[1].ChecksumAlgorithm[0] != types.ChecksumAlgorithmSha1 || list.Contents[1].ChecksumType != types.ChecksumTypeFullObject || aws.ToString(list.Contents[0].Owner.ID) != ownerID {
		t.Errorf("list is %+v", list.Contents)
	}
	gone, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(testBucket), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("a b")}, {Key: aws.String("c"), ETag: aws.String(`"x"`)}, {Key: aws.String("none")},
	}}})
	must(t, err)
	if len(gone.Deleted) != 2 || len(gone.Errors) != 1 || aws.ToString(gone.Errors[0].Code) != "PreconditionFailed" {
		t.Errorf("deleted %+v, errors %+v", gone.Deleted, gone.Errors)
	}
}

// FuzzCopySource: what is taken names one bucket and one key, none empty, and
// comes back when it is escaped again.
func FuzzCopySource(f *testing.F) {
	f.Fuzz(func(t *testing.T, v string) {
		bucket, key, err := parseCopySource(v)
		if err != nil {
			var e *sigv4.Error
			if !errors.As(err, &e) || e.Status != 400 && e.Status != 501 {
				t.Errorf("error is %v", err)
			}
			return
		}
		if bucket == "" || key == "" || checkKey(key) != nil {
			t.Errorf("%q is %q and %q", v, bucket, key)
		}
		b, k, err := parseCopySource("/" + escapeKey(bucket, false) + "/" + escapeKey(key, true))
		if err != nil || b != bucket || k != key {
			t.Errorf("%q and %q become %q and %q (%v)", bucket, key, b, k, err)
		}
	})
}
