package sigv4_test

import (
	"errors"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// required are the conditions that every policy must have.
func required(more ...sigv4.Condition) []sigv4.Condition {
	return append([]sigv4.Condition{
		sigv4.Eq("bucket", "photos"), sigv4.Eq("x-amz-algorithm", "AWS4-HMAC-SHA256"),
		sigv4.Eq("x-amz-credential", exampleCredential), sigv4.Eq("x-amz-date", exampleStamp),
	}, more...)
}

func formWith(fields map[string]string) sigv4.Form {
	f := exampleForm("", "")
	maps.Copy(f, fields)
	return f
}

func TestEvaluate(t *testing.T) {
	type fields = map[string]string
	failed := func(c string) string { return "Policy Condition failed: " + c }
	for _, tt := range []struct {
		name       string
		conditions []sigv4.Condition
		form       fields
		want       string // empty: passes
	}{
		{"nothing more", required(), nil, ""},
		{"eq", required(sigv4.Eq("key", "a")), fields{"key": "a"}, ""},
		{"eq, other value", required(sigv4.Eq("key", "a")), fields{"key": "b"}, failed(`["eq", "$key", "a"]`)},
		{"eq, value in other case", required(sigv4.Eq("key", "a")), fields{"key": "A"}, failed(`["eq", "$key", "a"]`)},
		{"eq, name in other case", required(sigv4.Eq("KeY", "a")), fields{"key": "a"}, ""},
		{"a failed condition keeps its spelling", required(sigv4.Eq("Content-Disposition", `filename="x"`)), fields{"content-disposition": ""}, failed(`["eq", "$Content-Disposition", "filename=\"x\""]`)},
		{"eq, absent", required(sigv4.Eq("key", "")), nil, failed(`["eq", "$key", ""]`)},
		{"eq, empty", required(sigv4.Eq("key", "")), fields{"key": ""}, ""},
		{"eq with a comma", required(sigv4.Eq("content-type", "image/png,text/html")), fields{"content-type": "image/png,text/html"}, ""},
		{"starts-with", required(sigv4.StartsWith("key", "q/")), fields{"key": "q/1"}, ""},
		{"starts-with, other", required(sigv4.StartsWith("key", "q/")), fields{"key": "Q/1"}, failed(`["starts-with", "$key", "q/"]`)},
		{"starts-with, shorter", required(sigv4.StartsWith("key", "q/")), fields{"key": "q"}, failed(`["starts-with", "$key", "q/"]`)},
		{"starts-with nothing", required(sigv4.StartsWith("key", "")), fields{"key": "any"}, ""},
		{"starts-with nothing, empty", required(sigv4.StartsWith("key", "")), fields{"key": ""}, ""},
		{"starts-with nothing, absent", required(sigv4.StartsWith("Content-Type", "")), nil, failed(`["starts-with", "$Content-Type", ""]`)},
		{"type list", required(sigv4.StartsWith("Content-Type", "image/")), fields{"content-type": "image/png,image/gif, image/webp"}, ""},
		{"type list, one other", required(sigv4.StartsWith("Content-Type", "image/")), fields{"content-type": "image/png,text/html"}, failed(`["starts-with", "$Content-Type", "image/"]`)},
		{"type list, trailing comma", required(sigv4.StartsWith("Content-Type", "image/")), fields{"content-type": "image/png,"}, failed(`["starts-with", "$Content-Type", "image/"]`)},
		{"only types are lists", required(sigv4.StartsWith("cache-control", "a")), fields{"cache-control": "a,b"}, ""},
		{"two conditions", required(sigv4.StartsWith("key", "q/"), sigv4.StartsWith("Key", "q/a")), fields{"key": "q/ab"}, ""},
		{"two conditions, one fails", required(sigv4.Eq("key", "q/1"), sigv4.Eq("Key", "q/2")), fields{"key": "q/1"}, failed(`["eq", "$Key", "q/2"]`)},
		{"exact only: status", required(sigv4.StartsWith("success_action_status", "")), fields{"success_action_status": "204"}, failed(`["starts-with", "$success_action_status", ""]`)},
		{"exact only: x-amz-", required(sigv4.StartsWith("x-amz-storage-class", "S")), fields{"x-amz-storage-class": "STANDARD"}, failed(`["starts-with", "$x-amz-storage-class", "S"]`)},
		{"exact only: date", append(required()[:3:3], sigv4.StartsWith("x-amz-date", "")), nil, failed(`["starts-with", "$x-amz-date", ""]`)},
		{"exact only: bucket", append(required()[1:4:4], sigv4.StartsWith("bucket", "ph")), nil, failed(`["starts-with", "$bucket", "ph"]`)},
		{"metadata may start with", required(sigv4.StartsWith("X-Amz-Meta-Tag", "")), fields{"x-amz-meta-tag": "x"}, ""},
		{"unknown condition", required(sigv4.Eq("colour", "red")), nil, failed(`["eq", "$colour", "red"]`)},
		{"unknown operator", required(sigv4.Condition{Op: "ne", Field: "key", Value: "x"}), fields{"key": "y"}, failed(`["ne", "$key", "x"]`)},
		{"a range covers no field", required(sigv4.LengthRange(0, 1)), fields{"content-length-range": "1"}, "Extra input fields: content-length-range"},
		{"a condition on the range's name", required(sigv4.Eq("content-length-range", "1")), nil, failed(`["eq", "$content-length-range", "1"]`)},
		{"extra field", required(), fields{"acl": "public-read"}, "Extra input fields: acl"},
		{"extra fields", required(), fields{"b": "", "a": ""}, "Extra input fields: a, b"},
		{"fields that need none", required(), fields{"file": "", "policy": "x", "x-amz-signature": "x", "x-ignore-me": "x", "x-ignore-": ""}, ""},
		{"x-ignore is not enough", required(), fields{"x-ignore": ""}, "Extra input fields: x-ignore"},
		{"version 2's fields are not exempt", required(), fields{"signature": "", "awsaccesskeyid": ""}, "Extra input fields: awsaccesskeyid, signature"},
		{"a Form in capitals is covered by nothing", required(sigv4.Eq("Key", "a")), fields{"key": "a", "Key": "a"}, "Extra input fields: Key"},
		{"the Kelvin sign is no k", required(sigv4.Eq("\u212aey", "a")), fields{"key": "a"}, failed("[\"eq\", \"$\u212aey\", \"a\"]")},
		{"no bucket condition", required()[1:], nil, "Extra input fields: bucket"},
		{"no algorithm condition", append(required()[:1:1], required()[2:]...), nil, "Extra input fields: x-amz-algorithm"},
		{"no credential condition", append(required()[:2:2], required()[3:]...), nil, "Extra input fields: x-amz-credential"},
		{"no date condition", required()[:3], nil, "Extra input fields: x-amz-date"},
		{"no conditions", nil, nil, "Extra input fields: bucket, x-amz-algorithm, x-amz-credential, x-amz-date"},
		{"other bucket", append(required()[1:4:4], sigv4.Eq("bucket", "other")), nil, failed(`["eq", "$bucket", "other"]`)},
		{"bucket field", required(), fields{"bucket": "photos"}, ""},
		{"bucket field, other", required(), fields{"bucket": "other"}, failed(`["eq", "$bucket", "photos"]`)},
		{"bucket field and condition, both other", append(required()[1:4:4], sigv4.Eq("bucket", "other")), fields{"bucket": "other"}, failed(`["eq", "$bucket", "other"]`)},
		{"token", required(sigv4.Eq("x-amz-security-token", exampleToken)), fields{"x-amz-security-token": exampleToken}, ""},
		{"token without condition", required(), fields{"x-amz-security-token": exampleToken}, "Extra input fields: x-amz-security-token"},
		{"a failed token is not told", required(sigv4.Eq("x-amz-security-token", exampleToken)), fields{"x-amz-security-token": "x"}, failed(`["eq", "$x-amz-security-token", "..."]`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &sigv4.Policy{Expiration: exampleTime.Add(time.Hour), Conditions: tt.conditions}
			err := p.Evaluate(formWith(tt.form), "photos", exampleTime)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *sigv4.Error
			if !errors.As(err, &e) || e.Code != "AccessDenied" || e.Status != 403 || e.Message != "Invalid according to Policy: "+tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), exampleToken) {
				t.Error("the token is in the error")
			}
		})
	}
}

func TestThreat26_ExpirationIsExact(t *testing.T) {
	end := time.Date(2030, 1, 1, 0, 0, 0, 5e6, time.UTC)
	p := &sigv4.Policy{Expiration: end, Conditions: required()}
	doc := p.AppendJSON(nil)
	read, err := sigv4.ParsePolicy(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*sigv4.Policy{p, read} {
		for after, ok := range map[time.Duration]bool{-time.Hour: true, -1: true, 0: true, 1: false, time.Hour: false} {
			err := p.Evaluate(formWith(nil), "photos", end.Add(after))
			if (err == nil) != ok {
				t.Errorf("%v after its expiration: %v", after, err)
			}
			if err != nil && err.Error() != "AccessDenied: Invalid according to Policy: Policy expired." {
				t.Error(err)
			}
		}
	}
	// A finer expiration is cut off in the document, never rounded up.
	p.Expiration = end.Add(999999)
	if doc2 := p.AppendJSON(nil); string(doc2) != string(doc) {
		t.Errorf("%s", doc2)
	}
}

func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ranges  []sigv4.Condition
		lo, hi  int64
		bounded bool
		small   []int64 // refused as too small
		large   []int64 // refused as too large
		fit     []int64
	}{
		{"none", nil, 0, math.MaxInt64, false, nil, nil, []int64{0, 1, math.MaxInt64}},
		{"both inclusive", []sigv4.Condition{sigv4.LengthRange(5, 10)}, 5, 10, true, []int64{0, 4}, []int64{11, math.MaxInt64}, []int64{5, 10}},
		{"[0,0] is the empty file", []sigv4.Condition{sigv4.LengthRange(0, 0)}, 0, 0, true, nil, []int64{1, 1 << 40}, []int64{0}},
		{"[-1,0] as well", []sigv4.Condition{sigv4.LengthRange(-1, 0)}, 0, 0, true, nil, []int64{1}, []int64{0}},
		{"[-2,-1] is nothing", []sigv4.Condition{sigv4.LengthRange(-2, -1)}, 0, -1, true, nil, []int64{0, 1}, nil},
		{"two overlap", []sigv4.Condition{sigv4.LengthRange(1, 100), sigv4.LengthRange(50, 1000)}, 50, 100, true, []int64{1, 49}, []int64{101, 1000}, []int64{50, 100}},
		{"the later wider one does not win", []sigv4.Condition{sigv4.LengthRange(1, 2), sigv4.LengthRange(0, math.MaxInt64)}, 1, 2, true, []int64{0}, []int64{3}, []int64{1, 2}},
		{"two apart", []sigv4.Condition{sigv4.LengthRange(1, 2), sigv4.LengthRange(5, 6)}, 5, 2, true, []int64{0, 1, 2}, []int64{3, 4, 5, 6, 7}, nil},
		{"backwards", []sigv4.Condition{sigv4.LengthRange(10, 5)}, 10, 5, true, []int64{5}, []int64{6, 10}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &sigv4.Policy{Conditions: append(required(), tt.ranges...)}
			if lo, hi, ok := p.SizeRange(); lo != tt.lo || hi != tt.hi || ok != tt.bounded {
				t.Errorf("%d to %d, %v", lo, hi, ok)
			}
			for _, n := range tt.fit {
				if err := p.CheckSize(n); err != nil {
					t.Errorf("%d: %v", n, err)
				}
			}
			for _, n := range tt.small {
				if err := p.CheckSize(n); !errors.Is(err, sigv4.ErrEntityTooSmall) {
					t.Errorf("%d: %v", n, err)
				}
			}
			for _, n := range tt.large {
				if err := p.CheckSize(n); !errors.Is(err, sigv4.ErrEntityTooLarge) {
					t.Errorf("%d: %v", n, err)
				}
			}
		})
	}
	p := &sigv4.Policy{Conditions: []sigv4.Condition{sigv4.LengthRange(5, 10)}}
	var e *sigv4.Error
	if !errors.As(p.CheckSize(12), &e) || e.Status != 400 || e.Message != "Your proposed upload exceeds the maximum allowed size" || e.Extra["ProposedSize"] != "12" || e.Extra["MaxSizeAllowed"] != "10" {
		t.Errorf("%+v", e)
	}
	if !errors.As(p.CheckSize(1), &e) || e.Status != 400 || e.Message != "Your proposed upload is smaller than the minimum allowed size" || e.Extra["ProposedSize"] != "1" || e.Extra["MinSizeAllowed"] != "5" {
		t.Errorf("%+v", e)
	}
}

func TestThreat04_KeyTraversal(t *testing.T) {
	p := &sigv4.Policy{Expiration: exampleTime, Conditions: required(sigv4.Eq("key", "incoming/1"))}
	for _, key := range append([]string{
		"", "incoming/", "incoming/1 ", "incoming/1\x00", "INCOMING/1", "incoming//1", "./incoming/1", "incoming/../incoming/1", "incoming/%31",
		"../../m/x", `..\\x`, "%2e%2e/x", "\u202eincoming/1", "$$", "incoming/${filename}", "incoming/1/" + strings.Repeat("x", 5000),
	}, hostileKeys...) {
		if err := p.Evaluate(formWith(map[string]string{"key": key}), "photos", exampleTime); !errors.Is(err, sigv4.ErrAccessDenied) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// A policy is about what a form says after ${filename} was expanded in it;
// in the policy itself it is a text like any other.
func TestThreat06_FilenameIsNotExpandedInPolicies(t *testing.T) {
	p := &sigv4.Policy{Expiration: exampleTime, Conditions: required(sigv4.Eq("x-amz-meta-a", "a${filename}"))}
	for value, ok := range map[string]bool{"a${filename}": true, "acat.jpg": false, "a": false} {
		if err := p.Evaluate(formWith(map[string]string{"x-amz-meta-a": value}), "photos", exampleTime); (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
	}
}
