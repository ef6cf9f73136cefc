package bench

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
	miniocreds "github.com/minio/minio-go/v7/pkg/credentials"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

const (
	accessKey = "AKIAIOSFODNN7EXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	region    = "eu-central-1"
	bucket    = "photos"
	key       = "incoming/0123456789abcdefghijklmnopqrstuv0123456789abcdefghij"
	ticket    = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw"
)

// BenchmarkSignPost signs one POST policy: bucket, key, Content-Type, size
// range, one metadata field, status.
func BenchmarkSignPost(b *testing.B) {
	cred := sigv4.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	b.Run("postern", func(b *testing.B) {
		signer := sigv4.NewSigner(region)
		b.ReportAllocs()
		for b.Loop() {
			now := time.Now()
			p := &sigv4.Policy{Expiration: now.Add(10 * time.Minute), Conditions: []sigv4.Condition{
				sigv4.Eq("bucket", bucket), sigv4.Eq("key", key), sigv4.Eq("Content-Type", "image/jpeg"),
				sigv4.Eq("success_action_status", "204"), sigv4.Eq(postern.TicketHeader, ticket), sigv4.LengthRange(1, 25_000_000),
			}}
			if len(signer.Post(cred, now, p)) == 0 {
				b.Fatal("not signed")
			}
		}
	})
	b.Run("aws-sdk-go-v2", func(b *testing.B) {
		c := s3.NewPresignClient(s3.New(s3.Options{Region: region, Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")}))
		b.ReportAllocs()
		for b.Loop() {
			_, err := c.PresignPostObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}, func(o *s3.PresignPostOptions) {
				o.Expires = 10 * time.Minute
				o.Conditions = []any{
					map[string]string{"Content-Type": "image/jpeg"},
					map[string]string{"success_action_status": "204"},
					map[string]string{postern.TicketHeader: ticket},
					[]any{"content-length-range", 1, 25_000_000},
				}
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("minio-go", func(b *testing.B) {
		c, err := minio.New("s3.eu-central-1.amazonaws.com", &minio.Options{Creds: miniocreds.NewStaticV4(accessKey, secretKey, ""), Region: region, Secure: true})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			p := minio.NewPostPolicy()
			for _, err := range []error{
				p.SetExpires(time.Now().UTC().Add(10 * time.Minute)), p.SetBucket(bucket), p.SetKey(key), p.SetContentType("image/jpeg"),
				p.SetSuccessStatusAction("204"), p.SetUserMetadata("postern", ticket), p.SetContentLengthRange(1, 25_000_000),
			} {
				if err != nil {
					b.Fatal(err)
				}
			}
			if _, _, err := c.PresignedPostPolicy(context.Background(), p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
