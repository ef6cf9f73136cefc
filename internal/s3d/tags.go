package s3d

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Object tags.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html

const (
	// "You can associate up to 10 tags with an object."
	maxTags = 10
	// "A tag key can be up to 128 Unicode characters in length, and tag values
	// can be up to 256 Unicode characters in length. Amazon S3 object tags are
	// internally represented in UTF-16": that is what is counted.
	maxTagKey   = 128
	maxTagValue = 256
	// retagRounds bounds how often a change of tags begins anew because the
	// object was overwritten meanwhile.
	retagRounds = 8
)

// parseTagQuery reads tags as x-amz-tagging has them: "the tag-set must be
// encoded as URL Query parameters".
func parseTagQuery(v string) (map[string]string, error) {
	malformed := errArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
		"x-amz-tagging")
	var tags tagSet
	for pair := range strings.SplitSeq(v, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if err != nil {
			return nil, malformed
		}
		if value, err = url.QueryUnescape(value); err != nil || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, malformed
		}
		if _, twice := tags[key]; twice {
			return nil, malformed
		}
		if err := tags.add(key, value, maxTags); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

// parseTags reads a Tagging document of an object.
func parseTags(doc []byte) (map[string]string, error) { return parseTagging(doc, maxTags) }

// parseTagging reads a Tagging document of at most so many tags.
func parseTagging(doc []byte, most int) (tagSet, error) {
	var d struct {
		XMLName xml.Name `xml:"Tagging"`
		Sets    []struct {
			Tags []struct {
				Keys   []string `xml:"Key"`
				Values []string `xml:"Value"`
				unknownElements
			} `xml:"Tag"`
			unknownElements
		} `xml:"TagSet"`
		unknownElements
	}
	if err := decodeXML(doc, &d); err != nil {
		return nil, err
	}
	if len(d.Sets) != 1 || len(d.Others) > 0 || len(d.Sets[0].Others) > 0 {
		return nil, errMalformedXML()
	}
	var tags tagSet
	for _, t := range d.Sets[0].Tags {
		if len(t.Keys) != 1 || len(t.Values) != 1 || len(t.Others) > 0 {
			return nil, errMalformedXML()
		}
		if _, twice := tags[t.Keys[0]]; twice {
			return nil, errTag("Cannot provide multiple Tags with the same key")
		}
		if err := tags.add(t.Keys[0], t.Values[0], most); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

// parseTagField reads the field of a form. Recorded answers of S3: what is not
// XML is refused, and XML with another root than Tagging means no tags.
func parseTagField(doc string) (map[string]string, error) {
	var any struct{ XMLName xml.Name }
	if err := decodeXML([]byte(doc), &any); err != nil {
		return nil, err
	}
	if any.XMLName.Local != "Tagging" {
		return nil, nil
	}
	return parseTags([]byte(doc))
}

// tagSet are the tags of one object, or of a bucket.
type tagSet map[string]string

func (t *tagSet) add(key, value string, most int) error {
	switch {
	case !isTag(key, 1, maxTagKey):
		return errTag("The TagKey you have provided is invalid")
	case !isTag(value, 0, maxTagValue):
		return errTag("The TagValue you have provided is invalid")
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return errTag("System tags cannot be added/updated by requester")
	case len(*t) == most && most != maxTags:
		return errTag(fmt.Sprintf("Bucket tag count cannot be greater than %d", most))
	case len(*t) == most:
		return fault(http.StatusBadRequest, "BadRequest", "Object tags cannot be greater than 10")
	case *t == nil:
		*t = make(tagSet)
	}
	(*t)[key] = value
	return nil
}

func errTag(message string) error { return fault(http.StatusBadRequest, "InvalidTag", message) }

// isTag reports whether a tag's key or value is one: "letters, spaces, and
// numbers representable in UTF-8, and the following characters: + - = . _ : / @".
func isTag(s string, least, most int) bool {
	units := 0
	for _, r := range s {
		if r == utf8.RuneError || !unicode.In(r, unicode.L, unicode.M, unicode.Z, unicode.N) && !strings.ContainsRune("+-=._:/@", r) {
			return false
		}
		if units++; r > 0xffff {
			units++
		}
	}
	return least <= units && units <= most
}

// getTags answers GetObjectTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
func (x *exchange) getTags() error {
	o, err := x.bucket.find(x.key)
	if err != nil {
		return err
	}
	if err := x.allowTagged("s3:GetObjectTagging", o, nil); err != nil {
		return err
	}
	if o == nil {
		return x.missing(x.key)
	}
	x.answerTags(o.Tags)
	return nil
}

func (x *exchange) answerTags(tags map[string]string) {
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<Tagging xmlns="` + xmlNamespace + `"><TagSet>`)
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		b.WriteString("<Tag>")
		element(&b, "Key", k)
		element(&b, "Value", tags[k])
		b.WriteString("</Tag>")
	}
	b.WriteString("</TagSet></Tagging>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
}

// putTags answers PutObjectTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
func (x *exchange) putTags() error {
	// The document is part of what is judged (s3:RequestObjectTag), but who may
	// change no tags at all learns nothing about it.
	if x.stranger() {
		return errDenied("Access Denied")
	}
	doc, err := x.settings()
	var tags map[string]string
	if err == nil {
		tags, err = parseTags(doc)
	}
	return x.retag("s3:PutObjectTagging", tags, err, http.StatusOK)
}

// deleteTags answers DeleteObjectTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html
func (x *exchange) deleteTags() error {
	return x.retag("s3:DeleteObjectTagging", nil, nil, http.StatusNoContent)
}

// retag gives an object other tags, if the request was good.
func (x *exchange) retag(action string, tags map[string]string, bad error, status int) error {
	for range retagRounds {
		f, o, err := x.bucket.openKey(x.key)
		if err != nil && !isNoObject(err) {
			return err
		}
		err = x.allowTagged(action, o, tags)
		switch {
		case err != nil:
		case bad != nil:
			err = bad
		case o == nil:
			err = x.missing(x.key)
		default:
			err = x.rewriteTags(f, o, tags)
		}
		if f != nil {
			f.Close() //nolint:errcheck // it was only read
		}
		if errors.Is(err, errReplaced) {
			continue
		}
		if err != nil {
			return err
		}
		x.answer(status, "", nil)
		return nil
	}
	return fault(http.StatusConflict, "OperationAborted",
		"A conflicting conditional operation is currently in progress against this resource. Please try again.")
}

// rewriteTags writes an object anew, with other tags and nothing else changed:
// neither its ETag nor when it was last modified. The new file takes the old
// one's place only if that is still the one that was read, so a write that came
// meanwhile is never undone.
func (x *exchange) rewriteTags(f *os.File, old *object, tags map[string]string) error {
	if maps.Equal(old.Tags, tags) {
		return nil
	}
	read, err := f.Stat()
	if err != nil {
		return err
	}
	d, err := x.bucket.newDraft(digests{})
	if err != nil {
		return err
	}
	defer d.discard()
	if err := d.copyFile(f, old.Size); err != nil {
		return err
	}
	o := *old
	o.Tags = tags
	return x.bucket.commit(d, &o, precondition{file: read})
}

// allowTagged is allow for what may depend on the tags that an object has, and
// on those that it is to get. o is nil when there is none.
func (x *exchange) allowTagged(action string, o *object, tags map[string]string) error {
	return x.allowTaggedIn(x.bucket, x.name, x.key, action, o, tags)
}

func (x *exchange) allowTaggedIn(b *bucket, name, key, action string, o *object, tags map[string]string) error {
	var more map[string][]string
	if o != nil && len(o.Tags) > 0 || len(tags) > 0 {
		more = make(map[string][]string)
		if o != nil {
			addTagConditions(more, "s3:existingobjecttag", o.Tags)
		}
		addTagConditions(more, "s3:requestobjecttag", tags)
	}
	return x.allowIn(b, name, action, key, more)
}
