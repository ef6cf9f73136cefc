package provision

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// PlanRemoval plans to remove what setup has made, and nothing else: users or
// role with our tag, our statements and rules, and the bucket when it has our
// tag and no objects, or with forceObjects also with all of them. What stays is
// in the plan, with the reason. Errors: ErrNotEmpty, *Denied (all that were met,
// joined).
func (c *Cloud) PlanRemoval(ctx context.Context, forceObjects bool) (*Plan, error) {
	if err := c.whoami(ctx); err != nil {
		return nil, err
	}
	var denied denials
	p := c.newPlan()
	keys, err := c.removeKeys(ctx, &denied)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, keys...)
	steps, err := c.removeFromBucket(ctx, forceObjects, &denied)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, steps...)
	if err := denied.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// removeFromBucket plans to delete the bucket, or where it is not ours, what is
// ours in it.
func (c *Cloud) removeFromBucket(ctx context.Context, forceObjects bool, denied *denials) ([]Step, error) {
	there, err := c.findBucket(ctx, denied)
	if err != nil || !there {
		return nil, err
	}
	made, err := c.marked(ctx)
	if err := denied.note(err); err != nil {
		return nil, err
	}
	if made {
		s, err := c.removeBucket(ctx, forceObjects)
		if err := denied.note(err); err != nil || s == nil {
			return nil, err
		}
		return []Step{*s}, nil
	}
	steps, err := c.removeSettings(ctx, denied)
	if err != nil {
		return nil, err
	}
	for _, x := range c.settings() {
		if x.id == "block-public-access" || x.id == "ownership" {
			steps = append(steps, Step{ID: x.id, Action: Keep, Title: x.title, Why: "Nobody noted how it was before, and without it more could be read by accident."})
		}
	}
	return append(steps, Step{
		ID: "bucket", Action: Keep, Title: "bucket " + c.want.Bucket, Why: "It was there before setup, or has lost the tag that says otherwise: " + ErrNotOurs.Error() + ".",
	}), nil
}

// removeSettings plan to take what is ours out of a bucket that is not.
func (c *Cloud) removeSettings(ctx context.Context, denied *denials) ([]Step, error) {
	var steps []Step
	arn := c.want.BucketARN()
	step := func(id, title, before, after, action string, write func(context.Context) error) {
		steps = append(steps, Step{
			ID: id, Action: Change, Title: title, Why: "It is setup's.", Before: before, After: after, Permissions: []Permission{{action, arn}},
			apply: func(ctx context.Context) (*Key, error) { return nil, c.explain(write(ctx), Permission{action, arn}) },
		})
	}
	// read notes what is denied, and takes "there is none" and "there is no such
	// thing" for nothing to remove.
	read := func(err error, action string) error {
		if unset(err) || noAPI(err) {
			return nil
		}
		return denied.note(c.explain(err, Permission{action, arn}))
	}
	policy, err := c.readPolicy(ctx)
	if err := read(err, "s3:GetBucketPolicy"); err != nil {
		return nil, err
	}
	if hasOurs(policy) {
		text, left, err := StripPolicy(policy)
		if err != nil {
			return nil, err
		}
		action := "s3:PutBucketPolicy"
		if !left {
			action = "s3:DeleteBucketPolicy"
		}
		step("bucket-policy", "bucket policy: without our statements", policy, text, action, func(ctx context.Context) error { return c.writePolicy(ctx, text) })
	}
	out, err := c.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &c.want.Bucket})
	if err := read(err, "s3:GetBucketCORS"); err != nil {
		return nil, err
	}
	if err == nil {
		var theirs []types.CORSRule
		for _, r := range out.CORSRules {
			if rule := corsRule(&r); !ourCORS(&rule, &c.want) {
				theirs = append(theirs, r)
			}
		}
		if len(theirs) < len(out.CORSRules) {
			step("cors", "CORS: without our rule", corsDocument(out.CORSRules), corsDocument(theirs), "s3:PutBucketCORS", func(ctx context.Context) error {
				if len(theirs) > 0 {
					return c.putCORS(ctx, theirs)
				}
				_, err := c.s3.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &c.want.Bucket})
				return err
			})
		}
	}
	rules, sizes, err := c.readLifecycle(ctx)
	if err := read(err, "s3:GetLifecycleConfiguration"); err != nil {
		return nil, err
	}
	var theirs []types.LifecycleRule
	for _, r := range rules {
		if !ourLifecycle(lifecycleRule(&r)) {
			theirs = append(theirs, r)
		}
	}
	if len(theirs) < len(rules) {
		step("lifecycle", "lifecycle: without our rules", lifecycleDocument(rules), lifecycleDocument(theirs), "s3:PutLifecycleConfiguration",
			func(ctx context.Context) error { return c.putLifecycle(ctx, theirs, sizes) })
	}
	return steps, nil
}

// removeBucket plans to delete a bucket that is ours.
func (c *Cloud) removeBucket(ctx context.Context, forceObjects bool) (*Step, error) {
	w := &c.want
	arn := w.BucketARN()
	empty, err := c.empty(ctx)
	if err != nil {
		return nil, err
	}
	if !empty && !forceObjects {
		return nil, fmt.Errorf("remove bucket %q: %w", w.Bucket, ErrNotEmpty)
	}
	s := &Step{
		ID: "bucket", Action: Delete, Title: "bucket " + w.Bucket, Why: "setup made it.", Before: w.Bucket, stoppable: true,
		Permissions: []Permission{{"s3:DeleteBucket", arn}},
		apply: func(ctx context.Context) (*Key, error) {
			if forceObjects {
				if err := c.deleteObjects(ctx); err != nil {
					return nil, err
				}
			}
			_, err := c.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &w.Bucket})
			if saysCode(err, "BucketNotEmpty") {
				return nil, fmt.Errorf("remove bucket %q: %w", w.Bucket, ErrNotEmpty)
			}
			return nil, c.explain(err, Permission{"s3:DeleteBucket", arn})
		},
	}
	if !empty {
		s.Danger = "Every object in it is deleted with it, whoever put it there, with all versions. Nothing brings them back."
		s.Permissions = append(s.Permissions, Permission{"s3:DeleteObject", arn + "/*"}, Permission{"s3:DeleteObjectVersion", arn + "/*"}, Permission{"s3:AbortMultipartUpload", arn + "/*"})
	}
	return s, nil
}

// empty says whether there is neither an object, nor a version of one, nor a
// part of one to be.
func (c *Cloud) empty(ctx context.Context) (bool, error) {
	bucket, arn := &c.want.Bucket, c.want.BucketARN()
	list, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int32(1)})
	if err != nil {
		return false, c.explain(err, Permission{"s3:ListBucket", arn})
	}
	versions, err := c.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket, MaxKeys: aws.Int32(1)})
	if noAPI(err) {
		versions, err = &s3.ListObjectVersionsOutput{}, nil
	}
	if err != nil {
		return false, c.explain(err, Permission{"s3:ListBucketVersions", arn})
	}
	uploads, err := c.s3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket, MaxUploads: aws.Int32(1)})
	if err != nil {
		return false, c.explain(err, Permission{"s3:ListBucketMultipartUploads", arn})
	}
	return len(list.Contents)+len(versions.Versions)+len(versions.DeleteMarkers)+len(uploads.Uploads) == 0, nil
}

// deleteObjects deletes every version of every object, and every unfinished
// upload, page by page.
func (c *Cloud) deleteObjects(ctx context.Context) error {
	w := &c.want
	uploads := s3.NewListMultipartUploadsPaginator(c.s3, &s3.ListMultipartUploadsInput{Bucket: &w.Bucket})
	for uploads.HasMorePages() {
		out, err := uploads.NextPage(ctx)
		if err != nil {
			return c.explain(err, Permission{"s3:ListBucketMultipartUploads", w.BucketARN()})
		}
		for _, u := range out.Uploads {
			_, err := c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &w.Bucket, Key: u.Key, UploadId: u.UploadId})
			if err != nil && !saysCode(err, "NoSuchUpload") {
				return c.explain(err, Permission{"s3:AbortMultipartUpload", w.BucketARN() + "/*"})
			}
		}
	}
	for {
		batch, err := c.someObjects(ctx)
		if err != nil || len(batch) == 0 {
			return err
		}
		out, err := c.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &w.Bucket, Delete: &types.Delete{Objects: batch, Quiet: aws.Bool(true)}})
		if err != nil {
			return c.explain(err, Permission{"s3:DeleteObject", w.BucketARN() + "/*"})
		}
		if len(out.Errors) > 0 { // or the same page would come for ever
			e := out.Errors[0]
			return fmt.Errorf("delete object %q: %s %s", aws.ToString(e.Key), aws.ToString(e.Code), aws.ToString(e.Message))
		}
	}
}

// someObjects returns a page of what is to be deleted, from the beginning.
func (c *Cloud) someObjects(ctx context.Context) (batch []types.ObjectIdentifier, err error) {
	versions, err := c.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &c.want.Bucket})
	switch {
	case noAPI(err):
		list, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &c.want.Bucket})
		if err != nil {
			return nil, c.explain(err, Permission{"s3:ListBucket", c.want.BucketARN()})
		}
		for _, o := range list.Contents {
			batch = append(batch, types.ObjectIdentifier{Key: o.Key})
		}
		return batch, nil
	case err != nil:
		return nil, c.explain(err, Permission{"s3:ListBucketVersions", c.want.BucketARN()})
	}
	for _, v := range versions.Versions {
		batch = append(batch, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
	}
	for _, m := range versions.DeleteMarkers {
		batch = append(batch, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
	}
	return batch, nil
}
