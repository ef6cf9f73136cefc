// Package posterntest runs a real gate for tests: the service and its handler,
// the embedded bucket behind its own port, SQLite records and the worker, all
// below the test's temporary folder and gone when the test ends.
//
//	gate := posterntest.Start(t, posterntest.Config{})
//	up := gate.Upload(t, "cat.jpg", jpegBytes)      // grant, form to the bucket, complete
//	up = gate.Wait(t, up.ID)                        // until it is final
//
// It is what Postern's own tests use, and what users' tests may use.
package posterntest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/imaging"
	"postern.example/postern/internal/s3d"
	"postern.example/postern/internal/worker"
	"postern.example/postern/records"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// Origin is a page's origin that the bucket's CORS rule allows.
const Origin = "https://app.example"

// Region is the embedded bucket's region.
const Region = "us-east-1"

// Config changes the gate under test. The zero value is a whole, real gate.
type Config struct {
	Presets  []postern.Preset
	Handler  postern.HandlerConfig // ServeImages is set unless Images is
	Now      func() time.Time      // the service's and the worker's clock
	Logger   *slog.Logger
	Dir      string // kept by the caller; default a temporary folder
	NoWorker bool   // nothing is checked until Work is called
	// SweepEvery is how often the worker sweeps; default once a second.
	SweepEvery time.Duration
	// Credentials are the bucket's and the signer's key; default: made anew.
	Credentials sigv4.Credentials
	Secrets     [][]byte
	// Provider is whose bucket the service takes ours for; default: embedded.
	Provider postern.Provider
	// Apart says that the signing key can read nothing: see
	// [postern.Target.SignsURLs].
	Apart bool
}

// Gate is one running gate.
type Gate struct {
	Service *postern.Service
	S3      *s3.Bucket // the bucket, as the service and the worker use it
	Records *records.Records
	Worker  *worker.Worker
	Server  *s3d.Server // the embedded bucket

	URL       string // of the API
	BucketURL string // of the bucket, as a browser reaches it
	Endpoint  string // of the S3 server
	Key       sigv4.Credentials
	Dir       string
	HTTP      *http.Client
}

// BucketName is the name of the gate's bucket.
const BucketName = "postern"

// Start runs a gate until the test ends.
func Start(t testing.TB, c Config) *Gate {
	t.Helper()
	g := &Gate{Dir: c.Dir, HTTP: &http.Client{Timeout: 30 * time.Second}, Key: c.Credentials}
	if g.Dir == "" {
		g.Dir = t.TempDir()
	}
	if g.Key.AccessKeyID == "" {
		g.Key = sigv4.Credentials{AccessKeyID: "POSTERNTEST" + random(5), SecretAccessKey: random(20)}
	}
	if c.Secrets == nil {
		c.Secrets = [][]byte{[]byte(random(32))}
	}
	credentials := func(context.Context) (sigv4.Credentials, error) { return g.Key, nil }

	var err error
	g.Server, err = s3d.New(s3d.Config{
		Dir: filepath.Join(g.Dir, "bucket"), Region: Region, Logger: c.Logger,
		Keys: []sigv4.Credentials{g.Key},
	})
	must(t, "open embedded bucket", err)
	t.Cleanup(func() { must(t, "close embedded bucket", g.Server.Close()) })
	bucketServer := httptest.NewServer(g.Server)
	t.Cleanup(bucketServer.Close)
	g.Endpoint = bucketServer.URL
	g.BucketURL = g.Endpoint + "/" + BucketName

	g.S3, err = s3.New(t.Context(), s3.Config{Bucket: BucketName, Region: Region, Endpoint: g.Endpoint, PathStyle: true, Credentials: credentials})
	must(t, "open bucket", err)
	must(t, "create bucket", g.S3.Create(t.Context()))
	must(t, "put CORS", g.S3.PutCORS(t.Context(), []s3.CORSRule{{
		Origins: []string{Origin}, Methods: []string{"POST", "PUT"}, Headers: []string{"*"},
		Expose: []string{"ETag", "Location"}, MaxAge: time.Hour,
	}}))

	g.Records, err = records.Open(t.Context(), records.Config{Path: filepath.Join(g.Dir, "postern.db"), Counted: postern.WithQuota(c.Presets), Now: c.Now, Logger: c.Logger})
	must(t, "open records", err)
	t.Cleanup(func() { must(t, "close records", g.Records.Close()) })

	if c.Provider.Name == "" {
		c.Provider, _ = postern.ProviderByName("embedded")
	}
	g.Service, err = postern.New(postern.Config{
		Presets: c.Presets, Secrets: c.Secrets, Bucket: g.S3, Records: g.Records, Now: c.Now, Logger: c.Logger,
		Target: postern.Target{
			URL: g.BucketURL, Bucket: BucketName, Region: Region, Credentials: credentials,
			Provider: c.Provider, Apart: c.Apart, Skew: g.S3.Skew,
		},
	})
	must(t, "make service", err)
	c.Handler.ServeImages = c.Handler.Images == ""
	handler, err := postern.NewHandler(g.Service, c.Handler)
	must(t, "make handler", err)
	api := httptest.NewServer(handler)
	t.Cleanup(api.Close)
	g.URL = api.URL

	if c.SweepEvery == 0 {
		c.SweepEvery = time.Second
	}
	g.Worker, err = worker.New(worker.Config{
		Service: g.Service, Bucket: g.S3, Queue: g.Records, Engine: imaging.Engine{},
		SweepEvery: c.SweepEvery, Now: c.Now, Logger: c.Logger,
	})
	must(t, "make worker", err)
	if !c.NoWorker {
		g.Work(t)
	}
	return g
}

// Work runs the worker until the test ends or the returned func is called.
func (g *Gate) Work(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- g.Worker.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		must(t, "run worker", <-done)
	}
	t.Cleanup(stop)
	return stop
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
