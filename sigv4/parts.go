package sigv4

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"time"
)

// MaxParts is the highest number of a part, and so how many an upload can have.
const MaxParts = 10_000

// PartsRequest is an upload in parts whose URLs are to be presigned.
type PartsRequest struct {
	Place    *Place        // where
	Key      string        // the object's, not encoded
	UploadID string        // as CreateMultipartUpload answered it, not encoded
	Expires  time.Duration // of each URL; 1 s to MaxExpires; fractions of a second are cut off
}

// Parts presigns the URLs of one upload's parts (UploadPart). What they have in
// common, which is nearly all, is written and hashed once. All of them are
// dated to the time at which Parts were prepared. For one goroutine at a time.
type Parts struct {
	key     *signingKey
	origin  string // https://bucket.example
	signed  []byte // the string to sign but for its end, the hash
	common  int    // how much of signed is the same for all
	ending  string // of the query: &uploadId=…
	hash    hash.Hash
	sum     [sha256.Size]byte
	rest    []byte      // of the canonical request, to be hashed
	lengths [2]partText // without a length and with one
}

// partText is what URLs with the same signed headers have in common.
type partText struct {
	pathAndQuery []byte // /key?…&partNumber=
	state        []byte // of a hash after whole blocks of the canonical request
	open         []byte // what comes behind those, up to partNumber=
	length, host string // the request's lines around the number of bytes
}

// Parts prepares the URLs of an upload's parts. It allocates some 3 kB, and the
// URLs nothing.
func (s *Signer) Parts(c Credentials, now time.Time, r PartsRequest) (*Parts, error) {
	if r.UploadID == "" {
		return nil, errors.New("presign parts: no upload id")
	}
	of := PlaceRequest{Place: r.Place, Expires: r.Expires}
	if _, err := of.check(&c); err != nil {
		return nil, fmt.Errorf("presign parts: %w", err)
	}
	now = now.UTC()
	p := &Parts{key: s.keys.keyAt(c, s.region, now), origin: r.Place.origin, hash: sha256.New()}
	stamp := string(appendStamp(nil, now))
	p.signed = appendStringToSign(make([]byte, 0, 256), stamp, p.key.scope, &p.sum)
	p.common = len(p.signed) - 2*len(p.sum)

	w := p.key.take()
	defer p.key.put(w)
	p.ending = string(appendEncoded(append(w.text[:0], "&uploadId="...), r.UploadID))
	for i, header := range [...][]Field{nil, {{Name: lengthName}}} {
		w.text = p.key.appendAuthentication(w.text[:0], c.SessionToken, stamp, r.Expires, header)
		p.lengths[i] = p.prepare(w.text, &r, header)
	}
	p.rest = make([]byte, 0, 2*sha256.BlockSize+len(p.lengths[1].length)+len(p.lengths[1].host))
	return p, nil
}

// prepare writes and hashes what parts with these headers have in common. The
// names of the parameters that differ sort after all of the authentication's,
// whose names begin with a capital, so the common part of a canonical request
// is its beginning: PUT, the path and most of the query.
func (p *Parts) prepare(query []byte, r *PartsRequest, header []Field) partText {
	var t partText
	b := make([]byte, 0, 256+len(r.Place.path)+3*len(r.Key)+len(query)+len(r.Place.host)) // a byte of a key may become %XX
	b = append(append(b, "PUT\n"...), r.Place.path...)
	b = appendKey(append(b, '/'), r.Key)
	question := len(b)
	b = append(append(append(b, '\n'), query...), "&partNumber="...)
	whole := len(b) / sha256.BlockSize * sha256.BlockSize
	p.hash.Reset()
	p.hash.Write(b[:whole])
	t.state = stateOf(make([]byte, 0, 128), p.hash)
	t.open = bytes.Clone(b[whole:])
	t.pathAndQuery = bytes.Clone(b[len("PUT\n"):])
	t.pathAndQuery[question-len("PUT\n")] = '?'

	t.length = p.ending + "\n"
	end := len(b)
	if len(header) > 0 {
		t.length += lengthName + ":"
		b = append(b, '\n')
	}
	b = append(appendHeaderLine(b, hostName, r.Place.host), '\n')
	b = append(appendHeaderNames(b, header, ";"), "\n"+UnsignedPayload...)
	t.host = string(b[end:])
	return t
}

// AppendURL appends the URL to which a part can be PUT, without an allocation
// if dst has room. The number is 1 to [MaxParts]. A length in bytes is signed
// as content-length, so that the part has that many or is refused; 0 leaves it
// open. After an error, dst is returned as it was.
func (p *Parts) AppendURL(dst []byte, number int, length int64) ([]byte, error) {
	if number < 1 || number > MaxParts {
		return dst, fmt.Errorf("presign part: number %d, must be 1 to %d", number, MaxParts)
	}
	if length < 0 {
		return dst, errors.New("presign part: negative length")
	}
	t := &p.lengths[0]
	if length > 0 {
		t = &p.lengths[1]
	}
	b := strconv.AppendInt(append(p.rest[:0], t.open...), int64(number), 10)
	b = append(b, t.length...)
	if length > 0 {
		b = strconv.AppendInt(b, length, 10)
	}
	p.rest = append(b, t.host...)
	restore(p.hash, t.state)
	p.hash.Write(p.rest)
	p.hash.Sum(p.sum[:0])
	p.signed = appendHex(p.signed[:p.common], &p.sum)

	dst = append(append(dst, p.origin...), t.pathAndQuery...)
	dst = strconv.AppendInt(dst, int64(number), 10)
	dst = append(append(dst, p.ending...), "&"+querySignature+"="...)
	return p.key.appendSignature(dst, p.signed), nil
}
