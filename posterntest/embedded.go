package posterntest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"postern.example/postern/internal/s3d"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// BucketConfig changes the embedded bucket under test.
type BucketConfig struct {
	Buckets []string // made at once; default "test"
	Origins []string // pages that may use them, e.g. "https://app.example"
	Region  string   // default [Region]
	Key     sigv4.Credentials
	Users   []BucketUser
	Dir     string // kept by the caller; default a temporary folder
	Now     func() time.Time
	Logger  *slog.Logger
}

// BucketUser has a key that may do what its policy, an IAM policy document,
// allows.
type BucketUser struct {
	Name   string // arn:aws:iam::000000000000:user/NAME
	Key    sigv4.Credentials
	Policy string
}

// S3 is a running embedded bucket: a strict S3 for any client.
type S3 struct {
	Endpoint string // URL; addressing is path-style
	Region   string
	Key      sigv4.Credentials // may do everything
	Buckets  []string
}

// StartBucket runs an embedded bucket alone until the test ends, to hold code
// against that talks to S3.
func StartBucket(t testing.TB, c BucketConfig) *S3 {
	t.Helper()
	if c.Region == "" {
		c.Region = Region
	}
	if len(c.Buckets) == 0 {
		c.Buckets = []string{"test"}
	}
	if c.Key.AccessKeyID == "" {
		c.Key = sigv4.Credentials{AccessKeyID: "POSTERNTEST" + random(5), SecretAccessKey: random(20)}
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	var users []s3d.User
	for _, u := range c.Users {
		users = append(users, s3d.User{Name: u.Name, Keys: []sigv4.Credentials{u.Key}, Policies: [][]byte{[]byte(u.Policy)}})
	}
	server, err := s3d.New(s3d.Config{
		Dir: c.Dir, Region: c.Region, Keys: []sigv4.Credentials{c.Key}, Users: users, Now: c.Now, Logger: c.Logger,
	})
	must(t, "open embedded bucket", err)
	t.Cleanup(func() { must(t, "close embedded bucket", server.Close()) })
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	for _, name := range c.Buckets {
		b, err := s3.New(t.Context(), s3.Config{
			Bucket: name, Region: c.Region, Endpoint: h.URL, PathStyle: true,
			Credentials: func(context.Context) (sigv4.Credentials, error) { return c.Key, nil },
		})
		must(t, "open bucket", err)
		must(t, "create bucket", b.Create(t.Context()))
		if len(c.Origins) > 0 {
			must(t, "put CORS", b.PutCORS(t.Context(), []s3.CORSRule{{
				Origins: c.Origins, Methods: []string{"GET", "HEAD", "POST", "PUT"}, Headers: []string{"*"}, Expose: []string{"ETag"}, MaxAge: time.Hour,
			}}))
		}
	}
	return &S3{Endpoint: h.URL, Region: c.Region, Key: c.Key, Buckets: c.Buckets}
}
