package s3d

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// LifecycleConfiguration, read and written.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html

const (
	// maxLifecycleRules: "a lifecycle configuration can have up to 1,000 rules".
	maxLifecycleRules = 1000
	// maxLifecycle holds that many rules with long names, in bytes.
	maxLifecycle = 1 << 20
	// maxRuleID: "the value cannot be longer than 255 characters".
	maxRuleID = 255
)

// xmlNode is an element of a document in which every element counts: what is not
// asked for by name is an error, not passed over.
type xmlNode struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []xmlNode `xml:",any"`
}

// only checks that there is nothing in n but these elements, each at most once
// unless it is in many.
func (n *xmlNode) only(once, many []string) error {
	if strings.TrimSpace(n.Text) != "" {
		return errMalformedXML()
	}
	seen := make(map[string]bool)
	for i := range n.Children {
		name := n.Children[i].XMLName.Local
		if slices.Contains(many, name) {
			continue
		}
		if seen[name] || !slices.Contains(once, name) {
			return errMalformedXML()
		}
		seen[name] = true
	}
	return nil
}

func (n *xmlNode) child(name string) *xmlNode {
	for i := range n.Children {
		if n.Children[i].XMLName.Local == name {
			return &n.Children[i]
		}
	}
	return nil
}

// text returns what an element without children says; there may be no element.
func (n *xmlNode) text() (string, error) {
	if n == nil {
		return "", nil
	}
	if len(n.Children) > 0 {
		return "", errMalformedXML()
	}
	return n.Text, nil
}

// count reads a number of at least one.
func (n *xmlNode) count(what string) (int, error) {
	v, err := n.text()
	if err != nil {
		return 0, err
	}
	i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	if err != nil {
		return 0, errMalformedXML()
	}
	if i < 1 || i > math.MaxInt32 {
		return 0, fault(http.StatusBadRequest, "InvalidArgument", what+" must be a positive integer")
	}
	return int(i), nil
}

// parseLifecycle reads and checks a LifecycleConfiguration. A rule that asks
// for what this server has not is answered 501 by the name of that, as is one
// that is switched off: it would be switched on one day.
func parseLifecycle(doc []byte) ([]lifecycleRule, error) {
	var root xmlNode
	if err := decodeXML(doc, &root); err != nil {
		return nil, err
	}
	if root.XMLName.Local != "LifecycleConfiguration" || len(root.Children) == 0 || len(root.Children) > maxLifecycleRules {
		return nil, errMalformedXML()
	}
	if err := root.only(nil, []string{"Rule"}); err != nil {
		return nil, err
	}
	rules := make([]lifecycleRule, 0, len(root.Children))
	ids, prefixes := make(map[string]bool), make(map[string]bool)
	for i := range root.Children {
		r, err := parseLifecycleRule(&root.Children[i])
		if err != nil {
			return nil, err
		}
		if r.id != "" && ids[r.id] {
			return nil, fault(http.StatusBadRequest, "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[r.id] = true
		for _, action := range r.actions() {
			if !r.legacy {
				break
			}
			if prefixes[action+r.prefix] {
				return nil, errInvalidRequest("Found two rules with same prefix '" + r.prefix + "' for same action type '" + action + "'")
			}
			prefixes[action+r.prefix] = true
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseLifecycleRule(n *xmlNode) (r lifecycleRule, err error) {
	for _, lacking := range []string{"Transition", "NoncurrentVersionTransition", "NoncurrentVersionExpiration"} {
		if n.child(lacking) != nil {
			return r, errLacking("The lifecycle action "+lacking, lacking)
		}
	}
	if err := n.only([]string{"ID", "Status", "Filter", "Prefix", "Expiration", "AbortIncompleteMultipartUpload"}, nil); err != nil {
		return r, err
	}
	if r.id, err = n.child("ID").text(); err != nil {
		return r, err
	}
	if utf8.RuneCountInString(r.id) > maxRuleID {
		return r, fault(http.StatusBadRequest, "InvalidArgument", "ID length should not exceed allowed limit of 255")
	}
	switch status, err := n.child("Status").text(); {
	case err != nil:
		return r, err
	case status == "Enabled":
		r.enabled = true
	case status != "Disabled":
		return r, errMalformedXML()
	}
	filter, prefix := n.child("Filter"), n.child("Prefix")
	switch {
	case filter == nil && prefix == nil, filter != nil && prefix != nil:
		return r, errMalformedXML()
	case prefix != nil:
		r.legacy = true
		r.prefix, err = prefix.text()
	default:
		err = r.parseFilter(filter)
	}
	if err != nil {
		return r, err
	}
	if err := r.parseActions(n.child("Expiration"), n.child("AbortIncompleteMultipartUpload")); err != nil {
		return r, err
	}
	return r, checkKey(r.prefix)
}

// parseFilter reads "exactly one of Prefix, Tag, ObjectSizeGreaterThan,
// ObjectSizeLessThan, or And". "If the Filter element is left empty, the
// Lifecycle Rule applies to all objects in the bucket."
func (r *lifecycleRule) parseFilter(n *xmlNode) error {
	predicates := []string{"Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan"}
	var many []string
	if and := n.child("And"); and != nil {
		if len(n.Children) != 1 || len(and.Children) < 2 || strings.TrimSpace(n.Text) != "" {
			return errMalformedXML()
		}
		n, many = and, []string{"Tag"}
	} else {
		if len(n.Children) > 1 {
			return errMalformedXML()
		}
		predicates = append(predicates, "Tag")
	}
	if err := n.only(predicates, many); err != nil {
		return err
	}
	for i := range n.Children {
		c := &n.Children[i]
		var err error
		switch c.XMLName.Local {
		case "Prefix":
			r.prefix, err = c.text()
		case "Tag":
			err = r.parseTag(c)
		case "ObjectSizeGreaterThan":
			r.larger, err = c.size("'ObjectSizeGreaterThan'", 0)
		case "ObjectSizeLessThan":
			r.smaller, err = c.size("'ObjectSizeLessThan'", 1)
		}
		if err != nil {
			return err
		}
	}
	if r.larger != nil && r.smaller != nil && *r.larger >= *r.smaller {
		return errInvalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
	}
	return nil
}

// size reads a number of bytes.
func (n *xmlNode) size(what string, least int64) (*int64, error) {
	v, err := n.text()
	if err != nil {
		return nil, err
	}
	i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
	if err != nil {
		return nil, errMalformedXML()
	}
	if i < least || i > maxObject {
		return nil, errInvalidRequest(fmt.Sprintf("%s should be between %d and %d bytes.", what, least, int64(maxObject)))
	}
	return &i, nil
}

func (r *lifecycleRule) parseTag(n *xmlNode) error {
	if err := n.only([]string{"Key", "Value"}, nil); err != nil {
		return err
	}
	if len(n.Children) != 2 {
		return errMalformedXML()
	}
	key, err := n.child("Key").text()
	if err != nil {
		return err
	}
	value, err := n.child("Value").text()
	if err != nil {
		return err
	}
	if _, twice := r.tags[key]; twice {
		return errInvalidRequest("Duplicate Tag Keys are not allowed.")
	}
	return r.tags.add(key, value, maxTags)
}

func (r *lifecycleRule) parseActions(expiration, abort *xmlNode) (err error) {
	if expiration == nil && abort == nil {
		return errInvalidRequest("At least one action needs to be specified in a rule")
	}
	if expiration != nil {
		const marker = "ExpiredObjectDeleteMarker"
		if expiration.child(marker) != nil {
			return errLacking("The lifecycle action "+marker, marker)
		}
		if err := expiration.only([]string{"Days", "Date"}, nil); err != nil {
			return err
		}
		if len(expiration.Children) != 1 {
			return errMalformedXML()
		}
		if days := expiration.child("Days"); days != nil {
			r.days, err = days.count("'Days' for Expiration action")
		} else {
			r.date, err = expiration.child("Date").midnight()
		}
		if err != nil {
			return err
		}
	}
	if abort == nil {
		return nil
	}
	if err := abort.only([]string{"DaysAfterInitiation"}, nil); err != nil {
		return err
	}
	if len(abort.Children) != 1 {
		return errMalformedXML()
	}
	if r.abortDays, err = abort.Children[0].count("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action"); err != nil {
		return err
	}
	switch {
	case len(r.tags) > 0:
		return errInvalidRequest("AbortIncompleteMultipartUpload cannot be specified with Tags.")
	case r.larger != nil || r.smaller != nil:
		return errInvalidRequest("AbortIncompleteMultipartUpload cannot be specified with Object Size.")
	}
	return nil
}

// midnight reads a date: "the time is always midnight UTC".
func (n *xmlNode) midnight() (time.Time, error) {
	v, err := n.text()
	if err != nil {
		return time.Time{}, err
	}
	v = strings.TrimSpace(v)
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		if t, err = time.Parse(time.DateOnly, v); err != nil {
			return time.Time{}, errMalformedXML()
		}
	}
	if t = t.UTC(); !t.Equal(t.Truncate(day)) {
		return time.Time{}, fault(http.StatusBadRequest, "InvalidArgument", "'Date' must be at midnight GMT")
	}
	return t, nil
}

// lifecycleXML writes rules as GetBucketLifecycleConfiguration answers them.
func lifecycleXML(rules []lifecycleRule) []byte {
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<LifecycleConfiguration xmlns="` + xmlNamespace + `">`)
	for i := range rules {
		rules[i].writeTo(&b)
	}
	b.WriteString("</LifecycleConfiguration>")
	return b.Bytes()
}

func (r *lifecycleRule) writeTo(b *bytes.Buffer) {
	b.WriteString("<Rule>")
	element(b, "ID", r.id)
	if r.legacy {
		element(b, "Prefix", r.prefix)
	} else {
		r.writeFilter(b)
	}
	status := "Disabled"
	if r.enabled {
		status = "Enabled"
	}
	element(b, "Status", status)
	switch {
	case r.days > 0:
		b.WriteString("<Expiration>")
		element(b, "Days", strconv.Itoa(r.days))
		b.WriteString("</Expiration>")
	case !r.date.IsZero():
		b.WriteString("<Expiration>")
		element(b, "Date", r.date.Format(timeFormat))
		b.WriteString("</Expiration>")
	}
	if r.abortDays > 0 {
		b.WriteString("<AbortIncompleteMultipartUpload>")
		element(b, "DaysAfterInitiation", strconv.Itoa(r.abortDays))
		b.WriteString("</AbortIncompleteMultipartUpload>")
	}
	b.WriteString("</Rule>")
}

func (r *lifecycleRule) writeFilter(b *bytes.Buffer) {
	var in bytes.Buffer
	predicates := 0
	add := func(name, text string) {
		element(&in, name, text)
		predicates++
	}
	if r.prefix != "" {
		add("Prefix", r.prefix)
	}
	for _, key := range slices.Sorted(maps.Keys(r.tags)) {
		in.WriteString("<Tag>")
		element(&in, "Key", key)
		element(&in, "Value", r.tags[key])
		in.WriteString("</Tag>")
		predicates++
	}
	if r.larger != nil {
		add("ObjectSizeGreaterThan", strconv.FormatInt(*r.larger, 10))
	}
	if r.smaller != nil {
		add("ObjectSizeLessThan", strconv.FormatInt(*r.smaller, 10))
	}
	b.WriteString("<Filter>")
	switch predicates {
	case 0:
		element(b, "Prefix", "")
	case 1:
		b.Write(in.Bytes())
	default:
		b.WriteString("<And>")
		b.Write(in.Bytes())
		b.WriteString("</And>")
	}
	b.WriteString("</Filter>")
}
