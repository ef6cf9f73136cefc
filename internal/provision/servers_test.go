package provision_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"postern.example/postern/internal/provision"
)

// other starts somebody else's server, as .ci/servers does, until the test ends.
func other(t *testing.T, name string) (url string) {
	t.Helper()
	switch dir := os.Getenv("POSTERN_SERVERS"); name {
	case "ceph":
		if _, err := exec.LookPath("radosgw"); err != nil || dir == "" {
			t.Skip("SKIPPED: POSTERN_SERVERS is not set, or there is no radosgw; \"make oracle\" installs it")
		}
	default:
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil || dir == "" {
			t.Skipf("SKIPPED: POSTERN_SERVERS names no folder with %s; \"make oracle\" does", name)
		}
	}
	cmd := exec.Command("bash", "-c", `set -eu; . .ci/servers; trap servers_stop EXIT; servers_start `+name+` >&2; echo "$server_url"; read -r _ || true`)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "SERVERS_KEY="+owner.AccessKeyID, "SERVERS_SECRET="+owner.SecretAccessKey, "TMPDIR="+shortTemp(t))
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
	line, err := bufio.NewReader(out).ReadString('\n')
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out) //nolint:errcheck // it ends its servers first
		cmd.Wait()               //nolint:errcheck // stopped
	})
	if err != nil {
		t.Fatalf("%s did not start: %v", name, err)
	}
	return strings.TrimSpace(line)
}

// shortTemp is a folder for sockets, whose path may have 107 bytes.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s") //nolint:usetesting // the test's own folder has its name in the path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// On each server, everything that it has an API for is set, found drifted, put
// right, and removed; what it has none for is a person's, and said so.
func TestServers(t *testing.T) {
	for name, c := range map[string]struct {
		sets   []string // from nothing
		byHand []string
		breaks string // the setting that somebody changes
	}{
		"minio": {[]string{"bucket", "lifecycle", "bucket-policy"}, []string{"cors", "abort", "block-public-access", "keys"}, "bucket-policy"},
		"ceph":  {[]string{"bucket", "block-public-access", "cors", "lifecycle", "bucket-policy"}, []string{"keys"}, "cors"},
	} {
		t.Run(name, func(t *testing.T) {
			p := at(t, other(t, name), name, owner)
			p.want.User, p.want.Public = "site", true
			plan := p.plan(t)
			if got := ids(plan, provision.Create); !slices.Equal(got, c.sets) {
				t.Errorf("it would set %v, want %v", got, c.sets)
			}
			if got := ids(plan, provision.ByHand); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(c.byHand))) {
				t.Errorf("left to a person: %v, want %v", got, c.byHand)
			}
			if r := p.apply(t); len(r.ByHand) != 0 {
				t.Errorf("it has no %v", r.ByHand)
			}
			bucket := aws.String("photos")
			var err error
			switch c.breaks {
			case "bucket-policy":
				_, err = p.api.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(
					`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/site/*"]}]}`)})
			case "cors":
				_, err = p.api.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{Bucket: bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{
					{ID: aws.String("theirs"), AllowedOrigins: []string{"https://other.example"}, AllowedMethods: []string{"GET"}},
				}}})
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(p.plan(t), provision.Change); !slices.Equal(got, []string{c.breaks}) {
				t.Errorf("found %v, want %s", got, c.breaks)
			}
			p.apply(t)
			made := false
			if out, err := p.api.GetBucketTagging(t.Context(), &s3.GetBucketTaggingInput{Bucket: bucket}); err == nil {
				made = len(out.TagSet) == 1
			}
			if !made {
				t.Error("the bucket has no tag")
			}
			if err := put(t, p.api)("images/a"); err != nil {
				t.Fatal(err)
			}
			if _, err := p.open(t).PlanRemoval(t.Context(), false); err == nil {
				t.Error("a bucket with an object would be removed")
			}
			p.remove(t, true)
			if _, err := p.api.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: bucket}); err == nil {
				t.Error("the bucket is still there")
			}
		})
	}
}

// A server of which nothing is known is asked; what it answers 501 to is said,
// whether the bucket was there or not.
func TestServers_Unknown(t *testing.T) {
	p := at(t, other(t, "versitygw"), "other", owner)
	c := p.open(t)
	plan, err := c.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Apply(t.Context(), plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	var hand []string
	for _, s := range r.ByHand {
		hand = append(hand, s.ID)
		if !strings.Contains(s.Manual.Why, "501 ") && !strings.Contains(s.Manual.Why, "405 ") {
			t.Errorf("%s: its answer is not said: %s", s.ID, s.Manual.Why)
		}
	}
	if !slices.Contains(hand, "lifecycle") || slices.Contains(hand, "cors") {
		t.Errorf("left to a person: %v", hand)
	}
	again := p.plan(t)
	if again.Pending() != 0 {
		t.Errorf("a second run would do %+v", again.Steps)
	}
	for _, id := range hand {
		if !slices.Contains(ids(again, provision.ByHand), id) {
			t.Errorf("the second run does not speak of %s", id)
		}
	}
}
