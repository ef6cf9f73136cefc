package main

import (
	"strings"
	"testing"

	"postern.example/postern/internal/doctor"
)

func TestQuestions_AreTheProbes(t *testing.T) {
	ids := map[string]bool{}
	for _, id := range doctor.IDs() {
		ids[id] = true
		if questions()[id] == "" {
			t.Errorf("--list has no sentence for %s", id)
		}
	}
	for id := range questions() {
		if !ids[id] {
			t.Errorf("there is no probe %s", id)
		}
	}
}

func TestFindingPrinter(t *testing.T) {
	var b strings.Builder
	p := findingPrinter{out: &b}
	for _, f := range []doctor.Finding{
		{ID: "network.dns", Status: doctor.OK, Title: "it leads somewhere", Got: "127.0.0.1"},
		{ID: "cors.preflight", Status: doctor.Fault, Title: "pages may upload", Tried: "OPTIONS", Got: "403 \x1b[31mAccessForbidden", RequestID: "R1", Cause: "No rule.", Cure: "one\ntwo"},
		{ID: "cors.etag", Status: doctor.Skipped, Title: "not tried", Got: "cure it first"},
	} {
		p.print(&f)
	}
	const want = `✓ network.dns: it leads somewhere
✗ cors.preflight: pages may upload
    cause    No rule.
    cure     one
             two
    tried    OPTIONS
    got      403 ` + "\uFFFD" + `[31mAccessForbidden
    request  R1
– cors.etag: not tried
    cure it first
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}

func TestSummary(t *testing.T) {
	for want, list := range map[string][]doctor.Status{
		"Nothing was probed.":                 {},
		"All is well.":                        {doctor.OK, doctor.Skipped},
		"No fault, 1 warning.":                {doctor.Warn},
		"1 fault.":                            {doctor.Fault, doctor.OK},
		"1 fault and 2 warnings.":             {doctor.Warn, doctor.Fault, doctor.Warn},
		"2 faults; cure the first one first.": {doctor.Fault, doctor.Fault},
		"2 faults and 1 warning; cure the first one first.": {doctor.Fault, doctor.Fault, doctor.Warn},
	} {
		r := &doctor.Report{}
		for _, s := range list {
			r.Findings = append(r.Findings, doctor.Finding{Status: s})
		}
		if got := summary(r); got != want {
			t.Errorf("%v: %q, want %q", list, got, want)
		}
	}
}
