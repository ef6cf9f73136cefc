package s3d

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

type listReply struct {
	Name, Prefix, StartAfter, ContinuationToken, NextContinuationToken, EncodingType, Delimiter, Marker, NextMarker string

	KeyCount, MaxKeys int
	IsTruncated       bool
	Contents          []struct {
		Key, ETag, LastModified, StorageClass, ChecksumAlgorithm, ChecksumType string

		Size  int64
		Owner struct{ ID string }
	}
	CommonPrefixes []struct{ Prefix string }
}

func (l listReply) keys() []string {
	var all []string
	for _, c := range l.Contents {
		all = append(all, c.Key)
	}
	for _, p := range l.CommonPrefixes {
		all = append(all, p.Prefix)
	}
	slices.Sort(all)
	return all
}

func (f *fixture) list(query string) listReply {
	f.t.Helper()
	r := f.do("GET", "/photos?list-type=2&"+query, nil, nil)
	f.expect(r, 200, "")
	var l listReply
	if err := xml.Unmarshal(r.body, &l); err != nil {
		f.t.Fatalf("%v\n%s", err, r.body)
	}
	return l
}

// [D] ListObjectsV2 returns keys in the order of their UTF-8 bytes.
func TestListOrderAndPages(t *testing.T) {
	f := start(t)
	keys := []string{"A", "a", "a/1", "a/2", "a/b/1", "b", "ä", "日", "😀"}
	for i := len(keys) - 1; i >= 0; i-- {
		f.put(keys[i], strings.Repeat("x", i))
	}
	l := f.list("")
	if !slices.Equal(l.keys(), keys) || l.KeyCount != len(keys) || l.IsTruncated || l.MaxKeys != 1000 || l.Name != testBucket {
		t.Errorf("listing is %+v", l)
	}
	for i, c := range l.Contents {
		if c.Size != int64(i) || c.StorageClass != "STANDARD" || len(c.ETag) != 34 || !strings.HasSuffix(c.LastModified, "Z") {
			t.Errorf("entry is %+v", c)
		}
	}
	for _, query := range []string{"", "delimiter=%2F&", "prefix=a&", "prefix=a%2F&delimiter=%2F&"} {
		whole := f.list(query).keys()
		for n := 1; n <= 4; n++ {
			var got []string
			for token := ""; ; {
				q := fmt.Sprintf("%smax-keys=%d", query, n)
				if token != "" {
					q += "&continuation-token=" + url.QueryEscape(token)
				}
				l := f.list(q)
				got = append(got, l.keys()...)
				if len(l.keys()) > n || l.KeyCount != len(l.keys()) || l.IsTruncated != (l.NextContinuationToken != "") {
					t.Fatalf("%s: page is %+v", q, l)
				}
				if token = l.NextContinuationToken; token == "" {
					break
				}
			}
			if !slices.Equal(got, whole) {
				t.Errorf("%q by %d: %v, want %v", query, n, got, whole)
			}
		}
	}
}

func TestListParameters(t *testing.T) {
	f := start(t)
	for _, k := range []string{"a", "a/1", "a/2", "b/1", "c d&e", "é"} {
		f.put(k, "x")
	}
	for query, want := range map[string][]string{
		"prefix=a":                         {"a", "a/1", "a/2"},
		"prefix=a%2F":                      {"a/1", "a/2"},
		"prefix=zz":                        nil,
		"start-after=a%2F1":                {"a/2", "b/1", "c d&e", "é"},
		"start-after=a%2F1&delimiter=%2F":  {"a/", "b/", "c d&e", "é"},
		"delimiter=%2F":                    {"a", "a/", "b/", "c d&e", "é"},
		"delimiter=":                       {"a", "a/1", "a/2", "b/1", "c d&e", "é"},
		"delimiter=%2F1":                   {"a", "a/1", "a/2", "b/1", "c d&e", "é"},
		"prefix=a%2F&delimiter=%2F":        {"a/1", "a/2"},
		"encoding-type=url&start-after=b0": {"c%20d%26e", "%C3%A9"},
		"max-keys=0":                       nil,
		"prefix=b&start-after=a":           {"b/1"},
		"prefix=a&start-after=z":           nil,
	} {
		l := f.list(query)
		got := l.keys()
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	if l := f.list("max-keys=5000"); l.MaxKeys != 1000 {
		t.Errorf("max-keys 5000 is %d", l.MaxKeys)
	}
	for _, bad := range []string{"max-keys=-1", "max-keys=x", "max-keys=99999999999", "encoding-type=x", "continuation-token=", "continuation-token=!", "continuation-token=eHg", "prefix=a&prefix=b"} {
		f.expect(f.do("GET", "/photos?list-type=2&"+bad, nil, nil), 400, "InvalidArgument")
	}
	f.expect(f.do("GET", "/photos?list-type=2&fetch-owner=perhaps", nil, nil), 400, "InvalidArgument")
	f.expect(f.do("GET", "/photos?list-type=3", nil, nil), 400, "InvalidArgument")
	f.expect(f.do("GET", "/photos?list-type=2&marker=a", nil, nil), 501, "NotImplemented")
	f.expect(f.do("GET", "/nobucket?list-type=2", nil, nil), 404, "NoSuchBucket")
}

// The index is in step with writes and deletes made after it was built, and a
// new server builds the same one from the folders.
func TestListFollowsWrites(t *testing.T) {
	f := start(t)
	f.put("a", "1")
	f.list("")
	f.put("b", "22")
	f.put("a", "333")
	f.expect(f.do("DELETE", "/photos/b", nil, nil), 204, "")
	f.put("c", "4444")
	l := f.list("")
	if !slices.Equal(l.keys(), []string{"a", "c"}) || l.Contents[0].Size != 3 || l.Contents[1].Size != 4 {
		t.Errorf("listing is %+v", l)
	}
	fresh := newIndex(f.server.buckets[testBucket].index.objects)
	p, err := fresh.list(span{limit: 10})
	if err != nil || len(p.items) != 2 || p.items[0].entry.size != 3 {
		t.Errorf("%+v %v", p, err)
	}
}

// Files that are no whole objects are not listed and not served, and a page
// stays full without them.
func TestDamagedFilesAreNotListed(t *testing.T) {
	f := start(t)
	for i := range 10 {
		f.put(fmt.Sprintf("k%d", i), "hello world")
	}
	b := f.server.buckets[testBucket]
	for i, damage := range []func(path string){
		func(path string) { must(t, os.Truncate(path, 0)) },
		func(path string) {
			fi, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, fi.Size()-1))
		},
		func(path string) { must(t, os.Truncate(path, 11)) },
		func(path string) { must(t, os.WriteFile(path, []byte(strings.Repeat("x", 100)), 0o600)) },
		func(path string) { // a byte of the trailer
			d, err := os.ReadFile(path)
			must(t, err)
			d[15] ^= 1
			must(t, os.WriteFile(path, d, 0o600))
		},
		func(path string) { // a byte less of the body
			d, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, d[1:], 0o600))
		},
	} {
		_, path := b.path(fmt.Sprintf("k%d", i))
		damage(path)
	}
	// Somebody else's file, and one under another key's name.
	_, path := b.path("k9")
	_, other := b.path("other")
	must(t, os.MkdirAll(strings.TrimSuffix(other, "/k-other"), 0o700))
	d, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(other, d, 0o600))
	must(t, os.WriteFile(strings.TrimSuffix(other, "k-other")+"README", d, 0o600))

	if got := f.list("").keys(); !slices.Equal(got, []string{"k6", "k7", "k8", "k9"}) {
		t.Errorf("listed %v", got)
	}
	if l := f.list("max-keys=2"); !slices.Equal(l.keys(), []string{"k6", "k7"}) || !l.IsTruncated {
		t.Errorf("page is %+v", l)
	}
	for _, key := range []string{"k0", "k1", "k2", "k3", "k4", "k5", "other"} {
		f.absent(key)
	}
	f.put("k0", "again")
	if g := f.get("k0"); string(g.body) != "again" {
		t.Errorf("%s", g.body)
	}
}
