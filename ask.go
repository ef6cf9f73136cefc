package postern

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"
)

// decodeAsk reads the body of POST /uploads. Bodies as nearly all clients send
// them are read in one pass; whatever else there is, faults included, is left
// to encoding/json from its first byte on, so it says what is meant.
func decodeAsk(r *http.Request, room *[]byte) (Request, error) {
	err := isJSON(r)
	if err != nil {
		return Request{}, err
	}
	*room, err = appendAll((*room)[:0], r.Body)
	if err == nil {
		if in, ok := plainAsk(string(*room)); ok {
			return in, nil
		}
	}
	var in Request // what encoding/json is given lies on the heap
	err = decode(resumed(*room, err), &in)
	return in, err
}

// resumed reads what was read already, and then its error if there was one.
func resumed(doc []byte, err error) io.Reader {
	body := io.Reader(bytes.NewReader(doc))
	if err != nil {
		body = io.MultiReader(body, failing{err})
	}
	return body
}

// appendAll appends what r has left to b.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		b = slices.Grow(b, 512)
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		} else if err != nil {
			return b, err
		}
	}
}

// failing is a reader whose first Read fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// plainAsk reads a request that is written plainly: one object whose members
// are known, spelt as in the contract, each there once, of the right type, and
// whose strings have no escapes. For all others it returns false.
// FuzzPlainAsk holds it against encoding/json.
// The texts in the request are parts of doc.
func plainAsk(doc string) (in Request, ok bool) {
	p := plainReader{doc}
	seen := 0 // one bit for each member
	ok = p.object(func(name string) bool {
		member := 0
		var read bool
		switch name {
		case "preset":
			member, read = 1, p.text(&in.Preset)
		case "filename":
			member, read = 2, p.text(&in.Filename)
		case "type":
			member, read = 4, p.text(&in.Type)
		case "sha256":
			member, read = 8, p.text(&in.SHA256)
		case "size":
			in.Size = new(int64)
			member, read = 16, p.number(in.Size)
		case "metadata":
			in.Metadata = map[string]string{}
			member, read = 32, p.object(func(name string) bool {
				var value string
				_, twice := in.Metadata[name]
				read := !twice && p.text(&value)
				in.Metadata[name] = value
				return read
			})
		}
		twice := seen&member != 0
		seen |= member
		return read && !twice
	})
	return in, ok && p.peek() == 0 && len(p.rest) == 0
}

// plainReader reads plain JSON; each method says whether it was there.
type plainReader struct{ rest string }

// peek returns the next byte that is not white space, or 0.
func (p *plainReader) peek() byte {
	for i := range len(p.rest) {
		if c := p.rest[i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			p.rest = p.rest[i:]
			return c
		}
	}
	p.rest = ""
	return 0
}

func (p *plainReader) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// object reads an object, and each of its values by way of member.
func (p *plainReader) object(member func(name string) bool) bool {
	if !p.take('{') {
		return false
	}
	if p.take('}') {
		return true
	}
	for {
		var name string
		if !p.text(&name) || !p.take(':') || !member(name) {
			return false
		}
		if !p.take(',') {
			return p.take('}')
		}
	}
}

// text reads a string without escapes.
func (p *plainReader) text(s *string) bool {
	if !p.take('"') {
		return false
	}
	for i := range len(p.rest) {
		switch c := p.rest[i]; {
		case c == '"':
			*s = p.rest[:i]
			p.rest = p.rest[i+1:]
			return utf8.ValidString(*s)
		case c < ' ' || c == '\\':
			return false
		}
	}
	return false
}

// number reads a whole number that is not negative. The first digit of more
// than one is not 0, RFC 8259 section 6.
func (p *plainReader) number(n *int64) bool {
	p.peek()
	digits := 0
	for digits < len(p.rest) && '0' <= p.rest[digits] && p.rest[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits > 1 && p.rest[0] == '0' {
		return false
	}
	var err error
	*n, err = strconv.ParseInt(p.rest[:digits], 10, 64)
	p.rest = p.rest[digits:] // a fraction or an exponent is no "," or "}"
	return err == nil
}
