package provision

import (
	"os/exec"
	"strings"
	"testing"

	syntax "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Check lets few of these characters through. That is no reason to trust it:
// each text comes back as it was, from Terraform's language and from a shell.
func TestQuoting(t *testing.T) {
	for _, s := range []string{
		"", "plain", `"`, `\`, `\"`, "'", "''", `'\''`, "${var.x}", "$${x}", "%{if true}a%{endif}", "%%{", "$", "$$", "$(id)", "`id`", "a b", "*", "!", "\t", "a\nb", "\r", "JSON", "é", "~",
	} {
		e, diags := hclsyntax.ParseExpression([]byte(hcl(s)), "x.tf", firstByte())
		if diags.HasErrors() {
			t.Errorf("%q: %v", s, diags)
			continue
		}
		if v, diags := e.Value(nil); diags.HasErrors() || v.AsString() != s {
			t.Errorf("%q as HCL is %v, %v", s, v, diags)
		}
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+sh(s)+"x").Output()
		if err != nil || strings.TrimSuffix(string(out), "x") != s {
			t.Errorf("%q in a shell is %q, %v", s, out, err)
		}
		text := compact(object{"x": s})
		f, diags := hclsyntax.ParseConfig([]byte("x = "+heredoc(text)+"\n"), "x.tf", firstByte())
		if diags.HasErrors() {
			t.Errorf("%q: %v", text, diags)
			continue
		}
		v, diags := f.Body.(*hclsyntax.Body).Attributes["x"].Expr.Value(nil)
		if diags.HasErrors() || strings.TrimSpace(v.AsString()) != strings.TrimSpace(text) {
			t.Errorf("%q as a document is %v, %v", text, v, diags)
		}
	}
}

func firstByte() syntax.Pos { return syntax.Pos{Line: 1, Column: 1} }
