package access

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// condition is one key under one operator, with all values that it may have.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type condition struct {
	key      string // in lower case
	family   family
	negated  bool // holds when no value matches
	ifExists bool // holds when the request lacks the key
	each     quantifier
	written  []string
	tests    []test // one for each of written; none for Null
}

type family int

const (
	text family = iota
	number
	date
	boolean
	address
	arn
	null
)

// quantifier says how many of a key's values in a request must match.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
type quantifier int

const (
	single quantifier = iota
	forAllValues
	forAnyValue
)

// test compares what a request has with one value of a policy. unknown says that
// the policy's value has a variable that the request lacks.
type test func(r *Request, got string) (match, unknown bool)

// holds reports whether the request meets the condition.
func (c *condition) holds(r *Request, effect Decision) bool {
	got := r.Conditions[c.key]
	if c.family == null {
		for _, v := range c.written {
			if strings.EqualFold(v, "true") == (len(got) == 0) {
				return true
			}
		}
		return false
	}
	if len(got) == 0 {
		// "If the key is not present, the values do not match", so that a
		// negated operator holds. With no value, ForAllValues is true of all of
		// them and ForAnyValue of none.
		return c.ifExists || c.each == forAllValues || c.each == single && c.negated
	}
	// All of them must be right, or one will do.
	every := c.each == forAllValues || c.each == single && c.negated
	for _, g := range got {
		if c.match(r, effect, g) != every {
			return !every
		}
	}
	return every
}

// match reports whether one value of the request is as the operator wants it.
// As with resources, an unknown variable never makes an Allow wider.
func (c *condition) match(r *Request, effect Decision, got string) bool {
	doubt := false
	for _, t := range c.tests {
		match, unknown := t(r, got)
		if match {
			return !c.negated
		}
		doubt = doubt || unknown
	}
	return c.negated && (!doubt || effect == Deny)
}

// condition says what one condition of a statement means.
func (p *parser) condition(c writtenCondition, w *written) (condition, bool) {
	out, comparison, ok := operatorOf(c.operator)
	if !ok {
		words := "Invalid Condition type : " + clip(c.operator)
		return out, p.fail(c.operator, words, words)
	}
	out.key, out.written = lower(c.key), c.values
	if !p.key(out.key, w) {
		return out, false
	}
	for _, v := range c.values {
		// Whatever the operator, S3 wants an address here.
		if _, isAddress := prefixOf(v); out.key == "aws:sourceip" && out.family != null && !isAddress {
			return out, p.failAddress(v)
		}
		t, ok := p.test(&out, comparison, v)
		if !ok {
			return out, false
		}
		if t != nil {
			out.tests = append(out.tests, t)
		}
	}
	return out, true
}

// operatorOf reads the name of an operator. comparison is what remains of it
// without its family and without Not.
func operatorOf(name string) (c condition, comparison string, ok bool) {
	base := name
	if rest, ok := strings.CutPrefix(base, "ForAllValues:"); ok {
		base, c.each = rest, forAllValues
	} else if rest, ok := strings.CutPrefix(base, "ForAnyValue:"); ok {
		base, c.each = rest, forAnyValue
	}
	base, c.ifExists = strings.CutSuffix(base, "IfExists")
	switch base {
	case "Null":
		c.family = null
		return c, "", c.each == single && !c.ifExists
	case "Bool":
		c.family = boolean
		return c, "", true
	case "IpAddress", "NotIpAddress":
		c.family, c.negated = address, base[0] == 'N'
		return c, "", true
	}
	for _, f := range []struct {
		prefix      string
		family      family
		comparisons string
	}{
		{"String", text, " Equals NotEquals EqualsIgnoreCase NotEqualsIgnoreCase Like NotLike "},
		{"Numeric", number, " Equals NotEquals LessThan LessThanEquals GreaterThan GreaterThanEquals "},
		{"Date", date, " Equals NotEquals LessThan LessThanEquals GreaterThan GreaterThanEquals "},
		{"Arn", arn, " Equals NotEquals Like NotLike "},
	} {
		if rest, ok := strings.CutPrefix(base, f.prefix); ok && rest != "" && strings.Contains(f.comparisons, " "+rest+" ") {
			c.family = f.family
			comparison, c.negated = strings.CutPrefix(rest, "Not")
			return c, comparison, !strings.Contains(rest, " ")
		}
	}
	return c, "", false
}

// key checks that there is such a condition key, and that the statement's
// actions have it.
func (p *parser) key(key string, w *written) bool {
	if !knownKey(key) && !p.foreignKey(key, w) {
		return p.fail(key, "Policy has an invalid condition key", "Policy has an invalid condition key")
	}
	if p.bucket == "" || w.notAction {
		return true
	}
	for _, a := range w.action {
		if a = lower(a); !strings.ContainsAny(a, "*?") && !applies(key, a) {
			const words = "Conditions do not apply to combination of actions and resources in statement"
			return p.fail(key, words, words)
		}
	}
	return true
}

// foreignKey reports whether key may be another service's, in a statement about
// one.
func (p *parser) foreignKey(key string, w *written) bool {
	vendor, name, _ := strings.Cut(key, ":")
	if p.bucket != "" || vendor == "aws" || vendor == "s3" || name == "" || !consists(vendor, letters+"-") {
		return false
	}
	for _, a := range w.action {
		if a == "*" || !strings.HasPrefix(lower(a), "s3:") {
			return true
		}
	}
	return w.notAction
}

// test makes the test of one value.
func (p *parser) test(c *condition, comparison, value string) (test, bool) {
	switch c.family {
	case text:
		return p.textTest(comparison, value)
	case arn:
		return p.arnTest(value)
	case number:
		if want, ok := numberOf(value); ok {
			return func(_ *Request, got string) (bool, bool) {
				g, ok := numberOf(got)
				return ok && ordered(comparison, cmp.Compare(g, want)), false
			}, true
		}
	case date:
		if want, ok := dateOf(value); ok {
			return func(_ *Request, got string) (bool, bool) {
				g, ok := dateOf(got)
				return ok && ordered(comparison, g.Compare(want)), false
			}, true
		}
	case address:
		want, ok := prefixOf(value)
		if !ok {
			return nil, p.failAddress(value)
		}
		return func(_ *Request, got string) (bool, bool) {
			g, err := netip.ParseAddr(got)
			return err == nil && want.Contains(g.Unmap().WithZone("")), false
		}, true
	case boolean, null:
		if strings.EqualFold(value, "true") || strings.EqualFold(value, "false") {
			if c.family == null {
				return nil, true
			}
			return func(_ *Request, got string) (bool, bool) { return strings.EqualFold(got, value), false }, true
		}
	}
	return nil, p.failValue(value)
}

func (p *parser) failValue(value string) bool {
	const words = "Invalid value in Conditions"
	return p.fail(value, words, words)
}

func (p *parser) failAddress(value string) bool {
	const words = "Invalid IP address in Conditions"
	return p.fail(value, words, words)
}

// pattern reads a value that may have variables.
func (p *parser) pattern(value string, wildcards bool) (pattern, bool) {
	switch {
	case p.variables:
		out, bad := template(value, wildcards)
		if out == nil {
			const words = "Policy has an invalid condition key"
			return nil, p.fail(bad, words, words)
		}
		return out, true
	case wildcards:
		return glob(value), true
	}
	return literal(value), true
}

func (p *parser) textTest(comparison, value string) (test, bool) {
	want, ok := p.pattern(value, comparison == "Like")
	fold := comparison == "EqualsIgnoreCase"
	return func(r *Request, got string) (bool, bool) {
		w, ok := want.expand(r)
		if !ok {
			return false, true
		}
		g := units(got)
		if fold {
			w, g = folded(w), folded(g)
		}
		return matches(w, g), false
	}, ok
}

// arnTest: "each of the six colon-delimited components of the ARN is checked
// separately and each can include multi-character match wildcards (*) or
// single-character match wildcards (?)", for ArnEquals as for ArnLike.
func (p *parser) arnTest(value string) (test, bool) {
	want, ok := p.pattern(value, true)
	if ok && value != "*" && (!strings.HasPrefix(value, "arn:") || strings.Count(value, ":") < 5) {
		return nil, p.failValue(value)
	}
	return func(r *Request, got string) (bool, bool) {
		w, ok := want.expand(r)
		return ok && matchesARN(w, units(got)), !ok
	}, ok
}

// ordered reports whether c, the outcome of a comparison, is what was asked for.
func ordered(comparison string, c int) bool {
	switch comparison {
	case "LessThan":
		return c < 0
	case "LessThanEquals":
		return c <= 0
	case "GreaterThan":
		return c > 0
	case "GreaterThanEquals":
		return c >= 0
	}
	return c == 0
}

// numberOf reads an integer or a decimal fraction.
func numberOf(s string) (float64, bool) {
	if len(s) > 32 || !consists(s, "0123456789.-") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// dateOf reads a date as W3C's profile of ISO 8601 has it, or as seconds since
// 1970.
func dateOf(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || len(s) > 12 {
		return time.Time{}, false
	}
	return time.Unix(n, 0), true
}

// prefixOf reads a range of addresses, or one alone.
func prefixOf(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil && !p.Addr().Is4In6()
}
