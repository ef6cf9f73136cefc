package conform_test

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"postern.example/postern"
	"postern.example/postern/posterntest"
)

const differencesFile = "testdata/differences.txt"

// The suites, as the table calls them.
const (
	objects   = "objects"
	parts     = "parts"
	transfers = "transfers"
)

// difference is a case that fails because of a server.
type difference struct{ server, suite, name, reason string }

// differences are a server's.
type differences []difference

func readDifferences(t *testing.T) differences {
	t.Helper()
	b, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	var all differences
	for i, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 || slices.Contains(f, "") {
			t.Fatalf("%s:%d: not server, suite, case and reason", differencesFile, i+1)
		}
		d := difference{f[0], f[1], f[2], f[3]}
		if slices.ContainsFunc(all, d.same) {
			t.Fatalf("%s:%d: there twice", differencesFile, i+1)
		}
		if !slices.Contains([]string{objects, parts, transfers}, d.suite) {
			t.Fatalf("%s:%d: there is no suite %q", differencesFile, i+1, d.suite)
		}
		if _, ok := postern.ProviderByName(d.server); !ok {
			t.Fatalf("%s:%d: there is no provider %q", differencesFile, i+1, d.server)
		}
		if d.suite == parts && doubtful(d.name) == "" {
			t.Fatalf("%s:%d: it is not known which part of the suite would show %q", differencesFile, i+1, d.name)
		}
		all = append(all, d)
	}
	return all
}

func (d difference) same(o difference) bool {
	return d.server == o.server && d.suite == o.suite && d.name == o.name
}

// of are those of a server, but for one that is in doubt.
func (all differences) of(server, inDoubt string) differences {
	return slices.DeleteFunc(slices.Clone(all), func(d difference) bool { return d.server != server || d.suite+"/"+d.name == inDoubt })
}

// keys are those that the server cannot have.
func (all differences) keys() (without []string) {
	for _, d := range all {
		if d.suite == objects {
			without = append(without, d.name)
		}
	}
	return without
}

func (all differences) lacks(t *testing.T) (l posterntest.MultipartLacks) {
	t.Helper()
	for _, d := range all {
		if d.suite != parts {
			continue
		}
		f := reflect.ValueOf(&l).Elem().FieldByName(d.name)
		if !f.IsValid() {
			t.Fatalf("%s: MultipartLacks has no field %s", differencesFile, d.name)
		}
		f.SetBool(true)
	}
	return l
}

func (all differences) faults() map[string]string {
	m := make(map[string]string)
	for _, d := range all {
		if d.suite == transfers {
			m[d.name] = d.reason
		}
	}
	return m
}

// doubtful is the part of the multipart suite that goes around a lack.
func doubtful(lack string) string {
	return map[string]string{
		"IfNoneMatch": "key taken", "SameKey": "unfinished", "Prefix": "unfinished", "Order": "replaced part", "Gone": "abort",
	}[lack]
}

// The table can be read wherever the tests run, and not with the servers alone.
func TestDifferences(t *testing.T) {
	all := readDifferences(t)
	all.lacks(t)
	for _, d := range all {
		if d.server == "embedded" {
			t.Errorf("our own bucket has no excuse: %+v", d)
		}
	}
}
