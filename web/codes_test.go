package web_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"postern.example/postern"
)

var update = flag.Bool("update", false, "write src/codes.ts from the error table")

// TestCodesAreTheErrorTable keeps the TypeScript union of problem codes equal
// to the one table in errors.go.
func TestCodesAreTheErrorTable(t *testing.T) {
	const file = "src/codes.ts"
	want := renderCodes(postern.Problems())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is not what errors.go says; run go test ./web -run Codes -update, then go generate ./web\n%s", file, want)
	}
}

func renderCodes(problems []postern.Problem) string {
	var b strings.Builder
	b.WriteString("// Generated from errors.go by codes_test.go; do not edit.\n\n")
	b.WriteString("/** The codes of problem documents: docs/protocol.md. */\nexport type ProblemCode =\n")
	for i, p := range problems {
		end := ""
		if i == len(problems)-1 {
			end = ";"
		}
		fmt.Fprintf(&b, "  | '%s'%s // %d, %s\n", p.Code, end, p.Status, p.Title)
	}
	return b.String()
}
