package postern

import (
	"context"
	"encoding/base64"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"postern.example/postern/sigv4"
)

// Request is what a client says about the file it wants to upload. Nothing of
// it is believed: it bounds the grant, and the bytes are checked.
type Request struct {
	Preset   string            `json:"preset"`             // may be empty when there is one preset, or one called "default"
	Filename string            `json:"filename"`           // up to MaxFilename bytes; folders are cut off
	Type     string            `json:"type"`               // media type
	Size     *int64            `json:"size,omitempty"`     // bytes; when given, the bucket takes exactly that many
	SHA256   string            `json:"sha256,omitempty"`   // base64; when given, the bucket takes exactly those bytes
	Metadata map[string]string `json:"metadata,omitempty"` // up to MaxMetadata bytes

	// What follows no client says; it is for handlers of other protocols.

	// Transfer is the one way in which the client can send; empty or Auto: any.
	// With Multi the size may be left out.
	Transfer Transfer `json:"-"`
	// MD5 of the bytes, 16 of them; signed with PUT only.
	MD5 []byte `json:"-"`
	// AnyType is for clients that cannot say the type, such as forms without
	// script: the object's type is application/octet-stream, and the check goes
	// by the bytes, as always.
	AnyType bool `json:"-"`
	// RedirectURL is where the bucket sends the browser after a form arrived,
	// with bucket, key and etag in the query. "{id}" in it becomes the upload's
	// id. Empty: the bucket answers 204.
	RedirectURL string `json:"-"`
}

// Grant is the signed permission for one upload: one key, one size range or
// exact size, one type, minutes of life.
type Grant struct {
	Ticket Ticket
	Method string // "POST", "PUT" or "MULTIPART"
	URL    string // of the bucket with POST, of the object with PUT

	// Fields of the form, before the file. POST: send a multipart/form-data form.
	Fields Fields
	// FileField is the name of the form's last field, the file itself.
	FileField string
	// Headers to send exactly so. PUT: send the file as the body. Its
	// Content-Length is signed as well; HTTP clients set it themselves.
	Headers Fields
	// Parts to send. MULTIPART: see [Service.SignParts].
	Parts *PartsGrant
}

// LogValue keeps signatures out of logs.
func (g *Grant) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", string(g.Ticket.ID)), slog.String("method", g.Method), slog.Time("expires", g.Ticket.Expires))
}

// Fields are a form's fields in the order they are to be sent.
type Fields []sigv4.Field

// LogValue keeps signatures out of logs.
func (f Fields) LogValue() slog.Value { return slog.IntValue(len(f)) }

const (
	fileField     = "file"
	successStatus = "204"
	// anyType is what S3 calls bytes that nobody said the type of.
	anyType = "application/octet-stream"
	// checksumHeader binds the bytes themselves, as a field and as a header.
	checksumHeader = "x-amz-checksum-sha256"
	// leastLife is the shortest grant worth handing out.
	leastLife = 15 * time.Second
	// maxFields is how many fields a form has at most: six of ours, six of the
	// signature.
	maxFields = 12
)

// Grant signs the permission for one upload by who asks. It writes nothing and
// calls nobody, but for an upload in parts, which the bucket has to name, for a
// preset with a [Quota], and for the Charge of an identity whose grants are
// counted.
// Errors: ErrPresetUnknown, ErrNotPermitted, ErrTypeNotAllowed, ErrEmpty, ErrTooSmall,
// ErrTooLarge, ErrInvalidFilename, ErrInvalidMetadata, ErrInvalidHash,
// ErrSizeRequired, ErrTransfer, ErrBadRequest, ErrCredentialExpiry,
// ErrBucketUnavailable; with a quota ErrRateLimited, ErrQuotaExceeded and
// ErrRecordsUnavailable.
func (s *Service) Grant(ctx context.Context, who Identity, r Request) (*Grant, error) {
	var p permission
	if err := s.permit(ctx, &p, &who, &r); err != nil {
		return nil, err
	}
	return s.sign(ctx, &p, &r)
}

// appendGrant does the same as [Service.Grant], but appends the answer to POST
// /uploads. Of a form, which is what busy gates give all day, nothing is made
// but the answer's text: its fields as strings of their own would cost as much
// as signing them. TestAppendGrantIsGrant holds the two against each other.
func (s *Service) appendGrant(ctx context.Context, b []byte, d *draft, who *Identity, r *Request) ([]byte, ID, error) {
	p := &d.permission
	if err := s.permit(ctx, p, who, r); err != nil {
		return b, "", err
	}
	if p.transfer == Put || p.transfer == Multi {
		g, err := s.sign(ctx, p, r)
		if err != nil {
			return b, "", err
		}
		return g.appendJSON(b), p.ticket.ID, nil
	}
	b = p.ticket.appendGranted(b, p.now)
	b = appendText(append(b, `{"method":"POST","url":`...), s.target.URL)
	b = s.appendForm(append(b, `,"fields":`...), d, r.RedirectURL)
	b = append(b, `,"file_field":"`+fileField+`"}}`...)
	s.granted(&p.ticket, p.now)
	return b, p.ticket.ID, nil
}

// permission is a grant before it is signed.
type permission struct {
	signing
	ticket   Ticket
	transfer Transfer
	preset   *Preset
}

// draft is what an answer is made of, to be used again. On the stack it would
// make that of every connection's goroutine grow, and the collector shrink it
// again while the connection waits: with 256 of them, a seventh of all the time.
type draft struct {
	permission
	fields     [maxFields]sigv4.Field
	conditions [maxConditions]sigv4.Condition
}

// permit fills in p for a request by who asks, and charges them.
func (s *Service) permit(ctx context.Context, p *permission, who *Identity, r *Request) (err error) {
	if p.preset, err = s.ticketFor(&p.ticket, who, r); err != nil {
		return err
	}
	if p.transfer, err = p.preset.transferFor(&s.target, r.Transfer, r.Size); err != nil {
		return err
	}
	if p.transfer != Multi { // what the bucket takes in one request
		p.ticket.MaxBytes = min(p.ticket.MaxBytes, maxObjectBytes)
	}
	if p.signing, err = s.signing(ctx, s.target.Credentials, p.preset.Life); err != nil {
		return err
	}
	life := p.life
	if p.transfer == Multi {
		life = p.preset.MultipartLife.Truncate(time.Second) // its URLs are signed again and again
	}
	t := &p.ticket
	if t.ID, err = s.keys.newID(p.now, life, who.Principal, s.random); err != nil {
		return ErrInternal.Because(err)
	}
	// Never later than the id says, which tells milliseconds.
	t.Expires = time.UnixMilli(p.now.UnixMilli()).UTC().Add(life).Truncate(time.Second)
	if err := s.reserve(ctx, t, p.preset, r.Size); err != nil {
		return err
	}
	if who.Charge != nil {
		return who.Charge(ctx)
	}
	return nil
}

// sign makes the grant of p.
func (s *Service) sign(ctx context.Context, p *permission, r *Request) (*Grant, error) {
	g := &Grant{Ticket: p.ticket}
	var err error
	switch p.transfer {
	case Put:
		err = s.grantPut(g, &p.signing, r)
	case Multi:
		err = s.grantParts(ctx, g, &p.signing, p.preset)
	default:
		s.grantForm(g, p, r.RedirectURL)
	}
	if err != nil {
		return nil, err
	}
	s.granted(&g.Ticket, p.now)
	return g, nil
}

// granted counts a grant.
func (s *Service) granted(t *Ticket, now time.Time) {
	s.stats.granted.Add(1)
	s.stats.ends.granted(t.Expires, now)
}

// signing is what a signature is made with, and how long it may live.
type signing struct {
	cred sigv4.Credentials
	now  time.Time     // ours
	skew time.Duration // the bucket's clock minus ours
	life time.Duration // whole seconds
}

// dated is the time that a signature bears: the bucket's own.
func (x *signing) dated() time.Time { return x.now.Add(x.skew) }

// signing asks for a credential, which no signature outlives.
func (s *Service) signing(ctx context.Context, key func(context.Context) (sigv4.Credentials, error), life time.Duration) (x signing, err error) {
	x.cred, err = key(ctx)
	if err != nil {
		return x, ErrBucketUnavailable.With("The server has no credential for the bucket.").Because(err)
	}
	x.now, x.life = s.now(), life
	if s.target.Skew != nil {
		x.skew = s.target.Skew()
	}
	if !x.cred.Expires.IsZero() {
		// It is the bucket's clock that ends a credential.
		x.life = min(x.life, x.cred.Expires.Sub(x.dated()))
	}
	x.life = x.life.Truncate(time.Second)
	if x.life < leastLife && x.life < life.Truncate(time.Second) {
		e := ErrCredentialExpiry.With("The server's credential for the bucket runs out in %s. Try again shortly.", max(x.life, 0))
		e.RetryAfter = leastLife
		return x, e
	}
	return x, nil
}

// grantForm builds the form for g.
func (s *Service) grantForm(g *Grant, p *permission, redirect string) {
	fields := s.formFields(make(Fields, 0, maxFields), &p.ticket, redirect)
	var room [maxConditions]sigv4.Condition // of fixed length, it stays off the heap
	signed := s.signer.Post(p.cred, p.dated(), &sigv4.Policy{
		Expiration: p.ticket.Expires.Add(p.skew), Conditions: s.formConditions(room[:0], &p.ticket, fields),
	})
	g.Method, g.URL, g.FileField, g.Fields = "POST", s.target.URL, fileField, append(fields, signed...)
}

// appendForm appends the fields of d's form as one JSON object.
func (s *Service) appendForm(b []byte, d *draft, redirect string) []byte {
	fields := s.formFields(d.fields[:0], &d.ticket, redirect)
	policy := sigv4.Policy{
		Expiration: d.ticket.Expires.Add(d.skew), Conditions: s.formConditions(d.conditions[:0], &d.ticket, fields),
	}
	b = append(b, '{')
	for i := range fields {
		b = append(appendPair(b, 0, fields[i].Name, fields[i].Value), ',')
	}
	return append(s.signer.AppendPost(b, d.cred, d.dated(), &policy), '}')
}

// formFields appends the fields of t's form but for the signature's.
func (s *Service) formFields(fields Fields, t *Ticket, redirect string) Fields {
	done := sigv4.Field{Name: "success_action_status", Value: successStatus}
	if redirect != "" {
		done = sigv4.Field{Name: "success_action_redirect", Value: strings.ReplaceAll(redirect, "{id}", string(t.ID))}
	}
	fields = append(fields,
		sigv4.Field{Name: "Content-Type", Value: t.Type},
		done,
		sigv4.Field{Name: "key", Value: IncomingPrefix + string(t.ID)},
		sigv4.Field{Name: TicketHeader, Value: s.keys.seal(t)})
	if t.SHA256 != nil {
		fields = append(fields,
			sigv4.Field{Name: "x-amz-checksum-algorithm", Value: "SHA256"},
			sigv4.Field{Name: checksumHeader, Value: base64.StdEncoding.EncodeToString(t.SHA256)})
	}
	return fields
}

// maxConditions are one for each field, the bucket and the size.
const maxConditions = maxFields + 2

// formConditions appends the conditions of t's form: every field is bound by
// one. What is the same for many grants goes first: the signer knows the hash
// of a beginning that it has seen.
func (s *Service) formConditions(conditions []sigv4.Condition, t *Ticket, fields Fields) []sigv4.Condition {
	conditions = append(conditions, sigv4.Eq("bucket", s.target.Bucket), sigv4.LengthRange(t.MinBytes, t.MaxBytes))
	for i := range fields {
		conditions = append(conditions, sigv4.Eq(fields[i].Name, fields[i].Value))
	}
	return conditions
}

// grantPut signs a URL for g's bytes, and the headers they are sent with.
func (s *Service) grantPut(g *Grant, x *signing, r *Request) error {
	t := &g.Ticket
	h := append(make(Fields, 0, maxFields),
		sigv4.Field{Name: "Content-Type", Value: t.Type},
		sigv4.Field{Name: TicketHeader, Value: s.keys.seal(t)})
	if s.target.Provider.IfNoneMatch == Yes {
		// A second PUT cannot put other bytes in the place of what waits for its
		// check. (After the check there is room again, and a sweep that empties it.)
		h = append(h, sigv4.Field{Name: "If-None-Match", Value: "*"})
	}
	if t.SHA256 != nil && s.target.Provider.Checksum != No {
		h = append(h, sigv4.Field{Name: checksumHeader, Value: base64.StdEncoding.EncodeToString(t.SHA256)})
	}
	if r.MD5 != nil {
		h = append(h, sigv4.Field{Name: "Content-MD5", Value: base64.StdEncoding.EncodeToString(r.MD5)})
	}
	signed := append(make([]sigv4.Field, 0, maxFields), sigv4.Field{Name: "content-length", Value: strconv.FormatInt(*r.Size, 10)})
	for _, f := range h {
		signed = append(signed, sigv4.Field{Name: strings.ToLower(f.Name), Value: f.Value})
	}
	slices.SortFunc(signed, func(a, b sigv4.Field) int { return strings.Compare(a.Name, b.Name) })
	u, err := s.signer.AppendPresign(nil, x.cred, x.dated(), sigv4.PlaceRequest{
		Method: http.MethodPut, Place: s.place, Key: IncomingPrefix + string(t.ID), Header: signed, Expires: x.life,
	})
	if err != nil {
		return ErrInternal.Because(err)
	}
	g.Method, g.URL, g.Headers = "PUT", string(u), h
	return nil
}

// ticketFor holds a request against its preset, and fills in t.
func (s *Service) ticketFor(t *Ticket, who *Identity, r *Request) (*Preset, error) {
	p, err := s.presetFor(who, r.Preset)
	if err != nil {
		return p, err
	}
	if who.Principal == "" || len(who.Principal) > MaxPrincipal {
		return p, ErrInternal.Because(errPrincipal)
	}
	*t = Ticket{Preset: p.Name, Principal: who.Principal, MinBytes: p.MinBytes, MaxBytes: p.MaxBytes, Metadata: r.Metadata}
	if t.Filename, err = cleanFilename(r.Filename); err != nil {
		return p, err
	}
	if r.AnyType {
		t.Type = anyType
	} else if t.Type, err = p.declaredType(r.Type, t.Filename); err != nil {
		return p, err
	}
	if r.Size != nil {
		if err := p.CheckSize(*r.Size); err != nil {
			return p, err
		}
		t.MinBytes, t.MaxBytes = *r.Size, *r.Size
	}
	if r.SHA256 != "" {
		h, err := base64.StdEncoding.Strict().DecodeString(r.SHA256)
		if err != nil || len(h) != 32 {
			e := ErrInvalidHash.With("sha256 must be the base64 of 32 bytes.")
			e.Field = "sha256"
			return p, e
		}
		t.SHA256 = h
	}
	if err := checkMetadata(r.Metadata); err != nil {
		return p, err
	}
	return p, nil
}

func (p *Preset) declaredType(declared, filename string) (string, error) {
	if slices.Contains(p.Types, declared) { // as most clients spell it
		return declared, nil
	}
	mt, _, err := mime.ParseMediaType(declared)
	if mt == "image/jpg" || mt == "image/pjpeg" { // what some clients say for image/jpeg
		mt = "image/jpeg"
	}
	if err == nil && slices.Contains(p.Types, mt) {
		return mt, nil
	}
	e := ErrTypeNotAllowed.With("%s Allowed: %s.", saidType(declared, filename), TypeNames(p.Types))
	e.Field, e.Allowed = "type", p.Types
	return "", e
}

// saidType never repeats more than a short, plain media type of the client's.
// A browser that does not know a type says none; the name tells then.
func saidType(declared, filename string) string {
	if mt, _, err := mime.ParseMediaType(declared); err == nil && len(mt) <= 64 {
		return "Files of type " + mt + " are not allowed here."
	}
	if ext := plainExtension.FindString(filename); ext != "" {
		return "Files called " + strings.ToLower(ext) + " are not allowed here."
	}
	return "The file's type is not known."
}

var plainExtension = regexp.MustCompile(`\.[A-Za-z0-9]{1,8}$`)

// CheckSize says whether the preset has room for a file of n bytes. Errors:
// ErrBadRequest, ErrEmpty, ErrTooSmall, ErrTooLarge.
func (p *Preset) CheckSize(n int64) error {
	var e *Error
	switch {
	case n < 0:
		e = ErrBadRequest.With("size must be the number of bytes, 0 or more.")
	case n == 0:
		e = ErrEmpty.With("The file is empty (0 bytes).")
		e.Limit = p.MinBytes
	case n < p.MinBytes:
		e = ErrTooSmall.With("The file has %s; at least %s are needed.", Bytes(n), Bytes(p.MinBytes))
		e.Limit = p.MinBytes
	case n > p.MaxBytes:
		e = ErrTooLarge.With("The file has %s; up to %s are allowed.", Bytes(n), Bytes(p.MaxBytes))
		e.Limit = p.MaxBytes
	default:
		return nil
	}
	e.Field = "size"
	return e
}

// cleanFilename cuts folders off and refuses what no file name should hold.
// The name never becomes part of a key: it is kept to be shown.
func cleanFilename(name string) (string, error) {
	bad := func(format string, args ...any) (string, error) {
		e := ErrInvalidFilename.With(format, args...)
		e.Field = "filename"
		return "", e
	}
	if !utf8.ValidString(name) {
		return bad("The file name is not valid UTF-8.")
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return bad("The file name holds control characters.")
	}
	if strings.ContainsAny(name, `/\`) {
		name = path.Base("/" + strings.ReplaceAll(name, `\`, "/"))
	}
	if name == "/" || name == "." || name == ".." {
		name = ""
	}
	if len(name) > MaxFilename {
		e := ErrInvalidFilename.With("The file name has %d bytes; up to %d are allowed.", len(name), MaxFilename)
		e.Field, e.Limit = "filename", MaxFilename
		return "", e
	}
	return name, nil
}

func checkMetadata(m map[string]string) error {
	bad := func(limit int64, format string, args ...any) error {
		e := ErrInvalidMetadata.With(format, args...)
		e.Field, e.Limit = "metadata", limit
		return e
	}
	if len(m) > MaxMetadataPairs {
		return bad(MaxMetadataPairs, "There are %d metadata fields; up to %d are allowed.", len(m), MaxMetadataPairs)
	}
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
		switch {
		case k == "":
			return bad(0, "A metadata field has no name.")
		case strings.ContainsFunc(k+v, unicode.IsControl) || !utf8.ValidString(k+v):
			return bad(0, "A metadata field holds control characters.")
		case strings.Contains(k+v, "${"):
			// S3 expands ${filename} in form fields; nothing of the kind gets near one.
			return bad(0, "A metadata field holds \"${\".")
		}
	}
	if n > MaxMetadata {
		return bad(MaxMetadata, "The metadata has %d bytes; up to %d are allowed.", n, MaxMetadata)
	}
	return nil
}
