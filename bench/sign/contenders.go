package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	miniogo "github.com/minio/minio-go/v7"
	miniocreds "github.com/minio/minio-go/v7/pkg/credentials"

	"postern.example/postern/sigv4"
)

// Everybody signs for the same uploads in the same place, by a clock that is
// read for each signature.
const (
	accessKey   = "AKIAIOSFODNN7EXAMPLE"                     //nolint:gosec // of Amazon's examples
	secretKey   = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" //nolint:gosec // of Amazon's examples
	region      = "eu-central-1"
	bucket      = "photos"
	host        = "s3.eu-central-1.amazonaws.com"
	ticketField = "x-amz-meta-postern"
	uploadID    = "VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA.VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3ZpZS5tMnRzIHVw"
	imageType   = "image/jpeg"
	imageSize   = "1234567"
	minBytes    = 1
	maxBytes    = 25_000_000
	partSize    = 16 << 20
	life        = 10 * time.Minute
)

// upload is what differs between two: the key and the ticket, from their first
// bytes on, so that nobody gains by signing the same twice.
type upload struct{ key, ticket string }

// uploads returns a function that gives one upload after the other.
func uploads() func() upload {
	var all [1 << 8]upload
	for i := range all {
		all[i] = upload{
			fmt.Sprintf("incoming/%02x23456789abcdefghijklmnopqrstuv0123456789abcdefghij", i),
			fmt.Sprintf("%02xECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw", i),
		}
	}
	i := 0
	return func() upload {
		i = (i + 1) % len(all)
		return all[i]
	}
}

func contenders() ([]contender, error) {
	var all []contender
	for _, of := range []func() ([]contender, error){posterns, awss, minios} {
		some, err := of()
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func posterns() ([]contender, error) {
	cred := sigv4.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	signer := sigv4.NewSigner(region)
	place, err := sigv4.NewPlace(&url.URL{Scheme: "https", Host: bucket + "." + host})
	if err != nil {
		return nil, err
	}
	room := make([]byte, 0, 64<<10) // as a response writer has it; a large one would make the rivals' garbage collections rare
	second := time.Now()
	next := uploads()
	post := func(now time.Time) error {
		u := next()
		p := sigv4.Policy{Expiration: now.Add(life), Conditions: []sigv4.Condition{
			sigv4.Eq("bucket", bucket), sigv4.Eq("Content-Type", imageType), sigv4.Eq("success_action_status", "204"),
			sigv4.LengthRange(minBytes, maxBytes), sigv4.Eq("key", u.key), sigv4.Eq(ticketField, u.ticket),
		}}
		room = signer.AppendPost(room[:0], cred, now, &p)
		return nil
	}
	put := func(key string, header ...sigv4.Field) (err error) {
		room, err = signer.AppendPresign(room[:0], cred, time.Now(), sigv4.PlaceRequest{
			Method: http.MethodPut, Place: place, Key: key, Expires: life, Header: header,
		})
		return err
	}
	return []contender{
		{name: "post append", n: 40_000, op: func() error { return post(time.Now()) }},
		{name: "post append, new second", n: 40_000, op: func() error { // and a new day at every 86 400th
			second = second.Add(time.Second)
			return post(second)
		}},
		{name: "post struct", n: 20_000, op: func() error {
			now, u := time.Now(), next()
			fields := signer.Post(cred, now, &sigv4.Policy{Expiration: now.Add(life), Conditions: []sigv4.Condition{
				sigv4.Eq("bucket", bucket), sigv4.Eq("Content-Type", imageType), sigv4.Eq("success_action_status", "204"),
				sigv4.LengthRange(minBytes, maxBytes), sigv4.Eq("key", u.key), sigv4.Eq(ticketField, u.ticket),
			}})
			if len(fields) == 0 {
				return errors.New("no fields")
			}
			return nil
		}},
		{name: "put append", n: 40_000, op: func() error { return put(next().key, sigv4.Field{Name: "content-type", Value: imageType}) }},
		{name: "put append, 4 headers", n: 40_000, op: func() error {
			u := next()
			return put(u.key,
				sigv4.Field{Name: "content-length", Value: imageSize}, sigv4.Field{Name: "content-type", Value: imageType},
				sigv4.Field{Name: "if-none-match", Value: "*"}, sigv4.Field{Name: ticketField, Value: u.ticket})
		}},
		{name: "10 000 parts", n: 20, signatures: sigv4.MaxParts, op: func() error {
			parts, err := signer.Parts(cred, time.Now(), sigv4.PartsRequest{Place: place, Key: next().key, UploadID: uploadID, Expires: life})
			room = room[:0]
			for n := 1; n <= sigv4.MaxParts && err == nil; n++ {
				if len(room) > cap(room)-4096 {
					room = room[:0] // written out
				}
				room, err = parts.AppendURL(room, n, partSize)
			}
			return err
		}},
	}, nil
}

func awss() ([]contender, error) {
	ctx := context.Background()
	c := s3.NewPresignClient(s3.New(s3.Options{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		RequestChecksumCalculation: awssdk.RequestChecksumCalculationWhenRequired,
	}))
	lives := func(o *s3.PresignOptions) { o.Expires = life }
	size, err := strconv.ParseInt(imageSize, 10, 64)
	if err != nil {
		return nil, err
	}
	put := func(headers int, in *s3.PutObjectInput) error { // host is one
		r, err := c.PresignPutObject(ctx, in, lives)
		if err == nil && len(r.SignedHeader) != headers {
			return fmt.Errorf("%d headers are signed", len(r.SignedHeader))
		}
		return err
	}
	part := int32(0)
	next := uploads()
	return []contender{
		{name: aws("post"), n: 1000, op: func() error {
			u := next()
			_, err := c.PresignPostObject(ctx, &s3.PutObjectInput{Bucket: awssdk.String(bucket), Key: awssdk.String(u.key)}, func(o *s3.PresignPostOptions) {
				o.Expires = life
				o.Conditions = []any{
					map[string]string{"Content-Type": imageType},
					map[string]string{"success_action_status": "204"},
					map[string]string{ticketField: u.ticket},
					[]any{"content-length-range", minBytes, maxBytes},
				}
			})
			return err
		}},
		{name: aws("put"), n: 1000, op: func() error {
			return put(2, &s3.PutObjectInput{Bucket: awssdk.String(bucket), Key: awssdk.String(next().key), ContentType: awssdk.String(imageType)})
		}},
		{name: aws("put, 4 headers"), n: 1000, op: func() error {
			u := next()
			return put(5, &s3.PutObjectInput{
				Bucket: awssdk.String(bucket), Key: awssdk.String(u.key), ContentType: awssdk.String(imageType), ContentLength: awssdk.Int64(size),
				IfNoneMatch: awssdk.String("*"), Metadata: map[string]string{"postern": u.ticket},
			})
		}},
		{name: aws("part"), n: 1000, op: func() error {
			part = part%sigv4.MaxParts + 1
			_, err := c.PresignUploadPart(ctx, &s3.UploadPartInput{
				Bucket: awssdk.String(bucket), Key: awssdk.String(next().key), UploadId: awssdk.String(uploadID),
				PartNumber: awssdk.Int32(part), ContentLength: awssdk.Int64(partSize),
			}, lives)
			return err
		}},
	}, nil
}

func minios() ([]contender, error) {
	ctx := context.Background()
	c, err := miniogo.New(host, &miniogo.Options{Creds: miniocreds.NewStaticV4(accessKey, secretKey, ""), Region: region, Secure: true})
	if err != nil {
		return nil, err
	}
	part := 0
	next := uploads()
	return []contender{
		{name: minio("post"), n: 2000, op: func() error {
			p, u := miniogo.NewPostPolicy(), next()
			if err := errors.Join(
				p.SetExpires(time.Now().UTC().Add(life)), p.SetBucket(bucket), p.SetKey(u.key), p.SetContentType(imageType),
				p.SetSuccessStatusAction("204"), p.SetUserMetadata("postern", u.ticket), p.SetContentLengthRange(minBytes, maxBytes),
			); err != nil {
				return err
			}
			_, _, err := c.PresignedPostPolicy(ctx, p)
			return err
		}},
		{name: minio("put"), n: 2000, op: func() error {
			_, err := c.PresignHeader(ctx, http.MethodPut, bucket, next().key, life, nil, http.Header{"Content-Type": {imageType}})
			return err
		}},
		{name: minio("put, 4 headers"), n: 2000, op: func() error {
			u := next()
			_, err := c.PresignHeader(ctx, http.MethodPut, bucket, u.key, life, nil, http.Header{
				"Content-Length": {imageSize}, "Content-Type": {imageType}, "If-None-Match": {"*"}, "X-Amz-Meta-Postern": {u.ticket},
			})
			return err
		}},
		{name: minio("part"), n: 2000, op: func() error {
			part = part%sigv4.MaxParts + 1
			_, err := c.PresignHeader(ctx, http.MethodPut, bucket, next().key, life,
				url.Values{"uploadId": {uploadID}, "partNumber": {strconv.Itoa(part)}}, http.Header{"Content-Length": {strconv.Itoa(partSize)}})
			return err
		}},
	}, nil
}
