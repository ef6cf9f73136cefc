package sigv4_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"postern.example/postern/sigv4"
)

// What Amazon's own signer signs, by header or by query, the Verifier takes as
// it comes over the wire; and with one thing changed it does not.
func FuzzCanonical(f *testing.F) {
	theirs := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	f.Fuzz(func(t *testing.T, method, path, query, name, value, second string, presign bool, change uint8) {
		r := canonicalRequest(t, method, path, query, name, value, second)
		if r == nil {
			return
		}
		v := verifierFor(example, exampleTime.Add(time.Minute))
		if presign {
			q := r.URL.Query()
			q.Set("X-Amz-Expires", "300")
			r.URL.RawQuery = q.Encode()
			signed, header, err := theirs.PresignHTTP(t.Context(), sdkCredentials(example), r, sigv4.UnsignedPayload, "s3", "us-east-1", exampleTime)
			if err != nil {
				t.Fatal(err)
			}
			if r.URL, err = url.Parse(signed); err != nil {
				t.Fatal(err)
			}
			r.Header = header
			r.Header.Del("Host")
		} else {
			r.Header.Set("X-Amz-Content-Sha256", sigv4.EmptySHA256)
			if err := theirs.SignHTTP(t.Context(), sdkCredentials(example), r, sigv4.EmptySHA256, "s3", "us-east-1", exampleTime); err != nil {
				t.Fatal(err)
			}
		}
		in := received(t, r)
		id, err := v.Request(in)
		if err != nil || id.AccessKeyID != example.AccessKeyID || id.Presigned != presign || !id.SignedAt.Equal(exampleTime) {
			t.Fatalf("%s %s %q: %+v, %v", in.Method, in.RequestURI, in.Header, id, err)
		}
		what := changes[int(change)%len(changes)]
		what.apply(in)
		if id, err := v.Request(in); codeOf(err) == "" || id.AccessKeyID != "" {
			t.Fatalf("%s: %s %s %q: %+v", what.name, in.Method, in.URL, in.Header, id)
		}
	})
}

// changes each make another request of one that is signed.
var changes = []struct {
	name  string
	apply func(*http.Request)
}{
	{"method", func(r *http.Request) { r.Method += "X" }},
	{"longer path", func(r *http.Request) { r.URL.Path += "x" }},
	{"path below", func(r *http.Request) { r.URL.Path = "/x" + r.URL.Path }},
	{"slash", func(r *http.Request) { r.URL.Path += "/" }},
	{"query added", func(r *http.Request) { r.URL.RawQuery += "&zz=1" }},
	{"name added", func(r *http.Request) { r.URL.RawQuery += "&acl" }},
	{"host", func(r *http.Request) { r.Host = "x" + r.Host }},
	{"header added", func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }},
	{"header changed", func(r *http.Request) {
		if values := r.Header["X-Amz-Meta-Fixed"]; len(values) == 1 {
			values[0] += "x"
			return
		}
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "=fixed", "=fixedx", 1) // presigned: it was moved there
	}},
	{"signature", func(r *http.Request) {
		flip := func(s string) string {
			at := strings.Index(s, "Signature=") + len("Signature=")
			return s[:at] + string("10"[s[at]&1]) + s[at+1:]
		}
		if a := r.Header["Authorization"]; len(a) == 1 {
			a[0] = flip(a[0])
		} else {
			r.URL.RawQuery = flip(r.URL.RawQuery)
		}
	}},
	{"no authentication", func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "" }},
}

// canonicalRequest makes a request that both signers and HTTP can say, or nil.
func canonicalRequest(t *testing.T, method, path, query, name, value, second string) *http.Request {
	t.Helper()
	parsed, err := url.ParseQuery(query)
	if err != nil || method == "" || method == http.MethodConnect {
		return nil
	}
	for name := range parsed {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-") || strings.EqualFold(name, "signature") || strings.EqualFold(name, "awsaccesskeyid") {
			return nil // authentication of its own
		}
	}
	// The SDK sorts before it encodes, where Amazon's page says after: "a/" and
	// "a-" change places. A request of which that is true it cannot sign.
	before, after := sortedQuery(parsed, func(s string) string { return s }), sortedQuery(parsed, url.QueryEscape)
	if !slices.Equal(before, after) {
		return nil
	}
	for _, s := range []string{value, second} {
		if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return nil
		}
	}
	name = http.CanonicalHeaderKey("X-Amz-Meta-" + name)
	if name == "X-Amz-Meta-Fixed" || strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	}) {
		return nil
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:9000/", nil)
	if err != nil {
		return nil
	}
	r.URL.Path, r.URL.RawQuery = "/"+path, query
	r.URL.RawPath = escapePath(r.URL.Path)
	r.Header["X-Amz-Meta-Fixed"] = []string{"fixed"}
	r.Header[name] = []string{value}
	if second != "" {
		r.Header["X-Amz-Meta-Second"] = []string{second, value}
	}
	return r
}

func sortedQuery(q url.Values, by func(string) string) []string {
	var pairs [][2]string
	for name, values := range q {
		for _, value := range values {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if n := strings.Compare(by(a[0]), by(b[0])); n != 0 {
			return n
		}
		return strings.Compare(by(a[1]), by(b[1]))
	})
	var out []string
	for _, p := range pairs {
		out = append(out, url.QueryEscape(p[0])+"="+url.QueryEscape(p[1]))
	}
	return out
}
