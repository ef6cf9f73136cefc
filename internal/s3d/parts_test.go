package s3d

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

func sumOf(name, body string) string {
	h := findAlgorithm(name).new()
	io.WriteString(h, body) //nolint:errcheck // into memory
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// [D] UploadPart: "Part numbers can be any number from 1 to 10,000, inclusive."
func TestPartNumbers(t *testing.T) {
	f := start(t)
	u := f.inParts("a", nil)
	for _, n := range []string{"0", "10001", "-1", "", "x", "1.0", "0x1", "99999999999999999999", "%2B"} {
		r := f.do("PUT", u.target()+"&partNumber="+n, []byte("x"), nil)
		if f.expect(r, 400, "InvalidArgument"); r.element("Message") != "Part number must be an integer between 1 and 10000, inclusive" || r.element("ArgumentName") != "partNumber" {
			t.Errorf("%s: %s", n, r.body)
		}
	}
	f.expect(f.do("PUT", u.target(), []byte("x"), nil), 400, "InvalidArgument")
	f.expect(f.do("PUT", u.target()+"&partNumber=1&partNumber=2", []byte("x"), nil), 400, "InvalidArgument")
	u.upload(10_000, "x")
	u.upload(1, "")
	if got := u.parts("").numbers(); !slices.Equal(got, []int{1, 10_000}) {
		t.Errorf("%v", got)
	}
}

// A part's bytes are held against all that is said of them, and one that is
// wrong leaves the part that was there.
func TestPartIsChecked(t *testing.T) {
	f := start(t)
	u := f.inParts("a", nil)
	etag := u.upload(1, "good")
	for _, c := range []struct {
		header map[string]string
		code   string
	}{
		{map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(make([]byte, 16))}, "BadDigest"},
		{map[string]string{"Content-MD5": "x"}, "InvalidDigest"},
		{map[string]string{"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"},
		{map[string]string{"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, "BadDigest"},
		{map[string]string{"x-amz-checksum-sha256": "x"}, "InvalidRequest"},
		{map[string]string{"x-amz-checksum-crc32": sumOf("crc32", "bad"), "x-amz-checksum-sha1": sumOf("sha1", "bad")}, "InvalidRequest"},
	} {
		f.expect(u.part(1, "bad", c.header), 400, c.code)
	}
	f.expect(f.doAs("PUT", u.target()+"&partNumber=1", []byte("bad"), nil, strings.Repeat("0", 64)), 400, "XAmzContentSHA256Mismatch")
	if l := u.parts(""); len(l.Parts) != 1 || l.Parts[0].ETag != etag || len(f.files()) != 2 {
		t.Errorf("%+v, files %v", l, f.files())
	}
	// Five GiB and a byte, of which none is sent.
	r := f.request("PUT", u.target()+"&partNumber=1", nil, nil)
	r.ContentLength, r.Body = 5<<30+1, io.NopCloser(strings.NewReader(""))
	r.Header.Set("Expect", "100-continue")
	must(t, f.signer.SignHeader(testKey, f.now(), r, sigv4.UnsignedPayload))
	got := f.raw(r)
	f.expect(got, 400, "EntityTooLarge")
	if got.element("MaxSizeAllowed") != "5368709120" {
		t.Errorf("%s", got.body)
	}
}

// A checksum that was chosen for the upload is the one of its parts; one that
// the object's is made of comes with each of them. Recorded answers.
func TestPartChecksums(t *testing.T) {
	f := start(t)
	for _, c := range []struct{ algorithm, kind, given, message, kept string }{
		{"SHA256", "", "", "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: null", ""},
		{"CRC32", "", "", "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: null", ""},
		{"CRC32", "", "crc32c", "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: crc32c", ""},
		{"CRC32", fullObject, "sha1", "Checksum Type mismatch occurred, expected checksum Type: crc32, actual checksum Type: sha1", ""},
		{"CRC32", fullObject, "", "", "crc32"},
		{"CRC32", fullObject, "crc32", "", "crc32"},
		{"CRC64NVME", "", "", "", "crc64nvme"},
		{"SHA256", "", "sha256", "", "sha256"},
		{"", "", "", "", "crc64nvme"},
		{"", "", "crc64nvme", "", "crc64nvme"},
		{"", "", "sha256", "", "sha256"},
	} {
		h := make(map[string]string)
		if c.algorithm != "" {
			h["x-amz-checksum-algorithm"] = c.algorithm
		}
		if c.kind != "" {
			h["x-amz-checksum-type"] = c.kind
		}
		u := f.inParts("a", h)
		var with map[string]string
		if c.given != "" {
			with = map[string]string{"x-amz-checksum-" + c.given: sumOf(c.given, "body")}
		}
		r := u.part(1, "body", with)
		if c.message != "" {
			if f.expect(r, 400, "InvalidRequest"); r.element("Message") != c.message {
				t.Errorf("%+v: %s", c, r.body)
			}
			continue
		}
		f.expect(r, 200, "")
		if got := r.header.Get("x-amz-checksum-" + c.kept); got != sumOf(c.kept, "body") {
			t.Errorf("%+v: %v", c, r.header)
		}
		if c.algorithm == "" {
			if p := u.parts("").Parts[0]; p.ChecksumCRC64NVME != sumOf("crc64nvme", "body") {
				t.Errorf("%+v: %+v", c, p)
			}
		}
	}
}

// aws-chunked parts, as SDKs send them.
func TestPartInChunks(t *testing.T) {
	f := start(t)
	u := f.inParts("a", map[string]string{"x-amz-checksum-algorithm": "CRC32"})
	send := func(sum string) reply {
		body := "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:" + sum + "\r\n\r\n"
		return f.doAs("PUT", u.target()+"&partNumber=7", []byte(body), map[string]string{
			"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "4", "X-Amz-Trailer": "x-amz-checksum-crc32",
		}, sigv4.StreamingUnsignedTrailer)
	}
	f.expect(send(sumOf("crc32", "other")), 400, "BadDigest")
	f.expect(send(sumOf("crc32", "body")), 200, "")
	if p := u.parts("").Parts[0]; p.PartNumber != 7 || p.Size != 4 || p.ChecksumCRC32 != sumOf("crc32", "body") {
		t.Errorf("%+v", p)
	}
}

// [D] ListParts.
func TestListParts(t *testing.T) {
	f := start(t)
	u := f.inParts("a", nil)
	l := u.parts("")
	if l.Key != "a" || l.Bucket != testBucket || l.UploadId != u.id || l.MaxParts != 1000 || l.IsTruncated || len(l.Parts) > 0 || l.Owner.ID == "" || l.Initiator.ID != l.Owner.ID || l.StorageClass != "STANDARD" {
		t.Errorf("%+v", l)
	}
	numbers := []int{1, 2, 3, 5, 8, 13, 999, 10_000}
	for _, n := range numbers {
		u.upload(n, strings.Repeat("x", n))
	}
	l = u.parts("")
	if !slices.Equal(l.numbers(), numbers) {
		t.Errorf("%+v", l)
	}
	if p := l.Parts[4]; p.Size != 8 || p.ETag != etagOf("xxxxxxxx") || p.ChecksumCRC64NVME != sumOf("crc64nvme", "xxxxxxxx") {
		t.Errorf("%+v", p)
	}
	if at, err := time.Parse(time.RFC3339, l.Parts[0].LastModified); err != nil || time.Since(at) > time.Minute {
		t.Errorf("%+v", l.Parts[0])
	}
	for size := 1; size <= len(numbers)+1; size++ {
		var all []int
		for marker := 0; ; {
			l := u.parts(fmt.Sprintf("&max-parts=%d&part-number-marker=%d", size, marker))
			all = append(all, l.numbers()...)
			if l.PartNumberMarker != marker || l.MaxParts != size || l.IsTruncated == (len(all) == len(numbers)) {
				t.Fatalf("%+v", l)
			}
			if !l.IsTruncated {
				break
			}
			marker = l.NextPartNumberMarker
		}
		if !slices.Equal(all, numbers) {
			t.Errorf("by %d: %v", size, all)
		}
	}
	if l := u.parts("&max-parts=0"); len(l.Parts) > 0 || l.IsTruncated {
		t.Errorf("%+v", l)
	}
	if l := u.parts("&max-parts=5000&part-number-marker=2147483647"); l.MaxParts != 1000 || len(l.Parts) > 0 {
		t.Errorf("%+v", l)
	}
	for _, query := range []string{"&max-parts=-1", "&max-parts=x", "&max-parts=", "&part-number-marker=-1", "&part-number-marker=x", "&part-number-marker=2147483648"} {
		f.expect(f.do("GET", u.target()+query, nil, nil), 400, "InvalidArgument")
	}
}

// A part that comes in slowly keeps nobody waiting, not even who aborts or
// completes; then it is too late, and nothing of it stays.
func TestSlowPartBlocksNobody(t *testing.T) {
	f := start(t)
	for _, end := range []string{"abort", "complete"} {
		u := f.inParts("a", nil)
		body, w := io.Pipe()
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		r, err := http.NewRequestWithContext(ctx, "PUT", f.url+u.target()+"&partNumber=1", body)
		must(t, err)
		r.ContentLength = 4
		must(t, f.signer.SignHeader(testKey, f.now(), r, sigv4.UnsignedPayload))
		done := make(chan reply, 1)
		go func() {
			defer stop()
			done <- f.raw(r)
		}()
		write(t, w, "sl")
		eventually(t, "a draft", func() bool {
			names, err := readNames(f.bucket().dir + "/" + draftsDir)
			return err == nil && len(names) == 1
		})
		etag := u.upload(2, "quick")
		u.upload(1, "replaced by the slow one, were it in time")
		u.parts("")
		if end == "abort" {
			f.expect(f.do("DELETE", u.target(), nil, nil), 204, "")
		} else {
			f.expect(u.complete(nil, named(2, etag)), 200, "")
		}
		write(t, w, "ow")
		must(t, w.Close())
		f.expect(<-done, 404, "NoSuchUpload")
		if names, err := readNames(f.bucket().dir + "/" + draftsDir); err != nil || len(names) > 0 {
			t.Errorf("left %v (%v)", names, err)
		}
		if names, err := readNames(f.bucket().uploads.dir); err != nil || len(names) > 0 {
			t.Errorf("left %v (%v)", names, err)
		}
	}
}

// Parts, lists, completions and an abort at once: each answer is one that some
// order of them explains, and all parts of the object are of one upload.
func TestUploadIsUsedAtOnce(t *testing.T) {
	f := start(t)
	for round := range 8 {
		u := f.inParts("a", nil)
		first := u.upload(1, fmt.Sprint("first ", round))
		var all sync.WaitGroup
		statuses := make([]int, 12)
		for i := range statuses {
			all.Go(func() {
				switch i % 4 {
				case 0:
					statuses[i] = u.part(1, fmt.Sprint("again ", round), nil).status
				case 1:
					statuses[i] = f.do("GET", u.target(), nil, nil).status
				case 2:
					statuses[i] = u.complete(nil, named(1, first)).status
				default:
					if round%2 == 0 {
						statuses[i] = f.do("DELETE", u.target(), nil, nil).status
					}
				}
			})
		}
		all.Wait()
		for i, status := range statuses {
			if allowed := []int{0, 200, 204, 400, 404}; !slices.Contains(allowed, status) {
				t.Errorf("request %d: %d", i, status)
			}
		}
		if round%2 == 0 || statuses[2] == 200 || statuses[6] == 200 || statuses[10] == 200 {
			if ok, err := f.bucket().hasUploads(); ok || err != nil {
				t.Errorf("left: %v, %v, %v", ok, err, statuses)
			}
		} else {
			f.expect(f.do("DELETE", u.target(), nil, nil), 204, "")
		}
	}
	must(t, errors.Join(f.bucket().clean()))
}

// Threat 14: "part 1 byte longer 403; 10001st part refused".
func TestThreat14_PartOfAnotherSize(t *testing.T) {
	f := start(t)
	u := f.inParts("a", nil)
	target := u.target() + "&partNumber=1"
	signed := strings.TrimPrefix(f.presign("PUT", target, map[string]string{"Content-Length": "4"}), f.url)
	f.expect(f.raw(f.request("PUT", signed, []byte("12345"), nil)), 403, "SignatureDoesNotMatch")
	f.expect(f.raw(f.request("PUT", strings.Replace(signed, "partNumber=1", "partNumber=2", 1), []byte("1234"), nil)), 403, "SignatureDoesNotMatch")
	f.expect(f.raw(f.request("PUT", signed, []byte("1234"), nil)), 200, "")
	f.expect(u.part(10_001, "x", nil), 400, "InvalidArgument")
	if l := u.parts(""); len(l.Parts) != 1 || l.Parts[0].Size != 4 {
		t.Errorf("%+v", l)
	}
}
