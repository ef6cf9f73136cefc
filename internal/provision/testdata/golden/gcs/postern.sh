#!/bin/sh
# What "postern setup" does, with the AWS command line. It may be run again: each
# command sets what it is about, and replaces what was set before: rules and
# statements that are not ours as well.
# By hand: Let the pages send files to the bucket (CORS). Google Cloud Storage (XML API) takes no CORS rules by S3's API.
#   Save this as cors.json:
#     [{"origin": ["https://app.example", "http://localhost:3000"], "method": ["POST", "PUT"], "responseHeader": ["content-type", "content-md5", "content-disposition", "if-none-match", "x-amz-checksum-sha256", "x-amz-meta-postern", "ETag", "Location", "Retry-After", "x-amz-request-id"], "maxAgeSeconds": 3600}]
#   and run: gcloud storage buckets update gs://photos --cors-file=cors.json
# By hand: Nothing empties incoming/ by itself. Google Cloud Storage (XML API) has no lifecycle rules by S3's API.
#   Save this as lifecycle.json:
#     {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 1, "matchesPrefix": ["incoming/"]}}, {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 1}}]}
#   and run: gcloud storage buckets update gs://photos --lifecycle-file=lifecycle.json
# By hand: Make two keys: one that signs uploads, one that does the rest. Google Cloud Storage (XML API) has no IAM API as AWS has it.
#   Make two service accounts, site-signer and site-worker, each with an HMAC key (gcloud storage hmac create). Give the signer roles/storage.objectCreator with the condition resource.name.startsWith("projects/_/buckets/photos/objects/incoming/"), and the worker roles/storage.objectUser on the bucket.
#   Put them into a credentials file, as profiles site-signer and site-worker, and name file and profiles in postern.yaml (credentials_file, profile, signer_profile).
set -eu
bucket='photos'
region='eu-central-1'
endpoint='https://storage.googleapis.com'
s3() { aws --endpoint-url "$endpoint" --region "$region" s3api "$@"; }
perhaps() { "$@" || echo "this server may lack it: $2" >&2; }

# The bucket.
if ! s3 head-bucket --bucket "$bucket" >/dev/null 2>&1; then
  s3 create-bucket --bucket "$bucket"
  perhaps s3 put-bucket-tagging --bucket "$bucket" --tagging '{"TagSet":[{"Key":"postern","Value":"setup"}]}'
fi
perhaps s3 put-public-access-block --bucket "$bucket" --public-access-block-configuration '{"BlockPublicAcls":true,"IgnorePublicAcls":true,"BlockPublicPolicy":true,"RestrictPublicBuckets":true}'
