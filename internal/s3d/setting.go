package s3d

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// setting is one document that a bucket has or has not, as it was sent and as
// it is understood. It is safe for concurrent use.
type setting[T any] struct {
	file  string // in the bucket's folder
	parse func(doc []byte) (T, error)

	mu     sync.RWMutex
	doc    []byte // nil: there is none
	parsed T
}

// open reads the document from the bucket's folder.
func (s *setting[T]) open(dir string) error {
	doc, err := os.ReadFile(filepath.Join(dir, s.file)) //nolint:gosec // a name of our own
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open bucket: %w", err)
	}
	parsed, err := s.parse(doc)
	if err != nil {
		// %v: what is wrong is our file, not the request that found it so.
		return fmt.Errorf("open bucket: read %s: %v", s.file, err)
	}
	s.doc, s.parsed = doc, parsed
	return nil
}

// set replaces the document durably; nil removes it. Errors are those of parse,
// before anything changed, and those of the disk.
func (s *setting[T]) set(b *bucket, doc []byte) error {
	var parsed T
	var err error
	if doc != nil {
		if parsed, err = s.parse(doc); err != nil {
			return err
		}
	}
	b.life.RLock()
	defer b.life.RUnlock()
	if b.gone { // the folder may be another bucket's of the same name by now
		return errNoBucket(b.name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := b.disk.writeFile(b.dir, s.file, b.random(), doc); err != nil {
		return err
	}
	s.doc, s.parsed = doc, parsed
	return nil
}

// document returns what was sent, nil when there is none.
func (s *setting[T]) document() []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.doc
}

// value returns what it means; the zero value when there is none.
func (s *setting[T]) value() T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.parsed
}
