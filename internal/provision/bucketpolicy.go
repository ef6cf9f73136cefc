package provision

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"

	"postern.example/postern"
)

// ours begins the Sid of each statement that is setup's. Statements without it
// are somebody else's, and never touched.
const ours = "Postern"

// signatureAge is how old a signature may be below incoming/, in milliseconds:
// the longest life that a preset may give a grant. It ends by its own date
// before that; this is for a signer that is not ours.
const signatureAge = "3600000"

// BucketStatements are the statements of the bucket's policy that are setup's,
// as far as the provider has a bucket policy and knows these conditions.
func BucketStatements(w *Want) []Statement {
	if w.Provider.BucketPolicy == postern.No {
		return nil
	}
	var list []Statement
	// Run against Ceph RGW 16, it takes the condition and never meets it: what it
	// does not refuse is not claimed.
	if w.overTLS() && (w.onAWS() || w.Provider.Name == "embedded") {
		list = append(list, Statement{
			Sid: ours + "TLSOnly", Effect: deny, Principal: "*", Action: []string{"s3:*"},
			Resource:  []string{w.BucketARN(), w.BucketARN() + "/*"},
			Condition: map[string]map[string][]string{"Bool": {"aws:SecureTransport": {"false"}}},
		})
	}
	if w.onAWS() {
		// "Amazon S3 Signature Version 4 authentication specific policy keys", API reference.
		list = append(list,
			Statement{
				Sid: ours + "FreshSignature", Effect: deny, Principal: "*", Action: []string{"s3:PutObject"}, Resource: []string{w.incoming()},
				Condition: map[string]map[string][]string{"NumericGreaterThan": {"s3:signatureAge": {signatureAge}}},
			},
			Statement{
				Sid: ours + "SignatureV4", Effect: deny, Principal: "*", Action: []string{"s3:PutObject"}, Resource: []string{w.incoming()},
				Condition: map[string]map[string][]string{"StringEquals": {"s3:signatureversion": {"AWS"}}},
			})
	}
	if w.Public {
		list = append(list, Statement{Sid: ours + "PublicImages", Effect: allow, Principal: "*", Action: []string{"s3:GetObject"}, Resource: []string{w.images()}})
	}
	if w.Provider.Name == "ceph" {
		list = append(list, cephKeys(w)...)
	}
	if w.Distribution != "" {
		// "Restrict access to an Amazon S3 origin", CloudFront developer guide.
		list = append(list, Statement{
			Sid: ours + "CloudFront", Effect: allow, Principal: map[string]string{"Service": "cloudfront.amazonaws.com"},
			Action: []string{"s3:GetObject"}, Resource: []string{w.images()},
			Condition: map[string]map[string][]string{"StringEquals": {"aws:SourceArn": {w.Distribution}}},
		})
	}
	return list
}

// cephKeys let the two keys in. Ceph RGW has no API of IAM's for users, and its
// user policies never let a form in; the users are made by hand, and until then
// this allows nobody anything. Whoever wrote an object owns it there, and may
// read it, so the signer is denied that: it obeys an unsigned
// x-amz-copy-source. Run against 16.2.15.
func cephKeys(w *Want) []Statement {
	if w.keyName() == "" {
		return nil
	}
	principal := func(kind string) any {
		return map[string]string{"AWS": "arn:aws:iam:::user/" + w.keyName() + "-" + kind}
	}
	var list []Statement
	for _, kind := range []string{Signer, Worker} {
		for _, s := range KeyPolicy(w, kind).Statement {
			s.Principal = principal(kind)
			list = append(list, s)
		}
	}
	return append(list, Statement{
		Sid: ours + "SignerReadsNothing", Effect: deny, Principal: principal(Signer), Action: []string{"s3:GetObject"}, Resource: []string{w.BucketARN() + "/*"},
	})
}

// keyName is what the two keys are called by, where users are made by hand.
func (w *Want) keyName() string {
	if w.User != "" {
		return w.User
	}
	return w.Role
}

func (w *Want) onAWS() bool   { return w.Provider.Name == "aws" }
func (w *Want) overTLS() bool { return w.Endpoint == "" || strings.HasPrefix(w.Endpoint, "https://") }

// MergePolicy returns a bucket's policy with our statements in it, in place of
// those that were ours before. Foreign statements stay, in their order. An
// empty text is no policy. Errors: ErrWant, when existing is not a policy.
func MergePolicy(existing string, w *Want) (text string, changed bool, err error) {
	doc, theirs, was, err := split(existing)
	if err != nil {
		return "", false, err
	}
	var want []any
	for _, s := range BucketStatements(w) {
		v, err := generic(s)
		if err != nil {
			return "", false, err
		}
		want = append(want, v)
	}
	if sameSet(was, want) {
		return existing, false, nil
	}
	return join(doc, append(theirs, want...)), true, nil
}

// StripPolicy returns a bucket's policy without our statements; left says
// whether anything is left of it.
func StripPolicy(existing string) (text string, left bool, err error) {
	doc, theirs, was, err := split(existing)
	if err != nil {
		return "", false, err
	}
	if len(was) == 0 {
		return existing, len(theirs) > 0, nil
	}
	if len(theirs) == 0 {
		return "", false, nil
	}
	return join(doc, theirs), true, nil
}

// hasOurs says whether a policy has statements of setup's.
func hasOurs(existing string) bool {
	_, _, was, err := split(existing)
	return err == nil && len(was) > 0
}

// split reads a policy into the document and its statements, theirs and ours.
func split(existing string) (doc map[string]any, theirs, was []any, err error) {
	doc = map[string]any{"Version": policyVersion}
	if strings.TrimSpace(existing) == "" {
		return doc, nil, nil, nil
	}
	d := json.NewDecoder(strings.NewReader(existing))
	d.UseNumber()
	doc = nil
	err = d.Decode(&doc)
	if _, more := d.Token(); err != nil || doc == nil || !errors.Is(more, io.EOF) {
		return nil, nil, nil, fmt.Errorf("%w: the bucket's policy is not a JSON document", ErrWant)
	}
	var list []any
	switch s := doc["Statement"].(type) {
	case []any:
		list = s
	case map[string]any:
		list = []any{s}
	default:
		return nil, nil, nil, fmt.Errorf("%w: the bucket's policy has no statements", ErrWant)
	}
	for _, s := range list {
		m, ok := s.(map[string]any)
		if !ok {
			return nil, nil, nil, fmt.Errorf("%w: the bucket's policy has a statement that is none", ErrWant)
		}
		if sid, _ := m["Sid"].(string); strings.HasPrefix(sid, ours) {
			was = append(was, s)
		} else {
			theirs = append(theirs, s)
		}
	}
	return doc, theirs, was, nil
}

func join(doc map[string]any, statements []any) string {
	doc = maps.Clone(doc)
	doc["Statement"] = statements
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil { // it was decoded from JSON
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// generic is a statement, or a policy, as JSON is read.
func generic(s any) (any, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode statement: %v", err)
	}
	var v any
	return v, json.Unmarshal(text, &v)
}

// SamePolicy says whether two documents mean the same: a text and a list of
// just that text are the same, and so are lists in another order. Servers
// return other spellings than they were given.
func SamePolicy(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	return canonical(x) == canonical(y)
}

func sameSet(a, b []any) bool { return canonical(a) == canonical(b) }

// canonical is a text that is the same for the same meaning.
func canonical(v any) string {
	switch v := v.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		var b strings.Builder
		for _, k := range keys {
			x := v[k]
			if k == "Principal" { // "*" and {"AWS": "*"} are the same
				if m, ok := x.(map[string]any); ok && len(m) == 1 && m["AWS"] != nil {
					if c := canonical(m["AWS"]); c == `["*"]` {
						x = "*"
					}
				}
			}
			fmt.Fprintf(&b, "%q:%s,", k, canonical(x))
		}
		return "[{" + b.String() + "}]"
	case []any:
		texts := make([]string, len(v))
		for i := range v {
			texts[i] = canonical(v[i])
			if _, list := v[i].([]any); !list {
				texts[i] = strings.TrimSuffix(strings.TrimPrefix(texts[i], "["), "]")
			}
		}
		sort.Strings(texts)
		return "[" + strings.Join(texts, ",") + "]"
	case string:
		return "[" + fmt.Sprintf("%q", v) + "]"
	default: // AWS takes true for "true"
		return "[" + fmt.Sprintf("%q", fmt.Sprint(v)) + "]"
	}
}
