package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"postern.example/postern"
)

// settings are those of the bucket, in the order in which they are written:
// Block Public Access comes first, so that a policy is never public for a
// moment, nor refused where it is meant to be.
func (c *Cloud) settings() []setting {
	w := &c.want
	var list []setting
	if w.Provider.PublicAccessBlock != postern.No {
		list = append(list, setting{
			id: "block-public-access", title: "Block Public Access: on", manual: "block-public-access",
			why:   "No policy or ACL can make incoming/ readable by accident, and where a server obeys unsigned ACL headers nobody sees what they open.",
			reads: "s3:GetBucketPublicAccessBlock", writes: "s3:PutBucketPublicAccessBlock", compare: c.publicAccess,
		})
		switch is := PublicAccessBlock(w); {
		case !is.BlockPublicAcls:
			list[0].title = "Block Public Access: public ACLs are without effect"
		case w.Public:
			list[0].title = "Block Public Access: on, but for a public bucket policy"
		}
	}
	if w.hasOwnership() {
		list = append(list, setting{
			id: "ownership", title: "ACLs off: the bucket's owner owns every object", manual: "ownership",
			why:   "What may be read is said by policies alone.",
			reads: "s3:GetBucketOwnershipControls", writes: "s3:PutBucketOwnershipControls", compare: c.ownership,
		})
	}
	if w.onAWS() {
		list = append(list, setting{
			id: "encryption", title: "encrypted at rest by Amazon S3 (SSE-S3)", manual: "encryption",
			why:   "It costs nothing, and needs no key of yours.",
			reads: "s3:GetEncryptionConfiguration", writes: "s3:PutEncryptionConfiguration", compare: c.encryption,
		})
	}
	if w.Provider.CORS != postern.No {
		list = append(list, setting{
			id: "cors", title: "CORS: pages of " + strings.Join(w.Origins, ", ") + " may send files", manual: "cors",
			why:   "A browser asks the bucket before it lets a page send to it.",
			reads: "s3:GetBucketCORS", writes: "s3:PutBucketCORS", compare: c.cors,
		})
	}
	if len(Lifecycle(w)) > 0 {
		list = append(list, setting{
			id: "lifecycle", title: "incoming/ is emptied after a day, unfinished parts as well", manual: "lifecycle",
			why:   "What nobody completed must not be paid for for ever.",
			reads: "s3:GetLifecycleConfiguration", writes: "s3:PutLifecycleConfiguration", compare: c.lifecycle,
		})
	}
	if w.Provider.BucketPolicy != postern.No {
		list = append(list, setting{
			id: "bucket-policy", title: c.policyTitle(), manual: "public",
			why:   "It says what holds for everybody, whatever keys they have.",
			reads: "s3:GetBucketPolicy", writes: "s3:PutBucketPolicy", compare: c.policy,
		})
	}
	return list
}

func (c *Cloud) policyTitle() string {
	switch {
	case c.want.Public:
		return "bucket policy: anybody may read images/"
	case c.want.Distribution != "":
		return "bucket policy: the CloudFront distribution may read images/"
	}
	if w := &c.want; w.Provider.Name == "ceph" {
		return "bucket policy: what the two keys may do"
	} else if w.onAWS() {
		return "bucket policy: no plain HTTP, no old signatures"
	}
	return "bucket policy: no plain HTTP"
}

func document(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil { // plain structs of texts and numbers
		return fmt.Sprint(v)
	}
	return string(text)
}

// unset says whether a read was answered with "there is none".
func unset(err error) bool {
	return err != nil && status(err) == http.StatusNotFound && !saysCode(err, "NoSuchBucket")
}

func (c *Cloud) publicAccess(ctx context.Context, fresh bool) (d difference, err error) {
	want := PublicAccessBlock(&c.want)
	d.after = document(want)
	if c.want.Public {
		d.danger = "Policies that make objects public are then possible: ours lets anybody read images/."
	}
	d.write = func(ctx context.Context) error {
		_, err := c.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &c.want.Bucket, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: &want.BlockPublicAcls, IgnorePublicAcls: &want.IgnorePublicAcls,
			BlockPublicPolicy: &want.BlockPublicPolicy, RestrictPublicBuckets: &want.RestrictPublicBuckets,
		}})
		return err
	}
	if d.changed = true; fresh {
		return d, nil
	}
	out, err := c.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &c.want.Bucket})
	switch {
	case unset(err):
		return d, nil
	case noAPI(err) || saysCode(err, "MalformedXML"):
		return missing(err), nil
	case err != nil:
		return d, err
	}
	is := PublicAccess{}
	if b := out.PublicAccessBlockConfiguration; b != nil {
		is = PublicAccess{aws.ToBool(b.BlockPublicAcls), aws.ToBool(b.IgnorePublicAcls), aws.ToBool(b.BlockPublicPolicy), aws.ToBool(b.RestrictPublicBuckets)}
	}
	d.before, d.changed = document(is), is != want
	return d, nil
}

func (c *Cloud) ownership(ctx context.Context, fresh bool) (d difference, err error) {
	const want = types.ObjectOwnershipBucketOwnerEnforced
	d.after, d.changed = string(want), true
	d.write = func(ctx context.Context) error {
		_, err := c.s3.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: &c.want.Bucket, OwnershipControls: &types.OwnershipControls{
			Rules: []types.OwnershipControlsRule{{ObjectOwnership: want}},
		}})
		return err
	}
	if fresh {
		return d, nil
	}
	out, err := c.s3.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &c.want.Bucket})
	switch {
	case unset(err):
		return d, nil
	case noAPI(err):
		return missing(err), nil
	case err != nil:
		return d, err
	}
	if o := out.OwnershipControls; o != nil && len(o.Rules) > 0 {
		d.before = string(o.Rules[0].ObjectOwnership)
	}
	d.changed = d.before != string(want)
	return d, nil
}

func (c *Cloud) encryption(ctx context.Context, fresh bool) (d difference, err error) {
	d.after, d.changed = string(types.ServerSideEncryptionAes256), true
	d.write = func(ctx context.Context) error {
		_, err := c.s3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &c.want.Bucket, ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256}}},
		}})
		return err
	}
	if fresh {
		// Every bucket that is made since January 2023 has it.
		d.before, d.changed = d.after, false
		return d, nil
	}
	out, err := c.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &c.want.Bucket})
	switch {
	case unset(err):
		return d, nil
	case noAPI(err):
		return missing(err), nil
	case err != nil:
		return d, err
	}
	if e := out.ServerSideEncryptionConfiguration; e != nil && len(e.Rules) > 0 && e.Rules[0].ApplyServerSideEncryptionByDefault != nil {
		d.before = string(e.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm)
	}
	// A key of your own (aws:kms) is more than we ask for.
	d.changed = d.before == ""
	if !d.changed {
		d.after = d.before
	}
	return d, nil
}

func (c *Cloud) cors(ctx context.Context, fresh bool) (d difference, err error) {
	var theirs []types.CORSRule // as they came, with whatever we know nothing of
	var existing []CORSRule
	if !fresh {
		out, err := c.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &c.want.Bucket})
		switch {
		case unset(err):
		case noAPI(err):
			return missing(err), nil
		case err != nil:
			return d, err
		default:
			for _, r := range out.CORSRules {
				rule := corsRule(&r)
				existing = append(existing, rule)
				if !ourCORS(&rule, &c.want) {
					theirs = append(theirs, r)
				}
				if openCORS(&rule) && !ourCORS(&rule, &c.want) {
					d.danger = "A rule that is not ours lets pages of every origin write; it stays as it is: remove it if nobody needs it."
				}
			}
			d.before = document(existing)
		}
	}
	rules, changed := MergeCORS(existing, &c.want)
	d.after, d.changed = document(rules), changed
	d.write = func(ctx context.Context) error {
		var all []types.CORSRule
		for _, r := range CORS(&c.want) {
			all = append(all, types.CORSRule{
				ID: aws.String(r.ID), AllowedOrigins: r.Origins, AllowedMethods: r.Methods, AllowedHeaders: r.Headers,
				ExposeHeaders: r.Expose, MaxAgeSeconds: aws.Int32(int32(r.MaxAge)), //nolint:gosec // an hour
			})
		}
		return c.putCORS(ctx, append(all, theirs...))
	}
	return d, nil
}

func corsRule(r *types.CORSRule) CORSRule {
	return CORSRule{
		ID: aws.ToString(r.ID), Origins: r.AllowedOrigins, Methods: r.AllowedMethods, Headers: r.AllowedHeaders,
		Expose: r.ExposeHeaders, MaxAge: int(aws.ToInt32(r.MaxAgeSeconds)),
	}
}

// corsDocument is a list of rules as a text; none is none.
func corsDocument(list []types.CORSRule) string {
	if len(list) == 0 {
		return ""
	}
	rules := make([]CORSRule, len(list))
	for i := range list {
		rules[i] = corsRule(&list[i])
	}
	return document(rules)
}

func (c *Cloud) putCORS(ctx context.Context, rules []types.CORSRule) error {
	_, err := c.s3.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &c.want.Bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules}})
	return err
}

func (c *Cloud) policy(ctx context.Context, fresh bool) (d difference, err error) {
	existing := ""
	if !fresh {
		if existing, err = c.readPolicy(ctx); err != nil {
			if noAPI(err) {
				return missing(err), nil
			}
			return d, err
		}
	}
	text, changed, err := MergePolicy(existing, &c.want)
	if err != nil {
		return d, err
	}
	d.before, d.after, d.changed = existing, text, changed
	if c.want.Public {
		d.danger = "Anybody who knows or guesses an address can read what is below images/."
	}
	d.write = func(ctx context.Context) error { return c.writePolicy(ctx, text) }
	return d, nil
}

// readPolicy returns the bucket's policy; empty: there is none.
func (c *Cloud) readPolicy(ctx context.Context) (string, error) {
	out, err := c.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &c.want.Bucket})
	switch {
	case unset(err):
		return "", nil
	case err != nil:
		return "", err
	}
	return aws.ToString(out.Policy), nil
}

// writePolicy replaces the policy; a policy of no statement is none.
func (c *Cloud) writePolicy(ctx context.Context, text string) error {
	var doc struct{ Statement []any }
	if text == "" || json.Unmarshal([]byte(text), &doc) == nil && len(doc.Statement) == 0 {
		_, err := c.s3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &c.want.Bucket})
		return c.explain(err, Permission{"s3:DeleteBucketPolicy", c.want.BucketARN()})
	}
	_, err := c.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &c.want.Bucket, Policy: &text})
	return err
}
