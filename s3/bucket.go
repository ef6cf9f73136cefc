package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

// Config says which bucket, and how to reach it.
type Config struct {
	Bucket string // its name
	Region string // e.g. "eu-central-1"; default: what the AWS chain says, else "us-east-1"
	// Endpoint is the server's URL when it is not AWS, e.g. "http://127.0.0.1:9000".
	Endpoint string
	// PathStyle puts the bucket's name into the path and not before the host.
	PathStyle bool
	// NoCompleteIfNoneMatch says that the server has no If-None-Match on
	// completing an upload in parts: CompleteMultipart then overwrites.
	NoCompleteIfNoneMatch bool
	// Credentials returns the key to sign with. It is called for each request,
	// so it must not take long. Nil: the AWS chain (environment, shared files
	// and profiles, SSO, web identity, container and instance roles), kept in
	// memory and refreshed before they end.
	Credentials func(context.Context) (sigv4.Credentials, error)
	// Profile is the one of the AWS configuration files to use, before anything
	// else in the chain; empty: AWS_PROFILE, or what the chain finds.
	Profile string
	// CredentialsFile is read instead of ~/.aws/credentials; without a Profile,
	// its profile "default".
	CredentialsFile string
	// Signer is the key that signs what browsers do, when it is not the same:
	// uploads in parts are begun and completed with it. Nil: one key for all.
	Signer *Signer
	// Now is the clock for credentials and for Skew. Default time.Now, which
	// the AWS SDK dates requests by in any case, corrected by the bucket's
	// answers.
	Now func() time.Time
	// Logger gets warnings of credentials that cannot be refreshed and of clocks
	// that differ. Nil discards.
	Logger *slog.Logger
}

// Signer is a key whose signatures leave the house. It needs no more than
// s3:PutObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts below
// incoming/. The fields are those of Config.
type Signer struct {
	Credentials     func(context.Context) (sigv4.Credentials, error)
	Profile         string
	CredentialsFile string
}

// Bucket is one bucket on an S3 server. It is safe for concurrent use.
type Bucket struct {
	name        string
	region      string
	ifNoneMatch bool // on completing an upload in parts
	api         *s3.Client
	signing     *s3.Client // for what the signer's key does
	clock       clock
	key, signer key
}

var _ postern.Bucket = (*Bucket)(nil)

// New makes a Bucket. It reads the AWS configuration files, but calls nobody.
func New(ctx context.Context, c Config) (*Bucket, error) {
	cfg, err := awsConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	b := &Bucket{name: c.Bucket, region: cfg.Region, ifNoneMatch: !c.NoCompleteIfNoneMatch}
	if b.clock.now = c.Now; c.Now == nil {
		b.clock.now = time.Now
	}
	if b.clock.log = c.Logger; c.Logger == nil {
		b.clock.log = slog.New(slog.DiscardHandler)
	}
	b.key = b.useCredentials(c.Credentials, &cfg)
	b.api = b.client(cfg, &c)
	b.signer, b.signing = b.key, b.api
	if c.Signer == nil {
		return b, nil
	}
	apart := c
	apart.Region, apart.Credentials, apart.Profile, apart.CredentialsFile = b.region, c.Signer.Credentials, c.Signer.Profile, c.Signer.CredentialsFile
	if cfg, err = awsConfig(ctx, apart); err != nil {
		return nil, err
	}
	b.signer = b.useCredentials(apart.Credentials, &cfg)
	b.signing = b.client(cfg, &c)
	return b, nil
}

func (b *Bucket) client(cfg aws.Config, c *Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
		// Since January 2025 the SDK adds checksums and trailers that other
		// S3 servers refuse; the signed payload hash protects our writes.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.Retryer = retry.NewStandard(retries)
		o.APIOptions = append(o.APIOptions, b.clock.watch)
	})
}

// Name returns the bucket's name, Region the region requests are signed for.
func (b *Bucket) Name() string { return b.name }

// Region returns the region requests are signed for.
func (b *Bucket) Region() string { return b.region }

// Head implements [postern.Bucket]. It needs s3:GetObject, and s3:ListBucket
// for a missing key to be 404 and not 403.
func (b *Bucket) Head(ctx context.Context, key string) (postern.Object, error) {
	out, err := b.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return postern.Object{}, fault("head object", err)
	}
	return postern.Object{
		Key: key, Size: aws.ToInt64(out.ContentLength), ETag: unquote(out.ETag), Type: aws.ToString(out.ContentType),
		Modified: aws.ToTime(out.LastModified), Metadata: out.Metadata,
	}, nil
}

// Get implements [postern.Bucket]. It needs s3:GetObject.
func (b *Bucket) Get(ctx context.Context, key string) (postern.Object, io.ReadCloser, error) {
	out, err := b.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return postern.Object{}, nil, fault("get object", err)
	}
	return postern.Object{
		Key: key, Size: aws.ToInt64(out.ContentLength), ETag: unquote(out.ETag), Type: aws.ToString(out.ContentType),
		Modified: aws.ToTime(out.LastModified), Metadata: out.Metadata,
	}, out.Body, nil
}

// Put implements [postern.Bucket]. It needs s3:PutObject. What it writes never
// changes, so it may be cached for ever.
func (b *Bucket) Put(ctx context.Context, key, contentType string, body []byte) error {
	_, err := b.api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.name, Key: &key, ContentType: &contentType, Body: bytes.NewReader(body),
		ContentLength: aws.Int64(int64(len(body))), CacheControl: aws.String("public, max-age=31536000, immutable"),
	})
	return fault("put object", err)
}

// Delete implements [postern.Bucket]. It needs s3:DeleteObject.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	_, err := b.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key})
	if err = fault("delete object", err); errors.Is(err, postern.ErrNotFound) {
		return nil // some servers answer 404 for what is gone already
	}
	return err
}

// List implements [postern.Bucket]. It needs s3:ListBucket.
func (b *Bucket) List(ctx context.Context, prefix, after string, limit int) ([]postern.Object, error) {
	var list []postern.Object
	for len(list) < limit {
		in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix, MaxKeys: aws.Int32(int32(min(limit-len(list), 1000)))} //nolint:gosec // at most 1000
		if after != "" {
			in.StartAfter = &after
		}
		out, err := b.api.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, fault("list objects", err)
		}
		for _, o := range out.Contents {
			list = append(list, postern.Object{
				Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), ETag: unquote(o.ETag), Modified: aws.ToTime(o.LastModified),
			})
			after = aws.ToString(o.Key)
		}
		if !aws.ToBool(out.IsTruncated) || len(out.Contents) == 0 {
			break
		}
	}
	return list, nil
}

// Ping reports whether the bucket answers to our key. It needs s3:ListBucket.
func (b *Bucket) Ping(ctx context.Context) error {
	_, err := b.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name})
	return fault("head bucket", err)
}

func unquote(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

// fault turns the SDK's error into ours. The cause is kept for the log: S3's
// code, message and request id, which name no secret.
func fault(what string, err error) error {
	if err == nil {
		return nil
	}
	var answer *awshttp.ResponseError
	switch {
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusNotFound && !saysCode(err, "NoSuchBucket"),
		saysCode(err, "NoSuchKey", "NoSuchUpload"): // perhaps in an answer of status 200
		return postern.ErrNotFound.Because(cause{what, err})
	}
	return postern.ErrBucketUnavailable.Because(cause{what, err})
}

// saysCode reports whether err is S3's answer with one of these error codes.
func saysCode(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// cause says what failed; it lets a caller find a cancelled context, nothing else.
type cause struct {
	what string
	err  error
}

func (c cause) Error() string { return c.what + ": " + c.err.Error() }

func (c cause) Is(target error) bool {
	return (target == context.Canceled || target == context.DeadlineExceeded) && errors.Is(c.err, target)
}
