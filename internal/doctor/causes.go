package doctor

import (
	"fmt"
	"net/http"
	"strings"
)

// doing is in which circumstance an answer came: the same code means different
// things in different ones.
type doing string

// The circumstances that make a difference.
const (
	anything   doing = ""
	preflights doing = "preflight" // OPTIONS, as a browser asks
	forms      doing = "form"      // POST with a policy
	puts       doing = "put"       // PUT by a signed URL
	inParts    doing = "parts"     // create, upload part, complete
	reads      doing = "read"      // GET, HEAD
	lists      doing = "list"      // objects or unfinished uploads
	deletes    doing = "delete"    // objects or unfinished uploads
	settings   doing = "settings"  // GET ?policy and its like
)

// known is a row of the table of causes: what an answer means, and what cures
// it. In both stand what fill knows: {bucket}, {region}, {theirs} (the region
// that the server names), {setup} and so on.
type known struct {
	code   string // S3's; "" any
	status int    // 0 any
	in     doing  // anything: in every circumstance
	words  string // that the message has, in lower case; "" any
	cause  string
	cure   string
}

// causes is what the codes of S3 mean to somebody who runs a gate. The first
// row that fits counts, so what is particular stands before what is not. Codes:
// "Error responses", Amazon S3 API reference, and answers of S3 that were
// recorded, where the two differ.
func causes() []known {
	return []known{
		// Where the bucket is.
		{
			code: "AuthorizationHeaderMalformed", words: "region",
			cause: "Requests are signed for the region {region}, and the bucket is in {theirs}.",
			cure:  "--region {theirs}",
		},
		{
			code: "AuthorizationHeaderMalformed", words: "scope", // Garage's words
			cause: "Requests are signed for the region {region}, which is not the server's.",
			cure:  "--region {theirs}",
		},
		{
			code:  "InvalidRegionName", // R2's
			cause: "Requests are signed for {region}, a region that {provider} does not have.",
			cure:  "--region auto",
		},
		{
			code: "InvalidArgument", words: "region",
			cause: "Forms are signed for the region {region}, and the bucket is in {theirs}.",
			cure:  "--region {theirs}",
		},
		{
			code:  "IllegalLocationConstraintException",
			cause: "The bucket is in another region than {region}.",
			cure:  "--region {theirs}",
		},
		{
			code:  "TemporaryRedirect",
			cause: "The bucket is new, and the address {url} still leads to another region: browsers do not follow a redirect of a preflight.",
			cure:  "wait an hour, or use the address of the bucket's own region: --region {theirs}",
		},
		{
			status: http.StatusMovedPermanently,
			cause:  "The address {url} is that of another region than the bucket's, {theirs}, and browsers do not follow a redirect of a preflight.",
			cure:   "--region {theirs}, and no --endpoint or --bucket-url of another region",
		},
		{
			status: http.StatusTemporaryRedirect,
			cause:  "The address {url} leads on to another one, and browsers do not follow a redirect of a preflight.",
			cure:   "--region {theirs}, and no --endpoint or --bucket-url of another region",
		},
		{
			code:  "NoSuchBucket",
			cause: "There is no bucket {bucket} at {endpoint}.",
			cure:  "{setup}, or name another one: --bucket NAME",
		},
		{
			code:  "InvalidBucketName",
			cause: "{bucket} is no name for a bucket: it takes 3 to 63 lower-case letters, digits and hyphens.",
			cure:  "--bucket NAME",
		},
		{
			code:  "AllAccessDisabled",
			cause: "The bucket {bucket} is locked by its provider, or belongs to an account that was closed.",
			cure:  "ask {provider}, or name another one: --bucket NAME",
		},

		// Who asks.
		{
			code:  "InvalidAccessKeyId",
			cause: "The server knows no such access key: it was deleted, is mistyped, or is another provider's.",
			cure:  "correct --profile, --signer-profile or the variables AWS_ACCESS_KEY_ID and POSTERN_ACCESS_KEY; or make keys: {keys}",
		},
		{
			code:  "InvalidAccessKeyID", // Tigris and older gateways spell it so
			cause: "The server knows no such access key: it was deleted, is mistyped, or is another provider's.",
			cure:  "correct --profile and --signer-profile; or make keys: {keys}",
		},
		{
			code: "SignatureDoesNotMatch", in: forms,
			cause: "The server computes another signature over the form's policy: the secret key is not that of this access key.",
			cure:  "copy the secret key again, whole and without blanks; or make another key: {rotate}",
		},
		{
			code: "SignatureDoesNotMatch", in: puts,
			cause: "The server computes another signature over the URL and its headers: the secret key is wrong, or something on the way changes Host, Content-Type or Content-Length.",
			cure:  "copy the secret key again; if {url} leads through a proxy or a CDN, let it pass the Host header and bodies as they are",
		},
		{
			code:  "SignatureDoesNotMatch",
			cause: "The secret key is not that of this access key.",
			cure:  "copy the secret key again, whole and without blanks; or make another key: {rotate}",
		},
		{
			code:  "ExpiredToken",
			cause: "The temporary key has run out.",
			cure:  "fetch another one (\"aws sso login\", or the role that gives it), or run the gate with a role, which is refreshed by itself",
		},
		{
			code:  "InvalidToken",
			cause: "The session token is not that of this key: a long-lived key needs none, and a temporary one only its own.",
			cure:  "clear AWS_SESSION_TOKEN, or take key, secret and token from one and the same answer of STS",
		},
		{
			code:  "TokenRefreshRequired",
			cause: "The temporary key is to be fetched anew.",
			cure:  "fetch another one, or run the gate with a role, which is refreshed by itself",
		},
		{
			code:  "RequestTimeTooSkewed",
			cause: "This machine's clock and the bucket's are more than 15 minutes apart.",
			cure:  "set the clock: timedatectl set-ntp true",
		},
		{
			code: "AccessDenied", words: "request has expired",
			cause: "The signature had run out when it arrived: the permission is older than its life, or this machine's clock is behind.",
			cure:  "set the clock: timedatectl set-ntp true",
		},
		{
			code: "AccessDenied", words: "not yet valid",
			cause: "The signature is of the future: this machine's clock is ahead of the bucket's.",
			cure:  "set the clock: timedatectl set-ntp true",
		},
		{
			code:  "InvalidSecurity",
			cause: "The server does not accept this key.",
			cure:  "make another key: {rotate}",
		},
		{
			code:  "AccountProblem",
			cause: "The provider has closed or limited the account.",
			cure:  "ask {provider}",
		},
		{
			code:  "NotSignedUp",
			cause: "The account has not been opened for S3.",
			cure:  "sign up for it with {provider}",
		},

		// CORS.
		{
			code: "AccessForbidden", in: preflights, words: "not enabled",
			cause: "The bucket has no CORS rule, so that no page may send it anything.",
			cure:  "{setup}",
		},
		{
			code:  "NoSuchCORSConfiguration",
			cause: "The bucket has no CORS rule, so that no page may send it anything.",
			cure:  "{setup}",
		},
		{
			status: http.StatusNotImplemented, in: preflights,
			cause: "The server does not answer preflights, so that no page may send it anything.",
			cure:  "put a proxy before it that does, or choose another provider",
		},
		{
			status: http.StatusMethodNotAllowed, in: preflights,
			cause: "The server, or a proxy before it, does not answer OPTIONS, with which browsers ask first.",
			cure:  "let OPTIONS through to the bucket at {url}",
		},

		// What the server has not.
		{
			status: http.StatusNotImplemented, in: forms,
			cause: "{provider} has no form uploads (POST); R2 and B2 say so without CORS headers, so that pages see \"Failed to fetch\".",
			cure:  "transfer: put in the presets, and --provider NAME so that it is chosen by itself",
		},
		{
			status: http.StatusMethodNotAllowed, in: forms,
			cause: "The server, or a proxy before it, takes no POST.",
			cure:  "transfer: put in the presets, or let POST through to the bucket at {url}",
		},
		{
			status: http.StatusPreconditionFailed, in: forms, words: "enclosure-type",
			cause: "The form did not arrive as one: something on the way changes its Content-Type.",
			cure:  "let Content-Type through to the bucket at {url} as it is",
		},
		{
			code: "NotImplemented", words: "header",
			cause: "{provider} does not know one of the headers that were sent, such as a checksum or If-None-Match.",
			cure:  "--provider NAME, so that only what it knows is sent",
		},
		{
			code:  "NotImplemented",
			cause: "{provider} does not have this.",
			cure:  "--provider NAME, so that it is not asked for",
		},

		// What is not allowed, and what is wrong with an upload.
		{
			code:  "AccessControlListNotSupported",
			cause: "The upload asks for an ACL, and ACLs are switched off, as on every bucket made since April 2023.",
			cure:  "send no acl or x-amz-acl; show pictures by signed links, our server or a bucket policy: {public}",
		},
		{
			code:  "InvalidBucketAclWithObjectOwnership",
			cause: "ACLs are switched off, as on every bucket made since April 2023.",
			cure:  "send no acl or x-amz-acl; show pictures by signed links, our server or a bucket policy: {public}",
		},
		{
			code: "AccessDenied", in: forms, words: "extra input fields",
			cause: "The form has a field that its policy does not cover.",
			cure:  "send the grant's fields as they are and no others; only x-ignore-* may be added",
		},
		{
			code: "AccessDenied", in: forms, words: "policy expired",
			cause: "The form had run out when it arrived.",
			cure:  "ask for the grant right before the file is sent; if it was: timedatectl set-ntp true",
		},
		{
			code: "AccessDenied", in: forms, words: "policy condition failed",
			cause: "A field of the form is not what its policy says.",
			cure:  "send the grant's fields as they are",
		},
		{
			code: "InvalidPolicyDocument", in: forms,
			cause: "The server does not understand the form's policy.",
			cure:  "transfer: put in the presets",
		},
		{
			code:  "EntityTooLarge",
			cause: "The file is larger than the server or the policy takes.",
			cure:  "max_bytes of the preset",
		},
		{
			code:  "EntityTooSmall",
			cause: "The file, or a part that is not the last, is smaller than the server or the policy takes.",
			cure:  "min_bytes and part_size of the preset (parts have at least 5 MiB)",
		},
		{
			code: "AccessDenied", words: "explicit deny",
			cause: "A policy denies it in so many words: the bucket's, an SCP's or a permissions boundary's.",
			cure:  "look for Effect: Deny in the bucket policy and in the account's policies",
		},
		{
			code: "AccessDenied", words: "public policies are prevented",
			cause: "Block Public Access forbids a policy that lets everybody in.",
			cure:  "{public}, which loosens it no further than needed",
		},
		{
			code: "AccessDenied", words: "kms",
			cause: "The bucket encrypts with a KMS key that this access key may not use.",
			cure:  "allow kms:GenerateDataKey to the signer and kms:Decrypt to the worker on that key, or let the bucket encrypt with AES256: {setup}",
		},
		{
			code: "AccessDenied", in: forms, words: `on resource: "arn:aws:s3:::{bucket}"`,
			cause: "The server judges a form by its bucket and not by its key, as versitygw does: a key that may put objects below incoming/ and nowhere else can send none.",
			cure:  "transfer: put in the presets",
		},
		{
			code: "AccessDenied", in: forms,
			cause: "The signing key may not put objects below incoming/.",
			cure:  "allow it s3:PutObject on {bucket}/incoming/*: {keys}",
		},
		{
			code: "AccessDenied", in: puts,
			cause: "The signing key may not put objects below incoming/.",
			cure:  "allow it s3:PutObject on {bucket}/incoming/*: {keys}",
		},
		{
			code: "AccessDenied", in: inParts,
			cause: "The signing key may not send files in parts below incoming/.",
			cure:  "allow it s3:PutObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts on {bucket}/incoming/*: {keys}",
		},
		{
			code: "AccessDenied", in: reads,
			cause: "The worker's key may not read this.",
			cure:  "allow it s3:GetObject on {bucket}/incoming/* and {bucket}/images/*: {keys}",
		},
		{
			code: "AccessDenied", in: lists,
			cause: "The worker's key may not list this.",
			cure:  "allow it s3:ListBucket and s3:ListBucketMultipartUploads on {bucket}: {keys}",
		},
		{
			code: "AccessDenied", in: deletes,
			cause: "The worker's key may not delete this.",
			cure:  "allow it s3:DeleteObject and s3:AbortMultipartUpload on {bucket}/incoming/*, and s3:DeleteObject on {bucket}/images/*: {keys}",
		},
		{
			code: "AccessDenied", words: "no identity-based policy",
			cause: "The key's own policy does not allow it.",
			cure:  "{keys}",
		},
		{
			code:  "AccessDenied",
			cause: "The key may not do this.",
			cure:  "{keys}",
		},
		{
			code:  "BadDigest",
			cause: "The bytes that arrived have another checksum than was announced.",
			cure:  "compute the checksum of the file itself, right before it is sent; SDKs of 2025 put that of an empty body into signed URLs: switch it off (request_checksum_calculation = when_required)",
		},
		{
			code:  "XAmzContentSHA256Mismatch",
			cause: "The bytes that arrived have another SHA-256 than was signed.",
			cure:  "let nothing on the way to {url} change bodies",
		},
		{
			code:  "InvalidDigest",
			cause: "The checksum that was sent is not one.",
			cure:  "send the base64 of 32 bytes as x-amz-checksum-sha256",
		},
		{
			code:  "PreconditionFailed",
			cause: "There is a file under this key already, which must not be overwritten.",
			cure:  "ask for another grant",
		},
		{
			code:  "ConditionalRequestConflict",
			cause: "Two uploads to one key at the same time.",
			cure:  "send again",
		},
		{
			code:  "NoSuchUpload",
			cause: "The upload in parts is over: completed, aborted, or removed by a lifecycle rule.",
			cure:  "begin again; if it happens to long uploads, let them live longer: AbortIncompleteMultipartUpload 1 day or more",
		},
		{
			code:  "InvalidPart",
			cause: "A part is not there as it was reported.",
			cure:  "send it again; pages must be able to read ETag: {setup}",
		},
		{
			code:  "RequestTimeout",
			cause: "The bytes came too slowly or not at all.",
			cure:  "look at what lies between the browser and {url}",
		},
		{
			code:  "MissingContentLength",
			cause: "The body's length was not said: something on the way sends it in chunks.",
			cure:  "let Content-Length through to the bucket at {url}",
		},

		// The server.
		{
			code:  "SlowDown",
			cause: "The server has too much to do.",
			cure:  "try again in a minute",
		},
		{
			code:  "ServiceUnavailable",
			cause: "The server has too much to do, or is being repaired.",
			cure:  "try again in a minute; the state of {provider} is on its status page",
		},
		{
			code:  "InternalError",
			cause: "The server failed.",
			cure:  "try again in a minute; the state of {provider} is on its status page",
		},
		{
			code:  "QuotaExceeded",
			cause: "The bucket is full.",
			cure:  "raise its quota, or remove what nobody needs",
		},
		{
			status: http.StatusRequestEntityTooLarge,
			cause:  "A proxy before the bucket takes no file of this size.",
			cure:   "raise its limit (nginx: client_max_body_size) to max_bytes of the preset and 1 MiB more",
		},
		{
			status: http.StatusProxyAuthRequired,
			cause:  "A proxy on the way wants to know who asks.",
			cure:   "HTTPS_PROXY=http://user:password@host, or NO_PROXY for the bucket's host",
		},
		{
			status: http.StatusBadGateway,
			cause:  "A proxy before the bucket does not reach it.",
			cure:   "look at the proxy at {url}",
		},
		{
			status: http.StatusServiceUnavailable,
			cause:  "The server, or a proxy before it, is not ready.",
			cure:   "try again in a minute",
		},
		{
			status: http.StatusNotFound,
			cause:  "Nothing is there: the address may not be the bucket's.",
			cure:   "--endpoint and --bucket-url, which must lead to the bucket itself",
		},
	}
}

// because says what a refusal means, and what cures it. Where nothing is known
// of it, the cause says what came.
func (x *exam) because(in doing, a *answer) (cause, cure string) {
	message := strings.ToLower(a.Message)
	for _, k := range causes() {
		if (k.code == "" || k.code == a.Code) && (k.status == 0 || k.status == a.Status) &&
			(k.in == anything || k.in == in) && (k.words == "" || strings.Contains(message, strings.ReplaceAll(k.words, "{bucket}", x.c.Bucket))) {
			return x.fill(k.cause, a), x.fill(k.cure, a)
		}
	}
	if a.ok() {
		return fmt.Sprintf("The server answered %d where it should have refused.", a.Status), x.fill("look at what answers at {url}", a)
	}
	if a.Code == "" {
		return x.fill("What answers at {url} does not speak as an S3 server does.", a), "--endpoint and --bucket-url, which must lead to the bucket itself"
	}
	return fmt.Sprintf("The server refused with %s.", a.Code), "look the code up in the documentation of " + x.provider()
}

// refused is a finding about an answer that should have been another.
func (x *exam) refused(s Status, title, tried string, in doing, a *answer) Finding {
	cause, cure := x.because(in, a)
	return Finding{Status: s, Title: title, Tried: tried, Got: a.String(), RequestID: a.RequestID, Cause: cause, Cure: cure}
}

// silent is a finding about a request that got no answer.
func (x *exam) silent(title, tried string, err error) Finding {
	cause, cure := x.unreached(err)
	return Finding{Status: Fault, Title: title, Tried: tried, Got: err.Error(), Cause: cause, Cure: cure}
}
