package sigv4

import "net/http"

// Error is the one error of verification and of policies. It holds what S3
// would answer, and never a signature, a policy or a token.
type Error struct {
	Code    string            // S3's error code, such as "SignatureDoesNotMatch"
	Status  int               // HTTP status
	Message string            // S3's words where they are on record, ours elsewhere
	Extra   map[string]string // further elements of S3's XML, such as ArgumentName; nil: none
}

// Error returns code and message.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// Is reports whether target is an *Error with the same code. Only
// [ErrAnonymous] matches ErrAnonymous, though it matches [ErrAccessDenied].
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t != ErrAnonymous && t.Code == e.Code
}

// Sentinels by code; compare with [errors.Is]. An error returned by this
// package usually has a more telling message than its sentinel.
var (
	// ErrAnonymous says that a request carries no authentication at all. It
	// is for the caller to decide what strangers may do; as it stands it is
	// S3's answer for a private bucket.
	ErrAnonymous = &Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: "Access Denied"}

	ErrAccessDenied                 = &Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: "Access Denied"}
	ErrSignatureDoesNotMatch        = &Error{Code: "SignatureDoesNotMatch", Status: http.StatusForbidden, Message: "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
	ErrInvalidAccessKeyID           = &Error{Code: "InvalidAccessKeyId", Status: http.StatusForbidden, Message: "The AWS Access Key Id you provided does not exist in our records."}
	ErrRequestTimeTooSkewed         = &Error{Code: "RequestTimeTooSkewed", Status: http.StatusForbidden, Message: "The difference between the request time and the current time is too large."}
	ErrExpiredToken                 = &Error{Code: "ExpiredToken", Status: http.StatusBadRequest, Message: "The provided token has expired."}
	ErrInvalidToken                 = &Error{Code: "InvalidToken", Status: http.StatusBadRequest, Message: "The provided token is malformed or otherwise invalid."}
	ErrInvalidArgument              = &Error{Code: "InvalidArgument", Status: http.StatusBadRequest, Message: "Invalid Argument"}
	ErrInvalidRequest               = &Error{Code: "InvalidRequest", Status: http.StatusBadRequest, Message: "Invalid Request"}
	ErrInvalidURI                   = &Error{Code: "InvalidURI", Status: http.StatusBadRequest, Message: "Couldn't parse the specified URI."}
	ErrInvalidPolicyDocument        = &Error{Code: "InvalidPolicyDocument", Status: http.StatusBadRequest, Message: "The content of the form does not meet the conditions specified in the policy document."}
	ErrAuthorizationHeaderMalformed = &Error{Code: "AuthorizationHeaderMalformed", Status: http.StatusBadRequest, Message: "The authorization header is malformed."}
	ErrAuthorizationQueryParameters = &Error{Code: "AuthorizationQueryParametersError", Status: http.StatusBadRequest, Message: "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."}
	ErrEntityTooLarge               = &Error{Code: "EntityTooLarge", Status: http.StatusBadRequest, Message: "Your proposed upload exceeds the maximum allowed size"}
	ErrEntityTooSmall               = &Error{Code: "EntityTooSmall", Status: http.StatusBadRequest, Message: "Your proposed upload is smaller than the minimum allowed size"}

	// Of aws-chunked bodies. Code and words are S3's, recorded in versitygw's
	// issues 1656, 1666, 1683, 1684 and 1690; the 403 in aws-sdk-cpp's 2727.

	ErrIncompleteBody       = &Error{Code: "IncompleteBody", Status: http.StatusBadRequest, Message: "The request body terminated unexpectedly"}
	ErrInvalidChunkSize     = &Error{Code: "InvalidChunkSizeError", Status: http.StatusForbidden, Message: "Only the last chunk is allowed to have a size less than 8192 bytes"}
	ErrMalformedTrailer     = &Error{Code: "MalformedTrailerError", Status: http.StatusBadRequest, Message: "The request contained trailing data that was not well-formed or did not conform to our published schema."}
	ErrMissingContentLength = &Error{Code: "MissingContentLength", Status: http.StatusLengthRequired, Message: "You must provide the Content-Length HTTP header."}
)

// with returns a copy of e that says message and carries extra, which are
// names and values of elements in turn.
func (e *Error) with(message string, extra ...string) *Error {
	c := *e
	c.Message = message
	if len(extra) > 0 {
		c.Extra = make(map[string]string, len(extra)/2)
		for i := 0; i+1 < len(extra); i += 2 {
			c.Extra[extra[i]] = clip(extra[i+1])
		}
	}
	return &c
}

// maxQuoted bounds what an error repeats of a request, in bytes.
const maxQuoted = 512

// clip shortens what a client sent so that an answer stays short.
func clip(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	n := maxQuoted
	for n > 0 && s[n]&0xc0 == 0x80 { // not within a character
		n--
	}
	return s[:n] + "..."
}
