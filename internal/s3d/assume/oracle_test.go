package assume_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"postern.example/postern/internal/s3d/assume"
	"postern.example/postern/sigv4"
)

// us is how the embedded bucket is called in the table of differences.
const us = "postern"

const differencesFile = "testdata/differences.txt"

// sometimes begins the reason for a difference that is not always seen.
const sometimes = "sometimes: "

// unexplained stands in the table for a reason that somebody has yet to give.
const unexplained = "unexplained"

// differences are the reasons, by server and assumption, why an assumption does
// not hold there.
type differences map[[2]string]string

func (d differences) of(server string) map[string]string {
	m := make(map[string]string)
	for k, why := range d {
		if k[0] == server {
			m[k[1]] = why
		}
	}
	return m
}

func readDifferences(t *testing.T) differences {
	t.Helper()
	b, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	d := make(differences)
	for i, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 3 || slices.Contains(f, "") {
			t.Fatalf("%s:%d: not server, assumption and reason", differencesFile, i+1)
		}
		if _, twice := d[[2]string{f[0], f[1]}]; twice {
			t.Fatalf("%s:%d: there twice", differencesFile, i+1)
		}
		d[[2]string{f[0], f[1]}] = f[2]
	}
	return d
}

const head = `# Where a server does not do what we assume of S3, and why: whoever has no row
# in an assumption follows S3. "make oracle" checks that all rows are true and
# that there is no other; "sometimes: " begins a reason for what comes and goes.
# .ci/oracle -update writes the rows. server	assumption	reason
`

func (d differences) write(t *testing.T) {
	t.Helper()
	order := make(map[string]int)
	for i, a := range assume.All() {
		order[a.Name] = i
	}
	var rows [][2]string
	for k := range d {
		rows = append(rows, k)
	}
	slices.SortFunc(rows, func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(order[a[1]], order[b[1]]), strings.Compare(a[0], b[0]))
	})
	var out strings.Builder
	out.WriteString(head)
	for _, k := range rows {
		fmt.Fprintf(&out, "%s\t%s\t%s\n", k[0], k[1], d[k])
	}
	if err := os.WriteFile(differencesFile, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The table has an explanation in each row, and no row of an assumption or of a
// server that there is not.
func TestDifferencesAreExplained(t *testing.T) {
	names := make(map[string]bool)
	for _, a := range assume.All() {
		names[a.Name] = true
	}
	for k, why := range readDifferences(t) {
		if why == unexplained || len(why) < 10 {
			t.Errorf("%s, %s: %s", k[0], k[1], why)
		}
		if !names[k[1]] || k[0] != us && k[0] != "versitygw" && k[0] != "minio" {
			t.Errorf("%s, %s: there is no such thing", k[0], k[1])
		}
	}
}

// The same list is put to other people's servers: a difference that the table
// does not explain, or one that it explains and is no more, fails.
func TestOracle(t *testing.T) {
	servers := os.Getenv("POSTERN_ORACLE")
	if servers == "" {
		t.Skip("SKIPPED: no servers to compare with; \"make oracle\" starts them (POSTERN_ORACLE=name=URL,…)")
	}
	c := sigv4.Credentials{AccessKeyID: os.Getenv("POSTERN_ORACLE_KEY"), SecretAccessKey: os.Getenv("POSTERN_ORACLE_SECRET")}
	names := []string{us}
	seen := map[string]map[string]string{us: answers(t, embedded(t))}
	for spec := range strings.SplitSeq(servers, ",") {
		name, url, ok := strings.Cut(spec, "=")
		if !ok {
			t.Fatalf("POSTERN_ORACLE: %q is not name=URL", spec)
		}
		s := assume.NewServer(url, "us-east-1", c)
		t.Cleanup(s.Close)
		names = append(names, name)
		seen[name] = answers(t, s)
	}

	known := readDifferences(t)
	t.Log("\n" + table(names, seen, known))
	for _, name := range names {
		t.Logf("%s: %d of %d assumptions hold", name, len(assume.All())-len(seen[name]), len(assume.All()))
	}
	if *update {
		next := make(differences)
		for k, why := range known {
			if !slices.Contains(names, k[0]) || strings.HasPrefix(why, sometimes) {
				next[k] = why
			}
		}
		for _, name := range names {
			for a := range seen[name] {
				next[[2]string{name, a}] = cmp.Or(known[[2]string{name, a}], unexplained)
			}
		}
		next.write(t)
		known = next
	}
	for _, name := range names {
		for _, a := range assume.All() {
			why, listed := known[[2]string{name, a.Name}]
			saw, differs := seen[name][a.Name]
			switch {
			case differs && !listed:
				t.Errorf("%s differs in %s, and %s does not say why: %s", name, a.Name, differencesFile, saw)
			case listed && !differs && !strings.HasPrefix(why, sometimes):
				t.Errorf("%s no longer differs in %s: take it out of %s", name, a.Name, differencesFile)
			case differs && why == unexplained:
				t.Errorf("%s differs in %s, and nobody has explained it: %s", name, a.Name, saw)
			}
		}
	}
}

// table shows the assumptions in which anybody differs: what each server does,
// and what the table says of it.
func table(names []string, seen map[string]map[string]string, known differences) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "assumption\t%s\tsource\twhy\n", strings.Join(names, "\t"))
	for _, a := range assume.All() {
		var cells, reasons []string
		for _, name := range names {
			cell := "as S3"
			if saw, differs := seen[name][a.Name]; differs {
				cell = shorten(saw, 60)
				reasons = append(reasons, name+": "+cmp.Or(known[[2]string{name, a.Name}], unexplained))
			}
			cells = append(cells, cell)
		}
		if len(reasons) > 0 {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Name, strings.Join(cells, "\t"), a.Source, strings.Join(reasons, "; "))
		}
	}
	w.Flush() //nolint:errcheck // into memory
	return out.String()
}

func shorten(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
