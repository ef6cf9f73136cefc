package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of the query parameters that carry a presigned URL's authentication.
const (
	queryAlgorithm     = "X-Amz-Algorithm"
	queryCredential    = "X-Amz-Credential" //nolint:gosec // a parameter's name, no secret
	queryDate          = "X-Amz-Date"
	queryExpires       = "X-Amz-Expires"
	querySignedHeaders = "X-Amz-SignedHeaders"
	queryToken         = "X-Amz-Security-Token" //nolint:gosec // a parameter's name, no secret
	querySignature     = "X-Amz-Signature"
)

// Names of headers that belong to the authentication, as http.Header has them.
const (
	headerDate    = "X-Amz-Date"
	headerToken   = "X-Amz-Security-Token" //nolint:gosec // a header's name, no secret
	headerPayload = "X-Amz-Content-Sha256"
)

// Identity says who signed a request, and what of it.
type Identity struct {
	AccessKeyID   string
	SignedAt      time.Time // X-Amz-Date, UTC, to the second
	Presigned     bool      // by query, not by header
	SignedHeaders []string  // lower case, sorted; always with host
	// PayloadHash is what the body must be: its SHA-256 in lower-case hex,
	// [UnsignedPayload], or one of S3's STREAMING- names, literally. The body
	// itself was not read: holding it against this is up to the caller, as is
	// refusing what he does not understand. [Identity.Chunked] does it for the
	// STREAMING- names.
	PayloadHash string

	seed *seed // nil: the body is not aws-chunked, or the request presigned
}

// claim is what a request says of its signature.
type claim struct {
	credential, date, signedHeaders, signature, token string

	at                          time.Time // date, parsed
	algorithm, expires, payload string    // by query only
	presigned                   bool
}

// Request checks the signature of r, which is as it came in: a handler that
// rewrites the path or the host must come later. A request without any
// authentication is [ErrAnonymous]. Refused are: authentication by header and
// query at once, signature version 2 and unknown ones, an x-amz-* header that
// is not signed, a Host that is not signed, a clock that is off by more than
// [MaxSkew], and a presigned URL after its time. The body is not read.
//
// Requests signed by header must have X-Amz-Date (a Date alone is not enough)
// and X-Amz-Content-Sha256.
func (v *Verifier) Request(r *http.Request) (Identity, error) {
	q, err := readQuery(r.URL.RawQuery)
	if err != nil {
		return Identity{}, err
	}
	header, byHeader := r.Header["Authorization"]
	switch {
	case byHeader && q.any:
		return Identity{}, ErrInvalidArgument.with("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
			"ArgumentName", "Authorization")
	case byHeader:
		c, err := readAuthorization(header)
		if err != nil {
			return Identity{}, err
		}
		return v.byHeader(r, c)
	case q.v2:
		return Identity{}, errUnsupported()
	case q.any:
		return v.byQuery(r, q.claim)
	}
	return Identity{}, ErrAnonymous
}

// query is what readQuery found of authentication.
type query struct {
	claim
	any, v2 bool
}

// authParameter returns the proper spelling of a parameter that authenticates,
// for a name in any case and encoding, or nothing for all others.
func authParameter(raw string) string {
	name := raw
	if strings.ContainsAny(raw, "%+") {
		var err error
		if name, err = url.QueryUnescape(strings.Clone(raw)); err != nil { // a copy, as its error keeps what it is given
			return ""
		}
	}
	var lower [len("x-amz-content-sha256")]byte // lowerASCII would allocate for the i in versionId
	if len(name) > len(lower) {
		return ""
	}
	for i := range len(name) {
		lower[i] = name[i]
		if 'A' <= name[i] && name[i] <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	switch string(lower[:len(name)]) {
	case "x-amz-algorithm":
		return queryAlgorithm
	case "x-amz-credential":
		return queryCredential
	case "x-amz-date":
		return queryDate
	case "x-amz-expires":
		return queryExpires
	case "x-amz-signedheaders":
		return querySignedHeaders
	case "x-amz-security-token":
		return queryToken
	case "x-amz-signature":
		return querySignature
	case "x-amz-content-sha256":
		return headerPayload
	case "awsaccesskeyid", "signature":
		return "Signature" // version 2
	}
	return ""
}

func readQuery(raw string) (query, error) {
	q := query{claim: claim{presigned: true}}
	seen := make(map[string]bool, 8)
	for raw != "" {
		var name, value string
		name, value, raw = cutPair(raw)
		decoded, err := url.QueryUnescape(value)
		if err != nil {
			return q, ErrInvalidURI
		}
		if strings.Contains(name, "%") {
			if _, err := url.QueryUnescape(name); err != nil {
				return q, ErrInvalidURI
			}
		}
		proper := authParameter(name)
		if proper == "" {
			continue
		}
		q.any = true
		if proper == "Signature" {
			q.v2 = true
			continue
		}
		// One spelling, once: else the parameter that was checked and the one
		// that was signed could be two.
		if name != proper || seen[name] {
			return q, ErrAuthorizationQueryParameters
		}
		seen[name] = true
		switch name {
		case queryAlgorithm:
			q.algorithm = decoded
		case queryCredential:
			q.credential = decoded
		case queryDate:
			q.date = decoded
		case queryExpires:
			q.expires = decoded
		case querySignedHeaders:
			q.signedHeaders = decoded
		case queryToken:
			q.token = decoded
		case querySignature:
			q.signature = decoded
		case headerPayload:
			q.payload = decoded
		}
	}
	return q, nil
}

// readAuthorization reads
// "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func readAuthorization(header []string) (claim, error) {
	var c claim
	if len(header) != 1 {
		return c, malformed("it must be there once.")
	}
	scheme, rest, _ := strings.Cut(strings.Trim(header[0], " "), " ")
	switch {
	case scheme == "AWS":
		return c, errUnsupported()
	case scheme != algorithm:
		return c, ErrInvalidArgument.with("Unsupported Authorization Type", "ArgumentName", "Authorization")
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.Trim(part, " "), "=")
		var at *string
		switch name {
		case "Credential":
			at = &c.credential
		case "SignedHeaders":
			at = &c.signedHeaders
		case "Signature":
			at = &c.signature
		default:
			return c, malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
		}
		if *at != "" {
			return c, malformed("a component is there twice.")
		}
		*at = value
	}
	if c.credential == "" || c.signedHeaders == "" || c.signature == "" {
		return c, malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
	}
	return c, nil
}

func malformed(why string, extra ...string) *Error {
	return ErrAuthorizationHeaderMalformed.with("The authorization header is malformed; "+why, extra...)
}

func (v *Verifier) byHeader(r *http.Request, c claim) (Identity, error) {
	s, why := v.scope(c.credential)
	if why.text != "" {
		return Identity{}, malformed(why.text, why.extra...)
	}
	var date time.Time
	ok := false
	if dates := r.Header[headerDate]; len(dates) == 1 {
		c.date = dates[0]
		date, ok = parseStamp(c.date)
	}
	if !ok {
		return Identity{}, ErrAccessDenied.with("AWS authentication requires a valid Date or x-amz-date header")
	}
	if s.day != dayOf(date) {
		return Identity{}, malformed(otherDay(s, c.date))
	}
	c.at = date
	if now := v.now(); now.Sub(date).Abs() > MaxSkew {
		return Identity{}, ErrRequestTimeTooSkewed.with(ErrRequestTimeTooSkewed.Message,
			"RequestTime", c.date, "ServerTime", serverTime(now), "MaxAllowedSkewMilliseconds", strconv.FormatInt(MaxSkew.Milliseconds(), 10))
	}
	hashes := r.Header[headerPayload]
	switch {
	case len(hashes) == 0:
		return Identity{}, ErrInvalidRequest.with("Missing required header for this request: x-amz-content-sha256")
	case len(hashes) > 1 || !validPayloadHash(hashes[0]):
		return Identity{}, errPayloadHash(hashes[0])
	}
	tokens := r.Header[headerToken]
	switch len(tokens) {
	case 0:
	case 1:
		c.token = tokens[0]
	default:
		return Identity{}, ErrInvalidToken
	}
	return v.check(r, c, s, hashes[0])
}

func (v *Verifier) byQuery(r *http.Request, c claim) (Identity, error) {
	switch {
	case c.algorithm == "" || c.credential == "" || c.date == "" || c.expires == "" || c.signedHeaders == "" || c.signature == "":
		return Identity{}, ErrAuthorizationQueryParameters
	case c.algorithm != algorithm:
		return Identity{}, inQuery(`X-Amz-Algorithm only supports "` + algorithm + `"`)
	}
	s, why := v.scope(c.credential)
	if why.text != "" {
		return Identity{}, inQuery("Error parsing the X-Amz-Credential parameter; "+why.text, why.extra...)
	}
	date, ok := parseStamp(c.date)
	switch {
	case !ok:
		return Identity{}, inQuery(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	case s.day != dayOf(date):
		return Identity{}, inQuery(otherDay(s, c.date))
	}
	c.at = date
	life, err := parseExpires(c.expires)
	if err != nil {
		return Identity{}, err
	}
	now := v.now()
	if now.Before(date.Add(-MaxSkew)) {
		return Identity{}, ErrAccessDenied.with("Request is not valid yet", "ServerTime", serverTime(now))
	}
	if end := date.Add(life); now.After(end) {
		return Identity{}, ErrAccessDenied.with("Request has expired",
			"X-Amz-Expires", c.expires, "Expires", serverTime(end), "ServerTime", serverTime(now))
	}
	// S3 takes the body as unsigned, unless the URL says what it must be: as
	// a header that is signed, or as a parameter, which older SDKs send.
	payload := UnsignedPayload
	if c.payload != "" {
		payload = c.payload
	}
	if hashes := r.Header[headerPayload]; len(hashes) > 0 && slices.Contains(strings.Split(c.signedHeaders, ";"), "x-amz-content-sha256") {
		payload = strings.Join(hashes, ",")
	}
	if !validPayloadHash(payload) {
		return Identity{}, errPayloadHash(payload)
	}
	return v.check(r, c, s, payload)
}

func parseExpires(s string) (time.Duration, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil && !strings.HasPrefix(s, "-") || s[0] == '+':
		return 0, inQuery("X-Amz-Expires should be a number")
	case err != nil || n < 0:
		return 0, inQuery("X-Amz-Expires must be non-negative")
	case n == 0:
		return 0, inQuery("X-Amz-Expires must be at least 1 second")
	case n > int64(MaxExpires/time.Second):
		return 0, inQuery("X-Amz-Expires must be less than a week (in seconds) that is, the given X-Amz-Expires must be less than 604800 seconds")
	}
	return time.Duration(n) * time.Second, nil
}

func inQuery(why string, extra ...string) *Error {
	return ErrAuthorizationQueryParameters.with(why, extra...)
}

func errPayloadHash(got string) *Error {
	return ErrInvalidArgument.with("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
		"ArgumentName", "x-amz-content-sha256", "ArgumentValue", got)
}

func serverTime(t time.Time) string { return string(appendExpiration(nil, t.Truncate(time.Second))) }

// check verifies the signature, then what it covers.
func (v *Verifier) check(r *http.Request, c claim, s scope, payload string) (Identity, error) {
	names := strings.Split(c.signedHeaders, ";")
	for i, name := range names {
		if !validName(name) || i > 0 && name <= names[i-1] {
			if c.presigned {
				return Identity{}, inQuery("X-Amz-SignedHeaders must be names of headers in lower case, sorted, each once")
			}
			return Identity{}, malformed("SignedHeaders must be names of headers in lower case, sorted, each once.")
		}
	}
	cred, err := v.lookup(s.id)
	if err != nil {
		return Identity{}, err
	}
	w := v.canonicalizer()
	defer v.put(w)
	complete := true
	for _, name := range names {
		vs := received(r, name)
		complete = complete && len(vs) > 0
		w.headers = append(w.headers, signedHeader{name, vs})
	}
	except := ""
	if c.presigned {
		except = querySignature
	}
	if err := w.addQuery(r.URL.RawQuery, except); err != nil {
		return Identity{}, err
	}
	key := v.keys.key(cred, v.Region, s.day)
	w.request(r.Method, r.URL.Path, payload, c.date, key.scope)
	// A header that is signed but not there cannot be what was meant, even
	// if the empty text was signed.
	if !v.signed(cred, s, w.text, c.signature) || !complete {
		return Identity{}, ErrSignatureDoesNotMatch
	}
	if unsigned := unsignedHeaders(r, names); len(unsigned) > 0 {
		return Identity{}, ErrAccessDenied.with("There were headers present in the request which were not signed",
			"HeadersNotSigned", strings.Join(unsigned, ", "))
	}
	if err := v.live(cred, c.token); err != nil {
		return Identity{}, err
	}
	id := Identity{AccessKeyID: s.id, SignedAt: c.at, Presigned: c.presigned, SignedHeaders: names, PayloadHash: payload}
	if !c.presigned && isStreaming(payload) {
		id.seed = &seed{key: key, date: c.date, signature: c.signature}
	}
	return id, nil
}

// received returns the values of a header; net/http keeps two of them apart.
func received(r *http.Request, name string) []string {
	switch name {
	case "host":
		return []string{r.Host}
	case "content-length":
		return contentLength(r)
	case "transfer-encoding":
		return r.TransferEncoding // which net/http takes out of the headers; botocore of old signed it
	}
	return values(r.Header, name)
}

// unsignedHeaders lists those that must be signed and are not: Host, and all
// x-amz-*. Unsigned, they would be a stranger's to add to another's URL.
func unsignedHeaders(r *http.Request, signed []string) []string {
	var out []string
	if _, ok := slices.BinarySearch(signed, "host"); !ok {
		out = append(out, "host")
	}
	for name := range r.Header {
		if isAmz(name) {
			lower := lowerASCII(name)
			if _, ok := slices.BinarySearch(signed, lower); !ok {
				out = append(out, lower)
			}
		}
	}
	slices.Sort(out)
	return out
}
