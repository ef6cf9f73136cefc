package doctor

import (
	"context"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"postern.example/postern"
	"postern.example/postern/posterntest"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// What other servers lack, as the doctor sees it; with anything more or less of
// it the test fails. The keys have the policies that setup writes.
func lacks() map[string]map[string]string {
	return map[string]map[string]string{
		"versitygw": {
			"cors.errors warn":  "it refuses a form without CORS headers",
			"upload.post fault": "it judges a form by the bucket, so that a key of least privilege cannot send one",
		},
		"minio": {
			"cors.foreign warn": "it has one setting for the whole server, and as it comes it lets everybody in",
		},
	}
}

func rootKey() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
}

// serverPath finds another S3 server, or skips the test.
func serverPath(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(os.Getenv("POSTERN_SERVERS"), name)
	if _, err := os.Stat(path); err != nil || os.Getenv("POSTERN_SERVERS") == "" {
		t.Skipf("SKIPPED: POSTERN_SERVERS names no folder with %s; \"make oracle\" does", name)
	}
	return path
}

// startServer runs a server until the test ends; args are what stands behind
// its address.
func startServer(t *testing.T, path string, env []string, args func(address string) []string) (endpoint string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.Command(path, args(address)...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // killed
	})
	posterntest.Eventually(t, filepath.Base(path)+" answers", func() bool {
		x, err := newExam(healthyConfig("http://" + address + "/" + testBucket))
		if err != nil {
			t.Fatal(err)
		}
		k := x.knock(t.Context())
		return k.err == nil && k.got.Status < 500
	})
	return "http://" + address
}

// examine runs all probes against a server that has just been started, and
// holds what is not well against the list.
func examine(t *testing.T, name, endpoint string, signer, worker sigv4.Credentials) {
	t.Helper()
	b, err := s3.New(t.Context(), s3.Config{Bucket: testBucket, Endpoint: endpoint, PathStyle: true, Credentials: func(context.Context) (sigv4.Credentials, error) { return rootKey(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	c := healthyConfig(endpoint + "/" + testBucket)
	c.Provider, _ = postern.ProviderByName(name)
	c.Embedded = false
	c.Signer, c.Worker, c.Inspector = always(signer), always(worker), always(rootKey())
	if c.Provider.CORS == postern.Yes {
		if err := b.PutCORS(t.Context(), []s3.CORSRule{{
			Origins: c.Origins, Methods: []string{"POST", "PUT"}, Expose: []string{"ETag"},
			Headers: []string{"content-type", "content-md5", "if-none-match", "x-amz-checksum-sha256", postern.TicketHeader},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	if c.Provider.Lifecycle == postern.Yes {
		owner := &bed{t: t, s3: &posterntest.S3{Key: rootKey()}}
		if owner.owner, err = newExam(c); err != nil {
			t.Fatal(err)
		}
		rule := goodLifecycle
		if c.Provider.AbortLifecycle != postern.Yes {
			before, rest, _ := strings.Cut(rule, "<Abort")
			_, after, _ := strings.Cut(rest, "</AbortIncompleteMultipartUpload>")
			rule = before + after
		}
		owner.set("lifecycle", rule)
	}
	r, err := Run(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range r.Findings {
		if f.Status == Fault || f.Status == Warn {
			got[f.ID+" "+string(f.Status)] = f.Cause + " (" + f.Got + ")"
		}
	}
	want := lacks()[name]
	for _, f := range slices.Sorted(maps.Keys(got)) {
		if want[f] == "" {
			t.Errorf("unexplained: %s: %s", f, got[f])
		}
	}
	for _, f := range slices.Sorted(maps.Keys(want)) {
		if got[f] == "" {
			t.Errorf("it is well; take it off the list: %s", f)
		}
	}
	if left, err := b.List(t.Context(), "", "", 10); err != nil || len(left) > 0 {
		t.Errorf("left in the bucket: %v, %v", left, err)
	}
}

func createBucket(t *testing.T, endpoint string) {
	t.Helper()
	b, err := s3.New(t.Context(), s3.Config{Bucket: testBucket, Endpoint: endpoint, PathStyle: true, Credentials: func(context.Context) (sigv4.Credentials, error) { return rootKey(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestServers_Versity(t *testing.T) {
	t.Parallel()
	path := serverPath(t, "versitygw")
	// A socket's path may have 104 bytes, which the test's own folder may exceed.
	dir, err := os.MkdirTemp("", "vgw") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{"iam", "files"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	socket, root := filepath.Join(dir, "s"), rootKey()
	of := func(more ...string) func(string) []string {
		return func(address string) []string {
			return append([]string{"-a", root.AccessKeyID, "-s", root.SecretAccessKey, "-p", address, "--keep-alive"}, more...)
		}
	}
	users := startServer(t, path, nil, of("iam", "--dir", filepath.Join(dir, "iam"), "--quiet", "--disable-oidc-thumbprint-autofetch", "--private-ports", socket))
	endpoint := startServer(t, path, nil, of("--quiet", "--iam-standalone-endpoint", socket, "posix", filepath.Join(dir, "files")))
	createBucket(t, endpoint)
	api := iam.New(iam.Options{BaseEndpoint: &users, Region: testRegion, Credentials: credentials.NewStaticCredentialsProvider(root.AccessKeyID, root.SecretAccessKey, "")})
	user := func(name, policy string) sigv4.Credentials {
		if _, err := api.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := api.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("postern"), PolicyDocument: &policy}); err != nil {
			t.Fatal(err)
		}
		out, err := api.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
		if err != nil {
			t.Fatal(err)
		}
		return sigv4.Credentials{AccessKeyID: *out.AccessKey.AccessKeyId, SecretAccessKey: *out.AccessKey.SecretAccessKey}
	}
	examine(t, "versitygw", endpoint, user("photos-signer", goodSigner), user("photos-worker", goodWorker))
}

func TestServers_MinIO(t *testing.T) {
	t.Parallel()
	endpoint, session := startMinIO(t)
	examine(t, "minio", endpoint, session("signer", goodSigner), session("worker", goodWorker))
}

// A real server that obeys an x-amz-copy-source that was not signed: what is
// said of it comes of what it does, and not of its name.
func TestServers_MinIOCopies(t *testing.T) {
	t.Parallel()
	endpoint, session := startMinIO(t)
	c := healthyConfig(endpoint + "/" + testBucket)
	c.Embedded = false
	c.Provider, _ = postern.ProviderByName("minio")
	c.Worker = always(session("worker", goodWorker))
	for policy, want := range map[string]Status{
		goodSigner: OK,
		strings.Replace(goodSigner, `"Statement":[`, `"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/images/*"},`, 1): Fault,
	} {
		c.Signer = always(session("signer", policy))
		c.Only = []string{"attack.headers"}
		r, err := Run(t.Context(), c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f := r.Findings[0]; f.Status != want || want == Fault && !strings.Contains(f.Cause, "x-amz-copy-source") {
			t.Errorf("want %s: %+v", want, f)
		}
	}
}

// startMinIO runs MinIO with a bucket, and returns a way to make keys with a
// policy.
func startMinIO(t *testing.T) (endpoint string, session func(name, policy string) sigv4.Credentials) {
	t.Helper()
	path, root := serverPath(t, "minio"), rootKey()
	endpoint = startServer(t, path, []string{
		"HOME=" + t.TempDir(), "MINIO_ROOT_USER=" + root.AccessKeyID, "MINIO_ROOT_PASSWORD=" + root.SecretAccessKey,
		"MINIO_UPDATE=off", "MINIO_BROWSER=off", "MINIO_CI_CD=1",
	}, func(address string) []string { return []string{"server", "--quiet", "--address", address, t.TempDir()} })
	createBucket(t, endpoint)
	api := sts.New(sts.Options{BaseEndpoint: &endpoint, Region: testRegion, Credentials: credentials.NewStaticCredentialsProvider(root.AccessKeyID, root.SecretAccessKey, "")})
	return endpoint, func(name, policy string) sigv4.Credentials {
		out, err := api.AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::000000000000:role/" + name), RoleSessionName: &name, Policy: aws.String(strings.Join(strings.Fields(policy), "")),
		})
		if err != nil {
			t.Fatal(err)
		}
		return sigv4.Credentials{
			AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey,
			SessionToken: *out.Credentials.SessionToken, Expires: *out.Credentials.Expiration,
		}
	}
}
