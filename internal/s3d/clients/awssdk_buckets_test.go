package clients

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestAWSBuckets(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := newSDK(t, s)
		ctx := t.Context()
		_, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: c.name})
		typed[*types.NotFound](t, err)
		refused(t, err, 404, "NotFound")
		_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: c.name})
		refused(t, err, 404, "NoSuchBucket")
		_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: c.name})
		typed[*types.NoSuchBucket](t, err)

		made, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: c.name, CreateBucketConfiguration: c.place()})
		must(t, err)
		if s.ours {
			equal(t, "location of the new bucket", aws.ToString(made.Location), "/"+c.bucket)
		}
		head, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: c.name})
		must(t, err)
		equal(t, "region", aws.ToString(head.BucketRegion), s.region)
		place, err := c.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: c.name})
		must(t, err)
		want := types.BucketLocationConstraint(s.region)
		if s.region == "us-east-1" {
			want = ""
		}
		equal(t, "location", place.LocationConstraint, want)

		// Once more: S3 answers 200 in us-east-1, and a conflict elsewhere.
		_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: c.name, CreateBucketConfiguration: c.place()})
		if s.region == "us-east-1" {
			must(t, err)
		} else {
			typed[*types.BucketAlreadyOwnedByYou](t, err)
		}

		names := func(in *s3.ListBucketsInput) (all []string) {
			pages := s3.NewListBucketsPaginator(c, in)
			for pages.HasMorePages() {
				page, err := pages.NextPage(ctx)
				must(t, err)
				for _, b := range page.Buckets {
					if b.CreationDate == nil || b.CreationDate.IsZero() {
						t.Errorf("%s has no date", *b.Name)
					}
					all = append(all, *b.Name)
				}
			}
			return all
		}
		if all := names(&s3.ListBucketsInput{}); !slices.Contains(all, c.bucket) {
			t.Errorf("%s is not among %v", c.bucket, all)
		}
		if all := names(&s3.ListBucketsInput{Prefix: c.name, MaxBuckets: aws.Int32(1)}); !slices.Equal(all, []string{c.bucket}) {
			t.Errorf("buckets are %v", all)
		}

		c.put("left", "x")
		_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: c.name})
		refused(t, err, 409, "BucketNotEmpty")
		_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: c.name, Key: aws.String("left")})
		must(t, err)
		_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: c.name})
		must(t, err)
		must(t, s3.NewBucketNotExistsWaiter(c).Wait(ctx, &s3.HeadBucketInput{Bucket: c.name}, 1e9))

		for _, bad := range []string{"Upper", "under_score", "a..b"} {
			_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bad, CreateBucketConfiguration: c.place()})
			refused(t, err, 400, "InvalidBucketName")
		}
	})
}

func TestAWSSettings(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()

		_, err := c.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: c.name})
		refused(t, err, 404, "NoSuchCORSConfiguration")
		_, err = c.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: c.name, CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{{
			ID: aws.String("app"), AllowedOrigins: []string{"https://app.example", "https://*.example"}, AllowedMethods: []string{"POST", "PUT"},
			AllowedHeaders: []string{"content-type", "x-amz-*"}, ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: aws.Int32(600),
		}}}})
		must(t, err)
		cors, err := c.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: c.name})
		must(t, err)
		if len(cors.CORSRules) != 1 {
			t.Fatalf("rules are %+v", cors.CORSRules)
		}
		r := cors.CORSRules[0]
		if aws.ToString(r.ID) != "app" || !slices.Equal(r.AllowedOrigins, []string{"https://app.example", "https://*.example"}) ||
			!slices.Equal(r.AllowedMethods, []string{"POST", "PUT"}) || !slices.Equal(r.AllowedHeaders, []string{"content-type", "x-amz-*"}) ||
			!slices.Equal(r.ExposeHeaders, []string{"ETag"}) || aws.ToInt32(r.MaxAgeSeconds) != 600 {
			t.Errorf("rule is %+v", r)
		}
		_, err = c.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: c.name})
		must(t, err)
		_, err = c.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: c.name})
		refused(t, err, 404, "NoSuchCORSConfiguration")

		_, err = c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: c.name})
		refused(t, err, 404, "NoSuchLifecycleConfiguration")
		_, err = c.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
			Bucket: c.name, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
				ID: aws.String("q"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("q/")},
				Expiration:                     &types.LifecycleExpiration{Days: aws.Int32(1)},
				AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)},
			}}},
		})
		must(t, err)
		life, err := c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: c.name})
		must(t, err)
		if len(life.Rules) != 1 {
			t.Fatalf("rules are %+v", life.Rules)
		}
		l := life.Rules[0]
		if *l.ID != "q" || l.Status != "Enabled" || *l.Filter.Prefix != "q/" || *l.Expiration.Days != 1 || *l.AbortIncompleteMultipartUpload.DaysAfterInitiation != 1 {
			t.Errorf("rule is %+v", l)
		}
		c.put("q/a", "x")
		head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: c.name, Key: aws.String("q/a")})
		must(t, err)
		if head.Expiration == nil {
			t.Error("HeadObject does not tell when the object expires")
		}
		_, err = c.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: c.name})
		must(t, err)
		_, err = c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: c.name})
		refused(t, err, 404, "NoSuchLifecycleConfiguration")

		// A new bucket blocks all public access, so a public policy is refused.
		block, err := c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: c.name})
		must(t, err)
		if b := block.PublicAccessBlockConfiguration; !*b.BlockPublicAcls || !*b.BlockPublicPolicy || !*b.IgnorePublicAcls || !*b.RestrictPublicBuckets {
			t.Errorf("public access of a new bucket is %+v", b)
		}
		open := `{"Version":"2012-10-17","Statement":[{"Sid":"read","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + c.bucket + `/v/*"}]}`
		_, err = c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: c.name, Policy: &open})
		refused(t, err, 403, "AccessDenied")
		_, err = c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: c.name})
		refused(t, err, 404, "NoSuchBucketPolicy")
		_, err = c.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: c.name, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: aws.Bool(true), IgnorePublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(false), RestrictPublicBuckets: aws.Bool(false),
		}})
		must(t, err)
		_, err = c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: c.name, Policy: &open})
		must(t, err)
		policy, err := c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: c.name})
		must(t, err)
		equal(t, "policy", *policy.Policy, open)
		public, err := c.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: c.name})
		must(t, err)
		equal(t, "public", aws.ToBool(public.PolicyStatus.IsPublic), true)
		c.put("v/a", "for all")
		c.put("w/a", "for us")
		if status, _, body := s.exchange(t, "GET", s.endpoint+"/"+c.bucket+"/v/a", nil, nil); status != 200 || body != "for all" {
			t.Errorf("anonymous read: %d %s", status, body)
		}
		if status, _, body := s.exchange(t, "GET", s.endpoint+"/"+c.bucket+"/w/a", nil, nil); status != 403 {
			t.Errorf("anonymous read of what is ours: %d %s", status, body)
		}
		_, err = c.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: c.name})
		must(t, err)
		_, err = c.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: c.name})
		must(t, err)
		_, err = c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: c.name})
		refused(t, err, 404, "NoSuchPublicAccessBlockConfiguration")

		own, err := c.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: c.name})
		must(t, err)
		if rules := own.OwnershipControls.Rules; len(rules) != 1 || rules[0].ObjectOwnership != types.ObjectOwnershipBucketOwnerEnforced {
			t.Errorf("ownership is %+v", rules)
		}
		_, err = c.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: c.name, OwnershipControls: own.OwnershipControls})
		must(t, err)
		_, err = c.PutObjectAcl(ctx, &s3.PutObjectAclInput{Bucket: c.name, Key: aws.String("v/a"), ACL: types.ObjectCannedACLPublicRead})
		refused(t, err, 400, "AccessControlListNotSupported")
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("v/b"), ACL: types.ObjectCannedACLPublicRead})
		refused(t, err, 400, "AccessControlListNotSupported")
		c.put("v/b", "x", func(in *s3.PutObjectInput) { in.ACL = types.ObjectCannedACLBucketOwnerFullControl })

		versions, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: c.name})
		must(t, err)
		equal(t, "versioning", versions.Status, "")
	})
}

// What it lacks it says so, in a way that the SDK understands.
func TestAWSLacking(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		if !s.ours {
			t.Skip("what another S3 lacks is its own affair")
		}
		c := withBucket(t, s)
		c.put("a", "x")
		ctx := t.Context()
		_, err := c.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: c.name})
		refused(t, err, 501, "NotImplemented")
		_, err = c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: c.name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
		refused(t, err, 501, "NotImplemented")
		_, err = c.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{
			Bucket: c.name, Key: aws.String("a"), LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn},
		})
		refused(t, err, 501, "NotImplemented")
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("b"), ServerSideEncryption: types.ServerSideEncryptionAwsKms})
		refused(t, err, 501, "NotImplemented")
		id := c.begin("b")
		_, err = c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: c.name, Key: aws.String("b"), UploadId: id, PartNumber: aws.Int32(1), CopySource: escaped(c.bucket, "a")})
		refused(t, err, 501, "NotImplemented")
		_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: c.name, Key: aws.String("b"), UploadId: id})
		must(t, err)
		equal(t, "an object whose encryption was refused is there", c.exists("b"), false)
		equal(t, "content", c.content("a"), "x")
	})
}
