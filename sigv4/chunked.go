package sigv4

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strconv"
)

// What x-amz-content-sha256 says of a body that is aws-chunked, which is when
// [Identity.Chunked] reads it. S3's ECDSA variants belong to another algorithm;
// a [Verifier] refuses them.
const (
	// StreamingPayload: every chunk is signed.
	StreamingPayload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	// StreamingPayloadTrailer: every chunk and the trailer are signed.
	StreamingPayloadTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	// StreamingUnsignedTrailer: nothing of the body is signed, and a trailer
	// carries its checksum. What SDKs send over TLS.
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// The rules of aws-chunked, which are Amazon's where no other source is named:
// "Signature Calculations for the Authorization Header: Transferring Payload in
// Multiple Chunks" and "Including Trailing Headers (Chunked Upload)", both in
// the S3 API reference. Answers of S3 were recorded by others; see errors.go.
//
//		body    = *(size [";chunk-signature=" sig] CRLF bytes CRLF) "0" [";chunk-signature=" sig] CRLF trailer CRLF
//		trailer = *(name ":" value CRLF) ["x-amz-trailer-signature:" sig CRLF]
//
//	 1. A size is hex in either case (Rust's and .NET's SDKs send capitals) with
//	    no sign, prefix or leading zero, and not more than is still to come: the
//	    sizes add up to x-amz-decoded-content-length. Nothing is made of it but a
//	    count, so neither a chunk of 5 GiB nor a lie costs memory.
//	 2. All chunks but the last have at least 8 KiB. S3 asks it of unsigned ones
//	    too (aws-sdk-js-v3 issues 6859 and 6949), and it bounds how often a
//	    signature is checked.
//	 3. Signed chunks have one extension, chunk-signature; unsigned ones none.
//	    Each signature covers the one before, the first covers the request's.
//	 4. The trailer has what x-amz-trailer announced, each once, and no more.
//	 5. Lines end in CRLF. In place of the last CRLF of its trailer's fields,
//	    minio-go sends LF CRLF, and LF after the others; see trailer.go.
//	 6. Nothing follows.
const (
	minChunk = 8 << 10 // bytes, of all chunks but the last

	// maxLine bounds a chunk's first line, which has 99 bytes at most, and the
	// lines of a trailer: the longest are SHA-512's, of 111 bytes.
	maxLine = 256

	chunkExtension   = ";chunk-signature="
	chunkAlgorithm   = algorithm + "-PAYLOAD"
	trailerAlgorithm = algorithm + "-TRAILER"
	signatureLength  = 2 * sha256.Size
)

// seed is where the chain of an aws-chunked body begins: with the signature of
// its request. It lies behind a pointer so that no Identity that is printed or
// logged shows it.
type seed struct {
	key       *signingKey
	date      string // X-Amz-Date
	signature string
}

func isStreaming(payload string) bool {
	return payload == StreamingPayload || payload == StreamingPayloadTrailer || payload == StreamingUnsignedTrailer
}

// Chunked returns the decoded body of an aws-chunked request, which is one
// whose PayloadHash is [StreamingPayload], [StreamingPayloadTrailer] or
// [StreamingUnsignedTrailer]. The body is what was received, without HTTP's own
// framing; decodedLength is the request's X-Amz-Decoded-Content-Length in bytes,
// and trailers are the names in its X-Amz-Trailer, in any case. Both headers are
// covered by the request's signature, as all x-amz-* are.
//
// Refused are presigned requests, since Amazon has aws-chunked only for the
// Authorization header; a length that is negative; names that are not of the
// x-amz-checksum- family; and names for a body that has no trailer, or no names
// for one that has a signed trailer.
func (id Identity) Chunked(body io.Reader, decodedLength int64, trailers []string) (*ChunkReader, error) {
	signed := id.PayloadHash == StreamingPayload || id.PayloadHash == StreamingPayloadTrailer
	switch {
	case !isStreaming(id.PayloadHash):
		return nil, ErrInvalidRequest.with("The body of this request is not aws-chunked.")
	case id.seed == nil || id.Presigned:
		return nil, ErrInvalidRequest.with("An aws-chunked body needs the Authorization header.")
	case decodedLength < 0:
		return nil, ErrMissingContentLength
	}
	wanted, err := announced(trailers)
	if err != nil {
		return nil, err
	}
	switch {
	case id.PayloadHash == StreamingPayload && len(wanted) > 0:
		return nil, errTrailerName()
	case id.PayloadHash == StreamingPayloadTrailer && len(wanted) == 0:
		return nil, ErrMalformedTrailer // S3 answers so (versitygw issue 1691)
	}
	r := &ChunkReader{length: decodedLength, signed: signed, endsSigned: id.PayloadHash == StreamingPayloadTrailer, wanted: wanted, seed: *id.seed}
	r.taken.body = body
	r.in = bufio.NewReader(&r.taken)
	if signed {
		r.sum = sha256.New()
		r.text = make([]byte, 0, 512)
		copy(r.previous[:], id.seed.signature)
	}
	return r, nil
}

// ChunkReader decodes an aws-chunked body and checks its signatures. Its memory
// is 4 KiB and does not depend on the sizes of chunks; reading allocates
// nothing. It is for one goroutine.
type ChunkReader struct {
	in    *bufio.Reader
	taken counter
	seed  seed
	err   error // what Read returns from now on

	length  int64 // of the decoded body
	decoded int64 // of it, read so far
	left    int64 // of the chunk that is open
	size    int64 // of it, or of the last one
	chunks  int   // begun so far

	signed, endsSigned bool
	sum                hash.Hash             // of the chunk that is open; nil when nothing is signed
	previous, claimed  [signatureLength]byte // the signature checked last, and the one that the chunk says
	digest             [sha256.Size]byte
	text               []byte // a string to sign, and the signature after it

	wanted  []string // names of the trailer, lower case
	trailer map[string]string
}

// Read reads the decoded body. It returns io.EOF only when all of it is
// verified: every signature, the trailer, the length, and that nothing follows.
// Whoever keeps what is read must not commit it before that.
//
// Bytes are handed out before their chunk's signature is checked, for a chunk
// may be as long as the body. The last ones are not: the Read that would
// complete the body returns them when all is verified, or the error in their
// place, so that not even a caller who counts to the end and never meets io.EOF
// takes a forged body for a good one.
//
// Errors are *[Error]: IncompleteBody for a body that ends early, is not well
// formed or has another length than was said, InvalidChunkSizeError,
// MalformedTrailerError and SignatureDoesNotMatch. Errors of the reader below,
// but for the ends of a body, are returned as they are. After an error every
// Read returns the same.
func (r *ChunkReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if r.left == 0 {
		if r.err = r.next(); r.err != nil {
			return 0, r.err
		}
	}
	n, err := r.in.Read(p[:min(int64(len(p)), r.left)])
	if r.signed {
		r.sum.Write(p[:n]) // a hash never fails
	}
	r.left -= int64(n)
	r.decoded += int64(n)
	if err != nil { // io.EOF too: a line end must follow
		if r.err = ended(err); r.decoded == r.length {
			n = 0
		}
		return n, r.err
	}
	if r.decoded == r.length {
		if r.err = r.next(); r.err != io.EOF { //nolint:errorlint // next returns it bare
			return 0, r.err
		}
	}
	return n, nil
}

// Trailer returns what the trailer said, under lower-case names. It is nil until
// Read has verified all of the body, and after that has each of the names that
// were announced, none of them empty.
func (r *ChunkReader) Trailer() map[string]string { return r.trailer }

// Encoded returns how many bytes of the encoded body were taken so far; at
// io.EOF that is all of it.
func (r *ChunkReader) Encoded() int64 { return r.taken.bytes }

// next ends the chunk that is open and begins the one that follows. It returns
// io.EOF after the last, when everything is verified.
func (r *ChunkReader) next() error {
	if r.chunks > 0 {
		if err := r.lineEnd(); err != nil {
			return err
		}
		if err := r.checkChunk(); err != nil {
			return err
		}
	}
	size, err := r.first()
	if err != nil {
		return err
	}
	r.chunks++
	if size > 0 && r.chunks > 1 && r.size < minChunk {
		return ErrInvalidChunkSize.with(ErrInvalidChunkSize.Message, // S3 counts the chunk at which it notices
			"Chunk", strconv.Itoa(r.chunks), "BadChunkSize", strconv.FormatInt(r.size, 10))
	}
	if size > r.length-r.decoded || size == 0 && r.decoded != r.length {
		return ErrIncompleteBody.with("You did not provide the number of bytes specified by the Content-Length HTTP header",
			"NumberBytesExpected", strconv.FormatInt(r.length, 10), "NumberBytesProvided", strconv.FormatInt(r.decoded+size, 10))
	}
	r.size, r.left = size, size
	if size > 0 {
		return nil
	}
	if err := r.checkChunk(); err != nil {
		return err
	}
	return r.end()
}

// first reads the first line of a chunk.
func (r *ChunkReader) first() (int64, error) {
	line, err := r.line()
	if err != nil {
		return 0, err
	}
	n := len(line) - len("\r")
	if n < 0 || line[n] != '\r' {
		return 0, ErrIncompleteBody
	}
	line = line[:n]
	if r.signed {
		if n -= len(chunkExtension) + signatureLength; n < 0 || string(line[n:n+len(chunkExtension)]) != chunkExtension {
			return 0, ErrIncompleteBody
		}
		copy(r.claimed[:], line[n+len(chunkExtension):])
		line = line[:n]
	}
	size, ok := parseSize(line)
	if !ok {
		return 0, ErrIncompleteBody
	}
	return size, nil
}

// parseSize is strict where strconv.ParseInt is not: that takes signs. What has
// more than 15 digits is beyond any body, and sums of sizes must not overflow.
func parseSize(hex []byte) (int64, bool) {
	if len(hex) == 0 || len(hex) > 15 || hex[0] == '0' && len(hex) > 1 {
		return 0, false
	}
	n := int64(0)
	for _, c := range hex {
		digit, ok := unhex(c)
		if !ok {
			return 0, false
		}
		n = n<<4 | int64(digit)
	}
	return n, true
}

// checkChunk checks the signature of the chunk that was read.
func (r *ChunkReader) checkChunk() error {
	if !r.signed {
		return nil
	}
	b := r.chain(chunkAlgorithm)
	b = append(append(b, EmptySHA256...), '\n')
	b = hex.AppendEncode(b, r.sum.Sum(r.digest[:0]))
	r.sum.Reset()
	return r.check(b)
}

// chain begins a string to sign.
func (r *ChunkReader) chain(what string) []byte {
	b := append(append(r.text[:0], what...), '\n')
	b = append(append(b, r.seed.date...), '\n')
	b = append(append(b, r.seed.key.scope...), '\n')
	return append(append(b, r.previous[:]...), '\n')
}

// check compares what is claimed with the signature of text, in constant time.
func (r *ChunkReader) check(text []byte) error {
	r.text = r.seed.key.appendSignature(text, text)
	if !hmac.Equal(r.text[len(text):], r.claimed[:]) {
		return ErrSignatureDoesNotMatch
	}
	r.previous = r.claimed
	return nil
}

// line reads to the next LF and returns what is before it, good until the next
// read.
func (r *ChunkReader) line() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull || len(line) > maxLine: //nolint:errorlint // bufio returns it bare
		return nil, ErrIncompleteBody
	case err != nil:
		return nil, ended(err)
	}
	return line[:len(line)-1], nil
}

// lineEnd reads CRLF.
func (r *ChunkReader) lineEnd() error {
	for _, want := range []byte("\r\n") {
		if b, err := r.in.ReadByte(); err != nil {
			return ended(err)
		} else if b != want {
			return ErrIncompleteBody
		}
	}
	return nil
}

// ended is what S3 makes of a body that ends where more must come.
func ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF { //nolint:errorlint // by the contract of io.Reader and of net/http
		return ErrIncompleteBody
	}
	return err
}

// counter counts what is read of a body.
type counter struct {
	body  io.Reader
	bytes int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	c.bytes += int64(n)
	return n, err
}
