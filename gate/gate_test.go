package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// children is of the test binary.
var children gate.Children

func TestMain(m *testing.M) {
	children = gate.Hook()
	code := m.Run()
	if err := os.RemoveAll(folder); err != nil {
		code = 1
	}
	os.Exit(code)
}

func anyPort() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return l
}

// open runs a gate until the test ends, and serves it below /gate.
func open(t *testing.T, c gate.Config) (*gate.Gate, string) {
	t.Helper()
	c.Handler.BaseURL = "/gate"
	g, err := gate.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- g.Run(ctx) }()
	mux := http.NewServeMux()
	mux.Handle("/gate/", http.StripPrefix("/gate", g))
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := errors.Join(<-done, g.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return g, server.URL
}

type upload struct {
	ID       string
	State    postern.State
	Grant    *posterntest.Grant
	Variants []struct{ URL string }
	Problem  struct {
		Code   postern.Code
		Detail string
	}
}

func call(t *testing.T, method, url, body string) (u upload) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 400 {
		t.Fatalf("%s %s: %d %s %v", method, url, res.StatusCode, doc, err)
	}
	if err := json.Unmarshal(doc, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// once sends one picture all the way.
func once(t *testing.T, at string) {
	t.Helper()
	up := call(t, "POST", at+"/gate/uploads", `{"filename":"p.jpg","type":"image/jpeg"}`)
	form, contentType := posterntest.Form(up.Grant, photo.JPEG(photo.Options{Width: 300, Height: 200}))
	res, err := http.Post(up.Grant.URL, contentType, strings.NewReader(string(form)))
	if err != nil || res.StatusCode != http.StatusNoContent {
		t.Fatal(res, err)
	}
	res.Body.Close()
	call(t, "POST", at+"/gate/uploads/"+up.ID+"/complete", "{}")
	posterntest.Eventually(t, "the upload is ready", func() bool {
		up = call(t, "GET", at+"/gate/uploads/"+up.ID, "")
		return up.State == postern.Ready
	})
	shown, err := http.Get(at + up.Variants[0].URL)
	if err != nil || shown.StatusCode != http.StatusOK || shown.Header.Get("Content-Type") != "image/jpeg" {
		t.Error(shown, err)
	}
	shown.Body.Close()
}

// An embedded bucket, and keys and records that are there again the next time.
func TestEmbedded(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		t.Run("run", func(t *testing.T) {
			g, at := open(t, gate.Config{Dir: dir, BucketListener: anyPort(), Pages: []string{"https://app.example"}})
			if g.Embedded == nil || !strings.HasSuffix(g.BucketURL(), "/"+gate.EmbeddedBucket) {
				t.Errorf("the bucket is at %s", g.BucketURL())
			}
			once(t, at)
			// What signs and what works are not the owner's keys, and may not more than they need.
			if err := g.Bucket.Put(t.Context(), "incoming/x", "image/png", []byte("x")); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
				t.Errorf("the worker writes below incoming/: %v", err)
			}
			signer, err := s3.New(t.Context(), s3.Config{Bucket: gate.EmbeddedBucket, Endpoint: strings.TrimSuffix(g.BucketURL(), "/"+gate.EmbeddedBucket), PathStyle: true, Credentials: g.Bucket.SigningCredentials})
			if err != nil {
				t.Fatal(err)
			}
			if list, err := signer.List(t.Context(), "images/", "", 10); err == nil {
				t.Errorf("the signer lists %v", list)
			}
			if err := signer.Put(t.Context(), "images/x", "image/png", []byte("x")); err == nil {
				t.Error("the signer writes below images/")
			}
		})
	}
	g, err := gate.Open(t.Context(), gate.Config{Dir: dir, BucketListener: anyPort()})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(context.Background())
	list, _, err := g.Service.Uploads(t.Context(), postern.Query{Principal: postern.Anonymous, Limit: 10})
	if err != nil || len(list) != 2 {
		t.Errorf("%d uploads are remembered, %v", len(list), err)
	}
}

// A bucket of your own, and two gates that may not share a folder.
func TestOwnBucket(t *testing.T) {
	own := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"photos"}})
	key := func(context.Context) (sigv4.Credentials, error) { return own.Key, nil }
	dir := t.TempDir()
	conf := gate.Config{Dir: dir, S3: &s3.Config{Bucket: "photos", Endpoint: own.Endpoint, PathStyle: true, Credentials: key}}
	g, at := open(t, conf)
	if g.Embedded != nil || g.BucketURL() != own.Endpoint+"/photos" {
		t.Errorf("the bucket is at %s", g.BucketURL())
	}
	once(t, at)
	if second, err := gate.Open(t.Context(), conf); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("two gates share a folder: %v, %v", second, err)
	}
}

// What cannot be opened leaves nothing open: the folder can be used again.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]gate.Config{
		"no folder":      {},
		"preset":         {Dir: dir, Presets: []postern.Preset{{Name: "Bad Name"}}},
		"short secret":   {Dir: dir, Secrets: [][]byte{[]byte("short")}},
		"compat":         {Dir: dir, Compat: []string{"carrier-pigeon"}},
		"origin":         {Dir: dir, Handler: postern.HandlerConfig{Origins: []string{"not an origin"}}},
		"post on R2":     {Dir: dir, S3: &s3.Config{Bucket: "b", Endpoint: "https://x.r2.cloudflarestorage.com"}, Presets: []postern.Preset{{Name: "a", Transfer: postern.Post}}},
		"bucket's place": {Dir: dir, S3: &s3.Config{Bucket: "b"}, BucketURL: "ftp://x"},
	} {
		if c.S3 == nil {
			c.BucketListener = anyPort()
		} else {
			c.S3.Credentials = func(context.Context) (sigv4.Credentials, error) { return sigv4.Credentials{}, nil }
		}
		if _, err := gate.Open(t.Context(), c); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, err := gate.Open(ctx, gate.Config{Dir: dir, BucketListener: anyPort()})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(ctx); err != nil {
		t.Error(err)
	}
}

// One key that may do no more than put below incoming/ signs, another one does
// the rest and never leaves the house.
func TestOwnBucket_TwoKeys(t *testing.T) {
	signer := sigv4.Credentials{AccessKeyID: "SIGNERKEY", SecretAccessKey: "signers-secret"}
	worker := sigv4.Credentials{AccessKeyID: "WORKERKEY", SecretAccessKey: "workers-secret"}
	own := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"photos"}, Users: []posterntest.BucketUser{
		{Name: "signer", Key: signer, Policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/incoming/*"}}`},
		{Name: "worker", Key: worker, Policy: `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::photos/incoming/*"},
			{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::photos/images/*"},
			{"Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketMultipartUploads"],"Resource":"arn:aws:s3:::photos"}]}`},
	}})
	given := func(c sigv4.Credentials) func(context.Context) (sigv4.Credentials, error) {
		return func(context.Context) (sigv4.Credentials, error) { return c, nil }
	}
	_, at := open(t, gate.Config{Dir: t.TempDir(), S3: &s3.Config{
		Bucket: "photos", Endpoint: own.Endpoint, PathStyle: true, Credentials: given(worker), Signer: &s3.Signer{Credentials: given(signer)},
	}})
	up := call(t, "POST", at+"/gate/uploads", `{"filename":"p.jpg","type":"image/jpeg"}`)
	if credential := up.Grant.Fields["x-amz-credential"]; !strings.HasPrefix(credential, signer.AccessKeyID+"/") {
		t.Errorf("the grant is signed by %s", credential)
	}
	once(t, at)
}
