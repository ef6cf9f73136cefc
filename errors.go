package postern

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Code names one kind of fault on the wire and in records. Codes are stable:
// clients may switch on them, texts may change.
type Code string

// Error is the one error value of Postern, from the records to the browser.
// Detail and the facts are public: they are written into problem documents
// and shown to people. Err is the private cause; it is logged, never sent.
//
// Two Errors match under [errors.Is] when their codes are equal, so callers
// compare with the sentinels below: errors.Is(err, postern.ErrTooLarge).
type Error struct {
	Code   Code
	Detail string // a sentence for people; the table's title when empty

	Field      string        // the request field at fault, if one is
	Limit      int64         // the limit that was passed, in the unit Detail names; 0: none
	Allowed    []string      // what would have been accepted; nil: not applicable
	RetryAfter time.Duration // when to try again; 0: not applicable

	Err error // private cause
}

// Error returns code, detail and cause for logs. Use Detail for people.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// With returns a copy of e with its detail set from a format.
func (e *Error) With(format string, args ...any) *Error {
	c := *e
	c.Detail = fmt.Sprintf(format, args...)
	return &c
}

// Because returns a copy of e that carries cause, for logs only.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Err = cause
	return &c
}

// Sentinels, one for each code. Compare with [errors.Is]; add words with With.
var (
	// Faults of a request.
	ErrBadRequest        = &Error{Code: "bad_request"}
	ErrMediaType         = &Error{Code: "json_required"}
	ErrMethod            = &Error{Code: "method_not_allowed"}
	ErrCrossOrigin       = &Error{Code: "cross_origin"}
	ErrUnauthenticated   = &Error{Code: "unauthenticated"}
	ErrCredentialInvalid = &Error{Code: "credential_invalid"}
	ErrNotPermitted      = &Error{Code: "not_permitted"}
	ErrTokenSpent        = &Error{Code: "token_spent"}
	ErrRateLimited       = &Error{Code: "rate_limited"}
	ErrQuotaExceeded     = &Error{Code: "quota_exceeded"}
	ErrNotFound          = &Error{Code: "not_found"}
	ErrNotArrived        = &Error{Code: "not_arrived"}
	ErrPresetUnknown     = &Error{Code: "preset_unknown"}
	ErrInvalidFilename   = &Error{Code: "invalid_filename"}
	ErrInvalidMetadata   = &Error{Code: "invalid_metadata"}
	ErrInvalidHash       = &Error{Code: "invalid_sha256"}
	ErrSizeRequired      = &Error{Code: "size_required"}
	ErrTransfer          = &Error{Code: "transfer_unavailable"}
	ErrGrantExpired      = &Error{Code: "grant_expired"}
	ErrSizeMismatch      = &Error{Code: "size_mismatch"}
	ErrCredentialExpiry  = &Error{Code: "credential_expiring"}

	// Faults of a file: at the grant, or found by the check.
	ErrTypeNotAllowed = &Error{Code: "type_not_allowed"}
	ErrTooLarge       = &Error{Code: "too_large"}
	ErrTooSmall       = &Error{Code: "too_small"}
	ErrEmpty          = &Error{Code: "empty_file"}
	ErrTooManyPixels  = &Error{Code: "too_many_pixels"}
	ErrSideTooLong    = &Error{Code: "side_too_long"}
	ErrTooManyFrames  = &Error{Code: "too_many_frames"}
	ErrTooManyScans   = &Error{Code: "too_many_scans"}
	ErrTruncated      = &Error{Code: "truncated"}
	ErrCorrupt        = &Error{Code: "corrupt"}
	ErrUnsupported    = &Error{Code: "unsupported_image"}
	ErrHashMismatch   = &Error{Code: "sha256_mismatch"}

	// Faults of ours.
	ErrProcessing         = &Error{Code: "processing_failed"}
	ErrRecordsUnavailable = &Error{Code: "records_unavailable"}
	ErrBucketUnavailable  = &Error{Code: "bucket_unavailable"}
	ErrSignInUnavailable  = &Error{Code: "sign_in_unavailable"}
	ErrInternal           = &Error{Code: "internal"}
)

// Problem is one row of the error table: how a code is told over HTTP.
type Problem struct {
	Code   Code
	Status int    // HTTP status
	Title  string // short and constant, as RFC 9457 section 3.1.3 asks
}

// Problems returns the error table, in a stable order. It feeds the HTTP edge,
// the documentation and the TypeScript union of codes.
func Problems() []Problem { return append([]Problem(nil), problems...) }

var problems = []Problem{
	{ErrBadRequest.Code, http.StatusBadRequest, "The request is not understood"},
	{ErrMediaType.Code, http.StatusUnsupportedMediaType, "The request must be JSON"},
	{ErrMethod.Code, http.StatusMethodNotAllowed, "This method is not allowed here"},
	{ErrCrossOrigin.Code, http.StatusForbidden, "Requests from this origin are not allowed"},
	{ErrUnauthenticated.Code, http.StatusUnauthorized, "Sign in first"},
	{ErrCredentialInvalid.Code, http.StatusUnauthorized, "This key or token is not valid"},
	{ErrNotPermitted.Code, http.StatusForbidden, "You may not do this"},
	{ErrTokenSpent.Code, http.StatusForbidden, "The upload token is used up"},
	{ErrRateLimited.Code, http.StatusTooManyRequests, "Too many uploads were begun"},
	{ErrQuotaExceeded.Code, http.StatusTooManyRequests, "The quota is used up"},
	{ErrNotFound.Code, http.StatusNotFound, "There is nothing here"},
	{ErrNotArrived.Code, http.StatusConflict, "The file has not arrived"},
	{ErrPresetUnknown.Code, http.StatusBadRequest, "There is no such preset"},
	{ErrInvalidFilename.Code, http.StatusBadRequest, "The file name is not usable"},
	{ErrInvalidMetadata.Code, http.StatusBadRequest, "The metadata is not usable"},
	{ErrInvalidHash.Code, http.StatusBadRequest, "The SHA-256 is not usable"},
	{ErrSizeRequired.Code, http.StatusBadRequest, "The file's size must be said"},
	{ErrTransfer.Code, http.StatusBadRequest, "Files do not travel this way here"},
	{ErrGrantExpired.Code, http.StatusGone, "The permission to upload ran out"},
	{ErrSizeMismatch.Code, http.StatusConflict, "The parts are not the file that was announced"},
	{ErrCredentialExpiry.Code, http.StatusServiceUnavailable, "The server's bucket credential is about to expire"},
	{ErrTypeNotAllowed.Code, http.StatusUnsupportedMediaType, "This type of file is not allowed"},
	{ErrTooLarge.Code, http.StatusRequestEntityTooLarge, "The file is too large"},
	{ErrTooSmall.Code, http.StatusBadRequest, "The file is too small"},
	{ErrEmpty.Code, http.StatusBadRequest, "The file is empty"},
	{ErrTooManyPixels.Code, http.StatusUnprocessableEntity, "The picture has too many pixels"},
	{ErrSideTooLong.Code, http.StatusUnprocessableEntity, "The picture is too wide or too high"},
	{ErrTooManyFrames.Code, http.StatusUnprocessableEntity, "The animation is too long"},
	{ErrTooManyScans.Code, http.StatusUnprocessableEntity, "The picture is built to be slow to open"},
	{ErrTruncated.Code, http.StatusUnprocessableEntity, "The file is cut short"},
	{ErrCorrupt.Code, http.StatusUnprocessableEntity, "The picture is damaged"},
	{ErrUnsupported.Code, http.StatusUnprocessableEntity, "This kind of picture is not supported"},
	{ErrHashMismatch.Code, http.StatusUnprocessableEntity, "The file is not the one announced"},
	{ErrProcessing.Code, http.StatusInternalServerError, "The picture could not be processed"},
	{ErrRecordsUnavailable.Code, http.StatusServiceUnavailable, "The records are not reachable"},
	{ErrBucketUnavailable.Code, http.StatusServiceUnavailable, "The bucket is not reachable"},
	{ErrSignInUnavailable.Code, http.StatusServiceUnavailable, "Signing in does not work at the moment"},
	{ErrInternal.Code, http.StatusInternalServerError, "Something went wrong on the server"},
}

var problemByCode = func() map[Code]Problem {
	m := make(map[Code]Problem, len(problems))
	for _, p := range problems {
		m[p.Code] = p
	}
	return m
}()

// ProblemOf returns err as an *Error and its row in the table. What is not an
// *Error, or has a code that the table lacks, is ErrInternal with err as its
// private cause.
func ProblemOf(err error) (*Error, Problem) {
	var e *Error
	if errors.As(err, &e) {
		if p, ok := problemByCode[e.Code]; ok {
			return e, p
		}
	}
	return ErrInternal.Because(err), problemByCode[ErrInternal.Code]
}
