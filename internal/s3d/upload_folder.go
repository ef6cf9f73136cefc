package s3d

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/btree"
)

// A multipart upload is a folder, uploads/<id>, with these files:
//
//	upload   what the object is to be, as an object's file without a body; its
//	         checksum is known by name alone, and by none if none was asked for
//	00001    the parts, as object files: the trailer has MD5, checksum and size
//	…
//	10000
//
// The upload exists as long as the file upload does: it comes last and goes
// first, durably. What is left of a folder without it is removed when the bucket
// is opened. So is an upload whose object is there: the object names the upload
// that it was made by, which is how a crash between the two is told.

const (
	uploadsDir = "uploads"
	uploadFile = "upload"
	// maxParts: "Part numbers can be any number from 1 to 10,000, inclusive."
	maxParts = 10_000
	// minPart: "each part must be at least 5 MB in size, except the last part".
	minPart = 5 << 20
)

// openUpload is a multipart upload that is neither completed nor aborted.
type openUpload struct {
	key, id   string
	initiated int64 // milliseconds since 1970
	algorithm *algorithm
	asked     bool // for the algorithm; otherwise it is S3's default
	composite bool

	// mu is held for writing by whoever ends the upload, and for reading by
	// whoever adds or lists parts: those need not wait for each other, and
	// nobody holds it while a part is being received.
	mu   sync.RWMutex
	gone bool
}

func (u *openUpload) checksumType() string {
	if u.composite {
		return composite
	}
	return fullObject
}

func (u *openUpload) began() time.Time { return time.UnixMilli(u.initiated).UTC() }

// uploads are those of one bucket, read from its folder when they are first
// needed. It is safe for concurrent use.
type uploads struct {
	dir string

	mu   sync.RWMutex
	tree *btree.BTreeG[*openUpload] // by key and id; nil until built
}

// uploadID makes an id of when the upload began and 32 random bytes. Nobody can
// guess one, and in order the ids of a key are by time, as listings have them.
func uploadID(at time.Time, random []byte) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())) // the order of times since 1970 is kept
	return base32.HexEncoding.EncodeToString(append(b, random...))
}

// isUploadID reports whether a text has the shape of an id: no other becomes
// part of a path.
func isUploadID(id string) bool {
	b, err := base32.HexEncoding.DecodeString(id)
	return err == nil && len(id) == 64 && len(b) == 40
}

func partName(number int) string { return fmt.Sprintf("%05d", number) }

// partNumber is what a part's file name stands for, 0 for any other name.
func partNumber(name string) int {
	n, err := strconv.Atoi(name)
	if err != nil || n < 1 || n > maxParts || partName(n) != name {
		return 0
	}
	return n
}

func (b *bucket) uploadDir(id string) string { return filepath.Join(b.uploads.dir, id) }

func newOpenUpload(id string, o *object) *openUpload {
	u := &openUpload{key: o.Key, id: id, initiated: o.Modified, algorithm: findAlgorithm(defaultChecksum), composite: o.checksumType() == composite}
	for name := range o.Checksums {
		u.algorithm, u.asked = findAlgorithm(name), true
	}
	return u
}

// readUpload reads the file of an upload. Its error is errNotObject or
// fs.ErrNotExist when there is none.
func (b *bucket) readUpload(id string) (*object, error) {
	f, o, err := openObject(filepath.Join(b.uploadDir(id), uploadFile), "")
	if err != nil {
		return nil, err
	}
	f.Close() //nolint:errcheck // it was only read
	for name := range o.Checksums {
		if findAlgorithm(name) == nil {
			return nil, errNotObject
		}
	}
	return o, nil
}

// buildUploads reads all uploads, once. It has returned before any is begun.
func (b *bucket) buildUploads() error {
	us := &b.uploads
	us.mu.RLock()
	built := us.tree != nil
	us.mu.RUnlock()
	if built {
		return nil
	}
	us.mu.Lock()
	defer us.mu.Unlock()
	if us.tree != nil {
		return nil
	}
	ids, err := readNames(us.dir)
	if err != nil {
		return err
	}
	tree := btree.NewBTreeGOptions(func(a, b *openUpload) bool {
		return a.key < b.key || a.key == b.key && a.id < b.id
	}, btree.Options{NoLocks: true})
	for _, id := range ids {
		if !isUploadID(id) {
			continue
		}
		o, err := b.readUpload(id)
		if isNoObject(err) {
			continue
		}
		if err != nil {
			return err
		}
		tree.Set(newOpenUpload(id, o))
	}
	us.tree = tree
	return nil
}

// findUpload returns an upload, nil when there is none of this id for the key.
func (b *bucket) findUpload(key, id string) (*openUpload, error) {
	if !isUploadID(id) {
		return nil, nil //nolint:nilnil // no upload is an answer
	}
	if err := b.buildUploads(); err != nil {
		return nil, err
	}
	b.uploads.mu.RLock()
	defer b.uploads.mu.RUnlock()
	u, _ := b.uploads.tree.Get(&openUpload{key: key, id: id})
	return u, nil
}

// beginUpload makes an upload, durably. o is what the object is to be.
func (b *bucket) beginUpload(id string, o *object) (*openUpload, error) {
	if err := b.buildUploads(); err != nil {
		return nil, err
	}
	d, err := b.newDraft(digests{})
	if err != nil {
		return nil, err
	}
	defer d.discard()
	if err := d.finish(o); err != nil {
		return nil, err
	}
	u := newOpenUpload(id, o)
	b.life.RLock()
	defer b.life.RUnlock()
	if b.gone {
		return nil, errNoBucket(b.name)
	}
	dir := b.uploadDir(id)
	if err := b.makeUploadDir(dir); err != nil {
		return nil, fmt.Errorf("begin upload: %w", err)
	}
	if err := b.disk.rename(d.path, filepath.Join(dir, uploadFile)); err != nil {
		return nil, fmt.Errorf("begin upload: %w", err)
	}
	d.path = ""
	if err := errors.Join(b.disk.syncDir(dir), b.disk.syncDir(b.uploads.dir)); err != nil {
		return nil, fmt.Errorf("begin upload: %w", err)
	}
	b.uploads.mu.Lock()
	defer b.uploads.mu.Unlock()
	b.uploads.tree.Set(u)
	return u, nil
}

// makeUploadDir makes an upload's folder, and the one around it for the first.
func (b *bucket) makeUploadDir(dir string) error {
	// The lock: nobody relies on the outer folder before it is durable.
	b.uploads.mu.Lock()
	defer b.uploads.mu.Unlock()
	err := b.disk.mkdir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = b.disk.mkdir(b.uploads.dir); err == nil {
			err = errors.Join(b.disk.syncDir(b.dir), b.disk.mkdir(dir))
		}
	}
	return err
}

// keepPart makes a finished draft a part of an upload, durably, in place of the
// one that had the number.
func (b *bucket) keepPart(u *openUpload, d *draft, number int) error {
	u.mu.RLock()
	defer u.mu.RUnlock()
	b.life.RLock()
	defer b.life.RUnlock()
	switch {
	case b.gone:
		return errNoBucket(b.name)
	case u.gone:
		return errNoUpload(u.id)
	}
	dir := b.uploadDir(u.id)
	if err := b.disk.rename(d.path, filepath.Join(dir, partName(number))); err != nil {
		return fmt.Errorf("rename part: %w", err)
	}
	d.path = ""
	return b.disk.syncDir(dir)
}

// abort ends an upload and removes its parts, durably. It reports false when
// somebody else has ended it.
func (b *bucket) abort(u *openUpload) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone {
		return false, nil
	}
	if err := b.endUpload(u); err != nil {
		return false, fmt.Errorf("abort upload: %w", err)
	}
	return true, nil
}

// endUpload removes an upload whose lock is held. It is over once its file is
// gone, whatever becomes of the rest.
func (b *bucket) endUpload(u *openUpload) error {
	b.life.RLock()
	defer b.life.RUnlock()
	if b.gone {
		return errNoBucket(b.name)
	}
	if err := b.disk.remove(filepath.Join(b.uploadDir(u.id), uploadFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b.forget(u)
	return b.removeUpload(u.id)
}

// forget makes an upload whose lock is held unknown to requests.
func (b *bucket) forget(u *openUpload) {
	u.gone = true
	b.uploads.mu.Lock()
	defer b.uploads.mu.Unlock()
	b.uploads.tree.Delete(u)
}

// removeUpload removes what is left of an upload without its file. The folder is
// synced first: no part may go before that file has, for an upload has all of
// its parts or is none.
func (b *bucket) removeUpload(id string) error {
	dir := b.uploadDir(id)
	if err := b.disk.syncDir(dir); err != nil {
		return err
	}
	if err := b.disk.removeTree(dir); err != nil {
		return err
	}
	return b.disk.syncDir(b.uploads.dir)
}

// cleanUploads removes what a crash left of uploads that were being begun,
// aborted or completed, and makes durable what it may have left unsynced. A
// folder with another name than we give is not ours.
func (b *bucket) cleanUploads() error {
	ids, err := readNames(b.uploads.dir)
	if err != nil || ids == nil {
		return err
	}
	if err := b.disk.syncDir(b.uploads.dir); err != nil {
		return err
	}
	for _, id := range ids {
		if !isUploadID(id) {
			continue
		}
		open, err := b.isOpen(id)
		if err != nil {
			return err
		}
		if open {
			continue
		}
		err = b.disk.remove(filepath.Join(b.uploadDir(id), uploadFile))
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			err = b.removeUpload(id)
		}
		if err != nil {
			return fmt.Errorf("remove upload: %w", err)
		}
	}
	return nil
}

// isOpen reports whether there is an upload that was not completed.
func (b *bucket) isOpen(id string) (bool, error) {
	to, err := b.readUpload(id)
	if isNoObject(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	o, err := b.find(to.Key)
	return o == nil || o.Upload != id, err
}

// uploadPage is a piece of a listing of uploads, in order.
type uploadPage struct {
	items []uploadItem
	more  bool
}

// uploadItem is an upload or, when that is nil, a common prefix.
type uploadItem struct {
	upload *openUpload
	prefix string
}

// listUploads returns uploads by key, and those of a key by time. Those of the
// key s.after are passed over up to and including behindID, all if it is empty.
func (b *bucket) listUploads(s span, behindID string) (p uploadPage, err error) {
	if err := b.buildUploads(); err != nil {
		return p, err
	}
	if behindID == "" {
		behindID = "\xff" // sorts behind all ids
	}
	b.uploads.mu.RLock()
	defer b.uploads.mu.RUnlock()
	it := b.uploads.tree.Iter()
	defer it.Release()
	start := &openUpload{key: max(s.prefix, s.after)}
	if s.after != "" && start.key == s.after {
		start.id = behindID
	}
	// As in index.collect: no key has the byte 0xff.
	if s.skip != "" {
		start = &openUpload{key: max(start.key, s.skip+"\xff")}
	}
	for ok := it.Seek(start); ok; {
		u := it.Item()
		if !strings.HasPrefix(u.key, s.prefix) {
			break
		}
		if u.key == s.after && u.id == behindID {
			ok = it.Next()
			continue
		}
		if len(p.items) >= s.limit {
			p.more = true
			break
		}
		if s.delimiter != "" {
			if i := strings.Index(u.key[len(s.prefix):], s.delimiter); i >= 0 {
				common := u.key[:len(s.prefix)+i+len(s.delimiter)]
				p.items = append(p.items, uploadItem{prefix: common})
				ok = it.Seek(&openUpload{key: common + "\xff"})
				continue
			}
		}
		p.items = append(p.items, uploadItem{upload: u})
		ok = it.Next()
	}
	return p, nil
}
