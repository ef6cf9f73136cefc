package postern

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"
)

// Ticket is what an upload is allowed and whose it is. Sealed with our key it
// travels on the object itself, so that every object below [IncomingPrefix]
// explains itself and signing needs no database (design rule 3).
type Ticket struct {
	ID        ID
	Preset    string            // 1 to 32 bytes
	Principal string            // 1 to MaxPrincipal bytes
	Filename  string            // cleaned; up to MaxFilename bytes
	Type      string            // media type, as declared and signed
	MinBytes  int64             // inclusive
	MaxBytes  int64             // inclusive
	SHA256    []byte            // 32 bytes when the client announced a hash, else nil
	Metadata  map[string]string // up to MaxMetadata bytes in all
	Expires   time.Time         // of the grant, whole seconds, UTC
}

// Limits of what a client may put into a ticket, in bytes. They keep a sealed
// ticket below 1.5 kB; S3 allows 2 kB of user metadata on an object.
const (
	MaxFilename      = 255
	MaxMetadata      = 512 // names and values together
	MaxMetadataPairs = 16
	MaxPrincipal     = 96
	maxTicket        = 1536 // sealed
)

// key is what is derived from one of the configured secrets.
type key struct {
	ticket macs // seals tickets
	parts  macs // seals tickets of uploads in parts
	id     macs // marks ids
}

// keys holds the keys in use: the first seals, all of them open, so that a
// secret can be rotated while grants made with the old one are out.
type keys []key

func newKeys(secrets [][]byte) (keys, error) {
	if len(secrets) == 0 {
		return nil, errors.New("a secret is needed to seal tickets")
	}
	ks := make(keys, len(secrets))
	for i, s := range secrets {
		if len(s) < 32 {
			return nil, errors.New("a secret must have at least 32 bytes")
		}
		ks[i] = key{
			ticket: newMACs(derive(s, "postern ticket v1")),
			parts:  newMACs(derive(s, "postern parts v1")),
			id:     newMACs(derive(s, "postern id v1")),
		}
	}
	return ks, nil
}

func derive(secret []byte, use string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(use))
	return h.Sum(nil)
}

const ticketVersion = 1

var errTicket = errors.New("ticket is not ours or was altered")

// seal returns the ticket as URL-safe base64 text, authenticated by the first key.
//
// The layout is a version byte, then each field in the order of the struct:
// strings and bytes behind a uvarint length, numbers as uvarints, metadata as
// a count and sorted pairs; at the end 32 bytes of HMAC-SHA256 over the rest.
func (k keys) seal(t *Ticket) string {
	h := k[0].ticket.take()
	defer k[0].ticket.used.Put(h)
	b := append(h.room[:0], ticketVersion)
	for _, s := range [...]string{string(t.ID), t.Preset, t.Principal, t.Filename, t.Type} {
		b = appendString(b, s)
	}
	b = binary.AppendUvarint(b, uint64(t.MinBytes)) //nolint:gosec // validated as positive
	b = binary.AppendUvarint(b, uint64(t.MaxBytes)) //nolint:gosec // validated as positive
	b = appendString(b, string(t.SHA256))
	b = binary.AppendUvarint(b, uint64(len(t.Metadata)))
	if len(t.Metadata) > 0 { // sorting nothing still allocates
		for _, name := range slices.Sorted(maps.Keys(t.Metadata)) {
			b = appendString(b, name)
			b = appendString(b, t.Metadata[name])
		}
	}
	b = binary.AppendUvarint(b, uint64(t.Expires.Unix())) //nolint:gosec // not before 1970
	b = h.tagged(b)
	h.room = base64.RawURLEncoding.AppendEncode(b, b)
	return string(h.room[len(b):])
}

// sealed returns b with its tag as text.
func sealed(m macs, b []byte) string {
	b = m.append(b, b)
	return string(base64.RawURLEncoding.AppendEncode(b, b)[len(b):])
}

// unsealed returns what is in text, if one of our keys sealed it for this use.
func (k keys) unsealed(text string, limit int, use func(*key) macs) ([]byte, error) {
	if len(text) > limit {
		return nil, errTicket
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+sha256.Size {
		return nil, errTicket
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	ours := false
	for i := range k {
		ours = hmac.Equal(sum, use(&k[i]).append(nil, body)) || ours
	}
	if !ours || body[0] != ticketVersion {
		return nil, errTicket
	}
	return body[1:], nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// open returns the ticket in sealed, if one of our keys sealed it. Nothing of
// it is read before the MAC holds.
func (k keys) open(sealed string) (*Ticket, error) {
	body, err := k.unsealed(sealed, maxTicket, func(k *key) macs { return k.ticket })
	if err != nil {
		return nil, err
	}
	r := ticketReader{b: body}
	t := &Ticket{
		ID: ID(r.text()), Preset: r.text(), Principal: r.text(), Filename: r.text(), Type: r.text(),
		MinBytes: r.number(), MaxBytes: r.number(),
	}
	if h := r.text(); h != "" {
		t.SHA256 = []byte(h)
	}
	if n := r.number(); n > 0 && n <= MaxMetadataPairs {
		t.Metadata = make(map[string]string, n)
		for range n {
			name := r.text()
			t.Metadata[name] = r.text()
		}
	}
	t.Expires = time.Unix(r.number(), 0).UTC()
	if r.bad || len(r.b) != 0 {
		return nil, errTicket
	}
	return t, nil
}

// ticketReader reads the fields of a ticket; bad stays set after a fault.
type ticketReader struct {
	b   []byte
	bad bool
}

func (r *ticketReader) number() int64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<62 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int64(v)
}

func (r *ticketReader) text() string {
	n := r.number()
	if n > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
