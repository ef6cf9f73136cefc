package s3d

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// Which objects and unfinished uploads a bucket gets rid of by itself, and
// when. Sweep does it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html

const day = 24 * time.Hour

// lifecycleRule is one rule. It has at least one action.
type lifecycleRule struct {
	id      string
	enabled bool
	legacy  bool // the prefix stood in the rule, not in its filter

	// Which objects: all that are true of one.
	prefix          string
	tags            tagSet
	larger, smaller *int64 // bytes, both exclusive; nil: not said

	// What happens; zero: nothing.
	days      int       // Expiration
	date      time.Time // Expiration, midnight UTC
	abortDays int       // AbortIncompleteMultipartUpload
}

func (r *lifecycleRule) actions() (names []string) {
	if r.expires() {
		names = append(names, "Expiration")
	}
	if r.abortDays > 0 {
		names = append(names, "AbortIncompleteMultipartUpload")
	}
	return names
}

func (r *lifecycleRule) expires() bool { return r.days > 0 || !r.date.IsZero() }

// covers reports whether the rule is about an object of this key and size,
// whatever its tags.
func (r *lifecycleRule) covers(key string, size int64) bool {
	return strings.HasPrefix(key, r.prefix) && (r.larger == nil || size > *r.larger) && (r.smaller == nil || size < *r.smaller)
}

// tagged reports whether the tags have all of the rule's: "the Lifecycle rule
// applies to objects that have all the tags specified".
func (r *lifecycleRule) tagged(tags map[string]string) bool {
	for k, v := range r.tags {
		if got, ok := tags[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// expiry returns when an object that was written at this time expires.
func (r *lifecycleRule) expiry(written time.Time) time.Time {
	if r.days > 0 {
		return midnightAfter(written, r.days)
	}
	return r.date
}

// midnightAfter: "Amazon S3 calculates the time by adding the number of days
// specified in the rule to the time when the object was created and rounding up
// the resulting time to the next day at midnight UTC."
func midnightAfter(t time.Time, days int) time.Time {
	return t.UTC().AddDate(0, 0, days).Truncate(day).Add(day)
}

// expiring returns the rule that an object expires by, and when; nil when none
// does. "If two expiration policies overlap, the shorter one is honored."
func expiring(rules []lifecycleRule, o *object) (by *lifecycleRule, at time.Time) {
	for i := range rules {
		r := &rules[i]
		if !r.enabled || !r.expires() || !r.covers(o.Key, o.Size) || !r.tagged(o.Tags) {
			continue
		}
		if t := r.expiry(o.modified()); by == nil || t.Before(at) {
			by, at = r, t
		}
	}
	return by, at
}

// aborting returns the rule that an unfinished upload is aborted by, and when;
// nil when none is.
func aborting(rules []lifecycleRule, key string, initiated time.Time) (by *lifecycleRule, at time.Time) {
	for i := range rules {
		r := &rules[i]
		if !r.enabled || r.abortDays == 0 || !strings.HasPrefix(key, r.prefix) {
			continue
		}
		if t := midnightAfter(initiated, r.abortDays); by == nil || t.Before(at) {
			by, at = r, t
		}
	}
	return by, at
}

// expiration returns the value of x-amz-expiration, "" when no rule covers the
// object: "it includes the expiry-date and rule-id key-value pairs … The value
// of the rule-id is URL-encoded."
func (b *bucket) expiration(o *object) string {
	r, at := expiring(b.lifecycle.value(), o)
	if r == nil {
		return ""
	}
	return `expiry-date="` + at.Format(http.TimeFormat) + `", rule-id="` + escapeKey(r.id, false) + `"`
}

// writeExpiration sets the header that tells when an object expires, if ever.
func (x *exchange) writeExpiration(o *object) {
	if v := x.bucket.expiration(o); v != "" {
		x.w.Header()["x-amz-expiration"] = []string{v}
	}
}

// writeAbort sets the headers that tell when an upload is aborted, if ever.
func (x *exchange) writeAbort(key string, initiated time.Time) {
	if r, at := aborting(x.bucket.lifecycle.value(), key, initiated); r != nil {
		h := x.w.Header()
		h["x-amz-abort-date"] = []string{at.Format(http.TimeFormat)}
		h["x-amz-abort-rule-id"] = []string{escapeKey(r.id, false)}
	}
}

// transitionSize is the only thing that S3 has to say about transitions, which
// we lack, beside the rules: clients that send it send S3's default.
const (
	transitionSizeHeader = "x-amz-transition-default-minimum-object-size"
	transitionSize       = "all_storage_classes_128K"
)

func lifecycleOperations() []operation {
	const by = "lifecycle"
	return []operation{
		{
			name: "GetBucketLifecycleConfiguration", method: http.MethodGet, level: onBucket, by: by,
			query:  []string{"withUpdatedAt"}, // minio-go asks for it; S3 takes no notice
			action: "s3:GetLifecycleConfiguration", run: (*exchange).getLifecycle,
		},
		{
			name: "PutBucketLifecycleConfiguration", method: http.MethodPut, level: onBucket, by: by,
			action: "s3:PutLifecycleConfiguration", headers: checksumHeaders(transitionSizeHeader), run: (*exchange).putLifecycle,
		},
		{
			name: "DeleteBucketLifecycle", method: http.MethodDelete, level: onBucket, by: by,
			action: "s3:PutLifecycleConfiguration", run: (*exchange).deleteLifecycle,
		},
	}
}

func (x *exchange) getLifecycle() error {
	doc := x.bucket.lifecycle.document()
	if doc == nil {
		return fault(http.StatusNotFound, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", "BucketName", x.name)
	}
	x.w.Header()[transitionSizeHeader] = []string{transitionSize}
	x.answer(http.StatusOK, xmlType, doc)
	return nil
}

func (x *exchange) putLifecycle() error {
	switch x.header(transitionSizeHeader) {
	case "", transitionSize:
	default:
		return errNotImplemented(transitionSizeHeader)
	}
	if !x.checked() {
		return errUnchecked()
	}
	doc, err := x.document(maxLifecycle)
	if err != nil {
		return err
	}
	rules, err := parseLifecycle(doc)
	if err != nil {
		return err
	}
	for i := range rules {
		if rules[i].id == "" { // "if an ID is not specified, a unique value will be generated"
			rules[i].id = base64.RawURLEncoding.EncodeToString(x.s.randomBytes(36))
		}
	}
	if err := x.bucket.lifecycle.set(x.bucket, lifecycleXML(rules)); err != nil {
		return err
	}
	x.w.Header()[transitionSizeHeader] = []string{transitionSize}
	x.answer(http.StatusOK, "", nil)
	return nil
}

func (x *exchange) deleteLifecycle() error {
	if err := x.bucket.lifecycle.set(x.bucket, nil); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}
