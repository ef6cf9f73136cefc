package s3d

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// An object's file is, in this order:
//
//	body      size bytes, first so that it is sent straight from the file
//	trailer   JSON, the object type below
//	footer    24 bytes: length of the trailer (uint32), CRC-32C of the trailer
//	          (uint32), size of the body (uint64), magic; all big-endian
//
// Everything about an object changes by one rename. A file that ends in
// anything but a whole footer, or whose length disagrees with it, is no object:
// it is never listed and never served.
const (
	footerLength = 24
	magic        = "s3d\x00obj\x01"
	// maxTrailer holds whatever a form's 20 KB of fields or a request's 8 KB of
	// headers say, even when JSON spells every byte as six.
	maxTrailer = 256 << 10
	// tailGuess usually takes trailer and footer in one read.
	tailGuess = 2 << 10
)

// errNotObject is the error of a file without a valid trailer and footer.
var errNotObject = errors.New("not a whole object file")

// object is what we keep about one object.
type object struct {
	Key         string            `json:"key"`
	Size        int64             `json:"size"`     // bytes of the body
	ETag        string            `json:"etag"`     // without quotes; hex MD5, and "-" and a count when made of parts
	Modified    int64             `json:"modified"` // milliseconds since 1970
	ContentType string            `json:"content_type"`
	Headers     map[string]string `json:"headers,omitempty"`   // other stored headers, e.g. Cache-Control
	Metadata    map[string]string `json:"metadata,omitempty"`  // lower-case names without x-amz-meta-
	Checksums   map[string]string `json:"checksums,omitempty"` // algorithm, e.g. "sha256", to base64
	// ChecksumType is composite for a checksum of the parts' checksums; empty
	// means fullObject.
	ChecksumType string            `json:"checksum_type,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	// Upload is the id of the multipart upload that made it.
	Upload string `json:"upload,omitempty"`
}

// keep notes a checksum. An empty one is none.
func (o *object) keep(a *algorithm, sum string) {
	if sum != "" {
		o.Checksums = map[string]string{a.name: sum}
	}
}

func (o *object) modified() time.Time { return time.UnixMilli(o.Modified).UTC() }

func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// appendTrailer returns trailer and footer.
func (o *object) appendTrailer(dst []byte) ([]byte, error) {
	t, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode trailer: %w", err)
	}
	if len(t) > maxTrailer {
		return nil, fmt.Errorf("encode trailer: %d bytes are more than %d", len(t), maxTrailer)
	}
	dst = append(dst, t...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(t))) //nolint:gosec // at most maxTrailer
	dst = binary.BigEndian.AppendUint32(dst, castagnoli(t))
	dst = binary.BigEndian.AppendUint64(dst, uint64(o.Size)) //nolint:gosec // never negative
	return append(dst, magic...), nil
}

// readObject reads what stands at the end of f. A file that fits into scratch is
// read there as a whole, body first, and body is where it then lies; otherwise,
// and without scratch, body is nil. Its error is errNotObject when f is not a
// whole object file.
func readObject(f *os.File, scratch []byte) (o *object, body []byte, err error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	length := fi.Size()
	if !fi.Mode().IsRegular() || length < footerLength {
		return nil, nil, errNotObject
	}
	var tail []byte
	whole := length <= int64(len(scratch))
	if whole {
		tail = scratch[:length]
	} else {
		tail = make([]byte, min(length, tailGuess))
	}
	if err := readAt(f, tail, length-int64(len(tail))); err != nil {
		return nil, nil, err
	}
	foot := tail[len(tail)-footerLength:]
	n, sum := int64(binary.BigEndian.Uint32(foot)), binary.BigEndian.Uint32(foot[4:])
	size := binary.BigEndian.Uint64(foot[8:])
	if string(foot[16:]) != magic || n > maxTrailer || size > maxObject || int64(size)+n+footerLength != length {
		return nil, nil, errNotObject
	}
	if end := n + footerLength; end > int64(len(tail)) {
		tail = make([]byte, end)
		if err := readAt(f, tail, length-end); err != nil {
			return nil, nil, err
		}
	}
	trailer := tail[int64(len(tail))-footerLength-n : len(tail)-footerLength]
	o = new(object)
	if castagnoli(trailer) != sum || json.Unmarshal(trailer, o) != nil || o.Size != int64(size) {
		return nil, nil, errNotObject
	}
	if whole {
		body = tail[:size]
	}
	return o, body, nil
}

// readAt fills b from f. A file that ends early is errNotObject.
func readAt(f *os.File, b []byte, off int64) error {
	_, err := f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		return errNotObject
	}
	return err
}

// openObject opens an object's file for reading and checks that it is key's.
// Errors: fs.ErrNotExist, errNotObject.
func openObject(path, key string) (*os.File, *object, error) {
	f, o, _, err := openWhole(path, key, nil)
	return f, o, err
}

// openWhole is openObject, and reads a small object's body with it, see
// readObject.
func openWhole(path, key string, scratch []byte) (*os.File, *object, []byte, error) {
	f, err := os.Open(path) //nolint:gosec // a path of fileName's making
	if err != nil {
		return nil, nil, nil, err
	}
	o, body, err := readObject(f, scratch)
	if err == nil && key != "" && o.Key != key {
		err = errNotObject
	}
	if err != nil {
		f.Close() //nolint:errcheck // it was only read
		return nil, nil, nil, err
	}
	return f, o, body, nil
}
