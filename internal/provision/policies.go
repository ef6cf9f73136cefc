package provision

import "postern.example/postern"

// The actions are those of "Actions, resources, and condition keys for Amazon
// S3" in AWS's Service Authorization Reference.

// policyVersion is the version of the policy language: "IAM JSON policy
// elements: Version", IAM user guide.
const policyVersion = "2012-10-17"

const (
	allow = "Allow"
	deny  = "Deny"
)

// partition is AWS's partition of the region, the second field of every ARN.
func (w *Want) partition() string {
	for _, p := range []struct{ prefix, partition string }{{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}} {
		if len(w.Region) > len(p.prefix) && w.Region[:len(p.prefix)] == p.prefix {
			return p.partition
		}
	}
	return "aws"
}

// BucketARN names the bucket.
func (w *Want) BucketARN() string { return "arn:" + w.partition() + ":s3:::" + w.Bucket }

func (w *Want) incoming() string { return w.BucketARN() + "/" + postern.IncomingPrefix + "*" }
func (w *Want) images() string   { return w.BucketARN() + "/" + postern.ImagesPrefix + "*" }

// UserARN names the user for a kind of key, RoleARN the role. The account is "*"
// while nobody knows it.
func (w *Want) UserARN(kind string) string { return w.iamARN("user/" + w.UserName(kind)) }

// RoleARN names the role.
func (w *Want) RoleARN() string { return w.iamARN("role/" + w.Role) }

func (w *Want) iamARN(what string) string {
	account := w.Account
	if account == "" {
		account = "*"
	}
	return "arn:" + w.partition() + ":iam::" + account + ":" + what
}

// SignerPolicy is what the key may do whose signatures leave the house. Begin,
// part and complete of an upload in parts are all s3:PutObject; list and abort
// are not.
func SignerPolicy(w *Want) Policy {
	return Policy{Version: policyVersion, Statement: []Statement{{
		Sid: "PosternSign", Effect: allow,
		Action:   []string{"s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
		Resource: []string{w.incoming()},
	}}}
}

// WorkerPolicy is what the key may do that never leaves the house. It lists the
// whole bucket: without s3:ListBucket a missing key is answered 403 and not
// 404, and a condition on s3:prefix is never met by a HEAD, which has no
// prefix.
func WorkerPolicy(w *Want) Policy {
	return Policy{Version: policyVersion, Statement: []Statement{
		{
			Sid: "PosternCheck", Effect: allow,
			Action:   []string{"s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
			Resource: []string{w.incoming()},
		},
		{
			Sid: "PosternServe", Effect: allow,
			Action:   []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
			Resource: []string{w.images()},
		},
		{
			Sid: "PosternSweep", Effect: allow,
			Action:   []string{"s3:ListBucket", "s3:ListBucketMultipartUploads"},
			Resource: []string{w.BucketARN()},
		},
	}}
}

// KeyPolicy is SignerPolicy or WorkerPolicy, by the kind of key.
func KeyPolicy(w *Want, kind string) Policy {
	if kind == Signer {
		return SignerPolicy(w)
	}
	return WorkerPolicy(w)
}

// OperatorPolicy is what somebody needs who runs setup, and no more: to read
// and write the settings of this one bucket, to make and remove these users or
// this role. sts:GetCallerIdentity needs no permission.
func OperatorPolicy(w *Want) Policy {
	list := []Statement{
		{
			Sid: "PosternBucket", Effect: allow,
			Action: []string{
				"s3:CreateBucket", "s3:ListBucket", "s3:GetBucketLocation",
				"s3:GetBucketTagging", "s3:PutBucketTagging",
				"s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock",
				"s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls",
				"s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration",
				"s3:GetBucketCORS", "s3:PutBucketCORS",
				"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration",
				"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy",
			},
			Resource: []string{w.BucketARN()},
		},
		{
			Sid: "PosternRemoveBucket", Effect: allow,
			Action:   []string{"s3:DeleteBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"},
			Resource: []string{w.BucketARN()},
		},
		{
			Sid: "PosternRemoveObjects", Effect: allow,
			Action:   []string{"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload"},
			Resource: []string{w.BucketARN() + "/*"},
		},
	}
	if w.User != "" {
		list = append(list, Statement{
			Sid: "PosternUsers", Effect: allow,
			Action: []string{
				"iam:GetUser", "iam:CreateUser", "iam:TagUser", "iam:ListUserTags", "iam:DeleteUser",
				"iam:GetUserPolicy", "iam:PutUserPolicy", "iam:DeleteUserPolicy", "iam:ListUserPolicies", "iam:ListAttachedUserPolicies",
				"iam:ListAccessKeys", "iam:CreateAccessKey", "iam:DeleteAccessKey",
			},
			Resource: []string{w.UserARN(Signer), w.UserARN(Worker)},
		})
	}
	if w.Role != "" {
		list = append(list, Statement{
			Sid: "PosternRole", Effect: allow,
			Action: []string{
				"iam:GetRole", "iam:CreateRole", "iam:TagRole", "iam:DeleteRole", "iam:UpdateAssumeRolePolicy",
				"iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies",
			},
			Resource: []string{w.RoleARN()},
		})
	}
	return Policy{Version: policyVersion, Statement: list}
}
