package main

import (
	"errors"
	"os"
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
	} {
		if _, err := parseFile("p.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
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
