package doctor

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postern.example/postern"
)

// rule is as much of a lifecycle rule as is looked at.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
type rule struct {
	ID     string
	Status string
	Prefix string // of rules of the old form
	Filter struct {
		Prefix  string
		Tag     *struct{ Key string }
		Larger  int64 `xml:"ObjectSizeGreaterThan"`
		Smaller int64 `xml:"ObjectSizeLessThan"`
		And     struct {
			Prefix  string
			Tag     []struct{ Key string }
			Larger  int64 `xml:"ObjectSizeGreaterThan"`
			Smaller int64 `xml:"ObjectSizeLessThan"`
		}
	}
	Expiration struct {
		Days int
		Date string
	}
	Noncurrent struct {
		Days          int `xml:"NoncurrentDays"`
		NewerVersions int `xml:"NewerNoncurrentVersions"`
	} `xml:"NoncurrentVersionExpiration"`
	Abort struct {
		Days int `xml:"DaysAfterInitiation"`
	} `xml:"AbortIncompleteMultipartUpload"`
}

func (r *rule) on() bool { return r.Status == "Enabled" }

func (r *rule) expires() bool { return r.Expiration.Days > 0 || r.Expiration.Date != "" }

// prefix is what keys begin with that the rule is about.
func (r *rule) prefix() string { return r.Prefix + r.Filter.Prefix + r.Filter.And.Prefix }

// partial says whether the rule is about some objects of its prefix only.
func (r *rule) partial() bool {
	return r.Filter.Tag != nil || len(r.Filter.And.Tag) > 0 ||
		r.Filter.Larger > 0 || r.Filter.Smaller > 0 || r.Filter.And.Larger > 0 || r.Filter.And.Smaller > 0
}

// covers says whether the rule is about all objects below a prefix.
func (r *rule) covers(prefix string) bool {
	return strings.HasPrefix(prefix, r.prefix()) && !r.partial()
}

// name is how the rule is called in a sentence.
func (r *rule) name() string {
	if r.ID == "" {
		return "A lifecycle rule"
	}
	return fmt.Sprintf("The lifecycle rule %q", r.ID)
}

var errUnread = errors.New("the rules could not be read")

// rules reads the lifecycle rules; none is an empty list and not nil.
func (x *exam) rules(ctx context.Context) ([]rule, error) {
	var f Finding
	got, done := x.setting(ctx, &f, "lifecycle", x.c.Provider.Lifecycle)
	if done {
		return nil, errUnread
	}
	return parseRules(got)
}

func parseRules(got *answer) ([]rule, error) {
	if !got.ok() {
		return []rule{}, nil
	}
	var c struct {
		XMLName xml.Name `xml:"LifecycleConfiguration"`
		Rule    []rule
	}
	if err := xml.Unmarshal(got.Body, &c); err != nil {
		return nil, errUnread
	}
	return append([]rule{}, c.Rule...), nil
}

// maxWait is how many days a file may lie in incoming/: a few more than the one
// that setup says are a choice, weeks are a mistake.
const maxWait = 7

func probeLifecycle(ctx context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "what is left in incoming/ goes away by itself"}
	if x.c.Provider.Lifecycle == postern.No {
		f.Status, f.Got = Skipped, x.provider()+" has no such rules: the gate's own sweep tidies up, while it runs"
		return []Finding{f}
	}
	got, done := x.setting(ctx, &f, "lifecycle", x.c.Provider.Lifecycle)
	if done {
		return []Finding{f}
	}
	rules, err := parseRules(got)
	if err != nil {
		return garbled(f)
	}
	if len(rules) == 0 {
		f.Got = "there are no rules"
		if x.c.Embedded {
			f.Status, f.Got = Skipped, "there are no rules, and none are needed: serve, without which this bucket does not run, sweeps it"
			return []Finding{f}
		}
	} else {
		f.Got = counted(len(rules), "rule")
	}
	f.Status, f.Cause = judgeRules(rules, x.c.Provider.AbortLifecycle != postern.No)
	if f.Status != OK {
		f.Cure = x.setup()
	}
	return []Finding{f}
}

// judgeRules says what is wrong with lifecycle rules: first what destroys
// pictures, then what leaves uploads lying.
func judgeRules(rules []rule, abort bool) (Status, string) {
	for _, r := range rules {
		if r.on() && r.expires() && (strings.HasPrefix(postern.ImagesPrefix, r.prefix()) || strings.HasPrefix(r.prefix(), postern.ImagesPrefix)) {
			when := counted(r.Expiration.Days, "day") + " after they were made"
			if r.Expiration.Date != "" {
				when = "on " + r.Expiration.Date
			}
			return Fault, fmt.Sprintf("%s deletes images %s: its prefix is %q, and it must be incoming/.", r.name(), when, r.prefix())
		}
	}
	if cause := dead(rules, "removes what is left in incoming/", func(r *rule) int {
		if r.Expiration.Date != "" {
			return 0 // once, and not again
		}
		return r.Expiration.Days
	}); cause != "" {
		return Warn, cause
	}
	if !abort {
		return OK, ""
	}
	if cause := dead(rules, "aborts unfinished uploads in parts below incoming/, which cost as much as whole ones and are in no listing", func(r *rule) int { return r.Abort.Days }); cause != "" {
		return Warn, cause
	}
	return OK, ""
}

// dead is why no rule does something below incoming/ within a few days; "" if
// one does. after tells after how many days a rule does it, 0 never.
func dead(rules []rule, does string, after func(*rule) int) string {
	why := "No lifecycle rule " + does + " while no gate runs."
	for i := range slices.Backward(rules) {
		r := &rules[i]
		days := after(r)
		switch {
		case days == 0:
		case !strings.HasPrefix(postern.IncomingPrefix, r.prefix()):
			why = fmt.Sprintf("%s is about %q, and no rule about incoming/ %s.", r.name(), r.prefix(), does)
		case r.partial():
			why = fmt.Sprintf("%s is about some objects only, by tag or size, which uploads need not have: no rule %s.", r.name(), does)
		case !r.on():
			why = fmt.Sprintf("%s is switched off (%s): no other %s.", r.name(), r.Status, does)
		case days > maxWait:
			why = fmt.Sprintf("%s waits %s, and no other %s sooner.", r.name(), counted(days, "day"), does)
		default:
			return ""
		}
	}
	return why
}
