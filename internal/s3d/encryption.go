package s3d

import "net/http"

// What we have not, and must not seem to have. Set-ups ask for these, and an
// honest answer lets them go on or tells them why not.

// encryptionOperations: objects are kept as they came, and no answer claims
// otherwise. Encrypt the disk below where that matters.
func encryptionOperations() []operation {
	const by = "encryption"
	return []operation{
		{
			name: "GetBucketEncryption", method: http.MethodGet, level: onBucket, by: by, action: "s3:GetEncryptionConfiguration",
			run: func(x *exchange) error {
				return fault(http.StatusNotFound, "ServerSideEncryptionConfigurationNotFoundError",
					"The server side encryption configuration was not found", "BucketName", x.name)
			},
		},
		{
			name: "PutBucketEncryption", method: http.MethodPut, level: onBucket, by: by, action: "s3:PutEncryptionConfiguration",
			headers: checksumHeaders(), run: func(*exchange) error { return errLacking("Encryption of objects", by) },
		},
		{
			name: "DeleteBucketEncryption", method: http.MethodDelete, level: onBucket, by: by, action: "s3:PutEncryptionConfiguration",
			run: (*exchange).nothingToDelete,
		},
	}
}

// versioningOperations: a bucket "that never had versioning enabled" has an
// empty VersioningConfiguration.
func versioningOperations() []operation {
	const by = "versioning"
	return []operation{
		{
			name: "GetBucketVersioning", method: http.MethodGet, level: onBucket, by: by, action: "s3:GetBucketVersioning",
			run: func(x *exchange) error {
				x.answer(http.StatusOK, xmlType, []byte(xmlHeader+`<VersioningConfiguration xmlns="`+xmlNamespace+`"/>`))
				return nil
			},
		},
		{
			name: "PutBucketVersioning", method: http.MethodPut, level: onBucket, by: by, action: "s3:PutBucketVersioning",
			headers: checksumHeaders("x-amz-mfa"), run: func(*exchange) error { return errLacking("Versioning of objects", by) },
		},
	}
}

// nothingToDelete answers a DELETE of what is never there.
func (x *exchange) nothingToDelete() error {
	x.answer(http.StatusNoContent, "", nil)
	return nil
}

// errLacking answers a request for something that S3 has and we lack.
func errLacking(what, name string) error {
	return fault(http.StatusNotImplemented, "NotImplemented", what+" is not implemented by this server.", "Header", name)
}
