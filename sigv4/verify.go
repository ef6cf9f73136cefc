package sigv4

import (
	"crypto/hmac"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxSkew is how far a request's clock may be off.
const MaxSkew = 15 * time.Minute

// Lookup finds the credentials of an access key id.
type Lookup func(accessKeyID string) (Credentials, bool)

// Verifier checks signatures as S3 does. Safe for concurrent use once its
// fields are set; must not be copied then.
type Verifier struct {
	Region string
	Lookup Lookup
	Now    func() time.Time // nil: time.Now

	keys keyring
	pool sync.Pool // of *canonicalizer
}

// Post checks the authentication of a form and returns who signed it, with the
// policy as a JSON document for [ParsePolicy]. A form with none of the fields
// x-amz-algorithm, x-amz-credential, x-amz-date, x-amz-security-token and
// x-amz-signature is [ErrAnonymous]; one that lacks some of those it needs is
// InvalidArgument, naming the first.
//
// The signature is checked in constant time over the policy's base64 as it was
// received, before any of it is decoded. The clock is not compared with
// x-amz-date: a form lives until its policy's expiration, see
// [Policy.Evaluate].
func (v *Verifier) Post(f Form) (accessKeyID string, policy []byte, err error) {
	if err := presentFields(f); err != nil {
		return "", nil, err
	}
	if f[fieldAlgorithm] != algorithm {
		return "", nil, ErrInvalidArgument.with(`X-Amz-Algorithm only supports "`+algorithm+`"`,
			"ArgumentName", "X-Amz-Algorithm", "ArgumentValue", f[fieldAlgorithm])
	}
	credential := []string{"ArgumentName", "X-Amz-Credential", "ArgumentValue", f[fieldCredential]}
	scope, why := v.scope(f[fieldCredential])
	if why.text != "" {
		return "", nil, ErrInvalidArgument.with(why.text, append(credential, why.extra...)...)
	}
	date, ok := parseStamp(f[fieldDate])
	if !ok {
		return "", nil, ErrInvalidArgument.with("X-Amz-Date must be formated via ISO8601 Long format", // S3's spelling
			"ArgumentName", "X-Amz-Date", "ArgumentValue", f[fieldDate])
	}
	if scope.day != dayOf(date) {
		return "", nil, ErrInvalidArgument.with(otherDay(scope, f[fieldDate]), credential...)
	}
	cred, err := v.lookup(scope.id)
	if err != nil {
		return "", nil, err
	}
	text := f[fieldPolicy]
	if !v.signed(cred, scope, []byte(text), f[fieldSignature]) {
		return "", nil, ErrSignatureDoesNotMatch
	}
	if err := v.live(cred, f[fieldToken]); err != nil {
		return "", nil, err
	}
	doc, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", nil, invalidPolicy("invalid Base64 encoding.")
	}
	return scope.id, doc, nil
}

// presentFields tells a stranger's form from one that lacks a field. The order
// is S3's as far as it is on record: algorithm before credential.
func presentFields(f Form) error {
	if _, v2 := f["awsaccesskeyid"]; v2 {
		return errUnsupported()
	}
	needed := [...]struct{ field, name string }{
		{fieldAlgorithm, "X-Amz-Algorithm"},
		{fieldCredential, "X-Amz-Credential"},
		{fieldDate, "X-Amz-Date"},
		{fieldSignature, "X-Amz-Signature"},
		{fieldPolicy, "policy"},
	}
	missing := ""
	_, any := f[fieldToken]
	for _, n := range needed {
		if _, ok := f[n.field]; !ok {
			if missing == "" {
				missing = n.name
			}
		} else if n.field != fieldPolicy {
			any = true
		}
	}
	switch {
	case !any:
		return ErrAnonymous
	case missing != "":
		return ErrInvalidArgument.with("Bucket POST must contain a field named '"+missing+"'.  If it is specified, please check the order of the fields.",
			"ArgumentName", missing, "ArgumentValue", "")
	}
	return nil
}

// scope is what a credential says: AKID/20151229/us-east-1/s3/aws4_request.
type scope struct {
	id  string
	day int
}

// reason says in S3's words why a scope is refused; no text: it is not.
type reason struct {
	text  string
	extra []string
}

func (v *Verifier) scope(credential string) (scope, reason) {
	parts := strings.Split(credential, "/")
	if len(parts) < 5 {
		return scope{}, reason{text: `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`}
	}
	n := len(parts) - 4 // an access key id may hold slashes
	id := strings.Join(parts[:n], "/")
	date, region, svc, end := parts[n], parts[n+1], parts[n+2], parts[n+3]
	day, ok := parseShape(date, DateFormat)
	switch {
	case id == "":
		return scope{}, reason{text: "a non-empty Access Key (AKID) must be provided in the credential."}
	case !ok:
		return scope{}, reason{text: `incorrect date format "` + clip(date) + `". This date in the credential must be in the format "yyyyMMdd".`}
	case region != v.Region:
		return scope{}, reason{"the region '" + clip(region) + "' is wrong; expecting '" + v.Region + "'", []string{"Region", v.Region}}
	case svc != service:
		return scope{}, reason{text: `incorrect service "` + clip(svc) + `". This endpoint belongs to "s3".`}
	case end != terminal:
		return scope{}, reason{text: `incorrect terminal "` + clip(end) + `". This endpoint uses "aws4_request".`}
	}
	return scope{id: id, day: dayOf(day)}, reason{}
}

func otherDay(s scope, date string) string {
	return `Invalid credential date "` + strconv.Itoa(s.day) + `". This date is not the same as X-Amz-Date: "` + date[:len(DateFormat)] + `".`
}

func (v *Verifier) lookup(id string) (Credentials, error) {
	if v.Lookup != nil {
		// Credentials without a secret would be anyone's to sign with.
		if c, ok := v.Lookup(id); ok && c.SecretAccessKey != "" {
			c.AccessKeyID = id
			return c, nil
		}
	}
	return Credentials{}, ErrInvalidAccessKeyID.with(ErrInvalidAccessKeyID.Message, "AWSAccessKeyId", id)
}

// signed compares in constant time. Only 64 digits of lower-case hex can be
// equal to a signature, so an empty or shortened one never is.
func (v *Verifier) signed(c Credentials, s scope, text []byte, signature string) bool {
	var want [64]byte
	got := v.keys.key(c, v.Region, s.day).appendSignature(want[:0], text)
	return hmac.Equal(got, []byte(signature))
}

// live checks what is left when the signature is good: the session.
func (v *Verifier) live(c Credentials, token string) error {
	switch {
	case !hmac.Equal([]byte(token), []byte(c.SessionToken)):
		return ErrInvalidToken
	case !c.Expires.IsZero() && !v.now().Before(c.Expires):
		return ErrExpiredToken
	}
	return nil
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

func (v *Verifier) canonicalizer() *canonicalizer {
	if w, ok := v.pool.Get().(*canonicalizer); ok {
		return w
	}
	return new(canonicalizer)
}

func (v *Verifier) put(w *canonicalizer) {
	if w.reset() {
		v.pool.Put(w)
	}
}

func errUnsupported() *Error {
	return ErrInvalidRequest.with("The authorization mechanism you have provided is not supported. Please use " + algorithm + ".")
}

// validPayloadHash knows a SHA-256 in lower-case hex, UNSIGNED-PAYLOAD and the
// names of bodies that are signed chunk by chunk.
func validPayloadHash(s string) bool {
	if s == UnsignedPayload || isStreaming(s) {
		return true
	}
	for i := range len(s) {
		if !isDigit(s[i]) && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return len(s) == len(EmptySHA256)
}

// contentLength is what the server read from the request's framing.
func contentLength(r *http.Request) []string {
	if r.ContentLength < 0 {
		return nil
	}
	return []string{strconv.FormatInt(r.ContentLength, 10)}
}
