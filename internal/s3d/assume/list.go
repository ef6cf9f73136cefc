package assume

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// ls lists the keys below the prefix; more are names and values of parameters,
// where the value of a prefix is below the prefix, too.
func (b *Bucket) ls(version string, more ...string) Answer {
	q := url.Values{"prefix": {b.Prefix}}
	if version == "2" {
		q.Set("list-type", "2")
	}
	for i := 0; i+1 < len(more); i += 2 {
		switch v := more[i+1]; more[i] {
		case "prefix", "start-after", "marker", "key-marker":
			q.Set(more[i], b.Prefix+v)
		default:
			q.Set(more[i], v)
		}
	}
	return b.send("GET", "?"+strings.ReplaceAll(q.Encode(), "+", "%20"), "")
}

// keyed checks the keys, without the prefix.
func (b *Bucket) keyed(a Answer, want ...string) Answer {
	for i, k := range want {
		want[i] = b.Prefix + k
	}
	return a.is(200, "").elements("Contents/Key", want...)
}

func (b *Bucket) fill(names ...string) Answer {
	for _, k := range names {
		if a := b.put(k, k).is(200, ""); a.err != nil {
			return a
		}
	}
	return Answer{}
}

// lists is what we assume of ListObjectsV2 and ListObjects.
func lists() []Assumption {
	const v2, v1 = "API ListObjectsV2", "API ListObjects"
	return []Assumption{
		{"list", v2, "Returns some or all (up to 1,000) of the objects in a bucket with each request.", func(b *Bucket) error {
			return all(b.fill("b", "a"), b.keyed(b.ls("2"), "a", "b").element("Name", b.Name).element("Prefix", b.Prefix).element("KeyCount", "2").element("MaxKeys", "1000").element("IsTruncated", "false"))
		}},
		{"list-contents", v2, "Metadata about each object returned.", func(b *Bucket) error {
			a := b.fill("a")
			l := b.ls("2").element("Contents/ETag", etagOf("a")).element("Contents/Size", "1").element("Contents/StorageClass", "STANDARD")
			return all(a, l, that(regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(l.text("Contents/LastModified")), "LastModified is %q", l.text("Contents/LastModified")))
		}},
		{"list-namespace", "recorded", `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`, func(b *Bucket) error {
			r := b.ls("2").root()
			return all(same("root", r.Local, "ListBucketResult"), same("namespace", r.Space, "http://s3.amazonaws.com/doc/2006-03-01/"))
		}},
		{"list-order", v2, "For general purpose buckets, ListObjectsV2 returns objects in lexicographical order based on their key names.", func(b *Bucket) error {
			return all(b.fill("b", "B", "a-b", "a/b", "é", "z", "_", "0"), b.keyed(b.ls("2"), "0", "B", "_", "a-b", "a/b", "b", "z", "é"))
		}},
		{"list-order-is-of-bytes", "recorded", "keys come in the order of their UTF-8 bytes, not of UTF-16", func(b *Bucket) error {
			return all(b.fill("\U0001F408", "\uFF21"), b.keyed(b.ls("2"), "\uFF21", "\U0001F408"))
		}},
		{"list-prefix", v2, "Limits the response to keys that begin with the specified prefix.", func(b *Bucket) error {
			return all(b.fill("a", "ab", "b"), b.keyed(b.ls("2", "prefix", "a"), "a", "ab"))
		}},
		{"list-delimiter", v2, "A delimiter is a character that you use to group keys.", func(b *Bucket) error {
			return all(b.fill("a", "d/1", "d/2", "e/1/x"), b.keyed(b.ls("2", "delimiter", "/"), "a").elements("CommonPrefixes/Prefix", b.Prefix+"d/", b.Prefix+"e/").element("KeyCount", "3").element("Delimiter", "/"))
		}},
		{"list-delimiter-below-a-prefix", v2, "CommonPrefixes lists keys that act like subdirectories in the directory specified by Prefix.", func(b *Bucket) error {
			return all(b.fill("d/1", "d/2/x", "d/2/y"), b.keyed(b.ls("2", "prefix", "d/", "delimiter", "/"), "d/1").elements("CommonPrefixes/Prefix", b.Prefix+"d/2/"))
		}},
		{"list-delimiter-of-any-text", v2, "A delimiter is a character that you use to group keys.", func(b *Bucket) error {
			return all(b.fill("a--b", "a--c", "d"), b.keyed(b.ls("2", "delimiter", "--"), "d").elements("CommonPrefixes/Prefix", b.Prefix+"a--"))
		}},
		{"list-common-prefix-counts-as-one", v2, "All of the keys (up to 1,000) that share the same prefix are grouped together. When counting the total numbers of returns by this API operation, this group of keys is considered as one item.", func(b *Bucket) error {
			return all(b.fill("d/1", "d/2", "d/3", "e"), b.keyed(b.ls("2", "delimiter", "/", "max-keys", "1")).elements("CommonPrefixes/Prefix", b.Prefix+"d/").element("IsTruncated", "true").element("KeyCount", "1"))
		}},
		{"list-common-prefix-once", v2, "CommonPrefixes contains all (if there are any) keys between Prefix and the next occurrence of the string specified by a delimiter.", func(b *Bucket) error {
			if err := all(b.fill("c", "d/1", "d/2", "d/3", "e")); err != nil {
				return err
			}
			first := b.ls("2", "delimiter", "/", "max-keys", "2")
			return all(first.elements("CommonPrefixes/Prefix", b.Prefix+"d/"), b.keyed(b.ls("2", "delimiter", "/", "continuation-token", first.text("NextContinuationToken")), "e").elements("CommonPrefixes/Prefix"))
		}},
		{"list-start-after", v2, "Amazon S3 starts listing after this specified key. StartAfter can be any key in the bucket.", func(b *Bucket) error {
			return all(b.fill("a", "b", "c"), b.keyed(b.ls("2", "start-after", "a"), "b", "c").element("StartAfter", b.Prefix+"a"), b.keyed(b.ls("2", "start-after", "aa"), "b", "c"))
		}},
		{"list-pages", v2, "NextContinuationToken is sent when isTruncated is true, which means there are more keys in the bucket that can be listed.", func(b *Bucket) error {
			if err := all(b.fill("a", "b", "c")); err != nil {
				return err
			}
			first := b.keyed(b.ls("2", "max-keys", "2"), "a", "b").element("IsTruncated", "true").element("MaxKeys", "2")
			token := first.text("NextContinuationToken")
			return all(first, b.keyed(b.ls("2", "max-keys", "2", "continuation-token", token), "c").element("IsTruncated", "false").element("ContinuationToken", token).element("NextContinuationToken", ""))
		}},
		{"list-exactly-full", v2, "Set to false if all of the results were returned.", func(b *Bucket) error {
			return all(b.fill("a", "b"), b.keyed(b.ls("2", "max-keys", "2"), "a", "b").element("IsTruncated", "false"))
		}},
		{"list-token-outranks-start-after", "API ListObjectsV2", "ContinuationToken indicates to Amazon S3 that the list is being continued on this bucket with a token.", func(b *Bucket) error {
			if err := all(b.fill("a", "b", "c")); err != nil {
				return err
			}
			token := b.ls("2", "max-keys", "1").text("NextContinuationToken")
			return b.keyed(b.ls("2", "continuation-token", token, "start-after", ""), "b", "c").failed()
		}},
		{"list-token-nonsense", "recorded", "400 InvalidArgument: The continuation token provided is incorrect", func(b *Bucket) error {
			return b.ls("2", "continuation-token", "nonsense!").is(400, "InvalidArgument").says("The continuation token provided is incorrect").failed()
		}},
		{"list-max-keys-0", v2, "Sets the maximum number of keys returned in the response.", func(b *Bucket) error {
			return all(b.fill("a"), b.keyed(b.ls("2", "max-keys", "0")).element("KeyCount", "0").element("IsTruncated", "false"))
		}},
		{"list-max-keys-nonsense", "recorded", "400 InvalidArgument: Provided max-keys not an integer or within integer range", func(b *Bucket) error {
			return all(b.ls("2", "max-keys", "many").is(400, "InvalidArgument"), b.ls("2", "max-keys", "-1").is(400, "InvalidArgument"))
		}},
		{"list-encoding", v2, "For example, the object test_file(3).png will appear as test_file%283%29.png", func(b *Bucket) error {
			return all(b.fill("test_file(3).png"), b.keyed(b.ls("2", "encoding-type", "url"), "test_file%283%29.png").element("EncodingType", "url"))
		}},
		{"list-encoding-round-trip", v2, "Encoding type used by Amazon S3 to encode the object keys in the response.", func(b *Bucket) error {
			const key = "ü+&\x01 %2F\n"
			if err := all(b.fill(key)); err != nil {
				return err
			}
			got, err := url.QueryUnescape(b.ls("2", "encoding-type", "url").text("Contents/Key"))
			return that(err == nil && got == b.Prefix+key, "key is %q", got).failed()
		}},
		{"list-encoding-unknown", "recorded", "400 InvalidArgument: Invalid Encoding Method specified in Request", func(b *Bucket) error {
			return b.ls("2", "encoding-type", "base64").is(400, "InvalidArgument").says("Invalid Encoding Method specified in Request").failed()
		}},
		{"list-escapes-xml", v2, "Returns some or all (up to 1,000) of the objects in a bucket", func(b *Bucket) error {
			return all(b.fill(`<a>&"'`), b.keyed(b.ls("2"), `<a>&"'`))
		}},
		{"list-owner-only-when-asked", v2, "The owner field is not present in ListObjectsV2 by default.", func(b *Bucket) error {
			return all(b.fill("a"), b.keyed(b.ls("2"), "a").elements("Contents/Owner/ID"), b.ls("2", "fetch-owner", "false").is(200, "").elements("Contents/Owner/ID"))
		}},
		{"list-fetch-owner", v2, "If you want to return the owner field with each key in the result, then set the FetchOwner field to true.", func(b *Bucket) error {
			a := b.fill("a")
			l := b.ls("2", "fetch-owner", "true").is(200, "")
			return all(a, l, that(l.text("Contents/Owner/ID") != "", "no Owner"))
		}},
		{"list-of-nothing", v2, "Returns some or all (up to 1,000) of the objects in a bucket", func(b *Bucket) error {
			return b.keyed(b.ls("2")).element("KeyCount", "0").element("IsTruncated", "false").failed()
		}},
		{"list-of-no-bucket", v2, "The specified bucket does not exist", func(b *Bucket) error {
			return b.unmade().ls("2").is(404, "NoSuchBucket").failed()
		}},
		{"list-v1", v1, "Returns some or all (up to 1,000) of the objects in a bucket.", func(b *Bucket) error {
			return all(b.fill("b", "a"), b.keyed(b.ls("1"), "a", "b").element("Name", b.Name).element("MaxKeys", "1000").element("IsTruncated", "false").elements("Marker", "").elements("KeyCount"))
		}},
		{"list-v1-marker", v1, "Amazon S3 starts listing after this specified key. Marker can be any key in the bucket.", func(b *Bucket) error {
			return all(b.fill("a", "b", "c"), b.keyed(b.ls("1", "marker", "a"), "b", "c").element("Marker", b.Prefix+"a"))
		}},
		{"list-v1-next-marker", v1, "This element is returned only if you have the delimiter request parameter specified.", func(b *Bucket) error {
			return all(b.fill("a", "d/1", "d/2", "e"), b.keyed(b.ls("1", "max-keys", "2", "delimiter", "/"), "a").element("IsTruncated", "true").element("NextMarker", b.Prefix+"d/").elements("CommonPrefixes/Prefix", b.Prefix+"d/"),
				b.keyed(b.ls("1", "delimiter", "/", "marker", "d/"), "e").elements("CommonPrefixes/Prefix"), b.keyed(b.ls("1", "max-keys", "1"), "a").element("IsTruncated", "true").element("NextMarker", ""))
		}},
		{"list-v1-max-keys-0", v1, "Sets the maximum number of keys returned in the response.", func(b *Bucket) error {
			return all(b.fill("a"), b.keyed(b.ls("1", "max-keys", "0")).element("IsTruncated", "false"))
		}},
	}
}

// pages is what we assume of lists of more than a thousand.
func pages() []Assumption {
	const page = "API ListObjectsV2"
	return []Assumption{
		{"list-at-most-1000", page, "By default, the action returns up to 1,000 key names. The response might contain fewer keys but will never contain more.", func(b *Bucket) error {
			o := b.other()
			var names []string
			for i := range 1001 {
				names = append(names, fmt.Sprintf("%04d", i))
			}
			if err := o.fillAtOnce(names); err != nil {
				return err
			}
			for _, asked := range []string{"?list-type=2", "?list-type=2&max-keys=1000", "?list-type=2&max-keys=5000"} {
				first := o.send("GET", asked, "").is(200, "")
				second := o.send("GET", "?list-type=2&continuation-token="+url.QueryEscape(first.text("NextContinuationToken")), "").is(200, "")
				got := slices.Concat(first.texts("Contents/Key"), second.texts("Contents/Key"))
				if err := all(first, second, same("length of the first page", len(first.texts("Contents/Key")), 1000), that(slices.Equal(got, names), "pages have %d keys", len(got))); err != nil {
					return err
				}
			}
			v1 := o.send("GET", "?max-keys=5000", "").is(200, "").element("IsTruncated", "true")
			return all(v1, same("length of version 1", len(v1.texts("Contents/Key")), 1000))
		}},
	}
}

// fillAtOnce puts many empty objects from eight sides.
func (b *Bucket) fillAtOnce(names []string) error {
	var wait sync.WaitGroup
	failed := make([]error, 8)
	for i := range failed {
		wait.Go(func() {
			for j := i; j < len(names) && failed[i] == nil; j += len(failed) {
				failed[i] = b.put(names[j], "").is(200, "").failed()
			}
		})
	}
	wait.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}
