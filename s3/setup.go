package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Create makes the bucket, unless it is ours already. It needs s3:CreateBucket.
func (b *Bucket) Create(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &b.name}
	if b.region != "us-east-1" { // which has no LocationConstraint of its own
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(b.region)}
	}
	_, err := b.api.CreateBucket(ctx, in)
	var ours *types.BucketAlreadyOwnedByYou
	if errors.As(err, &ours) {
		return nil
	}
	return fault("create bucket", err)
}

// CORSRule lets pages of some origins send requests to the bucket.
type CORSRule struct {
	Origins []string // exactly as a browser names them: "https://app.example"
	Methods []string
	Headers []string // that a page may send
	Expose  []string // that a page may read
	MaxAge  time.Duration
}

// PutCORS replaces the bucket's CORS rules. It needs s3:PutBucketCORS.
func (b *Bucket) PutCORS(ctx context.Context, rules []CORSRule) error {
	in := &s3.PutBucketCorsInput{Bucket: &b.name, CORSConfiguration: &types.CORSConfiguration{}}
	for _, r := range rules {
		in.CORSConfiguration.CORSRules = append(in.CORSConfiguration.CORSRules, types.CORSRule{
			AllowedOrigins: r.Origins, AllowedMethods: r.Methods, AllowedHeaders: r.Headers, ExposeHeaders: r.Expose,
			MaxAgeSeconds: aws.Int32(int32(r.MaxAge / time.Second)), //nolint:gosec // hours at most
		})
	}
	_, err := b.api.PutBucketCors(ctx, in)
	return fault("put bucket CORS", err)
}
