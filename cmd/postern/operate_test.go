package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"postern.example/postern/gate"
)

// operateFiles are what people run the gate by.
func operateFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	paths, err := filepath.Glob("../../deploy/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "../../docs/operate.md", "../../.goreleaser.yaml") {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return files
}

// commandLines are the lines of a page's sh blocks that call the program,
// without what stands around it.
func commandLines(page string) (lines [][]string) {
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```")
	calls := regexp.MustCompile(`(?:^|[|;(&]\s*|sudo -u \S+ )postern( [^|;)&#]*)?`)
	for _, block := range blocks.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			for _, m := range calls.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
				lines = append(lines, strings.Fields(m[1]))
			}
		}
	}
	return lines
}

// checkCommand says what of a command line the program does not know.
func checkCommand(words []string) string {
	c := root(strings.NewReader(""), io.Discard, io.Discard, noEnv, gate.Children{})
	called := c.Name
	for i, w := range words {
		name, isFlag := strings.CutPrefix(w, "--")
		if isFlag {
			name, _, _ = strings.Cut(name, "=")
			if name != "help" && !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
				return called + " has no flag --" + name
			}
			continue
		}
		if next := c.Command(w); next != nil && !slices.ContainsFunc(words[:i], func(w string) bool { return strings.HasPrefix(w, "-") }) {
			c, called = next, called+" "+w
		} else if i == 0 || len(c.Commands) > 1 && !strings.HasPrefix(words[i-1], "-") {
			return called + " has no command " + w
		}
	}
	return ""
}

func TestOperate_CommandsAreThere(t *testing.T) {
	for words, want := range map[string]string{
		"serve --listen x": "", "serve --no-such": "postern serve has no flag --no-such", "frobnicate": "postern has no command frobnicate",
		"key add shop --owner x": "", "key lose shop": "postern key has no command lose", "setup --yes=true": "", "key add --listen x": "postern key add has no flag --listen",
	} {
		if got := checkCommand(strings.Fields(words)); got != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
	for _, page := range []string{"operate.md", "provision.md", "serve.md", "bucket.md"} {
		text, err := os.ReadFile(filepath.Join("../../docs", page))
		if err != nil {
			t.Fatal(err)
		}
		lines := commandLines(string(text))
		if page == "operate.md" && len(lines) < 15 {
			t.Errorf("%s has %d commands", page, len(lines))
		}
		for _, words := range lines {
			if fault := checkCommand(words); fault != "" {
				t.Errorf("%s: postern %s: %s", page, strings.Join(words, " "), fault)
			}
		}
	}
}

// Flags in running text, variables and keys of the settings file exist too.
func TestOperate_SettingsAreThere(t *testing.T) {
	flags, variables, keys := map[string]bool{}, map[string]bool{}, map[string]bool{"presets": true}
	var walk func(c *cli.Command)
	walk = func(c *cli.Command) {
		for _, f := range c.Flags {
			for _, name := range f.Names() {
				flags[name] = true
			}
		}
		for _, below := range c.Commands {
			walk(below)
		}
	}
	walk(root(strings.NewReader(""), io.Discard, io.Discard, noEnv, gate.Children{}))
	for _, x := range table() {
		keys[x.key()] = true
		for _, e := range x.env {
			variables[e] = true
		}
	}
	files := operateFiles(t)
	seen := 0
	for name, text := range files {
		for _, v := range regexp.MustCompile(`\bPOSTERN_[A-Z_]+`).FindAllString(text, -1) {
			if seen++; !variables[v] {
				t.Errorf("%s: no setting is %s", name, v)
			}
		}
	}
	page := files["operate.md"]
	for _, m := range regexp.MustCompile("`--([a-z-]+)[ `]").FindAllStringSubmatch(page, -1) {
		if seen++; !flags[m[1]] {
			t.Errorf("operate.md: no command has --%s", m[1])
		}
	}
	for _, block := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(page, -1) {
		if _, err := parseFile("operate.md", []byte(block[1])); err != nil {
			t.Error(err)
		}
		seen++
	}
	if seen < 20 {
		t.Errorf("%d settings were found", seen)
	}
}

// What to alert on is counted: each metric of the page is one that metrics.go
// makes.
func TestOperate_MetricsAreThere(t *testing.T) {
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{"postern_http_request_duration_seconds_count": true}
	for _, m := range regexp.MustCompile(`desc\("(\w+)"|Name: "postern_(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		made["postern_"+m[1]+m[2]] = true
	}
	names := regexp.MustCompile(`\bpostern_\w+`).FindAllString(operateFiles(t)["operate.md"], -1)
	if len(names) < 12 {
		t.Errorf("%d metrics were found", len(names))
	}
	for _, name := range names {
		if !made[name] {
			t.Errorf("operate.md: there is no metric %s", name)
		}
	}
}

// anchors are what can be linked to in a page.
func anchors(page string) map[string]bool {
	there := map[string]bool{"": true}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		plain := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		there[strings.ReplaceAll(plain, " ", "-")] = true
	}
	return there
}

// Links within the page, and from it to others, lead somewhere.
func TestOperate_LinksLeadSomewhere(t *testing.T) {
	links := regexp.MustCompile(`\]\(([^)#]*)#?([^)]*)\)`).FindAllStringSubmatch(operateFiles(t)["operate.md"], -1)
	if len(links) < 10 {
		t.Errorf("%d links", len(links))
	}
	for _, m := range links {
		path := m[1]
		if path == "" {
			path = "operate.md"
		}
		text, err := os.ReadFile(filepath.Join("../../docs", path))
		if err != nil {
			t.Error(err)
		} else if !anchors(string(text))[m[2]] {
			t.Errorf("%s has no #%s", path, m[2])
		}
	}
}
