package postern

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
)

// macs makes HMAC-SHA256 tags under one key. A hash that was used keeps the
// state of its padded key over Reset, which saves half of the hashing and all
// of the allocations of a new one; so used ones are kept.
type macs struct{ used *sync.Pool } // of *tagger

// tagger is a keyed hash, with room for what goes in and out: the compiler
// moves to the heap whatever is passed to an interface, so callers' arrays
// are copied to and from here.
type tagger struct {
	hash.Hash
	room []byte
}

func newMACs(key []byte) macs {
	return macs{&sync.Pool{New: func() any { return &tagger{Hash: hmac.New(sha256.New, key)} }}}
}

// append appends the tag of the texts, one behind the other, to dst.
func (m macs) append(dst []byte, texts ...[]byte) []byte {
	h := m.take()
	defer m.used.Put(h)
	h.room = h.room[:0]
	for _, t := range texts {
		h.room = append(h.room, t...)
	}
	n := len(h.room)
	h.room = h.tagged(h.room)
	return append(dst, h.room[n:]...)
}

func (m macs) take() *tagger { return m.used.Get().(*tagger) } //nolint:forcetypeassert // holds nothing else

// tagged appends to b its own tag.
func (h *tagger) tagged(b []byte) []byte {
	h.Reset()
	h.Write(b)
	return h.Sum(b)
}
