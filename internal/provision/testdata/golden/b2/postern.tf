# What "postern setup" does, for Terraform and OpenTofu: terraform init && terraform apply
# A bucket that is there already: terraform import aws_s3_bucket.postern photos
# Left out, as nobody has shown that the server has it: Block Public Access.
# By hand: Make two keys: one that signs uploads, one that does the rest. Backblaze B2 has no IAM API as AWS has it.
#   Run:
#     b2 key create --bucket photos --name-prefix incoming/ site-signer writeFiles
#     b2 key create --bucket photos site-worker listBuckets,listAllBucketNames,listFiles,readFiles,writeFiles,deleteFiles
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
  s3_use_path_style           = true
  endpoints {
    s3 = "https://s3.eu-central-003.backblazeb2.com"
  }
}

resource "aws_s3_bucket" "postern" {
  bucket = "photos"
  tags = {
    postern = "setup"
  }
}

resource "aws_s3_bucket_cors_configuration" "postern" {
  bucket = aws_s3_bucket.postern.id
  cors_rule {
    id              = "postern"
    allowed_origins = ["https://app.example", "http://localhost:3000"]
    allowed_methods = ["PUT"]
    allowed_headers = ["content-type", "content-md5", "content-disposition", "if-none-match", "x-amz-checksum-sha256", "x-amz-meta-postern"]
    expose_headers  = ["ETag", "Location", "Retry-After", "x-amz-request-id"]
    max_age_seconds = 3600
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "postern" {
  bucket = aws_s3_bucket.postern.id
  rule {
    id     = "postern-incoming"
    status = "Enabled"
    filter {
      prefix = "incoming/"
    }
    expiration {
      days = 1
    }
    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }
  rule {
    id     = "postern-parts"
    status = "Enabled"
    filter {
      prefix = "incoming/"
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}
