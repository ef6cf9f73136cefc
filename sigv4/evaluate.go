package sigv4

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Form holds the fields of a form, without the file: names in ASCII lower
// case, values as sent with ${filename} expanded. A name that is there twice
// in the form has no place in a Form; refuse it.
type Form map[string]string

// Names of the fields that carry the authentication, in lower case.
const (
	fieldPolicy     = "policy"
	fieldAlgorithm  = "x-amz-algorithm"
	fieldCredential = "x-amz-credential" //nolint:gosec // a field's name, no secret
	fieldDate       = "x-amz-date"
	fieldSignature  = "x-amz-signature"
	fieldToken      = "x-amz-security-token" //nolint:gosec // a field's name, no secret
	fieldBucket     = "bucket"
)

// Evaluate holds the form against p, at the time now, for the bucket it was
// sent to. In this order, as errors of code AccessDenied:
//
//   - p must not be expired: its Expiration is the last instant that passes.
//   - Every condition must hold, several on one field all of them. Names of
//     fields match in any case, values byte for byte. A condition on a field
//     that is not there fails, StartsWith(field, "") included. StartsWith on
//     Content-Type takes a list: every item must match. StartsWith fails on
//     the fields that Amazon lists for exact matching only: bucket,
//     success_action_status and x-amz-* other than x-amz-meta-*.
//   - Every field must have a condition, but for x-amz-signature, policy,
//     file and x-ignore-*. The bucket counts as a field whether or not the
//     form has one, and so do x-amz-algorithm, x-amz-credential and
//     x-amz-date, so a policy without conditions on them never passes.
//
// Sizes are not looked at: the file has not been read. See [Policy.CheckSize].
func (p *Policy) Evaluate(f Form, bucket string, now time.Time) error {
	if now.After(p.Expiration) {
		return ErrAccessDenied.with("Invalid according to Policy: Policy expired.")
	}
	covered := make(map[string]bool, len(p.Conditions))
	for i := range p.Conditions {
		c := &p.Conditions[i]
		if c.Op == OpLengthRange {
			continue
		}
		name := lowerASCII(c.Field)
		if !c.holds(name, f, bucket) {
			return errCondition(c.String())
		}
		covered[name] = true
	}
	var extra []string
	for name := range f {
		if !covered[name] && !needsNoCondition(name) {
			extra = append(extra, name)
		}
	}
	for _, name := range [...]string{fieldBucket, fieldAlgorithm, fieldCredential, fieldDate} {
		if _, sent := f[name]; !sent && !covered[name] {
			extra = append(extra, name)
		}
	}
	if len(extra) > 0 {
		slices.Sort(extra)
		return ErrAccessDenied.with("Invalid according to Policy: Extra input fields: " + clip(strings.Join(extra, ", ")))
	}
	return nil
}

func needsNoCondition(name string) bool {
	switch name {
	case fieldSignature, fieldPolicy, "file":
		return true
	}
	return strings.HasPrefix(name, "x-ignore-")
}

func (c *Condition) holds(name string, f Form, bucket string) bool {
	value, sent := f[name]
	if name == fieldBucket {
		// The condition is about the bucket the form was sent to; a field of
		// that name, which some SDKs send, must not say otherwise.
		if sent && value != bucket {
			return false
		}
		value, sent = bucket, true
	}
	if !sent {
		return false
	}
	switch c.Op {
	case OpEq:
		return value == c.Value
	case OpStartsWith:
		if exactOnly(name) {
			return false
		}
		if name == "content-type" {
			for item := range strings.SplitSeq(value, ",") {
				if !strings.HasPrefix(strings.Trim(item, " \t"), c.Value) {
					return false
				}
			}
			return true
		}
		return strings.HasPrefix(value, c.Value)
	}
	return false
}

// exactOnly is the column "Supported matching" of Amazon's table of conditions
// (sigv4-HTTPPOSTConstructPolicy).
func exactOnly(name string) bool {
	return name == fieldBucket || name == "success_action_status" ||
		strings.HasPrefix(name, "x-amz-") && !strings.HasPrefix(name, "x-amz-meta-")
}

// SizeRange returns the sizes in bytes that all ranges of p allow, both
// inclusive; none at all if lo > hi. Without any range ok is false, and every
// size is allowed.
func (p *Policy) SizeRange() (lo, hi int64, ok bool) {
	lo, hi = 0, math.MaxInt64
	for i := range p.Conditions {
		if c := &p.Conditions[i]; c.Op == OpLengthRange {
			lo, hi, ok = max(lo, c.Min), min(hi, c.Max), true
		}
	}
	return lo, hi, ok
}

// CheckSize reports whether p allows a file of n bytes. The error's code is
// EntityTooLarge or EntityTooSmall.
func (p *Policy) CheckSize(n int64) error {
	lo, hi, _ := p.SizeRange()
	switch {
	case n > hi:
		return ErrEntityTooLarge.with(ErrEntityTooLarge.Message,
			"ProposedSize", strconv.FormatInt(n, 10), "MaxSizeAllowed", strconv.FormatInt(hi, 10))
	case n < lo:
		return ErrEntityTooSmall.with(ErrEntityTooSmall.Message,
			"ProposedSize", strconv.FormatInt(n, 10), "MinSizeAllowed", strconv.FormatInt(lo, 10))
	}
	return nil
}
