#!/bin/sh
# What "postern setup" does, with the AWS command line. It may be run again: each
# command sets what it is about, and replaces what was set before: rules and
# statements that are not ours as well.
# By hand: Make two keys: one that signs uploads, one that does the rest. Backblaze B2 has no IAM API as AWS has it.
#   Run:
#     b2 key create --bucket photos --name-prefix incoming/ site-signer writeFiles
#     b2 key create --bucket photos site-worker listBuckets,listAllBucketNames,listFiles,readFiles,writeFiles,deleteFiles
#   Put them into a credentials file, as profiles site-signer and site-worker, and name file and profiles in postern.yaml (credentials_file, profile, signer_profile).
set -eu
bucket='photos'
region='eu-central-1'
endpoint='https://s3.eu-central-003.backblazeb2.com'
s3() { aws --endpoint-url "$endpoint" --region "$region" s3api "$@"; }
perhaps() { "$@" || echo "this server may lack it: $2" >&2; }

# The bucket.
if ! s3 head-bucket --bucket "$bucket" >/dev/null 2>&1; then
  s3 create-bucket --bucket "$bucket"
  perhaps s3 put-bucket-tagging --bucket "$bucket" --tagging '{"TagSet":[{"Key":"postern","Value":"setup"}]}'
fi
perhaps s3 put-public-access-block --bucket "$bucket" --public-access-block-configuration '{"BlockPublicAcls":true,"IgnorePublicAcls":true,"BlockPublicPolicy":true,"RestrictPublicBuckets":true}'
s3 put-bucket-cors --bucket "$bucket" --cors-configuration '{"CORSRules":[{"AllowedHeaders":["content-type","content-md5","content-disposition","if-none-match","x-amz-checksum-sha256","x-amz-meta-postern"],"AllowedMethods":["PUT"],"AllowedOrigins":["https://app.example","http://localhost:3000"],"ExposeHeaders":["ETag","Location","Retry-After","x-amz-request-id"],"ID":"postern","MaxAgeSeconds":3600}]}'
s3 put-bucket-lifecycle-configuration --bucket "$bucket" --lifecycle-configuration '{"Rules":[{"Expiration":{"Days":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-incoming","NoncurrentVersionExpiration":{"NoncurrentDays":1},"Status":"Enabled"},{"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-parts","Status":"Enabled"}]}'
