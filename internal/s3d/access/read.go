package access

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// reader reads a document whose shape is known from the start: it goes as deep
// as its caller does, and what the caller does not expect it refuses.
type reader struct {
	tokens *json.Decoder
	twice  string // the name that an object had twice, which ended the reading
}

// newReader returns false when doc is not one JSON value and nothing else, in
// UTF-8.
func newReader(doc []byte) (*reader, bool) {
	if !json.Valid(doc) || !utf8.Valid(doc) {
		return nil, false
	}
	r := &reader{tokens: json.NewDecoder(bytes.NewReader(doc))}
	r.tokens.UseNumber() // so that a number stays as it was written
	return r, true
}

// next returns the next token. The document being valid, there is one wherever
// the reader's methods ask for it.
func (r *reader) next() json.Token {
	t, err := r.tokens.Token()
	if err != nil {
		return nil
	}
	return t
}

// object reads an object and calls member for each name, which must read the
// value. It returns false when there is no object, a name comes twice, or member
// returns false.
func (r *reader) object(member func(name string) bool) bool {
	if r.next() != json.Delim('{') {
		return false
	}
	return r.members(member)
}

func (r *reader) members(member func(name string) bool) bool {
	seen := make(map[string]bool)
	for r.tokens.More() {
		name, ok := r.text()
		if ok && seen[name] {
			r.twice = name
		}
		if !ok || seen[name] || !member(name) {
			return false
		}
		seen[name] = true
	}
	return r.next() == json.Delim('}')
}

// text reads a string.
func (r *reader) text() (string, bool) { return textOf(r.next()) }

// textOf refuses U+FFFD, too, which encoding/json makes of half a surrogate
// pair.
func textOf(t json.Token) (string, bool) {
	s, ok := t.(string)
	return s, ok && !strings.ContainsRune(s, utf8.RuneError)
}

// texts reads a string or a list of strings, of which there must be one.
func (r *reader) texts() ([]string, bool) { return r.list(textOf) }

// values is texts that may be numbers and booleans, too, as values of conditions
// are.
func (r *reader) values() ([]string, bool) {
	return r.list(func(t json.Token) (string, bool) {
		switch t := t.(type) {
		case json.Number:
			return t.String(), true
		case bool:
			if t {
				return "true", true
			}
			return "false", true
		}
		return textOf(t)
	})
}

func (r *reader) list(one func(json.Token) (string, bool)) ([]string, bool) {
	t := r.next()
	if t != json.Delim('[') {
		s, ok := one(t)
		return []string{s}, ok
	}
	var all []string
	for r.tokens.More() {
		s, ok := one(r.next())
		if !ok {
			return nil, false
		}
		all = append(all, s)
	}
	return all, r.next() == json.Delim(']') && len(all) > 0
}
