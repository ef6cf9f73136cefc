package postern

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"postern.example/postern/sigv4"
)

// An upload in parts is begun by us, sent by the browser with a signed URL for
// each part, and completed by us, when the bucket itself says that its parts
// are the file that was granted. The client names neither the key nor the
// bucket's upload id: it hands back a ticket that has both sealed.

// PartsGrant is what a client needs for an upload in parts.
type PartsGrant struct {
	Ticket   string // sealed; to be handed back with every request for this upload
	PartSize int64  // bytes of each part but the last; 0 when the size was not said
	Count    int    // parts; 0 when the size was not said
	Signed   []SignedPart
	Expires  time.Time // of the signed parts; more come from [Service.SignParts]
}

// SignedPart is the permission to send one part: a PUT of its bytes.
type SignedPart struct {
	Number int // 1 to MaxParts
	URL    string
	Size   int64 // bytes; signed, so that the bucket takes no other number. 0: not bound
}

const (
	// firstParts are signed with the grant, so that most clients can begin.
	firstParts = 8
	// MaxPartsSigned is how many parts one request may have signed.
	MaxPartsSigned = 1000
)

// partsTicket is what the ticket of an upload in parts says.
type partsTicket struct {
	id        ID
	principal string
	uploadID  string // the bucket's
	partSize  int64  // bytes; 0 when the size was not said
	minBytes  int64  // inclusive
	maxBytes  int64  // inclusive; that of minBytes when the size was said
	life      int64  // of a URL, seconds
}

// maxPartsTicket bounds a sealed one; AWS names uploads in some 130 bytes.
const maxPartsTicket = 2048

func (k keys) sealParts(t *partsTicket) string {
	b := append(make([]byte, 0, 512), ticketVersion)
	for _, s := range [...]string{string(t.id), t.principal, t.uploadID} {
		b = appendString(b, s)
	}
	for _, n := range [...]int64{t.partSize, t.minBytes, t.maxBytes, t.life} {
		b = binary.AppendUvarint(b, uint64(n)) //nolint:gosec // validated as positive
	}
	return sealed(k[0].parts, b)
}

func (k keys) openParts(text string) (*partsTicket, error) {
	body, err := k.unsealed(text, maxPartsTicket, func(k *key) macs { return k.parts })
	if err != nil {
		return nil, err
	}
	r := ticketReader{b: body}
	t := &partsTicket{
		id: ID(r.text()), principal: r.text(), uploadID: r.text(),
		partSize: r.number(), minBytes: r.number(), maxBytes: r.number(), life: r.number(),
	}
	if r.bad || len(r.b) != 0 {
		return nil, errTicket
	}
	return t, nil
}

func (t *partsTicket) key() string { return IncomingPrefix + string(t.id) }

// sized reports whether the file's size was said, so that every part has one.
func (t *partsTicket) sized() bool { return t.partSize > 0 }

// count is how many parts there are, or may be.
func (t *partsTicket) count() int {
	size := t.partSize
	if !t.sized() {
		size = MinPartSize // the bucket takes smaller ones only as the last
	}
	return int(min((t.maxBytes+size-1)/size, MaxParts))
}

// size is how many bytes part n has; 0 when that is not known.
func (t *partsTicket) size(n int) int64 {
	if t.sized() && n == t.count() {
		return t.maxBytes - int64(n-1)*t.partSize
	}
	return t.partSize
}

// grantParts begins an upload in parts, and signs the first of them.
func (s *Service) grantParts(ctx context.Context, g *Grant, x *signing, p *Preset) error {
	t := &partsTicket{
		id: g.Ticket.ID, principal: g.Ticket.Principal, minBytes: g.Ticket.MinBytes, maxBytes: g.Ticket.MaxBytes,
		life: int64(p.Life / time.Second),
	}
	if t.minBytes == t.maxBytes {
		t.partSize = p.partSizeFor(t.maxBytes)
	}
	var err error
	t.uploadID, err = s.bucket.CreateMultipart(ctx, t.key(), g.Ticket.Type, map[string]string{ticketMeta: s.keys.seal(&g.Ticket)})
	if err != nil {
		return err
	}
	g.Method = "MULTIPART"
	g.Parts = &PartsGrant{Ticket: s.keys.sealParts(t), PartSize: t.partSize}
	first := 0
	if t.sized() {
		g.Parts.Count = t.count()
		first = min(t.count(), firstParts)
	}
	numbers := make([]int, first)
	for i := range numbers {
		numbers[i] = i + 1
	}
	g.Parts.Signed, g.Parts.Expires, err = s.signParts(x, t, numbers)
	return err
}

// signParts signs the parts of t with the numbers given.
func (s *Service) signParts(x *signing, t *partsTicket, numbers []int) ([]SignedPart, time.Time, error) {
	expires := x.now.Add(x.life).UTC().Truncate(time.Second)
	signed := make([]SignedPart, len(numbers))
	parts, err := s.signer.Parts(x.cred, x.dated(), sigv4.PartsRequest{Place: s.place, Key: t.key(), UploadID: t.uploadID, Expires: x.life})
	if err != nil {
		return nil, expires, ErrInternal.Because(err)
	}
	var b []byte
	for i, n := range numbers {
		if b, err = parts.AppendURL(b[:0], n, t.size(n)); err != nil {
			return nil, expires, ErrInternal.Because(err)
		}
		signed[i] = SignedPart{Number: n, URL: string(b), Size: t.size(n)}
	}
	return signed, expires, nil
}

// openTicket opens the ticket of principal's upload id.
func (s *Service) openTicket(principal string, id ID, ticket string) (*partsTicket, error) {
	t, err := s.keys.openParts(ticket)
	if err != nil || t.id != id || t.principal != principal {
		return nil, ErrNotFound
	}
	return t, nil
}

// SignParts signs URLs for parts of an upload, as often as a client asks; until
// when they are good comes with them. ErrNotFound when the ticket is not that
// of principal's upload, ErrBadRequest for numbers that it does not have or
// over MaxPartsSigned of them, ErrGrantExpired, ErrCredentialExpiry. Of an
// upload whose size was not said it looks what is there first: ErrTooLarge when
// that is too much, and the upload is aborted then.
func (s *Service) SignParts(ctx context.Context, principal string, id ID, ticket string, numbers []int) ([]SignedPart, time.Time, error) {
	t, err := s.openTicket(principal, id, ticket)
	if err != nil {
		return nil, time.Time{}, err
	}
	if err := t.checkNumbers(numbers); err != nil {
		return nil, time.Time{}, err
	}
	if !t.sized() && slices.Max(numbers) > t.count() { // no client's parts are smaller than S3 has them
		e := ErrTooLarge.With("The file is too large; up to %s are allowed.", Bytes(t.maxBytes))
		e.Limit = t.maxBytes
		return nil, time.Time{}, e // asking is no excess yet: nothing is aborted
	}
	x, err := s.signing(ctx, s.target.Credentials, time.Duration(t.life)*time.Second)
	if err != nil {
		return nil, time.Time{}, err
	}
	_, expires, _ := id.times()
	x.life = min(x.life, expires.Sub(x.now).Truncate(time.Second))
	if x.life < time.Second {
		return nil, time.Time{}, ErrGrantExpired.With("The permission to upload ran out at %s. Ask for a new one.", expires.Format(time.RFC3339))
	}
	if !t.sized() {
		parts, err := s.bucket.Parts(ctx, t.key(), t.uploadID)
		if err != nil {
			return nil, time.Time{}, err
		}
		if err := t.checkSum(parts); err != nil {
			return nil, time.Time{}, errors.Join(err, s.abort(ctx, t))
		}
	}
	return s.signParts(&x, t, numbers)
}

func (t *partsTicket) checkNumbers(numbers []int) error {
	bad := func(limit int64, format string, args ...any) error {
		e := ErrBadRequest.With(format, args...)
		e.Field, e.Limit = "numbers", limit
		return e
	}
	if len(numbers) == 0 || len(numbers) > MaxPartsSigned {
		return bad(MaxPartsSigned, "Ask for 1 to %d parts at a time.", MaxPartsSigned)
	}
	count := MaxParts // which of them there is room for is told in another way
	if t.sized() {
		count = t.count()
	}
	for _, n := range numbers {
		if n < 1 || n > count {
			return bad(int64(count), "There is no part %d; this upload has parts 1 to %d.", n, count)
		}
	}
	return nil
}

// Parts returns the parts of an upload that the bucket has, by number.
// ErrNotFound when the ticket is not that of principal's upload, or when the
// upload was completed or aborted.
func (s *Service) Parts(ctx context.Context, principal string, id ID, ticket string) ([]Part, error) {
	t, err := s.openTicket(principal, id, ticket)
	if err != nil {
		return nil, err
	}
	return s.bucket.Parts(ctx, t.key(), t.uploadID)
}

// CompleteParts joins the parts when the bucket says that they are what was
// granted, and goes on as [Service.Complete]. It may be called any number of
// times. ErrNotArrived while parts are missing; ErrSizeMismatch, ErrTooLarge
// and ErrTooSmall when the parts are another file, which aborts the upload;
// ErrNotFound when the ticket is not that of principal's upload.
func (s *Service) CompleteParts(ctx context.Context, principal string, id ID, ticket string) (Upload, error) {
	t, err := s.openTicket(principal, id, ticket)
	if err != nil {
		return Upload{}, err
	}
	u, err := s.Upload(ctx, principal, id)
	if err != nil || (u.State != Granted && u.State != Expired) {
		return u, err
	}
	parts, err := s.bucket.Parts(ctx, t.key(), t.uploadID)
	switch {
	case errors.Is(err, ErrNotFound): // it was joined, or aborted
		return s.Complete(ctx, principal, id)
	case err != nil:
		return Upload{}, err
	}
	if err := t.check(parts); err != nil {
		if errors.Is(err, ErrNotArrived) {
			return Upload{}, err
		}
		return Upload{}, errors.Join(err, s.abort(ctx, t))
	}
	err = s.bucket.CompleteMultipart(ctx, t.key(), t.uploadID, parts)
	switch {
	case errors.Is(err, ErrPartChanged):
		return Upload{}, ErrNotArrived.With("A part was sent anew while the parts were joined. Call again.")
	case err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrKeyTaken): // both: somebody was faster
		return Upload{}, err
	}
	return s.Complete(ctx, principal, id)
}

// check holds what the bucket has against what was granted.
func (t *partsTicket) check(parts []Part) error {
	if err := t.checkSum(parts); err != nil {
		return err
	}
	var sum int64
	for i, p := range parts {
		if p.Number != i+1 {
			return ErrNotArrived.With("Part %d has not arrived.", i+1)
		}
		if t.sized() && p.Size != t.size(p.Number) {
			return ErrSizeMismatch.With("Part %d has %s and not %s.", p.Number, Bytes(p.Size), Bytes(t.size(p.Number)))
		}
		sum += p.Size
	}
	switch {
	case t.sized() && len(parts) < t.count():
		return ErrNotArrived.With("%d of %d parts have arrived.", len(parts), t.count())
	case len(parts) == 0:
		return ErrNotArrived.With("No part has arrived.")
	case sum < t.minBytes:
		e := ErrTooSmall.With("The file has %s; at least %s are needed.", Bytes(sum), Bytes(t.minBytes))
		e.Limit = t.minBytes
		return e
	}
	return nil
}

// checkSum finds parts that can be no part of what was granted. A bucket that
// holds its clients to signed lengths never has them.
func (t *partsTicket) checkSum(parts []Part) error {
	var sum int64
	for _, p := range parts {
		sum += p.Size
		if p.Number > t.count() {
			return ErrSizeMismatch.With("There is a part %d; this upload has parts 1 to %d.", p.Number, t.count())
		}
	}
	if sum > t.maxBytes {
		e := ErrTooLarge.With("The parts have %s; up to %s are allowed.", Bytes(sum), Bytes(t.maxBytes))
		e.Limit = t.maxBytes
		return e
	}
	return nil
}

// AbortParts gives an upload up and has the bucket forget its parts. What is
// gone already is no error. ErrNotFound when the ticket is not that of
// principal's upload.
func (s *Service) AbortParts(ctx context.Context, principal string, id ID, ticket string) error {
	t, err := s.openTicket(principal, id, ticket)
	if err != nil {
		return err
	}
	return s.abort(ctx, t)
}

func (s *Service) abort(ctx context.Context, t *partsTicket) error {
	if err := s.bucket.AbortMultipart(ctx, t.key(), t.uploadID); err != nil {
		return err
	}
	s.stats.aborted.Add(1)
	return nil
}

// abortAll aborts what is unfinished under an upload's key, without a ticket.
func (s *Service) abortAll(ctx context.Context, id ID) error {
	key := IncomingPrefix + string(id)
	list, err := s.bucket.Multiparts(ctx, key, MultipartUpload{}, MaxPartsSigned)
	if err != nil {
		return err
	}
	for _, u := range list {
		if u.Key != key {
			continue
		}
		if err := s.bucket.AbortMultipart(ctx, u.Key, u.UploadID); err != nil {
			return err
		}
		s.stats.aborted.Add(1)
	}
	return nil
}

// AdoptMultipart decides about one unfinished upload in parts, as a sweep lists
// it: Pending while it may still be completed, else Foreign: abort it, which is
// counted.
func (s *Service) AdoptMultipart(u MultipartUpload) Verdict {
	v := s.JudgeMultipart(u)
	if v == Foreign {
		s.stats.aborted.Add(1)
	}
	return v
}

// JudgeMultipart decides likewise and counts nothing.
func (s *Service) JudgeMultipart(u MultipartUpload) Verdict {
	id := ID(u.Key[min(len(IncomingPrefix), len(u.Key)):])
	until := u.Started.Add(ForeignGrace)
	if s.keys.made(id) {
		_, until, _ = id.times()
	}
	if s.now().Before(until) {
		return Pending
	}
	return Foreign
}
