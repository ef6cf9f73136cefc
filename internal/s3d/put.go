package s3d

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
)

// putObject writes an object from a request's body.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (x *exchange) putObject() error {
	// What is refused here is refused before the body is read.
	if err := x.length(); err != nil {
		return err
	}
	want, err := x.digests()
	if err != nil {
		return err
	}
	o, err := describe(x.key, x.header, x.headerNames())
	if err != nil {
		return err
	}
	if x.r.ContentLength > maxObject {
		return errTooLarge(x.r.ContentLength, maxObject)
	}
	onlyNew, err := x.onlyNew()
	if err != nil {
		return err
	}
	d, err := x.bucket.newDraft()
	if err != nil {
		return err
	}
	defer d.discard()
	d.hash(want)
	if err := x.copyBody(d); err != nil {
		return err
	}
	if o.Checksums, err = want.check(d.sums()); err != nil {
		return err
	}
	if err := x.commit(d, o, onlyNew); err != nil {
		return err
	}
	h := x.w.Header()
	h["ETag"] = []string{`"` + o.ETag + `"`}
	for name, v := range o.Checksums {
		h["x-amz-checksum-"+name] = []string{v}
		h["x-amz-checksum-type"] = []string{"FULL_OBJECT"}
	}
	x.answer(http.StatusOK, "", nil)
	return nil
}

// copyBody streams the body into a draft through one buffer.
func (x *exchange) copyBody(d *draft) error {
	buf := x.s.buffers.Get().(*[bufferSize]byte)
	defer x.s.buffers.Put(buf)
	for {
		// Small pieces make small writes: fill the buffer.
		n, err := io.ReadFull(&x.body, buf[:min(bufferSize, max(x.r.ContentLength-x.body.n, 1))])
		if n > 0 {
			if _, err := d.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) && x.body.n == x.r.ContentLength:
			return nil
		case err != nil:
			return readFault(err)
		}
	}
}

// onlyNew reads If-None-Match, of which S3 knows "*" for writes. It refuses at
// once when there is an object already; commit decides for good.
func (x *exchange) onlyNew() (bool, error) {
	if x.r.Header.Get("If-Match") != "" {
		return false, errNotImplemented("If-Match")
	}
	switch v := x.header("If-None-Match"); v {
	case "":
		return false, nil
	case "*":
		there, err := x.bucket.has(x.key)
		if there {
			err = errPrecondition("If-None-Match")
		}
		return true, err
	default:
		return false, errNotImplemented("If-None-Match")
	}
}

// deleteObject removes an object. That there is none is success, as in S3.
func (x *exchange) deleteObject() error {
	if x.r.Header.Get("If-Match") != "" {
		return errNotImplemented("If-Match")
	}
	if err := x.bucket.remove(x.key); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}

// headBucket tells that there is such a bucket.
func (x *exchange) headBucket() error {
	x.w.Header().Set("X-Amz-Bucket-Region", x.s.region)
	x.answer(http.StatusOK, "", nil)
	return nil
}

// createBucket makes a bucket. In us-east-1 S3 answers 200 for one of your own.
func (x *exchange) createBucket() error {
	doc, err := x.document(maxSettings)
	if err != nil {
		return err
	}
	if err := x.checkLocation(doc); err != nil {
		return err
	}
	made, err := x.s.create(x.name)
	if err != nil {
		return err
	}
	if !made && x.s.region != "us-east-1" {
		return fault(http.StatusConflict, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it.", "BucketName", x.name)
	}
	x.w.Header().Set("Location", "/"+x.name)
	x.answer(http.StatusOK, "", nil)
	return nil
}

func (x *exchange) checkLocation(doc []byte) error {
	var c struct {
		XMLName  xml.Name `xml:"CreateBucketConfiguration"`
		Location string   `xml:"LocationConstraint"`
		Others   []struct {
			XMLName xml.Name
		} `xml:",any"`
	}
	if len(doc) > 0 {
		if err := decodeXML(doc, &c); err != nil {
			return err
		}
		if len(c.Others) > 0 {
			return errNotImplemented(c.Others[0].XMLName.Local)
		}
	}
	here := x.s.region
	if here == "us-east-1" {
		here = "" // which has no LocationConstraint of its own
	}
	if c.Location != here {
		name := c.Location
		if name == "" {
			name = "unspecified"
		}
		return fault(http.StatusBadRequest, "IllegalLocationConstraintException",
			"The "+name+" location constraint is incompatible for the region specific endpoint this request was sent to.")
	}
	return nil
}
