package s3d

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// theirs computes checksums by other code than ours: CRC-64/NVME with the
// standard library and the polynomial of the NVM Express specification,
// reflected.
func theirs() map[string]hash.Hash {
	return map[string]hash.Hash{
		"crc32": crc32.NewIEEE(), "crc32c": crc32.New(crc32.MakeTable(crc32.Castagnoli)), "crc64nvme": crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)),
		"sha1": sha1.New(), "sha256": sha256.New(),
	}
}

func theirSum(name, body string) string {
	h := theirs()[name]
	h.Write([]byte(body))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Known answers: the check values of the CRC catalogue ("123456789") and the
// example of FIPS 180 ("abc").
func TestChecksumVectors(t *testing.T) {
	for _, c := range []struct{ name, text, sum string }{
		{"crc32", "123456789", "cbf43926"},
		{"crc32c", "123456789", "e3069283"},
		{"crc64nvme", "123456789", "ae8b14860a799888"},
		{"sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	} {
		h := findAlgorithm(c.name).new()
		h.Write([]byte(c.text))
		if got := hex.EncodeToString(h.Sum(nil)); got != c.sum {
			t.Errorf("%s of %s is %s, want %s", c.name, c.text, got, c.sum)
		}
	}
	if got := slices.Sorted(maps.Keys(theirs())); !slices.Equal(got, checksumNames()) {
		t.Errorf("names are %v", checksumNames())
	}
	for size := range 300 {
		text := strings.Repeat("x", size*7)
		for name := range theirs() {
			h := findAlgorithm(name).new()
			h.Write([]byte(text))
			if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != theirSum(name, text) {
				t.Fatalf("%s of %d bytes is %s", name, len(text), got)
			}
		}
	}
}

// All five, on PUT, POST and behind a body in chunks: compared, kept, and told
// when asked for. Without one, CRC64NVME is kept.
func TestChecksumsEverywhere(t *testing.T) {
	f := start(t)
	const body = "hello checksums"
	told := func(key string) (name, sum string) {
		t.Helper()
		h := f.do("HEAD", "/photos/"+key, nil, map[string]string{"x-amz-checksum-mode": "ENABLED"}).header
		for n := range theirs() {
			if v := h.Get("x-amz-checksum-" + n); v != "" && name == "" {
				name, sum = n, v
			} else if v != "" {
				t.Errorf("%s has two checksums", key)
			}
		}
		if h.Get("x-amz-checksum-type") != "FULL_OBJECT" {
			t.Errorf("%s: type is %q", key, h.Get("x-amz-checksum-type"))
		}
		return name, sum
	}
	trailing := func(key, announced, line string) reply {
		encoded := fmt.Sprintf("%x\r\n%s\r\n0\r\n%s\r\n\r\n", len(body), body, line)
		return f.doAs("PUT", "/photos/"+key, []byte(encoded), map[string]string{
			"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": fmt.Sprint(len(body)), "X-Amz-Trailer": announced,
		}, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
	}
	for name := range theirs() {
		header, sum, wrong := "x-amz-checksum-"+name, theirSum(name, body), theirSum(name, "other")
		bad := f.do("PUT", "/photos/a", []byte(body), map[string]string{header: wrong})
		f.expect(bad, 400, "BadDigest")
		if want := "The " + strings.ToUpper(name) + " you specified did not match the calculated checksum."; bad.element("Message") != want {
			t.Errorf("message is %q", bad.element("Message"))
		}
		f.expect(f.do("PUT", "/photos/a", []byte(body), map[string]string{header: sum[:4]}), 400, "InvalidRequest")
		f.expect(trailing("a", header, header+":"+wrong), 400, "BadDigest")
		with := func(v string) formSpec {
			return formSpec{fields: append(fieldsFor("up/a"), field("x-amz-checksum-algorithm", strings.ToUpper(name)), field(header, v)), file: aws.String(body)}
		}
		f.refused(with(wrong), 400, "BadDigest", "")

		put := f.do("PUT", "/photos/put", []byte(body), map[string]string{header: sum, "x-amz-sdk-checksum-algorithm": strings.ToUpper(name)})
		f.expect(put, 200, "")
		f.expect(trailing("trailer", header, header+":"+sum), 200, "")
		if put.header.Get(header) != sum || put.header.Get("x-amz-checksum-type") != "FULL_OBJECT" {
			t.Errorf("%s: the answer says %v", name, put.header)
		}
		f.expect(f.post(with(sum)), 204, "")
		for _, key := range []string{"put", "trailer", "up/a"} {
			if n, s := told(key); n != name || s != sum {
				t.Errorf("%s has %s %s, want %s %s", key, n, s, name, sum)
			}
			if g := f.get(key); string(g.body) != body || g.header.Get("Content-Encoding") != "" || g.header.Get(header) != "" {
				t.Errorf("%s: %q %v", key, g.body, g.header)
			}
			f.expect(f.do("DELETE", "/photos/"+key, nil, nil), 204, "")
		}
	}
	f.expect(trailing("a", "x-amz-checksum-md5", "x-amz-checksum-md5:AAAA"), 400, "InvalidRequest")
	f.expect(f.do("PUT", "/photos/a", []byte(body), map[string]string{"x-amz-checksum-type": "COMPOSITE"}), 400, "InvalidRequest")
	f.absent("a")
	f.put("put", body)
	f.expect(f.post(formSpec{file: aws.String(body)}), 204, "")
	for _, key := range []string{"put", "up/a"} {
		if n, s := told(key); n != "crc64nvme" || s != theirSum(n, body) {
			t.Errorf("%s has %s %s", key, n, s)
		}
	}
}

// A stock SDK sends each of them behind its body, signed and unsigned.
func TestSDKChecksums(t *testing.T) {
	f := start(t)
	c, ctx := f.sdk(), t.Context()
	body := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	for _, a := range types.ChecksumAlgorithm("").Values() {
		name := strings.ToLower(string(a))
		if findAlgorithm(name) == nil {
			continue // newer than those S3 had when this was written
		}
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(testBucket), Key: aws.String(name), Body: bytes.NewReader(body), ChecksumAlgorithm: a})
		must(t, err)
		h := f.do("HEAD", "/photos/"+name, nil, map[string]string{"x-amz-checksum-mode": "ENABLED"}).header
		if got := h.Get("x-amz-checksum-" + name); got != theirSum(name, string(body)) {
			t.Errorf("%s is %q", name, got)
		}
	}
	// And checks what it gets.
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(testBucket), Key: aws.String("crc64nvme"), ChecksumMode: types.ChecksumModeEnabled})
	must(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(out.Body)
	must(t, err)
	if !bytes.Equal(b.Bytes(), body) || aws.ToString(out.ChecksumCRC64NVME) == "" {
		t.Errorf("%d bytes, %+v", b.Len(), out)
	}
}
