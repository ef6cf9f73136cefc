package s3d

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"postern.example/postern/sigv4"
)

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
	caller    caller
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
	if err := x.authenticate(); err != nil {
		return err
	}
	if err := x.hoist(); err != nil {
		return err
	}
	op, err := x.operation()
	if err == nil {
		err = x.knows(op)
	}
	if err != nil {
		if x.caller.anonymous() { // strangers learn nothing of what we have
			return errDenied("Access Denied")
		}
		return err
	}
	if x.name != "" && op.name != "CreateBucket" {
		if x.bucket, err = x.s.bucket(x.name); err != nil {
			return err
		}
	}
	if err := checkKey(x.key); err != nil {
		return err
	}
	if op.action != "" {
		if err := x.allow(op.action, x.key); err != nil {
			return err
		}
	}
	return op.run(x)
}

// length checks that the body's size is known.
func (x *exchange) length() error {
	if len(x.r.TransferEncoding) > 0 || x.r.ContentLength < 0 {
		return errNotImplemented("Transfer-Encoding")
	}
	if x.r.ContentLength == 0 && x.r.Header.Get("Content-Length") == "" {
		return errNoLength()
	}
	return nil
}

func errNoLength() error {
	return fault(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
}

// payload is the body of a write, without what it travels in.
type payload struct {
	io.Reader
	length int64
	want   digests

	chunks *sigv4.ChunkReader // nil: the body is plain
}

// payload reads what the request says of its body, and refuses what is wrong
// with that before the body is read.
func (x *exchange) payload() (*payload, error) {
	hash, trailer := x.identity.PayloadHash, ""
	chunked := strings.HasPrefix(hash, "STREAMING-")
	if !chunked {
		if err := x.length(); err != nil {
			return nil, err
		}
	}
	p := &payload{Reader: &x.body, length: x.r.ContentLength}
	if chunked {
		// The length of what travels may be unknown here: botocore sends it in
		// HTTP's own chunks.
		var trailers []string
		if v := x.header("x-amz-trailer"); v != "" {
			trailer = strings.ToLower(strings.TrimSpace(v))
			trailers = []string{trailer}
		}
		n, err := strconv.ParseInt(x.header("x-amz-decoded-content-length"), 10, 64)
		if err != nil || n < 0 {
			return nil, errNoLength()
		}
		if p.chunks, err = x.identity.Chunked(&x.body, n, trailers); err != nil {
			return nil, err
		}
		p.Reader, p.length = p.chunks, n
	} else if x.header("x-amz-trailer") != "" {
		return nil, errInvalidRequest("x-amz-trailer header is not supported without aws-chunked content.")
	}
	var err error
	if p.want, err = wanted(x.header, x.headerNames(), trailer); err != nil {
		return nil, err
	}
	if p.chunks == nil {
		p.want.payload, err = payloadHash(hash)
	}
	return p, err
}

// payloadHash returns what the signature says of the body: a hex SHA-256, or
// "" when it says nothing.
func payloadHash(h string) (string, error) {
	if h == sigv4.UnsignedPayload || h == "" {
		return "", nil
	}
	if b, err := hex.DecodeString(h); err == nil && len(b) == 32 {
		return h, nil
	}
	return "", errArgument("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "+
		"STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.", "x-amz-content-sha256")
}

// check holds what was read, which must be all, against what was said of it. It
// returns the checksum to be kept, "" for none.
func (p *payload) check(got sums) (string, error) {
	if p.want.trailer {
		name := p.want.algorithm.header()
		if p.want.value = decode64(p.chunks.Trailer()[name], p.want.algorithm.size); p.want.value == nil {
			return "", errInvalidRequest("Value for " + name + " trailing header is invalid.")
		}
	}
	return p.want.check(got)
}

// copyTo streams the payload into a draft through one buffer.
func (x *exchange) copyTo(d *draft, p *payload) error {
	buf := x.s.buffers.Get().(*[bufferSize]byte)
	defer x.s.buffers.Put(buf)
	for left := p.length; ; {
		// Small pieces make small writes: fill the buffer. At the end one more
		// byte is asked for, so that the end itself is read.
		n, err := io.ReadFull(p, buf[:min(bufferSize, max(left, 1))])
		left -= int64(n)
		if n > 0 {
			if _, err := d.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) && left == 0:
			return nil
		case err != nil:
			return readFault(err)
		}
	}
}

// receive writes a payload into a new draft, and checks it. The caller commits
// or discards it.
func (x *exchange) receive(p *payload) (d *draft, checksum string, err error) {
	if p.want.algorithm == nil {
		p.want.algorithm = findAlgorithm(defaultChecksum)
	}
	if d, err = x.bucket.newDraft(p.want); err != nil {
		return nil, "", err
	}
	if err = x.copyTo(d, p); err == nil {
		checksum, err = p.check(d.sums)
	}
	if err != nil {
		d.discard()
		return nil, "", err
	}
	return d, checksum, nil
}

// document reads a body that is to be a document.
func (x *exchange) document(limit int64) ([]byte, error) {
	p, err := x.payload()
	if err != nil {
		return nil, err
	}
	tooLong := fault(http.StatusBadRequest, "MaxMessageLengthExceeded", "Your request was too large.")
	if p.length > limit {
		return nil, tooLong
	}
	doc := make([]byte, p.length)
	if _, err := io.ReadFull(p, doc); err != nil {
		return nil, readFault(err)
	}
	// What travels behind the last byte is checked when the end is read.
	if n, err := io.ReadFull(p, make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return nil, readFault(err)
	}
	got := p.want.hashes()
	got.Write(doc) //nolint:errcheck // it never fails
	_, err = p.check(got)
	return doc, err
}

// checked reports whether the request says what its body's hash is, besides the
// signature. Some operations insist on it.
func (x *exchange) checked() bool {
	for _, name := range x.headerNames() {
		if name == "content-md5" || name == "x-amz-trailer" || strings.HasPrefix(name, checksumPrefix) && findAlgorithm(name[len(checksumPrefix):]) != nil {
			return true
		}
	}
	return false
}

func errUnchecked() error {
	return errInvalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
}

// settings reads a body that is to be one of a bucket's documents.
func (x *exchange) settings() ([]byte, error) {
	if !x.checked() {
		return nil, errUnchecked()
	}
	return x.document(maxSettings)
}
