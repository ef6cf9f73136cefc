package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"postern.example/postern"
)

// Uploads in parts. The parts themselves come from browsers, by presigned URLs.
// What writes below incoming/ is done with the signer's key; unfinished uploads
// are found and aborted with the other, which sweeps.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html

// pageOf is how much S3 lists at once at most.
const pageOf = 1000

// CreateMultipart implements [postern.Bucket]. It needs s3:PutObject.
func (b *Bucket) CreateMultipart(ctx context.Context, key, contentType string, metadata map[string]string) (string, error) {
	out, err := b.signing.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &b.name, Key: &key, ContentType: &contentType, Metadata: metadata,
	})
	if err != nil {
		return "", fault("create multipart upload", err)
	}
	return aws.ToString(out.UploadId), nil
}

// Parts implements [postern.Bucket]. It needs s3:ListMultipartUploadParts.
func (b *Bucket) Parts(ctx context.Context, key, uploadID string) ([]postern.Part, error) {
	var list []postern.Part
	var last int32
	for {
		in := &s3.ListPartsInput{Bucket: &b.name, Key: &key, UploadId: &uploadID, MaxParts: aws.Int32(pageOf)}
		if last > 0 {
			in.PartNumberMarker = aws.String(strconv.Itoa(int(last)))
		}
		out, err := b.signing.ListParts(ctx, in)
		if err != nil {
			return nil, fault("list parts", err)
		}
		list = slices.Grow(list, len(out.Parts))
		for i := range out.Parts {
			p := &out.Parts[i]
			n := aws.ToInt32(p.PartNumber)
			if n <= last { // what is summed up must not be counted twice
				return nil, postern.ErrBucketUnavailable.Because(fmt.Errorf("list parts: part %d is listed after part %d", n, last))
			}
			last = n
			list = append(list, postern.Part{Number: int(n), Size: aws.ToInt64(p.Size), ETag: unquote(p.ETag)})
		}
		if !aws.ToBool(out.IsTruncated) || len(out.Parts) == 0 {
			return list, nil
		}
	}
}

// CompleteMultipart implements [postern.Bucket]. It needs s3:PutObject. Besides
// the errors named there it returns ErrSizeMismatch for parts that S3 does not
// join because of their sizes: only the last may have less than 5 MiB.
//
// S3 may begin its answer with status 200 and end it with an error. The SDK
// tells such an answer from a good one.
func (b *Bucket) CompleteMultipart(ctx context.Context, key, uploadID string, parts []postern.Part) error {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &b.name, Key: &key, UploadId: &uploadID,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: make([]types.CompletedPart, len(parts))},
	}
	for i, p := range parts {
		in.MultipartUpload.Parts[i] = types.CompletedPart{
			PartNumber: aws.Int32(int32(p.Number)), //nolint:gosec // at most 10 000
			ETag:       aws.String(`"` + p.ETag + `"`),
		}
	}
	if b.ifNoneMatch {
		in.IfNoneMatch = aws.String("*")
	}
	_, err := b.signing.CompleteMultipartUpload(ctx, in)
	return completeFault(err)
}

// completeFault turns what S3 has to say of parts into our errors.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
func completeFault(err error) error {
	const what = "complete multipart upload"
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fault(what, err)
	}
	switch api.ErrorCode() {
	case "InvalidPart", "InvalidPartOrder":
		return fmt.Errorf("%s: %w: %v", what, postern.ErrPartChanged, err)
	case "PreconditionFailed":
		return fmt.Errorf("%s: %w: %v", what, postern.ErrKeyTaken, err)
	case "EntityTooSmall", "EntityTooLarge":
		return postern.ErrSizeMismatch.Because(cause{what, err})
	}
	return fault(what, err)
}

// AbortMultipart implements [postern.Bucket]. It needs s3:AbortMultipartUpload.
func (b *Bucket) AbortMultipart(ctx context.Context, key, uploadID string) error {
	_, err := b.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: &uploadID})
	if err = fault("abort multipart upload", err); errors.Is(err, postern.ErrNotFound) {
		return nil
	}
	return err
}

// Multiparts implements [postern.Bucket]. It needs
// s3:ListBucketMultipartUploads. MinIO lists nothing unless prefix is a whole
// key. Where the upload after is gone and the server takes that amiss
// (versitygw), the listing goes on with the next key.
func (b *Bucket) Multiparts(ctx context.Context, prefix string, after postern.MultipartUpload, limit int) ([]postern.MultipartUpload, error) {
	var list []postern.MultipartUpload
	for len(list) < limit {
		in := &s3.ListMultipartUploadsInput{
			Bucket: &b.name, Prefix: &prefix, MaxUploads: aws.Int32(int32(min(limit-len(list), pageOf))), //nolint:gosec // at most 1000
		}
		if after.Key != "" {
			in.KeyMarker = &after.Key
		}
		if after.UploadID != "" {
			in.UploadIdMarker = &after.UploadID
		}
		out, err := b.api.ListMultipartUploads(ctx, in)
		if in.UploadIdMarker != nil && saysCode(err, "InvalidArgument") {
			in.UploadIdMarker = nil
			out, err = b.api.ListMultipartUploads(ctx, in)
		}
		if err != nil {
			return nil, fault("list multipart uploads", err)
		}
		for i := range out.Uploads {
			u := &out.Uploads[i]
			after = postern.MultipartUpload{Key: aws.ToString(u.Key), UploadID: aws.ToString(u.UploadId), Started: aws.ToTime(u.Initiated)}
			list = append(list, after)
		}
		if !aws.ToBool(out.IsTruncated) || len(out.Uploads) == 0 {
			break
		}
	}
	return list, nil
}
