package s3d

import (
	"strings"
	"testing"
)

// [D] s3:ExistingObjectTag/<key>: what may be read depends on the tags that the
// object has now, in the bucket's policy and in a user's.
func TestExistingTagConditions(t *testing.T) {
	const public = `"Condition":{"StringEquals":{"s3:ExistingObjectTag/class":"public"}}`
	tagActions := "s3:GetObjectTagging s3:PutObjectTagging s3:DeleteObjectTagging"
	f := startWith(t, identity("reader", say("Allow", "s3:GetObject "+tagActions, "photos/*", public), say("Allow", "s3:PutObject", "photos/to/*")))
	f.put("a", "hello")
	reader := userKey("reader")
	doc := tagDocument("x", "y")
	read := func(key string, status int) {
		t.Helper()
		for _, method := range []string{"GET", "HEAD"} {
			if r := f.by(&reader, method, "/photos/"+key, nil, nil); r.status != status {
				t.Errorf("%s %s: %d %s", method, key, r.status, r.body)
			}
		}
		r := f.by(&reader, "PUT", "/photos/to/"+key, nil, map[string]string{"x-amz-copy-source": "photos/" + key, "x-amz-tagging-directive": "REPLACE"})
		if r.status != status {
			t.Errorf("copy %s: %d %s", key, r.status, r.body)
		}
		if r := f.by(&reader, "GET", "/photos/"+key+"?tagging", nil, nil); r.status != status {
			t.Errorf("tags of %s: %d %s", key, r.status, r.body)
		}
	}
	read("a", 403)
	f.expect(f.by(&reader, "PUT", "/photos/a?tagging", []byte(doc), md5Header(doc)), 403, "AccessDenied")
	f.expect(f.by(&reader, "DELETE", "/photos/a?tagging", nil, nil), 403, "AccessDenied")
	f.expect(f.putTags("a", tagDocument("class", "public")), 200, "")
	read("a", 200)
	f.expect(f.putTags("a", tagDocument("class", "secret")), 200, "")
	read("a", 403)
	read("missing", 403) // which has no tags, and nobody is told
	// Whoever may change the tags of what is public may make it his last time.
	f.expect(f.putTags("a", tagDocument("class", "public")), 200, "")
	f.expect(f.by(&reader, "PUT", "/photos/a?tagging", []byte(doc), md5Header(doc)), 200, "")
	f.expect(f.by(&reader, "DELETE", "/photos/a?tagging", nil, nil), 403, "AccessDenied")
	f.expectTags("a", "x", "y")

	// The same by the bucket's policy, for everybody.
	f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
	policy := publicPolicy("s3:GetObject", "photos/*")
	f.expect(f.set("policy", strings.TrimSuffix(policy, "}]}")+","+public+"}]}"), 204, "")
	f.expect(f.by(nil, "GET", "/photos/a", nil, nil), 403, "AccessDenied")
	f.expect(f.putTags("a", tagDocument("class", "public")), 200, "")
	f.expect(f.by(nil, "GET", "/photos/a", nil, nil), 200, "")
}

// [D] s3:RequestObjectTag/<key> and s3:RequestObjectTagKeys: what a write may
// bring; and with tags it needs s3:PutObjectTagging, too.
func TestRequestTagConditions(t *testing.T) {
	f := startWith(
		t,
		identity("plain", say("Allow", "s3:PutObject", "photos/*")),
		identity("tagger", say("Allow", "s3:PutObject s3:PutObjectTagging", "photos/*", `"Condition":{"StringEquals":{"s3:RequestObjectTag/class":"raw"}}`)),
		identity("keys", say("Allow", "s3:PutObject s3:PutObjectTagging", "photos/*", `"Condition":{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["class","other"]}}`)),
	)
	for _, c := range []struct {
		user, tags string
		status     int
	}{
		{"plain", "", 200},
		{"plain", "class=raw", 403},
		{"tagger", "", 403},
		{"tagger", "class=raw", 200},
		{"tagger", "class=fine", 403},
		{"keys", "", 200},
		{"keys", "class=1&other=2", 200},
		{"keys", "class=1&owner=2", 403},
	} {
		key := userKey(c.user)
		var pairs []string
		for pair := range strings.SplitSeq(c.tags, "&") {
			if k, v, ok := strings.Cut(pair, "="); ok {
				pairs = append(pairs, k, v)
			}
		}
		doc := tagDocument(pairs...)
		h := make(map[string]string)
		if c.tags != "" {
			h["x-amz-tagging"] = c.tags
		}
		if r := f.by(&key, "PUT", "/photos/a", []byte("x"), h); r.status != c.status {
			t.Errorf("%+v: PUT: %d %s", c, r.status, r.body)
		}
		s := formSpec{key: &key, fields: fieldsFor("a")}
		if c.tags != "" {
			s.fields = append(s.fields, field("tagging", doc))
		}
		if r := f.post(s); r.status/100 != c.status/100 {
			t.Errorf("%+v: POST: %d %s", c, r.status, r.body)
		}
	}
	// Bad tags of somebody who may not write say nothing but that.
	nobody := userKey("tagger")
	f.expect(f.by(&nobody, "PUT", "/photos/a", []byte("x"), map[string]string{"x-amz-tagging": "a=*"}), 403, "AccessDenied")
}

// A copy needs to read its source and to write its target, tags included; a
// source that is not there is told to those alone who may list.
func TestCopyPermissions(t *testing.T) {
	const get, put = "s3:GetObject", "s3:PutObject"
	f := startWith(
		t,
		identity("both", say("Allow", get, "photos/from/*"), say("Allow", put, "photos/to/*")),
		identity("reads", say("Allow", get, "*")),
		identity("writes", say("Allow", put, "*")),
		identity("lists", say("Allow", get+" s3:ListBucket "+put, "*")),
		identity("tags", say("Allow", get+" s3:GetObjectTagging", "photos/from/*"), say("Allow", put+" s3:PutObjectTagging", "photos/to/*")),
		identity("takestags", say("Allow", get+" s3:GetObjectTagging", "photos/from/*"), say("Allow", put, "photos/to/*")),
		identity("conditional", say("Allow", put, "photos/to/*"), say("Allow", get, "photos/from/*")),
	)
	f.expect(f.do("PUT", "/photos/from/plain", []byte("x"), nil), 200, "")
	f.expect(f.do("PUT", "/photos/from/tagged", []byte("x"), map[string]string{"x-amz-tagging": "k=v"}), 200, "")
	f.expect(f.do("PUT", "/second", nil, nil), 200, "")
	f.expect(f.do("PUT", "/second/a", []byte("x"), nil), 200, "")
	for _, c := range []struct {
		user, from, to string
		status         int
		header         map[string]string
	}{
		{"both", "photos/from/plain", "to/x", 200, nil},
		{"both", "photos/from/plain", "from/x", 403, nil},
		{"both", "photos/to/x", "to/y", 403, nil},
		{"both", "second/a", "to/x", 403, nil},
		{"both", "photos/from/none", "to/x", 403, nil},
		{"both", "photos/from/tagged", "to/x", 403, nil},
		{"both", "photos/from/tagged", "to/x", 200, map[string]string{"x-amz-tagging-directive": "REPLACE"}},
		{"both", "photos/from/tagged", "to/x", 403, map[string]string{"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "a=b"}},
		{"reads", "photos/from/plain", "to/x", 403, nil},
		{"writes", "photos/from/plain", "to/x", 403, nil},
		{"lists", "photos/from/none", "to/x", 404, nil},
		{"lists", "second/a", "to/x", 200, nil},
		{"tags", "photos/from/tagged", "to/x", 200, nil},
		{"takestags", "photos/from/tagged", "to/x", 403, nil},
		{"conditional", "photos/from/plain", "to/x", 403, map[string]string{"If-Match": etagOf("x")}},
	} {
		key := userKey(c.user)
		h := map[string]string{"x-amz-copy-source": c.from}
		for k, v := range c.header {
			h[k] = v
		}
		if r := f.by(&key, "PUT", "/photos/"+c.to, nil, h); r.status != c.status {
			t.Errorf("%+v: %d %s", c, r.status, r.body)
		}
	}
	f.expect(f.by(nil, "PUT", "/photos/to/x", nil, map[string]string{"x-amz-copy-source": "photos/from/plain"}), 403, "AccessDenied")
	f.expect(f.by(nil, "PUT", "/photos/to/x", nil, map[string]string{"x-amz-copy-source": "nobucket/none"}), 403, "AccessDenied")
}

// DeleteObjects is judged key by key, and "conditional deletes with a specific
// ETag value require both s3:DeleteObject and s3:GetObject permissions".
func TestDeleteObjectsPermissions(t *testing.T) {
	f := startWith(
		t,
		identity("some", say("Allow", "s3:DeleteObject", "photos/u/*")),
		identity("checks", say("Allow", "s3:DeleteObject s3:GetObject", "photos/*")),
		identity("must", say("Allow", "s3:*", "*"), say("Deny", "s3:DeleteObject", "*", `"Condition":{"Null":{"s3:if-match":"true"}}`)),
	)
	fill := func() {
		for _, k := range []string{"u/a", "u/b", "v/a"} {
			f.put(k, "x")
		}
	}
	with := `<Delete><Object><Key>u/a</Key></Object><Object><Key>u/b</Key><ETag>` + etagOf("x") + `</ETag></Object><Object><Key>v/a</Key></Object></Delete>`
	for user, left := range map[string][]string{"some": {"u/b", "v/a"}, "checks": nil, "must": {"u/a", "v/a"}} {
		fill()
		key := userKey(user)
		r := f.by(&key, "POST", "/photos?delete", []byte(with), md5Header(with))
		f.expect(r, 200, "")
		if n := strings.Count(string(r.body), "<Code>AccessDenied</Code>"); n != len(left) {
			t.Errorf("%s: %d denied, want %d\n%s", user, n, len(left), r.body)
		}
		if got := f.list("").keys(); strings.Join(got, " ") != strings.Join(left, " ") {
			t.Errorf("%s: left %v, want %v", user, got, left)
		}
	}
	fill()
	key := userKey("some")
	f.expect(f.by(&key, "DELETE", "/photos/u/a", nil, map[string]string{"If-Match": etagOf("x")}), 403, "AccessDenied")
	f.expect(f.by(&key, "DELETE", "/photos/u/a", nil, map[string]string{"If-Match": "*"}), 204, "")
	f.expect(f.by(nil, "POST", "/photos?delete", []byte(with), md5Header(with)), 403, "AccessDenied")
	must := userKey("must")
	f.expect(f.by(&must, "DELETE", "/photos/u/b", nil, nil), 403, "AccessDenied")
	f.expect(f.by(&must, "DELETE", "/photos/u/b", nil, map[string]string{"If-Match": etagOf("x")}), 204, "")
}
