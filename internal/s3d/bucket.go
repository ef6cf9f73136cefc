package s3d

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"postern.example/postern/internal/s3d/access"
)

// bucket is one bucket's folder.
type bucket struct {
	name   string
	dir    string
	disk   *disk
	index  *index
	random func() string // a new name for a draft

	// shards order the changes of one key: whoever holds the lock of its shard
	// changes the folder and the index together. The folder as a whole is ours
	// alone (the lock in DIR), so a check made under the lock still holds when
	// the rename follows: of many writers with If-None-Match one wins.
	shards [256]sync.Mutex

	// life is held for reading by whoever adds an object, and for writing by
	// whoever deletes the bucket once it is empty.
	life sync.RWMutex
	gone bool

	created time.Time // set by open and create

	cors      setting[[]corsRule]
	policy    setting[*access.Policy]
	public    setting[publicAccess]
	lifecycle setting[[]lifecycleRule]
	tags      setting[tagSet]

	uploads uploads
}

const (
	objectsDir = "objects"
	draftsDir  = "tmp"
	// createdFile holds the time of CreateBucket as RFC 3339 text.
	createdFile = "created"
)

func (s *Server) newBucket(name string) *bucket {
	dir := filepath.Join(s.dir, name)
	return &bucket{
		name: name, dir: dir, disk: &s.disk, index: newIndex(filepath.Join(dir, objectsDir)), random: s.randomName,
		cors:   setting[[]corsRule]{file: "cors.xml", parse: parseCORS},
		policy: setting[*access.Policy]{file: "policy.json", parse: parsePolicy(name)},
		public: setting[publicAccess]{file: "public-access.xml", parse: parsePublicAccess},

		lifecycle: setting[[]lifecycleRule]{file: "lifecycle.xml", parse: parseLifecycle},
		tags:      setting[tagSet]{file: "tags.xml", parse: parseBucketTags},
		uploads:   uploads{dir: filepath.Join(dir, uploadsDir)},
	}
}

// create makes the folders. The bucket exists from the moment objects does,
// which is why it comes last.
func (b *bucket) create(now time.Time) error {
	for _, d := range []string{b.dir, filepath.Join(b.dir, draftsDir)} {
		if err := b.disk.mkdir(d); err != nil {
			return fmt.Errorf("create bucket: %w", err)
		}
	}
	if err := b.keepCreated(now); err != nil {
		return fmt.Errorf("create bucket: %w", err)
	}
	if err := b.disk.mkdir(b.index.objects); err != nil {
		return fmt.Errorf("create bucket: %w", err)
	}
	return errors.Join(b.disk.syncDir(b.dir), b.disk.syncDir(filepath.Dir(b.dir)))
}

// keepCreated notes when the bucket was made.
func (b *bucket) keepCreated(at time.Time) error {
	b.created = at.UTC().Truncate(time.Millisecond)
	return b.disk.writeFile(b.dir, createdFile, b.random(), []byte(b.created.Format(time.RFC3339Nano)+"\n"))
}

// readCreated returns when the bucket in a folder was made. One from before
// this was noted has the time of its folder.
func readCreated(dir string) (time.Time, error) {
	text, err := os.ReadFile(filepath.Join(dir, createdFile)) //nolint:gosec // a name of our own
	if errors.Is(err, fs.ErrNotExist) {
		fi, err := os.Stat(dir)
		if err != nil {
			return time.Time{}, err
		}
		return fi.ModTime().UTC(), nil
	}
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(text)))
	if err != nil {
		return time.Time{}, fmt.Errorf("open bucket: read %s: %w", createdFile, err)
	}
	return at, nil
}

// open reads the bucket's settings. Its error is fs.ErrNotExist when there is
// no such bucket.
func (b *bucket) open() error {
	if fi, err := os.Stat(filepath.Join(b.dir, objectsDir)); err != nil {
		return err
	} else if !fi.IsDir() {
		return fs.ErrNotExist
	}
	var err error
	b.created, err = readCreated(b.dir)
	return errors.Join(err, b.cors.open(b.dir), b.policy.open(b.dir), b.public.open(b.dir), b.lifecycle.open(b.dir), b.tags.open(b.dir))
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
	if err := errors.Join(b.disk.syncDir(b.index.objects), b.disk.syncDir(b.dir)); err != nil {
		return err
	}
	// The folder's time changes with the settings, so it is noted now.
	if _, err := os.Stat(filepath.Join(b.dir, createdFile)); errors.Is(err, fs.ErrNotExist) {
		at, err := readCreated(b.dir)
		if err == nil {
			err = errors.Join(b.disk.mkdir(filepath.Join(b.dir, draftsDir)), b.keepCreated(at))
		}
		if err != nil {
			return err
		}
	}
	names, err := readNames(filepath.Join(b.dir, draftsDir))
	if err != nil {
		return err
	}
	for _, n := range names {
		if !isDraftName(n) {
			continue
		}
		if err := b.disk.remove(filepath.Join(b.dir, draftsDir, n)); err != nil {
			return fmt.Errorf("remove draft: %w", err)
		}
	}
	return b.cleanUploads()
}

func (b *bucket) isGone() bool {
	b.life.RLock()
	defer b.life.RUnlock()
	return b.gone
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

// find returns what there is to say about an object, nil when there is none.
func (b *bucket) find(key string) (*object, error) {
	f, o, err := b.openKey(key)
	if err == nil {
		return o, f.Close()
	}
	if isNoObject(err) {
		return nil, nil //nolint:nilnil // no object is an answer
	}
	return nil, err
}

// precondition is what must be true of the object that a write is to replace.
// The zero value is always met.
type precondition struct {
	absent bool   // If-None-Match: *
	etag   string // If-Match: the ETag that it must have, or "*" for any
	// file is the very file that must be there, or else errReplaced: a change
	// of an object that is made of what was read from it. Every write makes a
	// new file, and while the old one is open nothing else can be the same.
	file os.FileInfo
}

// met holds it against what is there now. Errors are S3's answers.
func (p precondition) met(b *bucket, key string) error {
	if p == (precondition{}) {
		return nil
	}
	if p.file != nil {
		_, path := b.path(key)
		now, err := os.Stat(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err != nil || !os.SameFile(p.file, now) {
			return errReplaced
		}
	}
	o, err := b.find(key)
	switch {
	case err != nil:
		return err
	case p.absent && o != nil:
		return errPrecondition("If-None-Match")
	case p.etag != "" && o == nil:
		return errNoKey(key)
	case p.etag != "" && p.etag != "*" && p.etag != o.ETag:
		return errPrecondition("If-Match")
	}
	return nil
}

// remove deletes an object durably. That there is none is no error.
func (b *bucket) remove(key string, p precondition) error {
	shard, path := b.path(key)
	if err := b.unlink(key, shard, path, p); err != nil {
		return err
	}
	// Also when it is gone already: whoever removed it may not have synced yet.
	if err := b.disk.syncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete object: %w", err)
	}
	return nil
}

func (b *bucket) unlink(key string, shard byte, path string, p precondition) error {
	b.life.RLock()
	defer b.life.RUnlock()
	if b.gone { // the folder may be another bucket's of the same name by now
		return errNoBucket(b.name)
	}
	b.shards[shard].Lock()
	defer b.shards[shard].Unlock()
	if err := p.met(b, key); err != nil {
		return err
	}
	err := b.disk.remove(path)
	if err == nil {
		b.index.remove(key)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete object: %w", err)
	}
	return nil
}

// commit makes a finished draft the object, durably, if what is there now meets
// the precondition; else nothing changes. The draft is gone afterwards in any
// case.
func (b *bucket) commit(d *draft, o *object, p precondition) error {
	defer d.discard()
	if err := d.finish(o); err != nil {
		return err
	}
	shard, path := b.path(o.Key)
	if err := b.rename(d, o, shard, path, p); err != nil {
		return err
	}
	return b.disk.syncDir(filepath.Dir(path))
}

// makeShard makes the folder of a shard whose lock is held. One that is there is
// durable: whoever finds it later relies on that.
func (b *bucket) makeShard(dir string) error {
	if err := b.disk.mkdir(dir); err != nil {
		return err
	}
	if err := b.disk.syncDir(b.index.objects); err != nil {
		return errors.Join(err, b.disk.remove(dir))
	}
	return nil
}

func (b *bucket) rename(d *draft, o *object, shard byte, path string, p precondition) error {
	b.life.RLock()
	defer b.life.RUnlock()
	if b.gone {
		return errNoBucket(b.name)
	}
	b.shards[shard].Lock()
	defer b.shards[shard].Unlock()
	if err := p.met(b, o.Key); err != nil {
		return err
	}
	err := b.disk.rename(d.path, path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = b.makeShard(filepath.Dir(path)); err == nil {
			err = b.disk.rename(d.path, path)
		}
	}
	if err != nil {
		return fmt.Errorf("rename draft: %w", err)
	}
	d.path = ""
	b.index.set(o)
	return nil
}
