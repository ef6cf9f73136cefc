package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
)

const (
	checksumPrefix   = "x-amz-checksum-"
	trailerSignature = "x-amz-trailer-signature"

	// maxTrailers bounds the names that x-amz-trailer may announce. S3 takes
	// one checksum of each object; whether it is one is for the caller to say.
	maxTrailers = 8
)

// announced checks the names in X-Amz-Trailer and returns them in lower case.
func announced(names []string) ([]string, error) {
	if len(names) > maxTrailers {
		return nil, errTrailerName()
	}
	var out []string
	for _, name := range names {
		name = lowerASCII(name)
		if !strings.HasPrefix(name, checksumPrefix) || len(name) == len(checksumPrefix) || len(name) >= maxLine || !validName(name) || slices.Contains(out, name) {
			return nil, errTrailerName()
		}
		out = append(out, name)
	}
	return out, nil
}

func errTrailerName() *Error {
	return ErrInvalidRequest.with("The value specified in the x-amz-trailer header is not supported")
}

// end reads what follows the last chunk. It returns io.EOF when it is right and
// nothing comes after it.
func (r *ChunkReader) end() error {
	trailer, err := r.fields()
	if err != nil {
		return err
	}
	for _, want := range []byte("\r\n") { // or more fields than were announced
		if b, err := r.in.ReadByte(); err != nil {
			return ended(err)
		} else if b != want {
			return ErrMalformedTrailer
		}
	}
	switch _, err := r.in.ReadByte(); err {
	case nil:
		return ErrMalformedTrailer
	case io.EOF:
		r.trailer = trailer
		return io.EOF
	default:
		return ended(err)
	}
}

// fields reads the fields of a trailer and checks their signature. There are
// two ways to write them, which no SDK mixes:
//
//	a:1 CRLF b:2 CRLF    all of Amazon's
//	a:1 LF b:2 LF CRLF   minio-go: request-signature-streaming.go, addSignedTrailer
//
// What is signed has LF in either case.
func (r *ChunkReader) fields() (map[string]string, error) {
	if len(r.wanted) == 0 {
		return map[string]string{}, nil
	}
	got := make(map[string]string, len(r.wanted))
	signed := sha256.New()
	bare := false
	for i := range r.wanted {
		line, err := r.line()
		if err != nil {
			return nil, err
		}
		field, crlf := bytes.CutSuffix(line, []byte("\r"))
		if i == 0 {
			bare = !crlf
		}
		name, value, ok := strings.Cut(string(field), ":")
		if _, twice := got[name]; !ok || twice || bare == crlf || !slices.Contains(r.wanted, name) || !validTrailer(value) {
			return nil, ErrMalformedTrailer
		}
		got[name] = value
		signed.Write(field)
		signed.Write([]byte("\n"))
	}
	if bare {
		if err := r.lineEnd(); err != nil {
			return nil, err
		}
	}
	if !r.endsSigned {
		return got, nil
	}
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	line, crlf := bytes.CutSuffix(line, []byte("\r"))
	claimed, ok := bytes.CutPrefix(line, []byte(trailerSignature+":"))
	if !ok || !crlf || len(claimed) != signatureLength {
		return nil, ErrMalformedTrailer
	}
	copy(r.claimed[:], claimed)
	return got, r.check(hex.AppendEncode(r.chain(trailerAlgorithm), signed.Sum(nil)))
}

// validTrailer reports whether value is visible ASCII and not empty. SDKs send
// no space around it, and a checksum has none within.
func validTrailer(value string) bool {
	for i := range len(value) {
		if value[i] <= ' ' || value[i] >= 0x7f {
			return false
		}
	}
	return value != ""
}
