package postern

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestProblemTable(t *testing.T) {
	seen := map[Code]bool{}
	for _, p := range Problems() {
		if seen[p.Code] {
			t.Errorf("code %s is there twice", p.Code)
		}
		seen[p.Code] = true
		if p.Status < 400 || p.Status > 599 {
			t.Errorf("%s: status %d", p.Code, p.Status)
		}
		if p.Title == "" || strings.HasSuffix(p.Title, ".") {
			t.Errorf("%s: title %q must be words without a full stop", p.Code, p.Title)
		}
	}
	// Every sentinel in errors.go has its row.
	src, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`&Error\{Code: "([a-z0-9_]+)"\}`).FindAllStringSubmatch(string(src), -1)
	if len(found) != len(problems) {
		t.Errorf("%d sentinels, %d rows", len(found), len(problems))
	}
	for _, m := range found {
		if !seen[Code(m[1])] {
			t.Errorf("sentinel %s has no row in the table", m[1])
		}
	}
}

// The table in docs/protocol.md is the table in errors.go. Run with
// POSTERN_UPDATE=1 to write it anew.
func TestProblemsAreDocumented(t *testing.T) {
	const file, head = "docs/protocol.md", "| code | status | |\n| --- | --- | --- |\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString(head)
	for _, p := range Problems() {
		fmt.Fprintf(&want, "| <a id=%q></a>`%s` | %d | %s |\n", string(p.Code), p.Code, p.Status, p.Title)
	}
	before, _, _ := strings.Cut(string(b), head)
	if os.Getenv("POSTERN_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(before+want.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := strings.TrimPrefix(string(b), before); got != want.String() {
		t.Errorf("the table of problems in %s is not up to date; run with POSTERN_UPDATE=1", file)
	}
}

func TestProblemOf(t *testing.T) {
	cause := errors.New("disk on fire")
	e, p := ProblemOf(fmt.Errorf("write row: %w", ErrTooLarge.With("too big").Because(cause)))
	if p.Status != 413 || e.Detail != "too big" || !errors.Is(e, ErrTooLarge) || !errors.Is(e, cause) {
		t.Errorf("got %v, %v", e, p)
	}
	if e, p := ProblemOf(cause); p.Status != 500 || e.Detail != "" || e.Code != "internal" {
		t.Errorf("a foreign error must be internal and bare: %v, %v", e, p)
	}
	if _, p := ProblemOf(&Error{Code: "made_up"}); p.Code != "internal" {
		t.Errorf("a code that is not in the table must be internal, got %v", p)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1 kB", 1500: "1.5 kB", 999_999: "999.999 kB",
		25_000_000: "25 MB", 25_000_001: "25000001 bytes", 26_214_400: "26.2 MB", 5 << 30: "5.4 GB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}
