package posterntest_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"postern.example/postern/posterntest"
	"postern.example/postern/sigv4"
)

// The manual's recipe for Go is what stands here.
func TestStartBucket(t *testing.T) {
	bucket := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"photos"}})
	provider := credentials.NewStaticCredentialsProvider(bucket.Key.AccessKeyID, bucket.Key.SecretAccessKey, "")
	client := s3.New(s3.Options{BaseEndpoint: &bucket.Endpoint, Region: bucket.Region, UsePathStyle: true, Credentials: provider})

	name, key := "photos", "k"
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: &key, Body: strings.NewReader("hello")}); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &name, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if b, err := io.ReadAll(got.Body); err != nil || string(b) != "hello" {
		t.Errorf("%q %v", b, err)
	}

	manual, err := os.ReadFile("../docs/bucket.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.ReadFile("embedded_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(manual), "\n```go\n")
	recipe, _, ok := strings.Cut(rest, "\n```\n")
	if !ok {
		t.Fatal("the manual has no recipe")
	}
	for line := range strings.Lines(recipe) {
		if !strings.Contains(string(here), "\n\t"+strings.TrimSpace(line)+"\n") {
			t.Errorf("not tested: %s", line)
		}
	}
}

// A user may do what his policy allows, and a page of an allowed origin may ask.
func TestStartBucketUsers(t *testing.T) {
	ann := sigv4.Credentials{AccessKeyID: "ANNSKEY", SecretAccessKey: "anns-secret"}
	bucket := posterntest.StartBucket(t, posterntest.BucketConfig{Users: []posterntest.BucketUser{{
		Name: "ann", Key: ann,
		Policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::test/incoming/*"}}`,
	}}})
	client := s3.New(s3.Options{
		BaseEndpoint: &bucket.Endpoint, Region: bucket.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(ann.AccessKeyID, ann.SecretAccessKey, ""),
	})
	put := func(key string) error {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket.Buckets[0], Key: &key, Body: strings.NewReader("x")})
		return err
	}
	if err := put("incoming/a"); err != nil {
		t.Error(err)
	}
	if err := put("images/a"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("error is %v", err)
	}
}
