package s3d

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
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

// PutObject: the body is held against x-amz-content-sha256.
func TestPutChecksThePayloadHash(t *testing.T) {
	f := start(t)
	f.expect(f.doAs("PUT", "/photos/a", []byte("evil"), nil, fmt.Sprintf("%x", sha256.Sum256([]byte("good")))), 400, "XAmzContentSHA256Mismatch")
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	f.expect(f.doAs("PUT", "/photos/a", []byte("any"), nil, sigv4.UnsignedPayload), 200, "")
	r := f.do("PUT", "/photos/a", []byte("good"), map[string]string{"Content-Type": "image/png"})
	f.expect(r, 200, "")
	if r.header.Get("ETag") != fmt.Sprintf(`"%x"`, md5.Sum([]byte("good"))) {
		t.Errorf("ETag is %s", r.header.Get("ETag"))
	}
	if g := f.get("a"); string(g.body) != "good" || g.header.Get("Content-Type") != "image/png" {
		t.Errorf("%s %v", g.body, g.header)
	}
}

// PutObject: Content-MD5 and x-amz-checksum-* are compared with the bytes, and
// the checksum is kept.
func TestPutChecksums(t *testing.T) {
	f := start(t)
	sum := sha256.Sum256([]byte("x"))
	b64 := base64.StdEncoding.EncodeToString
	put := func(h map[string]string) reply { return f.do("PUT", "/photos/a", []byte("x"), h) }
	f.expect(put(map[string]string{"Content-MD5": b64(make([]byte, 16))}), 400, "BadDigest")
	f.expect(put(map[string]string{"Content-MD5": "x"}), 400, "InvalidDigest")
	f.expect(put(map[string]string{"x-amz-checksum-sha256": b64(make([]byte, 32))}), 400, "BadDigest")
	f.expect(put(map[string]string{"x-amz-checksum-crc32": "AAAAAA=="}), 400, "BadDigest")
	f.expect(put(map[string]string{"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha256": b64(sum[:])}), 400, "InvalidRequest")
	f.expect(put(map[string]string{"x-amz-checksum-crc32c": "AAAAAA=="}), 400, "BadDigest")
	f.expect(put(map[string]string{"x-amz-checksum-md5": "AAAAAA=="}), 501, "NotImplemented")
	f.absent("a")
	f.expect(put(map[string]string{"x-amz-checksum-sha256": b64(sum[:])}), 200, "")
	on := f.do("HEAD", "/photos/a", nil, map[string]string{"x-amz-checksum-mode": "ENABLED"})
	if got := on.header.Get("x-amz-checksum-sha256"); got != b64(sum[:]) {
		t.Errorf("kept %q", got)
	}
	if got := f.get("a").header.Get("x-amz-checksum-sha256"); got != "" {
		t.Errorf("unasked: %q", got)
	}
}

// A presigned PUT is for its headers, once if If-None-Match is signed.
func TestPutPresigned(t *testing.T) {
	f := start(t)
	signed := map[string]string{"Content-Type": "image/png", "If-None-Match": "*", "X-Amz-Meta-Postern": "ticket"}
	u := strings.TrimPrefix(f.presign("PUT", "/photos/a%20b", signed), f.url)
	send := func(h map[string]string) reply { return f.raw(f.request("PUT", u, []byte("hello"), h)) }
	f.expect(send(map[string]string{"Content-Type": "image/png", "X-Amz-Meta-Postern": "ticket"}), 403, "SignatureDoesNotMatch")
	f.expect(send(signed), 200, "")
	f.expect(send(signed), 412, "PreconditionFailed")
	g := f.get("a b")
	if string(g.body) != "hello" || g.header.Get("x-amz-meta-postern") != "ticket" {
		t.Errorf("%s %v", g.body, g.header)
	}
	f.advance(6 * time.Minute)
	f.expect(send(signed), 403, "AccessDenied")
}

// Headers that an SDK puts into a presigned URL's query count as headers.
func TestPutHoistedHeaders(t *testing.T) {
	f := start(t)
	u := strings.TrimPrefix(f.presign("PUT", "/photos/a?x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&x-id=PutObject", nil), f.url)
	// A checksum in the query, where the SDK for JavaScript puts that of no bytes,
	// is ignored; nobody can smuggle one in that way either.
	f.expect(f.raw(f.request("PUT", u, []byte("x"), nil)), 200, "")
	if r := f.do("HEAD", "/photos/a", nil, map[string]string{"x-amz-checksum-mode": "ENABLED"}); r.header.Get("x-amz-checksum-crc32") != "" || r.header.Get("x-amz-checksum-crc64nvme") == "" {
		t.Errorf("checksums of %v", r.header)
	}
	f.expect(f.raw(f.request("PUT", u, nil, nil)), 200, "")
	u = strings.TrimPrefix(f.presign("PUT", "/photos/b?x-amz-acl=public-read", nil), f.url)
	f.expect(f.raw(f.request("PUT", u, []byte("x"), nil)), 400, "AccessControlListNotSupported")
	f.expect(f.do("PUT", "/photos/b?x-amz-meta-a=b", []byte("x"), nil), 400, "InvalidArgument")
}

// What we lack is refused by name and never done as something else.
func TestUnknownIsNotImplemented(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	for _, c := range [][2]string{
		{"GET", "/photos/a?versionId=1"},
		{"GET", "/photos/a?partNumber=1"},
		{"GET", "/photos/a?attributes"},
		{"GET", "/photos/a?torrent"},
		{"GET", "/photos/a?retention"},
		{"GET", "/photos/a?legal-hold"},
		{"GET", "/photos/a?tagging&versionId=1"},
		{"HEAD", "/photos/a?versionId=1"},
		{"PUT", "/photos/a?retention"},
		{"PUT", "/photos/a?x=1"},
		{"POST", "/photos/a?restore"},
		{"POST", "/photos/a?select&select-type=2"},
		{"DELETE", "/photos/a?versionId=1"},
		{"GET", "/photos?versions"},
		{"GET", "/photos?list-type=2&versions"},
		{"GET", "/photos?website"},
		{"GET", "/photos?logging"},
		{"GET", "/photos?replication"},
		{"GET", "/photos?website"},
		{"GET", "/photos?object-lock"},
		{"PUT", "/photos?versioning"},
		{"PUT", "/photos?object-lock"},
		{"PUT", "/photos?notification"},
		{"DELETE", "/photos?website"},
		{"POST", "/photos?x"},
		{"PUT", "/newbucket?replication"},
		{"GET", "/photos?cors&list-type=2"},
	} {
		if r := f.do(c[0], c[1], []byte("body"), nil); r.status != 501 || c[0] != "HEAD" && r.code() != "NotImplemented" {
			t.Errorf("%s %s: %d %s", c[0], c[1], r.status, r.body)
		}
	}
	for _, name := range []string{
		"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-website-redirect-location",
		"x-amz-object-lock-mode", "x-amz-write-offset-bytes", "x-amz-unheard-of",
	} {
		f.expect(f.do("PUT", "/photos/a", []byte("y"), map[string]string{name: "v"}), 501, "NotImplemented")
	}
	f.expect(f.do("GET", "/photos?list-type=2", nil, map[string]string{"x-amz-optional-object-attributes": "RestoreStatus"}), 501, "NotImplemented")
	f.expect(f.do("DELETE", "/photos/a", nil, map[string]string{"x-amz-if-match-size": "1"}), 501, "NotImplemented")
	f.expect(f.do("PUT", "/photos/a", []byte("y"), map[string]string{"x-amz-acl": "private"}), 400, "AccessControlListNotSupported")
	f.expect(f.do("PUT", "/photos/a", []byte("y"), map[string]string{"x-amz-grant-read": "id=1"}), 400, "AccessControlListNotSupported")
	f.expect(f.do("PUT", "/photos/a", []byte("y"), map[string]string{"If-None-Match": `"x"`}), 501, "NotImplemented")
	f.expect(f.do("PATCH", "/photos/a", nil, nil), 405, "MethodNotAllowed")
	f.expect(f.do("PUT", "/newbucket/a", []byte("y"), nil), 404, "NoSuchBucket")
	if g := f.get("a"); string(g.body) != "x" {
		t.Errorf("the object is %q now", g.body)
	}
	if n := strings.Count(f.log.String(), "operation not implemented"); n < 30 {
		t.Errorf("%d lines in the log", n)
	}
}

// GetObject with Range: [D] one range of bytes; what cannot be read as one is
// ignored, what lies behind the end is 416.
func TestGetRange(t *testing.T) {
	f := start(t)
	f.put("a", "0123456789")
	f.put("empty", "")
	for _, c := range []struct {
		spec, body, contentRange string
		status                   int
	}{
		{"bytes=0-3", "0123", "bytes 0-3/10", 206},
		{"bytes=4-", "456789", "bytes 4-9/10", 206},
		{"bytes=-3", "789", "bytes 7-9/10", 206},
		{"bytes=8-99", "89", "bytes 8-9/10", 206},
		{"bytes=-99", "0123456789", "bytes 0-9/10", 206},
		{"bytes=9-9", "9", "bytes 9-9/10", 206},
		{"bytes=0-99999999999999999999", "0123456789", "bytes 0-9/10", 206},
		{"bytes=10-", "", "", 416},
		{"bytes=-0", "", "", 416},
		{"bytes=99999999999999999999-", "", "", 416},
		{"bytes=3-2", "0123456789", "", 200},
		{"bytes=0-1,3-4", "0123456789", "", 200},
		{"bytes=a-b", "0123456789", "", 200},
		{"lines=0-1", "0123456789", "", 200},
		{"bytes=--1", "0123456789", "", 200},
	} {
		r := f.do("GET", "/photos/a", nil, map[string]string{"Range": c.spec})
		if r.status != c.status || r.header.Get("Content-Range") != c.contentRange || c.status != 416 && string(r.body) != c.body {
			t.Errorf("%s: %d %q %q", c.spec, r.status, r.header.Get("Content-Range"), r.body)
		}
		if c.status == 416 && (r.code() != "InvalidRange" || r.element("ActualObjectSize") != "10") {
			t.Errorf("%s: %s", c.spec, r.body)
		}
	}
	f.expect(f.do("GET", "/photos/empty", nil, map[string]string{"Range": "bytes=0-"}), 416, "InvalidRange")
	r := f.do("HEAD", "/photos/a", nil, map[string]string{"Range": "bytes=2-3"})
	if r.status != 206 || r.header.Get("Content-Length") != "2" {
		t.Errorf("HEAD: %d %v", r.status, r.header)
	}
}

// Conditional reads: 304 and 412 (RFC 9110 §13.2.2).
func TestGetConditions(t *testing.T) {
	f := start(t)
	f.put("a", "hello")
	h := f.get("a").header
	tag, at := h.Get("ETag"), h.Get("Last-Modified")
	when, err := http.ParseTime(at)
	if err != nil {
		t.Fatal(err)
	}
	before, after := when.Add(-time.Hour).Format(http.TimeFormat), when.Add(time.Hour).Format(http.TimeFormat)
	for _, c := range []struct {
		h      map[string]string
		status int
	}{
		{map[string]string{"If-Match": tag}, 200},
		{map[string]string{"If-Match": "*"}, 200},
		{map[string]string{"If-Match": `"x", ` + tag}, 200},
		{map[string]string{"If-Match": `"x"`}, 412},
		{map[string]string{"If-None-Match": tag}, 304},
		{map[string]string{"If-None-Match": "*"}, 304},
		{map[string]string{"If-None-Match": `"x"`}, 200},
		{map[string]string{"If-Modified-Since": at}, 304},
		{map[string]string{"If-Modified-Since": after}, 304},
		{map[string]string{"If-Modified-Since": before}, 200},
		{map[string]string{"If-Unmodified-Since": at}, 200},
		{map[string]string{"If-Unmodified-Since": before}, 412},
		{map[string]string{"If-Match": tag, "If-Unmodified-Since": before}, 200},
		{map[string]string{"If-None-Match": `"x"`, "If-Modified-Since": after}, 200},
		{map[string]string{"Range": "bytes=0-0", "If-Range": tag}, 206},
		{map[string]string{"Range": "bytes=0-0", "If-Range": `"x"`}, 200},
		{map[string]string{"Range": "bytes=0-0", "If-Range": at}, 206},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			r := f.do(method, "/photos/a", nil, c.h)
			if r.status != c.status || r.header.Get("ETag") != tag {
				t.Errorf("%s %v: %d, want %d", method, c.h, r.status, c.status)
			}
			if c.status == 304 && len(r.body) > 0 {
				t.Errorf("304 with a body")
			}
		}
	}
}

// Threat 8: what is served has the exact type that was stored, and a browser
// neither guesses another nor runs it.
func TestThreat08_ServedTypes(t *testing.T) {
	f := start(t)
	for _, kind := range []string{"image/svg+xml", "text/html", "image/png; a=b", "weird"} {
		f.expect(f.do("PUT", "/photos/a", []byte("<script>alert(1)</script>"), map[string]string{"Content-Type": kind}), 200, "")
		h := f.get("a").header
		if h.Get("Content-Type") != kind || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
			t.Errorf("%v", h)
		}
	}
}

// Threat 21: nobody reads without a signature.
func TestThreat21_QuarantineReadable(t *testing.T) {
	f := start(t)
	f.put("incoming/x", "secret")
	for _, c := range [][2]string{{"GET", "/photos/incoming/x"}, {"HEAD", "/photos/incoming/x"}, {"GET", "/photos?list-type=2&prefix=incoming/"}} {
		if r := f.raw(f.request(c[0], c[1], nil, map[string]string{"Origin": "https://app.example"})); r.status != 403 || strings.Contains(string(r.body), "secret") {
			t.Errorf("%v: %d %s", c, r.status, r.body)
		}
	}
}

// [D] DeleteObject answers 204, whether or not there was one.
func TestDelete(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	for range 2 {
		f.expect(f.do("DELETE", "/photos/a", nil, nil), 204, "")
		f.absent("a")
	}
}

// Of many writers with If-None-Match: * exactly one wins.
func TestIfNoneMatchRaceHasOneWinner(t *testing.T) {
	f := start(t)
	for round := range 5 {
		var won, lost atomic.Int32
		var winner atomic.Value
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				body := fmt.Sprint("writer ", i)
				switch r := f.do("PUT", fmt.Sprintf("/photos/r%d", round), []byte(body), map[string]string{"If-None-Match": "*"}); r.status {
				case 200:
					won.Add(1)
					winner.Store(body)
				case 412:
					lost.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || lost.Load() != 7 {
			t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
		}
		if g := f.get(fmt.Sprintf("r%d", round)); string(g.body) != winner.Load() {
			t.Errorf("%q is there, %q won", g.body, winner.Load())
		}
	}
}

// A reader gets the old object or the new one, bytes and metadata of one piece.
func TestOverwriteIsNeverMixed(t *testing.T) {
	f := start(t)
	version := func(i int) (string, map[string]string) {
		c := string(rune('a' + i%26))
		return strings.Repeat(c, 100_000+i), map[string]string{"X-Amz-Meta-Version": c}
	}
	body, h := version(0)
	f.expect(f.do("PUT", "/photos/a", []byte(body), h), 200, "")
	var stop atomic.Bool
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for !stop.Load() {
				g := f.get("a")
				v := g.header.Get("X-Amz-Meta-Version")
				if g.status != 200 || strings.Trim(string(g.body), v) != "" || g.header.Get("ETag") != fmt.Sprintf(`"%x"`, md5.Sum(g.body)) {
					t.Errorf("%d version %s, %d bytes", g.status, v, len(g.body))
					return
				}
			}
		})
	}
	for i := range 60 {
		body, h := version(i)
		f.expect(f.do("PUT", "/photos/a", []byte(body), h), 200, "")
	}
	stop.Store(true)
	all.Wait()
}

// A stock SDK as the client.
func TestSDK(t *testing.T) {
	f := start(t)
	c, ctx := f.sdk(), t.Context()
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("second")})
	must(t, err)
	_, err = c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("second")})
	must(t, err)
	const key = "a/ü b+c&d=e%2F/../x//"
	_, err = c.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("second"), Key: aws.String(key), Body: strings.NewReader("hello"), ContentType: aws.String("image/jpeg"),
		Metadata: map[string]string{"Postern": "ticket"}, CacheControl: aws.String("no-store"),
	})
	must(t, err)
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("second"), Key: aws.String(key)})
	must(t, err)
	if head.Metadata["postern"] != "ticket" || aws.ToInt64(head.ContentLength) != 5 || aws.ToString(head.ContentType) != "image/jpeg" || aws.ToString(head.CacheControl) != "no-store" {
		t.Errorf("head is %+v", head)
	}
	list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("second")})
	must(t, err)
	if len(list.Contents) != 1 || aws.ToString(list.Contents[0].Key) != key || aws.ToInt64(list.Contents[0].Size) != 5 || aws.ToString(list.Contents[0].ETag) != aws.ToString(head.ETag) {
		t.Errorf("list is %+v", list)
	}
	_, err = c.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: aws.String("second"), CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{{
		AllowedOrigins: []string{"https://app.example"}, AllowedMethods: []string{"POST"}, MaxAgeSeconds: aws.Int32(60),
	}}}})
	must(t, err)
	cors, err := c.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: aws.String("second")})
	must(t, err)
	if len(cors.CORSRules) != 1 || cors.CORSRules[0].AllowedOrigins[0] != "https://app.example" {
		t.Errorf("CORS is %+v", cors.CORSRules)
	}
	_, err = c.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: aws.String("second")})
	must(t, err)
	signed, err := s3.NewPresignClient(c).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("second"), Key: aws.String(key)})
	must(t, err)
	if r := f.raw(f.request("GET", strings.TrimPrefix(signed.URL, f.url), nil, nil)); r.status != 200 || string(r.body) != "hello" {
		t.Errorf("presigned: %d %s", r.status, r.body)
	}
	form, err := s3.NewPresignClient(c).PresignPostObject(ctx, &s3.PutObjectInput{Bucket: aws.String("second"), Key: aws.String("form")}, func(o *s3.PresignPostOptions) {
		o.Conditions = []any{[]any{"content-length-range", 1, 10}}
	})
	must(t, err)
	r := f.raw(sdkForm(t, form.URL, form.Values, "by form"))
	f.expect(r, 204, "")
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("second"), Key: aws.String(key)})
	must(t, err)
	var none *types.NoSuchKey
	if _, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("second"), Key: aws.String(key)}); !errorsAs(err, &none) {
		t.Errorf("get after delete: %v", err)
	}
}
