package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// findBucket says whether the bucket is there and ours. Errors: ErrTaken,
// ErrWant when it is in another region.
func (c *Cloud) findBucket(ctx context.Context, denied *denials) (there bool, err error) {
	w := &c.want
	_, err = c.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &w.Bucket})
	if err == nil {
		return true, denied.note(c.checkRegion(ctx))
	}
	region := regionSaid(err)
	if status(err) == http.StatusBadRequest && region == "" {
		// An answer to HEAD has no body; the same to GET says what is bad.
		if _, told := c.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &w.Bucket}); status(told) == http.StatusBadRequest {
			err, region = told, regionSaid(told)
		}
	}
	switch status(err) {
	case http.StatusNotFound:
		return false, nil
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		if region != "" && region != w.Region {
			return false, fmt.Errorf("%w: region: bucket %q is there already, in %s and not in %s", ErrWant, w.Bucket, region, w.Region)
		}
	case http.StatusForbidden:
		// An answer to HEAD has no body. A name that is another's is answered so,
		// and so is a key without s3:ListBucket; only a list tells them apart.
		lacks := &Denied{Permission: Permission{"s3:ListBucket", w.BucketARN()}, Caller: c.caller.ARN, Code: "403"}
		if mine, err := c.listed(ctx); err == nil && mine {
			return true, denied.note(lacks)
		}
		return false, fmt.Errorf("%w: %q; or it is yours, and %v", ErrTaken, w.Bucket, lacks)
	}
	return false, fmt.Errorf("look for bucket %q: %w", w.Bucket, plainly(err))
}

// listed says whether the bucket is among the operator's.
func (c *Cloud) listed(ctx context.Context) (bool, error) {
	pages := s3.NewListBucketsPaginator(c.s3, &s3.ListBucketsInput{})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return false, err
		}
		for _, b := range out.Buckets {
			if aws.ToString(b.Name) == c.want.Bucket {
				return true, nil
			}
		}
	}
	return false, nil
}

// checkRegion holds the bucket's real region against the one that is wanted.
// Servers that are not AWS tell all kinds of things, and take any.
func (c *Cloud) checkRegion(ctx context.Context) error {
	w := &c.want
	if !w.onAWS() {
		return nil
	}
	out, err := c.s3.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &w.Bucket})
	if err != nil {
		return c.explain(err, Permission{"s3:GetBucketLocation", w.BucketARN()})
	}
	// Two regions have old names: "GetBucketLocation", API reference.
	region := string(out.LocationConstraint)
	switch region {
	case "":
		region = "us-east-1"
	case "EU":
		region = "eu-west-1"
	}
	if region != w.Region {
		return fmt.Errorf("%w: region: bucket %q is there already, in %s and not in %s", ErrWant, w.Bucket, region, w.Region)
	}
	return nil
}

// expecting is S3's sentence about a signature for another region, code
// AuthorizationHeaderMalformed.
var expecting = regexp.MustCompile(`expecting '([a-z0-9-]+)'`)

// regionSaid is the bucket's region where an answer names it.
func regionSaid(err error) string {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil && answer.Response.Response != nil {
		if region := answer.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
			return region
		}
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if m := expecting.FindStringSubmatch(api.ErrorMessage()); m != nil {
			return m[1]
		}
	}
	return ""
}

// bucketStep makes the bucket, or keeps the one that is there.
func (c *Cloud) bucketStep(there bool) Step {
	w := &c.want
	s := Step{
		ID: "bucket", Action: Keep, Title: fmt.Sprintf("bucket %s in %s", w.Bucket, w.Region),
		Why: "The files are sent to it and kept in it.",
	}
	if there {
		return s
	}
	s.Action = Create
	s.Permissions = []Permission{{"s3:CreateBucket", w.BucketARN()}, {"s3:PutBucketTagging", w.BucketARN()}}
	s.apply = func(ctx context.Context) (*Key, error) { return nil, c.createBucket(ctx) }
	return s
}

// createBucket makes the bucket and marks it as made by us. Between the two it
// has no mark: interrupted there, it is set up by the next run and never
// removed, as one that was there before.
func (c *Cloud) createBucket(ctx context.Context) error {
	w := &c.want
	here := &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(w.Region)}
	in := &s3.CreateBucketInput{Bucket: &w.Bucket}
	if w.onAWS() && w.Region != "us-east-1" { // which has no LocationConstraint of its own
		in.CreateBucketConfiguration = here
	}
	_, err := c.s3.CreateBucket(ctx, in)
	if saysCode(err, "IllegalLocationConstraintException") && in.CreateBucketConfiguration == nil {
		// Other servers may call their regions what they like (Ceph: zone groups),
		// so they are told only when they ask.
		in.CreateBucketConfiguration = here
		_, err = c.s3.CreateBucket(ctx, in)
	}
	var mine *types.BucketAlreadyOwnedByYou
	var taken *types.BucketAlreadyExists
	switch {
	case errors.As(err, &mine):
		return nil // made meanwhile, and perhaps not by us: it stays without our mark
	case errors.As(err, &taken):
		return fmt.Errorf("%w: %q", ErrTaken, w.Bucket)
	case err != nil:
		return c.explain(err, Permission{"s3:CreateBucket", w.BucketARN()})
	}
	_, err = c.s3.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &w.Bucket, Tagging: &types.Tagging{TagSet: []types.Tag{
		{Key: aws.String(TagKey), Value: aws.String(TagValue)},
	}}})
	if err != nil && !noAPI(err) { // without tags it is never removed by us
		return c.explain(err, Permission{"s3:PutBucketTagging", w.BucketARN()})
	}
	return nil
}

// marked says whether the bucket has our mark.
func (c *Cloud) marked(ctx context.Context) (bool, error) {
	out, err := c.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &c.want.Bucket})
	switch {
	case saysCode(err, "NoSuchTagSet", "NoSuchTagSetError") || noAPI(err) || status(err) == http.StatusNotFound:
		return false, nil
	case err != nil:
		return false, c.explain(err, Permission{"s3:GetBucketTagging", c.want.BucketARN()})
	}
	for _, t := range out.TagSet {
		if aws.ToString(t.Key) == TagKey && aws.ToString(t.Value) == TagValue {
			return true, nil
		}
	}
	return false, nil
}
