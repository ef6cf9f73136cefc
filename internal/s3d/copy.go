package s3d

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// CopyObject.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html

const (
	copySource       = "x-amz-copy-source"
	directiveCopy    = "COPY"
	directiveReplace = "REPLACE"
)

// copying is one CopyObject, as its headers ask for it.
type copying struct {
	name, key           string // of the source
	newHeaders, newTags bool   // REPLACE instead of COPY
	tags                map[string]string
	algorithm           *algorithm // asked for; nil: none
	pre                 precondition
}

func copyHeaders() []string {
	return []string{
		copySource + "-if-match", copySource + "-if-none-match", copySource + "-if-modified-since", copySource + "-if-unmodified-since",
		"x-amz-metadata-directive", "x-amz-tagging-directive", "x-amz-checksum-algorithm", "x-amz-source-expected-bucket-owner",
	}
}

// parseCopySource reads /bucket/key or bucket/key, "URL-encoded".
func parseCopySource(v string) (bucket, key string, err error) {
	v, query, versioned := strings.Cut(v, "?")
	if versioned {
		if id, ok := strings.CutPrefix(query, "versionId="); ok && id != "" {
			return "", "", errNotImplemented("versionId")
		}
		return "", "", errCopySource()
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(v, "/"), "/")
	if bucket, err = url.PathUnescape(bucket); err != nil {
		return "", "", errCopyEncoding()
	}
	if key, err = url.PathUnescape(key); err != nil || !utf8.ValidString(key) || !utf8.ValidString(bucket) {
		return "", "", errCopyEncoding()
	}
	if !ok || bucket == "" || key == "" || len(key) > maxKey {
		return "", "", errCopySource()
	}
	return bucket, key, nil
}

func errCopySource() error {
	return errArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey", copySource)
}

func errCopyEncoding() error { return errArgument("Invalid copy source encoding", copySource) }

func directive(v, kind string) (replace bool, err error) {
	switch v {
	case "", directiveCopy:
		return false, nil
	case directiveReplace:
		return true, nil
	}
	return false, errArgument("Unknown "+kind+" directive.", "x-amz-"+kind+"-directive")
}

// copyRequest reads the headers.
func (x *exchange) copyRequest() (c copying, err error) {
	if err = x.noBody(); err != nil {
		return c, err
	}
	if c.name, c.key, err = parseCopySource(x.header(copySource)); err != nil {
		return c, err
	}
	if c.newHeaders, err = directive(x.header("x-amz-metadata-directive"), "metadata"); err != nil {
		return c, err
	}
	if c.newTags, err = directive(x.header("x-amz-tagging-directive"), "tagging"); err != nil {
		return c, err
	}
	if c.newTags {
		if c.tags, err = parseTagQuery(x.header(taggingHeader)); err != nil {
			return c, err
		}
	}
	if err = storageClass(x.header("x-amz-storage-class")); err != nil {
		return c, err
	}
	if v := x.header("x-amz-checksum-algorithm"); v != "" {
		if c.algorithm = findAlgorithm(v); c.algorithm == nil {
			return c, errUnknownAlgorithm()
		}
	}
	if c.name == x.name && c.key == x.key && !c.newHeaders && x.header("x-amz-storage-class") == "" {
		return c, errInvalidRequest("This copy request is illegal because it is trying to copy an object to itself without changing " +
			"the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	c.pre, err = x.writeConditions()
	return c, err
}

// noBody refuses a body, which nothing would look at.
func (x *exchange) noBody() error {
	if x.r.ContentLength != 0 || len(x.r.TransferEncoding) > 0 {
		return errInvalidRequest("This request must not have a body.")
	}
	want, err := payloadHash(x.identity.PayloadHash)
	if err == nil && want != "" {
		_, err = digests{payload: want}.check(digests{payload: want}.hashes())
	}
	return err
}

func (x *exchange) copyObject() error {
	c, bad := x.copyRequest()
	// Who may not write here learns nothing else.
	if err := x.allowWrite("s3:PutObject", c.tags); err != nil {
		return err
	}
	if bad != nil {
		return bad
	}
	from, err := x.s.bucket(c.name)
	if err != nil {
		return err
	}
	if err := x.ownedByUs("x-amz-source-expected-bucket-owner"); err != nil {
		return err
	}
	f, source, err := from.openKey(c.key)
	if err != nil && !isNoObject(err) {
		return err
	}
	if f != nil {
		defer f.Close() //nolint:errcheck // it was only read
	}
	if err := x.allowCopy(from, &c, source); err != nil {
		return err
	}
	if err := x.copyConditions(source); err != nil {
		return err
	}
	if source.Size > maxPut {
		return errInvalidRequest(fmt.Sprintf("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxPut)))
	}
	if err := c.pre.met(x.bucket, x.key); err != nil {
		return err
	}
	o, err := x.copied(&c, source)
	if err != nil {
		return err
	}
	if err := x.copyBytes(f, source, o, &c); err != nil {
		return err
	}
	x.answerCopy(o)
	return nil
}

// allowCopy asks what concerns the source. A source without tags needs less.
func (x *exchange) allowCopy(from *bucket, c *copying, source *object) error {
	if err := x.allowTaggedIn(from, c.name, c.key, "s3:GetObject", source, nil); err != nil {
		return err
	}
	if source == nil {
		if err := x.allowIn(from, c.name, "s3:ListBucket", "", nil); err != nil {
			return err
		}
		return errNoKey(c.key)
	}
	if c.newTags || len(source.Tags) == 0 {
		return nil
	}
	if err := x.allowTaggedIn(from, c.name, c.key, "s3:GetObjectTagging", source, nil); err != nil {
		return err
	}
	return x.allow("s3:PutObjectTagging", x.key)
}

// copyConditions holds the source against the x-amz-copy-source-if-* headers.
// They combine as those of a GET do, but what is 304 there is 412 here.
func (x *exchange) copyConditions(source *object) error {
	h := make(http.Header)
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		v := x.header(copySource + "-" + name)
		if v == "" {
			continue
		}
		if strings.HasSuffix(name, "-Since") {
			if _, err := http.ParseTime(v); err != nil {
				return errArgument("The value of a condition is not a time.", copySource+"-"+strings.ToLower(name))
			}
		}
		h.Set(name, v)
	}
	if len(h) > 0 && source.conditions(h) != nil {
		return errPrecondition(copySource + "-If")
	}
	return nil
}

// copied describes the new object, all but its bytes.
func (x *exchange) copied(c *copying, source *object) (*object, error) {
	o := &object{Key: x.key, ContentType: source.ContentType, Headers: source.Headers, Metadata: source.Metadata}
	if c.newHeaders {
		var err error
		if o, err = describe(x.key, x.header, x.headerNames()); err != nil {
			return nil, err
		}
	}
	o.Tags = source.Tags
	if c.newTags {
		o.Tags = c.tags
	}
	return o, nil
}

// copyBytes copies from file to file. Only what must be computed is read: "the
// ETag ... of the copy" is the MD5 of its bytes, which a source made of parts
// does not tell, and a checksum is kept unless another is asked for, or it is
// one of parts that the copy no longer has.
func (x *exchange) copyBytes(f *os.File, source, o *object, c *copying) error {
	if c.algorithm == nil {
		c.algorithm = findAlgorithm(defaultChecksum)
		for name := range source.Checksums {
			c.algorithm = findAlgorithm(name)
		}
	}
	sum, kept := source.Checksums[c.algorithm.name]
	want := digests{algorithm: c.algorithm}
	d, err := x.bucket.newDraft(want)
	if err != nil {
		return err
	}
	defer d.discard()
	if kept && !strings.Contains(source.ETag, "-") {
		o.ETag = source.ETag
		err = d.copyFile(f, source.Size)
	} else if err = x.copyHashed(d, f, source.Size); err == nil {
		sum, err = want.check(d.sums)
	}
	if err != nil {
		return err
	}
	o.keep(c.algorithm, sum)
	return x.commit(d, o, c.pre)
}

// copyFile appends the first n bytes of a file. They are not hashed, and where
// the system can copy by itself they never pass through here.
func (d *draft) copyFile(f *os.File, n int64) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("copy object: %w", err)
	}
	copied, err := io.Copy(d.f, io.LimitReader(f, n))
	if err == nil && copied != n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("copy object: %w", err)
	}
	d.size += n
	return nil
}

// copyHashed appends the first n bytes of a file and hashes them.
func (x *exchange) copyHashed(d *draft, f *os.File, n int64) error {
	buf := x.s.buffers.Get().(*[bufferSize]byte)
	defer x.s.buffers.Put(buf)
	copied, err := io.CopyBuffer(d, io.NewSectionReader(f, 0, n), buf[:])
	if err == nil && copied != n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("copy object: %w", err)
	}
	return nil
}

func (x *exchange) answerCopy(o *object) {
	x.writeExpiration(o)
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<CopyObjectResult xmlns="` + xmlNamespace + `">`)
	element(&b, "LastModified", o.modified().Truncate(time.Second).Format(timeFormat))
	element(&b, "ETag", `"`+o.ETag+`"`)
	for name, sum := range o.Checksums {
		element(&b, "Checksum"+strings.ToUpper(name), sum)
		element(&b, "ChecksumType", o.checksumType())
	}
	b.WriteString("</CopyObjectResult>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
}

// errReplaced is the error of a precondition that asks for a file which is no
// longer the key's.
var errReplaced = errors.New("the object was replaced meanwhile")
