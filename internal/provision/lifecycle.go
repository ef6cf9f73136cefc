package provision

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"postern.example/postern"
)

// lifecycle compares our two rules; foreign ones are written back as they came.
func (c *Cloud) lifecycle(ctx context.Context, fresh bool) (d difference, err error) {
	var theirs []types.LifecycleRule
	var existing []LifecycleRule
	var narrower bool
	var sizes types.TransitionDefaultMinimumObjectSize
	if !fresh {
		rules, minimum, err := c.readLifecycle(ctx)
		sizes = minimum
		switch {
		case noAPI(err):
			return missing(err), nil
		case err != nil:
			return d, err
		}
		for _, r := range rules {
			rule := lifecycleRule(&r)
			existing = append(existing, rule)
			if ourLifecycle(rule) {
				narrower = narrower || narrowed(&r)
			} else {
				theirs = append(theirs, r)
				if rule.ExpireDays > 0 && (rule.Prefix == "" || rule.Prefix == postern.ImagesPrefix) {
					d.danger = "A rule that is not ours (" + rule.ID + ") expires what is below images/: pictures will vanish. It stays as it is."
				}
			}
		}
		if len(existing) > 0 {
			d.before = document(existing)
		}
	}
	merged, changed := MergeLifecycle(existing, &c.want)
	d.after, d.changed = document(merged), changed || narrower
	if narrower {
		d.before += "\nOne of our rules holds for some objects only: those with a tag, or of a size."
	}
	d.write = func(ctx context.Context) error {
		all := slices.Clone(theirs)
		for _, r := range Lifecycle(&c.want) {
			all = append(all, c.lifecycleXML(&r))
		}
		return c.putLifecycle(ctx, all, sizes)
	}
	return d, nil
}

// readLifecycle returns the rules, and the smallest size of object that the
// transitions of all of them are for, which every write sets anew.
func (c *Cloud) readLifecycle(ctx context.Context) ([]types.LifecycleRule, types.TransitionDefaultMinimumObjectSize, error) {
	out, err := c.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &c.want.Bucket})
	if unset(err) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return out.Rules, out.TransitionDefaultMinimumObjectSize, nil
}

// putLifecycle replaces the rules; none is no configuration.
func (c *Cloud) putLifecycle(ctx context.Context, rules []types.LifecycleRule, sizes types.TransitionDefaultMinimumObjectSize) error {
	if len(rules) == 0 {
		_, err := c.s3.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &c.want.Bucket})
		return err
	}
	_, err := c.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &c.want.Bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules}, TransitionDefaultMinimumObjectSize: sizes,
	})
	return err
}

// lifecycleXML is a rule in S3's form. The prefix stands in a Filter: Garage
// refuses the older place for it.
func (c *Cloud) lifecycleXML(r *LifecycleRule) types.LifecycleRule {
	out := types.LifecycleRule{ID: aws.String(r.ID), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String(r.Prefix)}}
	if r.ExpireDays > 0 {
		out.Expiration = &types.LifecycleExpiration{Days: aws.Int32(int32(r.ExpireDays))} //nolint:gosec // days
	}
	if r.NoncurrentDays > 0 {
		out.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(int32(r.NoncurrentDays))} //nolint:gosec // days
	}
	if r.AbortDays > 0 {
		out.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(int32(r.AbortDays))} //nolint:gosec // days
	}
	return out
}

// lifecycleDocument is a list of rules as a text; none is none.
func lifecycleDocument(list []types.LifecycleRule) string {
	if len(list) == 0 {
		return ""
	}
	rules := make([]LifecycleRule, len(list))
	for i := range list {
		rules[i] = lifecycleRule(&list[i])
	}
	return document(rules)
}

// narrowed says whether a rule is only for some of the objects below its prefix.
func narrowed(r *types.LifecycleRule) bool {
	f := r.Filter
	return f != nil && (f.Tag != nil || f.ObjectSizeGreaterThan != nil || f.ObjectSizeLessThan != nil ||
		f.And != nil && (len(f.And.Tags) > 0 || f.And.ObjectSizeGreaterThan != nil || f.And.ObjectSizeLessThan != nil))
}

// lifecycleRule is what we compare of a rule. A rule that is switched off does
// nothing, and so is none.
func lifecycleRule(r *types.LifecycleRule) LifecycleRule {
	out := LifecycleRule{ID: aws.ToString(r.ID), Prefix: aws.ToString(r.Prefix)} //nolint:staticcheck // S3 still answers with it
	if f := r.Filter; f != nil {
		if f.Prefix != nil {
			out.Prefix = *f.Prefix
		}
		if f.And != nil {
			out.Prefix = aws.ToString(f.And.Prefix)
		}
	}
	if r.Status != types.ExpirationStatusEnabled {
		return out
	}
	if r.Expiration != nil {
		out.ExpireDays = int(aws.ToInt32(r.Expiration.Days))
	}
	if r.NoncurrentVersionExpiration != nil {
		out.NoncurrentDays = int(aws.ToInt32(r.NoncurrentVersionExpiration.NoncurrentDays))
	}
	if r.AbortIncompleteMultipartUpload != nil {
		out.AbortDays = int(aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation))
	}
	return out
}
