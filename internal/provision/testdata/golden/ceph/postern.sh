#!/bin/sh
# What "postern setup" does, with the AWS command line. It may be run again: each
# command sets what it is about, and replaces what was set before.
# By hand: Make two keys: one that signs uploads, one that does the rest. Ceph RGW has no IAM API as AWS has it.
#   Run:
#     radosgw-admin user create --uid=site-signer --display-name=site-signer
#     radosgw-admin user create --uid=site-worker --display-name=site-worker
#   Its user policies never let a form in, so the bucket policy has to: add these statements to it, with Principal {"AWS": "arn:aws:iam:::user/site-signer"} and {"AWS": "arn:aws:iam:::user/site-worker"}:
#   {
#     "Version": "2012-10-17",
#     "Statement": [
#       {
#         "Sid": "PosternSign",
#         "Effect": "Allow",
#         "Action": [
#           "s3:PutObject",
#           "s3:AbortMultipartUpload",
#           "s3:ListMultipartUploadParts"
#         ],
#         "Resource": [
#           "arn:aws:s3:::photos/incoming/*"
#         ]
#       }
#     ]
#   }
#   {
#     "Version": "2012-10-17",
#     "Statement": [
#       {
#         "Sid": "PosternCheck",
#         "Effect": "Allow",
#         "Action": [
#           "s3:GetObject",
#           "s3:DeleteObject",
#           "s3:AbortMultipartUpload",
#           "s3:ListMultipartUploadParts"
#         ],
#         "Resource": [
#           "arn:aws:s3:::photos/incoming/*"
#         ]
#       },
#       {
#         "Sid": "PosternServe",
#         "Effect": "Allow",
#         "Action": [
#           "s3:GetObject",
#           "s3:PutObject",
#           "s3:DeleteObject"
#         ],
#         "Resource": [
#           "arn:aws:s3:::photos/images/*"
#         ]
#       },
#       {
#         "Sid": "PosternSweep",
#         "Effect": "Allow",
#         "Action": [
#           "s3:ListBucket",
#           "s3:ListBucketMultipartUploads"
#         ],
#         "Resource": [
#           "arn:aws:s3:::photos"
#         ]
#       }
#     ]
#   }
#   Put them into a credentials file, as profiles site-signer and site-worker, and name file and profiles in postern.yaml (credentials_file, profile, signer_profile).
set -eu
bucket='photos'
region='eu-central-1'
endpoint='https://ceph.example'
s3() { aws --endpoint-url "$endpoint" --region "$region" s3api "$@"; }

# The bucket.
if ! s3 head-bucket --bucket "$bucket" >/dev/null 2>&1; then
  s3 create-bucket --bucket "$bucket"
  s3 put-bucket-tagging --bucket "$bucket" --tagging '{"TagSet":[{"Key":"postern","Value":"setup"}]}'
fi
s3 put-public-access-block --bucket "$bucket" --public-access-block-configuration '{"BlockPublicAcls":true,"IgnorePublicAcls":true,"BlockPublicPolicy":false,"RestrictPublicBuckets":false}'
s3 put-bucket-cors --bucket "$bucket" --cors-configuration '{"CORSRules":[{"AllowedHeaders":["content-type","content-md5","content-disposition","if-none-match","x-amz-checksum-sha256","x-amz-meta-postern"],"AllowedMethods":["POST","PUT"],"AllowedOrigins":["https://app.example","http://localhost:3000"],"ExposeHeaders":["ETag","Location","Retry-After","x-amz-request-id"],"ID":"postern","MaxAgeSeconds":3600}]}'
s3 put-bucket-lifecycle-configuration --bucket "$bucket" --lifecycle-configuration '{"Rules":[{"Expiration":{"Days":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-incoming","Status":"Enabled"},{"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-parts","Status":"Enabled"}]}'
s3 put-bucket-policy --bucket "$bucket" --policy '{"Version":"2012-10-17","Statement":[{"Sid":"PosternTLSOnly","Effect":"Deny","Principal":"*","Action":["s3:*"],"Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"],"Condition":{"Bool":{"aws:SecureTransport":["false"]}}},{"Sid":"PosternPublicImages","Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/images/*"]}]}'
