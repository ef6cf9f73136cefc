// Command sign uses package sigv4 alone, which is the standard library and
// nothing else: a form for one picture, a URL for one PUT, and the URLs of an
// upload in parts.
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"

	"postern.example/postern/sigv4"
)

func main() {
	key := sigv4.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	signer, now := sigv4.NewSigner("eu-central-1"), time.Now()
	bucket := &url.URL{Scheme: "https", Host: "photos.s3.eu-central-1.amazonaws.com"}

	fmt.Println("A form, for a PNG of up to 1 MB under one key:")
	for _, f := range signer.Post(key, now, &sigv4.Policy{Expiration: now.Add(10 * time.Minute), Conditions: []sigv4.Condition{
		sigv4.Eq("bucket", "photos"), sigv4.Eq("key", "incoming/1"), sigv4.Eq("Content-Type", "image/png"), sigv4.LengthRange(1, 1e6),
	}}) {
		fmt.Printf("  %s=%.40s\n", f.Name, f.Value)
	}

	put, err := signer.Presign(key, now, sigv4.Request{
		Method: http.MethodPut, URL: bucket.JoinPath("incoming/2"), Expires: 10 * time.Minute,
		Header: http.Header{"Content-Type": {"image/png"}, "Content-Length": {"12345"}, "If-None-Match": {"*"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("\nA PUT of 12 345 bytes, which cannot overwrite:\n  %.80s\n", put)

	place, err := sigv4.NewPlace(bucket)
	if err != nil {
		log.Fatal(err)
	}
	parts, err := signer.Parts(key, now, sigv4.PartsRequest{Place: place, Key: "incoming/3", UploadID: "as the bucket named it", Expires: 10 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("\nParts of 5 MiB:")
	for n := 1; n <= 3; n++ {
		u, err := parts.AppendURL(nil, n, 5<<20)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("  %d: %.80s\n", n, u)
	}
}
