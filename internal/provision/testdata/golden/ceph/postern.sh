#!/bin/sh
# What "postern setup" does, with the AWS command line. It may be run again: each
# command sets what it is about, and replaces what was set before: rules and
# statements that are not ours as well.
# By hand: Make two keys: one that signs uploads, one that does the rest. Ceph RGW has no IAM API as AWS has it.
#   Run, and note the keys that are printed:
#     radosgw-admin user create --uid=site-signer --display-name=site-signer
#     radosgw-admin user create --uid=site-worker --display-name=site-worker
#   What they may do stands in the bucket's policy, which setup writes: its user policies never let a form in.
#   Put them into a credentials file, as profiles site-signer and site-worker, and name file and profiles in postern.yaml (credentials_file, profile, signer_profile).
set -eu
bucket='photos'
region='eu-central-1'
endpoint='https://ceph.example'
s3() { aws --endpoint-url "$endpoint" --region "$region" s3api "$@"; }
perhaps() { "$@" || echo "this server may lack it: $2" >&2; }

# The bucket.
if ! s3 head-bucket --bucket "$bucket" >/dev/null 2>&1; then
  s3 create-bucket --bucket "$bucket"
  perhaps s3 put-bucket-tagging --bucket "$bucket" --tagging '{"TagSet":[{"Key":"postern","Value":"setup"}]}'
fi
s3 put-public-access-block --bucket "$bucket" --public-access-block-configuration '{"BlockPublicAcls":false,"IgnorePublicAcls":true,"BlockPublicPolicy":false,"RestrictPublicBuckets":false}'
s3 put-bucket-cors --bucket "$bucket" --cors-configuration '{"CORSRules":[{"AllowedHeaders":["content-type","content-md5","content-disposition","if-none-match","x-amz-checksum-sha256","x-amz-meta-postern"],"AllowedMethods":["POST","PUT"],"AllowedOrigins":["https://app.example","http://localhost:3000"],"ExposeHeaders":["ETag","Location","Retry-After","x-amz-request-id"],"ID":"postern","MaxAgeSeconds":3600}]}'
s3 put-bucket-lifecycle-configuration --bucket "$bucket" --lifecycle-configuration '{"Rules":[{"Expiration":{"Days":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-incoming","NoncurrentVersionExpiration":{"NoncurrentDays":1},"Status":"Enabled"},{"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-parts","Status":"Enabled"}]}'
s3 put-bucket-policy --bucket "$bucket" --policy '{"Version":"2012-10-17","Statement":[{"Sid":"PosternPublicImages","Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/images/*"]},{"Sid":"PosternSign","Effect":"Allow","Principal":{"AWS":"arn:aws:iam:::user/site-signer"},"Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::photos/incoming/*"]},{"Sid":"PosternCheck","Effect":"Allow","Principal":{"AWS":"arn:aws:iam:::user/site-worker"},"Action":["s3:GetObject","s3:DeleteObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::photos/incoming/*"]},{"Sid":"PosternServe","Effect":"Allow","Principal":{"AWS":"arn:aws:iam:::user/site-worker"},"Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":["arn:aws:s3:::photos/images/*"]},{"Sid":"PosternSweep","Effect":"Allow","Principal":{"AWS":"arn:aws:iam:::user/site-worker"},"Action":["s3:ListBucket","s3:ListBucketMultipartUploads"],"Resource":["arn:aws:s3:::photos"]},{"Sid":"PosternSignerReadsNothing","Effect":"Deny","Principal":{"AWS":"arn:aws:iam:::user/site-signer"},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/*"]}]}'
