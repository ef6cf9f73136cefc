#!/bin/sh
# What "postern setup" does, with the AWS command line. It may be run again: each
# command sets what it is about, and replaces what was set before: rules and
# statements that are not ours as well.
# By hand: Public access cannot be blocked as a whole. Cloudflare R2 has no Block Public Access.
#   Make no policy or ACL that lets anybody read incoming/. "postern doctor" tries it.
# By hand: Let anybody read images/. Cloudflare R2 has no bucket policy.
#   A public R2 bucket is public as a whole, incoming/ too: do not do that. Put a Worker or a custom domain with a rule in front that answers images/ only, and set images_url to it; or show pictures by signed links, which needs nothing.
# By hand: Make two keys: one that signs uploads, one that does the rest. Cloudflare R2 has no IAM API as AWS has it.
#   In the Cloudflare dashboard, R2, Manage API tokens, make a token site-worker with "Object Read & Write" for the bucket photos. R2 has no token that may only write below a prefix: the same token signs uploads, or temporary credentials of its API do, limited to incoming/ and to object-write.
#   Put them into a credentials file, as profiles site-signer and site-worker, and name file and profiles in postern.yaml (credentials_file, profile, signer_profile).
set -eu
bucket='photos'
region='eu-central-1'
endpoint='https://0123abc.r2.cloudflarestorage.com'
s3() { aws --endpoint-url "$endpoint" --region "$region" s3api "$@"; }
perhaps() { "$@" || echo "this server may lack it: $2" >&2; }

# The bucket.
if ! s3 head-bucket --bucket "$bucket" >/dev/null 2>&1; then
  s3 create-bucket --bucket "$bucket"
  perhaps s3 put-bucket-tagging --bucket "$bucket" --tagging '{"TagSet":[{"Key":"postern","Value":"setup"}]}'
fi
s3 put-bucket-cors --bucket "$bucket" --cors-configuration '{"CORSRules":[{"AllowedHeaders":["content-type","content-md5","content-disposition","if-none-match","x-amz-checksum-sha256","x-amz-meta-postern"],"AllowedMethods":["PUT"],"AllowedOrigins":["https://app.example","http://localhost:3000"],"ExposeHeaders":["ETag","Location","Retry-After","x-amz-request-id"],"ID":"postern","MaxAgeSeconds":3600}]}'
s3 put-bucket-lifecycle-configuration --bucket "$bucket" --lifecycle-configuration '{"Rules":[{"Expiration":{"Days":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-incoming","Status":"Enabled"},{"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1},"Filter":{"Prefix":"incoming/"},"ID":"postern-parts","Status":"Enabled"}]}'
