package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"postern.example/postern/sigv4"
)

var credentials = sigv4.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}

const region = "us-east-1"

var signer = sigv4.NewSigner(region)

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}

// do sends a request signed by header.
func (s *server) do(ctx context.Context, method, path string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := signer.SignHeader(credentials, time.Now(), r, sigv4.UnsignedPayload); err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	return drop(resp)
}

const boundary = "----------------------------bench"

// post sends a form with a file of n bytes.
func (s *server) post(ctx context.Context, key string, file io.Reader, n int64, signed bool) error {
	now := time.Now()
	fields := []sigv4.Field{{Name: "key", Value: key}, {Name: "Content-Type", Value: "image/jpeg"}}
	if signed {
		fields = append(fields, signer.Post(credentials, now, &sigv4.Policy{
			Expiration: now.Add(10 * time.Minute),
			Conditions: []sigv4.Condition{
				sigv4.Eq("bucket", bucket), sigv4.Eq("key", key), sigv4.Eq("Content-Type", "image/jpeg"), sigv4.LengthRange(0, 2<<30),
			},
		})...)
	}
	var head bytes.Buffer
	for _, f := range fields {
		fmt.Fprintf(&head, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, f.Name, f.Value)
	}
	fmt.Fprintf(&head, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n", boundary)
	tail := "\r\n--" + boundary + "--\r\n"
	length := int64(head.Len()) + n + int64(len(tail))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/"+bucket, io.MultiReader(&head, file, bytes.NewReader([]byte(tail))))
	if err != nil {
		return err
	}
	r.ContentLength = length
	r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	return drop(resp)
}

// figure is what one server did in one round of one load.
type figure struct {
	cpu  time.Duration // of the server, per operation
	rate float64       // operations a second
}

// load runs an operation n times, workers at a time.
func (s *server) load(n, workers int, op func(i int) error) (figure, error) {
	before, err := s.cpu()
	if err != nil {
		return figure{}, err
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, workers)
	begun := time.Now()
	for w := range workers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n) && errs[w] == nil; i = next.Add(1) {
				errs[w] = op(int(i))
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	after, err := s.cpu()
	if err := errors.Join(append(errs, err)...); err != nil {
		return figure{}, fmt.Errorf("%s: %w", s.name, err)
	}
	return figure{(after - before) / time.Duration(n), float64(n) / took.Seconds()}, nil
}
