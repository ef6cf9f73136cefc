package main

import (
	"fmt"
	"slices"
	"strings"

	"postern.example/postern/internal/provision"
)

// kinds are the groups of a plan, in the order in which they are shown.
var kinds = []struct {
	action provision.Action
	sign   string
	title  string
	total  string
}{
	{provision.Create, "+", "To create", "to create"},
	{provision.Change, "~", "To change", "to change"},
	{provision.Delete, "-", "To delete", "to delete"},
	{provision.ByHand, "!", "By hand", "by hand"},
	{provision.Keep, "=", "Left as it is", "left as they are"},
}

// printPlan shows what would be done, what is dangerous about it, and why.
func (r *setupRun) printPlan(p *provision.Plan) error {
	where := r.want.Provider.Title
	if p.Endpoint != "" {
		where += ", " + p.Endpoint
	}
	fmt.Fprintf(r.out, "Bucket %s in %s at %s", r.ink.bold(p.Bucket), p.Region, where)
	if p.Caller.ARN != "" {
		fmt.Fprintf(r.out, ", seen by %s", plain(p.Caller.ARN))
	}
	fmt.Fprint(r.out, "\n")
	var totals []string
	for _, k := range kinds {
		steps := slices.Collect(func(yield func(provision.Step) bool) {
			for _, s := range p.Steps {
				if s.Action == k.action && !yield(s) {
					return
				}
			}
		})
		if len(steps) == 0 {
			continue
		}
		totals = append(totals, fmt.Sprintf("%d %s", len(steps), k.total))
		fmt.Fprintf(r.out, "\n%s:\n", k.title)
		for _, s := range steps {
			r.printStep(k.sign, &s)
		}
	}
	if len(totals) > 0 {
		fmt.Fprintf(r.out, "\nPlan: %s.\n", strings.Join(totals, ", "))
	}
	if p.Pending() == 0 {
		fmt.Fprintln(r.out, "There is nothing to do.")
	}
	return nil
}

// printStep shows one step, with what is dangerous about it and what differs.
func (r *setupRun) printStep(sign string, s *provision.Step) {
	colour := map[string]func(string) string{"+": r.ink.green, "~": r.ink.yellow, "-": r.ink.red, "!": r.ink.yellow, "=": r.ink.dim}[sign]
	fmt.Fprintf(r.out, "  %s %s: %s\n", colour(sign), s.ID, plain(s.Title))
	if sign == "=" && s.Danger == "" && !r.destroy {
		return // what stays needs no reasons, unless it was meant to go
	}
	if s.Why != "" {
		fmt.Fprint(r.out, indented("      ", plain(s.Why)))
	}
	if s.Danger != "" {
		fmt.Fprint(r.out, r.ink.red(indented("      Danger: ", plain(s.Danger))))
	}
	// A whole document that comes or goes is no difference to look at: --json has it.
	if sign == "~" || sign == "+" && !strings.Contains(s.After, "\n") {
		for _, l := range difference(s.Before, s.After) {
			switch l[0] {
			case '+':
				l = r.ink.green(l)
			case '-':
				l = r.ink.red(l)
			}
			fmt.Fprintf(r.out, "      %s\n", l)
		}
	}
	if s.Manual != nil {
		if s.Manual.Why != "" && s.Manual.Why != s.Why {
			fmt.Fprint(r.out, indented("      ", plain(s.Manual.Why)))
		}
		fmt.Fprint(r.out, indented("        ", plain(s.Manual.Steps)))
	}
}

// difference is two texts line by line: "- " in the first only, "+ " in the
// second only, "  " in both.
func difference(before, after string) []string {
	a, b := textLines(before), textLines(after)
	// common[i][j] is how many lines a[i:] and b[j:] have in common, in order.
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}

// textLines are the lines of a text, fit for a terminal.
func textLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(plain(text), "\n"), "\n")
}
