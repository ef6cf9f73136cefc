package s3d

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tidwall/btree"
)

// index holds the keys of one bucket in order, so that a page of a listing
// costs the same wherever it starts. It is built from the folders when it is
// first needed and kept in step by every write after that.
//
// Building reads names, not files (measured: 0.5 s for 200,000 objects): size,
// ETag and time of an object are read from its file when it is first listed,
// and stay. An entry costs 75 bytes and its key, the tree included (measured:
// 22 MB for 200,000 objects with keys of 37 bytes).
type index struct {
	objects string // the folder

	mu   sync.RWMutex
	tree *btree.BTreeG[*entry] // nil until built
}

// entry is immutable once it is in the tree: a change is a new entry.
type entry struct {
	key      string
	size     int64 // bytes; unread until the file has been looked at
	modified int64 // milliseconds since 1970
	md5      [16]byte
}

const unread = -1

func entryOf(o *object) *entry {
	e := &entry{key: o.Key, size: o.Size, modified: o.Modified}
	hex.Decode(e.md5[:], []byte(o.ETag)) //nolint:errcheck // we wrote it as the hex of 16 bytes
	return e
}

func (e *entry) etag() string { return hex.EncodeToString(e.md5[:]) }

func newIndex(objects string) *index { return &index{objects: objects} }

// set notes a written object, remove a deleted one. Callers hold the lock of
// the key's shard since before they changed the folder, so that for one key the
// order here is the order there.
func (x *index) set(o *object) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tree != nil {
		x.tree.Set(entryOf(o))
	}
}

func (x *index) remove(key string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tree != nil {
		x.tree.Delete(&entry{key: key})
	}
}

// build scans the folders once. A write that has changed a folder meanwhile
// waits for the scan and then notes itself, so nothing is missed or kept.
func (x *index) build() error {
	x.mu.RLock()
	built := x.tree != nil
	x.mu.RUnlock()
	if built {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tree != nil {
		return nil
	}
	tree := btree.NewBTreeGOptions(func(a, b *entry) bool { return a.key < b.key }, btree.Options{NoLocks: true})
	for shard := range 256 {
		dir := shardDir(x.objects, byte(shard))
		names, err := readNames(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			key, known, err := keyOf(name)
			if err == nil && known {
				tree.Set(&entry{key: key, size: unread})
				continue
			}
			if err != nil {
				continue // not ours: not listed, not touched
			}
			f, o, err := openObject(filepath.Join(dir, name), "")
			if isNoObject(err) {
				continue
			}
			if err != nil {
				return err
			}
			f.Close() //nolint:errcheck // it was only read
			if s, n := fileName(o.Key); s == byte(shard) && n == name {
				tree.Set(entryOf(o))
			}
		}
	}
	x.tree = tree
	return nil
}

func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir) //nolint:gosec // our own folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

// span is a piece of a listing to look for.
type span struct {
	prefix    string
	after     string // keys up to and including it are passed over
	skip      string // keys with this prefix are passed over; empty: none
	delimiter string
	limit     int // entries and common prefixes together
}

// page is a piece of a listing, in order. An item is an entry or, when entry is
// nil, a common prefix.
type page struct {
	items []item
	more  bool
}

type item struct {
	prefix string
	entry  *entry
}

// list returns up to limit items. Its cost depends on limit only: runs of keys
// below one common prefix are jumped over, not walked.
func (x *index) list(s span) (page, error) {
	if err := x.build(); err != nil {
		return page{}, err
	}
	var p page
	for {
		x.collect(&p, &s)
		dropped, err := x.look(&p)
		// When some of them were no objects after all, go on behind the last
		// one that was looked at until the page is full.
		if err != nil || !dropped || !p.more {
			return p, err
		}
	}
}

// collect appends items to p until it is full, and moves s behind the last.
func (x *index) collect(p *page, s *span) {
	p.more = false
	x.mu.RLock()
	defer x.mu.RUnlock()
	it := x.tree.Iter()
	defer it.Release()
	// Keys are valid UTF-8, so none has the byte 0xff: it sorts behind every
	// key with the prefix before it.
	start := max(s.prefix, s.after)
	if s.skip != "" {
		start = max(start, s.skip+"\xff")
	}
	for ok := it.Seek(&entry{key: start}); ok; {
		e := it.Item()
		if !strings.HasPrefix(e.key, s.prefix) {
			return
		}
		if e.key == s.after && s.after != "" {
			ok = it.Next()
			continue
		}
		if len(p.items) >= s.limit {
			p.more = true
			return
		}
		if s.delimiter != "" {
			if i := strings.Index(e.key[len(s.prefix):], s.delimiter); i >= 0 {
				common := e.key[:len(s.prefix)+i+len(s.delimiter)]
				p.items = append(p.items, item{prefix: common})
				s.skip = common
				ok = it.Seek(&entry{key: common + "\xff"})
				continue
			}
		}
		p.items = append(p.items, item{entry: e})
		s.after = e.key
		ok = it.Next()
	}
}

// look reads what is not yet known about the entries of p, and drops those that
// are no objects. It reports whether it dropped any.
func (x *index) look(p *page) (dropped bool, err error) {
	kept := p.items[:0]
	for _, it := range p.items {
		if it.entry != nil && it.entry.size == unread {
			if it.entry, err = x.read(it.entry); err != nil {
				return dropped, err
			}
			if it.entry == nil {
				dropped = true
				continue
			}
		}
		kept = append(kept, it)
	}
	clear(p.items[len(kept):])
	p.items = kept
	return dropped, nil
}

// read completes an entry from its file. It returns nil when there is no such
// object (any more).
func (x *index) read(old *entry) (*entry, error) {
	shard, name := fileName(old.key)
	f, o, err := openObject(filepath.Join(shardDir(x.objects, shard), name), old.key)
	var e *entry
	switch {
	case err == nil:
		f.Close() //nolint:errcheck // it was only read
		e = entryOf(o)
	case !isNoObject(err):
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if now, ok := x.tree.Get(old); ok && now == old {
		if e != nil {
			x.tree.Set(e)
		} else {
			x.tree.Delete(old)
		}
	}
	return e, nil
}

// isNoObject reports whether err says that there is no such object.
func isNoObject(err error) bool {
	return errors.Is(err, errNotObject) || errors.Is(err, fs.ErrNotExist)
}
