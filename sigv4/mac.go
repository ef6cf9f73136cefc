package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"hash"
)

// hmacStates are what HMAC-SHA-256 makes of a key: the states of the hash
// after the key's inner and outer pad. RFC 2104 section 4 and FIPS 198-1
// section 6 describe this way to hash the pads once for a key, and say that
// the states are as secret as the key. They are never written to again.
type hmacStates struct{ inner, outer []byte }

func newHMACStates(key []byte) hmacStates {
	var pad [sha256.BlockSize]byte
	if len(key) > len(pad) {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	state := func(with byte) []byte {
		copy(pad[:], key)
		clear(pad[len(key):])
		for i := range pad {
			pad[i] ^= with
		}
		h := sha256.New()
		h.Write(pad[:])
		return stateOf(make([]byte, 0, 128), h)
	}
	return hmacStates{state(0x36), state(0x5c)}
}

// stateOf appends the state of a SHA-256, which its UnmarshalBinary restores in
// a fifth of the time that hashing one block takes.
func stateOf(dst []byte, h hash.Hash) []byte {
	dst, err := h.(encoding.BinaryAppender).AppendBinary(dst)
	if err != nil {
		panic("sigv4: SHA-256 has no state: " + err.Error()) // its documentation says it has
	}
	return dst
}

// restore puts h, a SHA-256, in a state that stateOf wrote.
func restore(h hash.Hash, state []byte) {
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic("sigv4: SHA-256 has another state: " + err.Error())
	}
}

// mac is an HMAC-SHA-256 that is used again and again, without an allocation,
// by one goroutine at a time.
//
// What one gate signs mostly begins as what it signed just before: the first
// block of a string to sign has the time and the scope, a policy its expiration
// and the conditions that are the same for all. So mac keeps the state after
// the blocks that the last two texts have in common, and hashes those of the
// next text only if it does not begin with them. As the texts themselves are
// compared, nothing has to be forgotten at a certain time.
type mac struct {
	key  hmacStates
	hash hash.Hash
	last []byte            // the text signed last
	head int               // bytes of it, whole blocks, whose state is kept
	kept []byte            // that state
	sum  [sha256.Size]byte // here, as what is passed to a hash.Hash goes to the heap
}

// sign sets m.sum to the code of text.
func (m *mac) sign(text []byte) {
	n := commonBlocks(text, m.last)
	switch n {
	case 0:
		restore(m.hash, m.key.inner)
		m.head = 0 // what is kept is not of the last text any more
	case m.head:
		restore(m.hash, m.kept)
	default:
		restore(m.hash, m.key.inner)
		m.hash.Write(text[:n])
		m.kept, m.head = stateOf(m.kept[:0], m.hash), n
	}
	m.hash.Write(text[n:])
	m.hash.Sum(m.sum[:0])
	restore(m.hash, m.key.outer)
	m.hash.Write(m.sum[:])
	m.hash.Sum(m.sum[:0])
	m.last = append(m.last[:0], text...)
}

// commonBlocks returns how many bytes, in whole blocks of SHA-256, both begin
// with.
func commonBlocks(a, b []byte) int {
	const size = sha256.BlockSize
	n := 0
	for n+size <= min(len(a), len(b)) && bytes.Equal(a[n:n+size], b[n:n+size]) {
		n += size
	}
	return n
}
