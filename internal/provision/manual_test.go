package provision_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"postern.example/postern/internal/provision"
)

// docs/provision.md names every permission that is used, and none that is not.
func TestPermissionsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/provision.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, ok := strings.Cut(string(text), "## Every permission, and why")
	if !ok {
		t.Fatal("there is no table")
	}
	tables, _, _ = strings.Cut(tables, "\n## ")
	keys, operator, ok := strings.Cut(tables, "You, once, to run `setup`")
	if !ok {
		t.Fatal("there is no table of what the operator needs")
	}
	w := wants(t)["aws-user"]
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("\\| (signer|worker) \\| `(s3:\\w+)` \\| (`[a-z]+/\\*`|the bucket) \\|").FindAllStringSubmatch(keys, -1) {
		rows[m[1]+" "+m[2]+" "+strings.Trim(m[3], "`")] = true
	}
	for _, kind := range []string{provision.Signer, provision.Worker} {
		for _, s := range provision.KeyPolicy(&w, kind).Statement {
			for _, action := range s.Action {
				on := "the bucket"
				if _, below, ok := strings.Cut(s.Resource[0], ":::photos/"); ok {
					on = below
				}
				row := kind + " " + action + " " + on
				if !rows[row] {
					t.Errorf("not documented: %s", row)
				}
				delete(rows, row)
			}
		}
	}
	for row := range rows {
		t.Errorf("documented and not used: %s", row)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`((?:s3|iam):\\w+)`").FindAllStringSubmatch(operator, -1) {
		named[m[1]] = true
	}
	for _, name := range []string{"aws-user", "role-ec2"} {
		w := wants(t)[name]
		for _, s := range provision.OperatorPolicy(&w).Statement {
			for _, action := range s.Action {
				if !named[action] && !named["used "+action] {
					t.Errorf("not documented: the operator's %s", action)
				}
				delete(named, action)
				named["used "+action] = true
			}
		}
	}
	for action := range named {
		if !strings.HasPrefix(action, "used ") {
			t.Errorf("documented and not used: the operator's %s", action)
		}
	}
}
