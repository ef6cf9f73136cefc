package sigv4_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"postern.example/postern/sigv4"
)

func equalPolicies(a, b *sigv4.Policy) bool {
	return a.Expiration.Equal(b.Expiration) && slices.Equal(a.Conditions, b.Conditions)
}

// hostile are texts that have broken out of JSON somewhere.
var hostile = []string{
	"", "a", `"`, `\`, `\"`, `"]},{"acl":"public-read"`, `"},{"bucket":"other`, `"]],["starts-with","$key","`,
	"line\nbreak", "tab\tcr\rnul\x00bell\abs\bff\fvt\vdel\x7fesc\x1b", "\u2028\u2029", "</script>", "\U0001f600é漢",
	"$", "$$", `\$`, "${filename}", "$key", "a,b", "[1,2]", "\ufeff", "\ufffd",
}

func TestThreat05_PolicyInjection(t *testing.T) {
	for _, text := range append(slices.Clone(hostile), "\xff\xfe", "a\xc3", "\xed\xa0\x80") {
		want := &sigv4.Policy{
			Expiration: time.Date(2030, 1, 2, 3, 4, 5, 6e6, time.UTC),
			Conditions: []sigv4.Condition{
				sigv4.Eq("x-amz-meta-"+text, text), sigv4.StartsWith(text, text), sigv4.LengthRange(0, 5), sigv4.Eq("acl", "private"),
			},
		}
		doc := want.AppendJSON([]byte("#"))
		if doc[0] != '#' {
			t.Fatal("AppendJSON lost what was there")
		}
		doc = doc[1:]
		// By the strict reader, and by one that is not ours.
		got, err := sigv4.ParsePolicy(doc)
		if err != nil {
			t.Fatalf("%q: %v in %s", text, err, doc)
		}
		var other struct {
			Expiration string
			Conditions []any
		}
		if err := json.Unmarshal(doc, &other); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		clean := strings.ToValidUTF8(text, "\ufffd")
		if !utf8.ValidString(text) { // one U+FFFD for each byte
			clean = string([]rune(text))
		}
		wantAny := []any{
			map[string]any{"x-amz-meta-" + clean: clean},
			[]any{"starts-with", "$" + clean, clean},
			[]any{"content-length-range", 0.0, 5.0},
			map[string]any{"acl": "private"},
		}
		if fmt.Sprint(other.Conditions) != fmt.Sprint(wantAny) {
			t.Errorf("%q became %v", text, other.Conditions)
		}
		if utf8.ValidString(text) && !equalPolicies(got, want) {
			t.Errorf("%q became %v", text, got)
		}
		if bytes.ContainsFunc(doc, func(r rune) bool { return r < ' ' || r == '\u2028' || r == '\u2029' }) {
			t.Errorf("%q: a raw control character in %q", text, doc)
		}
	}
}

func TestPolicyRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		var b strings.Builder
		for range rnd.IntN(4) {
			if rnd.IntN(2) == 0 {
				b.WriteString(hostile[rnd.IntN(len(hostile))])
			} else {
				b.WriteRune(rune(rnd.IntN(0x3000)))
			}
		}
		return b.String()
	}
	for range 2000 {
		want := &sigv4.Policy{Expiration: time.UnixMilli(rnd.Int64N(4e12)).UTC()}
		for range rnd.IntN(6) {
			want.Conditions = append(want.Conditions, []sigv4.Condition{
				sigv4.Eq(text(), text()), sigv4.StartsWith(text(), text()), sigv4.LengthRange(rnd.Int64()-1<<62, rnd.Int64()),
			}[rnd.IntN(3)])
		}
		doc := want.AppendJSON(nil)
		got, err := sigv4.ParsePolicy(doc)
		if err != nil {
			t.Fatalf("%v: %s", err, doc)
		}
		if !equalPolicies(got, want) {
			t.Fatalf("got %v\nwant %v", got, want)
		}
	}
}

const expiration = `"expiration":"2030-01-01T00:00:00Z"`

func TestThreat27_PolicyParserLaxness(t *testing.T) {
	condition := func(c string) string { return `{` + expiration + `,"conditions":[` + c + `]}` }
	const (
		notJSON  = "Invalid JSON."
		one      = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
		noString = "Invalid Simple-Condition: value must be a string."
	)
	at := func(e string) [2]string {
		return [2]string{`{"expiration":"` + e + `","conditions":[]}`, "Invalid 'expiration' value: '" + e + "'"}
	}
	for _, tt := range [][2]string{
		// The document.
		{"", notJSON},
		{"null", notJSON},
		{"[]", notJSON},
		{`"text"`, notJSON},
		{"{", notJSON},
		{"{}", "Policy missing expiration."},
		{`{"conditions":[]}`, "Policy missing expiration."},
		{`{` + expiration + `}`, "Policy missing conditions."},
		{condition(``) + `x`, notJSON},
		{condition(``) + condition(``), notJSON},
		{condition(``) + "\x00", notJSON},
		{"\ufeff" + condition(``), notJSON},
		{`{` + expiration + `,"conditions":[],}`, notJSON},
		{`{` + expiration + ` "conditions":[]}`, notJSON},
		{`{expiration:"2030-01-01T00:00:00Z","conditions":[]}`, notJSON},
		{`{'expiration':'2030-01-01T00:00:00Z',"conditions":[]}`, notJSON},
		{`{` + expiration + `,"conditions":[]/**/}`, notJSON},
		// Its members.
		{`{"EXPIRATION":"2030-01-01T00:00:00Z","conditions":[]}`, "Unexpected: 'expiration'"},
		{`{` + expiration + `,"Conditions":[]}`, "Unexpected: 'conditions'"},
		{`{` + expiration + `,"conditions":[],"Statement":[[[[]]]]}`, "Unexpected: 'statement'"},
		{`{` + expiration + `,` + expiration + `,"conditions":[]}`, "Duplicate: 'expiration'"},
		{`{` + expiration + `,"expirat\u0069on":"2031-01-01T00:00:00Z","conditions":[]}`, "Duplicate: 'expiration'"},
		{`{` + expiration + `,"conditions":[],"conditions":[]}`, "Duplicate: 'conditions'"},
		{`{` + expiration + `,"conditions":{}}`, "Invalid 'conditions' value: must be a List."},
		{`{` + expiration + `,"conditions":null}`, "Invalid 'conditions' value: must be a List."},
		{`{"expiration":null,"conditions":[]}`, notJSON},
		{`{"expiration":1893456000,"conditions":[]}`, notJSON},
		// Expiration.
		at("2030-01-01T00:00:00"),
		at("2030-01-01T00:00:00+00:00"),
		at("2030-01-01T02:00:00+02:00"),
		at("2030-01-01 00:00:00Z"),
		at("2030-01-01t00:00:00z"),
		at("2030-01-01T00:00:00.0Z"),
		at("2030-01-01T00:00:00.000000Z"),
		at("2030-01-01T00:00:00,000Z"),
		at("2030-02-30T00:00:00Z"),
		at("2030-01-01T24:00:00Z"),
		at("2030-1-1T0:0:0Z"),
		at("20300101T000000Z"),
		at("tomorrow"),
		at(""),
		// Simple conditions.
		{condition(`{}`), one},
		{condition(`{"acl":"a","key":"b"}`), one},
		{condition(`{"acl":"a","acl":"a"}`), one},
		{condition(`{"Content-Length":6199034}`), noString},
		{condition(`{"a":true}`), noString},
		{condition(`{"a":["b"]}`), noString},
		{condition(`{"a":{"b":"c"}}`), noString},
		{condition(`{"success_action_redirect":null}`), notJSON},
		{condition(`{"a"}`), notJSON},
		{condition(`{"a":}`), notJSON},
		{condition(`{a:"b"}`), notJSON},
		{condition(`{"a":"b"`), notJSON},
		// Lists.
		{condition(`[]`), "Invalid Condition: missing operation identifier."},
		{condition(`["ne","$key","a"]`), "Invalid Condition: unknown operation 'ne'."},
		{condition(`["eq"]`), "Invalid eq: wrong number of arguments."},
		{condition(`["eq","$key"]`), "Invalid eq: wrong number of arguments."},
		{condition(`["Starts-With","$key","a","b"]`), "Invalid starts-with: wrong number of arguments."},
		{condition(`["content-length-range",1]`), "Invalid content-length-range: wrong number of arguments."},
		{condition(`["content-length-range",1,2,3]`), "Invalid content-length-range: wrong number of arguments."},
		{condition(`["content-length-range",0,512.0]`), notJSON},
		{condition(`["content-length-range",0,1e3]`), notJSON},
		{condition(`["content-length-range",0,null]`), notJSON},
		{condition(`["content-length-range",null,5]`), notJSON},
		{condition(`["content-length-range",0,true]`), notJSON},
		{condition(`["content-length-range",0,9223372036854775808]`), notJSON},
		{condition(`["content-length-range",0,007]`), notJSON},
		{condition(`["content-length-range",0,+7]`), notJSON},
		{condition(`["content-length-range",0,0x7]`), notJSON},
		{condition(`["content-length-range",-,7]`), notJSON},
		{condition(`["content-length-range",0,[7]]`), notJSON},
		{condition(`["eq","$key",7]`), notJSON},
		{condition(`["eq",7,"a"]`), notJSON},
		{condition(`[7,"$key","a"]`), notJSON},
		{condition(`["eq","$key",null]`), notJSON},
		{condition(`["eq","$key",["a"]]`), notJSON},
		{condition(`["eq" "$key","a"]`), notJSON},
		{condition(`["eq","$key","a",]`), notJSON},
		{condition(`["eq","$key","a"],`), notJSON},
		{condition(`,`), notJSON},
		{condition(`"key"`), "Invalid condition test: must be a List or Object."},
		{condition(`7`), "Invalid condition test: must be a List or Object."},
		{condition(`null`), "Invalid condition test: must be a List or Object."},
		{condition(`[[]]`), notJSON},
		{condition(strings.Repeat("[", 100000)), notJSON},
		{strings.Repeat("{", 100000), notJSON},
		{condition(`{"a":"b"}` + strings.Repeat("]", 100000)), notJSON},
		// Texts.
		{condition(`{"a":"` + "\n" + `"}`), notJSON},
		{condition(`{"a":"\` + "\n" + `"}`), notJSON},
		{condition(`{"a":"\x41"}`), notJSON},
		{condition(`{"a":"\u12"}`), notJSON},
		{condition(`{"a":"\u12g4"}`), notJSON},
		{condition(`{"a":"\ud800"}`), notJSON},
		{condition(`{"a":"\ud800\u0041"}`), notJSON},
		{condition(`{"a":"\udc00\ud800"}`), notJSON},
		{condition("{\"a\":\"\xff\"}"), notJSON},
		{condition("{\"a\":\"\\n\xff\"}"), notJSON},
		{condition("{\"a\":\"\xed\xa0\x80\"}"), notJSON},
		{condition("{\"\xc0\x80\":\"\"}"), notJSON},
		{condition(`{"a":"b`), notJSON},
		{condition(`{"a":"b\`), notJSON},
	} {
		p, err := sigv4.ParsePolicy([]byte(tt[0]))
		var e *sigv4.Error
		if p != nil || !errors.As(err, &e) || e.Code != "InvalidPolicyDocument" || e.Status != 400 || e.Message != "Invalid Policy: "+tt[1] {
			t.Errorf("%.200q\n got %v, %v\nwant %s", tt[0], p, err, tt[1])
		}
	}
}

// What S3 takes as a policy but never as fulfilled.
func TestConditionsThatCannotHold(t *testing.T) {
	for doc, want := range map[string]string{
		`["eq","key","a"]`:                          `["eq", "key", "..."]`,
		`["starts-with","","a"]`:                    `["starts-with", "", "..."]`,
		`["content-length-range","test","10"]`:      `["content-length-range", "test", "10"]`,
		`["content-length-range","5","+10"]`:        `["content-length-range", "5", "+10"]`,
		`["content-length-range",1,"5.0"]`:          `["content-length-range", 1, "5.0"]`,
		`["content-length-range","",""]`:            `["content-length-range", "", ""]`,
		`["content-length-range","0x10","1_0"]`:     `["content-length-range", "0x10", "1_0"]`,
		`["content-length-range","\"","\u2028\n1"]`: `["content-length-range", "\"", "\u2028\n1"]`,
	} {
		_, err := sigv4.ParsePolicy([]byte(`{` + expiration + `,"conditions":[` + doc + `]}`))
		var e *sigv4.Error
		if !errors.As(err, &e) || e.Code != "AccessDenied" || e.Status != 403 || e.Message != "Invalid according to Policy: Policy Condition failed: "+want {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func TestPolicySpellingsThatAreTaken(t *testing.T) {
	for doc, want := range map[string]sigv4.Condition{
		`{"Key":"A"}`:                                    sigv4.Eq("Key", "A"),
		`["eq","$Key","A"]`:                              sigv4.Eq("Key", "A"),
		`["EQ","$key","a"]`:                              sigv4.Eq("key", "a"),
		`["StArTs-WiTh","$key",""]`:                      sigv4.StartsWith("key", ""),
		`["content-length-range", 5, 10]`:                sigv4.LengthRange(5, 10),
		`["content-length-range", "5", "10"]`:            sigv4.LengthRange(5, 10),
		`["Content-Length-Range",-1,0]`:                  sigv4.LengthRange(-1, 0),
		`["content-length-range",-0,0]`:                  sigv4.LengthRange(0, 0),
		`["content-length-range",0,9223372036854775807]`: sigv4.LengthRange(0, math.MaxInt64),
		`{"":""}`:                                    sigv4.Eq("", ""),
		`{"a":"\ud83d\ude00\u00E9\/"}`:               sigv4.Eq("a", "\U0001f600é/"),
		`{"a":"\b\f\n\r\t\v\"\\\$"}`:                 sigv4.Eq("a", "\b\f\n\r\t\v\"\\$"),
		" \t\r\n{ \"a\" \n:\t\"b\" \r} \n":           sigv4.Eq("a", "b"),
		`{"a":"` + strings.Repeat("x", 1<<16) + `"}`: sigv4.Eq("a", strings.Repeat("x", 1<<16)),
	} {
		p, err := sigv4.ParsePolicy([]byte(`{` + expiration + `,"conditions":[` + doc + `]}`))
		if err != nil || len(p.Conditions) != 1 || p.Conditions[0] != want {
			t.Errorf("%.100s: %v, %v", doc, p, err)
		}
	}
	// Members in either order; milliseconds.
	p, err := sigv4.ParsePolicy([]byte(`{"conditions":[],"expiration":"2030-01-01T00:00:00.123Z"} `))
	if err != nil || !p.Expiration.Equal(time.Date(2030, 1, 1, 0, 0, 0, 123e6, time.UTC)) {
		t.Errorf("%v, %v", p, err)
	}
}

// A megabyte of anything is read in a time that a server can spend. The bound
// is generous; a quadratic reader takes minutes.
func TestThreat27_LargePolicy(t *testing.T) {
	const size = 1 << 20
	for name, one := range map[string]string{
		"conditions": `{"a":"b"},`, "escapes": `\"`, "pairs": `\ud83d\ude00`, "space": ` `, "brackets": `[`, "text": `x`, "backslash": `\\`,
	} {
		body := strings.Repeat(one, size/len(one))
		docs := []string{`{` + expiration + `,"conditions":[` + body, `{` + expiration + `,"conditions":[{"a":"` + body + `"}]}`}
		if name == "conditions" {
			docs = append(docs, docs[0]+`{}]}`, docs[0]+`{"z":"z"}]}`)
		}
		for _, doc := range docs {
			start := time.Now()
			p, err := sigv4.ParsePolicy([]byte(doc))
			if err == nil {
				err = p.Evaluate(sigv4.Form{"a": "b"}, "b", time.Unix(0, 0))
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s took %v", name, took)
			}
			if err != nil && len(err.Error()) > 2000 {
				t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			}
		}
	}
}
