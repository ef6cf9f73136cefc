package s3d

import (
	"net/http"
	"strings"
)

// putObject writes an object from a request's body.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (x *exchange) putObject() error {
	// What is refused here is refused before the body is read.
	tags, bad := parseTagQuery(x.header(taggingHeader))
	if err := x.allowWrite("s3:PutObject", tags); err != nil {
		return err
	}
	if bad != nil {
		return bad
	}
	p, err := x.payload()
	if err != nil {
		return err
	}
	o, err := describe(x.key, x.header, x.headerNames())
	if err != nil {
		return err
	}
	o.Tags = tags
	if err := storageClass(x.header("x-amz-storage-class")); err != nil {
		return err
	}
	if v := x.header("x-amz-checksum-type"); v != "" && v != fullObject {
		return errInvalidRequest("The x-amz-checksum-type of an object that is written at once is FULL_OBJECT.")
	}
	if p.length > maxPut {
		return errTooLarge(p.length, maxPut)
	}
	pre, err := x.precondition()
	if err != nil {
		return err
	}
	d, sum, err := x.receive(p)
	if err != nil {
		return err
	}
	o.keep(p.want.algorithm, sum)
	if err := x.commit(d, o, pre); err != nil {
		return err
	}
	h := x.w.Header()
	h["ETag"] = []string{`"` + o.ETag + `"`}
	o.writeChecksums(h)
	x.writeExpiration(o)
	x.answer(http.StatusOK, "", nil)
	return nil
}

// allowWrite is allow for what makes an object, with the tags that it brings.
func (x *exchange) allowWrite(action string, tags map[string]string) error {
	more := map[string][]string{"s3:objectcreationoperation": {"true"}}
	if len(tags) > 0 {
		addTagConditions(more, "s3:requestobjecttag", tags)
	}
	if err := x.allowIn(x.bucket, x.name, action, x.key, more); err != nil || len(tags) == 0 {
		return err
	}
	return x.allowIn(x.bucket, x.name, "s3:PutObjectTagging", x.key, more)
}

// writeConditions reads If-Match and If-None-Match of a write. "Requests with
// If-Match need s3:GetObject, too": the answer tells what is there.
func (x *exchange) writeConditions() (p precondition, err error) {
	none, match := x.header("If-None-Match"), x.header("If-Match")
	switch {
	case none != "" && match != "": // which S3 does not take together
		return p, errNotImplemented("If-Match")
	case none == "*":
		p.absent = true
	case none != "":
		return p, errNotImplemented("If-None-Match")
	case match != "":
		p.etag = strings.Trim(match, `"`)
		err = x.allow("s3:GetObject", x.key)
	}
	return p, err
}

// precondition reads the conditions of a write to the exchange's own key. It
// refuses at once what is already clear; commit decides for good.
func (x *exchange) precondition() (precondition, error) {
	p, err := x.writeConditions()
	if err == nil {
		err = p.met(x.bucket, x.key)
	}
	return p, err
}

// deleteObject removes an object. That there is none is success, as in S3.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
func (x *exchange) deleteObject() error {
	p, err := x.deleteCondition(x.key, x.header("If-Match"))
	if err != nil {
		return err
	}
	if err := x.bucket.remove(x.key, p); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}

// deleteCondition reads the ETag that an object must have to be deleted, "*"
// for any. "Conditional deletes with a specific ETag value require both
// s3:DeleteObject and s3:GetObject permissions."
func (x *exchange) deleteCondition(key, match string) (p precondition, err error) {
	if match == "" {
		return p, nil
	}
	if p.etag = strings.Trim(match, `"`); p.etag != "*" {
		err = x.allow("s3:GetObject", key)
	}
	return p, err
}
