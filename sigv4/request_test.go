package sigv4_test

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// received sends r over the wire, in memory, and returns it as a server sees it.
func received(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	in, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func newRequest(t testing.TB, method, rawURL, body string) *http.Request {
	t.Helper()
	var b *strings.Reader
	r, err := http.NewRequestWithContext(t.Context(), method, rawURL, nil)
	if body != "" {
		b = strings.NewReader(body)
		r, err = http.NewRequestWithContext(t.Context(), method, rawURL, b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// hostileKeys are paths of objects, decoded.
var hostileKeys = []string{
	"a", "a/b", "a//b", "/a", "a/", "a b", "a+b", "a%b", "a%2Fb", "é漢\U0001f600", "a;b", "a&b=c", "a?b", "a#b", `a\b`, `a"b'c`, "a~b-c_d.e!*()@:,$",
	"../x", "./x", "a/../b", "\x01\x7f", "[x]", "{x}", "<x>|^`", "\xff\xfe",
}

func TestPresignAndVerify(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	for _, c := range []sigv4.Credentials{example, session} {
		v := verifierFor(c, exampleTime.Add(30*time.Second))
		for _, key := range hostileKeys {
			for _, query := range []url.Values{nil, {"partNumber": {"1"}, "uploadId": {"a+b/c= ~"}}, {"x": {"b", "a", "a/b", "a-b"}, "X-Amz-Foo": {""}, "": {"z"}, "é;&": {"\x00"}}} {
				header := http.Header{"Content-Type": {"image/png"}, "X-Amz-Meta-A": {"  two  spaces ", "a,b"}, "Content-Length": {"3"}, "If-None-Match": {"*"}}
				u := &url.URL{Scheme: "https", Host: "Bucket.example:443", Path: "/b/" + key, RawQuery: query.Encode()}
				signed, err := s.Presign(c, exampleTime, sigv4.Request{Method: "PUT", URL: u, Header: header, Expires: time.Minute})
				if err != nil {
					t.Fatalf("%q %v: %v", key, query, err)
				}
				r := newRequest(t, "PUT", signed, "abc")
				r.Header = header.Clone()
				in := received(t, r)
				if in.URL.Path != u.Path {
					t.Errorf("%q arrives as %q", u.Path, in.URL.Path)
				}
				id, err := v.Request(in)
				if err != nil {
					t.Fatalf("%q %v: %v\n%s", key, query, err, signed)
				}
				want := []string{"content-length", "content-type", "host", "if-none-match", "x-amz-meta-a"}
				if id.AccessKeyID != c.AccessKeyID || !id.Presigned || id.PayloadHash != sigv4.UnsignedPayload || !slices.Equal(id.SignedHeaders, want) {
					t.Errorf("%+v", id)
				}
				for name, values := range query {
					if !slices.Equal(in.URL.Query()[name], sorted(values)) && !strings.Contains(name, ";") {
						t.Errorf("%q arrives as %q", values, in.URL.Query()[name])
					}
				}
			}
		}
	}
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b string) int {
		return strings.Compare(strings.ReplaceAll(url.QueryEscape(a), "+", "%20"), strings.ReplaceAll(url.QueryEscape(b), "+", "%20"))
	})
	return s
}

func TestSignHeaderAndVerify(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	const hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	for _, c := range []sigv4.Credentials{example, session} {
		v := verifierFor(c, exampleTime)
		for _, key := range hostileKeys {
			u := url.URL{Scheme: "http", Host: "127.0.0.1:9000", Path: "/b/" + key, RawQuery: "list-type=2&prefix=a%2Fb+c&empty"}
			r := newRequest(t, "PUT", u.String(), "abc")
			r.Header.Set("Content-Type", "image/png")
			r.Header.Set("User-Agent", "test")
			r.Header["X-Amz-Meta-A"] = []string{"  two  spaces ", "a,b"}
			r.Header["X-Unsent"] = nil
			if err := s.SignHeader(c, exampleTime, r, hash); err != nil {
				t.Fatalf("%q: %v", key, err)
			}
			in := received(t, r)
			in.Header.Set("User-Agent", "a proxy's")
			in.Header.Add("Via", "a proxy")
			id, err := v.Request(in)
			if err != nil {
				t.Fatalf("%q: %v", key, err)
			}
			want := []string{"content-type", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-meta-a"}
			if c.SessionToken != "" {
				want = append(want, "x-amz-security-token")
			}
			if id.AccessKeyID != c.AccessKeyID || id.Presigned || id.PayloadHash != hash || !slices.Equal(id.SignedHeaders, want) {
				t.Errorf("%+v", id)
			}
			// Signing again, later, with other credentials replaces all.
			if err := s.SignHeader(example, exampleTime.Add(time.Second), r, sigv4.UnsignedPayload); err != nil {
				t.Fatal(err)
			}
			r.Body, _ = r.GetBody()
			if _, err := verifierFor(example, exampleTime).Request(received(t, r)); err != nil {
				t.Errorf("signed again: %v", err)
			}
		}
	}
	r := newRequest(t, "GET", "https://b.example", "")
	if err := s.SignHeader(example, exampleTime, r, ""); err != nil {
		t.Fatal(err)
	}
	if id, err := verifierFor(example, exampleTime).Request(received(t, r)); err != nil || id.PayloadHash != sigv4.EmptySHA256 {
		t.Errorf("%+v, %v", id, err)
	}
}

// mutation changes a good request; the error must be want and contain words.
type mutation struct {
	name   string
	change func(*http.Request)
	want   *sigv4.Error
	words  string
}

func check(t *testing.T, good func() *http.Request, v *sigv4.Verifier, mutations []mutation) {
	t.Helper()
	if _, err := v.Request(good()); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			r := good()
			m.change(r)
			id, err := v.Request(r)
			if !errors.Is(err, m.want) || !strings.Contains(err.Error(), m.words) {
				t.Fatalf("got %v\nwant %s: %s", err, m.want.Code, m.words)
			}
			if id.AccessKeyID != "" {
				t.Error("an identity with an error")
			}
		})
	}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func replace(name, old, with string) func(*http.Request) {
	return func(r *http.Request) {
		v := r.Header.Get(name)
		if !strings.Contains(v, old) {
			panic(name + " has no " + old)
		}
		r.Header.Set(name, strings.ReplaceAll(v, old, with))
	}
}

func TestHeaderTampered(t *testing.T) {
	const date = "20151229T000000Z"
	good := func() *http.Request {
		r := newRequest(t, "PUT", "http://127.0.0.1:9000/b/a?x=1&y=2", "abc")
		r.Header.Set("Content-Type", "image/png")
		r.Header.Set("X-Amz-Meta-A", "a")
		if err := sigv4.NewSigner("us-east-1").SignHeader(example, exampleTime, r, sigv4.UnsignedPayload); err != nil {
			t.Fatal(err)
		}
		return received(t, r)
	}
	wrong, bad := sigv4.ErrSignatureDoesNotMatch, sigv4.ErrAuthorizationHeaderMalformed
	authorization := func(f func(string) string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", f(r.Header.Get("Authorization"))) }
	}
	check(t, good, verifierFor(example, exampleTime), []mutation{
		{"method", func(r *http.Request) { r.Method = "DELETE" }, wrong, ""},
		{"path", func(r *http.Request) { r.URL.Path += "b" }, wrong, ""},
		{"query value", func(r *http.Request) { r.URL.RawQuery = "x=1&y=3" }, wrong, ""},
		{"query more", func(r *http.Request) { r.URL.RawQuery += "&z" }, wrong, ""},
		{"query less", func(r *http.Request) { r.URL.RawQuery = "x=1" }, wrong, ""},
		{"query not decodable", func(r *http.Request) { r.URL.RawQuery += "&z=%zz" }, sigv4.ErrInvalidURI, ""},
		{"query name not decodable", func(r *http.Request) { r.URL.RawQuery += "&%2" }, sigv4.ErrInvalidURI, ""},
		{"host", func(r *http.Request) { r.Host = "other" }, wrong, ""},
		{"signed header", header("Content-Type", "text/html"), wrong, ""},
		{"signed header gone", func(r *http.Request) { r.Header.Del("X-Amz-Meta-A") }, wrong, ""},
		{"signed header twice", func(r *http.Request) { r.Header.Add("X-Amz-Meta-A", "b") }, wrong, ""},
		{"payload hash", header("X-Amz-Content-Sha256", sigv4.EmptySHA256), wrong, ""},
		{"payload hash in capitals", header("X-Amz-Content-Sha256", strings.ToUpper(sigv4.EmptySHA256)), sigv4.ErrInvalidArgument, "valid sha256 value"},
		{"payload hash unknown", header("X-Amz-Content-Sha256", "STREAMING-SOMETHING"), sigv4.ErrInvalidArgument, ""},
		{"payload hash missing", func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, sigv4.ErrInvalidRequest, "x-amz-content-sha256"},
		{"payload hash twice", func(r *http.Request) { r.Header.Add("X-Amz-Content-Sha256", sigv4.UnsignedPayload) }, sigv4.ErrInvalidArgument, ""},
		{"date", header("X-Amz-Date", "20151229T000001Z"), wrong, ""},
		{"date of another day", header("X-Amz-Date", "20151230T000000Z"), bad, "Invalid credential date"},
		{"date missing", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, sigv4.ErrAccessDenied, "valid Date or x-amz-date header"},
		{"date malformed", header("X-Amz-Date", "Tue, 29 Dec 2015 00:00:00 GMT"), sigv4.ErrAccessDenied, ""},
		{"date twice", func(r *http.Request) { r.Header.Add("X-Amz-Date", date) }, sigv4.ErrAccessDenied, ""},
		{"id", replace("Authorization", example.AccessKeyID, "AKIDOTHER"), sigv4.ErrInvalidAccessKeyID, ""},
		{"region", replace("Authorization", "us-east-1", "eu-west-1"), bad, "the region 'eu-west-1' is wrong; expecting 'us-east-1'"},
		{"service", replace("Authorization", "/s3/", "/ec2/"), bad, "incorrect service"},
		{"terminal", replace("Authorization", "aws4_request", "aws4"), bad, "incorrect terminal"},
		{"scope's day", replace("Authorization", "/20151229/", "/20151228/"), bad, "Invalid credential date"},
		{"signed headers, one less", replace("Authorization", "content-type;", ""), wrong, ""},
		{"signed headers, unsorted", replace("Authorization", "content-type;host", "host;content-type"), bad, "sorted"},
		{"signed headers, capitals", replace("Authorization", "content-type;", "Content-Type;"), bad, "lower case"},
		{"signed headers, twice", replace("Authorization", "host;", "host;host;"), bad, "each once"},
		{"signed headers, no name", replace("Authorization", "host;", "host;;"), bad, ""},
		{"signed headers, not sent", replace("Authorization", "SignedHeaders=content-type;", "SignedHeaders=cache-control;content-type;"), wrong, ""},
		{"no space after the scheme", replace("Authorization", "SHA256 ", "SHA256"), sigv4.ErrInvalidArgument, "Unsupported Authorization Type"},
		{"a component missing", authorization(func(s string) string { return s[:strings.LastIndex(s, ",")] }), bad, "three components"},
		{"a component twice", authorization(func(s string) string { return s + s[strings.LastIndex(s, ","):] }), bad, "twice"},
		{"a component unknown", authorization(func(s string) string { return s + ", Other=1" }), bad, "three components"},
		{"authorization twice", func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, bad, "once"},
		{"signature", authorization(func(s string) string { return s[:len(s)-64] + strings.Repeat("a", 64) }), wrong, ""},
		{"signature cut", authorization(func(s string) string { return s[:len(s)-1] }), wrong, ""},
		{"Threat30 signature empty", authorization(func(s string) string { return s[:len(s)-64] }), bad, "three components"},
		{"Threat30 authorization empty", header("Authorization", ""), sigv4.ErrInvalidArgument, "Unsupported"},
		{"Threat30 version 2", header("Authorization", "AWS "+example.AccessKeyID+":c2lnbmF0dXJl"), sigv4.ErrInvalidRequest, "Please use AWS4-HMAC-SHA256"},
		{"Threat30 version 4a", replace("Authorization", "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), sigv4.ErrInvalidArgument, ""},
		{"Threat30 another scheme", header("Authorization", "Bearer x"), sigv4.ErrInvalidArgument, ""},
		{"Threat30 unsigned x-amz header", header("X-Amz-Copy-Source", "/b/other"), sigv4.ErrAccessDenied, "not signed"},
		{"Threat30 unsigned x-amz header in its own spelling", func(r *http.Request) { r.Header["x-AMZ-acl"] = []string{"public-read"} }, sigv4.ErrAccessDenied, "not signed"},
		{"Threat30 query credentials as well", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Credential=x" }, sigv4.ErrInvalidArgument, "Only one auth mechanism allowed"},
		{"Threat30 query algorithm in lower case", func(r *http.Request) { r.URL.RawQuery += "&x-amz-algorithm=x" }, sigv4.ErrAuthorizationQueryParameters, ""},
		{"Threat30 query name encoded", func(r *http.Request) { r.URL.RawQuery += "&X%2dAmz-Signature=x" }, sigv4.ErrAuthorizationQueryParameters, ""},
		{"Threat30 version 2 in the query", func(r *http.Request) { r.URL.RawQuery += "&AWSAccessKeyId=x" }, sigv4.ErrInvalidArgument, "Only one auth mechanism allowed"},
		{"a token of nobody", header("X-Amz-Security-Token", "x"), sigv4.ErrAccessDenied, "not signed"},
		{"tokens", func(r *http.Request) { r.Header["X-Amz-Security-Token"] = []string{"x", "y"} }, sigv4.ErrInvalidToken, ""},
		{"no authentication", func(r *http.Request) { r.Header.Del("Authorization") }, sigv4.ErrAnonymous, ""},
	})
}

func TestHeadersNotSignedAreNamed(t *testing.T) {
	r := newRequest(t, "GET", "http://127.0.0.1/b/a", "")
	if err := sigv4.NewSigner("us-east-1").SignHeader(example, exampleTime, r, ""); err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Tagging", "a=b")
	r.Header.Set("X-Amz-Acl", "private")
	_, err := verifierFor(example, exampleTime).Request(received(t, r))
	var e *sigv4.Error
	if !errors.As(err, &e) || e.Status != 403 || e.Extra["HeadersNotSigned"] != "x-amz-acl, x-amz-tagging" {
		t.Errorf("%+v", e)
	}
}

func setQuery(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		pairs := strings.Split(r.URL.RawQuery, "&")
		for i, p := range pairs {
			if strings.HasPrefix(p, name+"=") {
				pairs[i] = name + "=" + url.QueryEscape(value)
			}
		}
		r.URL.RawQuery = strings.Join(pairs, "&")
	}
}

func dropQuery(name string) func(*http.Request) {
	return func(r *http.Request) {
		pairs := strings.Split(r.URL.RawQuery, "&")
		r.URL.RawQuery = strings.Join(slices.DeleteFunc(pairs, func(p string) bool { return strings.HasPrefix(p, name+"=") }), "&")
	}
}

func TestPresignedTampered(t *testing.T) {
	good := func() *http.Request {
		u, _ := url.Parse("http://127.0.0.1:9000/b/a?partNumber=1&uploadId=u")
		h := http.Header{"Content-Type": {"image/png"}, "If-None-Match": {"*"}, "Content-Length": {"3"}}
		signed, err := sigv4.NewSigner("us-east-1").Presign(example, exampleTime, sigv4.Request{Method: "PUT", URL: u, Header: h, Expires: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		r := newRequest(t, "PUT", signed, "abc")
		r.Header = h
		return received(t, r)
	}
	wrong, bad := sigv4.ErrSignatureDoesNotMatch, sigv4.ErrAuthorizationQueryParameters
	credential := func(s string) func(*http.Request) { return setQuery("X-Amz-Credential", s) }
	mutations := []mutation{
		{"method", func(r *http.Request) { r.Method = "GET" }, wrong, ""},
		{"path", func(r *http.Request) { r.URL.Path = "/b/b" }, wrong, ""},
		{"bucket", func(r *http.Request) { r.URL.Path = "/c/a" }, wrong, ""},
		{"host", func(r *http.Request) { r.Host = "127.0.0.1" }, wrong, ""},
		{"part number", setQuery("partNumber", "2"), wrong, ""},
		{"upload id", dropQuery("uploadId"), wrong, ""},
		{"parameter more", func(r *http.Request) { r.URL.RawQuery += "&x-id=PutObject" }, wrong, ""},
		{"type", header("Content-Type", "text/html"), wrong, ""},
		{"type gone", func(r *http.Request) { r.Header.Del("Content-Type") }, wrong, ""},
		{"length", func(r *http.Request) { r.ContentLength = 4; r.Header.Set("Content-Length", "4") }, wrong, ""},
		{"length unknown", func(r *http.Request) { r.ContentLength = -1; r.Header.Del("Content-Length") }, wrong, ""},
		{"length, header against framing", func(r *http.Request) { r.ContentLength = 5 }, wrong, ""},
		{"condition gone", func(r *http.Request) { r.Header.Del("If-None-Match") }, wrong, ""},
		{"expires longer", setQuery("X-Amz-Expires", "61"), wrong, ""},
		{"expires zero", setQuery("X-Amz-Expires", "0"), bad, "at least 1"},
		{"expires negative", setQuery("X-Amz-Expires", "-1"), bad, "X-Amz-Expires must be non-negative"},
		{"expires too long", setQuery("X-Amz-Expires", "604801"), bad, "must be less than a week"},
		{"expires no number", setQuery("X-Amz-Expires", "1m"), bad, "X-Amz-Expires should be a number"},
		{"expires with a plus", setQuery("X-Amz-Expires", "+60"), bad, "X-Amz-Expires should be a number"},
		{"expires huge", setQuery("X-Amz-Expires", "99999999999999999999"), bad, ""},
		{"date", setQuery("X-Amz-Date", "20151229T000001Z"), wrong, ""},
		{"date of another day", setQuery("X-Amz-Date", "20151228T235959Z"), bad, "Invalid credential date"},
		{"date malformed", setQuery("X-Amz-Date", "2015"), bad, "X-Amz-Date must be in the ISO8601 Long Format"},
		{"algorithm", setQuery("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"), bad, "only supports"},
		{"id", credential("AKIDOTHER/20151229/us-east-1/s3/aws4_request"), sigv4.ErrInvalidAccessKeyID, ""},
		{"region", credential(example.AccessKeyID + "/20151229/x/s3/aws4_request"), bad, "Error parsing the X-Amz-Credential parameter; the region 'x' is wrong; expecting 'us-east-1'"},
		{"credential malformed", credential("x"), bad, "mal-formed"},
		{"signed headers, one less", setQuery("X-Amz-SignedHeaders", "content-length;content-type;host"), wrong, ""},
		{"signed headers, only host", setQuery("X-Amz-SignedHeaders", "host"), wrong, ""},
		{"signed headers, a line break", setQuery("X-Amz-SignedHeaders", "content-length;content-type;host\n;if-none-match"), bad, "names of headers"},
		{"signature", setQuery("X-Amz-Signature", strings.Repeat("0", 64)), wrong, ""},
		{"Threat30 signature empty", setQuery("X-Amz-Signature", ""), bad, "requires the X-Amz-Algorithm"},
		{"Threat30 signature twice", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Signature=x" }, bad, ""},
		{"Threat30 expires twice", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Expires=604800" }, bad, ""},
		{"Threat30 expires in lower case as well", func(r *http.Request) { r.URL.RawQuery += "&x-amz-expires=604800" }, bad, ""},
		{"Threat30 header as well", header("Authorization", "AWS4-HMAC-SHA256 x"), sigv4.ErrInvalidArgument, "Only one auth mechanism"},
		{"Threat30 any authorization header as well", header("Authorization", "Basic x"), sigv4.ErrInvalidArgument, "Only one auth mechanism"},
		{"Threat30 version 2 as well", func(r *http.Request) { r.URL.RawQuery += "&Signature=x&AWSAccessKeyId=y&Expires=1" }, sigv4.ErrInvalidRequest, ""},
		{"Threat30 version 2", func(r *http.Request) { r.URL.RawQuery = "AWSAccessKeyId=y&Signature=x&Expires=1" }, sigv4.ErrInvalidRequest, ""},
		{"Threat30 unsigned x-amz header", header("X-Amz-Acl", "public-read"), sigv4.ErrAccessDenied, "There were headers present in the request which were not signed"},
		{"Threat30 unsigned copy source", header("X-Amz-Copy-Source", "/b/x"), sigv4.ErrAccessDenied, "not signed"},
		{"Threat30 unsigned streaming", header("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), sigv4.ErrAccessDenied, "not signed"},
		{"payload hash parameter", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Content-Sha256=" + sigv4.EmptySHA256 }, wrong, ""},
		{"payload hash parameter unknown", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Content-Sha256=x" }, sigv4.ErrInvalidArgument, ""},
		{"token of nobody", func(r *http.Request) { r.URL.RawQuery += "&X-Amz-Security-Token=x" }, wrong, ""},
		{"no authentication", func(r *http.Request) { r.URL.RawQuery = "" }, sigv4.ErrAnonymous, ""},
	}
	for _, name := range []string{"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"} {
		mutations = append(mutations, mutation{"without " + name, dropQuery("X-Amz-" + name), bad, "requires the X-Amz-Algorithm"})
	}
	check(t, good, verifierFor(example, exampleTime), mutations)
}

// The same request may be spelt in several ways on the wire.
func TestSpellingsOfOneRequest(t *testing.T) {
	u, _ := url.Parse("http://127.0.0.1/b/a%20b~c/d?k=v%20w&x")
	signed, err := sigv4.NewSigner("us-east-1").Presign(example, exampleTime, sigv4.Request{URL: u, Expires: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(signed, "?")
	v := verifierFor(example, exampleTime)
	for target, ok := range map[string]bool{
		"/b/a%20b~c/d?" + query:                                   true,
		"/b/%61%20b%7Ec/d?" + query:                               true,
		"/b/a%20b%7ec%2Fd?" + query:                               true,
		"/b/a%20b~c/d?&&" + query:                                 true,
		"/b/a%20b~c/d?=&" + query:                                 false,
		"/b/a%20b~c/d?" + strings.Replace(query, "%20", "+", 1):   true,
		"/b/a%20b~c/d?" + strings.ReplaceAll(query, "%2F", "/"):   true,
		"/b/a%20b~c/d?" + strings.ReplaceAll(query, "%2F", "%2f"): true,
		"/b/a+b~c/d?" + query:                                     false,
		"/b/a%2520b~c/d?" + query:                                 false,
		"/b//a%20b~c/d?" + query:                                  false,
		"/b/./a%20b~c/d?" + query:                                 false,
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Request(r); (err == nil) != ok {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestThreat26_ClockSkew(t *testing.T) {
	const skew = 15 * time.Minute
	headerSigned := newRequest(t, "GET", "http://127.0.0.1/b/a", "")
	if err := sigv4.NewSigner("us-east-1").SignHeader(example, exampleTime, headerSigned, ""); err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse("http://127.0.0.1/b/a")
	signed, err := sigv4.NewSigner("us-east-1").Presign(example, exampleTime, sigv4.Request{URL: u, Expires: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		by   string
		late time.Duration
		want error
	}{
		{"header", 0, nil},
		{"header", skew, nil},
		{"header", -skew, nil},
		{"header", skew + 1, sigv4.ErrRequestTimeTooSkewed},
		{"header", -skew - 1, sigv4.ErrRequestTimeTooSkewed},
		{"header", 20 * time.Minute, sigv4.ErrRequestTimeTooSkewed},
		{"header", 200 * 365 * 24 * time.Hour, sigv4.ErrRequestTimeTooSkewed},
		{"query", -skew, nil},
		{"query", -skew - 1, sigv4.ErrAccessDenied},
		{"query", 20 * time.Minute, nil},
		{"query", time.Hour, nil},
		{"query", time.Hour + 1, sigv4.ErrAccessDenied},
	} {
		r := headerSigned
		if tt.by == "query" {
			r = newRequest(t, "GET", signed, "")
		}
		_, err := verifierFor(example, exampleTime.Add(tt.late)).Request(received(t, r))
		if tt.want == nil && err != nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("by %s, %v late: %v", tt.by, tt.late, err)
		}
	}
}

func TestRequestSessions(t *testing.T) {
	signer := sigv4.NewSigner("us-east-1")
	byHeader := newRequest(t, "GET", "http://127.0.0.1/b/a", "")
	if err := signer.SignHeader(session, exampleTime, byHeader, ""); err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse("http://127.0.0.1/b/a")
	signed, err := signer.Presign(session, exampleTime, sigv4.Request{URL: u, Expires: 7 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	noToken := session
	noToken.SessionToken = ""
	for name, tt := range map[string]struct {
		c    sigv4.Credentials
		at   time.Time
		want error
	}{
		"live":          {session, exampleTime, nil},
		"other session": {sigv4.Credentials{AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: "x"}, exampleTime, sigv4.ErrInvalidToken},
		"no session":    {noToken, exampleTime, sigv4.ErrInvalidToken},
	} {
		for _, r := range []*http.Request{byHeader, newRequest(t, "GET", signed, "")} {
			_, err := verifierFor(tt.c, tt.at).Request(received(t, r))
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := verifierFor(session, session.Expires).Request(received(t, newRequest(t, "GET", signed, ""))); !errors.Is(err, sigv4.ErrExpiredToken) {
		t.Errorf("a URL that outlives its session: %v", err)
	}
}

func TestThreat30_StreamingIsSaidLiterally(t *testing.T) {
	for _, mode := range []string{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"} {
		r := newRequest(t, "PUT", "http://127.0.0.1/b/a", "abc")
		if err := sigv4.NewSigner("us-east-1").SignHeader(example, exampleTime, r, mode); err != nil {
			t.Fatal(err)
		}
		id, err := verifierFor(example, exampleTime).Request(received(t, r))
		if err != nil || id.PayloadHash != mode {
			t.Errorf("%+v, %v", id, err)
		}
	}
}
