package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/imaging"
	"postern.example/postern/internal/s3d"
	"postern.example/postern/internal/worker"
	"postern.example/postern/records"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
	"postern.example/postern/web"
)

// embeddedBucket is the name of the bucket that we keep ourselves.
const embeddedBucket = "postern"

// gate is every part, open and tied to the others.
type gate struct {
	service  *postern.Service
	handler  http.Handler // the API and the page
	bucket   *s3.Bucket
	embedded *s3d.Server // nil with a bucket of your own
	records  *records.Records
	worker   *worker.Worker

	closers []func(context.Context) error
}

// gateConfig is what the parts need beyond the settings.
type gateConfig struct {
	*settings
	keys           *keys
	secrets        [][]byte
	pageAddr       net.Addr     // where the page listens
	bucketListener net.Listener // where the embedded bucket is to listen; nil with a bucket of your own
	log            *slog.Logger
}

// openGate opens all parts, in the order in which they need each other.
func openGate(ctx context.Context, c gateConfig) (g *gate, err error) {
	g = &gate{}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close(context.WithoutCancel(ctx)))
		}
	}()
	var target string
	if c.bucketListener != nil {
		target, err = g.openEmbedded(ctx, c)
	} else {
		target, err = g.openBucket(ctx, c)
	}
	if err != nil {
		return g, err
	}
	g.records, err = records.Open(ctx, records.Config{Path: filepath.Join(c.data, recordsFile), Logger: c.log})
	if errors.Is(err, postern.ErrRecordsUnavailable) {
		return g, failed("Another program is at work on the file; stop it first.", "%w", err)
	} else if err != nil {
		return g, failed("Put the file back from a backup, or choose another folder with --data.", "%w", err)
	}
	g.closeLater(func(context.Context) error { return g.records.Close() })
	// The folder is locked and the file is ours alone: leases are those of a
	// process that was killed.
	if n, err := g.records.Reclaim(ctx); err != nil {
		return g, fmt.Errorf("open records: %w", err)
	} else if n > 0 {
		c.log.InfoContext(ctx, "jobs of a process that was killed go on", "jobs", n)
	}
	g.service, err = postern.New(postern.Config{
		Presets: c.presets, Secrets: c.secrets, Bucket: g.bucket, Records: g.records, Logger: c.log,
		Target: postern.Target{URL: target, Bucket: g.bucket.Name(), Region: g.bucket.Region(), Credentials: g.bucket.Credentials},
	})
	if err != nil {
		return g, misused("", "%w", err)
	}
	g.worker, err = worker.New(worker.Config{
		Service: g.service, Bucket: g.bucket, Queue: g.records, Engine: imaging.Engine{},
		Concurrency: c.workers, Logger: c.log,
	})
	if err != nil {
		return g, fmt.Errorf("start worker: %w", err)
	}
	return g, g.openHandler(c, target)
}

// openEmbedded serves the bucket in the data folder, and returns the URL to
// which browsers send files. We reach it ourselves as we would reach AWS.
func (g *gate) openEmbedded(ctx context.Context, c gateConfig) (target string, err error) {
	g.embedded, err = s3d.New(s3d.Config{
		Dir: filepath.Join(c.data, bucketDir), Keys: []sigv4.Credentials{c.keys.credentials()}, Logger: c.log,
	})
	if err != nil {
		return "", fmt.Errorf("open embedded bucket: %w", err)
	}
	g.closeLater(func(context.Context) error { return g.embedded.Close() })
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		g.embedded.Run(sweeping)
	}()
	g.closeLater(func(context.Context) error { stop(); <-swept; return nil })
	server := newServer(logged(patient(g.embedded), c.log, slog.LevelDebug), c.log)
	go server.Serve(c.bucketListener) //nolint:errcheck // it ends by the shutdown below
	g.closeLater(func(ctx context.Context) error {
		last, cancel := context.WithTimeout(ctx, shutdownTime)
		defer cancel()
		return shutdown(last, server)
	})

	_, port, err := net.SplitHostPort(c.bucketListener.Addr().String())
	if err != nil {
		return "", fmt.Errorf("open embedded bucket: %w", err)
	}
	here := "http://" + c.bucketListener.Addr().String()
	if anywhere(c.bucketListener.Addr().String()) {
		here = "http://127.0.0.1:" + port
	}
	credentials := c.keys.credentials()
	g.bucket, err = s3.New(ctx, s3.Config{
		Bucket: embeddedBucket, Endpoint: here, PathStyle: true,
		Credentials: func(context.Context) (sigv4.Credentials, error) { return credentials, nil },
	})
	if err != nil {
		return "", fmt.Errorf("open embedded bucket: %w", err)
	}
	if err := g.bucket.Create(ctx); err != nil {
		return "", fmt.Errorf("create embedded bucket: %w", err)
	}
	// What a page needs to send a form and watch its progress, nothing more.
	if err := g.bucket.PutCORS(ctx, []s3.CORSRule{{
		Origins: append(c.pageOrigins(c.pageAddr.String()), c.origins...),
		Methods: []string{http.MethodPost},
		Headers: []string{"content-type"},
		Expose:  []string{"ETag", "Retry-After", "x-amz-request-id"},
		MaxAge:  time.Hour,
	}}); err != nil {
		return "", fmt.Errorf("set CORS of embedded bucket: %w", err)
	}
	if c.bucketURL != "" {
		return c.bucketURL, nil
	}
	return here + "/" + embeddedBucket, nil
}

// openBucket reaches a bucket of your own.
func (g *gate) openBucket(ctx context.Context, c gateConfig) (target string, err error) {
	conf := s3.Config{Bucket: c.bucket, Region: c.region, Endpoint: c.endpoint, PathStyle: c.pathStyle}
	if c.accessKey != "" {
		secret, err := secretFrom(c.secretKey, c.secretKeyFile)
		if err != nil {
			return "", err
		}
		credentials := sigv4.Credentials{AccessKeyID: c.accessKey, SecretAccessKey: secret}
		conf.Credentials = func(context.Context) (sigv4.Credentials, error) { return credentials, nil }
	}
	g.bucket, err = s3.New(ctx, conf)
	if err != nil {
		return "", fmt.Errorf("open bucket: %w", err)
	}
	return c.bucketTarget(g.bucket.Region()), nil
}

func (g *gate) openHandler(c gateConfig, target string) error {
	origins := c.origins
	if c.publicURL != "" {
		// Behind a proxy the Host header may be the proxy's own; the page's
		// requests are known by its origin then.
		origins = append([]string{originOf(c.publicURL)}, origins...)
	}
	api, err := postern.NewHandler(g.service, postern.HandlerConfig{
		BaseURL: c.publicURL, Origins: origins, Images: c.imagesURL,
		ServeImages: g.embedded != nil && c.imagesURL == "", Hosts: c.hosts(), Logger: c.log,
	})
	if err != nil {
		return misused("", "%w", err)
	}
	reached := []string{originOf(target)}
	if c.imagesURL != "" {
		reached = append(reached, originOf(c.imagesURL))
	}
	page := web.Handler(web.Config{BucketOrigins: reached, Local: c.local() && g.embedded != nil})
	mux := http.NewServeMux()
	for _, pattern := range []string{"/uploads", "/uploads/", "/limits", "/images/", "/openapi.yaml"} {
		mux.Handle(pattern, api)
	}
	mux.Handle("/", logged(onlyFor(c.hosts(), page), c.log, slog.LevelInfo))
	mux.Handle("GET /healthz", logged(http.HandlerFunc(alive), c.log, slog.LevelDebug))
	mux.Handle("GET /readyz", logged(g.ready(c.log), c.log, slog.LevelDebug))
	g.handler = mux
	return nil
}

// ready tells whether what the gate needs to take an upload all the way answers.
func (g *gate) ready(logger *slog.Logger) http.Handler {
	return ready([]part{{"records", g.records.Ping}, {"bucket", g.bucket.Ping}}, logger)
}

func (g *gate) closeLater(f func(context.Context) error) { g.closers = append(g.closers, f) }

// Close closes the parts in reverse order.
func (g *gate) Close(ctx context.Context) error {
	var errs []error
	for i := len(g.closers) - 1; i >= 0; i-- {
		errs = append(errs, g.closers[i](ctx))
	}
	g.closers = nil
	return errors.Join(errs...)
}

// pageURL is the page's address for people.
func (c *settings) pageURL(listening net.Addr) string {
	if c.publicURL != "" {
		return c.publicURL
	}
	return (&url.URL{Scheme: "http", Host: listening.String()}).String()
}
