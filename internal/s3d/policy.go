package s3d

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"postern.example/postern/internal/s3d/access"
)

// parsePolicy returns the reader of one bucket's policies.
func parsePolicy(bucket string) func([]byte) (*access.Policy, error) {
	return func(doc []byte) (*access.Policy, error) {
		p, err := access.ParseBucket(doc, bucket)
		if err != nil {
			var bad *access.Error
			if errors.As(err, &bad) && bad.Message != bad.Error() {
				// S3's message does not say where, its Detail may.
				return nil, fault(http.StatusBadRequest, "MalformedPolicy", bad.Message, "Detail", bad.Error())
			}
			return nil, fault(http.StatusBadRequest, "MalformedPolicy", err.Error())
		}
		return p, nil
	}
}

func (x *exchange) getPolicy() error {
	doc := x.bucket.policy.document()
	if doc == nil {
		return fault(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist", "BucketName", x.name)
	}
	x.answer(http.StatusOK, "application/json", doc)
	return nil
}

// getPolicyStatus tells whether the policy is public.
func (x *exchange) getPolicyStatus() error {
	p := x.bucket.policy.value()
	if p == nil {
		return fault(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist", "BucketName", x.name)
	}
	public := strconv.FormatBool(p.Public()) // the manual's example is in capitals, which the SDKs do not read
	x.answer(http.StatusOK, xmlType, []byte(xmlHeader+`<PolicyStatus xmlns="`+xmlNamespace+`"><IsPublic>`+public+`</IsPublic></PolicyStatus>`))
	return nil
}

func (x *exchange) putPolicy() error {
	doc, err := x.document(maxSettings) // access knows how long a policy may be
	if err != nil {
		return err
	}
	p, err := x.bucket.policy.parse(doc)
	if err != nil {
		return err
	}
	// "PUT Bucket policy calls fail if the specified bucket policy allows
	// public access" while public policies are blocked.
	if p.Public() && x.bucket.publicAccess().BlockPublicPolicy {
		return errDenied(strings.Join([]string{
			"User:", x.caller.principal().ARN, "is not authorized to perform: s3:PutBucketPolicy on resource:",
			`"arn:aws:s3:::` + x.name + `"`, "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
		}, " "))
	}
	if err := x.bucket.policy.set(x.bucket, doc); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}

func (x *exchange) deletePolicy() error {
	if err := x.bucket.policy.set(x.bucket, nil); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}
