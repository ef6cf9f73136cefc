package s3d

import (
	"os"
	"strings"
	"testing"

	"postern.example/postern/internal/s3d/access"
)

// The manual names every operation that there is, and a policy can name every
// action that one asks for.
func TestOperationsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/bucket.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "## What it has\n")
	has, _, ok2 := strings.Cut(rest, "\n## ")
	if !ok || !ok2 {
		t.Fatal("the manual has no table of what there is")
	}
	named := make(map[string]bool)
	for _, word := range strings.FieldsFunc(has, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '2' }) {
		named[word] = true
	}
	for _, op := range append(operations(), operation{name: "POST"}) {
		if !named[op.name] {
			t.Errorf("%s is not in the manual", op.name)
		}
		if op.action != "" && !access.Known(op.action) {
			t.Errorf("%s asks for %s, which no policy can name", op.name, op.action)
		}
	}
}
