package s3d

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// [D] response-*: headers of the answer, set by the query of a signed request.
func TestResponseOverrides(t *testing.T) {
	f := start(t)
	f.expect(f.do("PUT", "/photos/a", []byte("<script>"), map[string]string{"Content-Type": "image/png", "Cache-Control": "no-store"}), 200, "")
	query := url.Values{
		"response-content-type": {"text/html"}, "response-content-disposition": {`attachment; filename="a b.html"`}, "response-cache-control": {"max-age=5"},
		"response-content-encoding": {"identity"}, "response-content-language": {"de"}, "response-expires": {"Thu, 01 Dec 1994 16:00:00 GMT"},
	}
	target := "/photos/a?" + query.Encode()
	for name, r := range map[string]reply{
		"header":    f.do("GET", target, nil, nil),
		"HEAD":      f.do("HEAD", target, nil, nil),
		"range":     f.do("GET", target, nil, map[string]string{"Range": "bytes=0-1"}),
		"presigned": f.raw(f.request("GET", strings.TrimPrefix(f.presign("GET", target, nil), f.url), nil, nil)),
	} {
		if r.status/100 != 2 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		for k, v := range query {
			if got := r.header.Values(k[len("response-"):]); len(got) != 1 || got[0] != v[0] {
				t.Errorf("%s: %s is %q, want %q", name, k, got, v)
			}
		}
		// Threat 8: whatever type is asked for, a browser does not run it.
		if r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
			t.Errorf("%s: %v", name, r.header)
		}
	}
	if h := f.do("GET", "/photos/a?response-cache-control=", nil, nil).header; h.Get("Cache-Control") != "no-store" {
		t.Errorf("an empty one: %v", h)
	}
	// Errors, and answers without a body, are not overridden.
	if r := f.do("GET", "/photos/none?response-content-type=text/html", nil, nil); r.status != 404 || r.header.Get("Content-Type") != "application/xml" {
		t.Errorf("%d %v", r.status, r.header)
	}
	// A change of the query breaks the signature.
	signed := strings.TrimPrefix(f.presign("GET", "/photos/a?response-content-type=image/gif", nil), f.url)
	f.expect(f.raw(f.request("GET", strings.Replace(signed, "gif", "bmp", 1), nil, nil)), 403, "SignatureDoesNotMatch")
	f.expect(f.do("GET", "/photos/a?response-server=x", nil, nil), 501, "NotImplemented")
	f.expect(f.do("PUT", "/photos/a?response-content-type=x", []byte("x"), nil), 501, "NotImplemented")

	f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
	f.expect(f.set("policy", publicPolicy("s3:GetObject", "photos/*")), 204, "")
	f.expect(f.raw(f.request("GET", "/photos/a", nil, nil)), 200, "")
	r := f.raw(f.request("GET", "/photos/a?response-content-type=text/html", nil, nil))
	f.expect(r, 400, "InvalidRequest")
	if got := r.element("Message"); got != "Request specific response headers cannot be used for anonymous GET requests." {
		t.Errorf("message is %q", got)
	}
}

// Threat 36: no override smuggles a header in.
func TestThreat36_OverrideInjection(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	for _, v := range []string{"a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\x00", "\x1b[31m", "a\x7f", "ü", "\u2028", "a\xff"} {
		for _, name := range overrideQuery() {
			r := f.do("GET", "/photos/a?"+name+"="+url.QueryEscape(v), nil, nil)
			if r.status != 400 || r.code() != "InvalidArgument" || r.header.Get("X-Evil") != "" {
				t.Errorf("%s=%q: %d %v", name, v, r.status, r.header)
			}
		}
	}
}

// HEAD tells errors by their status alone.
func TestHeadErrorsHaveNoBody(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	for target, status := range map[string]int{"/photos/none": 404, "/nobucket/a": 404, "/photos/a?versionId=1": 501, "/photos/a?response-expires=%0a": 400} {
		if r := f.do("HEAD", target, nil, nil); r.status != status || len(r.body) > 0 {
			t.Errorf("%s: %d %q", target, r.status, r.body)
		}
	}
	if r := f.do("HEAD", "/photos/a", nil, map[string]string{"If-Match": `"0"`}); r.status != 412 || len(r.body) > 0 {
		t.Errorf("%d %q", r.status, r.body)
	}
}

// [D] Bucket owner condition: 403 when the bucket is another account's, 400 for
// what is no account's id.
func TestExpectedBucketOwner(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	doc := deleteDocument("none")
	for _, c := range [][2]string{
		{"GET", "/photos/a"},
		{"HEAD", "/photos/a"},
		{"PUT", "/photos/b"},
		{"DELETE", "/photos/b"},
		{"GET", "/photos/a?tagging"},
		{"GET", "/photos"},
		{"GET", "/photos?list-type=2"},
		{"POST", "/photos?delete"},
		{"HEAD", "/photos"},
	} {
		for owner, status := range map[string]int{Account: 0, "123456789012": 403, "x": 400, Account + "0": 400} {
			h := md5Header(doc)
			h["x-amz-expected-bucket-owner"] = owner
			r := f.do(c[0], c[1], []byte(doc), h)
			if status == 0 && r.status/100 != 2 || status != 0 && r.status != status {
				t.Errorf("%v as %s: %d %s", c, owner, r.status, r.body)
			}
			if want := map[int]string{403: "AccessDenied", 400: "InvalidBucketOwnerAWSAccountID"}[status]; c[0] != "HEAD" && r.code() != want {
				t.Errorf("%v as %s: %s", c, owner, r.body)
			}
		}
	}
}

// Headers of encryption, class and payment: done, refused, or rightly ignored.
func TestObjectHeaders(t *testing.T) {
	f := start(t)
	put := func(name, value string) reply {
		return f.do("PUT", "/photos/a", []byte("x"), map[string]string{name: value})
	}
	for _, class := range []string{"STANDARD_IA", "GLACIER", "standard", "x"} {
		r := put("x-amz-storage-class", class)
		f.expect(r, 400, "InvalidStorageClass")
		if r.element("Message") != "The storage class you specified is not valid" {
			t.Errorf("%s", r.body)
		}
		f.refused(formSpec{fields: append(fieldsFor("up/a"), field("x-amz-storage-class", class))}, 400, "InvalidStorageClass", "")
	}
	f.expect(put("x-amz-server-side-encryption-customer-algorithm", "AES256"), 403, "AccessDenied")
	f.refused(formSpec{fields: append(fieldsFor("up/a"), field("x-amz-server-side-encryption-customer-key", "x"))}, 403, "AccessDenied", "")
	f.absent("a")
	f.expect(put("x-amz-storage-class", "STANDARD"), 200, "")
	f.expect(put("x-amz-request-payer", "requester"), 200, "")
	f.expect(f.post(formSpec{fields: append(fieldsFor("up/a"), field("x-amz-storage-class", "STANDARD"))}), 204, "")
	r := f.do("GET", "/photos/a", nil, map[string]string{"x-amz-server-side-encryption-customer-algorithm": "AES256", "x-amz-request-payer": "requester"})
	f.expect(r, 400, "InvalidRequest")
	if r.element("Message") != "The encryption parameters are not applicable to this object." {
		t.Errorf("%s", r.body)
	}
	g := f.get("a")
	for name := range g.header {
		if strings.Contains(strings.ToLower(name), "encryption") || strings.Contains(strings.ToLower(name), "storage-class") {
			t.Errorf("claims %s", name)
		}
	}
}

// [D] Conditional writes with If-Match: of many that start from one state one
// wins, and what it wrote stays.
func TestIfMatchRaceHasOneWinner(t *testing.T) {
	f := start(t)
	for round := range 5 {
		key := fmt.Sprint("m", round)
		f.put(key, "start")
		results := make(chan string, 8)
		for i := range 8 {
			go func() {
				body := fmt.Sprint("writer ", i)
				r := f.do("PUT", "/photos/"+key, []byte(body), map[string]string{"If-Match": etagOf("start")})
				if r.status == 412 {
					body = ""
				} else if r.status != 200 {
					body = fmt.Sprintf("%d %s", r.status, r.body)
				}
				results <- body
			}()
		}
		var winners []string
		for range 8 {
			if w := <-results; w != "" {
				winners = append(winners, w)
			}
		}
		if g := f.get(key); len(winners) != 1 || string(g.body) != winners[0] {
			t.Fatalf("%q won, %q is there", winners, g.body)
		}
	}
	f.expect(f.do("PUT", "/photos/none", []byte("x"), map[string]string{"If-Match": "*"}), 404, "NoSuchKey")
	f.expect(f.do("PUT", "/photos/m0", []byte("x"), map[string]string{"If-Match": "*", "If-None-Match": "*"}), 501, "NotImplemented")
}
