package s3d

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern.example/postern/sigv4"
)

// Config says where a Server keeps its objects and whom it obeys.
type Config struct {
	// Dir is the folder; it is made when missing. One Server at a time has it.
	Dir string
	// Region is what requests must be signed for. Default "us-east-1".
	Region string
	// Keys are the owner's, who may do everything but what a bucket policy
	// denies. At least one.
	Keys []sigv4.Credentials
	// Users have keys that may do what their policies allow. Everybody else
	// may do what a bucket policy allows to all, which is nothing at first.
	Users []User
	// NoSync answers before written files and folders are on disk: faster, and
	// a power loss may then take acknowledged objects or leave damaged ones,
	// which are not served. A crash of the process alone loses nothing.
	NoSync bool
	// Now is the clock that signatures, policies and Last-Modified go by.
	// Default time.Now.
	Now func() time.Time
	// Random gives request ids and the names of drafts. Default crypto/rand.
	Random io.Reader
	// Logger gets one line for each refused operation that S3 has and we lack,
	// and one for each fault of our own. Nil discards.
	Logger *slog.Logger
}

// Server is an embedded bucket server: an [http.Handler] over a directory.
// It is safe for concurrent use, and a process may have many, each with its
// own folder.
type Server struct {
	dir      string
	region   string
	disk     disk
	keys     map[string]sigv4.Credentials
	users    map[string]*user // by access key id
	now      func() time.Time
	random   io.Reader
	log      *slog.Logger
	verifier sigv4.Verifier

	operations []operation

	lock    *os.File
	buffers sync.Pool // of *[bufferSize]byte

	open   sync.RWMutex // held for reading by every request
	closed bool

	mu      sync.RWMutex
	buckets map[string]*bucket

	stats struct{ requests, received, written atomic.Int64 }
}

// Stats are counts since New.
type Stats struct {
	Requests       int64 // requests answered or being answered
	BytesReceived  int64 // bytes of request bodies
	ObjectsWritten int64 // by POST, PUT, copies and completed uploads, overwriting included
}

// New opens a folder. What a crash left unfinished is removed. Its error is
// ErrInUse when another Server has the folder.
func New(c Config) (*Server, error) {
	s := &Server{
		dir: c.Dir, region: c.Region, keys: make(map[string]sigv4.Credentials), now: c.Now, random: c.Random, log: c.Logger,
		buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }},
		buckets: make(map[string]*bucket), users: make(map[string]*user), disk: disk{fsync: !c.NoSync},
		operations: operations(),
	}
	if s.region == "" {
		s.region = "us-east-1"
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if c.Dir == "" || len(c.Keys) == 0 {
		return nil, errors.New("open bucket folder: Dir and Keys must be set")
	}
	for _, k := range c.Keys {
		if k.AccessKeyID == "" || k.SecretAccessKey == "" {
			return nil, errors.New("open bucket folder: a key is empty")
		}
		s.keys[k.AccessKeyID] = k
	}
	for _, u := range c.Users {
		if err := s.addUser(u); err != nil {
			return nil, fmt.Errorf("open bucket folder: %w", err)
		}
	}
	s.verifier = sigv4.Verifier{Region: s.region, Now: s.now, Lookup: func(id string) (sigv4.Credentials, bool) {
		k, ok := s.keys[id]
		return k, ok
	}}
	if err := s.openFolder(); err != nil {
		return nil, fmt.Errorf("open bucket folder: %w", err)
	}
	return s, nil
}

func (s *Server) openFolder() error {
	if err := s.disk.mkdirAll(s.dir); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(lockFile(lock), s.disk.syncDir(s.dir)); err != nil {
		return errors.Join(err, lock.Close())
	}
	s.lock = lock
	names, err := readNames(s.dir)
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	for _, name := range names {
		if strings.HasPrefix(name, deletedPrefix) { // DeleteBucket did not finish
			if err := s.disk.removeTree(filepath.Join(s.dir, name)); err != nil {
				return errors.Join(err, lock.Close())
			}
		}
		if checkBucketName(name) != nil {
			continue
		}
		if err := s.newBucket(name).clean(); err != nil {
			return errors.Join(err, lock.Close())
		}
	}
	return nil
}

// Close gives the folder back. It waits for requests that are being answered,
// so close the HTTP server first; later requests are answered 503.
func (s *Server) Close() error {
	s.open.Lock()
	defer s.open.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.lock.Close()
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	return Stats{s.stats.requests.Load(), s.stats.received.Load(), s.stats.written.Load()}
}

// bucket returns a bucket by its name.
func (s *Server) bucket(name string) (*bucket, error) {
	s.mu.RLock()
	b := s.buckets[name]
	s.mu.RUnlock()
	if b != nil {
		return b, nil
	}
	if err := checkBucketName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[name]; b != nil {
		return b, nil
	}
	b = s.newBucket(name)
	if err := b.open(); errors.Is(err, fs.ErrNotExist) {
		return nil, errNoBucket(name)
	} else if err != nil {
		return nil, err
	}
	s.buckets[name] = b
	return b, nil
}

func (s *Server) randomBytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.random, b); err != nil {
		// crypto/rand never fails; a reader that was passed in must not.
		panic(fmt.Sprintf("read random bytes: %v", err))
	}
	return b
}

func (s *Server) randomName() string {
	return draftName(s.randomBytes(15))
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.stats.requests.Add(1)
	s.open.RLock()
	defer s.open.RUnlock()
	x := &exchange{s: s, w: w, r: r, id: fmt.Sprintf("%X", s.randomBytes(8)), body: body{r: r.Body, received: &s.stats.received}}
	h := w.Header()
	h.Set("X-Amz-Request-Id", x.id)
	h.Set("Server", "postern")
	h.Set("Date", s.now().UTC().Format(http.TimeFormat)) // the clock that it judges by
	if s.closed {
		x.refuse(r.Context(), fault(http.StatusServiceUnavailable, "ServiceUnavailable", "Service is unable to handle request."))
		return
	}
	if err := x.serve(); err != nil {
		x.refuse(r.Context(), err)
	}
}
