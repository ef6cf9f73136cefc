package access

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A pattern is a text of a policy, made ready: its wildcards are apart from
// characters that only look like one, whether they were written ${*} or come
// from a variable's value. Texts are compared by characters; bytes that are no
// UTF-8, which a key may have and a policy may not, equal only themselves.
type pattern []part

// part is some text, or a variable.
type part struct {
	text     []rune
	variable string  // condition key in lower case; "" if it is text
	fallback *string // ${variable, 'fallback'}
}

// What wildcards are among characters.
const (
	anyText rune = -1 // *
	anyChar rune = -2 // ?
)

// units returns the characters of s. A byte that is no UTF-8 gets a negative
// number of its own.
func units(s string) []rune {
	out := make([]rune, 0, len(s))
	return appendUnits(out, s)
}

func appendUnits(out []rune, s string) []rune {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = -0x100 - rune(s[i])
		}
		out = append(out, r)
		i += n
	}
	return out
}

// literal returns s as a pattern without wildcards and variables.
func literal(s string) pattern { return pattern{{text: units(s)}} }

// glob returns s as a pattern with wildcards and without variables.
func glob(s string) pattern { return pattern{{text: globUnits(nil, s)}} }

func globUnits(out []rune, s string) []rune {
	start := len(out)
	out = appendUnits(out, s)
	for i, r := range out[start:] {
		switch r {
		case '*':
			out[start+i] = anyText
		case '?':
			out[start+i] = anyChar
		}
	}
	return out
}

// template returns s as a pattern with variables, and with wildcards if it may
// have any. bad is the name of the variable that is none, or what should be one.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func template(s string, wildcards bool) (p pattern, bad string) {
	var text []rune
	add := func(s string) {
		if wildcards {
			text = globUnits(text, s)
		} else {
			text = appendUnits(text, s)
		}
	}
	for {
		before, rest, found := strings.Cut(s, "${")
		add(before)
		if !found {
			break
		}
		inner, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, "${" + rest
		}
		s = after
		switch inner {
		case "*", "?", "$":
			text = append(text, rune(inner[0]))
			continue
		}
		v, ok := parseVariable(inner)
		if !ok {
			return nil, "${" + inner + "}"
		}
		if len(text) > 0 {
			p, text = append(p, part{text: text}), nil
		}
		p = append(p, v)
	}
	if len(text) > 0 || len(p) == 0 {
		p = append(p, part{text: text})
	}
	return p, ""
}

// parseVariable reads what is within ${ and }: a key, or a key and its default
// value in single quotes.
func parseVariable(s string) (part, bool) {
	key, value, hasDefault := strings.Cut(s, ",")
	v := part{variable: lower(strings.TrimSpace(key))}
	if hasDefault {
		value = strings.TrimSpace(value)
		if len(value) < 2 || value[0] != '\'' || value[len(value)-1] != '\'' || strings.Contains(value[1:len(value)-1], "'") {
			return part{}, false
		}
		value = value[1 : len(value)-1]
		v.fallback = &value
	}
	return v, knownKey(v.variable) && !multivalued(v.variable)
}

// expand returns the pattern with its variables' values, and false when the
// request lacks one. "You can't use a multivalued context key as a policy
// variable", so a key with two values has none.
func (p pattern) expand(r *Request) ([]rune, bool) {
	if len(p) == 1 && p[0].variable == "" {
		return p[0].text, true
	}
	var out []rune
	for _, part := range p {
		if part.variable == "" {
			out = append(out, part.text...)
			continue
		}
		switch values := r.Conditions[part.variable]; {
		case len(values) == 1:
			out = appendUnits(out, values[0])
		case len(values) == 0 && part.fallback != nil:
			out = appendUnits(out, *part.fallback)
		default:
			return nil, false
		}
	}
	return out, true
}

// matches reports whether the pattern p matches the whole text s. When it
// cannot go on, it returns to the last * only, never to one before, as what an
// earlier one takes does not matter any more. So it takes at most len(p) times
// len(s) steps, and for one * at the end, which is the usual pattern, len(p).
func matches(p, s []rune) bool {
	star, from := -1, 0 // the last *, and where in s its rest was tried last
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == anyText:
			if i == len(p)-1 {
				return true
			}
			star, from = i, j
			i++
		case i < len(p) && (p[i] == anyChar || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyText {
		i++
	}
	return i == len(p)
}

// matchesARN is matches for ARNs: no wildcard reaches over one of the five colons
// that part an ARN. A lone * is any ARN.
func matchesARN(p, s []rune) bool {
	if len(p) == 1 && p[0] == anyText {
		return true
	}
	for range 5 {
		i, j := slices.Index(p, ':'), slices.Index(s, ':')
		if i < 0 || j < 0 || !matches(p[:i], s[:j]) {
			return false
		}
		p, s = p[i+1:], s[j+1:]
	}
	return matches(p, s)
}

// folded returns p without regard to case; wildcards stay.
func folded(p []rune) []rune {
	out := make([]rune, len(p))
	for i, r := range p {
		out[i] = unicode.ToLower(unicode.ToUpper(r))
	}
	return out
}

// lower is strings.ToLower for ASCII alone, which is what names are made of.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
