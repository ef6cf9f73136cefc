package clients

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestAWSPut(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		for _, size := range []int{0, 1, 64 << 10, 1<<20 + 7} {
			b := pattern(size)
			out, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("k"), Body: bytes.NewReader(b)})
			must(t, err)
			// The checksum that SDKs add on their own.
			if out.ChecksumCRC32 == nil || out.ChecksumType != types.ChecksumTypeFullObject {
				t.Errorf("%d bytes: answer has no checksum: %+v", size, out)
			}
			if c.content("k") != string(b) {
				t.Errorf("%d bytes came back otherwise", size)
			}
			// Only TLS allows a body whose checksum is not known before.
			if s.ca == "" {
				continue
			}
			_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("s"), Body: unseekable(b), ContentLength: aws.Int64(int64(size))})
			must(t, err)
			if c.content("s") != string(b) {
				t.Errorf("%d bytes came back otherwise from a stream", size)
			}
		}
		plain := s3.New(c.Options(), func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired })
		_, err := plain.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("plain"), Body: strings.NewReader("plain")})
		must(t, err)
		equal(t, "content", c.content("plain"), "plain")
		head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: c.name, Key: aws.String("plain"), ChecksumMode: types.ChecksumModeEnabled})
		must(t, err)
		if head.ChecksumCRC64NVME == nil {
			t.Errorf("S3 makes a CRC-64/NVME when nothing is sent: %+v", head)
		}
	})
}

func TestAWSChecksums(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
			out := c.put("k", "checked", func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = algorithm })
			head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: c.name, Key: aws.String("k"), ChecksumMode: types.ChecksumModeEnabled})
			must(t, err)
			for name, pair := range map[types.ChecksumAlgorithm][2]*string{
				"CRC32": {out.ChecksumCRC32, head.ChecksumCRC32}, "CRC32C": {out.ChecksumCRC32C, head.ChecksumCRC32C},
				"CRC64NVME": {out.ChecksumCRC64NVME, head.ChecksumCRC64NVME},
				"SHA1":      {out.ChecksumSHA1, head.ChecksumSHA1}, "SHA256": {out.ChecksumSHA256, head.ChecksumSHA256},
			} {
				if (pair[0] != nil) != (name == algorithm) || aws.ToString(pair[0]) != aws.ToString(pair[1]) {
					t.Errorf("%s: %s is %q on PUT and %q on HEAD", algorithm, name, aws.ToString(pair[0]), aws.ToString(pair[1]))
				}
			}
			equal(t, "checksum type", head.ChecksumType, types.ChecksumTypeFullObject)
			get, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: c.name, Key: aws.String("k"), ChecksumMode: types.ChecksumModeEnabled})
			must(t, err)
			equal(t, "content", c.read(get), "checked")
			if checked, _ := s3.GetChecksumValidationMetadata(get.ResultMetadata); !slices.Equal(checked.AlgorithmsUsed, []string{string(algorithm)}) {
				t.Errorf("the SDK checked %v, want %s", checked.AlgorithmsUsed, algorithm)
			}
			list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: c.name})
			must(t, err)
			if o := list.Contents[0]; len(o.ChecksumAlgorithm) != 1 || o.ChecksumAlgorithm[0] != algorithm {
				t.Errorf("%s: list says %v", algorithm, o.ChecksumAlgorithm)
			}
		}
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("bad"), Body: strings.NewReader("x"), ChecksumSHA256: aws.String(strings.Repeat("A", 43) + "=")})
		refused(t, err, 400, "BadDigest")
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("bad"), Body: strings.NewReader("x"), ContentMD5: aws.String(strings.Repeat("A", 22) + "==")})
		refused(t, err, 400, "BadDigest")
		equal(t, "an object with a wrong checksum is there", c.exists("bad"), false)
	})
}

func TestAWSGet(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		put := c.put("k", "0123456789", func(in *s3.PutObjectInput) {
			in.ContentType, in.CacheControl, in.ContentDisposition = aws.String("text/plain"), aws.String("max-age=60"), aws.String(`inline; filename="k"`)
			in.ContentEncoding, in.ContentLanguage = aws.String("identity"), aws.String("de")
			in.Metadata = map[string]string{"album": "42", "MixedCase": "Value"}
		})
		get := func(more func(*s3.GetObjectInput)) (*s3.GetObjectOutput, error) {
			in := &s3.GetObjectInput{Bucket: c.name, Key: aws.String("k")}
			more(in)
			return c.GetObject(ctx, in)
		}
		out, err := get(func(*s3.GetObjectInput) {})
		must(t, err)
		equal(t, "content", c.read(out), "0123456789")
		equal(t, "length", *out.ContentLength, 10)
		equal(t, "type", *out.ContentType, "text/plain")
		equal(t, "cache control", *out.CacheControl, "max-age=60")
		equal(t, "disposition", *out.ContentDisposition, `inline; filename="k"`)
		equal(t, "language", *out.ContentLanguage, "de")
		equal(t, "ETag", *out.ETag, *put.ETag)
		equal(t, "metadata", out.Metadata["album"]+out.Metadata["mixedcase"], "42Value")
		if out.LastModified == nil || out.AcceptRanges == nil {
			t.Errorf("headers lack: %+v", out)
		}
		for r, want := range map[string]string{"bytes=2-4": "234", "bytes=-3": "789", "bytes=7-": "789", "bytes=8-100": "89"} {
			out, err = get(func(in *s3.GetObjectInput) { in.Range = &r })
			must(t, err)
			equal(t, r, c.read(out), want)
			if out.ContentRange == nil {
				t.Errorf("%s: no Content-Range", r)
			}
		}
		_, err = get(func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=10-") })
		refused(t, err, 416, "InvalidRange")

		_, err = get(func(in *s3.GetObjectInput) { in.IfMatch = put.ETag })
		must(t, err)
		_, err = get(func(in *s3.GetObjectInput) { in.IfMatch = aws.String(`"other"`) })
		refused(t, err, 412, "PreconditionFailed")
		_, err = get(func(in *s3.GetObjectInput) { in.IfNoneMatch = put.ETag })
		unchanged(t, err)
		_, err = get(func(in *s3.GetObjectInput) { in.IfModifiedSince = out.LastModified })
		unchanged(t, err)
		_, err = get(func(in *s3.GetObjectInput) { in.IfModifiedSince = aws.Time(day(-1)) })
		must(t, err)
		_, err = get(func(in *s3.GetObjectInput) { in.IfUnmodifiedSince = aws.Time(day(-1)) })
		refused(t, err, 412, "PreconditionFailed")
		_, err = get(func(in *s3.GetObjectInput) { in.IfUnmodifiedSince = out.LastModified })
		must(t, err)

		out, err = get(func(in *s3.GetObjectInput) {
			in.ResponseContentType, in.ResponseContentDisposition = aws.String("image/png"), aws.String("attachment")
			in.ResponseCacheControl, in.ResponseContentLanguage = aws.String("no-store"), aws.String("en")
		})
		must(t, err)
		equal(t, "overrides", strings.Join([]string{*out.ContentType, *out.ContentDisposition, *out.CacheControl, *out.ContentLanguage}, " "), "image/png attachment no-store en")

		_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: c.name, Key: aws.String("none")})
		typed[*types.NoSuchKey](t, err)
		refused(t, err, 404, "NoSuchKey")
		_, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: c.name, Key: aws.String("none")})
		typed[*types.NotFound](t, err)
		_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucketName()), Key: aws.String("k")})
		refused(t, err, 404, "NoSuchBucket")
	})
}

func unchanged(t *testing.T, err error) {
	t.Helper()
	var answer interface{ HTTPStatusCode() int }
	if !errors.As(err, &answer) || answer.HTTPStatusCode() != http.StatusNotModified {
		t.Errorf("error is %v, want 304", err)
	}
}

// Headers carry the bytes of UTF-8 there, and RFC 2047 words back.
func TestAWSMetadata(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		for _, value := range []string{"schöne Grüße", "日本語", "plain  two spaces", "=?UTF-8?Q?=C3=BC?="} {
			c.put("k", "x", func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"title": value} })
			head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: c.name, Key: aws.String("k")})
			must(t, err)
			got, err := new(mime.WordDecoder).DecodeHeader(head.Metadata["title"])
			must(t, err)
			want, err := new(mime.WordDecoder).DecodeHeader(value)
			must(t, err)
			if got != want || strings.Trim(head.Metadata["title"], " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") != "" {
				t.Errorf("%q came back as %q", value, head.Metadata["title"])
			}
		}
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: c.name, Key: aws.String("large"), Metadata: map[string]string{"m": strings.Repeat("x", 2048)},
		})
		refused(t, err, 400, "MetadataTooLarge")
	})
}

func TestAWSConditionalPut(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		first := c.put("k", "first", func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") })
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("k"), Body: strings.NewReader("second"), IfNoneMatch: aws.String("*")})
		refused(t, err, 412, "PreconditionFailed")
		equal(t, "content", c.content("k"), "first")
		second := c.put("k", "second", func(in *s3.PutObjectInput) { in.IfMatch = first.ETag })
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("k"), Body: strings.NewReader("third"), IfMatch: first.ETag})
		refused(t, err, 412, "PreconditionFailed")
		equal(t, "content", c.content("k"), "second")
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("none"), Body: strings.NewReader("x"), IfMatch: second.ETag})
		refused(t, err, 404, "NoSuchKey")

		// One of many wins.
		var wins, losses int
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("race"), Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")})
				mu.Lock()
				defer mu.Unlock()
				var answer interface{ HTTPStatusCode() int }
				switch {
				case err == nil:
					wins++
				case errors.As(err, &answer) && (answer.HTTPStatusCode() == http.StatusPreconditionFailed || answer.HTTPStatusCode() == http.StatusConflict):
					losses++
				}
			})
		}
		all.Wait()
		if wins != 1 || losses != 7 {
			t.Errorf("%d won and %d lost", wins, losses)
		}
	})
}

func TestAWSCopy(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		put := c.put("from ü+&.txt", "content", func(in *s3.PutObjectInput) {
			in.ContentType, in.Metadata, in.Tagging = aws.String("text/plain"), map[string]string{"a": "1"}, aws.String("k=v")
		})
		from := escaped(c.bucket, "from ü+&.txt")
		cp := func(more func(*s3.CopyObjectInput)) (*s3.CopyObjectOutput, error) {
			in := &s3.CopyObjectInput{Bucket: c.name, Key: aws.String("to"), CopySource: from}
			more(in)
			return c.CopyObject(ctx, in)
		}
		head := func() *s3.HeadObjectOutput {
			out, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: c.name, Key: aws.String("to")})
			must(t, err)
			return out
		}
		out, err := cp(func(*s3.CopyObjectInput) {})
		must(t, err)
		equal(t, "ETag", *out.CopyObjectResult.ETag, *put.ETag)
		if out.CopyObjectResult.LastModified == nil {
			t.Error("no LastModified")
		}
		equal(t, "content", c.content("to"), "content")
		if h := head(); *h.ContentType != "text/plain" || h.Metadata["a"] != "1" || aws.ToInt32(h.TagCount) != 1 {
			t.Errorf("copy has %s %v", *h.ContentType, h.Metadata)
		}
		_, err = cp(func(in *s3.CopyObjectInput) {
			in.MetadataDirective, in.ContentType, in.Metadata = types.MetadataDirectiveReplace, aws.String("image/png"), map[string]string{"b": "2"}
			in.TaggingDirective, in.Tagging = types.TaggingDirectiveReplace, aws.String("x=y&z=w")
			in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
		})
		must(t, err)
		if h := head(); *h.ContentType != "image/png" || h.Metadata["a"] != "" || h.Metadata["b"] != "2" || aws.ToInt32(h.TagCount) != 2 {
			t.Errorf("copy has %s %v", *h.ContentType, h.Metadata)
		}
		_, err = cp(func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = put.ETag })
		must(t, err)
		_, err = cp(func(in *s3.CopyObjectInput) { in.CopySourceIfNoneMatch = put.ETag })
		refused(t, err, 412, "PreconditionFailed")
		_, err = cp(func(in *s3.CopyObjectInput) { in.CopySourceIfUnmodifiedSince = aws.Time(day(-1)) })
		refused(t, err, 412, "PreconditionFailed")
		_, err = cp(func(in *s3.CopyObjectInput) { in.CopySource = escaped(c.bucket, "none") })
		refused(t, err, 404, "NoSuchKey")
		_, err = cp(func(in *s3.CopyObjectInput) { in.Key = aws.String("from ü+&.txt") })
		refused(t, err, 400, "InvalidRequest") // onto itself, unchanged
		_, err = cp(func(in *s3.CopyObjectInput) {
			in.Key, in.MetadataDirective = aws.String("from ü+&.txt"), types.MetadataDirectiveReplace
		})
		must(t, err)
	})
}

func TestAWSTags(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		c.put("k", "x", func(in *s3.PutObjectInput) { in.Tagging = aws.String("state=new&who=a%20b") })
		tags := func() map[string]string {
			out, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: c.name, Key: aws.String("k")})
			must(t, err)
			all := map[string]string{}
			for _, tag := range out.TagSet {
				all[*tag.Key] = *tag.Value
			}
			return all
		}
		if got := tags(); len(got) != 2 || got["state"] != "new" || got["who"] != "a b" {
			t.Errorf("tags are %v", got)
		}
		set := func(pairs ...string) error {
			var all []types.Tag
			for i := 0; i < len(pairs); i += 2 {
				all = append(all, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
			}
			_, err := c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: c.name, Key: aws.String("k"), Tagging: &types.Tagging{TagSet: all}})
			return err
		}
		must(t, set("größe", "100 + 1", "empty", ""))
		if got := tags(); len(got) != 2 || got["größe"] != "100 + 1" || got["empty"] != "" {
			t.Errorf("tags are %v", got)
		}
		refused(t, set("a", "1", "a", "2"), 400, "InvalidTag")
		_, err := c.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: c.name, Key: aws.String("k")})
		must(t, err)
		if got := tags(); len(got) != 0 {
			t.Errorf("tags are %v", got)
		}
		_, err = c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: c.name, Key: aws.String("none")})
		refused(t, err, 404, "NoSuchKey")
	})
}

func TestAWSKeys(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		all := keys(t)
		for _, key := range all {
			c.put(key, key)
		}
		list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: c.name})
		must(t, err)
		listed := map[string]bool{}
		for i, o := range list.Contents {
			listed[*o.Key] = true
			if i > 0 && *list.Contents[i-1].Key >= *o.Key {
				t.Errorf("%q stands after %q", *o.Key, *list.Contents[i-1].Key)
			}
		}
		equal(t, "number of keys", len(listed), len(all))
		for _, key := range all {
			if !listed[key] {
				t.Errorf("%q is not listed", key)
			}
			equal(t, "content", c.content(key), key)
			_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: c.name, Key: aws.String("copy"), CopySource: escaped(c.bucket, key)})
			must(t, err)
			equal(t, "copy", c.content("copy"), key)
			_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: c.name, Key: &key})
			must(t, err)
			equal(t, "there after delete", c.exists(key), false)
		}
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String(strings.Repeat("x", 1025))})
		refused(t, err, 400, "KeyTooLongError")
	})
}

func TestAWSDelete(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: c.name, Key: aws.String("none")})
		must(t, err) // as S3: nothing to delete is no error
		for _, k := range []string{"a", "b", "c&<d>"} {
			c.put(k, "x")
		}
		ids := []types.ObjectIdentifier{{Key: aws.String("a")}, {Key: aws.String("none")}, {Key: aws.String("c&<d>")}}
		out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: c.name, Delete: &types.Delete{Objects: ids}})
		must(t, err)
		if len(out.Deleted) != 3 || len(out.Errors) != 0 {
			t.Errorf("deleted %+v, errors %+v", out.Deleted, out.Errors)
		}
		equal(t, "b is there", c.exists("b"), true)
		equal(t, "c is there", c.exists("c&<d>"), false)
		out, err = c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: c.name, Delete: &types.Delete{
			Objects: []types.ObjectIdentifier{{Key: aws.String("b")}}, Quiet: aws.Bool(true),
		}})
		must(t, err)
		equal(t, "number told of when quiet", len(out.Deleted), 0)
		equal(t, "b is there", c.exists("b"), false)
	})
}
