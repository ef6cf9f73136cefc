package postern_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"postern.example/postern"
	"postern.example/postern/records"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// A gate inside your own program, in front of a bucket of your own.
func ExampleNew() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "postern")
	defer os.RemoveAll(dir)

	bucket, err := s3.New(ctx, s3.Config{
		Bucket: "photos", Region: "eu-central-1",
		// Leave Credentials out to use the AWS chain.
		Credentials: func(context.Context) (sigv4.Credentials, error) {
			return sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	notes, err := records.Open(ctx, records.Config{Path: filepath.Join(dir, "uploads.db")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer notes.Close()
	gate, err := postern.New(postern.Config{
		Secrets: [][]byte{[]byte("32 random bytes that stay the same")},
		Bucket:  bucket, Records: notes,
		Target: postern.Target{
			URL: "https://photos.s3.eu-central-1.amazonaws.com", Bucket: "photos", Region: "eu-central-1",
			Credentials: bucket.Credentials,
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := postern.NewHandler(gate, postern.HandlerConfig{
		BaseURL: "/gate",
		Principal: func(r *http.Request) (string, error) { // your own sign-in
			if name, _, ok := r.BasicAuth(); ok {
				return name, nil
			}
			return "", postern.ErrUnauthenticated
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/gate/", http.StripPrefix("/gate", handler))

	r := httptest.NewRequest("POST", "/gate/uploads", strings.NewReader(`{"filename":"cat.jpg","type":"image/jpeg","size":12345}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println("nobody:", w.Code)

	r = httptest.NewRequest("POST", "/gate/uploads", strings.NewReader(`{"filename":"cat.jpg","type":"image/jpeg","size":12345}`))
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth("alice", "…")
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println("alice:", w.Code)
	// Output:
	// nobody: 401
	// alice: 201
}

// The permission for one upload, without HTTP.
func ExampleService_Grant() {
	gate, err := postern.New(postern.Config{
		Secrets: [][]byte{[]byte("32 random bytes that stay the same")},
		Bucket:  struct{ postern.Bucket }{}, Records: struct{ postern.Records }{}, // signing asks neither
		Target: postern.Target{
			URL: "https://photos.s3.eu-central-1.amazonaws.com", Bucket: "photos", Region: "eu-central-1",
			Credentials: func(context.Context) (sigv4.Credentials, error) {
				return sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	size := int64(26_000_000)
	_, err = gate.Grant(context.Background(), postern.As("alice"), postern.Request{Filename: "cat.jpg", Type: "image/jpeg", Size: &size})
	fmt.Println(err)
	size = 2_190_194
	grant, err := gate.Grant(context.Background(), postern.As("alice"), postern.Request{Filename: "cat.jpg", Type: "image/jpeg", Size: &size})
	fmt.Println(grant.Method, grant.URL, err)
	// Output:
	// too_large: The file has 26 MB; up to 25 MB are allowed.
	// POST https://photos.s3.eu-central-1.amazonaws.com <nil>
}
