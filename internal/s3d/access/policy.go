package access

// Request is what somebody wants to do, and how.
type Request struct {
	Action    string // "s3:PutObject"
	Bucket    string // "" for s3:ListAllMyBuckets
	Key       string // "" for what is done to the bucket
	Principal Principal

	// Conditions are the request's condition keys, by their names in lower
	// case: "aws:securetransport", "s3:prefix". A key that is not here is not
	// in the request. Judge only reads it.
	Conditions map[string][]string
}

// Principal is who asks. The zero value is somebody unknown.
type Principal struct {
	ARN     string // "arn:aws:iam::111122223333:user/name", or ":root" for the account itself
	Account string // "111122223333"
}

// Decision is what a policy says about a request.
type Decision int

// What a policy says.
const (
	NoMatch Decision = iota // nothing, so that the request is denied if no other policy allows it
	Allow
	Deny // whatever any other policy says
)

// String returns the decision's name.
func (d Decision) String() string {
	switch d {
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	}
	return "no match"
}

// Policy is a policy document that was understood to its last element. It is
// immutable and safe for concurrent use. Make it with [ParseIdentity] or
// [ParseBucket].
type Policy struct {
	bucket     string // whose policy it is; "" for that of an identity
	statements []statement
}

type statement struct {
	effect     Decision
	principals *principals // nil: whom the policy is attached to
	actions    matcher
	resources  matcher
	conditions []condition
}

// matcher is an Action or NotAction, a Resource or NotResource.
type matcher struct {
	not      bool
	arn      bool // what is matched is an ARN
	patterns []pattern
}

// Judge returns what the policy says about r. An explicit Deny outranks every
// Allow, wherever it stands.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (p *Policy) Judge(r Request) Decision {
	if p.bucket != "" && r.Bucket != p.bucket {
		return NoMatch
	}
	action, resource := units(lower(r.Action)), units(r.resource())
	d := NoMatch
	for i := range p.statements {
		s := &p.statements[i]
		if s.effect > d && s.applies(&r, action, resource) {
			if d = s.effect; d == Deny {
				break
			}
		}
	}
	return d
}

// resource returns the ARN of what r is about.
func (r *Request) resource() string {
	switch {
	case r.Bucket == "":
		// "You can't specify a resource": so a policy must say "*", and
		// "arn:aws:s3:::*" is taken for it.
		return arnPrefix + "*"
	case r.Key == "":
		return arnPrefix + r.Bucket
	}
	return arnPrefix + r.Bucket + "/" + r.Key
}

const arnPrefix = "arn:aws:s3:::"

// applies reports whether all elements of the statement match the request.
func (s *statement) applies(r *Request, action, resource []rune) bool {
	if s.principals != nil && !s.principals.match(r.Principal, s.effect) ||
		!s.actions.match(r, s.effect, action) || !s.resources.match(r, s.effect, resource) {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r, s.effect) {
			return false
		}
	}
	return true
}

// match reports whether the element matches what. A pattern with a variable
// that the request lacks matches nothing; under a Not it would match all, which
// must deny more but never allow more.
func (m *matcher) match(r *Request, effect Decision, what []rune) bool {
	unknown := false
	for i := range m.patterns {
		p, ok := m.patterns[i].expand(r)
		if !ok {
			unknown = true
		} else if m.arn && matchesARN(p, what) || !m.arn && matches(p, what) {
			return !m.not
		}
	}
	return m.not && (!unknown || effect == Deny)
}
