package postern_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Who imports this package links the standard library and sigv4, nothing else.
func TestStandsOnTheStandardLibrary(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range strings.Fields(string(out)) {
		if pkg != "postern.example/postern" && pkg != "postern.example/postern/sigv4" {
			t.Errorf("it links %s", pkg)
		}
	}
}
