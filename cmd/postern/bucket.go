package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"postern.example/postern/internal/folder"
	"postern.example/postern/internal/listen"
	"postern.example/postern/internal/s3d"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

func bucketCommand(stdout, stderr io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:  "bucket",
		Usage: "run the embedded bucket alone: a strict local S3 for uploads, for development and CI",
		Description: `It answers as AWS S3 does, path-style, and refuses what it lacks by name (501).
The keys that may do everything are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY;
without them a pair is made in the data folder and its secret shown once. Keys
that may do less stand in the file of --keys, each with an IAM policy.

In a test: --listen 127.0.0.1:0 --temp --json. The line that tells the address
is printed when it answers. Ctrl-C or SIGTERM stops it.`,
		Flags: bucketFlags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			s, err := readBucketSettings(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			return runBucket(ctx, s, stdout, stderr)
		},
	}
}

// bucketSettings is what the command runs with.
type bucketSettings struct {
	listen, data, region string
	buckets, origins     []string
	keysFile             string
	tlsCert, tlsKey      string
	fsync                string
	logFormat, logLevel  string
	json, temp           bool

	owner sigv4.Credentials // from the environment; empty: made in the data folder
}

func bucketFlags() []cli.Flag {
	text := func(name, env, initial, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Usage: usage, Value: initial, Sources: variables(env), Local: true}
	}
	return []cli.Flag{
		text("listen", "POSTERN_BUCKET_LISTEN", "127.0.0.1:9000", "`address` to answer on; port 0: any free one"),
		text("data", "POSTERN_DATA", "./postern-data", "keep files and keys in this `folder`, as serve does"),
		&cli.BoolFlag{Name: "temp", Usage: "keep files in a new temporary folder instead, gone when it stops", HideDefault: true, Local: true},
		text("region", "POSTERN_REGION", "us-east-1", "`region` that requests must be signed for"),
		&cli.StringSliceFlag{Name: "bucket", Usage: "make this bucket if there is none with the `name`; may be given more than once", Local: true},
		&cli.StringSliceFlag{Name: "origin", Usage: "let pages of this `origin` (https://app.example) upload to and read from the buckets of --bucket; may be given more than once", Local: true},
		text("keys", "POSTERN_BUCKET_KEYS", "", "YAML or JSON `file` of further access keys, each with a policy that says what it may do"),
		text("tls-cert", "POSTERN_TLS_CERT", "", "PEM `file` of the certificate to answer HTTPS with, its chain included"),
		text("tls-key", "POSTERN_TLS_KEY", "", "PEM `file` of the certificate's private key"),
		text("fsync", "POSTERN_BUCKET_FSYNC", "on", "\"off\" answers before files are on disk: `on|off`; faster in CI, and a power cut may lose or damage what was acknowledged"),
		text("log-format", "POSTERN_LOG_FORMAT", "auto", "`format` of the log on standard error: text, json, or auto: text on a terminal, else json"),
		text("log-level", "POSTERN_LOG_LEVEL", "info", "log this `level` and above: debug, info, warn, error"),
		&cli.BoolFlag{Name: "json", Usage: "when ready, print one line of JSON with endpoint, region, buckets and, if made just now, keys", HideDefault: true, Local: true},
	}
}

func variables(names ...string) cli.ValueSourceChain {
	var c cli.ValueSourceChain
	for _, n := range names {
		c.Chain = append(c.Chain, variable(n))
	}
	return c
}

// readBucketSettings takes flags before variables before defaults.
func readBucketSettings(flag given, getenv func(string) string) (*bucketSettings, error) {
	s := &bucketSettings{}
	into := map[string]*string{
		"listen": &s.listen, "data": &s.data, "region": &s.region, "keys": &s.keysFile, "tls-cert": &s.tlsCert, "tls-key": &s.tlsKey,
		"fsync": &s.fsync, "log-format": &s.logFormat, "log-level": &s.logLevel,
	}
	check := map[string]func(string) error{
		"listen": isAddress, "region": isRegion, "fsync": oneOf("on", "off"),
		"log-format": oneOf("auto", "text", "json"), "log-level": oneOf("debug", "info", "warn", "error"),
	}
	for _, f := range bucketFlags() {
		text, ok := f.(*cli.StringFlag)
		if !ok {
			continue
		}
		p, from := into[text.Name], text.Name
		*p = text.Value
		for _, source := range text.Sources.Chain {
			if env, ok := source.(variable); ok && getenv(env.Key()) != "" {
				*p, from = getenv(env.Key()), env.Key()
			}
		}
		if v, ok := flag(text.Name); ok {
			*p, from = v[0], "--"+text.Name
		}
		if c := check[text.Name]; c != nil {
			if err := c(*p); err != nil {
				return nil, misused("", "%s: %w", from, err)
			}
		}
	}
	s.buckets, _ = flag("bucket")
	s.origins, _ = flag("origin")
	_, s.json = flag("json")
	_, s.temp = flag("temp")
	if _, named := flag("data"); named && s.temp {
		return nil, misused("Give one of them.", "--data and --temp both say where files are kept")
	}
	for _, o := range s.origins {
		if err := isOrigin(o); err != nil {
			return nil, misused("", "--origin: %w", err)
		}
	}
	s.owner = sigv4.Credentials{
		AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: getenv("AWS_SESSION_TOKEN"),
	}
	return s, s.validate()
}

// validate holds settings against each other.
func (s *bucketSettings) validate() error {
	switch id, secret := s.owner.AccessKeyID != "", s.owner.SecretAccessKey != ""; {
	case id && !secret:
		return misused("Set both variables, or none.", "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not")
	case secret && !id:
		return misused("Set both variables, or none.", "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not")
	case !id:
		s.owner = sigv4.Credentials{} // a session token alone is somebody else's
	}
	switch {
	case (s.tlsCert == "") != (s.tlsKey == ""):
		return misused("Give both --tls-cert and --tls-key.", "a certificate needs its private key, and a key its certificate")
	case len(s.origins) > 0 && len(s.buckets) == 0:
		return misused("Name it with --bucket.", "--origin is about the buckets of --bucket, and there is none")
	}
	return nil
}

func isRegion(v string) error {
	if v == "" || strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("%q is not a region such as eu-central-1", v)
	}
	return nil
}

// runBucket serves until ctx is done.
func runBucket(ctx context.Context, s *bucketSettings, stdout, stderr io.Writer) (err error) {
	logger := (&settings{logFormat: s.logFormat, logLevel: s.logLevel}).logger(stderr)
	if s.temp {
		if s.data, err = os.MkdirTemp("", "postern-bucket-"); err != nil {
			return fmt.Errorf("make temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.data)) }()
	}
	lock, err := folder.Lock(s.data)
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // nothing is written to it
	made, err := s.findOwner()
	if err != nil {
		return err
	}
	users, err := readKeys(s.keysFile)
	if err != nil {
		return err
	}
	conf, err := s.tls()
	if err != nil {
		return err
	}
	bucket, err := s3d.New(s3d.Config{
		Dir: filepath.Join(s.data, folder.BucketDir), Region: s.region, Keys: []sigv4.Credentials{s.owner}, Users: users,
		NoSync: s.fsync == "off", Logger: logger,
	})
	if err != nil {
		return fmt.Errorf("open bucket: %w", err)
	}
	defer func() { err = errors.Join(err, bucket.Close()) }()
	if err := s.makeBuckets(ctx, bucket); err != nil {
		return err
	}
	listener, err := listenOn(ctx, "--listen", s.listen)
	if err != nil {
		return err
	}
	defer listener.Close() //nolint:errcheck // its server closes it first
	if conf != nil {
		listener = tls.NewListener(listener, conf)
	}

	server := listen.NewServer(listen.Logged(listen.Patient(bucket), logger, slog.LevelDebug), logger)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	sweeping, stop := context.WithCancel(ctx)
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		bucket.Run(sweeping)
	}()
	defer func() { stop(); <-swept }()
	if err := s.greet(stdout, listener.Addr(), made); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case err := <-ended:
		return fmt.Errorf("serve bucket: %w", err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := listen.Shutdown(last, server); err != nil {
		logger.LogAttrs(last, slog.LevelWarn, "requests were cut off", slog.String("cause", err.Error()))
	}
	return nil
}

// findOwner completes the owner's key, and reports whether it was made now.
func (s *bucketSettings) findOwner() (made bool, err error) {
	if s.owner.AccessKeyID != "" {
		return false, nil
	}
	_, err = os.Stat(filepath.Join(s.data, folder.KeysFile))
	made = errors.Is(err, fs.ErrNotExist)
	k, err := folder.OpenKeys(s.data, rand.Reader)
	if err != nil {
		return false, err
	}
	s.owner = k.Credentials()
	return made, nil
}

func (s *bucketSettings) tls() (*tls.Config, error) {
	if s.tlsCert == "" {
		return nil, nil //nolint:nilnil // no TLS is an answer
	}
	pair, err := tls.LoadX509KeyPair(s.tlsCert, s.tlsKey)
	if err != nil {
		return nil, failed("Both files must be PEM, and the key that of the certificate.", "read certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}

// makeBuckets makes the buckets of --bucket, and lets the pages of --origin
// use them. It asks as any client does, on an address of its own, so that
// nobody finds the server before all is ready.
func (s *bucketSettings) makeBuckets(ctx context.Context, h http.Handler) error {
	if len(s.buckets) == 0 {
		return nil
	}
	l, err := listenOn(ctx, "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := listen.NewServer(h, slog.New(slog.DiscardHandler))
	go server.Serve(l)   //nolint:errcheck // it ends by the close below
	defer server.Close() //nolint:errcheck // every request was answered
	for _, name := range s.buckets {
		b, err := s3.New(ctx, s3.Config{
			Bucket: name, Region: s.region, Endpoint: "http://" + l.Addr().String(), PathStyle: true,
			Credentials: func(context.Context) (sigv4.Credentials, error) { return s.owner, nil },
		})
		if err != nil {
			return fmt.Errorf("make bucket: %w", err)
		}
		if err := b.Create(ctx); err != nil {
			return failed("A name has 3 to 63 lower-case letters, digits and hyphens.", "make bucket %q: %w", name, err)
		}
		if len(s.origins) == 0 {
			continue
		}
		if err := b.PutCORS(ctx, []s3.CORSRule{{
			Origins: s.origins,
			Methods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut},
			Headers: []string{"*"},
			Expose:  []string{"ETag", "x-amz-request-id"},
			MaxAge:  time.Hour,
		}}); err != nil {
			return fmt.Errorf("set CORS of bucket %q: %w", name, err)
		}
	}
	return nil
}

// bucketReady is what --json prints.
type bucketReady struct {
	Endpoint        string   `json:"endpoint"`
	Region          string   `json:"region"`
	AccessKeyID     string   `json:"access_key_id"`
	SecretAccessKey string   `json:"secret_access_key,omitempty"` // only of a key made just now
	Buckets         []string `json:"buckets"`
}

// greet tells whoever started us where things are.
func (s *bucketSettings) greet(w io.Writer, listening net.Addr, made bool) error {
	scheme := "http"
	if s.tlsCert != "" {
		scheme = "https"
	}
	r := bucketReady{Endpoint: scheme + "://" + listening.String(), Region: s.region, AccessKeyID: s.owner.AccessKeyID, Buckets: slices.Clone(s.buckets)}
	if made {
		r.SecretAccessKey = s.owner.SecretAccessKey
	}
	if s.json {
		if r.Buckets == nil {
			r.Buckets = []string{}
		}
		return printLine(w, r)
	}
	fmt.Fprintf(w, "Postern bucket is ready: %s\n\n", r.Endpoint)
	fmt.Fprintf(w, "  files    %s\n", show(s.data, folder.BucketDir))
	fmt.Fprintf(w, "  region   %s\n", s.region)
	if len(s.buckets) > 0 {
		fmt.Fprintf(w, "  buckets  %s\n", strings.Join(s.buckets, ", "))
	}
	fmt.Fprintf(w, "  key      AWS_ACCESS_KEY_ID=%s\n", r.AccessKeyID)
	if made {
		fmt.Fprintf(w, "           AWS_SECRET_ACCESS_KEY=%s\n", r.SecretAccessKey)
		fmt.Fprint(w, "           The secret is shown this once")
		if !s.temp {
			fmt.Fprintf(w, "; it is kept in %s", show(s.data, folder.KeysFile))
		}
		fmt.Fprint(w, ".\n")
	}
	if s.fsync == "off" {
		fmt.Fprint(w, "  fsync    off: a power cut may lose or damage what was acknowledged\n")
	}
	fmt.Fprint(w, "\nCtrl-C to stop.\n")
	return nil
}
