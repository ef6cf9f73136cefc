package main

import (
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// instruction is one of a Dockerfile: its word, flags and the rest.
type instruction struct {
	word  string
	flags []string
	rest  string
}

func instructions(text string) (list []instruction) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		in := instruction{word: word}
		for strings.HasPrefix(rest, "--") {
			var f string
			f, rest, _ = strings.Cut(rest, " ")
			in.flags = append(in.flags, f)
		}
		in.rest = rest
		list = append(list, in)
	}
	return list
}

func argumentsOf(t *testing.T, in instruction) (words []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(strings.TrimPrefix(in.rest, "CMD ")), &words); err != nil {
		t.Fatalf("%s is not in its JSON form, which needs no shell: %v", in.word, err)
	}
	return words
}

// The image: what it copies is there, it has no shell to need, runs as nobody,
// and calls the program as the program can be called.
func TestDeploy_Dockerfile(t *testing.T) {
	file := operateFiles(t)["Dockerfile"]
	stages := map[int][]instruction{}
	n := 0
	for _, in := range instructions(file) {
		if in.word == "FROM" {
			n++
		}
		stages[n] = append(stages[n], in)
	}
	if n != 2 || stages[2][0].rest != "scratch" {
		t.Fatalf("%d stages, the last from %s", n, stages[n][0].rest)
	}
	gomod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	want := "golang:" + regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(gomod))[1] + " AS build"
	if stages[1][0].rest != want {
		t.Errorf("it is built from %s, want %s", stages[1][0].rest, want)
	}
	last := map[string][]instruction{}
	for _, in := range stages[2] {
		last[in.word] = append(last[in.word], in)
	}
	if in := last["USER"]; len(in) != 1 || in[0].rest != "65532:65532" {
		t.Errorf("USER %v", in)
	}
	if len(last["RUN"]) > 0 {
		t.Error("there is nothing in scratch to run")
	}
	words := append(argumentsOf(t, last["ENTRYPOINT"][0]), argumentsOf(t, last["CMD"][0])...)
	for _, words := range [][]string{words, argumentsOf(t, last["HEALTHCHECK"][0])} {
		if words[0] != "/postern" {
			t.Errorf("it calls %s", words[0])
		}
		if fault := checkCommand(words[1:]); fault != "" {
			t.Error(fault)
		}
	}

	// Settings that are given are ones the program takes, and their ports are
	// exposed.
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+)=(\S+)`).FindAllStringSubmatch(last["ENV"][0].rest, -1) {
		env[m[1]] = m[2]
	}
	s, err := resolve(func(string) ([]string, bool) { return nil, false }, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{s.listen, s.bucketListen, s.adminListen} {
		if _, port, _ := strings.Cut(l, ":"); !slices.Contains(strings.Fields(last["EXPOSE"][0].rest), port) {
			t.Errorf("%s is not exposed", l)
		}
	}
	if s.checkReach() == nil {
		t.Error("an image that was told nothing lets everybody upload")
	}
	if v := last["VOLUME"]; len(v) != 1 || v[0].rest != s.data {
		t.Errorf("the data lies in %s, which is no volume", s.data)
	}

	// What is copied is there: in the checkout, or made by the stage before.
	made := file[:strings.Index(file, "FROM scratch")]
	for stage := range 2 {
		for _, in := range stages[stage+1] {
			if in.word != "COPY" {
				continue
			}
			from := strings.Fields(in.rest)
			for _, path := range from[:len(from)-1] {
				switch {
				case !slices.ContainsFunc(in.flags, func(f string) bool { return f == "--from=build" }):
					if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
						t.Error(err)
					}
				case strings.HasPrefix(path, "/out/") && !strings.Contains(made, path):
					t.Errorf("nothing makes %s", path)
				}
			}
		}
	}
}

// The line that builds the image's program does so here, and the program needs
// nothing that scratch has not.
func TestDeploy_BuildsStatic(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("the image is for Linux, and to build takes a while")
	}
	line := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 .*go build.*)$`).FindStringSubmatch(operateFiles(t)["Dockerfile"])
	if line == nil {
		t.Fatal("nothing is built")
	}
	out := filepath.Join(t.TempDir(), "postern")
	cmd := exec.Command("sh", "-ec", strings.Replace(line[1], "/out/postern", out, 1))
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "TARGETOS=linux", "TARGETARCH="+runtime.GOARCH)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	f, err := elf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Error("it wants a dynamic linker")
		}
	}
}

// What must not get into an image is left out, and nothing that is needed.
func TestDeploy_DockerIgnore(t *testing.T) {
	ignored := strings.Fields(operateFiles(t)["Dockerfile.dockerignore"])
	for _, path := range []string{"postern-data", "postern.yaml", "postern-credentials"} {
		if !slices.Contains(ignored, path) {
			t.Errorf("%s could get into an image", path)
		}
	}
	for _, path := range []string{"cmd", "web", "go.mod", "internal", "records"} {
		if slices.Contains(ignored, path) {
			t.Errorf("%s is needed", path)
		}
	}
}

// The unit lets the decoder confine itself: what it needs for that is not taken
// away with the rest.
func TestDeploy_Unit(t *testing.T) {
	unit := map[string][]string{}
	for line := range strings.Lines(operateFiles(t)["postern.service"]) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			unit[key] = append(unit[key], value)
		}
	}
	one := func(key string) string {
		if len(unit[key]) != 1 {
			t.Errorf("%s is there %d times", key, len(unit[key]))
			return ""
		}
		return unit[key][0]
	}
	for key, want := range map[string]string{
		"NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": "", "UMask": "0077", "StateDirectoryMode": "0700",
		"MemoryDenyWriteExecute": "yes", "OOMPolicy": "continue", "KillMode": "mixed", "RestrictNamespaces": "user net pid ipc uts",
		"RestartPreventExitStatus": "2", "LimitCORE": "0",
	} {
		if got := one(key); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	program, words, _ := strings.Cut(one("ExecStart"), " ")
	if fault := checkCommand(strings.Fields(words)); program != "/usr/bin/postern" || fault != "" {
		t.Errorf("it starts %s: %s", program, fault)
	}
	filter := strings.Join(unit["SystemCallFilter"], " ")
	for _, call := range []string{"seccomp", "landlock_create_ruleset", "landlock_restrict_self"} {
		if !strings.Contains(filter, call) {
			t.Errorf("the decoder may not call %s", call)
		}
	}
	if !strings.Contains(strings.Join(unit["Environment"], " "), "POSTERN_DATA=/var/lib/"+one("StateDirectory")) {
		t.Error("the data does not lie in the state directory")
	}

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("SKIPPED: no systemd-analyze here")
	}
	// It wants the program to be there; any will do.
	path := filepath.Join(t.TempDir(), "postern.service")
	text := strings.Replace(operateFiles(t)["postern.service"], "/usr/bin/postern", "/bin/sh", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput(); err != nil || strings.Contains(string(said), path) {
		t.Errorf("verify: %v\n%s", err, said)
	}
	if said, err := exec.Command(analyze, "security", "--offline=true", "--threshold=25", path).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, said)
	}
}

// A release: each system that CI builds for, static, with the files that are
// there.
func TestDeploy_Releases(t *testing.T) {
	var c struct {
		Version int
		Dist    string
		Before  struct{ Hooks []string }
		Builds  []struct {
			Main, Binary        string
			Env, Flags, Ldflags []string
			Goos, Goarch        []string
			ID                  string
			ModTimestamp        string `yaml:"mod_timestamp"`
		}
		Archives []struct {
			Formats []string
			Files   []string
			Other   []struct {
				Goos    string
				Formats []string
			} `yaml:"format_overrides"`
		}
		Checksum struct {
			Name      string `yaml:"name_template"`
			Algorithm string
		}
		SBOMs []struct {
			Artifacts, Cmd  string
			Documents, Args []string
		}
		NFPMs []struct {
			Name        string `yaml:"package_name"`
			Formats     []string
			Bindir      string
			License     string
			Vendor      string
			Maintainer  string
			Description string
			Contents    []struct{ Src, Dst string }
			Scripts     map[string]string
		}
		Changelog   struct{ Disable bool }
		Release     struct{ Draft bool }
		ProjectName string `yaml:"project_name"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(operateFiles(t)[".goreleaser.yaml"]), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if c.Version != 2 || len(c.Builds) != 1 || len(c.Archives) != 1 || len(c.NFPMs) != 1 || len(c.SBOMs) != 1 || c.Checksum.Algorithm != "sha256" {
		t.Fatalf("it is %+v", c)
	}
	b := c.Builds[0]
	if !slices.Equal(b.Env, []string{"CGO_ENABLED=0"}) || !slices.Contains(b.Flags, "-trimpath") ||
		!slices.Equal(b.Goos, []string{"linux", "darwin", "windows"}) || !slices.Equal(b.Goarch, []string{"amd64", "arm64"}) {
		t.Errorf("it builds %+v", b)
	}
	// The same program as in the image, by the same flags.
	line := "go build " + strings.Join(b.Flags, " ") + ` -ldflags="` + strings.Join(b.Ldflags, " ") + `" -o /out/` + b.Binary + " " + b.Main
	if !strings.Contains(operateFiles(t)["Dockerfile"], line) {
		t.Errorf("the image is not built by %s", line)
	}
	if _, err := os.Stat(filepath.Join("../..", c.Dist)); err == nil {
		if out, err := exec.Command("git", "check-ignore", "../../"+c.Dist).CombinedOutput(); err != nil {
			t.Errorf("%s could be committed: %s", c.Dist, out)
		}
	}
	needed := slices.Clone(c.Archives[0].Files)
	for _, f := range c.NFPMs[0].Contents {
		needed = append(needed, f.Src)
	}
	for _, f := range c.NFPMs[0].Scripts {
		needed = append(needed, f)
		if out, err := exec.Command("sh", "-n", filepath.Join("../..", f)).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", f, out)
		}
	}
	for _, path := range needed {
		if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
			t.Error(err)
		}
	}
	if unit := operateFiles(t)["postern.service"]; !strings.Contains(unit, "ExecStart="+c.NFPMs[0].Bindir+"/"+b.Binary+" ") {
		t.Error("the package puts the program elsewhere than the unit starts it")
	}
	if !slices.Contains(c.Before.Hooks, "go build -C deploy/bom -o ../../bin/bom .") || c.SBOMs[0].Cmd != "../bin/bom" {
		t.Error("what describes the release is not built before it is called")
	}
}
