package provision

import (
	"net/http"
	"slices"
	"strings"

	"postern.example/postern"
)

// PublicAccess is a bucket's Block Public Access.
type PublicAccess struct {
	BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool
}

// PublicAccessBlock blocks everything, but for what Public needs: a policy that
// is public is then taken, and obeyed. A policy for one CloudFront distribution
// is not public: "The meaning of 'public'", S3 user guide.
//
// Ceph RGW 16, run, refuses every PUT while BlockPublicAcls is on, and every
// policy that allows anything while BlockPublicPolicy is. There public ACLs are
// taken and without effect.
func PublicAccessBlock(w *Want) PublicAccess {
	if w.Provider.Name == "ceph" {
		return PublicAccess{IgnorePublicAcls: true, BlockPublicPolicy: len(BucketStatements(w)) == 0, RestrictPublicBuckets: !w.Public}
	}
	return PublicAccess{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: !w.Public, RestrictPublicBuckets: !w.Public}
}

// hasOwnership says whether the server is known to have ownership controls.
func (w *Want) hasOwnership() bool {
	return slices.Contains([]string{"aws", "embedded", "versitygw"}, w.Provider.Name)
}

const corsID = "postern"

// CORS is the rule that lets the named pages send files, and see what they have
// to: the ETag of parts, Retry-After, and the request's id for the doctor.
func CORS(w *Want) []CORSRule {
	methods := []string{http.MethodPut}
	if w.Provider.Post != postern.No {
		methods = []string{http.MethodPost, http.MethodPut}
	}
	return []CORSRule{{
		ID: corsID, Origins: slices.Clone(w.Origins), Methods: methods,
		Headers: []string{"content-type", "content-md5", "content-disposition", "if-none-match", "x-amz-checksum-sha256", postern.TicketHeader},
		Expose:  []string{"ETag", "Location", "Retry-After", "x-amz-request-id"},
		MaxAge:  3600,
	}}
}

// MergeCORS returns the bucket's rules with ours in place of those that were
// ours. Ours come first: the first rule that matches counts.
func MergeCORS(existing []CORSRule, w *Want) (rules []CORSRule, changed bool) {
	want := CORS(w)
	theirs := slices.DeleteFunc(slices.Clone(existing), func(r CORSRule) bool { return ourCORS(&r, w) })
	rules = append(slices.Clone(want), theirs...)
	return rules, !slices.EqualFunc(existing, rules, func(a, b CORSRule) bool { return sameCORS(&a, &b) })
}

// StripCORS returns the rules that are not ours.
func StripCORS(existing []CORSRule, w *Want) []CORSRule {
	return slices.DeleteFunc(slices.Clone(existing), func(r CORSRule) bool { return ourCORS(&r, w) })
}

// ourCORS knows our rule by its id, or, where a server keeps no ids, by its
// words.
func ourCORS(r *CORSRule, w *Want) bool {
	if r.ID != "" {
		return r.ID == corsID
	}
	want := CORS(w)[0]
	return sameHeaders(r.Headers, want.Headers) && sameHeaders(r.Expose, want.Expose)
}

func sameCORS(a, b *CORSRule) bool {
	return (a.ID == b.ID || a.ID == "" || b.ID == "") && sameSetOf(a.Origins, b.Origins) && sameSetOf(a.Methods, b.Methods) &&
		sameHeaders(a.Headers, b.Headers) && sameHeaders(a.Expose, b.Expose) && a.MaxAge == b.MaxAge
}

// sameSetOf compares without order.
func sameSetOf(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// sameHeaders compares names of headers, which have no case.
func sameHeaders(a, b []string) bool {
	lower := func(list []string) []string {
		out := make([]string, len(list))
		for i, v := range list {
			out[i] = strings.ToLower(v)
		}
		return out
	}
	return sameSetOf(lower(a), lower(b))
}

// openCORS says whether a rule lets pages of every origin write.
func openCORS(r *CORSRule) bool {
	return slices.Contains(r.Origins, "*") && (slices.Contains(r.Methods, http.MethodPut) || slices.Contains(r.Methods, http.MethodPost))
}

// IDs of our lifecycle rules.
const (
	lifecycleIncoming = "postern-incoming"
	lifecycleParts    = "postern-parts"
)

// Lifecycle empties incoming/ after a day, and forgets unfinished uploads in
// parts after one: what the gate wants of them it takes within minutes. On a
// versioned bucket, and on B2, where to expire is to hide, what was hidden goes
// a day later. Nothing here ever touches images/.
func Lifecycle(w *Want) []LifecycleRule {
	var rules []LifecycleRule
	if w.Provider.Lifecycle != postern.No {
		r := LifecycleRule{ID: lifecycleIncoming, Prefix: postern.IncomingPrefix, ExpireDays: 1}
		if slices.Contains([]string{"aws", "b2", "ceph", "minio"}, w.Provider.Name) { // those are known to take it
			r.NoncurrentDays = 1
		}
		rules = append(rules, r)
	}
	if w.Provider.AbortLifecycle != postern.No {
		rules = append(rules, LifecycleRule{ID: lifecycleParts, Prefix: postern.IncomingPrefix, AbortDays: 1})
	}
	return rules
}

// MergeLifecycle returns the bucket's rules with ours in place of those that
// were ours.
func MergeLifecycle(existing []LifecycleRule, w *Want) (rules []LifecycleRule, changed bool) {
	want := Lifecycle(w)
	was := slices.DeleteFunc(slices.Clone(existing), func(r LifecycleRule) bool { return !ourLifecycle(r) })
	theirs := StripLifecycle(existing)
	byID := func(a, b LifecycleRule) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	}
	slices.SortFunc(was, byID)
	sorted := slices.SortedFunc(slices.Values(want), byID)
	return append(theirs, want...), !slices.Equal(was, sorted)
}

// StripLifecycle returns the rules that are not ours.
func StripLifecycle(existing []LifecycleRule) []LifecycleRule {
	return slices.DeleteFunc(slices.Clone(existing), ourLifecycle)
}

func ourLifecycle(r LifecycleRule) bool { return r.ID == lifecycleIncoming || r.ID == lifecycleParts }
