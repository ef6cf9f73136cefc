# What "postern setup" does, for Terraform and OpenTofu: terraform init && terraform apply
# A bucket that is there already: terraform import aws_s3_bucket.postern photos

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

resource "aws_s3_bucket" "postern" {
  bucket = "photos"
  tags = {
    postern = "setup"
  }
}

resource "aws_s3_bucket_public_access_block" "postern" {
  bucket                  = aws_s3_bucket.postern.id
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "postern" {
  bucket = aws_s3_bucket.postern.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "postern" {
  bucket = aws_s3_bucket.postern.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
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
          "Sid": "PosternTLSOnly",
          "Effect": "Deny",
          "Principal": "*",
          "Action": [
            "s3:*"
          ],
          "Resource": [
            "arn:aws:s3:::photos",
            "arn:aws:s3:::photos/*"
          ],
          "Condition": {
            "Bool": {
              "aws:SecureTransport": [
                "false"
              ]
            }
          }
        },
        {
          "Sid": "PosternFreshSignature",
          "Effect": "Deny",
          "Principal": "*",
          "Action": [
            "s3:PutObject"
          ],
          "Resource": [
            "arn:aws:s3:::photos/incoming/*"
          ],
          "Condition": {
            "NumericGreaterThan": {
              "s3:signatureAge": [
                "3600000"
              ]
            }
          }
        },
        {
          "Sid": "PosternSignatureV4",
          "Effect": "Deny",
          "Principal": "*",
          "Action": [
            "s3:PutObject"
          ],
          "Resource": [
            "arn:aws:s3:::photos/incoming/*"
          ],
          "Condition": {
            "StringEquals": {
              "s3:signatureversion": [
                "AWS"
              ]
            }
          }
        }
      ]
    }
  JSON
}

resource "aws_iam_role" "postern" {
  name               = "site"
  assume_role_policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "PosternTrust",
          "Effect": "Allow",
          "Principal": {
            "Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
          },
          "Action": [
            "sts:AssumeRoleWithWebIdentity"
          ],
          "Condition": {
            "StringEquals": {
              "token.actions.githubusercontent.com:aud": [
                "sts.amazonaws.com"
              ],
              "token.actions.githubusercontent.com:sub": [
                "repo:me/site:ref:refs/heads/main"
              ]
            }
          }
        }
      ]
    }
  JSON
  tags = {
    postern = "setup"
  }
}

resource "aws_iam_role_policy" "signer" {
  name   = "postern-signer"
  role   = aws_iam_role.postern.id
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

resource "aws_iam_role_policy" "worker" {
  name   = "postern-worker"
  role   = aws_iam_role.postern.id
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
