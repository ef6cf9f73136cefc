package assume_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"postern.example/postern/internal/s3d/assume"
)

// What is quoted from the page of an operation stands in the SDK's comments,
// which Amazon makes from the same text: nobody has to believe our memory.
func TestQuotesOfOperationsAreAmazons(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/s3").Output()
	if err != nil {
		t.Fatal(err)
	}
	types := comments(t, filepath.Join(strings.TrimSpace(string(dir)), "types", "types.go"), filepath.Join(strings.TrimSpace(string(dir)), "types", "enums.go"),
		filepath.Join(strings.TrimSpace(string(dir)), "types", "errors.go"))
	pages := make(map[string]string)
	for _, a := range assume.All() {
		if a.Source == "Error responses" { // the list of codes stands at the type Error
			code, text, _ := strings.Cut(a.Quote, ": ")
			if !strings.Contains(types, plain("Code: "+code+" - Description: "+text)) {
				t.Errorf("%s: the error responses do not have %q", a.Name, a.Quote)
			}
		}
		name, ok := strings.CutPrefix(a.Source, "API ")
		if !ok {
			continue
		}
		if pages[name] == "" {
			pages[name] = comments(t, filepath.Join(strings.TrimSpace(string(dir)), "api_op_"+name+".go")) + types
		}
		for part := range strings.SplitSeq(a.Quote, "…") {
			if !strings.Contains(pages[name], plain(part)) {
				t.Errorf("%s: %s does not say %q", a.Name, a.Source, strings.TrimSpace(part))
			}
		}
	}
}

// comments is the text of the comments in Go files.
func comments(t *testing.T, files ...string) string {
	t.Helper()
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "//"); ok {
				fmt.Fprintln(&all, strings.TrimSpace(text))
			}
		}
	}
	return plain(all.String())
}

// plain is a text without what the comments add to it: links and line ends.
func plain(s string) string {
	s = regexp.MustCompile(`\[([^\]]*)\]`).ReplaceAllString(s, " $1 ")
	s = strings.ReplaceAll(s, "’", "'")
	s = strings.Join(strings.Fields(s), " ")
	return regexp.MustCompile(` ([.,;:)])`).ReplaceAllString(s, "$1")
}
