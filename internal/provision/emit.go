package provision

import (
	"fmt"
	"strings"
)

// File is a file that Emit has written.
type File struct {
	Name string // without a folder
	Text string
}

// Emits returns the kinds of files that Emit writes.
func Emits() []string { return []string{"terraform", "cloudformation", "aws-cli"} }

// Emit returns files with which another tool does the same as setup, on AWS or,
// as far as that tool goes, elsewhere. Errors: ErrWant.
func Emit(kind string, w *Want) ([]File, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	switch kind {
	case "terraform":
		return []File{{"postern.tf", terraform(w)}}, nil
	case "cloudformation":
		if !w.onAWS() {
			return nil, fmt.Errorf("%w: emit: CloudFormation makes buckets of Amazon S3, and this one is at %s", ErrWant, w.Provider.Title)
		}
		return []File{{"postern.cloudformation.json", cloudFormation(w)}}, nil
	case "aws-cli":
		return []File{{"postern.sh", awsCLI(w)}}, nil
	}
	return nil, fmt.Errorf("%w: emit: %q is not one of %s", ErrWant, kind, strings.Join(Emits(), ", "))
}

// accountMark stands for the account in a document while nobody knows it; each
// tool puts its own way to ask for it there. No document has it otherwise: only
// the trust of "ecs" names the account, and has no text of a person's.
const accountMark = "@account@"

// withAccount is w with an account, if it has none.
func (w *Want) withAccount(account string) *Want {
	v := *w
	if v.Account == "" {
		v.Account = account
	}
	return &v
}

// notes are the steps that no tool does, as a comment.
func notes(w *Want, mark string) string {
	var b strings.Builder
	for _, m := range Manuals(w) {
		fmt.Fprintf(&b, "%s By hand: %s %s\n", mark, m.Title, m.Why)
		for line := range strings.Lines(m.Steps) {
			fmt.Fprintf(&b, "%s   %s\n", mark, strings.TrimRight(line, "\n"))
		}
	}
	return b.String()
}
