package postern_test

import (
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unmet are the threats of docs/security.md that nothing here is open to yet.
var unmet = map[int]bool{32: true, 33: true}

// Every threat has a test, every test of a threat is in the table, and every
// one that the table names is there.
func TestThreatsHaveTests(t *testing.T) {
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)Threat\d+\w*)\(`)
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(src, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil || len(there) < 50 {
		t.Fatalf("%d tests of threats, %v", len(there), err)
	}

	table, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	named, rows := map[string]bool{}, 0
	name := regexp.MustCompile("`((?:Test|Fuzz)Threat(\\d+)\\w*)`")
	for line := range strings.Lines(string(table)) {
		cells := strings.Split(line, "|")
		number, err := strconv.Atoi(strings.TrimSpace(cells[min(1, len(cells)-1)]))
		if err != nil {
			continue
		}
		if rows++; number != rows {
			t.Errorf("row %d is in the place of %d", number, rows)
		}
		tests := name.FindAllStringSubmatch(line, -1)
		if (len(tests) == 0) != unmet[number] {
			t.Errorf("threat %d has %d tests", number, len(tests))
		}
		for _, m := range tests {
			named[m[1]] = true
			if !there[m[1]] {
				t.Errorf("threat %d: there is no %s", number, m[1])
			}
			if of, _ := strconv.Atoi(m[2]); of != number {
				t.Errorf("%s stands beside threat %d", m[1], number)
			}
		}
	}
	if rows != 40 {
		t.Errorf("%d threats, want 40", rows)
	}
	for test := range there {
		if !named[test] {
			t.Errorf("%s is in no row of docs/security.md", test)
		}
	}
}
