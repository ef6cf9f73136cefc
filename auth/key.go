package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"regexp"
	"strings"
	"time"

	"postern.example/postern"
)

// Key is one API key, as it is kept: of the key itself only the hash.
type Key struct {
	Name string // 1 to 32 of a-z, 0-9 and ._-, the first a letter or digit; unique
	// Owner names whose uploads they are: the key's principal is "key/" and this.
	// Keys that share it see the same uploads, which is how a key is replaced.
	// Like Name; default Name.
	Owner   string
	Presets []string // that it may upload by; nil: all
	Limits  postern.Limits
	Made    time.Time // whole seconds, UTC

	hash [sha256.Size]byte // of the key's text
}

// KeyPrefix begins every API key, for programs that look for leaked secrets. The
// whole is KeyPrefix and 59 characters of 0-9 and a-v: 256 random bits and
// their CRC-32, so that a scanner can tell one from a look-alike offline.
const KeyPrefix = "pk_"

const (
	keyBytes = 32
	keyChars = 52 // of 32 bytes
	sumChars = 7  // of 4 bytes
	maxKeys  = 1000
)

// keyText is lower case letters and digits alone: a double click selects it all.
var keyText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

var nameRE = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// NewKey makes a key, and completes k with it. The text is the key itself: it
// is not kept, and cannot be found again.
func NewKey(k Key, now time.Time, random io.Reader) (made Key, text string, err error) {
	var b [keyBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Key{}, "", fmt.Errorf("make key: %w", err)
	}
	text = spell(b)
	k.hash, k.Made = sha256.Sum256([]byte(text)), now.UTC().Truncate(time.Second)
	if k.Owner == "" {
		k.Owner = k.Name
	}
	if err := k.check(); err != nil {
		return Key{}, "", err
	}
	return k, text, nil
}

func spell(b [keyBytes]byte) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE(b[:]))
	return KeyPrefix + keyText.EncodeToString(b[:]) + keyText.EncodeToString(sum[:])
}

// spelt reports whether text is a key as [NewKey] spells them.
func spelt(text string) bool {
	text, ok := strings.CutPrefix(text, KeyPrefix)
	if !ok || len(text) != keyChars+sumChars {
		return false
	}
	var b [keyBytes]byte
	if n, err := keyText.Decode(b[:], []byte(text[:keyChars])); err != nil || n != keyBytes {
		return false
	}
	return spell(b) == KeyPrefix+text
}

func (k *Key) check() error {
	switch {
	case !nameRE.MatchString(k.Name):
		return fmt.Errorf("key name %q: must be 1 to 32 of a-z, 0-9, '.', '_' and '-', and begin with a letter or digit", k.Name)
	case !nameRE.MatchString(k.Owner):
		return fmt.Errorf("key owner %q: must be 1 to 32 of a-z, 0-9, '.', '_' and '-', and begin with a letter or digit", k.Owner)
	case k.Limits.MaxBytes < 0:
		return fmt.Errorf("key %q: the limit must be a number of bytes, 1 or more", k.Name)
	case k.Made.Year() < 1 || k.Made.Year() > 9999: // which cannot be written
		return fmt.Errorf("key %q: it was not made in that year", k.Name)
	case k.Presets != nil && len(k.Presets) == 0:
		return fmt.Errorf("key %q: it could upload by no preset", k.Name)
	}
	for _, p := range k.Presets {
		if p == "" || len(p) > 32 {
			return fmt.Errorf("key %q: a preset's name has 1 to 32 bytes", k.Name)
		}
	}
	return nil
}

// Principal owns what the key uploads for itself.
func (k *Key) Principal() string { return keyNamespace + k.Owner }

// What the file of keys looks like.
type keyFileJSON struct {
	Version int       `json:"version"`
	Keys    []keyJSON `json:"keys"`
}

type keyJSON struct {
	Name     string    `json:"name"`
	Owner    string    `json:"owner"`
	SHA256   string    `json:"sha256"` // of the key's text, in hex
	Made     time.Time `json:"made"`
	Presets  []string  `json:"presets,omitempty"`
	MaxBytes int64     `json:"max_bytes,omitempty"`
}

const keyFileVersion = 1

// ParseKeys reads a file of keys, strictly: what is not understood is an error,
// for it might have been a bound.
func ParseKeys(text []byte) ([]Key, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var f keyFileJSON
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("parse keys: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("parse keys: there is something behind the end")
	}
	switch {
	case f.Version != keyFileVersion:
		return nil, fmt.Errorf("parse keys: version %d is not known", f.Version)
	case len(f.Keys) > maxKeys:
		return nil, fmt.Errorf("parse keys: there are %d; up to %d are allowed", len(f.Keys), maxKeys)
	}
	keys := make([]Key, len(f.Keys))
	seen := map[string]bool{}
	for i, x := range f.Keys {
		k := &keys[i]
		*k = Key{Name: x.Name, Owner: x.Owner, Presets: x.Presets, Limits: postern.Limits{MaxBytes: x.MaxBytes}, Made: x.Made.UTC()}
		if err := k.check(); err != nil {
			return nil, fmt.Errorf("parse keys: %w", err)
		}
		if seen[k.Name] {
			return nil, fmt.Errorf("parse keys: there are two called %q", k.Name)
		}
		seen[k.Name] = true
		h, err := hex.DecodeString(x.SHA256)
		if err != nil || len(h) != len(k.hash) {
			return nil, fmt.Errorf("parse keys: key %q has no hash", k.Name)
		}
		copy(k.hash[:], h)
	}
	return keys, nil
}

// FormatKeys is what [ParseKeys] reads.
func FormatKeys(keys []Key) ([]byte, error) {
	f := keyFileJSON{Version: keyFileVersion, Keys: make([]keyJSON, len(keys))}
	for i, k := range keys {
		f.Keys[i] = keyJSON{
			Name: k.Name, Owner: k.Owner, SHA256: hex.EncodeToString(k.hash[:]), Made: k.Made,
			Presets: k.Presets, MaxBytes: k.Limits.MaxBytes,
		}
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("format keys: %w", err)
	}
	b = append(b, '\n')
	if _, err := ParseKeys(b); err != nil { // nothing is written that cannot be read
		return nil, err
	}
	return b, nil
}
