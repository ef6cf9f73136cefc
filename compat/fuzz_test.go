package compat

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"postern.example/postern"
)

func seeds(f *testing.F, name string) {
	f.Helper()
	if files, err := os.ReadDir("testdata/fuzz/" + name); err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
}

func FuzzPartNumbers(f *testing.F) {
	seeds(f, "FuzzPartNumbers")
	f.Fuzz(func(t *testing.T, text string) {
		numbers, err := partNumbers(text)
		if err != nil {
			if numbers != nil {
				t.Errorf("%v with an error", numbers)
			}
			return
		}
		if len(numbers) < 1 || len(numbers) > postern.MaxPartsSigned || len(numbers) != strings.Count(text, ",")+1 {
			t.Fatalf("%d numbers in %q", len(numbers), text)
		}
		words := make([]string, len(numbers))
		for i, n := range numbers {
			words[i] = strconv.Itoa(n)
		}
		again, err := partNumbers(strings.Join(words, ","))
		if err != nil || len(again) != len(numbers) {
			t.Errorf("%q is read as %v, which is not read again: %v", text, numbers, err)
		}
	})
}

func FuzzQueryMetadata(f *testing.F) {
	seeds(f, "FuzzQueryMetadata")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		metadata, err := queryMetadata(q)
		if err != nil {
			return
		}
		for name, value := range metadata {
			if strings.ContainsAny(name, "[]") || q.Get("metadata["+name+"]") != value {
				t.Errorf("%q: %q = %q", text, name, value)
			}
		}
	})
}
