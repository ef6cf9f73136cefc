package assume_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"postern.example/postern/internal/s3d"
	"postern.example/postern/internal/s3d/assume"
	"postern.example/postern/sigv4"
)

var update = flag.Bool("update", false, "rewrite testdata/differences.txt")

var key = sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

// embedded starts the embedded bucket over a folder of its own.
func embedded(t *testing.T) *assume.Server {
	t.Helper()
	server, err := s3d.New(s3d.Config{Dir: t.TempDir(), Keys: []sigv4.Credentials{key}, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(server)
	client := assume.NewServer(h.URL, "us-east-1", key)
	t.Cleanup(func() {
		client.Close()
		h.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// answers puts the whole list to a server and returns what was seen where an
// assumption does not hold.
func answers(t *testing.T, s *assume.Server) map[string]string {
	t.Helper()
	b, err := s.Bucket()
	if err != nil {
		t.Fatalf("make a bucket: %v", err)
	}
	seen := make(map[string]string)
	for _, a := range assume.All() {
		if err := b.Ask(a); err != nil {
			seen[a.Name] = err.Error()
		}
	}
	return seen
}

// Every assumption holds for the embedded bucket, but for those that the table
// of differences gives a reason for.
func TestEmbeddedBucket(t *testing.T) {
	known := readDifferences(t).of(us)
	b, err := embedded(t).Bucket()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range assume.All() {
		t.Run(a.Name, func(t *testing.T) {
			err := b.Ask(a)
			switch why, listed := known[a.Name]; {
			case err != nil && !listed:
				t.Errorf("%v\n%s: %s", err, a.Source, a.Quote)
			case err == nil && listed:
				t.Errorf("holds, but the table says that it does not: %s", why)
			}
		})
	}
}

// The list is complete in itself: each has a name, a source and a quote.
func TestAll(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := make(map[string]bool)
	for _, a := range assume.All() {
		if !name.MatchString(a.Name) || seen[a.Name] {
			t.Errorf("name %q is malformed or there twice", a.Name)
		}
		if a.Source == "" || a.Quote == "" || a.Ask == nil {
			t.Errorf("%s lacks source, quote or question", a.Name)
		}
		seen[a.Name] = true
	}
	if len(seen) < 150 {
		t.Errorf("only %d assumptions", len(seen))
	}
}

// An assumption can fail: a server that answers everything with 200 and nothing
// more does not pass for S3.
func TestAssumptionsCanFail(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(h.Close)
	s := assume.NewServer(h.URL, "us-east-1", key)
	t.Cleanup(s.Close)
	seen := answers(t, s)
	for _, a := range assume.All() {
		if _, failed := seen[a.Name]; !failed {
			t.Errorf("%s holds for a server that says yes to everything", a.Name)
		}
	}
}
