package s3d

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strconv"
)

// publicAccess is S3's Block Public Access of one bucket. As nothing here has an
// ACL, the two settings about those are kept and told, and have nothing to do.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
type publicAccess struct {
	BlockPublicAcls       bool
	IgnorePublicAcls      bool
	BlockPublicPolicy     bool
	RestrictPublicBuckets bool
}

// publicAccess returns what holds. "Block all public access" is what "all new
// buckets" have "by default", so no document means all four; a document of no
// bytes is what deleting leaves.
func (b *bucket) publicAccess() publicAccess {
	if b.public.document() == nil {
		return publicAccess{true, true, true, true}
	}
	return b.public.value()
}

func parsePublicAccess(doc []byte) (publicAccess, error) {
	if len(doc) == 0 {
		return publicAccess{}, nil
	}
	var c struct {
		XMLName         xml.Name `xml:"PublicAccessBlockConfiguration"`
		BlockAcls       []string `xml:"BlockPublicAcls"`
		IgnoreAcls      []string `xml:"IgnorePublicAcls"`
		BlockPolicy     []string `xml:"BlockPublicPolicy"`
		RestrictBuckets []string `xml:"RestrictPublicBuckets"`
		unknownElements
	}
	if err := decodeXML(doc, &c); err != nil {
		return publicAccess{}, err
	}
	if len(c.Others) > 0 {
		return publicAccess{}, errMalformedXML()
	}
	var p publicAccess
	for _, s := range []struct {
		from []string
		into *bool
	}{
		{c.BlockAcls, &p.BlockPublicAcls},
		{c.IgnoreAcls, &p.IgnorePublicAcls},
		{c.BlockPolicy, &p.BlockPublicPolicy},
		{c.RestrictBuckets, &p.RestrictPublicBuckets},
	} {
		switch {
		case len(s.from) == 0: // which means false
		case len(s.from) == 1 && (s.from[0] == "true" || s.from[0] == "false"): // xs:boolean, less 0 and 1
			*s.into = s.from[0] == "true"
		default:
			return publicAccess{}, errMalformedXML()
		}
	}
	return p, nil
}

func (x *exchange) getPublicAccess() error {
	if doc := x.bucket.public.document(); doc != nil && len(doc) == 0 {
		return fault(http.StatusNotFound, "NoSuchPublicAccessBlockConfiguration",
			"The public access block configuration was not found", "BucketName", x.name)
	}
	p := x.bucket.publicAccess()
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<PublicAccessBlockConfiguration xmlns="` + xmlNamespace + `">`)
	element(&b, "BlockPublicAcls", strconv.FormatBool(p.BlockPublicAcls))
	element(&b, "IgnorePublicAcls", strconv.FormatBool(p.IgnorePublicAcls))
	element(&b, "BlockPublicPolicy", strconv.FormatBool(p.BlockPublicPolicy))
	element(&b, "RestrictPublicBuckets", strconv.FormatBool(p.RestrictPublicBuckets))
	b.WriteString("</PublicAccessBlockConfiguration>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
	return nil
}

func (x *exchange) putPublicAccess() error {
	doc, err := x.settings()
	if err != nil {
		return err
	}
	if len(doc) == 0 {
		return errMalformedXML()
	}
	if err := x.bucket.public.set(x.bucket, doc); err != nil {
		return err
	}
	x.answer(http.StatusOK, "", nil)
	return nil
}

func (x *exchange) deletePublicAccess() error {
	if err := x.bucket.public.set(x.bucket, []byte{}); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}
