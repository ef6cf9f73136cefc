package access

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is why a document is refused. S3 answers it as 400 MalformedPolicy, IAM
// as 400 MalformedPolicyDocument.
type Error struct {
	Message   string // in the words of S3 or IAM where these are on record
	Statement int    // which one, from 1 on; 0: it is not about a statement
	Element   string // "Action", "Condition"; "" when none is to blame
	Name      string // what in it, shortened: an action, a key; may be ""
}

// Error returns the message and the place.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Statement == 0 && e.Element == "" && e.Name == "" {
		return b.String()
	}
	b.WriteString(" (")
	if e.Statement > 0 {
		b.WriteString("statement " + strconv.Itoa(e.Statement))
		if e.Element != "" {
			b.WriteString(", ")
		}
	}
	b.WriteString(e.Element)
	if e.Name != "" {
		b.WriteString(": " + strconv.Quote(e.Name))
	}
	b.WriteByte(')')
	return b.String()
}

// maxName bounds how much of a document an error repeats, in bytes.
const maxName = 64

func clip(s string) string {
	if len(s) <= maxName {
		return s
	}
	n := maxName
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
