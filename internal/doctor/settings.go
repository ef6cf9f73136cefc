package doctor

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

func settingProbes() []probe {
	known := []string{"network.dns", "network.reach", "network.tls", "network.region", "credentials.worker"}
	return []probe{
		{id: "settings.public-access", after: known, run: probePublicAccess},
		{id: "settings.ownership", after: known, run: probeOwnership},
		{id: "settings.policy", after: known, run: probePolicy},
		{id: "settings.lifecycle", after: known, run: probeLifecycle},
		{id: "settings.versioning", after: known, run: probeVersioning},
		{id: "settings.encryption", after: known, run: probeEncryption},
	}
}

// setting reads one setting of the bucket, as the inspector or, without one, as
// the worker, who by least privilege may not. Where it cannot be read, or the
// provider has no such thing, f says so and done is true: what nobody has seen is
// neither good nor bad.
func (x *exam) setting(ctx context.Context, f *Finding, query string, support postern.Support) (got *answer, done bool) {
	as, who := x.worker, "the worker's key"
	if x.c.Inspector != nil {
		c, err := x.c.Inspector(ctx)
		if err != nil {
			f.Status, f.Got = Skipped, "there is no key to look with: "+err.Error()
			return nil, true
		}
		as, who = c, "the key "+c.AccessKeyID
	}
	f.Tried = "GET ?" + query + " with " + who
	got, err := x.readSetting(ctx, query, &as)
	if err != nil {
		*f = x.silent(f.Title, f.Tried, err)
		return nil, true
	}
	f.Got, f.RequestID = got.String(), got.RequestID
	switch {
	case got.ok(), got.Status == http.StatusNotFound && strings.HasPrefix(got.Code, "NoSuch") && got.Code != "NoSuchBucket",
		got.Status == http.StatusNotFound && strings.HasSuffix(got.Code, "NotFoundError"):
		return got, false
	case got.Status == http.StatusForbidden && x.c.Inspector == nil:
		f.Status, f.Got = Skipped, "the worker may not read this, as it should; to look as an operator: postern doctor --operator-profile NAME"
	case got.Status == http.StatusForbidden:
		f.Status, f.Got = Skipped, "this key may not read it: "+got.String()
	case support != postern.Yes && got.Status >= 400 && got.Status != http.StatusServiceUnavailable:
		f.Status, f.Got = Skipped, x.provider()+" has no such setting: "+got.String()
	default:
		f.Status, f.Got = Skipped, "it could not be read: "+got.String()
	}
	return nil, true
}

func (x *exam) readSetting(ctx context.Context, query string, as *sigv4.Credentials) (*answer, error) {
	return x.do(ctx, ask{query: query, signed: as})
}

// garbled is the finding about a setting that cannot be understood.
func garbled(f Finding) []Finding {
	f.Status, f.Got = Skipped, "what came is not as S3 has it"
	return []Finding{f}
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
func probePublicAccess(ctx context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "public access is blocked as far as it can be"}
	got, done := x.setting(ctx, &f, "publicAccessBlock", x.c.Provider.PublicAccessBlock)
	if done {
		return []Finding{f}
	}
	var block struct {
		XMLName               xml.Name `xml:"PublicAccessBlockConfiguration"`
		BlockPublicAcls       bool
		IgnorePublicAcls      bool
		BlockPublicPolicy     bool
		RestrictPublicBuckets bool
	}
	if got.ok() && xml.Unmarshal(got.Body, &block) != nil {
		return garbled(f)
	}
	var open []string
	for _, s := range []struct {
		name   string
		on     bool
		policy bool // about bucket policies, by which images/ may be public
	}{
		{"BlockPublicAcls", block.BlockPublicAcls, false},
		{"IgnorePublicAcls", block.IgnorePublicAcls, false},
		{"BlockPublicPolicy", block.BlockPublicPolicy, true},
		{"RestrictPublicBuckets", block.RestrictPublicBuckets, true},
	} {
		if !s.on && (!s.policy || !x.publicHere()) {
			open = append(open, s.name)
		}
	}
	if len(open) == 0 {
		return []Finding{f}
	}
	f.Status = Warn
	f.Cause = fmt.Sprintf("Block Public Access has %s switched off: an ACL or a policy by mistake would open the bucket to everybody.", strings.Join(open, ", "))
	f.Cure = x.setup()
	return []Finding{f}
}

// publicHere says whether everybody reads images/ in the bucket itself.
func (x *exam) publicHere() bool {
	return x.c.Public && (x.c.ImagesURL == "" || strings.HasPrefix(x.c.ImagesURL, x.base.String()))
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
func probeOwnership(ctx context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "ACLs are switched off"}
	got, done := x.setting(ctx, &f, "ownershipControls", postern.Unknown)
	if done {
		return []Finding{f}
	}
	var controls struct {
		XMLName xml.Name `xml:"OwnershipControls"`
		Rule    []struct{ ObjectOwnership string }
	}
	if got.ok() && xml.Unmarshal(got.Body, &controls) != nil {
		return garbled(f)
	}
	if len(controls.Rule) == 1 && controls.Rule[0].ObjectOwnership == "BucketOwnerEnforced" {
		f.Got = "BucketOwnerEnforced"
		return []Finding{f}
	}
	f.Status = Warn
	f.Cause = "ACLs are in force: an upload with a public ACL that slips through would be open to everybody, and an object may belong to another account."
	f.Cure = x.setup()
	return []Finding{f}
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/manage-versioning-examples.html
func probeVersioning(ctx context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "what is deleted goes away"}
	got, done := x.setting(ctx, &f, "versioning", postern.Unknown)
	if done {
		return []Finding{f}
	}
	var v struct {
		XMLName xml.Name `xml:"VersioningConfiguration"`
		Status  string
	}
	if !got.ok() || xml.Unmarshal(got.Body, &v) != nil {
		return garbled(f)
	}
	if v.Status == "" {
		f.Got = "versioning was never switched on"
		return []Finding{f}
	}
	f.Got = "versioning: " + v.Status
	rules, err := x.rules(ctx)
	if err != nil || rules == nil {
		f.Status = Warn
		f.Cause = "Versioning keeps what is deleted, uploads included, and nobody knows whether a lifecycle rule removes it."
		f.Cure = x.setup() + "; or look as an operator: postern doctor --operator-profile NAME"
		return []Finding{f}
	}
	if slices.ContainsFunc(rules, func(r rule) bool {
		return r.on() && r.covers(postern.IncomingPrefix) && (r.Noncurrent.Days > 0 || r.Noncurrent.NewerVersions > 0)
	}) {
		return []Finding{f}
	}
	f.Status = Warn
	f.Cause = "Versioning keeps every upload after it was checked and deleted, for ever and at full price: no rule removes noncurrent versions below incoming/."
	f.Cure = x.setup() + " (NoncurrentVersionExpiration of 1 day on incoming/)"
	return []Finding{f}
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-encryption.html
func probeEncryption(ctx context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "what is stored is encrypted"}
	if x.c.Embedded {
		f.Status, f.Got = Skipped, "our own bucket keeps files as they came; encrypt the disk below where that matters"
		return []Finding{f}
	}
	got, done := x.setting(ctx, &f, "encryption", postern.Unknown)
	if done {
		return []Finding{f}
	}
	var c struct {
		XMLName xml.Name `xml:"ServerSideEncryptionConfiguration"`
		Rule    []struct {
			Default struct{ SSEAlgorithm, KMSMasterKeyID string } `xml:"ApplyServerSideEncryptionByDefault"`
		}
	}
	if got.ok() && xml.Unmarshal(got.Body, &c) != nil {
		return garbled(f)
	}
	if len(c.Rule) > 0 && c.Rule[0].Default.SSEAlgorithm != "" {
		f.Got = c.Rule[0].Default.SSEAlgorithm
		if strings.HasPrefix(f.Got, "aws:kms") {
			f.Got += "; the signer needs kms:GenerateDataKey, the worker kms:Decrypt"
		}
		return []Finding{f}
	}
	if x.c.Provider.Name != "aws" {
		f.Status, f.Got = Skipped, "the server does not say; encrypt the disks below where that matters"
		return []Finding{f}
	}
	f.Status = Warn
	f.Cause = "The bucket has no default encryption: files lie on disks as they came."
	f.Cure = x.setup()
	return []Finding{f}
}

// probePolicy reads the bucket policy for what it gives to everybody. What it
// means for real is tried by the probes "anonymous"; this one also sees what
// only another network or another time would let in.
func probePolicy(ctx context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "the bucket policy opens nothing but what it shall"}
	got, done := x.setting(ctx, &f, "policy", x.c.Provider.BucketPolicy)
	if done {
		return []Finding{f}
	}
	if !got.ok() {
		f.Got = "there is none"
		return []Finding{f}
	}
	var doc policyDocument
	if json.Unmarshal(got.Body, &doc) != nil {
		return garbled(f)
	}
	f.Got = counted(len(doc.Statement), "statement")
	for _, s := range doc.Statement {
		if s.Effect != "Allow" || !s.everybody() {
			continue
		}
		if what := s.opens(x.c.Bucket, x.publicHere()); what != "" {
			f.Status = Fault
			condition := ""
			if len(s.Condition) > 0 {
				f.Status, condition = Warn, ", under a condition"
			}
			f.Cause = fmt.Sprintf("A statement of the bucket policy%s lets everybody %s%s.", s.name(), what, condition)
			f.Cure = "remove that statement; " + x.setup() + " writes the policy that is needed"
			return []Finding{f}
		}
	}
	return []Finding{f}
}

// policyDocument is as much of a bucket policy as is looked at. Lists may be
// single texts, and a statement may stand alone:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type policyDocument struct {
	Statement oneOrMore[statement]
}

type statement struct {
	Sid          string
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       oneOrMore[string]
	NotAction    oneOrMore[string]
	Resource     oneOrMore[string]
	NotResource  oneOrMore[string]
	Condition    map[string]json.RawMessage
}

// oneOrMore is a list in which a single element may stand without brackets.
type oneOrMore[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *oneOrMore[T]) UnmarshalJSON(text []byte) error {
	var list []T
	if json.Unmarshal(text, &list) == nil {
		*l = list
		return nil
	}
	var one T
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*l = oneOrMore[T]{one}
	return nil
}

// name is how a statement is called in a sentence.
func (s *statement) name() string {
	if s.Sid == "" {
		return ""
	}
	return " (" + s.Sid + ")"
}

// everybody says whether the statement speaks of everybody.
func (s *statement) everybody() bool {
	if len(s.NotPrincipal) > 0 {
		return true // all but a few
	}
	var one string
	if json.Unmarshal(s.Principal, &one) == nil {
		return one == "*"
	}
	var kinds map[string]oneOrMore[string]
	return json.Unmarshal(s.Principal, &kinds) == nil && slices.Contains(kinds["AWS"], "*")
}

// opens says what the statement lets everybody do, in words; "" where it is
// nothing, or the reading of images/ that is wanted.
func (s *statement) opens(bucket string, public bool) string {
	arn := "arn:aws:s3:::" + bucket
	touches := func(key string) bool {
		in := func(r string) bool {
			_, after, found := strings.Cut(r, ":::") // aws-cn and aws-us-gov are partitions, too
			return r == "*" || found && matches("arn:aws:s3:::"+after, arn+key)
		}
		if len(s.NotResource) > 0 {
			return !slices.ContainsFunc(s.NotResource, in)
		}
		return slices.ContainsFunc(s.Resource, in)
	}
	allows := func(action string) bool {
		is := func(a string) bool { return matches(strings.ToLower(a), strings.ToLower(action)) }
		if len(s.NotAction) > 0 {
			return !slices.ContainsFunc(s.NotAction, is)
		}
		return slices.ContainsFunc(s.Action, is)
	}
	const anyKey = "doctor"
	for _, w := range []struct {
		action, key, words string
		fine               bool
	}{
		{"s3:GetObject", "/" + postern.IncomingPrefix + anyKey, "read incoming/, where unchecked files of browsers lie", false},
		{"s3:PutObject", "/" + postern.IncomingPrefix + anyKey, "write into incoming/ without a grant", false},
		{"s3:PutObject", "/" + postern.ImagesPrefix + anyKey, "write into images/", false},
		{"s3:DeleteObject", "/" + postern.ImagesPrefix + anyKey, "delete images", false},
		{"s3:DeleteObject", "/" + postern.IncomingPrefix + anyKey, "delete uploads", false},
		{"s3:ListBucket", "", "list the names of all objects", false},
		{"s3:PutBucketPolicy", "", "change the bucket's policy", false},
		{"s3:GetObject", "/" + postern.ImagesPrefix + anyKey, "read images/, although they shall not be public", public},
		{"s3:GetObject", "/" + anyKey, "read what lies outside images/", false},
	} {
		if !w.fine && allows(w.action) && touches(w.key) {
			return w.words
		}
	}
	return ""
}

// matches says whether s fits a pattern with * and ?, in time that no pattern
// makes long.
func matches(pattern, s string) bool {
	p, i, star, from := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0: // the last star takes one more
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
