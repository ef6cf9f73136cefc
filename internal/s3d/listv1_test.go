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

func (f *fixture) listV1(query string) listReply {
	f.t.Helper()
	r := f.do("GET", "/photos?"+query, nil, nil)
	f.expect(r, 200, "")
	var l listReply
	must(f.t, xml.Unmarshal(r.body, &l))
	return l
}

// [D] ListObjects: a marker instead of a token, owners always, NextMarker only
// with a delimiter.
func TestListV1(t *testing.T) {
	f := start(t)
	keys := []string{"A", "a", "a/1", "a/2", "a/b/1", "b/1", "b/2", "c", "ä", "日"}
	for _, k := range keys {
		f.put(k, "x")
	}
	l := f.listV1("")
	if !slices.Equal(l.keys(), keys) || l.IsTruncated || l.MaxKeys != 1000 || l.Name != testBucket || l.NextMarker != "" || l.KeyCount != 0 {
		t.Errorf("listing is %+v", l)
	}
	for _, c := range l.Contents {
		if c.Owner.ID != ownerID || c.ChecksumAlgorithm != "CRC64NVME" || c.ChecksumType != "FULL_OBJECT" {
			t.Errorf("entry is %+v", c)
		}
	}
	for _, query := range []string{"", "delimiter=%2F&", "prefix=a&", "prefix=a%2F&delimiter=%2F&", "prefix=b&delimiter=%2F&"} {
		whole := f.listV1(query).keys()
		for n := 1; n <= 4; n++ {
			var got []string
			for marker := ""; ; {
				l := f.listV1(fmt.Sprintf("%smax-keys=%d&marker=%s", query, n, url.QueryEscape(marker)))
				if got = append(got, l.keys()...); len(got) > len(keys) {
					t.Fatalf("%s by %d: %v goes in circles", query, n, got)
				}
				if l.Marker != marker || len(l.keys()) > n || (l.NextMarker != "") != (l.IsTruncated && l.Delimiter != "") {
					t.Fatalf("%s: page is %+v", query, l)
				}
				if !l.IsTruncated {
					break
				}
				if marker = l.NextMarker; l.Delimiter == "" {
					marker = l.Contents[len(l.Contents)-1].Key
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, whole) {
				t.Errorf("%q by %d: %v, want %v", query, n, got, whole)
			}
		}
	}
	l = f.listV1("encoding-type=url&marker=%E4%BF%A1&max-keys=1&delimiter=%E6%97%A5")
	if l.Marker != "%E4%BF%A1" || l.Delimiter != "%E6%97%A5" || !slices.Equal(l.keys(), []string{"%E6%97%A5"}) {
		t.Errorf("listing is %+v", l)
	}
	for _, bad := range []string{"max-keys=-1", "max-keys=x", "encoding-type=x", "marker=%ff", "prefix=%ff"} {
		f.expect(f.do("GET", "/photos?"+bad, nil, nil), 400, "InvalidArgument")
	}
	for _, lacking := range []string{"start-after=a", "continuation-token=a", "fetch-owner=true"} {
		f.expect(f.do("GET", "/photos?"+lacking, nil, nil), 501, "NotImplemented")
	}
}

// [D] fetch-owner: "the owner field is not present in ListObjectsV2 by default".
func TestListOwner(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	for query, want := range map[string]string{"": "", "fetch-owner=false": "", "fetch-owner=true": ownerID} {
		if got := f.list(query).Contents[0].Owner.ID; got != want {
			t.Errorf("%q: owner is %q", query, got)
		}
	}
}

// What a listing tells of checksums is what the object has, also when it is
// read from the folders.
func TestListChecksums(t *testing.T) {
	f := start(t)
	f.place(&object{Key: "a", ETag: strings.Repeat("a", 32) + "-2", ChecksumType: composite, Checksums: map[string]string{"sha1": "AAAA-2"}}, "x")
	f.place(&object{Key: "b", ETag: strings.Repeat("a", 32)}, "x")
	f.put("c", "x")
	b := f.server.buckets[testBucket]
	for range 2 {
		var got []string
		for _, c := range f.list("").Contents {
			got = append(got, c.Key+" "+c.ChecksumAlgorithm+" "+c.ChecksumType)
		}
		if want := []string{"a SHA1 COMPOSITE", "b  ", "c CRC64NVME FULL_OBJECT"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		b.index = newIndex(b.index.objects)
	}
}

// A common prefix is listed for an object below it: files that are none do not
// count, however many there are.
func TestListPrefixOfDamagedFiles(t *testing.T) {
	f := start(t)
	for _, k := range []string{"a/1", "a/2", "a/3", "b/1", "b/2", "b/3", "c", "d/1"} {
		f.put(k, "hello")
	}
	b := f.server.buckets[testBucket]
	for _, k := range []string{"a/1", "a/2", "a/3", "b/1", "b/2"} {
		_, path := b.path(k)
		must(t, os.Truncate(path, 3))
	}
	for query, want := range map[string][]string{
		"delimiter=%2F":                   {"b/", "c", "d/"},
		"delimiter=%2F&max-keys=1":        {"b/"},
		"delimiter=%2F&start-after=b%2F1": {"b/", "c", "d/"},
		"delimiter=%2F&start-after=b%2F":  {"c", "d/"},
		"delimiter=%2F&start-after=b%2F3": {"c", "d/"},
		"prefix=a&delimiter=%2F":          nil,
		"prefix=a%2F":                     nil,
	} {
		b.index = newIndex(b.index.objects) // which has read nothing
		for range 2 {
			if got := f.list(query).keys(); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", query, got, want)
			}
		}
	}
}
