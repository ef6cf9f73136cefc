package sigv4_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// The key of Amazon's examples.
var example = sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

var exampleTime = time.Date(2015, 12, 29, 0, 0, 0, 0, time.UTC)

const (
	exampleStamp      = "20151229T000000Z"
	exampleCredential = "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"
	exampleToken      = "FwoGZXIvYXdzEXAMPLE"
)

// verifierFor knows one credential; its clock stands still.
func verifierFor(c sigv4.Credentials, now time.Time) *sigv4.Verifier {
	return &sigv4.Verifier{
		Region: "us-east-1", Now: func() time.Time { return now },
		Lookup: func(id string) (sigv4.Credentials, bool) { return c, id == c.AccessKeyID },
	}
}

func exampleForm(doc, signature string) sigv4.Form {
	return sigv4.Form{
		"policy":           base64.StdEncoding.EncodeToString([]byte(doc)),
		"x-amz-algorithm":  "AWS4-HMAC-SHA256",
		"x-amz-credential": exampleCredential,
		"x-amz-date":       exampleStamp,
		"x-amz-signature":  signature,
	}
}

// docPolicy is the policy of Amazon's "Example: Browser-Based Upload using
// HTTP POST", with LF line ends.
const docPolicy = `{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}`

func TestVector1_DocumentedPolicy(t *testing.T) {
	doc := strings.ReplaceAll(docPolicy, "\n", "\r\n")
	sum := sha256.Sum256([]byte(doc))
	if got := hex.EncodeToString(sum[:]); len(doc) != 648 || got != "bdbc873103bd66b82f3a98478e5938ca1c7d8204563309232bdd4b1bbdcf74fb" {
		t.Fatalf("the document has %d bytes with hash %s: not Amazon's", len(doc), got)
	}
	const signature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
	v := verifierFor(example, exampleTime)
	id, got, err := v.Post(exampleForm(doc, signature))
	if err != nil || id != example.AccessKeyID || string(got) != doc {
		t.Fatalf("id %q, same document %v, error %v", id, string(got) == doc, err)
	}
	// The same with LF is another text, so another signature.
	if _, _, err := v.Post(exampleForm(docPolicy, signature)); !errors.Is(err, sigv4.ErrSignatureDoesNotMatch) {
		t.Fatalf("with LF line ends: %v", err)
	}
	p, err := sigv4.ParsePolicy(got)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Conditions) != 11 || !p.Expiration.Equal(time.Date(2015, 12, 30, 12, 0, 0, 0, time.UTC)) {
		t.Fatalf("%d conditions until %v", len(p.Conditions), p.Expiration)
	}
	form := exampleForm(doc, signature)
	for name, value := range map[string]string{
		"key": "user/user1/photo.jpg", "acl": "public-read", "content-type": "image/jpeg",
		"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
		"x-amz-meta-uuid":         "14365123651274", "x-amz-server-side-encryption": "AES256", "x-amz-meta-tag": "",
	} {
		form[name] = value
	}
	if err := p.Evaluate(form, "sigv4examplebucket", exampleTime); err != nil {
		t.Errorf("Amazon's own form: %v", err)
	}
}

// Vectors 2 and 3 were computed with botocore, whose JSON has spaces.
func TestVectors2And3_Botocore(t *testing.T) {
	const common = `{"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": "` + exampleCredential + `"}, {"x-amz-date": "` + exampleStamp + `"}`
	session := example
	session.SessionToken = exampleToken
	for _, tt := range []struct {
		name, doc, signature string
		c                    sigv4.Credentials
	}{
		{
			"2", `{"expiration": "2015-12-29T01:00:00Z", "conditions": [{"bucket": "sigv4examplebucket"}, {"key": "user/user1/photo.jpg"}, ` + common + `]}`,
			"3364624b39010d9b06f5d9b8c9a18a6e478d261c048159c92f2fd6fa885f14e6", example,
		},
		{
			"3", `{"expiration": "2015-12-29T01:00:00Z", "conditions": [{"Content-Type": "image/png"}, ["content-length-range", 1, 1048576], ` +
				`{"bucket": "sigv4examplebucket"}, ["starts-with", "$key", "q/"], ` + common + `, {"x-amz-security-token": "` + exampleToken + `"}]}`,
			"3a1d838c4399192cebb8c503e957ed25a046d10d0e6ed8095f18c0449875854a", session,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			form := exampleForm(tt.doc, tt.signature)
			if tt.c.SessionToken != "" {
				form["x-amz-security-token"] = tt.c.SessionToken
			}
			if _, _, err := verifierFor(tt.c, exampleTime).Post(form); err != nil {
				t.Error(err)
			}
			form["policy"] = form["policy"][:len(form["policy"])-4]
			if _, _, err := verifierFor(tt.c, exampleTime).Post(form); !errors.Is(err, sigv4.ErrSignatureDoesNotMatch) {
				t.Errorf("a truncated policy: %v, want a wrong signature, not a policy error", err)
			}
		})
	}
}

func TestVectors4To6_Presigned(t *testing.T) {
	for _, tt := range []struct {
		name, method, url string
		header            http.Header
		at                time.Time
		expires           time.Duration
		want              string
	}{
		{
			"4 GET", "GET", "https://examplebucket.s3.amazonaws.com/test.txt", nil,
			time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC), 24 * time.Hour,
			"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
		},
		{
			"5 PUT", "PUT", "https://sigv4examplebucket.s3.amazonaws.com/user/user1/photo%20%C3%A9%2B%26.jpg",
			http.Header{"Content-Length": {"1234"}, "Content-Type": {"image/jpeg"}},
			exampleTime, 300 * time.Second,
			"9f0243a8f30282f4632865165ae406bf6775afa0d95044858961de9dd6a04c14",
		},
		{
			"6 part", "PUT", "https://sigv4examplebucket.s3.amazonaws.com/a%20b.jpg?uploadId=UP%2FID%2B%3D&partNumber=3", nil,
			exampleTime, 300 * time.Second, "6256dc211823f8bd280e9f9c11d63db9a33c825d648aacb74bdc01abe690817d",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			got, err := sigv4.NewSigner("us-east-1").Presign(example, tt.at, sigv4.Request{Method: tt.method, URL: u, Header: tt.header, Expires: tt.expires})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(got, "&X-Amz-Signature="+tt.want) {
				t.Errorf("got  %s\nwant signature %s", got, tt.want)
			}
			if !strings.HasPrefix(got, strings.SplitN(tt.url, "?", 2)[0]+"?") {
				t.Errorf("the path came out as %s", got)
			}
		})
	}
}
