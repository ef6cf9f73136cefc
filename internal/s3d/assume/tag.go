package assume

import (
	"maps"
	"strings"
)

// tagging is a document of tags, from keys and values by turns.
func tagging(pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>`)
	for i := 0; i+1 < len(pairs); i += 2 {
		b.WriteString("<Tag><Key>" + pairs[i] + "</Key><Value>" + pairs[i+1] + "</Value></Tag>")
	}
	b.WriteString("</TagSet></Tagging>")
	return b.String()
}

// tags is what we assume of tags of objects.
func tags() []Assumption {
	const guide = "Categorizing your objects using tags"
	tag := func(b *Bucket, document string) Answer {
		b.put("a", "hello")
		return b.send("PUT", b.at("a")+"?tagging", document, "Content-MD5", md5Of(document))
	}
	read := func(b *Bucket) Answer {
		a := b.send("GET", b.at("a")+"?tagging", "").is(200, "")
		return a.that(a.root().Local == "Tagging", "root is %q", a.root().Local)
	}
	eleven := strings.Split("a,1,b,1,c,1,d,1,e,1,f,1,g,1,h,1,i,1,j,1,k,1", ",")
	return []Assumption{
		{"tag", "API PutObjectTagging", "Sets the supplied tag-set to an object that already exists in a bucket.", func(b *Bucket) error {
			return all(tag(b, tagging("k", "v", "l", "")).is(200, ""), read(b).tagged("k", "v", "l", ""), b.holds("a", "hello").header("x-amz-tagging-count", "2"))
		}},
		{"tag-replaces", "API PutObjectTagging", "Sets the supplied tag-set", func(b *Bucket) error {
			return all(tag(b, tagging("k", "v")), b.send("PUT", b.at("a")+"?tagging", tagging("l", "w"), "Content-MD5", md5Of(tagging("l", "w"))).is(200, ""), read(b).tagged("l", "w"))
		}},
		{"tag-of-an-untagged-object", "API GetObjectTagging", "Returns the tag-set of an object.", func(b *Bucket) error {
			return all(b.put("a", "hello"), read(b).tagged(), b.head("a").lacks("x-amz-tagging-count"))
		}},
		{"tag-of-nothing", "Error responses", "NoSuchKey: The specified key does not exist.", func(b *Bucket) error {
			return all(b.send("GET", b.at("a")+"?tagging", "").is(404, "NoSuchKey"), b.send("PUT", b.at("a")+"?tagging", tagging(), "Content-MD5", md5Of(tagging())).is(404, "NoSuchKey"))
		}},
		{"tag-remove", "API DeleteObjectTagging", "Removes the entire tag set from the specified object.", func(b *Bucket) error {
			return all(tag(b, tagging("k", "v")), b.send("DELETE", b.at("a")+"?tagging", "").is(204, ""), read(b).tagged(), b.holds("a", "hello"))
		}},
		{"tag-header", "API PutObject", "The tag-set for the object. The tag-set must be encoded as URL Query parameters.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-tagging", "k=v%20w&l=").is(200, ""), read(b).tagged("k", "v w", "l", ""), b.head("a").header("x-amz-tagging-count", "2"))
		}},
		{"tag-overwriting-removes", "API PutObject", "Adds an object to a bucket.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-tagging", "k=v"), b.put("a", "again").is(200, ""), read(b).tagged())
		}},
		{"tag-at-most-10", guide, "You can associate up to 10 tags with an object.", func(b *Bucket) error {
			return all(tag(b, tagging(eleven[:20]...)).is(200, ""), tag(b, tagging(eleven...)).is(400, "BadRequest").says("Object tags cannot be greater than 10"))
		}},
		{"tag-at-most-10-in-a-header", guide, "You can associate up to 10 tags with an object.", func(b *Bucket) error {
			return all(b.put("a", "hello", "x-amz-tagging", "a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k=").is(400, "BadRequest"), b.absent("a"))
		}},
		{"tag-keys-are-unique", "recorded", "400 InvalidTag: Cannot provide multiple Tags with the same key", func(b *Bucket) error {
			return tag(b, tagging("k", "1", "k", "2")).is(400, "InvalidTag").says("Cannot provide multiple Tags with the same key").failed()
		}},
		{"tag-keys-have-a-case", guide, "The key and values are case sensitive.", func(b *Bucket) error {
			return all(tag(b, tagging("K", "1", "k", "2")).is(200, ""), read(b).tagged("K", "1", "k", "2"))
		}},
		{"tag-lengths", guide, "A tag key can be up to 128 Unicode characters in length, and tag values can be up to 256 Unicode characters in length.", func(b *Bucket) error {
			return all(tag(b, tagging(strings.Repeat("é", 128), strings.Repeat("é", 256))).is(200, ""), tag(b, tagging(strings.Repeat("k", 129), "v")).is(400, "InvalidTag"), tag(b, tagging("k", strings.Repeat("v", 257))).is(400, "InvalidTag"))
		}},
		{"tag-empty-key", "recorded", "400 InvalidTag: The TagKey you have provided is invalid", func(b *Bucket) error {
			return tag(b, tagging("", "v")).is(400, "InvalidTag").failed()
		}},
		{"tag-aws-prefix", "Tagging restrictions", "The aws: prefix is reserved for Amazon Web Services use.", func(b *Bucket) error {
			return tag(b, tagging("aws:k", "v")).is(400, "InvalidTag").failed()
		}},
		{"tag-malformed", "Error responses", "MalformedXML: This happens when the user sends malformed XML (XML that doesn't conform to the published XSD) for the configuration.", func(b *Bucket) error {
			return all(tag(b, "<Tagging>").is(400, "MalformedXML"), tag(b, "<Other/>").is(400, "MalformedXML"))
		}},
	}
}

// tagged checks tags, whose order says nothing.
func (a Answer) tagged(pairs ...string) Answer {
	got, want := make(map[string]string), make(map[string]string)
	for _, t := range a.nodes("TagSet/Tag") {
		got[t.text("Key")] = t.text("Value")
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		want[pairs[i]] = pairs[i+1]
	}
	return a.that(maps.Equal(got, want), "tags are %q, not %q", got, want)
}
