# What "postern setup" does, for Terraform and OpenTofu: terraform init && terraform apply
# A bucket that is there already: terraform import aws_s3_bucket.postern photos
# Left out, as nobody has shown that the server has it: Block Public Access.
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

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region                      = "eu-central-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  s3_use_path_style           = false
  endpoints {
    s3 = "https://storage.googleapis.com"
  }
}

resource "aws_s3_bucket" "postern" {
  bucket = "photos"
}
