package main

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestParseFile_NothingSet(t *testing.T) {
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n"} {
		f, err := parseFile("p.yaml", []byte(text))
		if err != nil || len(f.values) != 0 || f.presets != nil {
			t.Errorf("%q: %+v, %v", text, f, err)
		}
	}
}

func TestParseFile_ListOrNothing(t *testing.T) {
	for text, want := range map[string]string{
		"- a\n":                 "p.yaml:1:1: the file must be a list",
		"listen\n":              "p.yaml:1:1: the file must be a list",
		"listen:\n":             "listen must be a text",
		"listen: null\n":        "p.yaml:1:9: listen must be a text",
		"origin: 3\n":           "p.yaml:1:9: origin must be a text or a list of texts",
		"origin: [1]\n":         "origin must be a list of texts",
		"path_style: \"yes\"\n": "p.yaml:1:13: path_style must be true or false",
		"presets: []\n":         "presets must be a list of presets",
		"presets: {name: a}\n":  "presets must be a list of presets",
		"a: 1\n---\nb: 1\n":     "more than one document",
		"auth: maybe\n":         "p.yaml:1:7: auth: \"maybe\" is not known",
		"config: other.yaml\n":  "p.yaml:1:1: \"config\" cannot be set in the file",

		"auth: {none: , maybe: }\n":          "p.yaml:1:16: auth: \"maybe\" is not known",
		"auth: {jwt: 3}\n":                   "p.yaml:1:13: jwt must be a list",
		"auth: {jwt: {issuers: a}}\n":        "p.yaml:1:14: there is no setting \"issuers\"",
		"auth: {jwt: {issuer: [a]}}\n":       "issuer must be a text",
		"auth:\n  jwt:\n    secret: hush\n":  "p.yaml:3:5: \"secret\" cannot be set in the file",
		"auth: {forward: {patience: 5m}}\n":  "patience: \"5m\" is not a time such as 10s, up to 30s",
		"auth: {keys: {url: https://a.b}}\n": "p.yaml:1:15: there is no setting \"url\"",
		"jwt_issuer: a\n":                    "p.yaml:1:1: there is no setting \"jwt_issuer\"",
		"auth: {keys: {file: a}, keys: }\n":  "already defined",
		"auth: {keys: {file: a, file: b}}\n": "already defined",
	} {
		if _, err := parseFile("p.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
}

// Kinds of sign-in are a list, or a mapping with their settings.
func TestParseFile_Auth(t *testing.T) {
	for text, want := range map[string]map[string][]string{
		"auth: keys\n":        {"auth": {"keys"}},
		"auth: [jwt, none]\n": {"auth": {"jwt", "none"}},
		"auth:\n  keys:\n  jwt:\n    issuer: me\n    audience: [a, b]\n  forward: {}\n": {
			"auth": {"keys", "jwt", "forward"}, "auth.jwt.issuer": {"me"}, "auth.jwt.audience": {"a", "b"},
		},
	} {
		f, err := parseFile("p.yaml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := map[string][]string{}
		for path, v := range f.values {
			got[path] = v.raw
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	seeds, err := os.ReadDir("testdata/fuzz/FuzzParseFile")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseFile("p.yaml", text)
		var e *fault
		if err == nil == (got == nil) || err != nil && (!errors.As(err, &e) || e.exit != exitUsage || !strings.HasPrefix(err.Error(), "p.yaml")) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
