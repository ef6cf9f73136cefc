package sigv4

import (
	"strconv"
	"strings"
)

// ParsePolicy reads the JSON document of a policy as S3 does, and refuses with
// S3's words what S3 refuses: members other than "expiration" and "conditions"
// (their case counts), a second one of either, fractions and null, numbers in
// place of texts, anything nested deeper than a condition, and anything after
// the document. The error is an *[Error] with code InvalidPolicyDocument, or
// AccessDenied for a condition that no form can meet.
//
// Operators are taken in any case: the public S3 test suite wants it, and S3's
// own answer is not on record. Bounds of a size may be numeric strings. The
// text is read once, front to back; no part of it is believed before its
// signature was checked by [Verifier.Post].
func ParsePolicy(doc []byte) (*Policy, error) {
	l := lexer{doc: doc}
	if !l.take('{') {
		return nil, errNotJSON()
	}
	p := &Policy{}
	var hasExpiration, hasConditions bool
	for more := !l.take('}'); more; {
		name, ok := l.text()
		if !ok || !l.take(':') {
			return nil, errNotJSON()
		}
		var err error
		switch {
		case name == "expiration" && !hasExpiration:
			hasExpiration, err = true, p.parseExpiration(&l)
		case name == "conditions" && !hasConditions:
			hasConditions, err = true, p.parseConditions(&l)
		case name == "expiration" || name == "conditions":
			err = invalidPolicy("Duplicate: '" + name + "'")
		default:
			// The one recorded answer has the name in lower case.
			err = invalidPolicy("Unexpected: '" + clip(strings.ToLower(name)) + "'")
		}
		if err != nil {
			return nil, err
		}
		if more = l.take(','); !more && !l.take('}') {
			return nil, errNotJSON()
		}
	}
	switch {
	case !l.atEnd():
		return nil, errNotJSON()
	case !hasExpiration:
		return nil, invalidPolicy("Policy missing expiration.")
	case !hasConditions:
		return nil, invalidPolicy("Policy missing conditions.")
	}
	return p, nil
}

func (p *Policy) parseExpiration(l *lexer) error {
	s, ok := l.text()
	if !ok {
		return errNotJSON()
	}
	if p.Expiration, ok = parseExpiration(s); !ok {
		return invalidPolicy("Invalid 'expiration' value: '" + clip(s) + "'")
	}
	return nil
}

func (p *Policy) parseConditions(l *lexer) error {
	if !l.take('[') {
		if l.peek() == noToken {
			return errNotJSON()
		}
		return invalidPolicy("Invalid 'conditions' value: must be a List.")
	}
	if l.take(']') {
		return nil
	}
	for {
		c, err := parseCondition(l)
		if err != nil {
			return err
		}
		p.Conditions = append(p.Conditions, c)
		if l.take(']') {
			return nil
		}
		if !l.take(',') {
			return errNotJSON()
		}
	}
}

func parseCondition(l *lexer) (Condition, error) {
	switch l.peek() {
	case '{':
		return parseSimple(l)
	case '[':
		return parseList(l)
	case aString, aNumber, 't', 'f', 'n':
		return Condition{}, invalidPolicy("Invalid condition test: must be a List or Object.")
	default:
		return Condition{}, errNotJSON()
	}
}

// parseSimple reads {"field": "value"}.
func parseSimple(l *lexer) (Condition, error) {
	l.take('{')
	if l.take('}') {
		return Condition{}, errOneProperty()
	}
	field, ok := l.text()
	if !ok || !l.take(':') {
		return Condition{}, errNotJSON()
	}
	switch l.peek() {
	case aString:
	case aNumber, 't', 'f', '[', '{':
		return Condition{}, invalidPolicy("Invalid Simple-Condition: value must be a string.")
	default: // null, too: S3 calls it invalid JSON
		return Condition{}, errNotJSON()
	}
	value, ok := l.text()
	switch {
	case !ok:
		return Condition{}, errNotJSON()
	case l.take(','):
		return Condition{}, errOneProperty()
	case !l.take('}'):
		return Condition{}, errNotJSON()
	}
	return Eq(field, value), nil
}

// operand is an item of a condition's list: a text or a number as written.
type operand struct {
	text     string
	isNumber bool
}

// parseList reads ["operator", …].
func parseList(l *lexer) (Condition, error) {
	l.take('[')
	if l.take(']') {
		return Condition{}, invalidPolicy("Invalid Condition: missing operation identifier.")
	}
	var items [3]operand
	n := 0
	for more := true; more; n++ {
		item, ok := parseOperand(l)
		if !ok {
			return Condition{}, errNotJSON()
		}
		if n < len(items) {
			items[n] = item
		}
		if more = l.take(','); !more && !l.take(']') {
			return Condition{}, errNotJSON()
		}
	}
	if items[0].isNumber {
		return Condition{}, errNotJSON()
	}
	op := Op(lowerASCII(items[0].text))
	switch op {
	case OpEq, OpStartsWith, OpLengthRange:
	default:
		return Condition{}, invalidPolicy("Invalid Condition: unknown operation '" + clip(items[0].text) + "'.")
	}
	if n != 3 {
		return Condition{}, invalidPolicy("Invalid " + string(op) + ": wrong number of arguments.")
	}
	if op == OpLengthRange {
		return rangeCondition(items[1], items[2])
	}
	if items[1].isNumber || items[2].isNumber {
		return Condition{}, errNotJSON()
	}
	field, ok := strings.CutPrefix(items[1].text, "$")
	if !ok { // S3 takes the policy but holds the condition to fail
		return Condition{}, errCondition(`["` + string(op) + `", ` + quoted(items[1]) + `, "..."]`)
	}
	return Condition{Op: op, Field: field, Value: items[2].text}, nil
}

func parseOperand(l *lexer) (operand, bool) {
	switch l.peek() {
	case aString:
		s, ok := l.text()
		return operand{text: s}, ok
	case aNumber:
		s, ok := l.number()
		return operand{text: s, isNumber: true}, ok
	}
	return operand{}, false // null, true, false, or nested deeper than a condition goes
}

// rangeCondition takes whole numbers, also as strings. On S3 a fraction is
// invalid JSON, and a text that is no number a condition that fails.
func rangeCondition(from, to operand) (Condition, error) {
	lo, okLo := from.whole()
	hi, okHi := to.whole()
	switch {
	case okLo && okHi:
		return LengthRange(lo, hi), nil
	case !okLo && from.isNumber, !okHi && to.isNumber:
		return Condition{}, errNotJSON()
	}
	return Condition{}, errCondition(`["content-length-range", ` + quoted(from) + `, ` + quoted(to) + `]`)
}

func (o operand) whole() (int64, bool) {
	if strings.HasPrefix(o.text, "+") { // ParseInt takes a plus, JSON does not
		return 0, false
	}
	n, err := strconv.ParseInt(o.text, 10, 64)
	return n, err == nil
}

func quoted(o operand) string {
	if o.isNumber {
		return clip(o.text)
	}
	return string(appendQuoted(nil, clip(o.text)))
}

func invalidPolicy(why string) *Error { return ErrInvalidPolicyDocument.with("Invalid Policy: " + why) }

func errNotJSON() *Error { return invalidPolicy("Invalid JSON.") }

func errOneProperty() *Error {
	return invalidPolicy("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
}

func errCondition(condition string) *Error {
	return ErrAccessDenied.with("Invalid according to Policy: Policy Condition failed: " + condition)
}
