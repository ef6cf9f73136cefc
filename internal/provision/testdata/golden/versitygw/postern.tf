# What "postern setup" does, for Terraform and OpenTofu: terraform init && terraform apply
# A bucket that is there already: terraform import aws_s3_bucket.postern photos
# By hand: Nothing empties incoming/ by itself. Versity S3 Gateway has no lifecycle rules by S3's API.
#   Keep "postern serve" running: its sweep is all that tidies up.
# By hand: Public access cannot be blocked as a whole. Versity S3 Gateway has no Block Public Access.
#   Make no policy or ACL that lets anybody read incoming/. "postern doctor" tries it.
# By hand: Let every preset send by PUT. Versity S3 Gateway judges a form by the bucket and not by its key: the signer's key, limited to incoming/, can send none.
#   In postern.yaml, give each preset "transfer: put":
#     presets:
#       - name: default
#         transfer: put

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "iam_endpoint" {
  type        = string
  description = "URL of the server's IAM API"
}

provider "aws" {
  region                      = "eu-central-1"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  s3_use_path_style           = true
  endpoints {
    s3  = "http://127.0.0.1:7070"
    iam = var.iam_endpoint
  }
}

resource "aws_s3_bucket" "postern" {
  bucket = "photos"
  tags = {
    postern = "setup"
  }
}

resource "aws_s3_bucket_ownership_controls" "postern" {
  bucket = aws_s3_bucket.postern.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
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

resource "aws_s3_bucket_policy" "postern" {
  bucket = aws_s3_bucket.postern.id
  policy = <<-JSON
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
        }
      ]
    }
  JSON
}

# The secrets of these keys are in Terraform's state: keep it where the keys may be.

resource "aws_iam_user" "signer" {
  name = "site-signer"
  tags = {
    postern = "setup"
  }
}

resource "aws_iam_user_policy" "signer" {
  name   = "postern-signer"
  user   = aws_iam_user.signer.name
  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "PosternSign",
          "Effect": "Allow",
          "Action": [
            "s3:PutObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts"
          ],
          "Resource": [
            "arn:aws:s3:::photos/incoming/*"
          ]
        }
      ]
    }
  JSON
}

resource "aws_iam_access_key" "signer" {
  user = aws_iam_user.signer.name
}

output "signer_access_key_id" {
  value = aws_iam_access_key.signer.id
}

output "signer_secret_access_key" {
  value     = aws_iam_access_key.signer.secret
  sensitive = true
}

resource "aws_iam_user" "worker" {
  name = "site-worker"
  tags = {
    postern = "setup"
  }
}

resource "aws_iam_user_policy" "worker" {
  name   = "postern-worker"
  user   = aws_iam_user.worker.name
  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "PosternCheck",
          "Effect": "Allow",
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
          "Action": [
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads"
          ],
          "Resource": [
            "arn:aws:s3:::photos"
          ]
        }
      ]
    }
  JSON
}

resource "aws_iam_access_key" "worker" {
  user = aws_iam_user.worker.name
}

output "worker_access_key_id" {
  value = aws_iam_access_key.worker.id
}

output "worker_secret_access_key" {
  value     = aws_iam_access_key.worker.secret
  sensitive = true
}
