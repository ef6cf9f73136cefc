#!/bin/sh
# What "postern setup" does, with the AWS command line. It may be run again: each
# command sets what it is about, and replaces what was set before: rules and
# statements that are not ours as well.
# By hand: Nothing empties incoming/ by itself. Versity S3 Gateway has no lifecycle rules by S3's API.
#   Keep "postern serve" running: its sweep is all that tidies up.
# By hand: Public access cannot be blocked as a whole. Versity S3 Gateway has no Block Public Access.
#   Make no policy or ACL that lets anybody read incoming/. "postern doctor" tries it.
# By hand: Let every preset send by PUT. Versity S3 Gateway judges a form by the bucket and not by its key: the signer's key, limited to incoming/, can send none.
#   In postern.yaml, give each preset "transfer: put":
#     presets:
#       - name: default
#         transfer: put
set -eu
bucket='photos'
region='eu-central-1'
endpoint='http://127.0.0.1:7070'
s3() { aws --endpoint-url "$endpoint" --region "$region" s3api "$@"; }
perhaps() { "$@" || echo "this server may lack it: $2" >&2; }

# The bucket.
if ! s3 head-bucket --bucket "$bucket" >/dev/null 2>&1; then
  s3 create-bucket --bucket "$bucket"
  perhaps s3 put-bucket-tagging --bucket "$bucket" --tagging '{"TagSet":[{"Key":"postern","Value":"setup"}]}'
fi
s3 put-bucket-ownership-controls --bucket "$bucket" --ownership-controls '{"Rules":[{"ObjectOwnership":"BucketOwnerEnforced"}]}'
s3 put-bucket-cors --bucket "$bucket" --cors-configuration '{"CORSRules":[{"AllowedHeaders":["content-type","content-md5","content-disposition","if-none-match","x-amz-checksum-sha256","x-amz-meta-postern"],"AllowedMethods":["POST","PUT"],"AllowedOrigins":["https://app.example","http://localhost:3000"],"ExposeHeaders":["ETag","Location","Retry-After","x-amz-request-id"],"ID":"postern","MaxAgeSeconds":3600}]}'
s3 put-bucket-policy --bucket "$bucket" --policy '{"Version":"2012-10-17","Statement":[{"Sid":"PosternPublicImages","Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/images/*"]}]}'

# The server's IAM API, which has an address of its own.
: "${AWS_ENDPOINT_URL_IAM:?set it to the URL of the server's IAM API}"
iam() { aws --endpoint-url "$AWS_ENDPOINT_URL_IAM" --region "$region" iam "$@"; }

# Two users. A new key is printed once: put it into a credentials file.
iam get-user --user-name 'site-signer' >/dev/null 2>&1 || iam create-user --user-name 'site-signer' --tags 'Key=postern,Value=setup'
iam put-user-policy --user-name 'site-signer' --policy-name 'postern-signer' --policy-document '{"Version":"2012-10-17","Statement":[{"Sid":"PosternSign","Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::photos/incoming/*"]}]}'
if [ -z "$(iam list-access-keys --user-name 'site-signer' --query 'AccessKeyMetadata[].AccessKeyId' --output text)" ]; then
  iam create-access-key --user-name 'site-signer'
fi
iam get-user --user-name 'site-worker' >/dev/null 2>&1 || iam create-user --user-name 'site-worker' --tags 'Key=postern,Value=setup'
iam put-user-policy --user-name 'site-worker' --policy-name 'postern-worker' --policy-document '{"Version":"2012-10-17","Statement":[{"Sid":"PosternCheck","Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::photos/incoming/*"]},{"Sid":"PosternServe","Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":["arn:aws:s3:::photos/images/*"]},{"Sid":"PosternSweep","Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketMultipartUploads"],"Resource":["arn:aws:s3:::photos"]}]}'
if [ -z "$(iam list-access-keys --user-name 'site-worker' --query 'AccessKeyMetadata[].AccessKeyId' --output text)" ]; then
  iam create-access-key --user-name 'site-worker'
fi
