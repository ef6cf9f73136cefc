package access

import (
	"slices"
	"strings"
)

// target is what an action is done to.
type target int

const (
	nothing target = iota // no such action
	anObject
	aBucket
	another // access points, jobs, grants, the account: nothing that a bucket policy reaches
)

// The actions of S3, and what each applies to.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
const (
	objectActions = `AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectAnnotation DeleteObjectTagging
DeleteObjectVersion DeleteObjectVersionAnnotation DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAnnotation
GetObjectAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectTorrent GetObjectVersion GetObjectVersionAcl
GetObjectVersionAnnotation GetObjectVersionAnnotationForReplication GetObjectVersionAttributes GetObjectVersionForReplication
GetObjectVersionTagging GetObjectVersionTorrent InitiateReplication ListMultipartUploadParts ListObjectAnnotations
ListObjectVersionAnnotations ObjectOwnerOverrideToBucketOwner PutObject PutObjectAcl PutObjectAnnotation PutObjectLegalHold
PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionAnnotation PutObjectVersionTagging ReplicateDelete
ReplicateObject ReplicateObjectAnnotation ReplicateTags RestoreObject UpdateObjectEncryption`

	bucketActions = `AllowVendedLogDeliveryForResource CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket
DeleteBucketMetadataTableConfiguration DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration GetAnalyticsConfiguration
GetBucketAbac GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration GetBucketNotification
GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock
GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration
GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration GetMetricsConfiguration
GetReplicationConfiguration ListBucket ListBucketMultipartUploads ListBucketVersions ListTagsForResource PauseReplication
PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAbac PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification
PutBucketObjectLockConfiguration PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment
PutBucketTagging PutBucketVersioning PutBucketWebsite PutEncryptionConfiguration PutIntelligentTieringConfiguration
PutInventoryConfiguration PutLifecycleConfiguration PutMetricsConfiguration PutReplicationConfiguration TagResource UntagResource
UpdateBucketMetadataAnnotationTableConfiguration UpdateBucketMetadataInventoryTableConfiguration
UpdateBucketMetadataJournalTableConfiguration`

	otherActions = `AssociateAccessGrantsIdentityCenter CreateAccessGrant CreateAccessGrantsInstance CreateAccessGrantsLocation
CreateAccessPoint CreateAccessPointForObjectLambda CreateJob CreateMultiRegionAccessPoint CreateStorageLensGroup DeleteAccessGrant
DeleteAccessGrantsInstance DeleteAccessGrantsInstanceResourcePolicy DeleteAccessGrantsLocation DeleteAccessPoint
DeleteAccessPointForObjectLambda DeleteAccessPointPolicy DeleteAccessPointPolicyForObjectLambda DeleteJobTagging
DeleteMultiRegionAccessPoint DeleteStorageLensConfiguration DeleteStorageLensConfigurationTagging DeleteStorageLensGroup DescribeJob
DescribeMultiRegionAccessPointOperation DissociateAccessGrantsIdentityCenter GetAccessGrant GetAccessGrantsInstance
GetAccessGrantsInstanceForPrefix GetAccessGrantsInstanceResourcePolicy GetAccessGrantsLocation GetAccessPoint
GetAccessPointConfigurationForObjectLambda GetAccessPointForObjectLambda GetAccessPointPolicy GetAccessPointPolicyForObjectLambda
GetAccessPointPolicyStatus GetAccessPointPolicyStatusForObjectLambda GetAccountPublicAccessBlock GetDataAccess GetJobTagging
GetMultiRegionAccessPoint GetMultiRegionAccessPointPolicy GetMultiRegionAccessPointPolicyStatus GetMultiRegionAccessPointRoutes
GetStorageLensConfiguration GetStorageLensConfigurationTagging GetStorageLensDashboard GetStorageLensGroup ListAccessGrants
ListAccessGrantsInstances ListAccessGrantsLocations ListAccessPoints ListAccessPointsForObjectLambda ListAllMyBuckets
ListCallerAccessGrants ListJobs ListMultiRegionAccessPoints ListStorageLensConfigurations ListStorageLensGroups
PutAccessGrantsInstanceResourcePolicy PutAccessPointConfigurationForObjectLambda PutAccessPointPolicy
PutAccessPointPolicyForObjectLambda PutAccessPointPublicAccessBlock PutAccountPublicAccessBlock PutJobTagging
PutMultiRegionAccessPointPolicy PutStorageLensConfiguration PutStorageLensConfigurationTagging SubmitMultiRegionAccessPointRoutes
UpdateAccessGrantsLocation UpdateJobPriority UpdateJobStatus UpdateStorageLensGroup`
)

// Known reports whether action, as "s3:PutObject" in any case, is an action of
// S3.
func Known(action string) bool {
	return !strings.ContainsAny(action, "*?") && len(targets(lower(action))) > 0
}

// Actions returns all actions of S3, as "s3:PutObject".
func Actions() []string {
	all := strings.Fields(objectActions + " " + bucketActions + " " + otherActions)
	for i := range all {
		all[i] = "s3:" + all[i]
	}
	return all
}

// targets returns what the actions apply to that a pattern in lower case means,
// each target once. It is empty when there is no such action.
func targets(action string) []target {
	var found []target
	p, exact := glob(action)[0].text, !strings.ContainsAny(action, "*?")
	for _, t := range []struct {
		of    target
		names string
	}{{anObject, objectActions}, {aBucket, bucketActions}, {another, otherActions}} {
		for name := range strings.FieldsSeq(t.names) {
			if exact && len(action) != len("s3:")+len(name) {
				continue
			}
			if matches(p, units("s3:"+lower(name))) {
				found = append(found, t.of)
				break
			}
		}
	}
	return found
}

// Condition keys, in lower case; those that end in a slash go on with the name
// of a tag. Most of them are never in a request here, and are then absent as
// they would be on AWS: an organisation's, a VPC's, a role's.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
const (
	globalKeys = `assumedroot calledvia calledviafirst calledvialast chatbotsourcearn currenttime ec2instancesourceprivateipv4
ec2instancesourcevpc epochtime federatedprovider multifactorauthage multifactorauthpresent principalaccount principalarn
principalisawsservice principalorgid principalorgpaths principalservicename principalservicenameslist principaltag/ principaltype
referer requestedregion requesttag/ resourceaccount resourceorgid resourceorgpaths resourcetag/ securetransport sourceaccount
sourcearn sourceidentity sourceip sourceorgid sourceorgpaths sourceowner sourcevpc sourcevpcarn sourcevpce tagkeys tokenissuetime
useragent userid username viaawsservice vpceaccount vpceorgid vpceorgpaths vpcsourceip`

	s3Keys = `accessgrantsinstancearn accesspointnetworkorigin accesspointtag/ authtype buckettag/ dataaccesspointaccount
dataaccesspointarn delimiter destinationregion existingjoboperation existingjobpriority existingobjecttag/ if-match if-none-match
inventoryaccessibleoptionalfields isreplicationpauserequest jobsuspendedcause locationconstraint max-keys object-lock-legal-hold
object-lock-mode object-lock-remaining-retention-days object-lock-retain-until-date objectcreationoperation prefix
requestjoboperation requestjobpriority requestobjecttag/ requestobjecttagkeys resourceaccount signatureage signatureversion
tlsversion versionid x-amz-acl x-amz-content-sha256 x-amz-copy-source x-amz-grant-full-control x-amz-grant-read
x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp x-amz-metadata-directive x-amz-object-ownership
x-amz-server-side-encryption x-amz-server-side-encryption-aws-kms-key-id x-amz-server-side-encryption-customer-algorithm
x-amz-storage-class x-amz-website-redirect-location`
)

// knownKey reports whether key, in lower case, is a condition key that S3 may
// meet.
func knownKey(key string) bool {
	vendor, name, _ := strings.Cut(key, ":")
	// "s3:ExistingObjectTag/<key>": the tag's name may be anything but empty.
	if tag := strings.IndexByte(name, '/'); tag >= 0 {
		if tag == len(name)-1 {
			return false
		}
		name = name[:tag+1]
	}
	names := ""
	switch vendor {
	case "aws":
		names = globalKeys
	case "s3":
		names = s3Keys
	}
	for known := range strings.FieldsSeq(names) {
		if known == name {
			return true
		}
	}
	return false
}

// multivalued reports whether a request may have several values of the key.
func multivalued(key string) bool {
	switch key {
	case "aws:calledvia", "aws:principalorgpaths", "aws:principalservicenameslist", "aws:resourceorgpaths", "aws:sourceorgpaths",
		"aws:tagkeys", "aws:vpceorgpaths", "s3:inventoryaccessibleoptionalfields", "s3:requestobjecttagkeys":
		return true
	}
	return false
}

// applies reports whether key can be in requests for the S3 action, both in
// lower case. Only keys are here of which it is known that S3 refuses them with
// other actions.
func applies(key, action string) bool {
	only := ""
	switch key {
	case "s3:prefix", "s3:delimiter", "s3:max-keys":
		only = "s3:listbucket s3:listbucketversions"
	case "s3:x-amz-acl", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write",
		"s3:x-amz-grant-write-acp":
		only = "s3:bypassgovernanceretention s3:createbucket s3:putbucketacl s3:putobject s3:putobjectacl s3:putobjectversionacl"
	case "s3:if-none-match", "s3:objectcreationoperation":
		only = "s3:putobject"
	case "s3:if-match":
		only = "s3:putobject s3:deleteobject"
	default:
		return true
	}
	return slices.Contains(strings.Fields(only), action)
}
