package access

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// A fuzz target that lost its seeds still passes, and finds nothing.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	source, err := os.ReadFile("fuzz_test.go")
	if err != nil {
		t.Fatal(err)
	}
	targets := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`).FindAllSubmatch(source, -1)
	for _, m := range targets {
		seeds, err := os.ReadDir(filepath.Join("testdata", "fuzz", string(m[1])))
		if err != nil || len(seeds) == 0 {
			t.Errorf("%s has no seeds: %v", m[1], err)
		}
	}
	if len(targets) != 2 {
		t.Errorf("%d fuzz targets were found", len(targets))
	}
}

// FuzzParse: a document is refused with a short error, or is JSON by another's
// judgement and has only names that we know; and what it says of a request holds
// whatever the order of its statements.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, doc []byte, action, key, value string) {
		r := Request{
			Action: action, Bucket: "b", Key: key, Principal: Principal{ARN: "arn:aws:iam::111122223333:user/" + value, Account: "111122223333"},
			Conditions: map[string][]string{"aws:securetransport": {value}, "s3:prefix": {value, key}, "aws:username": {value}, "aws:sourceip": {value}},
		}
		for _, parse := range []func() (*Policy, error){
			func() (*Policy, error) { return ParseBucket(doc, "b") },
			func() (*Policy, error) { return ParseIdentity(doc) },
		} {
			p, err := parse()
			if err != nil {
				var e *Error
				if p != nil || !errors.As(err, &e) || e.Message == "" || len(err.Error()) > 1024 || !utf8.ValidString(err.Error()) {
					t.Fatalf("%v, %q", p, err)
				}
				continue
			}
			var other struct{ Statement any }
			if err := json.Unmarshal(doc, &other); err != nil {
				t.Fatalf("taken, but no JSON: %v", err)
			}
			n := 1
			if list, ok := other.Statement.([]any); ok {
				n = len(list)
			}
			if n != len(p.statements) {
				t.Fatalf("%d statements of %d", len(p.statements), n)
			}
			d := p.Judge(r)
			back := &Policy{bucket: p.bucket}
			for i := range p.statements {
				back.statements = append(back.statements, p.statements[len(p.statements)-1-i])
			}
			if again := back.Judge(r); again != d {
				t.Fatalf("%s, and backwards %s", d, again)
			}
			if p.bucket != "" {
				elsewhere := r
				elsewhere.Bucket = "bb"
				if d := p.Judge(elsewhere); d != NoMatch {
					t.Fatalf("%s in another bucket", d)
				}
			}
			p.Public()
		}
	})
}

// FuzzMatch compares the matcher with one that is simple and slow, and with
// regexp.
func FuzzMatch(f *testing.F) {
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 200 || len(s) > 200 || !utf8.ValidString(p) {
			return
		}
		got := matches(glob(p)[0].text, units(s))
		if want := simple(glob(p)[0].text, units(s)); got != want {
			t.Fatalf("%q matches %q: %v", p, s, got)
		}
		if utf8.ValidString(s) {
			re := regexp.MustCompile(`(?s)\A` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(p)) + `\z`)
			if want := re.MatchString(s); got != want {
				t.Fatalf("%q matches %q: %v, by regexp %v", p, s, got, want)
			}
		}
		if matchesARN(glob(p)[0].text, units(s)) && !got {
			t.Fatalf("%q matches the ARN %q but not the text", p, s)
		}
		if !matches(literal(s)[0].text, units(s)) {
			t.Fatalf("%q is not itself", s)
		}
		if made, bad := template(p, true); made != nil && !strings.Contains(p, "${") {
			if text, ok := made.expand(&Request{}); !ok || matches(text, units(s)) != got {
				t.Fatalf("%q as a template differs", p)
			}
		} else if made == nil && bad == "" {
			t.Fatalf("%q is refused without a name", p)
		}
	})
}

// simple fills in which of p's beginnings match which of s's.
func simple(p, s []rune) bool {
	row := make([]bool, len(s)+1)
	row[0] = true
	for _, u := range p {
		next := make([]bool, len(s)+1)
		for j := range next {
			switch {
			case u == anyText:
				next[j] = row[j] || j > 0 && next[j-1]
			case j > 0:
				next[j] = row[j-1] && (u == anyChar || u == s[j-1])
			}
		}
		row = next
	}
	return row[len(s)]
}
