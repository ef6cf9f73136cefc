package s3d

import (
	"bytes"
	"net/http"
	"strings"
)

// Nothing here has an access control list: every bucket is as S3's new ones
// are, BucketOwnerEnforced. "Requests to set ACLs or update ACLs fail with a
// 400 error … Requests to read ACLs always return a response that shows full
// control for the bucket owner."
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-ownership-error-responses.html

const (
	ownerEnforced = "BucketOwnerEnforced"
	// ownerACL is the one canned ACL that objects may be written with, as it
	// says what holds anyway.
	ownerACL = "bucket-owner-full-control"
	// ownerID names the account where S3 wants a canonical user id.
	ownerID = "0000000000000000000000000000000000000000000000000000" + Account
)

func ownershipOperations() []operation {
	const by = "ownershipControls"
	return []operation{
		{
			name: "GetBucketOwnershipControls", method: http.MethodGet, level: onBucket, by: by,
			action: "s3:GetBucketOwnershipControls", run: (*exchange).getOwnership,
		},
		{
			name: "PutBucketOwnershipControls", method: http.MethodPut, level: onBucket, by: by,
			action: "s3:PutBucketOwnershipControls", headers: checksumHeaders(), run: (*exchange).putOwnership,
		},
		{
			name: "DeleteBucketOwnershipControls", method: http.MethodDelete, level: onBucket, by: by,
			action: "s3:PutBucketOwnershipControls", run: (*exchange).deleteOwnership,
		},
		{name: "GetBucketAcl", method: http.MethodGet, level: onBucket, by: "acl", action: "s3:GetBucketAcl", run: (*exchange).getACL},
		{
			name: "PutBucketAcl", method: http.MethodPut, level: onBucket, by: "acl", action: "s3:PutBucketAcl",
			headers: checksumHeaders(), run: (*exchange).putACL,
		},
		{name: "GetObjectAcl", method: http.MethodGet, level: onObject, by: "acl", action: "s3:GetObjectAcl", run: (*exchange).getACL},
		{
			name: "PutObjectAcl", method: http.MethodPut, level: onObject, by: "acl", action: "s3:PutObjectAcl",
			headers: checksumHeaders(), run: (*exchange).putACL,
		},
	}
}

func (x *exchange) getOwnership() error {
	x.answer(http.StatusOK, xmlType, []byte(xmlHeader+`<OwnershipControls xmlns="`+xmlNamespace+
		`"><Rule><ObjectOwnership>`+ownerEnforced+`</ObjectOwnership></Rule></OwnershipControls>`))
	return nil
}

// putOwnership takes what holds already, and nothing else.
func (x *exchange) putOwnership() error {
	doc, err := x.settings()
	if err != nil {
		return err
	}
	var root xmlNode
	if err := decodeXML(doc, &root); err != nil {
		return err
	}
	if root.XMLName.Local != "OwnershipControls" || len(root.Children) != 1 {
		return errMalformedXML()
	}
	if err := root.only([]string{"Rule"}, nil); err != nil {
		return err
	}
	rule := &root.Children[0]
	if err := rule.only([]string{"ObjectOwnership"}, nil); err != nil {
		return err
	}
	ownership, err := rule.child("ObjectOwnership").text()
	if err != nil {
		return err
	}
	if err := checkOwnership(ownership, errMalformedXML()); err != nil {
		return err
	}
	x.answer(http.StatusOK, "", nil)
	return nil
}

// checkOwnership refuses what would bring access control lists back, and with
// unknown what S3 does not know.
func checkOwnership(ownership string, unknown error) error {
	switch ownership {
	case ownerEnforced:
		return nil
	case "BucketOwnerPreferred", "ObjectWriter":
		return errLacking("ObjectOwnership "+ownership+", which needs access control lists,", ownership)
	}
	return unknown
}

func (x *exchange) deleteOwnership() error {
	return errLacking("A bucket without ownership controls, which needs access control lists,", "ownershipControls")
}

// getACL tells of a bucket or an object that it is the owner's.
func (x *exchange) getACL() error {
	if x.key != "" {
		o, err := x.bucket.find(x.key)
		if err != nil {
			return err
		}
		if o == nil {
			return x.missing(x.key)
		}
	}
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<AccessControlPolicy xmlns="` + xmlNamespace + `">`)
	writeOwner(&b)
	b.WriteString(`<AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">`)
	element(&b, "ID", ownerID)
	b.WriteString("</Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
	return nil
}

// writeOwner writes who owns everything. S3 has no DisplayName any more.
func writeOwner(b *bytes.Buffer) {
	b.WriteString("<Owner>")
	element(b, "ID", ownerID)
	b.WriteString("</Owner>")
}

func (x *exchange) putACL() error { return errNoACL() }

// checkACL refuses headers or fields that ask for an access control list.
// Objects may be written with the one that says what holds anyway: "all S3 PUT
// requests must specify bucket owner full control ACLs or not specify an ACL".
func checkACL(name, value string, writesObject bool) error {
	switch {
	case strings.HasPrefix(name, "x-amz-grant-"):
		return errNoACL()
	case (name == "x-amz-acl" || name == "acl") && (!writesObject || value != ownerACL):
		return errNoACL()
	}
	return nil
}
