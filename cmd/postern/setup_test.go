package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern.example/postern"
	"postern.example/postern/internal/provision"
)

// lines are what setup writes for a bucket with users.
func linesOf(t *testing.T, w provision.Want) []configLine {
	t.Helper()
	r := &setupRun{setupAsk: setupAsk{want: w, config: defaultFile, credentials: "./postern-credentials"}}
	lines, err := r.configLines()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func aws() postern.Provider { p, _ := postern.ProviderByName("aws"); return p }

var photos = provision.Want{Bucket: "photos", Region: "eu-central-1", Provider: aws(), Origins: []string{"https://app.example"}, User: "photos"}

func TestMerged(t *testing.T) {
	lines := linesOf(t, photos)
	fresh := ourPart(lines)
	otherwise := linesOf(t, provision.Want{Bucket: "photos", Region: "us-east-1", Provider: aws(), Origins: []string{"https://b.example"}, User: "photos"})
	const presets = "# mine\npresets:\n  - name: avatars # small ones\n"
	byHand := "bucket: photos # of old\nregion: eu-central-1\n"
	for _, tc := range []struct {
		name, old string
		lines     []configLine
		want      string
		differs   string // keys
	}{
		{name: "no file", lines: lines, want: fresh},
		{name: "again", old: fresh, lines: lines, want: fresh},
		{name: "beside presets", old: presets, lines: lines, want: presets + "\n" + fresh},
		{name: "changed, between what is theirs", old: presets + "\n" + fresh + "# end\nworkers: 2\n", lines: otherwise, want: presets + "\n" + ourPart(otherwise) + "# end\nworkers: 2\n"},
		{name: "the same by hand, in part", old: byHand, lines: lines, want: byHand + "\n" + ourPart(lines[2:])},
		{name: "the same by hand, all of it", old: strings.ReplaceAll(fresh, "# ", "#"), lines: lines, want: strings.ReplaceAll(fresh, "# ", "#")},
		{name: "something else by hand", old: "bucket: mine\nregion: eu-central-1\n", lines: lines, differs: "bucket"},
		{name: "part without its end", old: partBegins + "\nregion: us-west-1\n", lines: lines, differs: "region"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, differs, err := merged(defaultFile, tc.old, tc.lines)
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
			var keys []string
			for _, l := range differs {
				keys = append(keys, l.key)
			}
			if strings.Join(keys, " ") != tc.differs {
				t.Errorf("differs in %q, want %q", keys, tc.differs)
			}
		})
	}
	if _, _, err := merged(defaultFile, "bukcet: x\n", lines); err == nil || !strings.Contains(err.Error(), "postern.yaml:1:1") {
		t.Errorf("a broken file: %v", err)
	}
}

// What setup writes is what serve reads.
func TestConfigLines_AreRead(t *testing.T) {
	other, _ := postern.ProviderByName("other")
	for _, w := range []provision.Want{
		photos,
		{Bucket: "1234", Region: "auto", Endpoint: "http://127.0.0.1:9000", PathStyle: true, Provider: other, Origins: []string{"http://[::1]:8080", "https://app.example"}, Public: true},
		{Bucket: "photos", Region: "us-east-1", Provider: aws(), Origins: []string{"https://app.example"}, Role: "photos", Distribution: "arn:aws:cloudfront::123456789012:distribution/E"},
	} {
		lines := linesOf(t, w)
		f, err := parseFile("x.yaml", []byte(ourPart(lines)))
		if err != nil {
			t.Errorf("%v\n%s", err, ourPart(lines))
			continue
		}
		for _, l := range lines {
			if l.key != "" && strings.Join(f.values[l.key].raw, "|") != strings.Join(l.values, "|") {
				t.Errorf("%s: wrote %q, reads %q", l.key, l.values, f.values[l.key].raw)
			}
		}
	}
}

func FuzzScalar(f *testing.F) {
	for _, s := range []string{"", "photos", "true", "1e3", "a: b", "it's", "~", "- x", "#", "a #b", "0x1f", ".5", "null", "\u00e9", "https://a.example:8443"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Skip("names and URLs have no such characters")
		}
		file, err := parseFile("x.yaml", []byte("bucket: "+scalar(s)+"\n"))
		if err != nil {
			t.Fatalf("%q is written %s: %v", s, scalar(s), err)
		}
		if got := file.values["bucket"].raw[0]; got != s {
			t.Errorf("%q is written %s and read %q", s, scalar(s), got)
		}
	})
}

func TestDifference(t *testing.T) {
	got := strings.Join(difference("a\nb\nc\n", "a\nx\nc\nd"), "|")
	if want := "  a|- b|+ x|  c|+ d"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := strings.Join(difference("", "a"), "|"); got != "+ a" {
		t.Errorf("got %q", got)
	}
	if got := strings.Join(difference("one\x1b[2J", ""), "|"); got != "- one\uFFFD[2J" {
		t.Errorf("got %q", got)
	}
}

// A new key that cannot be kept is deleted again, and nothing after it is done.
func TestApply_KeyThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gone", "credentials")
	r := &setupRun{setupAsk: setupAsk{want: photos, credentials: path}, out: new(strings.Builder)}
	c := &cloudOfKeys{}
	err := r.apply(t.Context(), c, &provision.Plan{Steps: []provision.Step{{ID: "user-signer-key", Action: provision.Create}, {ID: "user-worker-key", Action: provision.Create}}})
	if err == nil || !strings.Contains(err.Error(), "was deleted again") {
		t.Errorf("%v", err)
	}
	if len(c.deleted) != 1 || c.deleted[0] != "AKIA1" || c.made != 1 {
		t.Errorf("made %d keys, deleted %v", c.made, c.deleted)
	}
	if said := r.out.(*strings.Builder).String() + err.Error(); strings.Contains(said, "secret-of") {
		t.Errorf("a secret is shown: %s", said)
	}
	c = &cloudOfKeys{stubborn: errors.New("no longer allowed")}
	err = r.apply(t.Context(), c, &provision.Plan{Steps: []provision.Step{{ID: "user-signer-key"}}})
	var f *fault
	if !errors.As(err, &f) || !strings.Contains(f.hint, "AKIA1") || !strings.Contains(err.Error(), "no longer allowed") {
		t.Errorf("%v", err)
	}
}

// cloudOfKeys makes a key with each step, as the provider's Apply does.
type cloudOfKeys struct {
	made     int
	deleted  []string
	stubborn error
	after    func() // each step
}

func (c *cloudOfKeys) Apply(ctx context.Context, p *provision.Plan, progress func(provision.Event)) (*provision.Result, error) {
	result := &provision.Result{}
	for i := range p.Steps {
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		c.made++
		k := provision.Key{Kind: provision.Signer, User: "photos-signer", AccessKeyID: "AKIA1", SecretAccessKey: "secret-of-1"}
		result.Keys, result.Done = append(result.Keys, k), append(result.Done, p.Steps[i])
		progress(provision.Event{Step: &p.Steps[i], Ended: true, Key: &k})
		if c.after != nil {
			c.after()
		}
	}
	return result, nil
}

func (c *cloudOfKeys) DeleteKey(_ context.Context, k provision.Key) error {
	c.deleted = append(c.deleted, k.AccessKeyID)
	return c.stubborn
}

func TestWriteConfig_LeavesTheirs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "postern.yaml")
	const theirs = "bucket: mine # do not touch\n"
	if err := os.WriteFile(path, []byte(theirs), 0o640); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r := &setupRun{setupAsk: setupAsk{want: photos, config: path, credentials: "/c"}, out: &out}
	lines, err := r.configLines()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.writeConfig(lines); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != theirs {
		t.Errorf("%v\n%s", err, text)
	}
	if !strings.Contains(out.String(), "  bucket: photos\n") || r.doc.Files[0].What != "differs" {
		t.Errorf("%s %v", &out, r.doc.Files)
	}
}

// Ctrl-C between two steps: the key of the first is kept, and it is said how to
// go on.
func TestApply_Interrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	ctx, interrupt := context.WithCancel(t.Context())
	r := &setupRun{setupAsk: setupAsk{want: photos, credentials: path}, out: new(strings.Builder)}
	c := &cloudOfKeys{after: interrupt}
	err := r.apply(ctx, c, &provision.Plan{Steps: []provision.Step{{ID: "user-signer-key", Action: provision.Create}, {ID: "user-worker-key", Action: provision.Create}}})
	var f *fault
	if !errors.As(err, &f) || f.exit != exitFailed || err.Error() != "interrupted after 1 of 2 steps" {
		t.Errorf("%v", err)
	}
	text, readErr := os.ReadFile(path)
	if readErr != nil || keyOfProfile(string(text), "photos-signer") != "AKIA1" || c.made != 1 || len(c.deleted) > 0 {
		t.Errorf("%v, made %d, deleted %v\n%s", readErr, c.made, c.deleted, text)
	}
	if said := r.out.(*strings.Builder).String(); !strings.Contains(said, "the same command goes on from here") || strings.Contains(said, "secret-of") {
		t.Errorf("%s", said)
	}
}

func TestSameCommand(t *testing.T) {
	other, _ := postern.ProviderByName("other")
	r := &setupRun{setupAsk: setupAsk{config: "x y.yaml", credentials: defaultCredentials, want: provision.Want{
		Bucket: "photos", Region: "eu-central-1", Provider: aws(), Origins: []string{"https://app.example", "http://[::1]:80"}, Public: true,
		Role: "photos", Trust: provision.Trust{Kind: "oidc", Subject: "repo:it's"},
	}}}
	want := `postern setup --bucket photos --region eu-central-1 --origin https://app.example --origin 'http://[::1]:80' --public --role photos --trust oidc --oidc-subject 'repo:it'\''s' --config 'x y.yaml'`
	if got := r.sameCommand(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r.want = provision.Want{Bucket: "photos", Region: "auto", Endpoint: "http://127.0.0.1:9000", Provider: other, Origins: []string{"https://app.example"}}
	r.config = "./" + defaultFile
	want = "postern setup --bucket photos --region auto --endpoint http://127.0.0.1:9000 --provider other --path-style=false --origin https://app.example"
	if got := r.sameCommand(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
