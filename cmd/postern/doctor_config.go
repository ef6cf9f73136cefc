package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/internal/doctor"
	"postern.example/postern/internal/folder"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// dialTime is how long the embedded bucket, on this machine, may take to
// answer a knock.
const dialTime = 2 * time.Second

// doctorConfig says what to probe: the bucket that serve would use, as it would
// use it.
func (s *settings) doctorConfig(ctx context.Context, operatorProfile string) (doctor.Config, error) {
	presets, err := fullPresets(s)
	if err != nil {
		return doctor.Config{}, err
	}
	c := doctor.Config{
		Bucket: s.bucket, Region: s.region, Provider: s.server, URL: s.bucketURL, Origins: s.uploadOrigins(),
		Public: s.imagesURL != "", ImagesURL: s.imagesURL,
	}
	c.Transfers, c.MaxBytes = used(presets, s.target())
	if s.bucket == "" {
		return c, s.embeddedDoctor(ctx, &c, operatorProfile)
	}
	return c, s.ownDoctor(ctx, &c, operatorProfile)
}

// used are the ways that presets use, and the largest file that one takes.
func used(presets []postern.Preset, to *postern.Target) (transfers []postern.Transfer, maxBytes int64) {
	for i := range presets {
		maxBytes = max(maxBytes, presets[i].MaxBytes)
		for _, t := range presets[i].Transfers(to) {
			if !slices.Contains(transfers, t) {
				transfers = append(transfers, t)
			}
		}
	}
	return transfers, maxBytes
}

// uploadOrigins are the pages that may upload: those that are named. Only when
// none is, it is our own page at the address we listen on: a bucket of your own
// need not let in a page that nobody but you opens.
func (s *settings) uploadOrigins() []string {
	if s.bucket == "" {
		return append(s.pageOrigins(s.listen), s.origins...)
	}
	origins := slices.Clone(s.origins)
	if s.publicURL != "" && !slices.Contains(origins, originOf(s.publicURL)) {
		origins = append([]string{originOf(s.publicURL)}, origins...)
	}
	if len(origins) == 0 {
		origins = s.pageOrigins(s.listen)
	}
	return origins
}

// ownDoctor is for a bucket of your own.
func (s *settings) ownDoctor(ctx context.Context, c *doctor.Config, operatorProfile string) error {
	conf, err := s.ownBucket(nil)
	if err != nil {
		return misused("", "%w", err)
	}
	bucket, err := s3.New(ctx, *conf)
	if err != nil {
		return misused("", "open bucket: %w", err)
	}
	c.Region = bucket.Region()
	if c.URL == "" {
		c.URL = conf.URL(c.Region)
	}
	c.Signer, c.Worker, c.Same = bucket.SigningCredentials, bucket.Credentials, conf.Signer == nil
	c.Source = sourceOf(bucket, c.Same)
	if operatorProfile == "" {
		return nil
	}
	operator, err := s3.New(ctx, s3.Config{Bucket: s.bucket, Region: c.Region, Endpoint: s.endpoint, PathStyle: s.pathStyle, Profile: operatorProfile})
	if err != nil {
		return misused("", "--operator-profile: %w", err)
	}
	c.Inspector = operator.Credentials
	return nil
}

// sourceOf tells in words where the keys are from.
func sourceOf(b *s3.Bucket, same bool) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		worker, err := b.CredentialSource(ctx)
		if err != nil || same {
			return worker, err
		}
		signer, err := b.SigningSource(ctx)
		if err != nil || signer == worker {
			return worker, err
		}
		return worker + "; for signing " + signer, nil
	}
}

// embeddedDoctor is for the bucket of a serve that runs on this machine.
func (s *settings) embeddedDoctor(ctx context.Context, c *doctor.Config, operatorProfile string) error {
	if operatorProfile != "" {
		return misused("Name your bucket with --bucket.", "--operator-profile is about a bucket of your own, and there is none")
	}
	if _, err := os.Stat(filepath.Join(s.data, folder.KeysFile)); errors.Is(err, fs.ErrNotExist) {
		return misused(`Run "postern serve" first, choose its folder with --data, or name your bucket with --bucket.`, "there is no bucket to look at: no keys in %s", show(s.data))
	}
	keys, err := folder.OpenKeys(s.data, nil)
	if err != nil {
		return err
	}
	address := listenAddr(s.bucketListen).String()
	conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", address)
	if err != nil {
		return misused(`Run "postern serve" beside it, or tell its address with --bucket-listen.`, "the embedded bucket does not answer at %s", address)
	}
	conn.Close() //nolint:errcheck // nothing was said
	here := (&url.URL{Scheme: "http", Host: address, Path: "/" + gate.EmbeddedBucket}).String()
	probeEmbedded(c, here, keys)
	if s.bucketURL != "" {
		c.URL = s.bucketURL
	}
	return nil
}

// probeEmbedded completes c for the embedded bucket at an address.
func probeEmbedded(c *doctor.Config, address string, keys *folder.Keys) {
	always := func(k sigv4.Credentials) doctor.Credentials {
		return func(context.Context) (sigv4.Credentials, error) { return k, nil }
	}
	c.URL, c.Bucket, c.Region, c.Embedded = address, gate.EmbeddedBucket, "us-east-1", true
	c.Provider, _ = postern.ProviderByName("embedded")
	c.Signer, c.Worker, c.Inspector = always(keys.Derived(gate.EmbeddedSigner)), always(keys.Derived(gate.EmbeddedWorker)), always(keys.Credentials())
	c.Source = func(context.Context) (string, error) { return "keys.json in the data folder", nil }
}
