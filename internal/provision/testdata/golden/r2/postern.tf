# What "postern setup" does, for Terraform and OpenTofu: terraform init && terraform apply
# A bucket that is there already: terraform import aws_s3_bucket.postern photos
# By hand: Public access cannot be blocked as a whole. Cloudflare R2 has no Block Public Access.
#   Make no policy or ACL that lets anybody read incoming/. "postern doctor" tries it.
# By hand: Let anybody read images/. Cloudflare R2 has no bucket policy.
#   A public R2 bucket is public as a whole, incoming/ too: do not do that. Put a Worker or a custom domain with a rule in front that answers images/ only, and set images_url to it; or show pictures by signed links, which needs nothing.
# By hand: Make two keys: one that signs uploads, one that does the rest. Cloudflare R2 has no IAM API as AWS has it.
#   In the Cloudflare dashboard, R2, Manage API tokens, make a token site-worker with "Object Read & Write" for the bucket photos. R2 has no token that may only write below a prefix: the same token signs uploads, or temporary credentials of its API do, limited to incoming/ and to object-write.
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
    s3 = "https://0123abc.r2.cloudflarestorage.com"
  }
}

resource "aws_s3_bucket" "postern" {
  bucket = "photos"
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
