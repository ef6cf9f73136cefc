# What "postern setup" does, for Terraform and OpenTofu: terraform init && terraform apply
# A bucket that is there already: terraform import aws_s3_bucket.postern photos
# By hand: Make two keys: one that signs uploads, one that does the rest. Ceph RGW has no IAM API as AWS has it.
#   Run, and note the keys that are printed:
#     radosgw-admin user create --uid=site-signer --display-name=site-signer
#     radosgw-admin user create --uid=site-worker --display-name=site-worker
#   What they may do stands in the bucket's policy, which setup writes: its user policies never let a form in.
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
    s3 = "https://ceph.example"
  }
}

resource "aws_s3_bucket" "postern" {
  bucket = "photos"
  tags = {
    postern = "setup"
  }
}

resource "aws_s3_bucket_public_access_block" "postern" {
  bucket                  = aws_s3_bucket.postern.id
  block_public_acls       = false
  ignore_public_acls      = true
  block_public_policy     = false
  restrict_public_buckets = false
}

resource "aws_s3_bucket_cors_configuration" "postern" {
  bucket = aws_s3_bucket.postern.id
  cors_rule {
    id              = "postern"
    allowed_origins = ["https://app.example", "http://localhost:3000"]
    allowed_methods = ["POST", "PUT"]
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

resource "aws_s3_bucket_policy" "postern" {
  bucket     = aws_s3_bucket.postern.id
  depends_on = [aws_s3_bucket_public_access_block.postern]
  policy     = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "PosternPublicImages",
          "Effect": "Allow",
          "Principal": "*",
          "Action": [
            "s3:GetObject"
          ],
          "Resource": [
            "arn:aws:s3:::photos/images/*"
          ]
        },
        {
          "Sid": "PosternSign",
          "Effect": "Allow",
          "Principal": {
            "AWS": "arn:aws:iam:::user/site-signer"
          },
          "Action": [
            "s3:PutObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts"
          ],
          "Resource": [
            "arn:aws:s3:::photos/incoming/*"
          ]
        },
        {
          "Sid": "PosternCheck",
          "Effect": "Allow",
          "Principal": {
            "AWS": "arn:aws:iam:::user/site-worker"
          },
          "Action": [
            "s3:GetObject",
            "s3:DeleteObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts"
          ],
          "Resource": [
            "arn:aws:s3:::photos/incoming/*"
          ]
        },
        {
          "Sid": "PosternServe",
          "Effect": "Allow",
          "Principal": {
            "AWS": "arn:aws:iam:::user/site-worker"
          },
          "Action": [
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject"
          ],
          "Resource": [
            "arn:aws:s3:::photos/images/*"
          ]
        },
        {
          "Sid": "PosternSweep",
          "Effect": "Allow",
          "Principal": {
            "AWS": "arn:aws:iam:::user/site-worker"
          },
          "Action": [
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads"
          ],
          "Resource": [
            "arn:aws:s3:::photos"
          ]
        },
        {
          "Sid": "PosternSignerReadsNothing",
          "Effect": "Deny",
          "Principal": {
            "AWS": "arn:aws:iam:::user/site-signer"
          },
          "Action": [
            "s3:GetObject"
          ],
          "Resource": [
            "arn:aws:s3:::photos/*"
          ]
        }
      ]
    }
  JSON
}
