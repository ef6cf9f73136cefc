package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// sdk is aws-sdk-go-v2 on a site, and a bucket of its own for the test.
type sdk struct {
	*s3.Client
	t      *testing.T
	site   site
	bucket string
	name   *string // the bucket's, as requests want it
}

func newSDK(t *testing.T, s site) *sdk {
	t.Helper()
	conf, err := config.LoadDefaultConfig(t.Context(),
		config.WithRegion(s.region), config.WithBaseEndpoint(s.endpoint),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) { tr.TLSClientConfig.RootCAs = s.roots })),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(s.id, s.secret, "")))
	must(t, err)
	bucket := bucketName()
	return &sdk{
		Client: s3.NewFromConfig(conf, func(o *s3.Options) {
			o.UsePathStyle, o.DisableLogOutputChecksumValidationSkipped = true, true
			o.RetryMaxAttempts = 1 // what fails at first is to be seen
		}),
		t: t, site: s, bucket: bucket, name: &bucket,
	}
}

// withBucket makes the bucket, and removes it with all that is in it.
func withBucket(t *testing.T, s site) *sdk {
	t.Helper()
	c := newSDK(t, s)
	_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: c.name, CreateBucketConfiguration: c.place()})
	must(t, err)
	t.Cleanup(func() { c.remove(context.WithoutCancel(t.Context())) })
	return c
}

// place is what CreateBucket needs outside us-east-1.
func (c *sdk) place() *types.CreateBucketConfiguration {
	if c.site.region == "us-east-1" {
		return nil
	}
	return &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(c.site.region)}
}

func (c *sdk) remove(ctx context.Context) {
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: c.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			c.t.Errorf("list what is left: %v", err)
			return
		}
		var all []types.ObjectIdentifier
		for _, o := range page.Contents {
			all = append(all, types.ObjectIdentifier{Key: o.Key})
		}
		if len(all) == 0 {
			continue
		}
		gone, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: c.name, Delete: &types.Delete{Objects: all}})
		if err != nil || len(gone.Errors) > 0 || len(gone.Deleted) != len(all) {
			c.t.Errorf("delete what is left: %v %+v", err, gone)
			return
		}
	}
	if _, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: c.name}); err != nil {
		c.t.Errorf("delete bucket: %v", err)
	}
}

func (c *sdk) put(key, content string, more ...func(*s3.PutObjectInput)) *s3.PutObjectOutput {
	c.t.Helper()
	in := &s3.PutObjectInput{Bucket: c.name, Key: &key, Body: strings.NewReader(content)}
	for _, m := range more {
		m(in)
	}
	out, err := c.PutObject(c.t.Context(), in)
	must(c.t, err)
	return out
}

// content reads an object whole; the SDK verifies its checksum meanwhile.
func (c *sdk) content(key string) string {
	c.t.Helper()
	out, err := c.GetObject(c.t.Context(), &s3.GetObjectInput{Bucket: c.name, Key: &key})
	must(c.t, err)
	return c.read(out)
}

func (c *sdk) read(out *s3.GetObjectOutput) string {
	c.t.Helper()
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	must(c.t, err)
	return string(b)
}

// exists reports whether HeadObject finds the key.
func (c *sdk) exists(key string) bool {
	c.t.Helper()
	_, err := c.HeadObject(c.t.Context(), &s3.HeadObjectInput{Bucket: c.name, Key: &key})
	var none *types.NotFound
	if err != nil && !errors.As(err, &none) {
		c.t.Fatal(err)
	}
	return err == nil
}

// refused expects an error of the code and the status.
func refused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var api smithy.APIError
	var answer interface{ HTTPStatusCode() int }
	if !errors.As(err, &api) || !errors.As(err, &answer) || api.ErrorCode() != code || answer.HTTPStatusCode() != status {
		t.Errorf("error is %v, want %d %s", err, status, code)
	}
}

// typed expects the SDK's own type of an error.
func typed[E error](t *testing.T, err error) {
	t.Helper()
	var want E
	if !errors.As(err, &want) {
		t.Errorf("error is %T %[1]v, want %T", err, want)
	}
}

// keys are the names that every client puts, lists, reads, copies and deletes.
func keys(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/keys.json")
	must(t, err)
	var all []string
	must(t, json.Unmarshal(b, &all))
	return all
}

// escaped is a key as CopySource wants it.
func escaped(bucket, key string) *string {
	var b strings.Builder
	for _, c := range []byte(path.Join("/", bucket)[1:] + "/" + key) {
		if c == '/' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte("0123456789ABCDEF"[c>>4])
		b.WriteByte("0123456789ABCDEF"[c&15])
	}
	return aws.String(b.String())
}

// pattern is content of which no two stretches look the same.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// stream is content that cannot be rewound.
type stream struct{ io.Reader }

func unseekable(b []byte) io.Reader { return stream{bytes.NewReader(b)} }

func day(n int) time.Time { return time.Now().Add(time.Duration(n) * 24 * time.Hour) }
