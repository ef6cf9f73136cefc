package s3d

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// draft is a file being written, in the bucket's tmp folder. It is an
// [io.Writer] for the body and hashes what passes.
type draft struct {
	disk *disk
	f    *os.File
	path string // empty once renamed or removed
	size int64
	sums sums
}

// draftName makes a name of 15 random bytes, isDraftName knows one.
func draftName(random []byte) string {
	return base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(random)
}

func isDraftName(name string) bool {
	b, err := base32.HexEncoding.WithPadding(base32.NoPadding).DecodeString(name)
	return err == nil && len(b) == 15
}

// newDraft begins a file whose body is hashed as want asks.
func (b *bucket) newDraft(want digests) (*draft, error) {
	path := filepath.Join(b.dir, draftsDir, b.random())
	f, err := b.disk.create(path)
	if err != nil {
		if b.isGone() {
			return nil, errNoBucket(b.name)
		}
		return nil, fmt.Errorf("create draft: %w", err)
	}
	return &draft{disk: b.disk, f: f, path: path, sums: want.hashes()}, nil
}

// Write appends to the body.
func (d *draft) Write(p []byte) (int, error) {
	n, err := d.f.Write(p)
	if err != nil {
		return n, fmt.Errorf("write draft: %w", err)
	}
	d.size += int64(n)
	return d.sums.Write(p)
}

// finish fills in what the body says about itself, unless that is known
// already, and makes the file whole and durable.
func (d *draft) finish(o *object) error {
	o.Size = d.size
	if o.ETag == "" {
		o.ETag = hex.EncodeToString(d.sums.md5.Sum(nil))
	}
	trailer, err := o.appendTrailer(nil)
	if err != nil {
		return err
	}
	if _, err := d.f.Write(trailer); err != nil {
		return fmt.Errorf("write draft: %w", err)
	}
	if err := d.disk.finish(d.f); err != nil {
		return fmt.Errorf("sync draft: %w", err)
	}
	return nil
}

// discard removes what was not committed.
func (d *draft) discard() {
	d.f.Close() //nolint:errcheck // closed already, or of no interest any more
	if d.path != "" {
		d.disk.remove(d.path) //nolint:errcheck // what stays is removed at the next start
		d.path = ""
	}
}
