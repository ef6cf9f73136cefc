package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"postern.example/postern"
)

// PrincipalHeader lets an API key act for one of its own users, whom it has
// made upload tokens for: with "alice" the principal is the key's own, "/" and
// "alice". Other kinds do not look at it.
const PrincipalHeader = "Postern-Principal"

// generated begins the names of users that upload tokens were not given one for.
const generated = "~"

// KeysConfig says where API keys are kept.
type KeysConfig struct {
	// Path of the file that [FormatKeys] wrote. It need not be there yet: there
	// are no keys then. It must be for its owner only.
	Path   string
	Logger *slog.Logger // default: nothing is logged
}

// Keys are API keys: "Authorization: Bearer pk_…". They are read from a file,
// and again whenever that was replaced, so that a key that is revoked is dead
// from the next request on. While the file cannot be read, no key is valid.
type Keys struct {
	path string
	log  *slog.Logger
	now  atomic.Pointer[keyring]
	mu   sync.Mutex // held by whoever reads the file
}

// keyring is what one reading found.
type keyring struct {
	info fs.FileInfo // nil: there was no file
	keys []Key
	err  error
}

// NewKeys makes the kind. An error says that the file there is cannot be used.
func NewKeys(c KeysConfig) (*Keys, error) {
	if c.Path == "" {
		return nil, errors.New("open keys: a path is needed")
	}
	k := &Keys{path: c.Path, log: c.Logger}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	_, err := k.current()
	return k, err
}

// List returns the keys as they are now; none while the file cannot be read.
func (k *Keys) List() []Key {
	keys, err := k.current()
	if err != nil {
		return nil
	}
	return slices.Clone(keys)
}

// current returns the keys as the file has them now. Looking whether it was
// replaced costs a microsecond.
func (k *Keys) current() ([]Key, error) {
	info, err := os.Stat(k.path) //nolint:gosec // the operator's own setting
	if errors.Is(err, fs.ErrNotExist) {
		info, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if r := k.now.Load(); r != nil && same(r.info, info) {
		return r.keys, r.err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.now.Load()
	if r == nil || !same(r.info, info) {
		if r = k.read(); r.info == nil {
			r.info = info // it could not be opened; the next look need not try again
		}
		k.now.Store(r)
		if r.err != nil {
			k.log.Error("API keys cannot be read; none is valid", slog.String("path", k.path), slog.String("cause", r.err.Error()))
		}
	}
	return r.keys, r.err
}

// same reports whether two looks at a path saw the same file. It is replaced as
// a whole, so another content is another file; one that was edited in place
// has another time or size.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && a.Mode() == b.Mode()
}

const maxKeyFile = 1 << 20 // bytes

func (k *Keys) read() *keyring {
	f, err := os.Open(k.path) //nolint:gosec // the operator's own setting
	if errors.Is(err, fs.ErrNotExist) {
		return &keyring{}
	} else if err != nil {
		return &keyring{err: fmt.Errorf("read keys: %w", err)}
	}
	defer f.Close() //nolint:errcheck // it was only read
	r := &keyring{}
	if r.info, err = f.Stat(); err != nil {
		return &keyring{err: fmt.Errorf("read keys: %w", err)}
	}
	if mode := r.info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		r.err = fmt.Errorf("read keys: others on this machine may open %s (mode %04o); run: chmod 600 %s", k.path, mode, k.path)
		return r
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	switch {
	case err != nil:
		r.err = fmt.Errorf("read keys: %w", err)
	case len(text) > maxKeyFile:
		r.err = fmt.Errorf("read keys: %s has over %s", k.path, postern.Bytes(maxKeyFile))
	default:
		r.keys, r.err = ParseKeys(text)
	}
	return r
}

// Identify implements [Kind].
func (k *Keys) Identify(r *http.Request) (postern.Identity, bool, error) {
	key, found, err := k.identify(r)
	if err != nil || !found {
		return postern.Identity{}, found, err
	}
	who := postern.Identity{Principal: key.Principal(), Presets: key.Presets, Limits: key.Limits}
	switch user := r.Header.Values(PrincipalHeader); {
	case len(user) > 1:
		return postern.Identity{}, true, postern.ErrBadRequest.With("There are two %s headers.", PrincipalHeader)
	case len(user) == 1:
		who.Principal, err = key.userPrincipal(user[0])
	}
	return who, true, err
}

// userPrincipal is the principal of one of the key's users.
func (k *Key) userPrincipal(user string) (string, error) {
	p := k.Principal() + "/" + user
	if user == "" || usable(p) != nil {
		e := postern.ErrBadRequest.With("The principal must have 1 to %d bytes and no control characters.", postern.MaxPrincipal-len(k.Principal())-1)
		e.Field = "principal"
		return "", e
	}
	return p, nil
}

// identify returns the key that the request shows.
func (k *Keys) identify(r *http.Request) (*Key, bool, error) {
	text := bearer(r)
	if !strings.HasPrefix(text, KeyPrefix) {
		return nil, false, nil
	}
	if !spelt(text) { // made up or mistyped: nothing needs to be read
		return nil, true, invalid("The API key is not valid.", errors.New("it is not spelt as keys are"))
	}
	keys, err := k.current()
	if err != nil {
		return nil, true, postern.ErrSignInUnavailable.Because(err)
	}
	key := find(keys, sha256.Sum256([]byte(text)))
	if key == nil {
		return nil, true, invalid("The API key is not valid.", errors.New("there is no such key"))
	}
	return key, true, nil
}

// find returns the key with a hash, and takes the same time whichever it is.
func find(keys []Key, hash [sha256.Size]byte) (found *Key) {
	for i := range keys {
		if subtle.ConstantTimeCompare(keys[i].hash[:], hash[:]) == 1 {
			found = &keys[i]
		}
	}
	return found
}

// byMark returns the key that a token was made with.
func (k *Keys) byMark(mark [markBytes]byte) (*Key, error) {
	keys, err := k.current()
	if err != nil {
		return nil, postern.ErrSignInUnavailable.Because(err)
	}
	for i := range keys {
		if [markBytes]byte(keys[i].hash[:markBytes]) == mark {
			return &keys[i], nil
		}
	}
	return nil, errRevoked
}

var errRevoked = errors.New("the key that it was made with is revoked")
