package s3_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/posterntest"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

func open(t *testing.T, endpoint, name string, key sigv4.Credentials) *s3.Bucket {
	t.Helper()
	b, err := s3.New(t.Context(), s3.Config{
		Bucket: name, Endpoint: endpoint, PathStyle: true,
		Credentials: func(context.Context) (sigv4.Credentials, error) { return key, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFaults(t *testing.T) {
	g := posterntest.Start(t, posterntest.Config{NoWorker: true})
	wrong := g.Key
	wrong.SecretAccessKey = "another"
	for name, b := range map[string]*s3.Bucket{
		"wrong secret": open(t, g.Endpoint, posterntest.BucketName, wrong),
		"no bucket":    open(t, g.Endpoint, "elsewhere", g.Key),
		"nobody there": open(t, "http://127.0.0.1:1", posterntest.BucketName, g.Key),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := b.Put(ctx, "images/x", "image/png", []byte("x")); !errors.Is(err, postern.ErrBucketUnavailable) {
				t.Errorf("put: %v", err)
			}
			if _, err := b.List(ctx, "images/", "", 10); !errors.Is(err, postern.ErrBucketUnavailable) {
				t.Errorf("list: %v", err)
			}
			if err := b.Ping(ctx); err == nil {
				t.Error("ping: no error")
			}
		})
	}
	if err := open(t, g.Endpoint, posterntest.BucketName, g.Key).Create(t.Context()); err != nil {
		t.Errorf("creating a bucket that is ours already: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.S3.Put(ctx, "images/x", "image/png", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
}
