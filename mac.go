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
type macs struct{ used *sync.Pool }

func newMACs(key []byte) macs {
	return macs{&sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// append appends the tag of the texts, one behind the other, to dst.
func (m macs) append(dst []byte, texts ...[]byte) []byte {
	h := m.used.Get().(hash.Hash) //nolint:forcetypeassert // holds nothing else
	defer m.used.Put(h)
	h.Reset()
	for _, t := range texts {
		h.Write(t)
	}
	return h.Sum(dst)
}
