package clients

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// form is a multipart form with a file as its last part.
func form(t *testing.T, fields map[string]string, filename, content string) (body *bytes.Buffer, header http.Header) {
	t.Helper()
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	for name, value := range fields {
		must(t, w.WriteField(name, value))
	}
	part, err := w.CreateFormFile("file", filename)
	must(t, err)
	_, err = part.Write([]byte(content))
	must(t, err)
	must(t, w.Close())
	return body, http.Header{"Content-Type": {w.FormDataContentType()}}
}

func TestAWSPresign(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		signer := s3.NewPresignClient(c.Client)
		for i, key := range append(keys(t), "k") {
			want := fmt.Sprintf("content %d", i)
			put, err := signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: &key, ContentType: aws.String("text/plain")}, s3.WithPresignExpires(time.Minute))
			must(t, err)
			if status, _, body := s.exchange(t, put.Method, put.URL, strings.NewReader(want), put.SignedHeader); status != 200 {
				t.Fatalf("PUT %q: %d %s", key, status, body)
			}
			get, err := signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: c.name, Key: &key, ResponseContentDisposition: aws.String(`attachment; filename="a b.txt"`)})
			must(t, err)
			status, header, body := s.exchange(t, get.Method, get.URL, nil, get.SignedHeader)
			if status != 200 || body != want || header.Get("Content-Type") != "text/plain" || header.Get("Content-Disposition") != `attachment; filename="a b.txt"` {
				t.Errorf("GET %q: %d %s %v", key, status, body, header)
			}
		}
		// What was signed is bound.
		put, err := signer.PresignPutObject(ctx, &s3.PutObjectInput{
			Bucket: c.name, Key: aws.String("bound"), ContentLength: aws.Int64(5), ContentType: aws.String("image/png"),
			IfNoneMatch: aws.String("*"), Metadata: map[string]string{"a": "1"},
		})
		must(t, err)
		if status, _, body := s.exchange(t, "PUT", put.URL, strings.NewReader("123456"), http.Header{"Content-Type": {"image/png"}}); status != 403 {
			t.Errorf("another length: %d %s", status, body)
		}
		other := put.SignedHeader.Clone()
		other.Set("Content-Type", "text/html")
		if status, _, body := s.exchange(t, "PUT", put.URL, strings.NewReader("12345"), other); status != 403 || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
			t.Errorf("another type: %d %s", status, body)
		}
		if status, _, body := s.exchange(t, "PUT", put.URL, strings.NewReader("12345"), put.SignedHeader); status != 200 {
			t.Errorf("as signed: %d %s", status, body)
		}
		if status, _, body := s.exchange(t, "PUT", put.URL, strings.NewReader("54321"), put.SignedHeader); status != 412 {
			t.Errorf("once more: %d %s", status, body)
		}
		head, err := signer.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: c.name, Key: aws.String("bound")})
		must(t, err)
		if status, header, _ := s.exchange(t, "HEAD", head.URL, nil, nil); status != 200 || header.Get("x-amz-meta-a") != "1" || header.Get("Content-Type") != "image/png" {
			t.Errorf("HEAD: %d %v", status, header)
		}
		gone, err := signer.PresignDeleteObject(ctx, &s3.DeleteObjectInput{Bucket: c.name, Key: aws.String("bound")})
		must(t, err)
		if status, _, body := s.exchange(t, "DELETE", gone.URL, nil, nil); status != 204 {
			t.Errorf("DELETE: %d %s", status, body)
		}
		equal(t, "object is there after DELETE", c.exists("bound"), false)
		if status, _, body := s.exchange(t, "GET", s.endpoint+"/"+c.bucket+"/k", nil, nil); status != 403 {
			t.Errorf("unsigned: %d %s", status, body)
		}
	})
}

// An upload as browsers make it: each part by its own URL, with no header.
func TestAWSPresignParts(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		signer := s3.NewPresignClient(c.Client)
		id := c.begin("k")
		content := parts()
		var done []types.CompletedPart
		for i, b := range content {
			n := int32(i + 1)
			part, err := signer.PresignUploadPart(ctx, &s3.UploadPartInput{Bucket: c.name, Key: aws.String("k"), UploadId: id, PartNumber: &n})
			must(t, err)
			status, header, body := s.exchange(t, "PUT", part.URL, bytes.NewReader(b), nil)
			if status != 200 {
				t.Fatalf("part: %d %s", status, body)
			}
			done = append(done, types.CompletedPart{PartNumber: &n, ETag: aws.String(header.Get("ETag"))})
		}
		_, err := c.complete("k", id, done)
		must(t, err)
		equal(t, "content came back", c.content("k") == string(bytes.Join(content, nil)), true)
	})
}

func TestAWSPresignPost(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		post, err := s3.NewPresignClient(c.Client).PresignPostObject(ctx, &s3.PutObjectInput{Bucket: c.name, Key: aws.String("q/ü ${filename}")},
			func(o *s3.PresignPostOptions) {
				o.Expires = time.Minute
				o.Conditions = []any{
					[]any{"starts-with", "$key", "q/"}, // ${filename} is put in before conditions are held against the key
					[]any{"content-length-range", 1, 10},
					[]any{"starts-with", "$Content-Type", "image/"},
					map[string]string{"x-amz-meta-a": "1"},
					[]any{"eq", "$success_action_status", "201"},
				}
			})
		must(t, err)
		send := func(content string, more ...string) (int, http.Header, string) {
			fields := map[string]string{"Content-Type": "image/png", "x-amz-meta-a": "1", "success_action_status": "201"}
			for name, value := range post.Values {
				fields[name] = value
			}
			for i := 0; i < len(more); i += 2 {
				fields[more[i]] = more[i+1]
			}
			body, header := form(t, fields, "cat.png", content)
			return s.exchange(t, "POST", post.URL, body, header)
		}
		status, header, body := send("0123456789")
		if status != 201 || header.Get("ETag") == "" || !strings.Contains(body, "<Key>q/ü cat.png</Key>") {
			t.Fatalf("POST: %d %v %s", status, header, body)
		}
		equal(t, "content", c.content("q/ü cat.png"), "0123456789")
		for want, try := range map[string]func() (int, http.Header, string){
			"400 EntityTooLarge":        func() (int, http.Header, string) { return send("0123456789a") },
			"400 EntityTooSmall":        func() (int, http.Header, string) { return send("") },
			"403 AccessDenied":          func() (int, http.Header, string) { return send("x", "Content-Type", "text/html") },
			"403 AccessDenied ":         func() (int, http.Header, string) { return send("x", "x-amz-meta-b", "2") },
			"403 AccessDenied  ":        func() (int, http.Header, string) { return send("x", "key", "elsewhere") },
			"403 SignatureDoesNotMatch": func() (int, http.Header, string) { return send("x", "policy", "e30=") },
			"403 InvalidAccessKeyId": func() (int, http.Header, string) {
				return send("x", "X-Amz-Credential", "NOBODY"+post.Values["X-Amz-Credential"])
			},
		} {
			status, _, body := try()
			code, rest, _ := strings.Cut(strings.TrimSpace(want), " ")
			if fmt.Sprint(status) != code || !strings.Contains(body, "<Code>"+rest+"</Code>") {
				t.Errorf("%d %s, want %s", status, body, want)
			}
		}
	})
}
