#!/bin/sh
# What "postern setup" does, with the AWS command line. It may be run again: each
# command sets what it is about, and replaces what was set before: rules and
# statements that are not ours as well.
# By hand: Let the pages send files to the bucket (CORS). MinIO takes no CORS rules by S3's API.
#   CORS is one setting for the whole server. Start it with:
#     MINIO_API_CORS_ALLOW_ORIGIN=https://app.example,http://localhost:3000 minio server …
#   or run: mc admin config set ALIAS api cors_allow_origin=https://app.example,http://localhost:3000
# By hand: Unfinished uploads in parts are not forgotten by a rule. MinIO has no such rule.
#   Keep "postern serve" running: it aborts those that it began. MinIO itself drops parts that nobody finished after a day.
# By hand: Public access cannot be blocked as a whole. MinIO has no Block Public Access.
#   Make no policy or ACL that lets anybody read incoming/. "postern doctor" tries it.
# By hand: Make two keys: one that signs uploads, one that does the rest. MinIO has no IAM API as AWS has it.
#   Save these two policies as signer.json and worker.json:
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
#   Then run:
#     mc admin policy create ALIAS site-signer signer.json
#     mc admin policy create ALIAS site-worker worker.json
#     mc admin user add ALIAS site-signer SECRET1 && mc admin policy attach ALIAS site-signer --user site-signer
#     mc admin user add ALIAS site-worker SECRET2 && mc admin policy attach ALIAS site-worker --user site-worker
#   Put them into a credentials file, as profiles site-signer and site-worker, and name file and profiles in postern.yaml (credentials_file, profile, signer_profile).
set -eu
bucket='photos'
region='eu-central-1'
endpoint='http://127.0.0.1:9000'
s3() { aws --endpoint-url "$endpoint" --region "$region" s3api "$@"; }
perhaps() { "$@" || echo "this server may lack it: $2" >&2; }

# The bucket.
if ! s3 head-bucket --bucket "$bucket" >/dev/null 2>&1; then
  s3 create-bucket --bucket "$bucket"
  perhaps s3 put-bucket-tagging --bucket "$bucket" --tagging '{"TagSet":[{"Key":"postern","Value":"setup"}]}'
fi
s3 put-bucket-lifecycle-configuration --bucket "$bucket" --lifecycle-configuration '{"Rules":[{"Expiration":{"Days":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-incoming","NoncurrentVersionExpiration":{"NoncurrentDays":1},"Status":"Enabled"}]}'
s3 put-bucket-policy --bucket "$bucket" --policy '{"Version":"2012-10-17","Statement":[{"Sid":"PosternPublicImages","Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/images/*"]}]}'
