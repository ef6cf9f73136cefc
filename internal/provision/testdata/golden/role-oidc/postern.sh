#!/bin/sh
# What "postern setup" does, with the AWS command line. It may be run again: each
# command sets what it is about, and replaces what was set before: rules and
# statements that are not ours as well.
set -eu
bucket='photos'
region='eu-central-1'
s3() { aws --region "$region" s3api "$@"; }

# The bucket.
if ! s3 head-bucket --bucket "$bucket" >/dev/null 2>&1; then
  s3 create-bucket --bucket "$bucket" --create-bucket-configuration LocationConstraint="$region"
  s3 put-bucket-tagging --bucket "$bucket" --tagging '{"TagSet":[{"Key":"postern","Value":"setup"}]}'
fi
s3 put-public-access-block --bucket "$bucket" --public-access-block-configuration '{"BlockPublicAcls":true,"IgnorePublicAcls":true,"BlockPublicPolicy":true,"RestrictPublicBuckets":true}'
s3 put-bucket-ownership-controls --bucket "$bucket" --ownership-controls '{"Rules":[{"ObjectOwnership":"BucketOwnerEnforced"}]}'
s3 put-bucket-encryption --bucket "$bucket" --server-side-encryption-configuration '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'
s3 put-bucket-cors --bucket "$bucket" --cors-configuration '{"CORSRules":[{"AllowedHeaders":["content-type","content-md5","content-disposition","if-none-match","x-amz-checksum-sha256","x-amz-meta-postern"],"AllowedMethods":["POST","PUT"],"AllowedOrigins":["https://app.example","http://localhost:3000"],"ExposeHeaders":["ETag","Location","Retry-After","x-amz-request-id"],"ID":"postern","MaxAgeSeconds":3600}]}'
s3 put-bucket-lifecycle-configuration --bucket "$bucket" --lifecycle-configuration '{"Rules":[{"Expiration":{"Days":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-incoming","NoncurrentVersionExpiration":{"NoncurrentDays":1},"Status":"Enabled"},{"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-parts","Status":"Enabled"}]}'
s3 put-bucket-policy --bucket "$bucket" --policy '{"Version":"2012-10-17","Statement":[{"Sid":"PosternTLSOnly","Effect":"Deny","Principal":"*","Action":["s3:*"],"Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"],"Condition":{"Bool":{"aws:SecureTransport":["false"]}}},{"Sid":"PosternFreshSignature","Effect":"Deny","Principal":"*","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::photos/incoming/*"],"Condition":{"NumericGreaterThan":{"s3:signatureAge":["3600000"]}}},{"Sid":"PosternSignatureV4","Effect":"Deny","Principal":"*","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::photos/incoming/*"],"Condition":{"StringEquals":{"s3:signatureversion":["AWS"]}}}]}'

iam() { aws iam "$@"; }

# One role.
if iam get-role --role-name 'site' >/dev/null 2>&1; then
  iam update-assume-role-policy --role-name 'site' --policy-document '{"Version":"2012-10-17","Statement":[{"Sid":"PosternTrust","Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},"Action":["sts:AssumeRoleWithWebIdentity"],"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":["sts.amazonaws.com"],"token.actions.githubusercontent.com:sub":["repo:me/site:ref:refs/heads/main"]}}}]}'
else
  iam create-role --role-name 'site' --tags 'Key=postern,Value=setup' --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Sid":"PosternTrust","Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},"Action":["sts:AssumeRoleWithWebIdentity"],"Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":["sts.amazonaws.com"],"token.actions.githubusercontent.com:sub":["repo:me/site:ref:refs/heads/main"]}}}]}'
fi
iam put-role-policy --role-name 'site' --policy-name 'postern-signer' --policy-document '{"Version":"2012-10-17","Statement":[{"Sid":"PosternSign","Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::photos/incoming/*"]}]}'
iam put-role-policy --role-name 'site' --policy-name 'postern-worker' --policy-document '{"Version":"2012-10-17","Statement":[{"Sid":"PosternCheck","Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":["arn:aws:s3:::photos/incoming/*"]},{"Sid":"PosternServe","Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":["arn:aws:s3:::photos/images/*"]},{"Sid":"PosternSweep","Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketMultipartUploads"],"Resource":["arn:aws:s3:::photos"]}]}'
