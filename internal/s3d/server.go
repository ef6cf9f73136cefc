package s3d

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
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
	// Keys may do everything. Everybody else may do nothing but ask a
	// preflight. At least one.
	Keys []sigv4.Credentials
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
	keys     map[string]sigv4.Credentials
	now      func() time.Time
	random   io.Reader
	log      *slog.Logger
	verifier sigv4.Verifier
	lock     *os.File
	buffers  sync.Pool // of *[bufferSize]byte

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
	ObjectsWritten int64 // by POST and PUT, overwriting included
}

// New opens a folder. What a crash left unfinished is removed. Its error is
// ErrInUse when another Server has the folder.
func New(c Config) (*Server, error) {
	s := &Server{
		dir: c.Dir, region: c.Region, keys: make(map[string]sigv4.Credentials), now: c.Now, random: c.Random, log: c.Logger,
		buffers: sync.Pool{New: func() any { return new([bufferSize]byte) }},
		buckets: make(map[string]*bucket),
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
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(lockFile(lock), syncDir(s.dir)); err != nil {
		return errors.Join(err, lock.Close())
	}
	s.lock = lock
	names, err := readNames(s.dir)
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	for _, name := range names {
		if checkBucketName(name) != nil {
			continue
		}
		if err := newBucket(s.dir, name, s.randomName).clean(); err != nil {
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
	b = newBucket(s.dir, name, s.randomName)
	if err := b.open(); errors.Is(err, fs.ErrNotExist) {
		return nil, errNoBucket(name)
	} else if err != nil {
		return nil, err
	}
	s.buckets[name] = b
	return b, nil
}

// create makes a bucket. It reports false when there is one already.
func (s *Server) create(name string) (bool, error) {
	if err := checkBucketName(name); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := newBucket(s.dir, name, s.randomName)
	if err := b.open(); err == nil {
		return false, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := b.create(); err != nil {
		return false, err
	}
	s.buckets[name] = b
	return true, nil
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
	if s.closed {
		x.refuse(r.Context(), fault(http.StatusServiceUnavailable, "ServiceUnavailable", "Service is unable to handle request."))
		return
	}
	if err := x.serve(); err != nil {
		x.refuse(r.Context(), err)
	}
}

// exchange is one request and its answer.
type exchange struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	id   string
	body body

	name, key string // from the path; key is empty for the bucket itself
	query     map[string]string
	identity  sigv4.Identity
	bucket    *bucket
}

// body counts what is read of a request's body.
type body struct {
	r        io.Reader
	n        int64
	received *atomic.Int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	b.received.Add(int64(n))
	return n, err
}

func (x *exchange) serve() (err error) {
	if x.name, x.key, err = splitPath(x.r.URL); err != nil {
		return err
	}
	// Before anything can fail: a page must be able to read why.
	x.writeCORS()
	if x.r.Method == http.MethodOptions {
		return x.preflight()
	}
	if x.query, err = parseQuery(x.r.URL.RawQuery); err != nil {
		return err
	}
	if x.r.Method == http.MethodPost && x.key == "" && x.name != "" && len(x.query) == 0 {
		return x.postObject()
	}
	if x.identity, err = x.s.verifier.Request(x.r); err != nil {
		return err
	}
	if err := x.hoist(); err != nil {
		return err
	}
	op, err := x.operation()
	if err != nil {
		return err
	}
	if err := x.knows(op); err != nil {
		return err
	}
	if op.name != "CreateBucket" {
		if x.bucket, err = x.s.bucket(x.name); err != nil {
			return err
		}
		if err := checkKey(x.key); err != nil {
			return err
		}
	}
	return op.run(x)
}

// payloadHash returns what the signature says of the body: a hex SHA-256, or
// "" when it says nothing.
func (x *exchange) payloadHash() (string, error) {
	h := x.identity.PayloadHash
	if h == sigv4.UnsignedPayload {
		return "", nil
	}
	if b, err := hex.DecodeString(h); err == nil && len(b) == 32 {
		return h, nil
	}
	if len(h) >= 10 && h[:10] == "STREAMING-" {
		return "", errNotImplemented("x-amz-content-sha256")
	}
	return "", errArgument("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "+
		"or a valid sha256 value.", "x-amz-content-sha256")
}

// length checks that the body's size is known.
func (x *exchange) length() error {
	if len(x.r.TransferEncoding) > 0 || x.r.ContentLength < 0 {
		return errNotImplemented("Transfer-Encoding")
	}
	if x.r.ContentLength == 0 && x.r.Header.Get("Content-Length") == "" {
		return fault(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	return nil
}

// document reads a body that is to be an XML document.
func (x *exchange) document(limit int64) ([]byte, error) {
	d, err := x.digests()
	if err != nil {
		return nil, err
	}
	tooLong := fault(http.StatusBadRequest, "MaxMessageLengthExceeded", "Your request was too large.")
	if x.r.ContentLength > limit {
		return nil, tooLong
	}
	doc, err := io.ReadAll(io.LimitReader(&x.body, limit+1))
	if err != nil {
		return nil, readFault(err)
	}
	if int64(len(doc)) > limit {
		return nil, tooLong
	}
	_, err = d.check(sumsOf(doc))
	return doc, err
}

// digests returns what the request says the body's hashes are.
func (x *exchange) digests() (digests, error) {
	d, err := wanted(x.header, x.headerNames())
	if err != nil {
		return d, err
	}
	d.payload, err = x.payloadHash()
	return d, err
}
