// Package conform_test runs the conformance suites of posterntest against the
// embedded bucket, always, and against the servers that POSTERN_ORACLE names:
// "make oracle" starts versitygw, MinIO and Ceph RGW.
package conform_test

import (
	"context"
	"crypto/rand"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"postern.example/postern"
	"postern.example/postern/posterntest"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

func TestEmbedded(t *testing.T) {
	b := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"conformance"}})
	conforms(t, "embedded", b.Endpoint, "conformance", b.Key, nil)
}

// inDoubt is set in a process of our own, which is to fail: "suite/case".
const inDoubt = "POSTERN_CONFORM_DOUBT"

func TestServers(t *testing.T) {
	list := os.Getenv("POSTERN_ORACLE")
	if list == "" {
		t.Skip("POSTERN_ORACLE names no other server; \"make oracle\" does")
	}
	all, doubt := readDifferences(t), os.Getenv(inDoubt)
	key := sigv4.Credentials{AccessKeyID: os.Getenv("POSTERN_ORACLE_KEY"), SecretAccessKey: os.Getenv("POSTERN_ORACLE_SECRET")}
	for server := range strings.SplitSeq(list, ",") {
		name, url, _ := strings.Cut(server, "=")
		t.Run(name, func(t *testing.T) {
			known := all.of(name, doubt)
			conforms(t, name, url, "conformance-"+strings.ToLower(rand.Text()), key, known)
			if doubt != "" {
				return
			}
			if name == "minio" { // the one whose users are made by a call, and judged by the key of a form
				t.Run("a signing key apart", func(t *testing.T) { apart(t, url, key, known) })
			}
			for _, d := range known {
				if d.suite != transfers { // which looks itself
					t.Run("still so: "+d.suite+" "+d.name, func(t *testing.T) { stillSo(t, server, d) })
				}
			}
		})
	}
}

// conforms runs the three suites against one bucket, which it creates.
func conforms(t *testing.T, name, endpoint, bucket string, key sigv4.Credentials, known differences) {
	provider, ok := postern.ProviderByName(name)
	if !ok {
		t.Fatalf("no provider %q", name)
	}
	b := open(t, endpoint, bucket, key)
	at := endpoint + "/" + bucket
	t.Run(objects, func(t *testing.T) { posterntest.TestBucket(t, b, known.keys()...) })
	t.Run(parts, func(t *testing.T) {
		posterntest.TestMultipart(t, b, posterntest.MultipartTarget{URL: at, Region: b.Region(), Credentials: key, Lacks: known.lacks(t)})
	})
	t.Run(transfers, func(t *testing.T) {
		posterntest.TestTransfers(t, posterntest.TransferTarget{
			Bucket: b, Name: bucket, URL: at, Region: b.Region(), Credentials: key, Provider: provider, Faults: known.faults(),
		})
	})
}

// apart runs the transfers again, signed by a key that may put below incoming/
// and nothing else: nobody can have anything copied then, although the server
// obeys the header.
func apart(t *testing.T, endpoint string, key sigv4.Credentials, known differences) {
	bucket := "conformance-" + strings.ToLower(rand.Text())
	b := open(t, endpoint, bucket, key)
	api := sts.New(sts.Options{
		BaseEndpoint: &endpoint, Region: b.Region(), Credentials: credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, ""),
	})
	allowed := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::` + bucket + `/incoming/*"]}]}`
	out, err := api.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::000000000000:role/signer"), RoleSessionName: aws.String("signer"), Policy: &allowed,
	})
	if err != nil {
		t.Fatal(err)
	}
	provider, _ := postern.ProviderByName("minio")
	faults := known.faults()
	maps.DeleteFunc(faults, func(name, _ string) bool { return strings.Contains(name, "a copy of somebody else's object") })
	posterntest.TestTransfers(t, posterntest.TransferTarget{
		Bucket: b, Name: bucket, URL: endpoint + "/" + bucket, Region: b.Region(), Provider: provider, Faults: faults,
		Credentials: sigv4.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken},
	})
}

// open makes the bucket.
func open(t *testing.T, endpoint, bucket string, key sigv4.Credentials) *s3.Bucket {
	t.Helper()
	b, err := s3.New(t.Context(), s3.Config{
		Bucket: bucket, Endpoint: endpoint, PathStyle: true,
		Credentials: func(context.Context) (sigv4.Credentials, error) { return key, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// stillSo demands that the suite fails without a difference that it goes
// around. Only a process can fail and not fail the test.
func stillSo(t *testing.T, server string, d difference) {
	at := []string{"TestServers", d.server, d.suite}
	if d.suite == parts {
		at = append(at, doubtful(d.name))
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+strings.Join(at, "$/^")+"$")
	cmd.Env = append(os.Environ(), "POSTERN_ORACLE="+server, inDoubt+"="+d.suite+"/"+d.name)
	out, err := cmd.CombinedOutput()
	failed := "--- FAIL: " + strings.ReplaceAll(strings.Join(at, "/"), " ", "_") + " "
	switch {
	case err == nil:
		t.Errorf("it holds; take it off the list: %s", d.reason)
	case !strings.Contains(string(out), failed):
		t.Errorf("it fails elsewhere: %v\n%s", err, out)
	default:
		t.Logf("known of this server: %s", d.reason)
	}
}
