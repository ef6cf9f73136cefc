package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// A licence counts word by word: one that says more, less or something else is
// none of ours.
func TestClassify(t *testing.T) {
	root, err := repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	if got := classify(ours); got != "Apache-2.0" {
		t.Errorf("LICENSE is %q", got)
	}
	goroot, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	bsd, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(goroot)), "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	if got := classify(bsd); got != "BSD-3-Clause" {
		t.Errorf("Go's is %q", got)
	}
	for name, body := range map[string]string{
		"more":    string(bsd) + "\nNor may it be used for evil.\n",
		"less":    string(bsd[:len(bsd)/2]),
		"changed": strings.Replace(string(bsd), "are permitted provided", "are forbidden unless", 1),
		"commons": string(ours) + "\n" + strings.Repeat("\"Commons Clause\" License Condition v1.0: the right to Sell is not granted. ", 20),
		"nothing": "",
		"another": "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007",
	} {
		if got := classify([]byte(body)); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestLicencesOf_Refuses(t *testing.T) {
	gpl := module{"example.org/x", "v1.0.0", []text{{"LICENSE", []byte("GNU GENERAL PUBLIC LICENSE Version 3")}}}
	if _, err := licencesOf(gpl); err == nil || !strings.Contains(err.Error(), "example.org/x v1.0.0: LICENSE is no licence that is allowed") {
		t.Errorf("GPL: %v", err)
	}
	if _, err := licencesOf(module{"example.org/x", "v1.0.0", []text{{"NOTICE", []byte("it is by X")}}}); err == nil || !strings.Contains(err.Error(), "has no licence") {
		t.Errorf("none: %v", err)
	}
}

// What a built program says of itself becomes a valid document that names every
// module, each with its licence, twice the same.
func TestSBOM(t *testing.T) {
	root, err := repository(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "postern")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", binary, program)
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	paths := []string{filepath.Join(t.TempDir(), "new", "a.json"), filepath.Join(t.TempDir(), "b.json")}
	var docs [][]byte
	for _, path := range paths {
		if err := run(t.Context(), []string{"-sbom", path, binary}, &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
		doc, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	if !bytes.Equal(docs[0], docs[1]) {
		t.Error("two documents of one program differ")
	}
	var raw struct{ BomFormat, SpecVersion string }
	if err := json.Unmarshal(docs[0], &raw); err != nil || raw.BomFormat != "CycloneDX" || raw.SpecVersion != "1.6" {
		t.Errorf("%+v, %v", raw, err)
	}
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(bytes.NewReader(docs[0]), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Deps) < 30 || len(*bom.Components) != len(info.Deps)+1 {
		t.Errorf("%d components, %d modules", len(*bom.Components), len(info.Deps))
	}
	for _, d := range info.Deps {
		i := slices.IndexFunc(*bom.Components, func(c cdx.Component) bool { return c.PackageURL == "pkg:golang/"+d.Path+"@"+d.Version })
		if i < 0 {
			t.Errorf("%s is not in it", d.Path)
			continue
		}
		if c := (*bom.Components)[i]; c.Licenses == nil || c.Hashes == nil {
			t.Errorf("%s has no licence or no hash", d.Path)
		}
	}
}
