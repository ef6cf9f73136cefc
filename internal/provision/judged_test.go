package provision_test

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"postern.example/postern/internal/provision"
	"postern.example/postern/internal/s3d/access"
	"postern.example/postern/posterntest"
	"postern.example/postern/sigv4"
)

// Of everything that S3 can do, to every place of the bucket and beside it, the
// two keys may do what this says, and nothing else.
func TestPolicies_AllowJustThat(t *testing.T) {
	w := wants(t)["aws-user"]
	bucket := []string{"s3:ListBucket", "s3:ListBucketMultipartUploads"}
	allowed := map[string]map[string][]string{
		provision.Signer: {"incoming/a": {"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}},
		provision.Worker: {
			"incoming/a": {"s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
			"images/a/b": {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
			"":           bucket,
		},
	}
	for kind, want := range allowed {
		p, err := access.ParseIdentity([]byte(provision.KeyPolicy(&w, kind).String()))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{w.Bucket, "photos2", "photo"} {
			for _, key := range []string{"", "incoming/a", "images/a/b", "a", "incoming", "images", "incomingx/a", "other/incoming/a"} {
				for _, action := range access.Actions() {
					if key == "" && strings.Contains(action, "Object") || name == "" {
						continue
					}
					got := p.Judge(access.Request{Action: action, Bucket: name, Key: key}) == access.Allow
					if should := name == w.Bucket && slices.Contains(want[key], action); got != should {
						t.Errorf("%s: %s on %s/%s: allowed %v, want %v", kind, action, name, key, got, should)
					}
				}
			}
		}
	}
}

// The bucket policy opens images/ to everybody where that is wanted, never
// incoming/, and refuses plain HTTP and old signatures, also to our own keys.
func TestBucketPolicy_Judged(t *testing.T) {
	for name, w := range wants(t) {
		list := provision.BucketStatements(&w)
		if len(list) == 0 || w.Distribution != "" || w.Region == "cn-north-1" {
			continue // services and other partitions are never a caller of the embedded bucket
		}
		// Ceph RGW names users without an account.
		text := strings.ReplaceAll(provision.Policy{Version: "2012-10-17", Statement: list}.String(), ":iam:::user/", ":iam::"+account+":user/")
		p, err := access.ParseBucket([]byte(text), w.Bucket)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		judge := func(action, key, secure string, more map[string][]string) access.Decision {
			c := map[string][]string{"aws:securetransport": {secure}}
			for k, v := range more {
				c[k] = v
			}
			return p.Judge(access.Request{Action: action, Bucket: w.Bucket, Key: key, Conditions: c})
		}
		if got := judge("s3:GetObject", "images/a", "true", nil) == access.Allow; got != w.Public {
			t.Errorf("%s: a stranger reads images/: %v", name, got)
		}
		for _, c := range [][2]string{{"s3:GetObject", "incoming/a"}, {"s3:PutObject", "images/a"}, {"s3:ListBucket", ""}, {"s3:PutObject", "incoming/a"}, {"s3:DeleteObject", "images/a"}} {
			if judge(c[0], c[1], "true", nil) == access.Allow {
				t.Errorf("%s: a stranger may %s %s", name, c[0], c[1])
			}
		}
		if w.Provider.Name != "aws" {
			continue
		}
		for what, d := range map[string]access.Decision{
			"plain HTTP":       judge("s3:GetObject", "images/a", "false", nil),
			"an old signature": judge("s3:PutObject", "incoming/a", "true", map[string][]string{"s3:signatureage": {"3600001"}}),
			"signature v2":     judge("s3:PutObject", "incoming/a", "true", map[string][]string{"s3:signatureversion": {"AWS"}}),
		} {
			if d != access.Deny {
				t.Errorf("%s: %s is not denied", name, what)
			}
		}
		if judge("s3:PutObject", "incoming/a", "true", map[string][]string{"s3:signatureage": {"3600000"}, "s3:signatureversion": {"AWS4-HMAC-SHA256"}}) == access.Deny {
			t.Errorf("%s: what serve signs is denied", name)
		}
	}
}

// MinIO judges a form by its key, as AWS does: with the policy that setup writes
// as a session's, a form and a PUT get in below incoming/ and nowhere else.
func TestSignerPolicy_OnMinIO(t *testing.T) {
	path := filepath.Join(os.Getenv("POSTERN_SERVERS"), "minio")
	if _, err := os.Stat(path); err != nil || os.Getenv("POSTERN_SERVERS") == "" {
		t.Skip("SKIPPED: POSTERN_SERVERS names no folder with minio; \"make oracle\" does")
	}
	address := free(t)
	cmd := exec.Command(path, "server", "--quiet", "--address", address, t.TempDir())
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "MINIO_ROOT_USER="+owner.AccessKeyID, "MINIO_ROOT_PASSWORD="+owner.SecretAccessKey, "MINIO_UPDATE=off", "MINIO_BROWSER=off", "MINIO_CI_CD=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // killed
	})
	endpoint := "http://" + address
	posterntest.Eventually(t, "MinIO is ready", func() bool {
		resp, err := http.Get(endpoint + "/minio/health/cluster")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	p := at(t, endpoint, "minio", owner)
	p.want.User = "site"
	plan := p.plan(t)
	if got := ids(plan, provision.ByHand); !slices.Contains(got, "cors") || !slices.Contains(got, "keys") || !slices.Contains(got, "block-public-access") {
		t.Errorf("left to a person: %v", got)
	}
	p.apply(t)
	for kind, want := range map[string][]string{provision.Signer: {"POST incoming/a", "PUT incoming/a"}, provision.Worker: {"POST images/a", "PUT images/a"}} {
		key := session(t, endpoint, provision.KeyPolicy(&p.want, kind).String())
		var got []string
		for _, where := range []string{"incoming/a", "images/a", "a"} {
			if s := postForm(t, endpoint, where, key); s/100 == 2 {
				got = append(got, "POST "+where)
			} else if s != http.StatusForbidden {
				t.Errorf("%s: POST %s: %d", kind, where, s)
			}
			api := s3.New(s3.Options{BaseEndpoint: &endpoint, Region: "us-east-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, key.SessionToken)})
			if err := put(t, api)(where); err == nil {
				got = append(got, "PUT "+where)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s may %v, want %v", kind, got, want)
		}
	}
}

// session returns a key that may do what policy says.
func session(t *testing.T, endpoint, policy string) sigv4.Credentials {
	t.Helper()
	api := sts.New(sts.Options{BaseEndpoint: &endpoint, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(owner.AccessKeyID, owner.SecretAccessKey, "")})
	out, err := api.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/x"), RoleSessionName: aws.String("x"), Policy: &policy,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sigv4.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken}
}

// postForm sends a form for one key, and returns the status.
func postForm(t *testing.T, endpoint, key string, c sigv4.Credentials) int {
	t.Helper()
	now := time.Now()
	fields := sigv4.NewSigner("us-east-1").Post(c, now, &sigv4.Policy{
		Expiration: now.Add(time.Minute), Conditions: []sigv4.Condition{sigv4.Eq("bucket", "photos"), sigv4.Eq("key", key), sigv4.LengthRange(1, 10)},
	})
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	write := func(name, value string) {
		if err := form.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	write("key", key)
	for _, f := range fields {
		write(f.Name, f.Value)
	}
	part, err := form.CreateFormFile("file", "x")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(part, "x")
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, endpoint+"/photos", &b)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
