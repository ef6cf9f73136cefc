package sigv4

import (
	"slices"
	"strconv"
	"time"
)

// Op is the kind of a condition.
type Op string

// The kinds of conditions there are. [ParsePolicy] takes them in any case.
const (
	OpEq          Op = "eq"
	OpStartsWith  Op = "starts-with"
	OpLengthRange Op = "content-length-range"
)

// Condition is one rule of a policy. Make it with [Eq], [StartsWith] or
// [LengthRange].
type Condition struct {
	Op       Op
	Field    string // without "$", in any case; empty for OpLengthRange
	Value    string // what the field must be or begin with; empty for OpLengthRange
	Min, Max int64  // bytes, both inclusive; only for OpLengthRange
}

// Eq demands that the form's field is exactly value.
func Eq(field, value string) Condition { return Condition{Op: OpEq, Field: field, Value: value} }

// StartsWith demands that the form's field begins with prefix. The empty
// prefix allows any value, but the field must be there.
func StartsWith(field, prefix string) Condition {
	return Condition{Op: OpStartsWith, Field: field, Value: prefix}
}

// LengthRange demands that the file has lo to hi bytes, both inclusive.
func LengthRange(lo, hi int64) Condition {
	return Condition{Op: OpLengthRange, Min: lo, Max: hi}
}

// Policy says which forms a bucket takes, and until when. A Policy may be
// shared as long as nobody writes to it.
type Policy struct {
	Expiration time.Time // the last instant at which the policy holds, to the millisecond
	Conditions []Condition
}

// AppendJSON appends p as the JSON document that is signed.
//
// Every text is escaped: quotes, backslashes, control characters, U+2028 and
// U+2029. Bytes that are not UTF-8 are replaced by U+FFFD, so such a policy
// never matches the field it was meant for, but still says nothing else than
// what p says. What [ParsePolicy] returned survives the round trip unchanged.
// The members' order is fixed and nothing is put between the tokens.
func (p *Policy) AppendJSON(dst []byte) []byte {
	return append(p.appendOpen(dst), ']', '}')
}

// appendOpen appends p without its end, for further conditions.
func (p *Policy) appendOpen(dst []byte) []byte {
	dst = slices.Grow(dst, 128+64*len(p.Conditions))
	dst = append(dst, `{"expiration":"`...)
	dst = appendExpiration(dst, p.Expiration)
	dst = append(dst, `","conditions":[`...)
	for i := range p.Conditions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = p.Conditions[i].appendJSON(dst)
	}
	return dst
}

// appendCondition appends what [Eq] of field and value is.
func appendCondition(dst []byte, field, value string) []byte {
	dst = appendQuoted(append(dst, '{'), field)
	dst = appendQuoted(append(dst, ':'), value)
	return append(dst, '}')
}

func (c *Condition) appendJSON(dst []byte) []byte {
	switch c.Op {
	case OpEq:
		return appendCondition(dst, c.Field, c.Value)
	case OpLengthRange:
		dst = append(dst, `["content-length-range",`...)
		dst = strconv.AppendInt(dst, c.Min, 10)
		dst = strconv.AppendInt(append(dst, ','), c.Max, 10)
		return append(dst, ']')
	default: // an Op that is none of ours is written, too, for the bucket to refuse
		dst = appendQuoted(append(dst, '['), string(c.Op))
		dst = append(dst, `,"$`...)
		dst = appendEscaped(dst, c.Field)
		dst = appendQuoted(append(dst, '"', ','), c.Value)
		return append(dst, ']')
	}
}

// String returns the condition as S3 prints a failed one: always a list, with
// a space after each comma. Values that are secrets are left out.
func (c Condition) String() string {
	value := c.Value
	switch lowerASCII(c.Field) {
	case fieldToken, "x-amz-server-side-encryption-customer-key", "x-amz-signature", "policy":
		value = "..."
	}
	var b []byte
	if c.Op == OpLengthRange {
		b = append(b, `["content-length-range", `...)
		b = strconv.AppendInt(b, c.Min, 10)
		b = strconv.AppendInt(append(b, ", "...), c.Max, 10)
		return string(append(b, ']'))
	}
	b = appendQuoted(append(b, '['), string(c.Op))
	b = appendEscaped(append(b, `, "$`...), clip(c.Field))
	b = appendQuoted(append(b, `", `...), clip(value))
	return string(append(b, ']'))
}
