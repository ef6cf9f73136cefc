package provision_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"postern.example/postern/internal/provision"
	"postern.example/postern/posterntest"
	"postern.example/postern/sigv4"
)

var owner = sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

// versity starts versitygw with an IAM of its own.
func versity(t *testing.T) *place {
	t.Helper()
	path := filepath.Join(os.Getenv("POSTERN_SERVERS"), "versitygw")
	if _, err := os.Stat(path); err != nil || os.Getenv("POSTERN_SERVERS") == "" {
		t.Skip("SKIPPED: POSTERN_SERVERS names no folder with versitygw; \"make oracle\" does")
	}
	dir := shortTemp(t)
	for _, name := range []string{"iam", "files"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "s")
	users := start(t, path, "iam", "--dir", filepath.Join(dir, "iam"), "--quiet", "--disable-oidc-thumbprint-autofetch", "--private-ports", socket)
	files := start(t, path, "--quiet", "--iam-standalone-endpoint", socket, "posix", filepath.Join(dir, "files"))
	p := at(t, files, "versitygw", owner)
	p.access.IAMEndpoint, p.want.User = users, "site"
	return p
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts versitygw and waits until it answers.
func start(t *testing.T, path string, args ...string) (url string) {
	t.Helper()
	address := free(t)
	cmd := exec.Command(path, append([]string{"-a", owner.AccessKeyID, "-s", owner.SecretAccessKey, "-p", address, "--keep-alive"}, args...)...)
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // killed
	})
	posterntest.Eventually(t, "versitygw answers", func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
	return "http://" + address
}

// The users, policies and keys are made, and the keys that are handed out may
// do exactly what they should.
func TestVersity_Users(t *testing.T) {
	p := versity(t)
	r := p.apply(t)
	if len(r.Keys) != 2 {
		t.Fatalf("%d keys were made", len(r.Keys))
	}
	bucket := aws.String("photos")
	for _, k := range r.Keys {
		api := s3.New(s3.Options{
			BaseEndpoint: &p.want.Endpoint, Region: "us-east-1", UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, ""),
		})
		signs := k.Kind == provision.Signer
		for _, c := range []struct {
			what    string
			allowed bool
			do      func(key string) error
			key     string
		}{
			{"put incoming", signs, put(t, api), "incoming/a"},
			{"put images", !signs, put(t, api), "images/a"},
			{"put elsewhere", false, put(t, api), "b"},
			{"get incoming", !signs, get(t, api, p.api), "incoming/a"},
			{"get images", !signs, get(t, api, p.api), "images/a"},
			{"get elsewhere", false, get(t, api, p.api), "b"},
			{"delete images", !signs, remove(t, api), "images/a"},
			{"delete incoming", !signs, remove(t, api), "incoming/a"},
			{"delete elsewhere", false, remove(t, api), "b"},
		} {
			err := c.do(c.key)
			if c.allowed && err != nil || !c.allowed && (err == nil || !strings.Contains(err.Error(), "AccessDenied")) {
				t.Errorf("%s: %s: %v, allowed should be %v", k.Kind, c.what, err, c.allowed)
			}
		}
		if _, err := api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket}); (err == nil) == signs {
			t.Errorf("%s: list: %v", k.Kind, err)
		}
		if _, err := api.DeleteBucketCors(t.Context(), &s3.DeleteBucketCorsInput{Bucket: bucket}); err == nil {
			t.Errorf("%s may change the bucket", k.Kind)
		}
	}
}

func put(t *testing.T, api *s3.Client) func(string) error {
	return func(key string) error {
		_, err := api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: &key, Body: strings.NewReader("x")})
		return err
	}
}

func get(t *testing.T, api, owners *s3.Client) func(string) error {
	return func(key string) error {
		if err := put(t, owners)(key); err != nil {
			t.Fatal(err)
		}
		out, err := api.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos"), Key: &key})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		_, err = io.Copy(io.Discard, out.Body)
		return err
	}
}

func remove(t *testing.T, api *s3.Client) func(string) error {
	return func(key string) error {
		_, err := api.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("photos"), Key: &key})
		return err
	}
}

// Interrupted after any step, nothing is made twice, and no key is lost.
func TestVersity_HalfApplied(t *testing.T) {
	for k := 1; k < 8; k++ {
		p := versity(t)
		c := p.open(t)
		plan, err := c.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string]int{}
		ctx, cancel := cancelAfter(t, k)
		r, err := c.Apply(ctx, plan, func(e provision.Event) {
			if e.Key != nil {
				keys[e.Key.Kind]++
			}
			if e.Ended {
				cancel()
			}
		})
		if err == nil && k < plan.Pending() {
			t.Errorf("not interrupted after %d steps", k)
		}
		if n := keys[provision.Signer] + keys[provision.Worker]; n != len(r.Keys) {
			t.Errorf("%d keys in events, %d in the result", n, len(r.Keys))
		}
		for _, key := range p.apply(t).Keys {
			keys[key.Kind]++
		}
		if keys[provision.Signer] != 1 || keys[provision.Worker] != 1 {
			t.Errorf("stopped after %d steps: keys %v", k, keys)
		}
	}
}

// What somebody adds to our users' powers is shown, and taken away.
func TestVersity_Drift(t *testing.T) {
	p := versity(t)
	p.apply(t)
	api := iam.New(iam.Options{BaseEndpoint: &p.access.IAMEndpoint, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(owner.AccessKeyID, owner.SecretAccessKey, "")})
	all := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["*"]}]}`
	for _, name := range []string{"postern-signer", "more"} {
		if _, err := api.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("site-signer"), PolicyName: &name, PolicyDocument: &all}); err != nil {
			t.Fatal(err)
		}
	}
	plan := p.plan(t)
	if got := append(ids(plan, provision.Change), ids(plan, provision.Delete)...); !slices.Equal(got, []string{"user-signer-policy", "user-signer-foreign"}) {
		t.Errorf("found %v", got)
	}
	p.apply(t)
}

// Rotation makes a second key, and deletes the first in the next run; a secret
// that is lost is replaced.
func TestVersity_Rotation(t *testing.T) {
	p := versity(t)
	first := p.apply(t).Keys
	rotate := func() *provision.Result {
		t.Helper()
		c := p.open(t)
		plan, err := c.PlanRotation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Apply(t.Context(), plan, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	// Their times have seconds.
	began := time.Now().Unix()
	posterntest.Eventually(t, "the next second", func() bool { return time.Now().Unix() > began })
	second := rotate().Keys
	if len(second) != 2 {
		t.Fatalf("%d new keys", len(second))
	}
	if left := rotate(); len(left.Keys) != 0 || len(left.Done) != 2 {
		t.Errorf("the second run: %+v", left)
	}
	use := func(k provision.Key) error {
		api := s3.New(s3.Options{BaseEndpoint: &p.want.Endpoint, Region: "us-east-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, "")})
		return put(t, api)(map[string]string{provision.Signer: "incoming/a", provision.Worker: "images/a"}[k.Kind])
	}
	for i := range first {
		posterntest.Eventually(t, "the old key is refused", func() bool { return use(first[i]) != nil })
		if err := use(second[i]); err != nil {
			t.Errorf("the new key: %v", err)
		}
	}
	p.access.NoSecret = map[string]bool{provision.Signer: true}
	c := p.open(t)
	plan, err := c.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(plan, provision.Create); !slices.Equal(got, []string{"user-signer-key"}) {
		t.Errorf("with a secret lost it would create %v", got)
	}
	r, err := c.Apply(t.Context(), plan, nil)
	if err != nil || len(r.Keys) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := ids(p.plan(t), provision.ByHand); !slices.Contains(got, "key-signer") {
		t.Errorf("with two keys and no secret: %v", got)
	}
	if err := c.DeleteKey(t.Context(), r.Keys[0]); err != nil {
		t.Fatal(err)
	}
	posterntest.Eventually(t, "the deleted key is refused", func() bool { return use(r.Keys[0]) != nil })
}

// What setup made goes, users first; what it did not make stays.
func TestVersity_Removal(t *testing.T) {
	p := versity(t)
	p.apply(t)
	c := p.open(t)
	if err := put(t, p.api)("images/a"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PlanRemoval(t.Context(), false); !errors.Is(err, provision.ErrNotEmpty) {
		t.Errorf("a bucket with objects: %v", err)
	}
	plan, err := c.PlanRemoval(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ids(plan, provision.Delete), []string{"user-signer", "user-worker", "bucket"}; !slices.Equal(got, want) {
		t.Errorf("it would delete %v, want %v", got, want)
	}
	if _, err := c.Apply(t.Context(), plan, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.api.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("photos")}); err == nil {
		t.Error("the bucket is still there")
	}
	if again, err := c.PlanRemoval(t.Context(), false); err != nil || again.Pending() != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// A role is made, kept as it should be, and removed.
func TestVersity_Role(t *testing.T) {
	p := versity(t)
	p.want.User, p.want.Role, p.want.Trust = "", "site", provision.Trust{Kind: "oidc", Provider: "arn:aws:iam::" + account + ":oidc-provider/issuer.example", Subject: "me"}
	p.apply(t)
	p.want.Trust.Subject = "somebody-else"
	if got := ids(p.plan(t), provision.Change); !slices.Equal(got, []string{"role-trust"}) {
		t.Errorf("found %v", got)
	}
	p.apply(t)
	p.remove(t, false)
	if plan := p.remove(t, false); plan.Pending() != 0 {
		t.Errorf("again: %+v", plan)
	}
}
