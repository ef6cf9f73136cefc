package sigv4_test

import (
	"context"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"postern.example/postern/sigv4"
)

// The SDK reads the machine's clock, at which session is long over.
var liveSession = sigv4.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: "a+b/c== d"}

// An independent signer, Amazon's own, over what has broken signers before.

func sdkCredentials(c sigv4.Credentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
}

func sdkClient(c sigv4.Credentials) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:9000"), UsePathStyle: true,
		Credentials:                credentials.StaticCredentialsProvider{Value: sdkCredentials(c)},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
}

var (
	sdkTypes    = []string{"image/png", "image/svg+xml; charset=utf-8", "a  b", `x/"]},{"acl":"public-read`}
	sdkMetadata = []string{"1", "  padded  ", "two  spaces", "a,b;c", `q"\`, "tab\tinside"}
	sdkQueries  = []string{"", "uploadId=UP%2FID%2B%3D&partNumber=3", "b=2&a=1&a=0&a", "k=a%20b&k=a-b&k=a%2Fb", "list-type=2&prefix=%C3%A9%26"}
)

func TestPresignAsTheSDK(t *testing.T) {
	ours, theirs := sigv4.NewSigner("us-east-1"), v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	now := time.Now().Truncate(time.Second)
	for _, c := range []sigv4.Credentials{example, liveSession} {
		for i, key := range hostileKeys {
			u := &url.URL{Scheme: "https", Host: "b.example", Path: "/" + key, RawQuery: sdkQueries[i%len(sdkQueries)]}
			h := http.Header{
				"Content-Type": {sdkTypes[i%len(sdkTypes)]}, "Content-Length": {"12"},
				"X-Amz-Meta-A": {sdkMetadata[i%len(sdkMetadata)]}, "If-None-Match": {"*"},
			}
			got, err := ours.Presign(c, now, sigv4.Request{Method: "PUT", URL: u, Header: h, Expires: 5 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			gotURL, err := url.Parse(got)
			if err != nil {
				t.Fatal(err)
			}
			// The SDK signs the path as it is escaped: give it S3's escaping.
			r := newRequest(t, "PUT", "https://b.example"+gotURL.EscapedPath()+"?"+u.RawQuery+"&X-Amz-Expires=300", "")
			r.ContentLength = 12
			r.Header = h.Clone()
			r.Header.Del("Content-Length")
			want, _, err := theirs.PresignHTTP(t.Context(), sdkCredentials(c), r, sigv4.UnsignedPayload, "s3", "us-east-1", now)
			if err != nil {
				t.Fatal(err)
			}
			wantURL, err := url.Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			if g, w := gotURL.Query().Get("X-Amz-Signature"), wantURL.Query().Get("X-Amz-Signature"); g != w {
				t.Errorf("%q: got  %s\nwant %s", key, got, want)
			}
			// And the SDK's URL passes our check.
			r = newRequest(t, "PUT", want, "hello, world")
			r.Header = h.Clone()
			if _, err := verifierFor(c, now).Request(received(t, r)); err != nil {
				t.Errorf("%q: %v", key, err)
			}
		}
	}
}

func TestPartsAsTheSDK(t *testing.T) {
	ours, theirs := sigv4.NewSigner("us-east-1"), v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	now := time.Now().Truncate(time.Second)
	place := newPlace(t, "https://b.example")
	for _, c := range []sigv4.Credentials{example, liveSession} {
		for i, key := range hostileKeys {
			uploadID := sdkMetadata[i%len(sdkMetadata)]
			parts, err := ours.Parts(c, now, sigv4.PartsRequest{Place: place, Key: key, UploadID: uploadID, Expires: 5 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			for _, length := range []int64{0, 5 << 20} {
				got, err := parts.AppendURL(nil, i+1, length)
				if err != nil {
					t.Fatal(err)
				}
				query := url.Values{"partNumber": {strconv.Itoa(i + 1)}, "uploadId": {uploadID}, "X-Amz-Expires": {"300"}}
				r := newRequest(t, "PUT", "https://b.example/"+escapePath(key)+"?"+query.Encode(), "")
				r.ContentLength = length
				want, _, err := theirs.PresignHTTP(t.Context(), sdkCredentials(c), r, sigv4.UnsignedPayload, "s3", "us-east-1", now)
				if err != nil {
					t.Fatal(err)
				}
				g, w := parseURL(t, string(got)).Query(), parseURL(t, want).Query()
				if !maps.EqualFunc(g, w, slices.Equal[[]string]) {
					t.Errorf("%q, %d bytes: got  %v\nwant %v", key, length, g, w)
				}
			}
		}
	}
}

func TestHeaderAsTheSDK(t *testing.T) {
	ours, theirs := sigv4.NewSigner("us-east-1"), v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	now := time.Now().Truncate(time.Second)
	for _, c := range []sigv4.Credentials{example, liveSession} {
		for i, key := range hostileKeys {
			u := &url.URL{Scheme: "http", Host: "127.0.0.1:9000", Path: "/b/" + key, RawQuery: sdkQueries[i%len(sdkQueries)]}
			build := func() *http.Request {
				r := newRequest(t, "GET", "http://127.0.0.1:9000/?"+u.RawQuery, "")
				r.URL.Path, r.URL.RawPath = u.Path, escapePath(u.Path)
				r.Header.Set("Content-Type", sdkTypes[i%len(sdkTypes)])
				r.Header.Set("X-Amz-Meta-A", sdkMetadata[i%len(sdkMetadata)])
				r.Header.Set("X-Amz-Content-Sha256", sigv4.EmptySHA256)
				return r
			}
			got, want := build(), build()
			if err := ours.SignHeader(c, now, got, sigv4.EmptySHA256); err != nil {
				t.Fatal(err)
			}
			if err := theirs.SignHTTP(t.Context(), sdkCredentials(c), want, sigv4.EmptySHA256, "s3", "us-east-1", now); err != nil {
				t.Fatal(err)
			}
			if g, w := got.Header.Get("Authorization"), want.Header.Get("Authorization"); g != w {
				t.Errorf("%q\ngot  %s\nwant %s", key, g, w)
			}
			for _, r := range []*http.Request{got, want} {
				if _, err := verifierFor(c, now).Request(received(t, r)); err != nil {
					t.Errorf("%q: %v", key, err)
				}
			}
		}
	}
}

// escapePath is S3's escaping, written independently of the package.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(parts[i]), "+", "%20")
	}
	return strings.Join(parts, "/")
}

func TestSDKClientPresignedURLs(t *testing.T) {
	for _, c := range []sigv4.Credentials{example, liveSession} {
		presign := s3.NewPresignClient(sdkClient(c))
		for i, key := range hostileKeys {
			signed, err := presign.PresignPutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String("photos"), Key: aws.String(key), ContentType: aws.String(sdkTypes[i%len(sdkTypes)]),
				ContentLength: aws.Int64(5), Metadata: map[string]string{"a": sdkMetadata[i%len(sdkMetadata)]},
			})
			if err != nil {
				t.Fatal(err)
			}
			r := newRequest(t, signed.Method, signed.URL, "hello")
			for name, vs := range signed.SignedHeader {
				if name != "Host" {
					r.Header[name] = vs
				}
			}
			if _, err := verifierFor(c, time.Now()).Request(received(t, r)); err != nil {
				t.Errorf("%q: %v\n%s", key, err, signed.URL)
			}
		}
	}
}

// doer answers what the SDK sends with 200, after our check.
type doer struct {
	t    *testing.T
	v    *sigv4.Verifier
	seen int
}

func (d *doer) Do(r *http.Request) (*http.Response, error) {
	d.seen++
	if id, err := d.v.Request(received(d.t, r)); err != nil || id.AccessKeyID != example.AccessKeyID {
		d.t.Errorf("%s %s: %+v, %v", r.Method, r.URL, id, err)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func TestSDKClientRequests(t *testing.T) {
	d := &doer{t: t, v: verifierFor(example, time.Now())}
	client := sdkClient(example)
	options := func(o *s3.Options) { o.HTTPClient = d }
	call := func(what string, err error) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx := t.Context()
	for i, key := range hostileKeys {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String("photos"), Key: aws.String(key), Body: strings.NewReader("hello"),
			ContentType: aws.String("image/png"), Metadata: map[string]string{"a": sdkMetadata[i%len(sdkMetadata)]},
		}, options)
		call("put", err)
		_, err = client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("photos"), Key: aws.String(key)}, options)
		call("head", err)
		_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("photos"), Key: aws.String(key)}, options)
		call("delete", err)
	}
	if d.seen != 3*len(hostileKeys) {
		t.Errorf("%d requests were seen", d.seen)
	}
}

func TestSDKPostPolicies(t *testing.T) {
	for _, c := range []sigv4.Credentials{example, liveSession} {
		presign := s3.NewPresignClient(sdkClient(c))
		for i, key := range hostileKeys {
			if !validUTF8(key) {
				continue // no JSON can say it
			}
			fields := map[string]string{"Content-Type": sdkTypes[i%len(sdkTypes)], "x-amz-meta-a": sdkMetadata[i%len(sdkMetadata)]}
			conditions := []any{[]any{"content-length-range", 1, 1000}, []any{"starts-with", "$x-amz-meta-b", ""}}
			for name, value := range fields {
				conditions = append(conditions, map[string]string{name: value})
			}
			post, err := presign.PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String(key)},
				func(o *s3.PresignPostOptions) { o.Expires, o.Conditions = 5*time.Minute, conditions })
			if err != nil {
				t.Fatal(err)
			}
			f := sigv4.Form{"x-amz-meta-b": "any"}
			maps.Copy(fields, post.Values)
			for name, value := range fields {
				f[strings.ToLower(name)] = value
			}
			if err := accept(verifierFor(c, time.Now()), f); err != nil {
				t.Errorf("%q: %v", key, err)
			}
			f["key"] += "x"
			if err := accept(verifierFor(c, time.Now()), f); err == nil {
				t.Errorf("%q: another key passes", key)
			}
			// The same document signed by both has the same signature.
			doc, err := base64.StdEncoding.DecodeString(post.Values["policy"])
			if err != nil {
				t.Fatal(err)
			}
			if p, err := sigv4.ParsePolicy(doc); err != nil {
				t.Error(err)
			} else if lo, hi, ok := p.SizeRange(); lo != 1 || hi != 1000 || !ok {
				t.Errorf("%d to %d, %v", lo, hi, ok)
			}
		}
	}
}

func validUTF8(s string) bool { return strings.ToValidUTF8(s, "") == s }

// BenchmarkPostSDK and BenchmarkPresignSDK are the yardsticks of BenchmarkPost
// and BenchmarkPresign.
func BenchmarkPostSDK(b *testing.B) {
	presign := s3.NewPresignClient(sdkClient(example))
	conditions := []any{
		map[string]string{"Content-Type": "image/png"},
		map[string]string{"success_action_status": "204"},
		map[string]string{"x-amz-meta-ticket": "0123456789abcdef0123456789abcdef"},
		[]any{"content-length-range", 1, 25000000},
	}
	in := &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("incoming/1")}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := presign.PresignPostObject(ctx, in, func(o *s3.PresignPostOptions) { o.Conditions = conditions }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPresignSDK(b *testing.B) {
	presign := s3.NewPresignClient(sdkClient(example))
	in := &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("incoming/1"), ContentType: aws.String("image/png")}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := presign.PresignPutObject(ctx, in); err != nil {
			b.Fatal(err)
		}
	}
}
