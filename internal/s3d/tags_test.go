package s3d

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"postern.example/postern/sigv4"
)

// tagDocument is a Tagging document. Pairs are keys and values.
func tagDocument(pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<Tagging xmlns="` + xmlNamespace + `"><TagSet>`)
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString("<Tag><Key>")
		xml.EscapeText(&b, []byte(pairs[i])) //nolint:errcheck // into memory
		b.WriteString("</Key><Value>")
		xml.EscapeText(&b, []byte(pairs[i+1])) //nolint:errcheck // into memory
		b.WriteString("</Value></Tag>")
	}
	return b.String() + "</TagSet></Tagging>"
}

func (f *fixture) putTags(key, doc string) reply {
	f.t.Helper()
	return f.do("PUT", "/photos/"+key+"?tagging", []byte(doc), md5Header(doc))
}

func (f *fixture) tags(key string) map[string]string {
	f.t.Helper()
	r := f.do("GET", "/photos/"+key+"?tagging", nil, nil)
	f.expect(r, 200, "")
	var doc struct {
		Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	must(f.t, xml.Unmarshal(r.body, &doc))
	all := make(map[string]string)
	for _, t := range doc.Tags {
		all[t.Key] = t.Value
	}
	return all
}

func (f *fixture) expectTags(key string, pairs ...string) {
	f.t.Helper()
	want := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	if got := f.tags(key); !maps.Equal(got, want) {
		f.t.Errorf("tags of %s are %v, want %v", key, got, want)
	}
}

// [D] Put, Get and DeleteObjectTagging replace, tell and remove all tags, and
// change neither ETag nor Last-Modified, bytes or metadata.
func TestObjectTagging(t *testing.T) {
	f := start(t)
	f.expect(f.do("PUT", "/photos/a", []byte("hello"), map[string]string{"Content-Type": "image/png", "x-amz-meta-m": "1", "Cache-Control": "no-store"}), 200, "")
	before := f.get("a")
	f.expectTags("a")
	if before.header.Get("x-amz-tagging-count") != "" {
		t.Error("a count of no tags")
	}
	f.advance(1e9 * 3600)
	f.expect(f.putTags("a", tagDocument("colour", "blue", "ä ö", "", "x:y/z=+-._@", "0")), 200, "")
	f.expectTags("a", "colour", "blue", "ä ö", "", "x:y/z=+-._@", "0")
	after := f.do("GET", "/photos/a", nil, map[string]string{"x-amz-checksum-mode": "ENABLED"})
	for _, name := range []string{"ETag", "Last-Modified", "Content-Type", "x-amz-meta-m", "Cache-Control"} {
		if before.header.Get(name) != after.header.Get(name) {
			t.Errorf("%s was %q, is %q", name, before.header.Get(name), after.header.Get(name))
		}
	}
	if string(after.body) != "hello" || after.header.Get("x-amz-tagging-count") != "3" || after.header.Get("x-amz-checksum-crc64nvme") == "" {
		t.Errorf("%s %v", after.body, after.header)
	}
	f.expect(f.putTags("a", tagDocument("one", "1")), 200, "")
	f.expectTags("a", "one", "1")
	f.expect(f.do("DELETE", "/photos/a?tagging", nil, nil), 204, "")
	f.expectTags("a")
	f.expect(f.do("DELETE", "/photos/a?tagging", nil, nil), 204, "")
	f.expect(f.putTags("a", tagDocument()), 200, "")
	if n := len(f.files()); n != 1 {
		t.Errorf("%d files", n)
	}
	// An overwrite has no tags but its own.
	f.expect(f.putTags("a", tagDocument("one", "1")), 200, "")
	f.put("a", "new")
	f.expectTags("a")
	for _, method := range []string{"GET", "DELETE"} {
		f.expect(f.do(method, "/photos/missing?tagging", nil, nil), 404, "NoSuchKey")
	}
	f.expect(f.putTags("missing", tagDocument("a", "b")), 404, "NoSuchKey")
	f.absent("missing")
}

// The rules of tags, by document and by header.
func TestTagRules(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	long := strings.Repeat
	var eleven []string
	for i := range 11 {
		eleven = append(eleven, fmt.Sprint("k", i), "v")
	}
	for name, c := range map[string]struct {
		pairs         []string
		code, message string
	}{
		"eleven":           {eleven, "BadRequest", "Object tags cannot be greater than 10"},
		"ten":              {eleven[:20], "", ""},
		"no key":           {[]string{"", "v"}, "InvalidTag", "The TagKey you have provided is invalid"},
		"longest":          {[]string{long("ü", 128), long("😀", 0) + long("v", 256)}, "", ""},
		"long key":         {[]string{long("k", 129), "v"}, "InvalidTag", "The TagKey you have provided is invalid"},
		"long value":       {[]string{"k", long("v", 257)}, "InvalidTag", "The TagValue you have provided is invalid"},
		"surrogates":       {[]string{long("𝔘", 64), "v"}, "", ""},
		"too many of them": {[]string{long("𝔘", 65), "v"}, "InvalidTag", "The TagKey you have provided is invalid"},
		"bad character":    {[]string{"k", "a*b"}, "InvalidTag", "The TagValue you have provided is invalid"},
		"control":          {[]string{"k", "a\tb"}, "InvalidTag", "The TagValue you have provided is invalid"},
		"bad in key":       {[]string{"a#b", ""}, "InvalidTag", "The TagKey you have provided is invalid"},
		"system":           {[]string{"aws:x", "v"}, "InvalidTag", "System tags cannot be added/updated by requester"},
		"case differs":     {[]string{"k", "1", "K", "2"}, "", ""},
	} {
		status := 400
		if c.code == "" {
			status = 200
		}
		r := f.putTags("a", tagDocument(c.pairs...))
		if r.status != status || r.code() != c.code || c.message != r.element("Message") {
			t.Errorf("document, %s: %d %s", name, r.status, r.body)
		}
		var query []string
		for i := 0; i < len(c.pairs); i += 2 {
			query = append(query, url.QueryEscape(c.pairs[i])+"="+url.QueryEscape(c.pairs[i+1]))
		}
		f.expect(f.do("DELETE", "/photos/b", nil, nil), 204, "")
		r = f.do("PUT", "/photos/b", []byte("x"), map[string]string{"x-amz-tagging": strings.Join(query, "&")})
		if r.status != status || r.code() != c.code || c.message != r.element("Message") {
			t.Errorf("header, %s: %d %s", name, r.status, r.body)
		}
		if c.code == "" {
			f.expectTags("a", c.pairs...)
			f.expectTags("b", c.pairs...)
		} else {
			f.absent("b")
		}
	}
	twice := f.putTags("a", tagDocument("k", "1", "k", "1"))
	f.expect(twice, 400, "InvalidTag")
	if got := twice.element("Message"); got != "Cannot provide multiple Tags with the same key" {
		t.Errorf("message is %q", got)
	}
	// [I] open-io/swift3 #92 has S3's answer to "a=&a=".
	for _, v := range []string{"a=&a=", "a=%zz", "%=b", "a=%ff"} {
		r := f.do("PUT", "/photos/b", []byte("x"), map[string]string{"x-amz-tagging": v})
		f.expect(r, 400, "InvalidArgument")
		if got := r.element("Message"); !strings.HasPrefix(got, "The header 'x-amz-tagging' shall be encoded as UTF-8") {
			t.Errorf("message is %q", got)
		}
	}
	for _, doc := range []string{
		"", "x", "<Tagging/>", "<Tagging><TagSet/><TagSet/></Tagging>", "<Tags><TagSet/></Tags>", "<Tagging><TagSet><X/></TagSet></Tagging>",
		"<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>", "<Tagging><TagSet><Tag><Value>k</Value></Tag></TagSet></Tagging>",
		"<Tagging><TagSet><Tag><Key>k</Key><Key>l</Key><Value/></Tag></TagSet></Tagging>", tagDocument("a", "b") + "x", tagDocument("a", "b")[1:],
		"<Tagging><TagSet><Tag><Key>k</Key><Value/><Extra/></Tag></TagSet></Tagging>",
	} {
		if r := f.putTags("a", doc); r.status != 400 || r.code() != "MalformedXML" {
			t.Errorf("%s: %d %s", doc, r.status, r.body)
		}
	}
	f.expect(f.do("PUT", "/photos/a?tagging", []byte(tagDocument()), nil), 400, "InvalidRequest")
	f.expect(f.do("PUT", "/photos/a?tagging", []byte(tagDocument()), md5Header("other")), 400, "BadDigest")
}

// [R] The tagging field of a form: what is not XML is refused, another root is
// no tags.
func TestPostTagging(t *testing.T) {
	f := start(t)
	with := func(doc string) formSpec {
		return formSpec{fields: []sigv4.Field{field("key", "up/a"), field("tagging", doc)}}
	}
	f.refused(with("not XML"), 400, "MalformedXML", "")
	f.refused(with("<Tagging><TagSet>"), 400, "MalformedXML", "")
	f.refused(with(""), 400, "MalformedXML", "")
	f.refused(with(tagDocument("a", "*")), 400, "InvalidTag", "The TagValue you have provided is invalid")
	f.refused(with(tagDocument("a", "1", "a", "2")), 400, "InvalidTag", "")
	f.expect(f.post(with("<Other><TagSet/></Other>")), 204, "")
	f.expectTags("up/a")
	f.expect(f.post(with(tagDocument("album", "42"))), 204, "")
	f.expectTags("up/a", "album", "42")
	if got := f.get("up/a").header.Get("x-amz-tagging-count"); got != "1" {
		t.Errorf("count is %q", got)
	}
	// It needs a condition like every field.
	s := with(tagDocument("a", "b"))
	s.conditions = eqAll(fieldsFor("up/a"))
	f.expect(f.post(s), 403, "AccessDenied")
}

// A change of tags never undoes a write that came meanwhile, nor loses its own
// object: after each round the tags and the bytes are of one piece.
func TestRetagNeverUndoesAWrite(t *testing.T) {
	f := start(t)
	b := f.server.buckets[testBucket]
	for round := range 20 {
		f.put("a", "old")
		var all sync.WaitGroup
		// The same bytes, so that the ETag does not tell the two apart.
		all.Go(func() {
			f.expect(f.do("PUT", "/photos/a", []byte("old"), map[string]string{"x-amz-meta-round": fmt.Sprint(round)}), 200, "")
		})
		all.Go(func() { f.expect(f.putTags("a", tagDocument("k", fmt.Sprint(round))), 200, "") })
		all.Wait()
		o, err := b.find("a")
		must(t, err)
		if o.Metadata["round"] != fmt.Sprint(round) {
			t.Fatalf("round %d: the write was undone: %+v", round, o)
		}
	}
	// Step by step: the object is replaced after it was read.
	f.put("a", "old")
	fd, o, err := b.openKey("a")
	must(t, err)
	defer fd.Close()
	read, err := fd.Stat()
	must(t, err)
	d, err := b.newDraft(digests{})
	must(t, err)
	must(t, d.copyFile(fd, o.Size))
	f.put("a", "old")
	again := *o
	again.Tags = map[string]string{"k": "v"}
	if err := b.commit(d, &again, precondition{file: read}); !errors.Is(err, errReplaced) {
		t.Errorf("error is %v", err)
	}
	f.expectTags("a")
	// And when it was deleted.
	f.expect(f.do("DELETE", "/photos/a", nil, nil), 204, "")
	if d, err = b.newDraft(digests{}); err != nil {
		t.Fatal(err)
	}
	must(t, d.copyFile(fd, o.Size))
	if err := b.commit(d, &again, precondition{file: read}); !errors.Is(err, errReplaced) {
		t.Errorf("error is %v", err)
	}
	f.absent("a")
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// Fuzz targets without seeds fuzz nothing in a plain test run.
func TestObjectFuzzTargetsHaveSeeds(t *testing.T) {
	for _, name := range []string{"FuzzTagQuery", "FuzzTagDocument", "FuzzCopySource", "FuzzDeletes"} {
		seeds, err := os.ReadDir(filepath.Join("testdata", "fuzz", name))
		if err != nil || len(seeds) == 0 {
			t.Errorf("%s has no seeds: %v", name, err)
		}
	}
}

// checkTags holds parsed tags against the rules.
func checkTags(t *testing.T, tags map[string]string, err error) {
	var e *sigv4.Error
	if err != nil && (!errors.As(err, &e) || e.Status != 400) {
		t.Errorf("error is %v", err)
	}
	if err != nil && tags != nil {
		t.Errorf("tags %v in spite of %v", tags, err)
	}
	if len(tags) > maxTags {
		t.Errorf("%d tags", len(tags))
	}
	for k, v := range tags {
		if !isTag(k, 1, maxTagKey) || !isTag(v, 0, maxTagValue) || !isText(k+v) {
			t.Errorf("tag %q is %q", k, v)
		}
	}
}

// FuzzTagQuery: what is taken holds the rules, and comes back when written.
func FuzzTagQuery(f *testing.F) {
	f.Fuzz(func(t *testing.T, v string) {
		tags, err := parseTagQuery(v)
		checkTags(t, tags, err)
		q := make(url.Values)
		for k, v := range tags {
			q.Set(k, v)
		}
		if again, err := parseTagQuery(q.Encode()); err != nil || !maps.Equal(again, tags) {
			t.Errorf("%v becomes %v (%v)", tags, again, err)
		}
	})
}

// FuzzTagDocument: the same for documents and the field of a form.
func FuzzTagDocument(f *testing.F) {
	f.Fuzz(func(t *testing.T, doc string) {
		field, err := parseTagField(doc)
		checkTags(t, field, err)
		tags, err := parseTags([]byte(doc))
		checkTags(t, tags, err)
		if err != nil {
			return
		}
		if !maps.Equal(tags, field) {
			t.Errorf("%v as a field is %v", tags, field)
		}
		var pairs []string
		for k, v := range tags {
			pairs = append(pairs, k, v)
		}
		if again, err := parseTags([]byte(tagDocument(pairs...))); err != nil || !maps.Equal(again, tags) {
			t.Errorf("%v becomes %v (%v)", tags, again, err)
		}
	})
}
