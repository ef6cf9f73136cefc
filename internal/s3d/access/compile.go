package access

import "strings"

// compile says what a statement means. What it returns is of no use once p.err
// is set.
func (p *parser) compile(w *written) statement {
	s := statement{effect: Allow, principals: w.principals}
	if w.effect == "Deny" {
		s.effect = Deny
	}
	p.element = ""
	switch {
	case w.effect == "":
		p.fail("", "Missing required field Effect", iamSyntax)
	case w.principals == nil && p.bucket != "":
		p.fail("", "Missing required field Principal", "")
	case w.action == nil:
		p.fail("", "Missing required field Action", "Policy statement must contain actions.")
	case w.resource == nil:
		p.fail("", "Missing required field Resource", "Policy statement must contain resources.")
	}
	p.element = "Sid"
	p.sid(w.sid)
	p.element = "Action"
	if w.notAction {
		p.element = "NotAction"
	}
	s.actions = matcher{not: w.notAction}
	for _, a := range w.action {
		if !p.action(lower(a)) {
			return s
		}
		s.actions.patterns = append(s.actions.patterns, glob(lower(a)))
	}
	p.element = "Resource"
	if w.notRes {
		p.element = "NotResource"
	}
	s.resources = matcher{not: w.notRes, arn: true}
	for _, r := range w.resource {
		pattern, ok := p.resource(r)
		if !ok {
			return s
		}
		s.resources.patterns = append(s.resources.patterns, pattern)
	}
	p.fit(w)
	p.element = "Condition"
	for _, c := range w.conditions {
		compiled, ok := p.condition(c, w)
		if !ok {
			return s
		}
		s.conditions = append(s.conditions, compiled)
	}
	return s
}

// sid checks a statement's name. S3's own examples have whole sentences, IAM has
// letters and digits.
func (p *parser) sid(s string) bool {
	for _, r := range s {
		isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if isLetter || p.bucket != "" && ' ' <= r && r <= '~' {
			continue
		}
		return p.fail(s, "Statement IDs (SID) must be printable ASCII",
			"Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
	}
	return true
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

// action checks an action, in lower case. One of another service, which only an
// identity's policy may have, is right when it looks right.
func (p *parser) action(a string) bool {
	if a == "*" {
		return true
	}
	const invalid = "Policy has invalid action"
	vendor, name, ok := strings.Cut(a, ":")
	switch {
	case !ok:
		return p.fail(a, invalid, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case !consists(vendor, letters+"-"):
		return p.fail(a, invalid, "Vendor "+clip(vendor)+" is not valid")
	case !consists(name, letters+"*?_-"), vendor == "s3" && len(targets(a)) == 0, vendor != "s3" && p.bucket != "":
		return p.fail(a, invalid, invalid)
	// "The bucket must already exist" for it to have a policy.
	case p.bucket != "" && a == "s3:createbucket":
		return p.fail(a, invalid, "")
	}
	return true
}

// resource reads a resource.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func (p *parser) resource(s string) (pattern, bool) {
	const invalid = "Policy has invalid resource"
	words := "Resource " + clip(s) + ` must be in ARN format or "*".`
	if p.bucket != "" {
		rest, ok := strings.CutPrefix(s, arnPrefix+p.bucket)
		// "bucket*" is taken for the bucket and all that is in it.
		if !ok || rest != "" && rest[0] != '/' && rest[0] != '*' {
			return nil, p.fail(s, invalid, "")
		}
	} else if s != "*" {
		f := strings.SplitN(s, ":", 6)
		if len(f) < 6 || f[0] != "arn" || f[1] == "" || f[2] == "" || f[5] == "" || strings.Contains(strings.Join(f[:5], ""), "${") {
			return nil, p.fail(s, invalid, words)
		}
	}
	if !p.variables {
		return glob(s), true
	}
	pattern, bad := template(s, true)
	if pattern == nil {
		return nil, p.fail(bad, invalid, words)
	}
	return pattern, true
}

// fit checks that each action of a bucket's policy can be done to one of the
// resources. IAM does not ask that.
func (p *parser) fit(w *written) {
	if p.bucket == "" || w.notAction || w.notRes {
		return
	}
	var bucket, object bool
	for _, r := range w.resource {
		rest := strings.TrimPrefix(r, arnPrefix+p.bucket)
		bucket = bucket || strings.Trim(rest, "*") == ""
		object = object || rest != ""
	}
	for _, a := range w.action {
		ok := false
		for _, t := range targets(lower(a)) {
			ok = ok || t == aBucket && bucket || t == anObject && object
		}
		if !ok {
			p.element = "Action"
			p.fail(a, "Action does not apply to any resource(s) in statement", "")
			return
		}
	}
}
