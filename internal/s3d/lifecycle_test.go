package s3d

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func rulesDoc(rules ...string) string {
	doc := `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`
	for _, r := range rules {
		doc += "<Rule>" + r + "</Rule>"
	}
	return doc + "</LifecycleConfiguration>"
}

// expireDoc is one rule that expires what has a prefix, after days.
func expireDoc(prefix string, days int) string {
	return rulesDoc(fmt.Sprintf("<ID>gone</ID><Status>Enabled</Status><Filter><Prefix>%s</Prefix></Filter><Expiration><Days>%d</Days></Expiration>", prefix, days))
}

func (f *fixture) sweep() Swept {
	f.t.Helper()
	n, err := f.server.Sweep(f.t.Context())
	must(f.t, err)
	return n
}

func (f *fixture) there(keys ...string) {
	f.t.Helper()
	for _, key := range keys {
		if r := f.do("HEAD", "/photos/"+escapeKey(key, true), nil, nil); r.status != 200 {
			f.t.Errorf("%s: %d", key, r.status)
		}
	}
}

func (f *fixture) gone(keys ...string) {
	f.t.Helper()
	for _, key := range keys {
		if r := f.do("HEAD", "/photos/"+escapeKey(key, true), nil, nil); r.status != 404 {
			f.t.Errorf("%s: %d", key, r.status)
		}
	}
}

// [D] Put, Get and DeleteBucketLifecycle; rules survive a restart, and get an id
// when they have none.
func TestLifecycleSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bucket")
	var before string
	t.Run("before", func(t *testing.T) {
		f := startIn(t, dir)
		f.expect(f.do("GET", "/photos?lifecycle", nil, nil), 404, "NoSuchLifecycleConfiguration")
		r := f.set("lifecycle", rulesDoc(
			"<ID>a &amp; b</ID><Status>Enabled</Status><Filter><And><Prefix>in/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan></And></Filter><Expiration><Days>3</Days></Expiration>",
			"<Status>Disabled</Status><Filter/><Expiration><Date>2030-01-02T00:00:00Z</Date></Expiration>",
			"<Status>Enabled</Status><Prefix>old/</Prefix><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"))
		f.expect(r, 200, "")
		out, err := f.sdk().GetBucketLifecycleConfiguration(context.Background(), &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String(testBucket)})
		must(t, err)
		if len(out.Rules) != 3 || aws.ToString(out.Rules[0].ID) != "a & b" || out.Rules[0].Filter.And == nil || aws.ToString(out.Rules[0].Filter.And.Prefix) != "in/" ||
			len(out.Rules[0].Filter.And.Tags) != 1 || aws.ToInt64(out.Rules[0].Filter.And.ObjectSizeGreaterThan) != 1 || aws.ToInt32(out.Rules[0].Expiration.Days) != 3 {
			t.Errorf("%+v", out.Rules)
		}
		if r := out.Rules[1]; r.Status != types.ExpirationStatusDisabled || !r.Expiration.Date.Equal(time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)) || len(aws.ToString(r.ID)) != 48 || r.Filter == nil {
			t.Errorf("%+v", r)
		}
		//nolint:staticcheck // the old place of a prefix is what is looked for
		if r := out.Rules[2]; aws.ToString(r.Prefix) != "old/" || r.Filter != nil || aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation) != 7 || aws.ToString(r.ID) == aws.ToString(out.Rules[1].ID) {
			t.Errorf("%+v", r)
		}
		before = string(f.do("GET", "/photos?lifecycle", nil, nil).body)
	})
	f := startIn(t, dir)
	if got := string(f.do("GET", "/photos?lifecycle", nil, nil).body); got != before || got == "" {
		t.Errorf("%s\nnot %s", got, before)
	}
	f.expect(f.do("DELETE", "/photos?lifecycle", nil, nil), 204, "")
	f.expect(f.do("GET", "/photos?lifecycle", nil, nil), 404, "NoSuchLifecycleConfiguration")
}

// The SDK sends what its types hold; S3's default size for transitions is told.
func TestLifecycleBySDK(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	out, err := f.sdk().PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: aws.String(testBucket), TransitionDefaultMinimumObjectSize: types.TransitionDefaultMinimumObjectSizeAllStorageClasses128k,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
			ID: aws.String("x"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("in/")},
			Expiration:                     &types.LifecycleExpiration{Days: aws.Int32(1)},
			AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)},
		}}},
	})
	if err != nil || out.TransitionDefaultMinimumObjectSize != types.TransitionDefaultMinimumObjectSizeAllStorageClasses128k {
		t.Errorf("%v %+v", err, out)
	}
	h := md5Header(expireDoc("", 1))
	h[transitionSizeHeader] = "varies_by_storage_class"
	f.expect(f.do("PUT", "/photos?lifecycle", []byte(expireDoc("", 1)), h), 501, "NotImplemented")
}

func TestLifecycleDocumentIsChecked(t *testing.T) {
	f := start(t)
	const on, all, days = "<Status>Enabled</Status>", "<Filter/>", "<Expiration><Days>1</Days></Expiration>"
	const abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
	filter := func(s string) string { return on + "<Filter>" + s + "</Filter>" + days }
	expire := func(s string) string { return on + all + "<Expiration>" + s + "</Expiration>" }
	tag := func(k, v string) string { return "<Tag><Key>" + k + "</Key><Value>" + v + "</Value></Tag>" }
	id := func(s string) string { return "<ID>" + s + "</ID>" + on + all + days }
	var tags string
	for i := range 11 {
		tags += tag(fmt.Sprint("k", i), "v")
	}
	for _, c := range []struct {
		status  int
		code    string
		message string // part of it
		docs    []string
	}{
		{200, "", "", []string{
			rulesDoc(on + all + days), rulesDoc(on + all + abort), rulesDoc(on + all + days + abort), rulesDoc(on + "<Prefix/>" + days),
			rulesDoc(filter("<Prefix>a</Prefix>")), rulesDoc(filter("<Prefix></Prefix>")), rulesDoc(filter(tag("k", ""))),
			rulesDoc(filter("<ObjectSizeGreaterThan>0</ObjectSizeGreaterThan>")), rulesDoc(filter("<ObjectSizeLessThan>1</ObjectSizeLessThan>")),
			rulesDoc(filter("<And><Prefix>a</Prefix>" + tag("k", "v") + tag("l", "v") + "</And>")),
			rulesDoc(filter("<And><ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>2</ObjectSizeLessThan></And>")),
			rulesDoc(expire("<Date>2030-01-01T00:00:00.000Z</Date>")), rulesDoc(expire("<Date>2030-01-01</Date>")), rulesDoc(expire("<Date>2030-01-01T01:00:00+01:00</Date>")),
			rulesDoc(expire("<Days>2147483647</Days>")), rulesDoc(id(strings.Repeat("ä", 255))), rulesDoc(id("a"), id("b")), rulesDoc(id(""), id("")),
			rulesDoc(strings.Repeat(on+all+days+"</Rule><Rule>", 999) + on + all + days),
			rulesDoc(on+"<Prefix>a</Prefix>"+days, on+"<Prefix>a</Prefix>"+abort, on+"<Prefix>a/b</Prefix>"+days),
		}},
		{400, "MalformedXML", "", []string{
			"", "x", "<LifecycleConfiguration/>", "<LifecycleConfiguration>", "<Other/>", rulesDoc(""), rulesDoc(all + days), rulesDoc(on + days),
			rulesDoc("<Status>enabled</Status>" + all + days), rulesDoc("<Status/>" + all + days), rulesDoc(on + on + all + days), rulesDoc(on + all + all + days),
			rulesDoc(on + all + "<Prefix>a</Prefix>" + days), rulesDoc(on + all + days + "<Unknown/>"), rulesDoc(on + all + days + "text"),
			rulesDoc(on+all+days) + "x", rulesDoc(on+all+days) + rulesDoc(on+all+days), "<LifecycleConfiguration>text<Rule>" + on + all + days + "</Rule></LifecycleConfiguration>",
			"<LifecycleConfiguration><Rule>" + on + all + days + "</Rule><Other/></LifecycleConfiguration>",
			rulesDoc(filter("<Prefix>a</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan>")), rulesDoc(filter(tag("k", "v") + tag("l", "v"))), rulesDoc(filter("<Unknown/>")),
			rulesDoc(filter("<And></And>")), rulesDoc(filter("<And><Prefix>a</Prefix></And>")), rulesDoc(filter("<And><Prefix>a</Prefix><Prefix>b</Prefix></And>")),
			rulesDoc(filter("<And><Prefix>a</Prefix><Unknown/></And>")), rulesDoc(filter("<Prefix>a</Prefix><And><Prefix>a</Prefix>" + tag("k", "v") + "</And>")),
			rulesDoc(filter("<And><And><Prefix>a</Prefix>" + tag("k", "v") + "</And><Prefix>a</Prefix></And>")), rulesDoc(filter("<Prefix><x/></Prefix>")),
			rulesDoc(filter("<Tag><Key>k</Key></Tag>")), rulesDoc(filter("<Tag><Key>k</Key><Value>v</Value><Value>w</Value></Tag>")),
			rulesDoc(filter("<ObjectSizeLessThan>x</ObjectSizeLessThan>")), rulesDoc(filter("<ObjectSizeLessThan/>")), rulesDoc(filter("text")),
			rulesDoc(on + all + "<Expiration/>"), rulesDoc(expire("<Days>1</Days><Date>2030-01-01T00:00:00Z</Date>")), rulesDoc(expire("<Days>1</Days><Days>2</Days>")),
			rulesDoc(expire("<Days>1.5</Days>")), rulesDoc(expire("<Days/>")), rulesDoc(expire("<Date>20300101</Date>")), rulesDoc(expire("<Unknown/>")),
			rulesDoc(on + all + "<AbortIncompleteMultipartUpload/>"), rulesDoc(on + all + "<AbortIncompleteMultipartUpload><Days>1</Days></AbortIncompleteMultipartUpload>"),
			rulesDoc(strings.Repeat(on+all+days+"</Rule><Rule>", 1000) + on + all + days), strings.Repeat("<a>", 20_000),
		}},
		{400, "InvalidArgument", "ID length should not exceed allowed limit of 255", []string{rulesDoc(id(strings.Repeat("a", 256)))}},
		{400, "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule", []string{rulesDoc(id("a"), id("a"))}},
		{400, "InvalidArgument", "'Days' for Expiration action must be a positive integer", []string{
			rulesDoc(expire("<Days>0</Days>")), rulesDoc(expire("<Days>-1</Days>")), rulesDoc(expire("<Days>2147483648</Days>")),
		}},
		{400, "InvalidArgument", "'Date' must be at midnight GMT", []string{rulesDoc(expire("<Date>2030-01-01T00:00:01Z</Date>")), rulesDoc(expire("<Date>2030-01-01T00:00:00+01:00</Date>"))}},
		{400, "InvalidArgument", "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer", []string{rulesDoc(on + all + strings.Replace(abort, "1", "0", 1))}},
		{400, "InvalidRequest", "At least one action needs to be specified in a rule", []string{rulesDoc(on + all)}},
		{400, "InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Tags", []string{
			rulesDoc(on + "<Filter>" + tag("k", "v") + "</Filter>" + abort), rulesDoc(on + "<Filter><And><Prefix>a</Prefix>" + tag("k", "v") + "</And></Filter>" + days + abort),
		}},
		{400, "InvalidRequest", "AbortIncompleteMultipartUpload cannot be specified with Object Size", []string{rulesDoc(on + "<Filter><ObjectSizeLessThan>1</ObjectSizeLessThan></Filter>" + abort)}},
		{400, "InvalidRequest", "Duplicate Tag Keys are not allowed", []string{rulesDoc(filter("<And>" + tag("k", "v") + tag("k", "w") + "</And>"))}},
		{400, "InvalidRequest", "ObjectSizeLessThan", []string{
			rulesDoc(filter("<And><ObjectSizeGreaterThan>2</ObjectSizeGreaterThan><ObjectSizeLessThan>2</ObjectSizeLessThan></And>")), rulesDoc(filter("<ObjectSizeLessThan>0</ObjectSizeLessThan>")),
		}},
		{400, "InvalidRequest", "Found two rules with same prefix 'a' for same action type 'Expiration'", []string{rulesDoc(on+"<Prefix>a</Prefix>"+days, on+"<Prefix>a</Prefix>"+days)}},
		{400, "InvalidTag", "", []string{rulesDoc(filter(tag("", "v"))), rulesDoc(filter(tag(strings.Repeat("k", 129), "v"))), rulesDoc(filter(tag("k", strings.Repeat("v", 257))))}},
		{400, "", "", []string{rulesDoc(filter("<And>" + tags + "</And>"))}},
		{400, "KeyTooLongError", "", []string{rulesDoc(filter("<Prefix>" + strings.Repeat("a", 1025) + "</Prefix>"))}},
		{400, "MaxMessageLengthExceeded", "", []string{strings.Repeat(" ", maxLifecycle+1)}},
		// What is not here is refused by its name, also when it is switched off.
		{501, "NotImplemented", "Transition ", []string{rulesDoc(on + all + days + "<Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>")}},
		{501, "NotImplemented", "NoncurrentVersionExpiration ", []string{rulesDoc("<Status>Disabled</Status>" + all + "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>")}},
		{501, "NotImplemented", "NoncurrentVersionTransition ", []string{rulesDoc(on + all + "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionTransition>")}},
		{501, "NotImplemented", "ExpiredObjectDeleteMarker ", []string{rulesDoc(expire("<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"))}},
	} {
		for _, doc := range c.docs {
			r := f.set("lifecycle", doc)
			if r.status != c.status || c.code != "" && r.code() != c.code || !strings.Contains(r.element("Message"), c.message) {
				t.Errorf("%.200s: %d %s, want %d %s %s", doc, r.status, r.body, c.status, c.code, c.message)
			}
			if got := f.do("GET", "/photos?lifecycle", nil, nil); (got.status == 200) != (c.status == 200) {
				t.Errorf("%.200s: there is one: %d", doc, got.status)
			}
			f.expect(f.do("DELETE", "/photos?lifecycle", nil, nil), 204, "")
		}
	}
	f.expect(f.do("PUT", "/photos?lifecycle", []byte(expireDoc("", 1)), nil), 400, "InvalidRequest") // no Content-MD5
}

// [D] "An object created on 1/15/2014 10:30 AM UTC, and you specify 3 days …
// 1/19/2014 00:00 UTC."
func TestExpiryIsRoundedUpToMidnight(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		must(t, err)
		return v
	}
	for _, c := range []struct {
		written string
		days    int
		want    string
	}{
		{"2014-01-15T10:30:00Z", 3, "2014-01-19T00:00:00Z"},
		{"2014-01-15T23:59:59Z", 1, "2014-01-17T00:00:00Z"},
		{"2014-01-15T00:00:00Z", 1, "2014-01-17T00:00:00Z"}, // the next day's midnight, never less than was asked for
		{"2014-01-15T00:30:00+02:00", 1, "2014-01-16T00:00:00Z"},
		{"2024-02-28T12:00:00Z", 1, "2024-03-01T00:00:00Z"},
	} {
		if got := midnightAfter(at(c.written), c.days); !got.Equal(at(c.want)) {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if got := midnightAfter(at("2024-01-01T12:00:00Z"), 1<<31-1); got.Year() < 5_000_000 {
		t.Errorf("%v", got)
	}
}

// [D] x-amz-expiration: "it includes the expiry-date and rule-id key-value pairs
// … The value of the rule-id is URL-encoded."
func TestExpirationHeader(t *testing.T) {
	f := start(t)
	f.expect(f.set("lifecycle", strings.Replace(expireDoc("in/", 1), ">gone<", ">gone soon/é<", 1)), 200, "")
	want := `expiry-date="` + midnightAfter(f.now(), 1).Format(http.TimeFormat) + `", rule-id="gone%20soon%2F%C3%A9"`
	for what, r := range map[string]reply{
		"PUT":  f.do("PUT", "/photos/in/a", []byte("x"), nil),
		"GET":  f.get("in/a"),
		"HEAD": f.do("HEAD", "/photos/in/a", nil, nil),
		"POST": f.post(formSpec{fields: fieldsFor("in/b")}),
	} {
		if got := r.header.Get("x-amz-expiration"); r.status/100 != 2 && what != "GET" && what != "HEAD" || r.status == 200 && got != want {
			t.Errorf("%s: %d %s", what, r.status, got)
		}
	}
	for what, r := range map[string]reply{"GET": f.get("in/a"), "HEAD": f.do("HEAD", "/photos/in/a", nil, nil)} {
		if got := r.header.Get("x-amz-expiration"); got != want {
			t.Errorf("%s: %d %s", what, r.status, got)
		}
	}
	if r := f.do("PUT", "/photos/other", []byte("x"), nil); r.header.Get("x-amz-expiration") != "" {
		t.Errorf("%v", r.header)
	}
}

// What is read, written and read again says the same.
func FuzzLifecycle(f *testing.F) {
	f.Fuzz(func(t *testing.T, doc []byte) {
		rules, err := parseLifecycle(doc)
		if err != nil {
			return
		}
		again, err := parseLifecycle(lifecycleXML(rules))
		if err != nil {
			t.Fatalf("%v\n%s", err, lifecycleXML(rules))
		}
		if a, b := string(lifecycleXML(rules)), string(lifecycleXML(again)); a != b {
			t.Errorf("%s\n%s", a, b)
		}
		o := &object{Key: "in/a", Size: 5, Tags: map[string]string{"k": "v"}, Modified: 1e12}
		r1, t1 := expiring(rules, o)
		r2, t2 := expiring(again, o)
		if (r1 == nil) != (r2 == nil) || !t1.Equal(t2) {
			t.Errorf("%v %v", t1, t2)
		}
	})
}

func TestFuzzLifecycleHasSeeds(t *testing.T) {
	if seeds, err := os.ReadDir(filepath.Join("testdata", "fuzz", "FuzzLifecycle")); err != nil || len(seeds) == 0 {
		t.Errorf("no seeds: %v", err)
	}
}
