package s3d

import (
	"crypto/md5" //nolint:gosec // S3's ETag is an MD5, and nothing here trusts it
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"os"
	"path/filepath"
)

// errExists is the error of a write that must not overwrite, and would.
var errExists = errors.New("object exists")

// draft is a file being written, in the bucket's tmp folder. It is an
// [io.Writer] for the body and hashes what passes.
type draft struct {
	f      *os.File
	path   string // empty once renamed or removed
	size   int64
	md5    hash.Hash
	sha256 hash.Hash   // nil: not asked for
	crc32  hash.Hash32 // nil: not asked for
}

// draftName makes a name of 15 random bytes, isDraftName knows one.
func draftName(random []byte) string {
	return base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(random)
}

func isDraftName(name string) bool {
	b, err := base32.HexEncoding.WithPadding(base32.NoPadding).DecodeString(name)
	return err == nil && len(b) == 15
}

func (b *bucket) newDraft() (*draft, error) {
	path := filepath.Join(b.dir, draftsDir, b.random())
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // a name of our own
	if err != nil {
		return nil, fmt.Errorf("create draft: %w", err)
	}
	return &draft{f: f, path: path}, nil
}

// hash says which hashes the body is to have besides its MD5.
func (d *draft) hash(want digests) {
	d.md5 = md5.New() //nolint:gosec // as above
	if want.sha256 != nil || want.payload != "" {
		d.sha256 = sha256.New()
	}
	if want.crc32 != nil {
		d.crc32 = crc32.NewIEEE()
	}
}

func (d *draft) sums() sums {
	s := sums{md5: d.md5.Sum(nil)}
	if d.sha256 != nil {
		s.sha256 = d.sha256.Sum(nil)
	}
	if d.crc32 != nil {
		s.crc32 = d.crc32.Sum(nil)
	}
	return s
}

// Write appends to the body.
func (d *draft) Write(p []byte) (int, error) {
	n, err := d.f.Write(p)
	if err != nil {
		return n, fmt.Errorf("write draft: %w", err)
	}
	d.size += int64(n)
	d.md5.Write(p)
	if d.sha256 != nil {
		d.sha256.Write(p)
	}
	if d.crc32 != nil {
		d.crc32.Write(p)
	}
	return n, nil
}

// finish fills in what the body says about itself, and makes the file whole
// and durable.
func (d *draft) finish(o *object) error {
	o.Size, o.ETag = d.size, hex.EncodeToString(d.md5.Sum(nil))
	trailer, err := o.appendTrailer(nil)
	if err != nil {
		return err
	}
	if _, err := d.f.Write(trailer); err != nil {
		return fmt.Errorf("write draft: %w", err)
	}
	return d.sync()
}

func (d *draft) sync() error {
	err := d.f.Sync()
	if err = errors.Join(err, d.f.Close()); err != nil {
		return fmt.Errorf("sync draft: %w", err)
	}
	return nil
}

// discard removes what was not committed.
func (d *draft) discard() {
	d.f.Close() //nolint:errcheck // closed already, or of no interest any more
	if d.path != "" {
		os.Remove(d.path) //nolint:errcheck // what stays is removed at the next start
		d.path = ""
	}
}
