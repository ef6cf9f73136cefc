// Package s3 is a [postern.Bucket] on any S3 server, through the AWS SDK: the
// verbs Postern uses and the AWS credential chain, nothing else.
//
// The embedded bucket is reached through it just as AWS is: one path, always
// tested. Each method names the IAM action it needs; the service needs
// s3:GetObject and s3:ListBucket on incoming/, the worker also
// s3:DeleteObject there and s3:PutObject, s3:GetObject and s3:DeleteObject on
// images/ (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).
package s3
