package s3d

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

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
	parts    uint16 // of the ETag; 0: written at once
	// What kind of checksum it has: 1 more than its place among
	// checksumNames; 0: none.
	sum       byte
	composite bool
}

const unread = -1

func entryOf(o *object) *entry {
	e := &entry{key: o.Key, size: o.Size, modified: o.Modified}
	sum, parts, made := strings.Cut(o.ETag, "-")
	hex.Decode(e.md5[:], []byte(sum)) //nolint:errcheck // we wrote it as the hex of 16 bytes
	if made {
		n, _ := strconv.ParseUint(parts, 10, 16) // we wrote it, at most 10,000
		e.parts = uint16(n)
	}
	for name := range o.Checksums {
		e.sum, e.composite = byte(slices.Index(checksumNames(), name)+1), o.checksumType() == composite //nolint:gosec // five names
	}
	return e
}

// checksum returns the kind of checksum as listings have it.
func (e *entry) checksum() (name, kind string) {
	if e.sum == 0 {
		return "", ""
	}
	kind = fullObject
	if e.composite {
		kind = composite
	}
	return strings.ToUpper(checksumNames()[e.sum-1]), kind
}

func (e *entry) etag() string {
	if e.parts > 0 {
		return hex.EncodeToString(e.md5[:]) + "-" + strconv.Itoa(int(e.parts))
	}
	return hex.EncodeToString(e.md5[:])
}

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

// page is a piece of a listing, in order.
type page struct {
	items []item
	more  bool
}

// item is an entry or, when that is nil, a common prefix.
type item struct {
	entry  *entry
	prefix string
	first  *entry // the first that was found below the prefix
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
				p.items = append(p.items, item{prefix: common, first: e})
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

// lookers bounds how many files of a page are read at once: enough to keep a
// disk busy, few enough to leave something for other requests.
const lookers = 12

// look reads what is not yet known about the items of p, and drops those that
// are no objects, or have none below them. It reports whether it dropped any.
func (x *index) look(p *page) (dropped bool, err error) {
	var unknown []*item
	for i := range p.items {
		if it := &p.items[i]; it.known().size == unread {
			unknown = append(unknown, it)
		}
	}
	if len(unknown) == 0 {
		return false, nil
	}
	errs := make([]error, min(lookers, len(unknown)))
	var next atomic.Int64
	var all sync.WaitGroup
	for w := range errs {
		all.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(unknown) {
					return
				}
				errs[w] = x.lookAt(unknown[i])
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return false, err
	}
	kept := p.items[:0]
	for _, it := range p.items {
		if it.known() == nil {
			dropped = true
			continue
		}
		kept = append(kept, it)
	}
	clear(p.items[len(kept):])
	p.items = kept
	return dropped, nil
}

// known returns what the item is listed for.
func (it *item) known() *entry {
	if it.entry != nil {
		return it.entry
	}
	return it.first
}

// lookAt reads what an item is listed for. Afterwards known is nil when there
// is no such thing.
func (x *index) lookAt(it *item) (err error) {
	if it.entry != nil {
		it.entry, err = x.read(it.entry)
		return err
	}
	for it.first != nil && it.first.size == unread {
		behind := it.first
		if it.first, err = x.read(behind); err != nil {
			return err
		}
		if it.first == nil {
			it.first = x.below(it.prefix, behind.key)
		}
	}
	return nil
}

// below returns the first entry with a prefix and behind a key, nil when there
// is none.
func (x *index) below(prefix, key string) (found *entry) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.tree.Ascend(&entry{key: key + "\x00"}, func(e *entry) bool {
		if strings.HasPrefix(e.key, prefix) {
			found = e
		}
		return false
	})
	return found
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
