package clients

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/cors"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/lifecycle"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// mc is minio-go on a site, and a bucket of its own for the test.
type mc struct {
	*minio.Client
	t      *testing.T
	site   site
	bucket string
}

func newMinIO(t *testing.T, s site, trailing bool) *mc {
	t.Helper()
	at, err := url.Parse(s.endpoint)
	must(t, err)
	transport, err := minio.DefaultTransport(at.Scheme == "https")
	must(t, err)
	if s.roots != nil {
		transport.TLSClientConfig.RootCAs = s.roots
	}
	c, err := minio.New(at.Host, &minio.Options{
		Creds: credentials.NewStaticV4(s.id, s.secret, ""), Secure: at.Scheme == "https", Region: s.region,
		Transport: transport, TrailingHeaders: trailing,
		MaxRetries: 1, // what fails at first is to be seen
	})
	must(t, err)
	return &mc{Client: c, t: t, site: s, bucket: bucketName()}
}

func minioWithBucket(t *testing.T, s site, trailing bool) *mc {
	t.Helper()
	c := newMinIO(t, s, trailing)
	must(t, c.MakeBucket(t.Context(), c.bucket, minio.MakeBucketOptions{Region: s.region}))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for failed := range c.RemoveObjects(ctx, c.bucket, c.ListObjects(ctx, c.bucket, minio.ListObjectsOptions{Recursive: true}), minio.RemoveObjectsOptions{}) {
			t.Errorf("delete %s: %v", failed.ObjectName, failed.Err)
		}
		if err := c.RemoveBucket(ctx, c.bucket); err != nil {
			t.Errorf("delete bucket: %v", err)
		}
	})
	return c
}

func (c *mc) put(key, content string, o minio.PutObjectOptions) minio.UploadInfo {
	c.t.Helper()
	info, err := c.PutObject(c.t.Context(), c.bucket, key, strings.NewReader(content), int64(len(content)), o)
	must(c.t, err)
	return info
}

func (c *mc) content(key string, o minio.GetObjectOptions) (string, error) {
	c.t.Helper()
	body, err := c.GetObject(c.t.Context(), c.bucket, key, o)
	must(c.t, err)
	defer body.Close()
	b, err := io.ReadAll(body)
	return string(b), err
}

func (c *mc) holds(key, want string) {
	c.t.Helper()
	if got, err := c.content(key, minio.GetObjectOptions{}); err != nil || got != want {
		c.t.Errorf("%q holds %d bytes (%v), want %d others", key, len(got), err, len(want))
	}
}

func (c *mc) refused(err error, status int, code string) {
	c.t.Helper()
	if e := minio.ToErrorResponse(err); e.Code != code || e.StatusCode != status {
		c.t.Errorf("error is %d %s (%v), want %d %s", e.StatusCode, e.Code, err, status, code)
	}
}

func TestMinIOBuckets(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := newMinIO(t, s, false)
		ctx := t.Context()
		found, err := c.BucketExists(ctx, c.bucket)
		must(t, err)
		equal(t, "bucket exists", found, false)
		c.refused(c.RemoveBucket(ctx, c.bucket), 404, "NoSuchBucket")
		must(t, c.MakeBucket(ctx, c.bucket, minio.MakeBucketOptions{}))
		found, err = c.BucketExists(ctx, c.bucket)
		must(t, err)
		equal(t, "bucket exists", found, true)
		place, err := c.GetBucketLocation(ctx, c.bucket)
		must(t, err)
		equal(t, "location", place, s.region)
		if s.region != "us-east-1" {
			c.refused(c.MakeBucket(ctx, c.bucket, minio.MakeBucketOptions{}), 409, "BucketAlreadyOwnedByYou")
		}
		all, err := c.ListBuckets(ctx)
		must(t, err)
		if !slices.ContainsFunc(all, func(b minio.BucketInfo) bool { return b.Name == c.bucket && !b.CreationDate.IsZero() }) {
			t.Errorf("%s is not among %v", c.bucket, all)
		}
		c.put("a", "x", minio.PutObjectOptions{})
		c.refused(c.RemoveBucket(ctx, c.bucket), 409, "BucketNotEmpty")
		must(t, c.RemoveObject(ctx, c.bucket, "a", minio.RemoveObjectOptions{}))
		must(t, c.RemoveBucket(ctx, c.bucket))

		// Without a region it asks for the bucket's own first.
		c = newMinIO(t, site{endpoint: s.endpoint, id: s.id, secret: s.secret, roots: s.roots}, false)
		must(t, c.MakeBucket(ctx, c.bucket, minio.MakeBucketOptions{Region: s.region}))
		c.put("a", "found", minio.PutObjectOptions{})
		c.holds("a", "found")
		must(t, c.RemoveObject(ctx, c.bucket, "a", minio.RemoveObjectOptions{}))
		must(t, c.RemoveBucket(ctx, c.bucket))
	})
}

// Over http it signs each chunk of the body, and over https none; with
// trailing headers a checksum comes behind them.
func TestMinIOPut(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		for _, trailing := range []bool{false, true} {
			c := minioWithBucket(t, s, trailing)
			for _, size := range []int{0, 1, 64 << 10, 200_001, 1<<20 + 7} {
				b := pattern(size)
				for name, body := range map[string]io.Reader{"seekable": bytes.NewReader(b), "stream": unseekable(b)} {
					info, err := c.PutObject(t.Context(), c.bucket, name, body, int64(size), minio.PutObjectOptions{})
					must(t, err)
					equal(t, "size", info.Size, int64(size))
					c.holds(name, string(b))
				}
			}
			c.put("md5", "x", minio.PutObjectOptions{SendContentMd5: true})
			c.put("unsigned", "x", minio.PutObjectOptions{DisableContentSha256: true})
			c.holds("unsigned", "x")
			if !trailing {
				continue
			}
			for _, sum := range []minio.ChecksumType{minio.ChecksumCRC32, minio.ChecksumCRC32C, minio.ChecksumCRC64NVME, minio.ChecksumSHA1, minio.ChecksumSHA256} {
				info := c.put("k", "checked", minio.PutObjectOptions{Checksum: sum})
				stat, err := c.StatObject(t.Context(), c.bucket, "k", minio.StatObjectOptions{Checksum: true})
				must(t, err)
				of := map[minio.ChecksumType]string{
					minio.ChecksumCRC32: stat.ChecksumCRC32, minio.ChecksumCRC32C: stat.ChecksumCRC32C, minio.ChecksumCRC64NVME: stat.ChecksumCRC64NVME,
					minio.ChecksumSHA1: stat.ChecksumSHA1, minio.ChecksumSHA256: stat.ChecksumSHA256,
				}
				answered := map[minio.ChecksumType]string{
					minio.ChecksumCRC32: info.ChecksumCRC32, minio.ChecksumCRC32C: info.ChecksumCRC32C, minio.ChecksumCRC64NVME: info.ChecksumCRC64NVME,
					minio.ChecksumSHA1: info.ChecksumSHA1, minio.ChecksumSHA256: info.ChecksumSHA256,
				}
				for name, got := range of {
					if (got != "") != (name == sum) || got != answered[name] {
						t.Errorf("%s: %s is %q on HEAD, %q on PUT", sum, name, got, answered[name])
					}
				}
				c.holds("k", "checked")
			}
		}
	})
}

func TestMinIOGet(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := minioWithBucket(t, s, false)
		ctx := t.Context()
		info := c.put("k", "0123456789", minio.PutObjectOptions{
			ContentType: "text/plain", CacheControl: "max-age=60", UserMetadata: map[string]string{"album": "42"}, UserTags: map[string]string{"a b": "c+d"},
		})
		stat, err := c.StatObject(ctx, c.bucket, "k", minio.StatObjectOptions{})
		must(t, err)
		if stat.ETag != info.ETag || stat.Size != 10 || stat.ContentType != "text/plain" || stat.UserMetadata["Album"] != "42" || stat.UserTagCount != 1 || stat.LastModified.IsZero() {
			t.Errorf("object is %+v", stat)
		}
		for want, set := range map[string]func(*minio.GetObjectOptions) error{
			"234":        func(o *minio.GetObjectOptions) error { return o.SetRange(2, 4) },
			"789":        func(o *minio.GetObjectOptions) error { return o.SetRange(0, -3) },
			"0123456789": func(o *minio.GetObjectOptions) error { return o.SetMatchETag(info.ETag) },
		} {
			o := minio.GetObjectOptions{}
			must(t, set(&o))
			got, err := c.content("k", o)
			must(t, err)
			equal(t, "content", got, want)
		}
		o := minio.GetObjectOptions{}
		must(t, o.SetMatchETag("other"))
		_, err = c.content("k", o)
		c.refused(err, 412, "PreconditionFailed")
		_, err = c.content("none", minio.GetObjectOptions{})
		c.refused(err, 404, "NoSuchKey")
		_, err = c.StatObject(ctx, c.bucket, "none", minio.StatObjectOptions{})
		c.refused(err, 404, "NoSuchKey")

		// Reading at any place, as an io.ReaderAt and io.Seeker.
		body, err := c.GetObject(ctx, c.bucket, "k", minio.GetObjectOptions{})
		must(t, err)
		defer body.Close()
		b := make([]byte, 3)
		_, err = body.ReadAt(b, 6)
		must(t, err)
		equal(t, "read at 6", string(b), "678")
		_, err = body.Seek(-2, io.SeekEnd)
		must(t, err)
		rest, err := io.ReadAll(body)
		must(t, err)
		equal(t, "end", string(rest), "89")

		first := minio.PutObjectOptions{}
		first.SetMatchETagExcept("*")
		_, err = c.PutObject(ctx, c.bucket, "k", strings.NewReader("x"), 1, first)
		c.refused(err, 412, "PreconditionFailed")
		c.holds("k", "0123456789")
	})
}

func TestMinIOList(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := minioWithBucket(t, s, false)
		for _, k := range listing {
			c.put(k, "x", minio.PutObjectOptions{})
		}
		for _, v1 := range []bool{false, true} {
			for _, want := range []struct {
				prefix, keys string
				recursive    bool
			}{
				{"", "a a/ b/ c ü/", false},
				{"", strings.Join(listing, " "), true},
				{"a/", "a/1 a/2 a/b/", false},
				{"ü", "ü/1", true},
				{"none", "", true},
			} {
				for _, size := range []int{0, 1, 2} {
					var got []string
					for o := range c.ListObjects(t.Context(), c.bucket, minio.ListObjectsOptions{Prefix: want.prefix, Recursive: want.recursive, MaxKeys: size, UseV1: v1}) {
						must(t, o.Err)
						got = append(got, o.Key)
					}
					slices.Sort(got)
					if strings.Join(got, " ") != want.keys {
						t.Errorf("%+v by %d, first version %v: %v", want, size, v1, got)
					}
				}
			}
		}
	})
}

func TestMinIOCopy(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := minioWithBucket(t, s, false)
		ctx := t.Context()
		put := c.put("from ü+&", "content", minio.PutObjectOptions{ContentType: "text/plain", UserMetadata: map[string]string{"a": "1"}})
		from := minio.CopySrcOptions{Bucket: c.bucket, Object: "from ü+&"}
		info, err := c.CopyObject(ctx, minio.CopyDestOptions{Bucket: c.bucket, Object: "to"}, from)
		must(t, err)
		equal(t, "ETag", info.ETag, put.ETag)
		_, err = c.CopyObject(ctx, minio.CopyDestOptions{
			Bucket: c.bucket, Object: "replaced", ReplaceMetadata: true, UserMetadata: map[string]string{"b": "2", "Content-Type": "image/png"},
			ReplaceTags: true, UserTags: map[string]string{"t": "1"},
		}, from)
		must(t, err)
		for key, want := range map[string]string{"to": "1  text/plain 0", "replaced": " 2 image/png 1"} {
			stat, err := c.StatObject(ctx, c.bucket, key, minio.StatObjectOptions{})
			must(t, err)
			equal(t, key, fmt.Sprint(stat.UserMetadata["A"], " ", stat.UserMetadata["B"], " ", stat.ContentType, " ", stat.UserTagCount), want)
			c.holds(key, "content")
		}
		from.MatchETag = "other"
		_, err = c.CopyObject(ctx, minio.CopyDestOptions{Bucket: c.bucket, Object: "to"}, from)
		c.refused(err, 412, "PreconditionFailed")
	})
}

func TestMinIOMultipart(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		for _, trailing := range []bool{false, true} {
			c := minioWithBucket(t, s, trailing)
			ctx := t.Context()
			content := pattern(2*partSize + 12345)
			file := t.TempDir() + "/file"
			must(t, os.WriteFile(file, content, 0o600))
			info, err := c.FPutObject(ctx, c.bucket, "file", file, minio.PutObjectOptions{PartSize: partSize, ContentType: "video/mp4"})
			must(t, err)
			if !strings.HasSuffix(info.ETag, "-3") {
				t.Errorf("it went up in one: ETag is %s", info.ETag)
			}
			c.holds("file", string(content))
			must(t, c.FGetObject(ctx, c.bucket, "file", file+".down", minio.GetObjectOptions{}))
			down, err := os.ReadFile(file + ".down")
			must(t, err)
			equal(t, "file came down", bytes.Equal(down, content), true)
			for _, concurrent := range []bool{false, true} {
				_, err = c.PutObject(ctx, c.bucket, "stream", unseekable(content), -1, minio.PutObjectOptions{PartSize: partSize, ConcurrentStreamParts: concurrent, NumThreads: 2})
				must(t, err)
				c.holds("stream", string(content))
			}
			if trailing {
				for _, sum := range []minio.ChecksumType{minio.ChecksumSHA256, minio.ChecksumCRC32C, minio.ChecksumFullObjectCRC32C} {
					_, err = c.FPutObject(ctx, c.bucket, "summed", file, minio.PutObjectOptions{PartSize: partSize, Checksum: sum})
					must(t, err)
					stat, err := c.StatObject(ctx, c.bucket, "summed", minio.StatObjectOptions{Checksum: true})
					must(t, err)
					if whole := sum == minio.ChecksumFullObjectCRC32C; stat.ChecksumCRC32C+stat.ChecksumSHA256 == "" || strings.Contains(stat.ChecksumCRC32C+stat.ChecksumSHA256, "-") == whole {
						t.Errorf("%s: object is %+v", sum, stat)
					}
					c.holds("summed", string(content))
				}
			}

			core := minio.Core{Client: c.Client}
			id, err := core.NewMultipartUpload(ctx, c.bucket, "by hand", minio.PutObjectOptions{})
			must(t, err)
			part, err := core.PutObjectPart(ctx, c.bucket, "by hand", id, 1, strings.NewReader("one"), 3, minio.PutObjectPartOptions{})
			must(t, err)
			listed, err := core.ListObjectParts(ctx, c.bucket, "by hand", id, 0, 10)
			must(t, err)
			if len(listed.ObjectParts) != 1 || strings.Trim(listed.ObjectParts[0].ETag, `"`) != part.ETag || listed.ObjectParts[0].Size != 3 {
				t.Errorf("parts are %+v", listed.ObjectParts)
			}
			var open []string
			for u := range c.ListIncompleteUploads(ctx, c.bucket, "", true) {
				must(t, u.Err)
				open = append(open, u.Key)
			}
			if !slices.Equal(open, []string{"by hand"}) {
				t.Errorf("incomplete uploads are %v", open)
			}
			_, err = core.CompleteMultipartUpload(ctx, c.bucket, "by hand", id, []minio.CompletePart{{PartNumber: 1, ETag: part.ETag}}, minio.PutObjectOptions{})
			must(t, err)
			c.holds("by hand", "one")
			_, err = core.NewMultipartUpload(ctx, c.bucket, "left", minio.PutObjectOptions{})
			must(t, err)
			must(t, c.RemoveIncompleteUpload(ctx, c.bucket, "left"))
			c.refused(core.AbortMultipartUpload(ctx, c.bucket, "left", id), 404, "NoSuchUpload")
		}
	})
}

func TestMinIOPresign(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := minioWithBucket(t, s, false)
		ctx := t.Context()
		for i, key := range keys(t) {
			want := fmt.Sprintf("content %d", i)
			put, err := c.PresignedPutObject(ctx, c.bucket, key, time.Minute)
			must(t, err)
			if status, _, body := s.exchange(t, "PUT", put.String(), strings.NewReader(want), nil); status != 200 {
				t.Fatalf("PUT %q: %d %s", key, status, body)
			}
			get, err := c.PresignedGetObject(ctx, c.bucket, key, time.Minute, url.Values{"response-content-type": {"image/png"}})
			must(t, err)
			if status, header, body := s.exchange(t, "GET", get.String(), nil, nil); status != 200 || body != want || header.Get("Content-Type") != "image/png" {
				t.Errorf("GET %q: %d %s", key, status, body)
			}
			c.holds(key, want)
		}
		bound, err := c.PresignHeader(ctx, "PUT", c.bucket, "bound", time.Minute, nil, http.Header{"Content-Type": {"image/png"}})
		must(t, err)
		if status, _, body := s.exchange(t, "PUT", bound.String(), strings.NewReader("x"), http.Header{"Content-Type": {"text/html"}}); status != 403 {
			t.Errorf("another type: %d %s", status, body)
		}

		policy := minio.NewPostPolicy()
		must(t, policy.SetBucket(c.bucket))
		must(t, policy.SetKey("posted ü"))
		must(t, policy.SetExpires(time.Now().Add(time.Minute)))
		must(t, policy.SetContentType("image/png"))
		must(t, policy.SetContentLengthRange(1, 10))
		must(t, policy.SetUserMetadata("a", "1"))
		must(t, policy.SetSuccessStatusAction("201"))
		to, fields, err := c.PresignedPostPolicy(ctx, policy)
		must(t, err)
		body, header := form(t, fields, "cat.png", "0123456789")
		if status, _, answer := s.exchange(t, "POST", to.String(), body, header); status != 201 {
			t.Errorf("POST: %d %s", status, answer)
		}
		c.holds("posted ü", "0123456789")
		body, header = form(t, fields, "cat.png", "0123456789a")
		if status, _, answer := s.exchange(t, "POST", to.String(), body, header); status != 400 || !strings.Contains(answer, "EntityTooLarge") {
			t.Errorf("POST of too much: %d %s", status, answer)
		}
	})
}

func TestMinIOTagsAndSettings(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := minioWithBucket(t, s, false)
		ctx := t.Context()
		c.put("k", "x", minio.PutObjectOptions{})
		set, err := tags.NewTags(map[string]string{"a/b": "100 + 1", "b": ""}, true)
		must(t, err)
		must(t, c.PutObjectTagging(ctx, c.bucket, "k", set, minio.PutObjectTaggingOptions{}))
		got, err := c.GetObjectTagging(ctx, c.bucket, "k", minio.GetObjectTaggingOptions{})
		must(t, err)
		if m := got.ToMap(); len(m) != 2 || m["a/b"] != "100 + 1" {
			t.Errorf("tags are %v", m)
		}
		must(t, c.RemoveObjectTagging(ctx, c.bucket, "k", minio.RemoveObjectTaggingOptions{}))
		got, err = c.GetObjectTagging(ctx, c.bucket, "k", minio.GetObjectTaggingOptions{})
		must(t, err)
		equal(t, "number of tags", len(got.ToMap()), 0)

		must(t, c.SetBucketCors(ctx, c.bucket, cors.NewConfig([]cors.Rule{{AllowedOrigin: []string{"https://app.example"}, AllowedMethod: []string{"POST"}, MaxAgeSeconds: 600}})))
		rules, err := c.GetBucketCors(ctx, c.bucket)
		must(t, err)
		if len(rules.CORSRules) != 1 || rules.CORSRules[0].MaxAgeSeconds != 600 {
			t.Errorf("rules are %+v", rules.CORSRules)
		}
		must(t, c.SetBucketCors(ctx, c.bucket, nil))
		rules, err = c.GetBucketCors(ctx, c.bucket)
		if err != nil || rules != nil {
			t.Errorf("after delete: %v %v", rules, err)
		}

		deny := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::` + c.bucket + `/kept/*"}]}`
		must(t, c.SetBucketPolicy(ctx, c.bucket, deny))
		policy, err := c.GetBucketPolicy(ctx, c.bucket)
		must(t, err)
		equal(t, "policy", policy, deny)
		c.put("kept/a", "x", minio.PutObjectOptions{})
		c.refused(c.RemoveObject(ctx, c.bucket, "kept/a", minio.RemoveObjectOptions{}), 403, "AccessDenied")
		// Of several, only what is allowed.
		several := make(chan minio.ObjectInfo, 2)
		several <- minio.ObjectInfo{Key: "kept/a"}
		several <- minio.ObjectInfo{Key: "k"}
		close(several)
		var failed []string
		for e := range c.RemoveObjects(ctx, c.bucket, several, minio.RemoveObjectsOptions{}) {
			c.refused(e.Err, 0, "AccessDenied")
			failed = append(failed, e.ObjectName)
		}
		if !slices.Equal(failed, []string{"kept/a"}) {
			t.Errorf("not deleted were %v", failed)
		}
		must(t, c.SetBucketPolicy(ctx, c.bucket, ""))
		policy, err = c.GetBucketPolicy(ctx, c.bucket)
		if err != nil || policy != "" {
			t.Errorf("after delete: %q %v", policy, err)
		}
	})
}

// It asks with a parameter that only MinIO knows, withUpdatedAt; S3 takes no
// notice of it.
func TestMinIOLifecycle(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := minioWithBucket(t, s, false)
		ctx := t.Context()
		life := lifecycle.NewConfiguration()
		life.Rules = []lifecycle.Rule{{
			ID: "q", Status: "Enabled", RuleFilter: lifecycle.Filter{Prefix: "q/"}, Expiration: lifecycle.Expiration{Days: 1},
		}}
		must(t, c.SetBucketLifecycle(ctx, c.bucket, life))
		life, err := c.GetBucketLifecycle(ctx, c.bucket)
		must(t, err)
		if len(life.Rules) != 1 || life.Rules[0].ID != "q" || life.Rules[0].Expiration.Days != 1 || life.Rules[0].RuleFilter.Prefix != "q/" {
			t.Errorf("rules are %+v", life.Rules)
		}
		must(t, c.SetBucketLifecycle(ctx, c.bucket, lifecycle.NewConfiguration()))
		_, err = c.GetBucketLifecycle(ctx, c.bucket)
		c.refused(err, 404, "NoSuchLifecycleConfiguration")
	})
}
