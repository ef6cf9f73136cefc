package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/folder"
	"postern.example/postern/internal/listen"
	"postern.example/postern/internal/s3d"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// EmbeddedBucket is the name of the bucket that is kept in the folder.
const EmbeddedBucket = "postern"

const (
	bucketAddress = "127.0.0.1:9000"
	shutdownTime  = 10 * time.Second
)

// The users of the embedded bucket, who may do what they need and no more, as
// docs/provision.md has it for a bucket of your own: the owner's key makes the
// bucket, and nothing else.
const (
	EmbeddedSigner = "signer"
	EmbeddedWorker = "worker"

	bucketARN    = "arn:aws:s3:::" + EmbeddedBucket
	signerPolicy = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], "Resource": ["` + bucketARN + `/incoming/*"]}]}`
	workerPolicy = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], "Resource": ["` + bucketARN + `/incoming/*"]},
		{"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "Resource": ["` + bucketARN + `/images/*"]},
		{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"], "Resource": ["` + bucketARN + `"]}]}`
)

// openEmbedded serves the bucket in the folder. We reach it ourselves as we
// would reach AWS.
func (g *Gate) openEmbedded(ctx context.Context, c *Config, keys *folder.Keys) (err error) {
	if c.BucketListener == nil {
		if c.BucketListener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", bucketAddress); err != nil {
			return err
		}
	}
	if c.Provider.Name == "" {
		c.Provider, _ = postern.ProviderByName("embedded")
	}
	g.Embedded, err = s3d.New(s3d.Config{
		Dir: filepath.Join(c.Dir, folder.BucketDir), Keys: []sigv4.Credentials{keys.Credentials()}, Logger: c.Logger,
		Users: []s3d.User{
			{Name: EmbeddedSigner, Keys: []sigv4.Credentials{keys.Derived(EmbeddedSigner)}, Policies: [][]byte{[]byte(signerPolicy)}},
			{Name: EmbeddedWorker, Keys: []sigv4.Credentials{keys.Derived(EmbeddedWorker)}, Policies: [][]byte{[]byte(workerPolicy)}},
		},
	})
	if err != nil {
		return errors.Join(err, c.BucketListener.Close())
	}
	g.closeLater(func(context.Context) error { return g.Embedded.Close() })
	g.serveEmbedded(ctx, c)

	here := "http://" + reachable(c.BucketListener.Addr())
	conf := s3.Config{Bucket: EmbeddedBucket, Endpoint: here, PathStyle: true, Logger: c.Logger, Credentials: always(keys.Credentials())}
	owners, err := s3.New(ctx, conf)
	if err != nil {
		return err
	}
	if err := owners.Create(ctx); err != nil {
		return fmt.Errorf("create embedded bucket: %w", err)
	}
	if len(c.Pages) > 0 {
		if err := owners.PutCORS(ctx, corsRules(c.Pages)); err != nil {
			return fmt.Errorf("set CORS of embedded bucket: %w", err)
		}
	}
	conf.Credentials = always(keys.Derived(EmbeddedWorker))
	conf.Signer = &s3.Signer{Credentials: always(keys.Derived(EmbeddedSigner))}
	if g.Bucket, err = s3.New(ctx, conf); err != nil {
		return err
	}
	if g.target = c.BucketURL; g.target == "" {
		g.target = here + "/" + EmbeddedBucket
	}
	return nil
}

func always(c sigv4.Credentials) func(context.Context) (sigv4.Credentials, error) {
	return func(context.Context) (sigv4.Credentials, error) { return c, nil }
}

// serveEmbedded serves the bucket and has it swept until the gate is closed.
func (g *Gate) serveEmbedded(ctx context.Context, c *Config) {
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		g.Embedded.Run(sweeping)
	}()
	g.closeLater(func(context.Context) error { stop(); <-swept; return nil })
	server := listen.NewServer(listen.Logged(listen.Patient(g.Embedded), c.Logger, slog.LevelDebug), c.Logger)
	go server.Serve(c.BucketListener) //nolint:errcheck // it ends by the shutdown below
	g.closeLater(func(ctx context.Context) error {
		last, cancel := context.WithTimeout(ctx, shutdownTime)
		defer cancel()
		return listen.Shutdown(last, server)
	})
}

// corsRules is what a page needs to send a file and watch its progress,
// nothing more.
func corsRules(pages []string) []s3.CORSRule {
	return []s3.CORSRule{{
		Origins: pages,
		Methods: []string{http.MethodPost, http.MethodPut},
		Headers: []string{"content-type", "content-md5", "content-disposition", "if-none-match", "x-amz-checksum-sha256", postern.TicketHeader},
		Expose:  []string{"ETag", "Location", "Retry-After", "x-amz-request-id"},
		MaxAge:  time.Hour,
	}}
}

// reachable is the address under which this machine reaches a listener.
func reachable(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	if err == nil && at.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	return a.String()
}
