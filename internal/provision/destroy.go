package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// PlanRemoval plans to remove what setup has made, and nothing else: users or
// role with our tag, our statements and rules, and the bucket when it has our
// tag and no objects, or with forceObjects also with all of them. What stays is
// in the plan, with the reason. Errors: ErrNotEmpty, *Denied.
func (c *Cloud) PlanRemoval(ctx context.Context, forceObjects bool) (*Plan, error) {
	if err := c.whoami(ctx); err != nil {
		return nil, err
	}
	p := c.newPlan()
	keys, err := c.removeKeys(ctx)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, keys...)
	there, err := c.findBucket(ctx)
	if err != nil {
		return nil, err
	}
	if !there {
		p.Caller = c.caller
		return p, nil
	}
	ours, err := c.marked(ctx)
	if err != nil {
		return nil, err
	}
	if !ours {
		steps, err := c.removeSettings(ctx)
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, steps...)
		p.Steps = append(p.Steps, Step{
			ID: "bucket", Action: Keep, Title: "bucket " + c.want.Bucket, Why: "It was there before setup, or has lost the tag that says otherwise: " + ErrNotOurs.Error() + ".",
		})
		p.Caller = c.caller
		return p, nil
	}
	s, err := c.removeBucket(ctx, forceObjects)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, *s)
	p.Caller = c.caller
	return p, nil
}

// removeSettings plan to take what is ours out of a bucket that is not.
func (c *Cloud) removeSettings(ctx context.Context) ([]Step, error) {
	var steps []Step
	arn := c.want.BucketARN()
	step := func(id, title, before, after, action string, write func(context.Context) error) {
		steps = append(steps, Step{
			ID: id, Action: Change, Title: title, Why: "It is setup's.", Before: before, After: after, Permissions: []Permission{{action, arn}},
			apply: func(ctx context.Context) (*Key, error) { return nil, c.explain(write(ctx), Permission{action, arn}) },
		})
	}
	policy, err := c.readPolicy(ctx)
	if err != nil && !noAPI(err) {
		return nil, c.explain(err, Permission{"s3:GetBucketPolicy", arn})
	}
	if hasOurs(policy) {
		text, _, err := StripPolicy(policy)
		if err != nil {
			return nil, err
		}
		step("bucket-policy", "bucket policy: without our statements", policy, text, "s3:PutBucketPolicy", func(ctx context.Context) error { return c.writePolicy(ctx, text) })
	}
	out, err := c.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &c.want.Bucket})
	if err != nil && !unset(err) && !noAPI(err) {
		return nil, c.explain(err, Permission{"s3:GetBucketCORS", arn})
	}
	if err == nil {
		var theirs []types.CORSRule
		for _, r := range out.CORSRules {
			if !ourCORS(&CORSRule{ID: aws.ToString(r.ID), Headers: r.AllowedHeaders, Expose: r.ExposeHeaders}, &c.want) {
				theirs = append(theirs, r)
			}
		}
		if len(theirs) < len(out.CORSRules) {
			step("cors", "CORS: without our rule", fmt.Sprintf("%d rules", len(out.CORSRules)), fmt.Sprintf("%d rules", len(theirs)), "s3:PutBucketCORS", func(ctx context.Context) error {
				if len(theirs) > 0 {
					return c.putCORS(ctx, theirs)
				}
				_, err := c.s3.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &c.want.Bucket})
				return err
			})
		}
	}
	rules, err := c.readLifecycle(ctx)
	if err != nil && !noAPI(err) {
		return nil, c.explain(err, Permission{"s3:GetLifecycleConfiguration", arn})
	}
	var theirs []types.LifecycleRule
	for _, r := range rules {
		if !ourLifecycle(lifecycleRule(&r)) {
			theirs = append(theirs, r)
		}
	}
	if len(theirs) < len(rules) {
		step("lifecycle", "lifecycle: without our rules", fmt.Sprintf("%d rules", len(rules)), fmt.Sprintf("%d rules", len(theirs)), "s3:PutLifecycleConfiguration",
			func(ctx context.Context) error { return c.putLifecycle(ctx, theirs) })
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
		ID: "bucket", Action: Delete, Title: "bucket " + w.Bucket, Why: "setup made it.", Before: w.Bucket,
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
		s.Permissions = append(s.Permissions, Permission{"s3:DeleteObject", arn + "/*"}, Permission{"s3:DeleteObjectVersion", arn + "/*"})
	}
	return s, nil
}

// empty says whether there is neither an object, nor a version of one.
func (c *Cloud) empty(ctx context.Context) (bool, error) {
	list, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &c.want.Bucket, MaxKeys: aws.Int32(1)})
	if err != nil {
		return false, c.explain(err, Permission{"s3:ListBucket", c.want.BucketARN()})
	}
	if len(list.Contents) > 0 {
		return false, nil
	}
	versions, err := c.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &c.want.Bucket, MaxKeys: aws.Int32(1)})
	if noAPI(err) {
		return true, nil
	}
	if err != nil {
		return false, c.explain(err, Permission{"s3:ListBucketVersions", c.want.BucketARN()})
	}
	return len(versions.Versions)+len(versions.DeleteMarkers) == 0, nil
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

// removeKeys plan to delete our users, or our role.
func (c *Cloud) removeKeys(ctx context.Context) ([]Step, error) {
	w := &c.want
	if !c.hasIAM() {
		return nil, nil
	}
	var steps []Step
	if w.User != "" {
		for _, kind := range []string{Signer, Worker} {
			s, err := c.removeUser(ctx, kind)
			if err != nil {
				return nil, err
			}
			if s != nil {
				steps = append(steps, *s)
			}
		}
	}
	if w.Role != "" {
		s, err := c.removeRole(ctx)
		if err != nil {
			return nil, err
		}
		if s != nil {
			steps = append(steps, *s)
		}
	}
	return steps, nil
}

func (c *Cloud) removeUser(ctx context.Context, kind string) (*Step, error) {
	w := &c.want
	name, arn := w.UserName(kind), w.UserARN(kind)
	out, err := c.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	if noEntity(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(err, Permission{"iam:GetUser", arn})
	}
	s := &Step{ID: "user-" + kind, Title: "user " + name, Why: "setup made it."}
	if !isOurs(out.User.Tags) && !c.userTagged(ctx, name) {
		s.Action, s.Why = Keep, "It has not the tag of what setup makes: "+ErrNotOurs.Error()+"."
		return s, nil
	}
	s.Action, s.Before = Delete, name
	s.Danger = "Its keys stop to work at once."
	s.Permissions = []Permission{{"iam:DeleteAccessKey", arn}, {"iam:DeleteUserPolicy", arn}, {"iam:DeleteUser", arn}}
	s.apply = func(ctx context.Context) (*Key, error) {
		keys, err := c.userKeys(ctx, kind)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if err := c.DeleteKey(ctx, Key{User: name, AccessKeyID: aws.ToString(k.AccessKeyId)}); err != nil {
				return nil, err
			}
		}
		_, err = c.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &name, PolicyName: aws.String(PolicyName(kind))})
		if err != nil && !noEntity(err) {
			return nil, c.explain(err, Permission{"iam:DeleteUserPolicy", arn})
		}
		_, err = c.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &name})
		if noEntity(err) {
			return nil, nil
		}
		if saysCode(err, "DeleteConflict") {
			return nil, fmt.Errorf("remove user %s: somebody gave it more than setup did: %w", name, plainly(err))
		}
		return nil, c.explain(err, Permission{"iam:DeleteUser", arn})
	}
	return s, nil
}

func (c *Cloud) removeRole(ctx context.Context) (*Step, error) {
	w := &c.want
	arn := w.RoleARN()
	out, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &w.Role})
	if noEntity(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(err, Permission{"iam:GetRole", arn})
	}
	s := &Step{ID: "role", Title: "role " + w.Role, Why: "setup made it."}
	if !isOurs(out.Role.Tags) {
		s.Action, s.Why = Keep, "It has not the tag of what setup makes: "+ErrNotOurs.Error()+"."
		return s, nil
	}
	s.Action, s.Before, s.Danger = Delete, w.Role, "Who has taken it is refused from then on."
	s.Permissions = []Permission{{"iam:DeleteRolePolicy", arn}, {"iam:DeleteRole", arn}}
	s.apply = func(ctx context.Context) (*Key, error) {
		var errs []error
		for _, kind := range []string{Signer, Worker} {
			_, err := c.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &w.Role, PolicyName: aws.String(PolicyName(kind))})
			if err != nil && !noEntity(err) {
				errs = append(errs, c.explain(err, Permission{"iam:DeleteRolePolicy", arn}))
			}
		}
		if len(errs) > 0 {
			return nil, errors.Join(errs...)
		}
		_, err := c.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &w.Role})
		if noEntity(err) {
			return nil, nil
		}
		return nil, c.explain(err, Permission{"iam:DeleteRole", arn})
	}
	return s, nil
}
