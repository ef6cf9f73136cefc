package access

import (
	"encoding/json"
	"strings"
)

// How large a document may be, in bytes.
const (
	// "Bucket policies are limited to 20 KB in size."
	maxBucketPolicy = 20 << 10
	// The largest that IAM takes, which is the sum of a role's inline policies.
	// IAM does not count white space; here it counts.
	maxIdentityPolicy = 10240
)

// ParseIdentity reads a policy as IAM attaches it to a user, of at most 10,240
// bytes. Errors are *[Error], in IAM's words where these are on record.
func ParseIdentity(doc []byte) (*Policy, error) {
	return parse(doc, maxIdentityPolicy, &parser{})
}

// ParseBucket reads the policy of the bucket with that name, which is not empty,
// of at most 20 KB. Errors are *[Error], in S3's words where these are on record.
func ParseBucket(doc []byte, bucket string) (*Policy, error) {
	if !strings.HasPrefix(string(doc[:min(1, len(doc))]), "{") {
		return nil, &Error{Message: "Policies must be valid JSON and the first byte must be '{'"}
	}
	return parse(doc, maxBucketPolicy, &parser{bucket: bucket})
}

// parser reads one document. First it reads all as it is written, and then says
// what it means, as Version, which may come last, has a say in that.
type parser struct {
	bucket    string // "" for a policy of an identity
	variables bool   // Version has them
	statement int    // which one is read, from 1 on
	element   string // which one is read
	err       *Error // the first one
}

// fail notes why the document is refused, in S3's words or IAM's, and returns
// false. name is what in the element is to blame.
func (p *parser) fail(name, s3, iam string) bool {
	if p.err == nil {
		p.err = &Error{Message: s3, Statement: p.statement, Element: p.element, Name: clip(name)}
		if p.bucket == "" {
			p.err.Message = iam
		}
	}
	return false
}

// What IAM says to whatever has no words of its own.
const iamSyntax = "Syntax errors in policy."

func (p *parser) failSyntax(name string) {
	p.fail(name, "This policy contains invalid Json", iamSyntax)
}

// written is a statement as it is written.
type written struct {
	sid        string
	effect     string
	principals *principals // nil: no Principal
	action     []string    // nil: neither Action nor NotAction
	notAction  bool
	resource   []string
	notRes     bool
	conditions []writtenCondition
}

type writtenCondition struct {
	operator, key string
	values        []string
}

func parse(doc []byte, limit int, p *parser) (*Policy, error) {
	if len(doc) > limit {
		return nil, &Error{Message: "Policy exceeds the maximum allowed document size."}
	}
	var all []written
	if r, ok := newReader(doc); !ok {
		p.failSyntax("")
	} else if !p.document(r, &all) {
		if r.twice != "" {
			p.element = ""
		}
		p.failSyntax(r.twice)
	}
	policy := &Policy{bucket: p.bucket}
	sids := make(map[string]bool)
	for i := range all {
		if p.err != nil {
			break
		}
		p.statement = i + 1
		policy.statements = append(policy.statements, p.compile(&all[i]))
		if sid := all[i].sid; sid != "" && sids[sid] {
			p.element = "Sid"
			p.fail(sid, "The Statement Ids in the policy are not unique", "Statement IDs (SID) in a single policy must be unique.")
		} else {
			sids[sid] = true
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	return policy, nil
}

// document reads the outermost object.
func (p *parser) document(r *reader, all *[]written) bool {
	version := "2008-10-17"
	hasStatement := false
	ok := r.object(func(name string) (ok bool) {
		switch name {
		case "Version":
			p.element = name
			version, ok = r.text()
		case "Id":
			p.element = name
			_, ok = r.text()
		case "Statement":
			p.element = name
			hasStatement = true
			if ok = p.statements(r, all); ok {
				p.statement = 0
			}
		default:
			return p.unknown(name)
		}
		return ok
	})
	if !ok {
		return false
	}
	p.variables = version == "2012-10-17"
	switch {
	case version != "2012-10-17" && version != "2008-10-17":
		p.element = "Version"
		return p.fail(version, "The policy must contain a valid version string", "The policy must contain a valid version string")
	case !hasStatement:
		p.element = ""
		return p.fail("", "Missing required field Statement", iamSyntax)
	}
	return true
}

func (p *parser) unknown(name string) bool {
	p.element = ""
	return p.fail(name, "Unknown field "+clip(name), iamSyntax)
}

// statements reads a list of statements, or one alone.
func (p *parser) statements(r *reader, all *[]written) bool {
	one := func() bool {
		p.statement++
		p.element = ""
		*all = append(*all, written{})
		w := &(*all)[len(*all)-1]
		return r.members(func(name string) bool { return p.member(r, name, w) })
	}
	switch r.next() {
	case json.Delim('{'):
		return one()
	case json.Delim('['):
		for r.tokens.More() {
			if r.next() != json.Delim('{') || !one() {
				return false
			}
		}
		if len(*all) == 0 {
			return p.fail("", "Could not parse the policy: Statement is empty!", iamSyntax)
		}
		return r.next() == json.Delim(']')
	}
	return false
}

// member reads one element of a statement.
func (p *parser) member(r *reader, name string, w *written) (ok bool) {
	p.element = name
	switch name {
	case "Sid":
		w.sid, ok = r.text()
	case "Effect":
		w.effect, ok = r.text()
		if ok && w.effect != "Allow" && w.effect != "Deny" {
			return p.fail(w.effect, "Invalid effect: "+clip(w.effect), "Invalid effect: "+clip(w.effect))
		}
	case "Principal", "NotPrincipal":
		if p.bucket == "" {
			return p.fail("", "", "Policy document should not specify a principal.")
		}
		if name == "NotPrincipal" {
			return p.fail("", "NotPrincipal is not supported", "")
		}
		w.principals = &principals{}
		ok = p.principal(r, w.principals)
	case "Action", "NotAction":
		if w.action != nil {
			return p.both("Action")
		}
		w.notAction = name == "NotAction"
		w.action, ok = r.texts()
	case "Resource", "NotResource":
		if w.resource != nil {
			return p.both("Resource")
		}
		w.notRes = name == "NotResource"
		w.resource, ok = r.texts()
	case "Condition":
		ok = r.object(func(operator string) bool {
			n := len(w.conditions)
			return r.object(func(key string) bool {
				values, ok := r.values()
				w.conditions = append(w.conditions, writtenCondition{operator, key, values})
				return ok
			}) && len(w.conditions) > n
		})
	default:
		return p.unknown(name)
	}
	return ok
}

func (p *parser) both(element string) bool {
	return p.fail("", "Statement has both "+element+" and Not"+element, iamSyntax)
}

// principal reads "*", or who is who by kind.
func (p *parser) principal(r *reader, into *principals) bool {
	invalid := func(name string) bool { return p.fail(name, "Invalid principal in policy", "") }
	switch t := r.next().(type) {
	case string:
		if t != "*" {
			return invalid(t)
		}
		into.everybody = true
		return true
	case json.Delim:
		if t != '{' {
			return invalid("")
		}
	default:
		return invalid("")
	}
	some := false
	ok := r.members(func(kind string) bool {
		values, ok := r.texts()
		if !ok {
			return invalid(kind)
		}
		for _, v := range values {
			if !into.add(kind, v) {
				return invalid(v)
			}
		}
		some = true
		return true
	})
	if ok && !some {
		return invalid("")
	}
	return ok
}
