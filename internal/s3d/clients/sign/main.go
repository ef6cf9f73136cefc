// Command sign prints what minio-go signs, for the cases on standard input: a
// JSON list on standard output.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

type ask struct {
	Endpoint, Region, Bucket, Key, Type, Metadata, Token string
	Size                                                 int64
	AccessKey                                            string `json:"access_key"`
	SecretKey                                            string `json:"secret_key"`
	UploadID                                             string `json:"upload_id"`
}

type signed struct {
	Post map[string]string `json:"post"`
	URLs []signedURL       `json:"urls"`
}

type signedURL struct {
	Method string `json:"method"`
	URL    string `json:"url"`
}

func main() {
	var asks []ask
	if err := json.NewDecoder(os.Stdin).Decode(&asks); err != nil {
		log.Fatal(err)
	}
	out := make([]signed, len(asks))
	for i, a := range asks {
		var err error
		if out[i], err = sign(a); err != nil {
			log.Fatalf("%q: %v", a.Key, err)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}

func sign(a ask) (s signed, err error) {
	host, secure := strings.CutPrefix(a.Endpoint, "https://")
	host = strings.TrimPrefix(host, "http://")
	c, err := minio.New(host, &minio.Options{
		Creds: credentials.NewStaticV4(a.AccessKey, a.SecretKey, a.Token), Region: a.Region, Secure: secure, BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		return s, err
	}
	ctx := context.Background()
	p := minio.NewPostPolicy()
	for _, set := range []func() error{
		func() error { return p.SetExpires(time.Now().UTC().Add(5 * time.Minute)) },
		func() error { return p.SetBucket(a.Bucket) },
		func() error { return p.SetKey(a.Key) },
		func() error { return p.SetContentType(a.Type) },
		func() error { return p.SetContentLengthRange(1, 1000) },
		func() error { return p.SetUserMetadata("a", a.Metadata) },
	} {
		if err := set(); err != nil {
			return s, err
		}
	}
	if _, s.Post, err = c.PresignedPostPolicy(ctx, p); err != nil {
		return s, err
	}
	put, err := c.PresignHeader(ctx, http.MethodPut, a.Bucket, a.Key, 5*time.Minute, nil, http.Header{
		"Content-Type": {a.Type}, "X-Amz-Meta-A": {strings.TrimSpace(a.Metadata)},
	})
	if err != nil {
		return s, err
	}
	get, err := c.PresignedGetObject(ctx, a.Bucket, a.Key, 5*time.Minute, nil)
	if err != nil {
		return s, err
	}
	part, err := c.Presign(ctx, http.MethodPut, a.Bucket, a.Key, 5*time.Minute, url.Values{"uploadId": {a.UploadID}, "partNumber": {"7"}})
	if err != nil {
		return s, err
	}
	s.URLs = []signedURL{{"PUT", put.String()}, {"GET", get.String()}, {"PUT", part.String()}}
	return s, nil
}
