package provision_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"postern.example/postern"
	"postern.example/postern/internal/provision"
	"postern.example/postern/posterntest"
	"postern.example/postern/sigv4"
)

func provider(t *testing.T, name string) postern.Provider {
	t.Helper()
	p, ok := postern.ProviderByName(name)
	if !ok {
		t.Fatalf("no provider %q", name)
	}
	return p
}

func given(c sigv4.Credentials) func(context.Context) (sigv4.Credentials, error) {
	return func(context.Context) (sigv4.Credentials, error) { return c, nil }
}

// place is a server, and what is wanted there.
type place struct {
	want   provision.Want
	access provision.Access
	api    *s3.Client // the owner's
}

// embedded is our own bucket's server, on which nothing is set up.
func embedded(t *testing.T) *place {
	t.Helper()
	b := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"elsewhere"}})
	return at(t, b.Endpoint, "embedded", b.Key)
}

func at(t *testing.T, endpoint, name string, key sigv4.Credentials) *place {
	t.Helper()
	return &place{
		want: provision.Want{
			Bucket: "photos", Region: "us-east-1", Endpoint: endpoint, PathStyle: true, Provider: provider(t, name), Origins: []string{"https://app.example"},
		},
		access: provision.Access{Credentials: given(key)},
		api: s3.New(s3.Options{
			BaseEndpoint: &endpoint, Region: "us-east-1", UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, ""),
		}),
	}
}

func (p *place) open(t *testing.T) *provision.Cloud {
	t.Helper()
	c, err := provision.Open(t.Context(), p.access, p.want)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *place) plan(t *testing.T) *provision.Plan {
	t.Helper()
	plan, err := p.open(t).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// apply plans and applies, and demands that nothing is left to do.
func (p *place) apply(t *testing.T) *provision.Result {
	t.Helper()
	c := p.open(t)
	plan, err := c.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Apply(t.Context(), plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.nothingLeft(t)
	return r
}

func (p *place) nothingLeft(t *testing.T) {
	t.Helper()
	for _, s := range p.plan(t).Steps {
		if s.Action != provision.Keep && s.Action != provision.ByHand {
			t.Errorf("still to do: %s %s\nbefore: %s\nafter: %s", s.Action, s.ID, s.Before, s.After)
		}
	}
}

func ids(p *provision.Plan, a provision.Action) []string {
	list := []string{}
	for _, s := range p.Steps {
		if s.Action == a {
			list = append(list, s.ID)
		}
	}
	return list
}

// From nothing: everything is made, in order, and a second run plans nothing.
func TestSetUp(t *testing.T) {
	p := embedded(t)
	first := p.plan(t)
	if got, want := ids(first, provision.Create), []string{"bucket", "block-public-access", "ownership", "cors", "lifecycle"}; !slices.Equal(got, want) {
		t.Errorf("it would create %v, want %v", got, want)
	}
	if got := ids(p.plan(t), provision.Create); !slices.Equal(got, ids(first, provision.Create)) {
		t.Error("planning has changed something")
	}
	p.apply(t)
	cors, err := p.api.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: aws.String("photos")})
	if err != nil || len(cors.CORSRules) != 1 || !slices.Equal(cors.CORSRules[0].AllowedOrigins, []string{"https://app.example"}) || !slices.Contains(cors.CORSRules[0].ExposeHeaders, "ETag") {
		t.Errorf("CORS: %+v, %v", cors, err)
	}
	rules, err := p.api.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String("photos")})
	if err != nil || len(rules.Rules) != 2 {
		t.Fatalf("lifecycle: %+v, %v", rules, err)
	}
	for _, r := range rules.Rules {
		if aws.ToString(r.Filter.Prefix) != "incoming/" {
			t.Errorf("a rule is for %q", aws.ToString(r.Filter.Prefix))
		}
	}
	block, err := p.api.GetPublicAccessBlock(t.Context(), &s3.GetPublicAccessBlockInput{Bucket: aws.String("photos")})
	if err != nil || !aws.ToBool(block.PublicAccessBlockConfiguration.BlockPublicPolicy) {
		t.Errorf("public access: %+v, %v", block, err)
	}
}

// What is public is images/ and nothing else, and it can be taken back.
func TestPublic(t *testing.T) {
	p := embedded(t)
	p.want.Public = true
	plan := p.plan(t)
	if !slices.ContainsFunc(plan.Steps, func(s provision.Step) bool { return s.ID == "bucket-policy" && s.Danger != "" }) {
		t.Error("it is not said aloud that images/ becomes public")
	}
	p.apply(t)
	for key, want := range map[string]bool{"images/a": true, "incoming/a": false} {
		if _, err := p.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
		stranger := s3.New(s3.Options{BaseEndpoint: &p.want.Endpoint, Region: "us-east-1", UsePathStyle: true, Credentials: aws.AnonymousCredentials{}})
		_, err := stranger.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos"), Key: &key})
		if (err == nil) != want {
			t.Errorf("%s: a stranger reads it: %v", key, err)
		}
	}
	p.want.Public = false
	if got := ids(p.plan(t), provision.Change); !slices.Equal(got, []string{"bucket-policy", "block-public-access"}) {
		t.Errorf("to take it back changes %v", got)
	}
	p.apply(t)
}

// Each setting, changed by somebody, is shown and put right; what is not ours
// stays.
func TestDrift(t *testing.T) {
	bucket := aws.String("photos")
	for name, c := range map[string]struct {
		id    string
		drift func(context.Context, *s3.Client) error
	}{
		"CORS open": {"cors", func(ctx context.Context, api *s3.Client) error {
			_, err := api.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{
				{ID: aws.String("postern"), AllowedOrigins: []string{"*"}, AllowedMethods: []string{"PUT", "POST"}},
				{ID: aws.String("theirs"), AllowedOrigins: []string{"https://other.example"}, AllowedMethods: []string{"GET"}},
			}}})
			return err
		}},
		"CORS gone": {"cors", func(ctx context.Context, api *s3.Client) error {
			_, err := api.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: bucket})
			return err
		}},
		"lifecycle gone": {"lifecycle", func(ctx context.Context, api *s3.Client) error {
			_, err := api.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: bucket})
			return err
		}},
		"lifecycle off": {"lifecycle", func(ctx context.Context, api *s3.Client) error {
			_, err := api.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{
				{ID: aws.String("postern-incoming"), Status: types.ExpirationStatusDisabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("incoming/")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)}},
				{ID: aws.String("theirs"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("logs/")}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(90)}},
			}}})
			return err
		}},
		"public access": {"block-public-access", func(ctx context.Context, api *s3.Client) error {
			_, err := api.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: bucket, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)}})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := embedded(t)
			p.apply(t)
			if err := c.drift(t.Context(), p.api); err != nil {
				t.Fatal(err)
			}
			plan := p.plan(t)
			pending := append(ids(plan, provision.Change), ids(plan, provision.Create)...)
			if !slices.Equal(pending, []string{c.id}) {
				t.Fatalf("found %v, want %s", pending, c.id)
			}
			p.apply(t)
			if c.id == "lifecycle" && name == "lifecycle off" || name == "CORS open" {
				theirs := false
				if out, err := p.api.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: bucket}); err == nil {
					theirs = theirs || slices.ContainsFunc(out.CORSRules, func(r types.CORSRule) bool { return aws.ToString(r.ID) == "theirs" })
				}
				if out, err := p.api.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket}); err == nil {
					theirs = theirs || slices.ContainsFunc(out.Rules, func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == "theirs" })
				}
				if !theirs {
					t.Error("somebody else's rule is gone")
				}
			}
		})
	}
}

// Interrupted after any step, the next run goes on from there.
func TestHalfApplied(t *testing.T) {
	for k := range 6 {
		p := embedded(t)
		p.want.Public = true
		c := p.open(t)
		plan, err := c.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := 0
		r, err := c.Apply(ctx, plan, func(e provision.Event) {
			if e.Ended {
				if ended++; ended == k {
					cancel()
				}
			}
		})
		if k == 0 {
			cancel()
		} else if k < plan.Pending() && (!errors.Is(err, context.Canceled) || len(r.Done) != k) {
			t.Errorf("stopped after %d steps: %d done, %v", k, len(r.Done), err)
		}
		cancel()
		p.apply(t)
	}
}

// What setup made is removed, with its objects only where that was asked for.
func TestRemoval(t *testing.T) {
	p := embedded(t)
	p.apply(t)
	if err := put(t, p.api)("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.open(t).PlanRemoval(t.Context(), false); !errors.Is(err, provision.ErrNotEmpty) {
		t.Errorf("a bucket with objects: %v", err)
	}
	p.remove(t, true)
	if _, err := p.api.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("photos")}); err == nil {
		t.Error("the bucket is still there")
	}
	if plan := p.remove(t, false); plan.Pending() != 0 {
		t.Errorf("again: %+v", plan)
	}
}

// A bucket that was there is set up, and never removed.
func TestRemoval_NotOurs(t *testing.T) {
	p := embedded(t)
	p.want.Bucket = "elsewhere"
	p.apply(t)
	plan, err := p.open(t).PlanRemoval(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(plan, provision.Delete); len(got) != 0 {
		t.Errorf("it would delete %v", got)
	}
	if _, err := p.open(t).Apply(t.Context(), plan, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.api.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("elsewhere")}); err != nil {
		t.Error("the bucket is gone")
	}
	if _, err := p.api.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String("elsewhere")}); err == nil {
		t.Error("our rules are still there")
	}
}

// Whoever lacks a permission is told which, on what, all at once.
func TestDenied(t *testing.T) {
	key := sigv4.Credentials{AccessKeyID: "OPERATORKEY", SecretAccessKey: "operators-secret"}
	b := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"photos"}, Users: []posterntest.BucketUser{{
		Name: "operator", Key: key, Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:ListBucket","s3:GetBucketCORS","s3:GetBucketPublicAccessBlock","s3:GetBucketOwnershipControls"],"Resource":"arn:aws:s3:::photos"}]}`,
	}}})
	p := at(t, b.Endpoint, "embedded", key)
	_, err := p.open(t).Plan(t.Context())
	if !errors.Is(err, provision.ErrDenied) {
		t.Fatal(err)
	}
	for _, want := range []string{"s3:GetLifecycleConfiguration", "s3:GetBucketPolicy", "arn:aws:s3:::photos"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "GetBucketCORS") {
		t.Errorf("%q names what is allowed", err)
	}
}

// A name that is answered 403 is somebody else's, unless it is on our list.
func TestTakenName(t *testing.T) {
	nobody := sigv4.Credentials{AccessKeyID: "NOBODYSKEY", SecretAccessKey: "nobodys-secret"}
	lists := sigv4.Credentials{AccessKeyID: "LISTERSKEY", SecretAccessKey: "listers-secret"}
	b := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"photos"}, Users: []posterntest.BucketUser{
		{Name: "nobody", Key: nobody, Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`},
		{Name: "lister", Key: lists, Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`},
	}})
	if _, err := at(t, b.Endpoint, "embedded", nobody).open(t).Plan(t.Context()); !errors.Is(err, provision.ErrTaken) {
		t.Errorf("somebody else's: %v", err)
	}
	if _, err := at(t, b.Endpoint, "embedded", lists).open(t).Plan(t.Context()); !errors.Is(err, provision.ErrDenied) || errors.Is(err, provision.ErrTaken) {
		t.Errorf("ours: %v", err)
	}
}

// cancelAfter returns a context that is done after k calls of the function.
func cancelAfter(t *testing.T, k int) (context.Context, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, func() {
		if k--; k == 0 {
			cancel()
		}
	}
}

// The bucket is made where it is wanted, and one that is elsewhere is named.
func TestRegion(t *testing.T) {
	b := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"elsewhere"}, Region: "eu-central-1"})
	p := at(t, b.Endpoint, "embedded", b.Key)
	p.want.Region = "eu-central-1"
	p.apply(t)
	p.want.Region, p.want.Bucket = "us-east-1", "elsewhere"
	if _, err := p.open(t).Plan(t.Context()); !errors.Is(err, provision.ErrWant) || !strings.Contains(err.Error(), "eu-central-1") {
		t.Errorf("in another region: %v", err)
	}
}
