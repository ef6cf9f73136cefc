package s3d

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// A reader of multipart/form-data (RFC 7578, RFC 2046 §5.1) of our own, because
// the limit on what comes before the file counts every byte of the body, and
// because it hands the file out in pieces of its one buffer: nothing is copied,
// and nothing is ever kept but the fields.

const (
	// maxPreFile: "the form data and boundaries (excluding the file contents)
	// cannot exceed 20 KB". We count every byte before the file's first.
	maxPreFile = 20480
	// maxPartHeaders bounds the header lines of one part.
	maxPartHeaders = 16
	// bufferSize is what one request may hold of a body.
	bufferSize = 64 << 10
)

var (
	errForm    = errors.New("malformed form")
	errPreFile = errors.New("too much before the file")
)

// formBoundary reads the Content-Type of a form.
func formBoundary(h http.Header) (string, error) {
	v := h.Values("Content-Type")
	kind, _, _ := strings.Cut(strings.Join(v, ","), ";")
	if len(v) != 1 || !strings.EqualFold(strings.TrimSpace(kind), "multipart/form-data") {
		e := fault(http.StatusPreconditionFailed, "PreconditionFailed",
			"At least one of the pre-conditions you specified did not hold",
			"Condition", "Bucket POST must be of the enclosure-type multipart/form-data")
		return "", e
	}
	_, params, err := mime.ParseMediaType(v[0])
	if b := params["boundary"]; err == nil && b != "" && len(b) <= 70 { // RFC 2046 §5.1.1
		return b, nil
	}
	return "", errMalformedPOST()
}

// form reads the parts of one body, one after the other.
type form struct {
	r      io.Reader
	buf    []byte
	lo, hi int    // buf[lo:hi] is read from r and not yet taken
	seen   int    // buf[lo:lo+seen] holds no start of a delimiter
	delim  []byte // CR LF "--" boundary
	taken  int64  // bytes of the body taken so far
	begun  bool   // the first delimiter was taken
	last   bool   // the closing delimiter was taken
	empty  bool   // the current part ended with its headers
	err    error  // of r
}

// part is what stands before a part's content.
type part struct {
	name        string // lower case
	filename    string
	hasFilename bool
}

func newForm(r io.Reader, boundary string, buf []byte) *form {
	f := &form{r: r, buf: buf, delim: []byte("\r\n--" + boundary)}
	// As if the body began with a line end, so that the first delimiter is like
	// all others. It is not counted.
	f.hi = copy(f.buf, "\r\n")
	f.taken = -2
	return f
}

// fill reads more. Its error is errForm when the body is at its end.
func (f *form) fill() error {
	if f.lo > 0 {
		f.hi = copy(f.buf, f.buf[f.lo:f.hi])
		f.lo = 0
	}
	for f.err == nil && f.hi < len(f.buf) {
		n, err := f.r.Read(f.buf[f.hi:])
		f.hi += n
		f.err = err
		if n > 0 {
			return nil
		}
	}
	if f.err == nil || errors.Is(f.err, io.EOF) {
		return errForm
	}
	return f.err
}

func (f *form) take(n int) {
	f.lo += n
	f.taken += int64(n)
	f.seen = max(f.seen-n, 0)
}

// chunk returns the next piece of the current part's content, valid until the
// next call, and io.EOF at its end.
func (f *form) chunk() ([]byte, error) {
	if f.empty {
		f.empty = false
		return nil, io.EOF
	}
	for {
		window := f.buf[f.lo:f.hi]
		if i := bytes.Index(window[f.seen:], f.delim); i >= 0 {
			if i += f.seen; i > 0 {
				f.seen = i
				f.take(i)
				return window[:i], nil
			}
			ends, err := f.delimiter()
			if err != nil {
				return nil, err
			}
			if ends {
				return nil, io.EOF
			}
			b := f.buf[f.lo : f.lo+1] // it only began like one
			f.take(1)
			return b, nil
		}
		f.seen = max(len(window)-len(f.delim)+1, 0)
		// Small pieces make small writes: collect half a buffer first.
		if f.seen >= len(f.buf)/2 {
			b := window[:f.seen]
			f.take(f.seen)
			return b, nil
		}
		if err := f.fill(); err != nil {
			return nil, err
		}
	}
}

// delimiter takes the delimiter line that may begin at lo. It reports false,
// and takes nothing, when the line is none.
func (f *form) delimiter() (bool, error) {
	for {
		rest := f.buf[f.lo+len(f.delim) : f.hi]
		if bytes.HasPrefix(rest, []byte("--")) {
			f.take(len(f.delim) + 2)
			f.last = true
			return true, nil
		}
		line := bytes.TrimLeft(rest, " \t")
		padding := len(rest) - len(line)
		switch {
		case padding > 64:
			return false, nil
		case bytes.HasPrefix(line, []byte("\r\n")):
			f.take(len(f.delim) + padding + 2)
			return true, nil
		case len(line) >= 2, len(line) == 1 && line[0] != '\r' && (line[0] != '-' || padding > 0):
			return false, nil
		}
		if err := f.fill(); err != nil {
			return false, err
		}
	}
}

// next goes to the next part, once the one before is read to its end. Its error
// is io.EOF when there is none.
func (f *form) next() (part, error) {
	for !f.begun { // what stands before the first delimiter
		_, err := f.chunk()
		if f.begun = errors.Is(err, io.EOF); f.begun {
			break
		}
		if err != nil {
			return part{}, err
		}
		if f.taken > maxPreFile {
			return part{}, errPreFile
		}
	}
	if f.last {
		return part{}, io.EOF
	}
	return f.headers()
}

// headers reads the header lines of a part.
func (f *form) headers() (part, error) {
	var end int
	for {
		window := f.buf[f.lo:f.hi]
		if bytes.HasPrefix(window, []byte("\r\n")) {
			return part{}, errForm
		}
		if end = bytes.Index(window, []byte("\r\n\r\n")); end >= 0 {
			break
		}
		if f.taken+int64(len(window)) > maxPreFile {
			return part{}, errPreFile
		}
		if err := f.fill(); err != nil {
			return part{}, err
		}
	}
	lines := strings.Split(string(f.buf[f.lo:f.lo+end]), "\r\n")
	f.take(end + 2)
	if err := f.blankLine(); err != nil {
		return part{}, err
	}
	if f.taken > maxPreFile {
		return part{}, errPreFile
	}
	if len(lines) > maxPartHeaders {
		return part{}, errForm
	}
	return parsePart(lines)
}

// blankLine takes the empty line behind a part's headers. Its line end may be
// the delimiter's own, since a body part may end with its headers (RFC 2046
// §5.1.1: "MIME-part-headers [CRLF *OCTET]"); the part is empty then.
func (f *form) blankLine() error {
	for f.hi-f.lo < len(f.delim) && bytes.HasPrefix(f.delim, f.buf[f.lo:f.hi]) {
		if err := f.fill(); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(f.buf[f.lo:f.hi], f.delim) {
		var err error
		if f.empty, err = f.delimiter(); err != nil || f.empty {
			return err
		}
	}
	f.take(len("\r\n"))
	return nil
}

func parsePart(lines []string) (p part, err error) {
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) || !isText(value) {
			return part{}, errForm
		}
		value = strings.Trim(value, " \t")
		switch strings.ToLower(name) {
		case "content-disposition":
			kind, params, err := mime.ParseMediaType(value)
			if err != nil || kind != "form-data" || params["name"] == "" || p.name != "" {
				return part{}, errForm
			}
			p.name = lowerASCII(params["name"])
			p.filename, p.hasFilename = params["filename"]
		case "content-transfer-encoding":
			// RFC 7578 §4.7: not to be used; what changes nothing is let pass.
			if v := strings.ToLower(value); v != "binary" && v != "8bit" && v != "7bit" {
				return part{}, errForm
			}
		}
	}
	if p.name == "" {
		return part{}, errForm
	}
	return p, nil
}

// lowerASCII lowers A to Z alone: Unicode has letters that ToLower makes ASCII
// of (the Kelvin sign), and such a field is not the one it then looks like.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// value reads the content of a field that stands before the file.
func (f *form) value() (string, error) {
	var v []byte
	for {
		b, err := f.chunk()
		if f.taken > maxPreFile {
			return "", errPreFile
		}
		if errors.Is(err, io.EOF) {
			return string(v), nil
		}
		if err != nil {
			return "", err
		}
		v = append(v, b...)
	}
}
