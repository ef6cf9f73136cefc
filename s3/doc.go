// Package s3 is a [postern.Bucket] on any S3 server, through the AWS SDK: the
// verbs Postern uses, the AWS credential chain and the bucket's clock, nothing
// else.
//
// The embedded bucket is reached through it just as AWS is: one path, always
// tested. Each method names the IAM action it needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
// In all:
//
//	the bucket   s3:ListBucket on the prefix incoming/; with uploads in parts
//	             s3:ListBucketMultipartUploads, which cannot be held to a prefix
//	incoming/*   s3:PutObject and s3:GetObject; the worker s3:DeleteObject; with
//	             uploads in parts s3:ListMultipartUploadParts and
//	             s3:AbortMultipartUpload
//	images/*     the worker s3:PutObject, s3:GetObject and s3:DeleteObject
//
// Creating an upload in parts, sending a part and completing one are all
// s3:PutObject (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions).
// What browsers send by a grant is done with the signer's permissions.
package s3
