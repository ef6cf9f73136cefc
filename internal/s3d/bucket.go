package s3d

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// bucket is one bucket's folder.
type bucket struct {
	name   string
	dir    string
	index  *index
	random func() string // a new name for a draft

	// shards order the changes of one key: whoever holds the lock of its shard
	// changes the folder and the index together. The folder as a whole is ours
	// alone (the lock in DIR), so a check made under the lock still holds when
	// the rename follows: of many writers with If-None-Match one wins.
	shards [256]sync.Mutex

	corsMu sync.RWMutex
	cors   []corsRule // nil: none; as in cors.xml
	xml    []byte     // cors.xml itself
}

const (
	objectsDir = "objects"
	draftsDir  = "tmp"
	corsFile   = "cors.xml"
)

func newBucket(dir, name string, random func() string) *bucket {
	dir = filepath.Join(dir, name)
	return &bucket{name: name, dir: dir, index: newIndex(filepath.Join(dir, objectsDir)), random: random}
}

// create makes the folders. The bucket exists from the moment objects does,
// which is why it comes last.
func (b *bucket) create() error {
	for _, d := range []string{b.dir, filepath.Join(b.dir, draftsDir), filepath.Join(b.dir, objectsDir)} {
		if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create bucket: %w", err)
		}
	}
	return errors.Join(syncDir(b.dir), syncDir(filepath.Dir(b.dir)))
}

// open reads the bucket's settings. Its error is fs.ErrNotExist when there is
// no such bucket.
func (b *bucket) open() error {
	if fi, err := os.Stat(filepath.Join(b.dir, objectsDir)); err != nil {
		return err
	} else if !fi.IsDir() {
		return fs.ErrNotExist
	}
	doc, err := os.ReadFile(filepath.Join(b.dir, corsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open bucket: %w", err)
	}
	if b.cors, err = parseCORS(doc); err != nil {
		return fmt.Errorf("open bucket: read %s: %w", corsFile, err)
	}
	b.xml = doc
	return nil
}

// clean removes the drafts that a crash left behind, and makes folders durable
// that it may have left unsynced: later writes find them there and rely on them.
// A folder without objects is no bucket, and a file with another name than we
// give is not ours: neither is touched.
func (b *bucket) clean() error {
	if _, err := os.Stat(b.index.objects); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	}
	if err := errors.Join(syncDir(b.index.objects), syncDir(b.dir)); err != nil {
		return err
	}
	names, err := readNames(filepath.Join(b.dir, draftsDir))
	if err != nil {
		return err
	}
	for _, n := range names {
		if !isDraftName(n) {
			continue
		}
		if err := os.Remove(filepath.Join(b.dir, draftsDir, n)); err != nil {
			return fmt.Errorf("remove draft: %w", err)
		}
	}
	return nil
}

func (b *bucket) path(key string) (shard byte, path string) {
	shard, name := fileName(key)
	return shard, filepath.Join(shardDir(b.index.objects, shard), name)
}

// openKey opens an object for reading. What is read stays what it was, also
// when the object is overwritten or deleted meanwhile.
func (b *bucket) openKey(key string) (*os.File, *object, error) {
	_, path := b.path(key)
	return openObject(path, key)
}

// has reports whether there is an object.
func (b *bucket) has(key string) (bool, error) {
	f, _, err := b.openKey(key)
	if err == nil {
		return true, f.Close()
	}
	if isNoObject(err) {
		return false, nil
	}
	return false, err
}

// remove deletes an object durably. That there is none is no error.
func (b *bucket) remove(key string) error {
	shard, path := b.path(key)
	b.shards[shard].Lock()
	err := os.Remove(path)
	if err == nil {
		b.index.remove(key)
	}
	b.shards[shard].Unlock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete object: %w", err)
	}
	// Also when it is gone already: whoever removed it may not have synced yet.
	if err := syncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete object: %w", err)
	}
	return nil
}

// commit makes a finished draft the object, durably. With onlyNew it reports
// errExists, and changes nothing, when there is an object already. The draft is
// gone afterwards in any case.
func (b *bucket) commit(d *draft, o *object, onlyNew bool) error {
	defer d.discard()
	if err := d.finish(o); err != nil {
		return err
	}
	shard, path := b.path(o.Key)
	if err := b.rename(d, o, shard, path, onlyNew); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func (b *bucket) rename(d *draft, o *object, shard byte, path string, onlyNew bool) error {
	b.shards[shard].Lock()
	defer b.shards[shard].Unlock()
	if onlyNew {
		if there, err := b.has(o.Key); err != nil {
			return err
		} else if there {
			return errExists
		}
	}
	err := os.Rename(d.path, path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(filepath.Dir(path), 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			err = errors.Join(syncDir(b.index.objects), os.Rename(d.path, path))
		}
	}
	if err != nil {
		return fmt.Errorf("rename draft: %w", err)
	}
	d.path = ""
	b.index.set(o)
	return nil
}

// writeFile replaces a settings file of the bucket durably; nil removes it.
func (b *bucket) writeFile(name string, doc []byte) error {
	path := filepath.Join(b.dir, name)
	if doc == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", name, err)
		}
		return syncDir(b.dir)
	}
	d, err := b.newDraft()
	if err != nil {
		return err
	}
	defer d.discard()
	if _, err := d.f.Write(doc); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := d.sync(); err != nil {
		return err
	}
	if err := os.Rename(d.path, path); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	d.path = ""
	return syncDir(b.dir)
}

// setCORS replaces the bucket's rules; a nil document removes them.
func (b *bucket) setCORS(doc []byte, rules []corsRule) error {
	b.corsMu.Lock()
	defer b.corsMu.Unlock()
	if err := b.writeFile(corsFile, doc); err != nil {
		return err
	}
	b.xml, b.cors = doc, rules
	return nil
}

func (b *bucket) corsRules() []corsRule {
	b.corsMu.RLock()
	defer b.corsMu.RUnlock()
	return b.cors
}
