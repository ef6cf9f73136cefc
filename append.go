package postern

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The answer to POST /uploads is appended, not marshalled: it is the one
// answer that busy gates give all day, and reflection took a quarter of the
// endpoint's time. FuzzAppendGrant holds it against encoding/json.

// MarshalJSON returns the grant as POST /uploads answers it.
func (g *Grant) MarshalJSON() ([]byte, error) { return g.appendJSON(nil), nil }

// appendJSON appends the [uploadJSON] of a new grant, as encoding/json would.
func (g *Grant) appendJSON(b []byte) []byte {
	granted, _, _ := g.Ticket.ID.times()
	b = g.Ticket.appendGranted(b, granted)
	b = appendText(append(b, `{"method":`...), g.Method)
	switch {
	case g.Parts != nil:
		p := g.Parts
		b = appendText(append(b, `,"ticket":`...), p.Ticket)
		b = strconv.AppendInt(append(b, `,"part_size":`...), p.PartSize, 10)
		b = strconv.AppendInt(append(b, `,"part_count":`...), int64(p.Count), 10)
		b = p.Expires.AppendFormat(append(b, `,"expires_at":"`...), time.RFC3339Nano)
		b = append(b, `","parts":[`...)
		for i := range p.Signed {
			b = p.Signed[i].appendJSON(b, i)
		}
		b = append(b, ']')
	case g.Headers != nil:
		b = appendText(append(b, `,"url":`...), g.URL)
		b = g.Headers.appendJSON(append(b, `,"headers":`...))
	default:
		b = appendText(append(b, `,"url":`...), g.URL)
		b = g.Fields.appendJSON(append(b, `,"fields":`...))
		b = appendText(append(b, `,"file_field":`...), g.FileField)
	}
	return append(b, '}', '}')
}

// appendGranted appends the [uploadJSON] of a new grant up to the grant itself,
// for the time that its id tells, in milliseconds.
func (t *Ticket) appendGranted(b []byte, at time.Time) []byte {
	b = appendText(append(b, `{"id":`...), string(t.ID))
	b = appendText(append(b, `,"state":`...), string(Granted))
	b = appendMember(b, `,"preset":`, t.Preset)
	b = appendMember(b, `,"filename":`, t.Filename)
	b = appendMember(b, `,"type":`, t.Type)
	if len(t.Metadata) > 0 {
		b = append(b, `,"metadata":{`...)
		for i, name := range slices.Sorted(maps.Keys(t.Metadata)) {
			b = appendPair(b, i, name, t.Metadata[name])
		}
		b = append(b, '}')
	}
	b = time.UnixMilli(at.UnixMilli()).UTC().AppendFormat(append(b, `,"created_at":"`...), time.RFC3339Nano)
	b = t.Expires.AppendFormat(append(b, `","expires_at":"`...), time.RFC3339Nano)
	return append(b, `","grant":`...)
}

// appendJSON appends the i-th of some parts.
func (p *SignedPart) appendJSON(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = strconv.AppendInt(append(b, `{"number":`...), int64(p.Number), 10)
	b = appendText(append(b, `,"url":`...), p.URL)
	return append(strconv.AppendInt(append(b, `,"size":`...), p.Size, 10), '}')
}

// appendJSON appends the fields as one object, in order.
func (f Fields) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i := range f {
		b = appendPair(b, i, f[i].Name, f[i].Value)
	}
	return append(b, '}')
}

// appendPair appends the i-th member of an object of strings.
func appendPair(b []byte, i int, name, value string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = append(appendText(b, name), ':')
	return appendText(b, value)
}

// appendMember appends a member behind others, unless it is empty.
func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(append(b, name...), value)
}

// appendText appends s as a JSON string, escaped as encoding/json does it: what
// RFC 8259 section 7 demands, and also what HTML and older JavaScript would
// trip over. Bytes that are not UTF-8 become U+FFFD.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0 // of what stands for itself and is not appended yet
	for i := 0; i < len(s); {
		// Most of it is a kilobyte of base64. Eight look-ups that do not wait
		// for each other are four times as fast as eight comparisons.
		if len(s)-i >= 8 {
			w := s[i : i+8]
			if special[w[0]]|special[w[1]]|special[w[2]]|special[w[3]]|special[w[4]]|special[w[5]]|special[w[6]]|special[w[7]] == 0 {
				i += 8
				continue
			}
		}
		c := s[i]
		if special[c] == 0 {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if r != '\u2028' && r != '\u2029' && (r != utf8.RuneError || size > 1) {
				i += size
				continue
			}
		}
		b = append(append(b, s[start:i]...), '\\')
		switch r {
		case '"', '\\':
			b = append(b, c)
		case '\b':
			b = append(b, 'b')
		case '\f':
			b = append(b, 'f')
		case '\n':
			b = append(b, 'n')
		case '\r':
			b = append(b, 'r')
		case '\t':
			b = append(b, 't')
		default:
			b = append(b, 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		}
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// special has a 1 for each byte that does not stand for itself.
var special = func() (p [256]byte) {
	for c := range p {
		if c < ' ' || c >= utf8.RuneSelf || strings.ContainsRune(`"\<>&`, rune(c)) {
			p[c] = 1
		}
	}
	return p
}()
