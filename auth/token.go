package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// TokenPrefix begins every upload token.
const TokenPrefix = "pt_"

// Limits of what a token may be asked for.
const (
	MaxTokenUploads = 10_000
	MaxTokenLife    = 24 * time.Hour
)

const (
	markBytes    = 8
	tokenVersion = 1
	maxToken     = 512 // as text; the longest has a principal of 96 bytes and a preset of 32
)

// token is what an upload token says. It is sealed, not hidden: who holds it
// may read it.
type token struct {
	id        [16]byte        // random; what its uses are counted under
	key       [markBytes]byte // of the hash of the API key that it was made with
	expires   time.Time       // whole seconds, UTC
	uploads   int
	maxBytes  int64 // 0: as the preset has it
	principal string
	preset    string
}

// name is what the uses of t are counted under.
func (t *token) name() string { return hex.EncodeToString(t.id[:]) }

// tokenKeys seal with the first and open with all, so that the secret can be
// rotated.
type tokenKeys [][]byte

func newTokenKeys(secrets [][]byte) (tokenKeys, error) {
	if len(secrets) == 0 {
		return nil, errors.New("a secret is needed to seal tokens")
	}
	keys := make(tokenKeys, len(secrets))
	for i, s := range secrets {
		if len(s) < 32 {
			return nil, errors.New("a secret must have at least 32 bytes")
		}
		// Of the same secret the root derives what seals tickets; the words tell
		// the two apart.
		keys[i] = tag(s, []byte("postern upload token v1"))
	}
	return keys, nil
}

func tag(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

// seal spells t: TokenPrefix and the URL-safe base64 of a version byte, the
// fixed fields, numbers as uvarints, texts behind their length, and 32 bytes of
// HMAC-SHA256 over all of them.
func (k tokenKeys) seal(t *token) string {
	b := make([]byte, 0, maxToken)
	b = append(b, tokenVersion)
	b = append(b, t.id[:]...)
	b = append(b, t.key[:]...)
	b = binary.AppendUvarint(b, uint64(t.expires.Unix())) //nolint:gosec // not before 1970
	b = binary.AppendUvarint(b, uint64(t.uploads))        //nolint:gosec // checked to be positive
	b = binary.AppendUvarint(b, uint64(t.maxBytes))       //nolint:gosec // checked not to be negative
	for _, s := range [...]string{t.principal, t.preset} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(append(b, tag(k[0], b)...))
}

var errToken = errors.New("it is not ours, or was altered")

// open reads a token if one of our keys sealed it. Nothing of it is looked at
// before that is certain.
func (k tokenKeys) open(text string) (*token, error) {
	text, ok := strings.CutPrefix(text, TokenPrefix)
	if !ok || len(text) > maxToken {
		return nil, errToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+sha256.Size {
		return nil, errToken
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	ours := false
	for i := range k {
		ours = hmac.Equal(sum, tag(k[i], body)) || ours
	}
	if !ours || body[0] != tokenVersion {
		return nil, errToken
	}
	return readToken(body[1:])
}

func readToken(b []byte) (*token, error) {
	t := &token{}
	if len(b) < len(t.id)+len(t.key) {
		return nil, errToken
	}
	b = b[copy(t.id[:], b):]
	b = b[copy(t.key[:], b):]
	var n [3]uint64
	for i := range n {
		v, used := binary.Uvarint(b)
		if used <= 0 || v > 1<<53 {
			return nil, errToken
		}
		n[i], b = v, b[used:]
	}
	t.expires = time.Unix(int64(n[0]), 0).UTC()    //nolint:gosec // below 2^53
	t.uploads, t.maxBytes = int(n[1]), int64(n[2]) //nolint:gosec // below 2^53
	for _, s := range []*string{&t.principal, &t.preset} {
		v, used := binary.Uvarint(b)
		if used <= 0 || v > uint64(len(b)-used) { //nolint:gosec // used is at most len(b)
			return nil, errToken
		}
		*s, b = string(b[used:used+int(v)]), b[used+int(v):] //nolint:gosec // checked against the length
	}
	if len(b) != 0 || t.uploads < 1 || t.uploads > MaxTokenUploads || usable(t.principal) != nil || t.preset == "" {
		return nil, errToken
	}
	return t, nil
}
