package provision_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"postern.example/postern/internal/provision"
	"postern.example/postern/sigv4"
)

// ceph starts a Ceph RGW on which a user may make buckets, and returns a way to
// make more users.
func ceph(t *testing.T) (p *place, user func(name string) sigv4.Credentials) {
	t.Helper()
	if _, err := exec.LookPath("radosgw"); err != nil || os.Getenv("POSTERN_SERVERS") == "" {
		t.Skip("SKIPPED: POSTERN_SERVERS is not set, or there is no radosgw; \"make oracle\" installs it")
	}
	cmd := exec.Command("bash", "-c", `set -eu; . .ci/servers; trap servers_stop EXIT; servers_start ceph >&2; echo "$server_url ${servers_folders[-1]}/ceph.conf"; read -r _ || true`)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "SERVERS_KEY="+owner.AccessKeyID, "SERVERS_SECRET="+owner.SecretAccessKey)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out) //nolint:errcheck // it ends its servers first
		cmd.Wait()               //nolint:errcheck // stopped
	})
	var endpoint, conf string
	if _, err := fmt.Fscan(bufio.NewReader(out), &endpoint, &conf); err != nil {
		t.Fatalf("Ceph did not start: %v", err)
	}
	run := func(args ...string) ([]byte, error) {
		return exec.CommandContext(t.Context(), "radosgw-admin", append([]string{"-c", conf, "-n", "client.rgw"}, args...)...).CombinedOutput()
	}
	user = func(name string) sigv4.Credentials {
		t.Helper()
		key := sigv4.Credentials{AccessKeyID: "AK" + strings.ToUpper(name), SecretAccessKey: "secret-of-" + name}
		if out, err := run("user", "create", "--uid="+name, "--display-name="+name, "--access-key="+key.AccessKeyID, "--secret-key="+key.SecretAccessKey); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return key
	}
	p = at(t, endpoint, "ceph", user("owner"))
	return p, user
}

// With the settings that setup writes, two users that were made by hand may do
// just what their keys are for, by PUT and by form, and the owner's pictures can
// be read by everybody if that is wanted.
func TestCeph(t *testing.T) {
	p, user := ceph(t)
	p.want.Bucket, p.want.Public, p.want.User = "photos", true, "site"
	if got := ids(p.plan(t), provision.ByHand); !slices.Equal(got, []string{"keys"}) {
		t.Errorf("left to a person: %v", got)
	}
	p.apply(t)
	keys := map[string]sigv4.Credentials{provision.Signer: user("site-signer"), provision.Worker: user("site-worker")}
	for _, c := range []struct {
		kind  string
		wants []string
	}{
		{provision.Signer, []string{"POST incoming/a", "PUT incoming/a"}},
		{provision.Worker, []string{"GET incoming/a", "POST images/a", "PUT images/a", "GET images/a"}},
	} {
		key := keys[c.kind]
		api := s3.New(s3.Options{
			BaseEndpoint: &p.want.Endpoint, Region: "us-east-1", UsePathStyle: true, RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
			Credentials: credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, ""),
		})
		var got []string
		for _, where := range []string{"incoming/a", "images/a", "a"} {
			if s := postForm(t, p.want.Endpoint, where, key); s/100 == 2 {
				got = append(got, "POST "+where)
			} else if s != http.StatusForbidden {
				t.Errorf("%s: POST %s: %d", c.kind, where, s)
			}
			if put(t, api)(where) == nil {
				got = append(got, "PUT "+where)
			}
			if _, err := api.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &p.want.Bucket, Key: &where}); err == nil {
				got = append(got, "GET "+where)
			}
		}
		if !slices.Equal(got, c.wants) {
			t.Errorf("%s may %v, want %v", c.kind, got, c.wants)
		}
		if _, err := api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &p.want.Bucket}); (err == nil) != (c.kind == provision.Worker) {
			t.Errorf("%s: list: %v", c.kind, err)
		}
		// An ACL that whoever holds a signed URL adds is without effect.
		if c.kind == provision.Signer {
			in := &s3.PutObjectInput{Bucket: &p.want.Bucket, Key: aws.String("incoming/open"), Body: strings.NewReader("x"), ACL: types.ObjectCannedACLPublicRead}
			if _, err := api.PutObject(t.Context(), in); err != nil {
				t.Error(err)
			}
		}
	}
	for key, want := range map[string]int{"images/a": http.StatusOK, "incoming/a": http.StatusForbidden, "incoming/open": http.StatusForbidden} {
		resp, err := http.Get(p.want.Endpoint + "/photos/" + key)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("a stranger gets %d for %s, want %d", resp.StatusCode, key, want)
		}
	}
	p.want.Public = false
	p.apply(t)
}
