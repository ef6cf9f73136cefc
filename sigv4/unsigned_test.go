package sigv4

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Requests whose signatures are right, by one who has the secret, but which
// our signer would never make.
func TestRightlySignedButTooLittle(t *testing.T) {
	const stamp = "20151229T000000Z"
	now := time.Date(2015, 12, 29, 0, 0, 0, 0, time.UTC)
	v := &Verifier{
		Region: "us-east-1", Now: func() time.Time { return now },
		Lookup: func(string) (Credentials, bool) { return exampleCredentials, true },
	}
	k := newSigningKey(exampleCredentials, "us-east-1", 20151229)
	for signed, want := range map[string]*Error{
		"host;x-amz-content-sha256;x-amz-date": nil,
		"x-amz-content-sha256;x-amz-date":      ErrAccessDenied,
		"host;x-amz-date":                      ErrAccessDenied,
		"host;x-amz-content-sha256":            ErrAccessDenied,
		"host":                                 ErrAccessDenied,
		"cache-control;host;x-amz-content-sha256;x-amz-date": ErrSignatureDoesNotMatch, // not sent, signed as empty
	} {
		r := &http.Request{Method: "GET", Host: "h", URL: &url.URL{Path: "/"}, Header: http.Header{headerDate: {stamp}, headerPayload: {EmptySHA256}}}
		var c canonicalizer
		for name := range strings.SplitSeq(signed, ";") {
			c.headers = append(c.headers, signedHeader{name, received(r, name)})
		}
		c.request("GET", "/", EmptySHA256, stamp, k.scope)
		r.Header.Set("Authorization", algorithm+" Credential="+k.credential+",SignedHeaders="+signed+",Signature="+string(k.appendSignature(nil, c.text)))
		_, err := v.Request(r)
		if want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", signed, err)
		}
		var e *Error
		if errors.As(err, &e) && e.Code == "AccessDenied" {
			for _, name := range []string{"host", "x-amz-content-sha256", "x-amz-date"} {
				if strings.Contains(e.Extra["HeadersNotSigned"], name) == strings.Contains(signed, name) {
					t.Errorf("%s: not signed are %q", signed, e.Extra["HeadersNotSigned"])
				}
			}
		}
	}
}
