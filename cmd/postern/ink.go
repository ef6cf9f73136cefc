package main

import (
	"io"
	"strings"
	"unicode"
)

// ink colours words, on terminals only. The colours repeat what a sign says
// already, so that nothing is lost without them.
type ink bool

// inkFor returns colours for a terminal whose owner has not asked for none:
// https://no-color.org.
func inkFor(w io.Writer, getenv func(string) string) ink {
	return ink(isTerminal(w) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb")
}

func (i ink) in(code, s string) string {
	if !i || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (i ink) green(s string) string  { return i.in("32", s) }
func (i ink) yellow(s string) string { return i.in("33", s) }
func (i ink) red(s string) string    { return i.in("31", s) }
func (i ink) dim(s string) string    { return i.in("2", s) }
func (i ink) bold(s string) string   { return i.in("1", s) }

// plain is what a server said, fit for a terminal: one that is told to move
// its cursor or change its title shows something else than was written.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

// indented puts before before every line.
func indented(before, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(before + strings.TrimRight(line, "\r\n") + "\n")
	}
	return b.String()
}
