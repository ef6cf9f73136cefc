package sigv4

import (
	"unicode/utf16"
	"unicode/utf8"
)

// lexer reads the tokens of a JSON document, RFC 8259, and nothing that is not
// one. It never recurses and never goes back.
type lexer struct {
	doc []byte
	at  int
}

// kind is the first byte of a token: '{' '}' '[' ']' ':' ',' '"' 't' 'f' 'n',
// '0' for any number, and 0 for the document's end or a byte that starts none.
type kind byte

const (
	aString kind = '"'
	aNumber kind = '0'
	noToken kind = 0
)

// peek skips white space and tells what comes next, without taking it.
func (l *lexer) peek() kind {
	for l.at < len(l.doc) {
		switch c := l.doc[l.at]; c {
		case ' ', '\t', '\n', '\r':
			l.at++
		case '{', '}', '[', ']', ':', ',', '"', 't', 'f', 'n':
			return kind(c)
		default:
			if c == '-' || isDigit(c) {
				return aNumber
			}
			return noToken
		}
	}
	return noToken
}

// take consumes the punctuation k, if that is what comes next.
func (l *lexer) take(k kind) bool {
	if l.peek() != k {
		return false
	}
	l.at++
	return true
}

// atEnd reports whether only white space is left.
func (l *lexer) atEnd() bool { return l.peek() == noToken && l.at == len(l.doc) }

// number consumes a JSON number and returns it as written.
func (l *lexer) number() (string, bool) {
	start := l.at
	l.skip('-')
	if !l.skip('0') && !l.digits() {
		return "", false
	}
	if l.skip('.') && !l.digits() {
		return "", false
	}
	if l.skip('e') || l.skip('E') {
		if !l.skip('+') {
			l.skip('-')
		}
		if !l.digits() {
			return "", false
		}
	}
	return string(l.doc[start:l.at]), true
}

func (l *lexer) skip(c byte) bool {
	if l.at < len(l.doc) && l.doc[l.at] == c {
		l.at++
		return true
	}
	return false
}

func (l *lexer) digits() bool {
	start := l.at
	for l.at < len(l.doc) && isDigit(l.doc[l.at]) {
		l.at++
	}
	return l.at > start
}

// text consumes a JSON string. Beyond RFC 8259 it takes the escapes \$ and \v,
// which Amazon's page on POST policies lists (sigv4-HTTPPOSTConstructPolicy,
// "Character escaping"). It refuses what is not UTF-8, and halves of surrogate
// pairs, which no text can carry.
func (l *lexer) text() (string, bool) {
	if !l.take(aString) {
		return "", false
	}
	start := l.at
	for l.at < len(l.doc) {
		switch c := l.doc[l.at]; {
		case c == '"':
			s := l.doc[start:l.at]
			l.at++
			return string(s), utf8.Valid(s)
		case c == '\\':
			return l.escapedText(start)
		case c < ' ':
			return "", false
		}
		l.at++
	}
	return "", false
}

// escapedText is the rest of text from the first backslash on.
func (l *lexer) escapedText(start int) (string, bool) {
	out := append([]byte(nil), l.doc[start:l.at]...)
	for l.at < len(l.doc) {
		c := l.doc[l.at]
		l.at++
		switch {
		case c == '"':
			return string(out), utf8.Valid(out)
		case c < ' ':
			return "", false
		case c != '\\':
			out = append(out, c)
			continue
		}
		if l.at == len(l.doc) {
			return "", false
		}
		c = l.doc[l.at]
		l.at++
		switch c {
		case '"', '\\', '/', '$':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'v':
			out = append(out, '\v')
		case 'u':
			r, ok := l.codePoint()
			if !ok {
				return "", false
			}
			out = utf8.AppendRune(out, r)
		default:
			return "", false
		}
	}
	return "", false
}

// codePoint consumes the digits of \uXXXX, and the second half of a pair.
func (l *lexer) codePoint() (rune, bool) {
	r, ok := l.codeUnit()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	if !l.skip('\\') || !l.skip('u') {
		return 0, false
	}
	low, ok := l.codeUnit()
	r = utf16.DecodeRune(r, low)
	return r, ok && r != utf8.RuneError
}

func (l *lexer) codeUnit() (rune, bool) {
	if len(l.doc)-l.at < 4 {
		return 0, false
	}
	var r rune
	for _, c := range l.doc[l.at : l.at+4] {
		n, ok := unhex(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(n)
	}
	l.at += 4
	return r, true
}

func unhex(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
