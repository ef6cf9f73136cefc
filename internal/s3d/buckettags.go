package s3d

import "net/http"

// maxBucketTags: "You can add up to 50 tags to each bucket", which the guide to
// cost allocation tags and the API reference both say.
const maxBucketTags = 50

func bucketTagOperations() []operation {
	const by = "tagging"
	return []operation{
		{name: "GetBucketTagging", method: http.MethodGet, level: onBucket, by: by, action: "s3:GetBucketTagging", run: (*exchange).getBucketTags},
		{
			name: "PutBucketTagging", method: http.MethodPut, level: onBucket, by: by, action: "s3:PutBucketTagging",
			headers: checksumHeaders(), run: (*exchange).putBucketTags,
		},
		{name: "DeleteBucketTagging", method: http.MethodDelete, level: onBucket, by: by, action: "s3:PutBucketTagging", run: (*exchange).deleteBucketTags},
	}
}

func parseBucketTags(doc []byte) (tagSet, error) { return parseTagging(doc, maxBucketTags) }

// getBucketTags: "Error code: NoSuchTagSet. Description: There is no tag set
// associated with the bucket."
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html
func (x *exchange) getBucketTags() error {
	if x.bucket.tags.document() == nil {
		return fault(http.StatusNotFound, "NoSuchTagSet", "The TagSet does not exist", "BucketName", x.name)
	}
	x.answerTags(x.bucket.tags.value())
	return nil
}

// putBucketTags replaces all tags of the bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html
func (x *exchange) putBucketTags() error {
	doc, err := x.settings()
	if err != nil {
		return err
	}
	if err := x.bucket.tags.set(x.bucket, doc); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}

func (x *exchange) deleteBucketTags() error {
	if err := x.bucket.tags.set(x.bucket, nil); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}
