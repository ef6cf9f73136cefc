package access

import "strings"

// Public reports whether a bucket's policy is public in the meaning of Block
// Public Access: whether it allows anything to everybody without limiting it to
// fixed values of keys that tell who asks. What is denied plays no part. The
// policy of an identity is never public.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
func (p *Policy) Public() bool {
	for i := range p.statements {
		s := &p.statements[i]
		if s.effect == Allow && s.principals != nil && s.principals.everybody && !s.limited() {
			return true
		}
	}
	return false
}

func (s *statement) limited() bool {
	for i := range s.conditions {
		if s.conditions[i].limits() {
			return true
		}
	}
	return false
}

// limits reports whether the condition holds for fixed values alone, "values
// that don't contain a wildcard or an IAM policy variable".
func (c *condition) limits() bool {
	if c.negated || c.ifExists || c.each == forAllValues {
		return false
	}
	switch c.key {
	case "aws:sourceip":
		return c.family == address && every(c.written, narrow)
	case "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:sourceaccount", "aws:sourcearn", "aws:sourceowner",
		"aws:sourcevpc", "aws:sourcevpce", "aws:userid", "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id":
		return (c.family == text || c.family == arn) && every(c.written, fixed)
	case "s3:dataaccesspointarn":
		// It "can contain a wildcard for the access point name without
		// rendering the policy public, as long as the account id is fixed".
		return (c.family == text || c.family == arn) && every(c.written, func(v string) bool {
			f := strings.SplitN(v, ":", 6)
			return len(f) == 6 && isAccount(f[4])
		})
	}
	return false
}

func fixed(v string) bool { return !strings.ContainsAny(v, "*?") && !strings.Contains(v, "${") }

// narrow reports whether a range is no "broader than /8 for IPv4 and /32 for
// IPv6", which would be public.
func narrow(v string) bool {
	p, ok := prefixOf(v)
	if p.Addr().Is4() {
		return ok && p.Bits() >= 8
	}
	return ok && p.Bits() >= 32
}

func every(values []string, is func(string) bool) bool {
	for _, v := range values {
		if !is(v) {
			return false
		}
	}
	return true
}
