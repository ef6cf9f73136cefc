package postern

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"io"
	"time"
)

// ID names one upload: 52 characters of 0-9 and a-v. It sorts by the time of
// its grant, cannot be guessed, and tells a made-up or a foreign id from a
// real one without a look-up.
//
//	6 bytes   time of the grant, milliseconds since 1970
//	2 bytes   life of the grant, seconds
//	16 bytes  random
//	4 bytes   MAC of the above
//	4 bytes   MAC of the above with the principal
//
// The MACs save look-ups; they protect nothing by themselves. What an upload
// is allowed is sealed in its ticket, and whose it is stands in its record.
type ID string

const (
	idRaw = 32
	idLen = 52
)

// idText keeps the order of the bytes, since its alphabet is in ASCII order.
var idText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// Granted is when the id was made; ok is false for what is no id.
func (id ID) Granted() (t time.Time, ok bool) {
	t, _, ok = id.times()
	return t, ok
}

// times are those of the grant; ok is false for what is no id.
func (id ID) times() (granted, expires time.Time, ok bool) {
	b, ok := id.raw()
	if !ok {
		return time.Time{}, time.Time{}, false
	}
	var ms [8]byte
	copy(ms[2:], b[:6])
	granted = time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC() //nolint:gosec // 48 bits
	return granted, granted.Add(time.Duration(binary.BigEndian.Uint16(b[6:])) * time.Second), true
}

func (id ID) raw() (b [idRaw]byte, ok bool) {
	if len(id) != idLen {
		return b, false
	}
	var text, again [idLen]byte // of fixed length, they stay off the heap
	copy(text[:], id)
	n, err := idText.Decode(b[:], text[:])
	// The last character has 4 unused bits; only one spelling is an id.
	idText.Encode(again[:], b[:])
	return b, err == nil && n == idRaw && again == text
}

// newID makes an id that is granted now, for principal, with the first key.
func (k keys) newID(now time.Time, life time.Duration, principal string, random io.Reader) (ID, error) {
	var b [idRaw]byte
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	binary.BigEndian.PutUint16(b[6:], uint16(life/time.Second)) //nolint:gosec // at most MaxLife
	if _, err := io.ReadFull(random, b[8:24]); err != nil {
		return "", err
	}
	k[0].mark(b[24:28], b[:24], "")
	k[0].mark(b[28:], b[:28], principal)
	var text [idLen]byte
	idText.Encode(text[:], b[:])
	return ID(text[:]), nil
}

// made reports whether id was made by us, for anybody.
func (k keys) made(id ID) bool {
	b, ok := id.raw()
	if !ok {
		return false
	}
	for i := range k {
		if k[i].marked(b[24:28], b[:24], "") {
			return true
		}
	}
	return false
}

// madeFor reports whether id was made by us for principal.
func (k keys) madeFor(id ID, principal string) bool {
	b, ok := id.raw()
	if !ok {
		return false
	}
	for i := range k {
		if k[i].marked(b[24:28], b[:24], "") && k[i].marked(b[28:], b[:28], principal) {
			return true
		}
	}
	return false
}

// mark writes the short MAC of b and principal into dst.
func (k *key) mark(dst, b []byte, principal string) {
	var sum [sha256.Size]byte
	copy(dst, k.id.append(sum[:0], b, []byte(principal)))
}

func (k *key) marked(mac, b []byte, principal string) bool {
	var want [4]byte
	k.mark(want[:], b, principal)
	return hmac.Equal(mac, want[:])
}
