package s3d

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"postern.example/postern/sigv4"
)

func (f *fixture) putCORS(doc string) reply {
	f.t.Helper()
	sum := md5.Sum([]byte(doc))
	return f.do("PUT", "/photos?cors", []byte(doc), map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(sum[:])})
}

const corsDoc = `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
 <CORSRule><ID>one</ID><AllowedOrigin>https://app.example</AllowedOrigin><AllowedOrigin>https://*.app.example</AllowedOrigin><AllowedMethod>POST</AllowedMethod><AllowedMethod>PUT</AllowedMethod>
  <AllowedHeader>content-type</AllowedHeader><AllowedHeader>x-amz-meta-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><ExposeHeader>Location</ExposeHeader><MaxAgeSeconds>600</MaxAgeSeconds></CORSRule>
 <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
</CORSConfiguration>`

func (f *fixture) preflight(origin, method, headers string) reply {
	f.t.Helper()
	h := map[string]string{"Origin": origin, "Access-Control-Request-Method": method}
	if headers != "" {
		h["Access-Control-Request-Headers"] = headers
	}
	return f.raw(f.request("OPTIONS", "/photos", nil, h))
}

// [D] PutBucketCors, GetBucketCors, DeleteBucketCors; the rules survive a restart.
func TestCORSSettings(t *testing.T) {
	f := start(t)
	f.expect(f.do("GET", "/photos?cors", nil, nil), 404, "NoSuchCORSConfiguration")
	f.expect(f.putCORS(corsDoc), 200, "")
	if r := f.do("GET", "/photos?cors", nil, nil); r.status != 200 || string(r.body) != corsDoc {
		t.Errorf("%d %s", r.status, r.body)
	}
	b := f.server.newBucket(testBucket)
	if err := b.open(); err != nil || len(b.cors.value()) != 2 {
		t.Errorf("reopened: %v %+v", err, b.cors.value())
	}
	f.expect(f.do("DELETE", "/photos?cors", nil, nil), 204, "")
	f.expect(f.do("GET", "/photos?cors", nil, nil), 404, "NoSuchCORSConfiguration")
	f.expect(f.preflight("https://app.example", "POST", ""), 403, "AccessForbidden")
}

func TestCORSDocumentIsChecked(t *testing.T) {
	f := start(t)
	rule := func(s string) string {
		return "<CORSConfiguration><CORSRule>" + s + "</CORSRule></CORSConfiguration>"
	}
	const o, m = "<AllowedOrigin>https://a.example</AllowedOrigin>", "<AllowedMethod>GET</AllowedMethod>"
	for doc, code := range map[string]string{
		"":                         "MalformedXML",
		"<CORSConfiguration>":      "MalformedXML",
		"<CORSConfiguration/>":     "MalformedXML",
		"<Other/>":                 "MalformedXML",
		rule(o):                    "MalformedXML",
		rule(m):                    "MalformedXML",
		rule(o+m) + "x":            "MalformedXML",
		rule(o+m) + rule(o+m):      "MalformedXML",
		rule(o + m + "<Unknown/>"): "MalformedXML",
		rule(o + m + "<MaxAgeSeconds>-1</MaxAgeSeconds>"):                                                    "MalformedXML",
		rule(o + m + "<MaxAgeSeconds>x</MaxAgeSeconds>"):                                                     "MalformedXML",
		rule("<AllowedOrigin>a\nb</AllowedOrigin>" + m):                                                      "MalformedXML",
		rule(o + "<AllowedMethod>PATCH</AllowedMethod>"):                                                     "InvalidRequest",
		rule(o + "<AllowedMethod>get</AllowedMethod>"):                                                       "InvalidRequest",
		rule("<AllowedOrigin>*a*</AllowedOrigin>" + m):                                                       "InvalidRequest",
		rule(o + m + "<AllowedHeader>**</AllowedHeader>"):                                                    "InvalidRequest",
		rule(o + m + "<ExposeHeader>*</ExposeHeader>"):                                                       "InvalidRequest",
		"<CORSConfiguration>" + strings.Repeat("<CORSRule>"+o+m+"</CORSRule>", 101) + "</CORSConfiguration>": "MalformedXML",
		strings.Repeat("<a>", 30_000):                                                                        "MaxMessageLengthExceeded",
		strings.Repeat("<a>", 20_000):                                                                        "MalformedXML",
	} {
		if r := f.putCORS(doc); r.status != 400 || r.code() != code {
			t.Errorf("%.80s: %d %s, want %s", doc, r.status, r.body, code)
		}
	}
	// [D] "Content-MD5 … This header is required", or a checksum.
	f.expect(f.do("PUT", "/photos?cors", []byte(corsDoc), nil), 400, "InvalidRequest")
	f.expect(f.do("PUT", "/photos?cors", []byte(corsDoc), map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(make([]byte, 16))}), 400, "BadDigest")
	f.expect(f.do("GET", "/photos?cors", nil, nil), 404, "NoSuchCORSConfiguration")
}

// Threat 18: exact origins or one wildcard, preflight 403 for all others.
func TestThreat18_CORSMisuse(t *testing.T) {
	f := start(t)
	f.expect(f.preflight("https://app.example", "POST", ""), 403, "AccessForbidden") // no rules
	f.expect(f.putCORS(corsDoc), 200, "")
	for _, c := range []struct {
		origin, method, headers string
		status                  int
	}{
		{"https://app.example", "POST", "", 200},
		{"https://app.example", "PUT", "Content-Type, X-Amz-Meta-A", 200},
		{"https://x.app.example", "POST", "content-type", 200},
		{"https://app.example", "POST", "authorization", 403},
		{"https://app.example", "POST", "content-type,x-other", 403},
		{"https://app.example", "DELETE", "", 403},
		{"https://evil.example", "POST", "", 403},
		{"null", "POST", "", 403},
		{"https://app.example.evil.example", "POST", "", 403},
		{"https://evilapp.example", "POST", "", 403},
		{"https://app.example:8443", "POST", "", 403},
		{"http://app.example", "POST", "", 403},
		{"https://APP.example", "POST", "", 403},
		{"https://.app.example.evil", "POST", "", 403},
		{"https://evil.example", "GET", "", 200},
		{"https://evil.example", "GET", "content-type", 403},
		{"https://app.example", "PATCH", "", 400},
		{"https://app.example", "", "", 400},
		{"", "POST", "", 400},
	} {
		r := f.preflight(c.origin, c.method, c.headers)
		if r.status != c.status {
			t.Errorf("%+v: %d %s", c, r.status, r.body)
		}
		allow := r.header.Get("Access-Control-Allow-Origin")
		switch {
		case c.status != 200 && allow != "":
			t.Errorf("%+v: allowed %s", c, allow)
		case c.method == "GET" && c.status == 200 && (allow != "*" || r.header.Get("Access-Control-Allow-Credentials") != ""):
			t.Errorf("%+v: %v", c, r.header)
		case c.method != "GET" && c.status == 200 && allow != c.origin:
			t.Errorf("%+v: allowed %s", c, allow)
		}
	}
	h := f.preflight("https://app.example", "POST", "Content-Type").header
	for name, want := range map[string]string{
		"Access-Control-Allow-Methods": "POST, PUT", "Access-Control-Allow-Headers": "content-type", "Access-Control-Max-Age": "600",
		"Access-Control-Expose-Headers": "ETag, Location", "Access-Control-Allow-Credentials": "true",
		"Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
	} {
		if h.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, h.Get(name), want)
		}
	}
	if r := f.raw(f.request("OPTIONS", "/nobucket", nil, map[string]string{"Origin": "https://app.example", "Access-Control-Request-Method": "POST"})); r.status != 403 {
		t.Errorf("unknown bucket: %d", r.status)
	}
}

// A page can read every answer it is meant to, errors too, and no other page can.
func TestCORSOnAnswersOfEveryStatus(t *testing.T) {
	f := start(t)
	f.expect(f.putCORS(corsDoc), 200, "")
	origin := func(o string) func(*http.Request) { return func(r *http.Request) { r.Header.Set("Origin", o) } }
	big := strings.Repeat("x", 3<<20)
	for _, s := range []formSpec{
		{},
		{file: &big},
		{key: &sigv4.Credentials{AccessKeyID: testKey.AccessKeyID, SecretAccessKey: "x"}},
		{drop: []string{"key"}},
		{noFile: true},
		{fields: []sigv4.Field{field("key", "a"), field("tagging", "x")}},
	} {
		good := s
		good.request = origin("https://app.example")
		if h := f.post(good).header; h.Get("Access-Control-Allow-Origin") != "https://app.example" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "ETag") || !strings.HasPrefix(h.Get("Vary"), "Origin") {
			t.Errorf("%v", h)
		}
		for _, o := range []string{"https://evil.example", "null"} {
			evil := s
			evil.request = origin(o)
			if h := f.post(evil).header; h.Get("Access-Control-Allow-Origin") != "" || !strings.HasPrefix(h.Get("Vary"), "Origin") {
				t.Errorf("%s: %v", o, h)
			}
		}
	}
	bad := formSpec{request: func(r *http.Request) { origin("https://app.example")(r); r.Header.Set("Content-Type", "text/plain") }}
	if r := f.post(bad); r.status != 412 || r.header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("%d %v", r.status, r.header)
	}
}

func TestMatchesWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"*", "null", true}, {"a*a", "a", false}, {"a*a", "aa", true}, {"https://*.b", "https://.b", true}, {"https://*.b", "https://a.b.c", false}, {"a", "A", false}, {"", "a", false},
	} {
		if got := matchesWildcard(c.pattern, c.s); got != c.want {
			t.Errorf("%q %q: %v", c.pattern, c.s, got)
		}
	}
}
