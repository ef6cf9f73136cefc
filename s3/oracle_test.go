package s3_test

import (
	"os"
	"strings"
	"testing"

	"postern.example/postern/posterntest"
	"postern.example/postern/sigv4"
)

// The conformance suites against other people's servers: POSTERN_ORACLE is
// "name=url,…", see .ci/oracle. What they lack is named, with what it is due to.
func TestOracle(t *testing.T) {
	list := os.Getenv("POSTERN_ORACLE")
	if list == "" {
		t.Skip("POSTERN_ORACLE names no other server; \"make oracle\" does")
	}
	lacks := map[string]struct {
		keys  []string
		parts posterntest.MultipartLacks
		// transfers are cases of TestTransfers that fail because of the server.
		transfers map[string]string
	}{
		// Its objects are files of these names: "a" cannot be a folder, too, and
		// what ends in a slash is one, without bytes.
		"versitygw": {keys: []string{"a/b", "a//b", "z/"}, parts: posterntest.MultipartLacks{SameKey: true}},
		"ceph": {
			parts: posterntest.MultipartLacks{IfNoneMatch: true, Order: true, Gone: true},
			transfers: map[string]string{
				"form: other bytes than hashed": "it knows no x-amz-checksum fields; the check finds it",
				"PUT: other bytes than hashed":  "it knows no x-amz-checksum headers; the check finds it",
				"PUT: more metadata":            "it takes x-amz-* headers that are not signed",
				"PUT: an ACL":                   "it takes x-amz-* headers that are not signed",
			},
		},
		// It refuses empty names on the way, and does not list what is below an
		// object.
		"minio": {keys: []string{"a/b", "a//b"}, parts: posterntest.MultipartLacks{Prefix: true}, transfers: map[string]string{
			"PUT: an ACL": "it takes x-amz-acl beside the signed headers, and makes nothing of it",
		}},
	}
	key := sigv4.Credentials{AccessKeyID: os.Getenv("POSTERN_ORACLE_KEY"), SecretAccessKey: os.Getenv("POSTERN_ORACLE_SECRET")}
	for server := range strings.SplitSeq(list, ",") {
		name, url, _ := strings.Cut(server, "=")
		t.Run(name, func(t *testing.T) {
			b := open(t, url, "conformance", key)
			if err := b.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Run("objects", func(t *testing.T) { posterntest.TestBucket(t, b, lacks[name].keys...) })
			t.Run("parts", func(t *testing.T) {
				posterntest.TestMultipart(t, b, posterntest.MultipartTarget{URL: url + "/conformance", Region: b.Region(), Credentials: key, Lacks: lacks[name].parts})
			})
			posterntest.TestTransfers(t, posterntest.TransferTarget{
				Bucket: b, Name: "conformance", URL: url + "/conformance", Region: b.Region(), Credentials: key, Provider: provider(t, name),
				Faults: lacks[name].transfers,
			})
		})
	}
}
