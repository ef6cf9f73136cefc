package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// The package for npm is made of the same sources as dist, for bundlers instead
// of for a script tag:
//   - an entry imports the entries below it instead of holding a copy of them, so
//     that an application has one class, one queue and one kind of PutError;
//   - the parts that are fetched when they are needed are imported by names that
//     a bundler can follow, languages as well, and a language is its words;
//   - nothing is minified: that is the application's to do.

// entries are what an application imports, each with the file that has it.
// Those above import those below.
var entries = []struct{ source, file, subpath string }{
	{"index.ts", "postern.js", "."},
	{"element.ts", "element.js", "./element"},
	{"core.ts", "core.js", "./core"},
	{"put.ts", "put.js", "./put"},
}

// elsewhere are the scripts of dist that the package does not have: the page's,
// and what is made for it in another way.
var elsewhere = []string{"page.ts", "page.css", "languages.ts"}

// writePackage writes the package into a folder, in place of one that is there.
func writePackage(web, folder, version string) error {
	web, err := filepath.Abs(web)
	if err != nil {
		return err
	}
	version, err = packageVersion(version)
	if err != nil {
		return err
	}
	files, err := packageScripts(web)
	if err != nil {
		return err
	}
	if err := addLanguages(web, files); err != nil {
		return err
	}
	if err := addTypes(web, files); err != nil {
		return err
	}
	if files["package.json"], err = packageJSON(version); err != nil {
		return err
	}
	for name, from := range map[string]string{"LICENSE": filepath.Join("..", "LICENSE"), "README.md": filepath.Join("build", "npm", "README.md")} {
		if files[name], err = os.ReadFile(filepath.Join(web, from)); err != nil {
			return err
		}
	}
	return replaceFolder(folder, files)
}

// replaceFolder writes the files of a package into a folder. What else is in it
// goes, if it was a package of this name before, or there was nothing.
func replaceFolder(folder string, files map[string][]byte) error {
	there, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(there) > 0 {
		before, err := os.ReadFile(filepath.Join(folder, "package.json"))
		if err != nil || !bytes.Contains(before, []byte(`"name": "`+packageName+`"`)) {
			return fmt.Errorf("%s holds something else than the package %s", folder, packageName)
		}
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	for name, content := range files {
		to := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

const packageName = "postern-upload"

var semver = regexp.MustCompile(`^v?((0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?)(\+[0-9A-Za-z.-]+)?$`)

// packageVersion takes a version as "postern version" says it: "v1.2.3" is
// 1.2.3, and a build from a checkout ("devel", or none) is 0.0.0.
func packageVersion(said string) (string, error) {
	if said == "" || said == "devel" {
		return "0.0.0", nil
	}
	m := semver.FindStringSubmatch(said)
	if m == nil {
		return "", fmt.Errorf("read version %q: neither v1.2.3 nor devel", said)
	}
	return m[1], nil
}

// packageScripts bundles the entries and the parts that they fetch.
func packageScripts(web string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for source, file := range scripts {
		if slices.Contains(elsewhere, source) || strings.HasPrefix(source, "lang/") {
			continue
		}
		out, err := packageScript(web, source)
		if err != nil {
			return nil, err
		}
		files[file] = out
	}
	var err error
	files["element.js"], err = packageScript(web, "element.ts")
	return files, err
}

func packageScript(web, source string) ([]byte, error) {
	o := options(web)
	o.EntryPoints = []string{filepath.Join("src", source)}
	o.Plugins = append(o.Plugins, later, below)
	if source == "image.ts" {
		// It runs as a worker too, by its own address. Where a bundler puts it
		// that may be nobody's address or the whole application's, so it brings
		// what the worker runs: itself.
		worker := o
		worker.MinifyWhitespace, worker.MinifyIdentifiers, worker.MinifySyntax = true, true, true
		text, err := build(worker)
		if err != nil {
			return nil, err
		}
		o.Define = map[string]string{"import.meta.url": "workerURL"}
		o.Banner = map[string]string{"js": "const workerURL = URL.createObjectURL(new Blob([" + quote(string(text)) + `], { type: "text/javascript" }));`}
	}
	return build(o)
}

// below leaves the entries that another one imports where they are.
var below = api.Plugin{Name: "below", Setup: func(b api.PluginBuild) {
	b.OnResolve(api.OnResolveOptions{Filter: `^\./.*\.ts$`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		for _, e := range entries {
			if a.Kind == api.ResolveJSImportStatement && a.Path == "./"+e.source {
				return api.OnResolveResult{Path: "./" + e.file, External: true}, nil
			}
		}
		return api.OnResolveResult{}, nil
	})
}}

var (
	englishKey = regexp.MustCompile(`(?m)^  (\w+): `)
	otherLines = regexp.MustCompile("(?s)= `(.*)`;")
)

// addLanguages writes each language as an object of its words, and the part that
// finds them. In dist they are lines without their keys, which weigh less.
func addLanguages(web string, files map[string][]byte) error {
	english, err := os.ReadFile(filepath.Join(web, "src", "lang", "en.ts"))
	if err != nil {
		return err
	}
	var keys []string
	for _, m := range englishKey.FindAllSubmatch(english, -1) {
		keys = append(keys, string(m[1]))
	}
	finder := "// Words of the languages other than English, each a part of its own.\n\nconst shipped = {\n"
	for _, source := range slices.Sorted(maps.Keys(scripts)) {
		name, ok := strings.CutPrefix(source, "lang/")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, ".ts")
		text, err := os.ReadFile(filepath.Join(web, "src", source))
		if err != nil {
			return err
		}
		m := otherLines.FindSubmatch(text)
		if m == nil || bytes.Contains(m[1], []byte("\\")) || bytes.Contains(m[1], []byte("${")) {
			return fmt.Errorf("read %s: not one plain template of lines", source)
		}
		lines := strings.Split(string(m[1]), "\n")
		if len(lines) != len(keys) {
			return fmt.Errorf("read %s: %d lines for %d keys", source, len(lines), len(keys))
		}
		words := "export default {\n"
		for i, line := range lines {
			words += "  " + keys[i] + ": " + quote(line) + ",\n"
		}
		files["lang/"+name+".js"] = []byte(words + "};\n")
		files["types/lang/"+name+".d.ts"] = []byte("import type { Words } from '../words.js';\ndeclare const words: Words;\nexport default words;\n")
		finder += "  " + name + ": () => import(\"./lang/" + name + ".js\"),\n"
	}
	files["languages.js"] = []byte(finder + `};

export async function learn(name, languages) {
  if (languages[name] || !Object.hasOwn(shipped, name)) return;
  try {
    languages[name] = (await shipped[name]()).default;
  } catch {
    // English is better than nothing.
  }
}
`)
	return nil
}

// quote writes a text as JavaScript does. JSON's strings are its own since 2019.
func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return `""` // a string is always JSON
	}
	return strings.TrimSpace(b.String())
}

var imported = regexp.MustCompile(`(from |import\()(['"])(\.[^'"]*)\.ts(['"])`)

// addTypes writes the declarations of the entries and of what they mention.
func addTypes(web string, files map[string][]byte) error {
	tsc := filepath.Join(web, "node_modules", ".bin", "tsc")
	if _, err := os.Stat(tsc); err != nil {
		return errors.New("find tsc: run npm ci --prefix web")
	}
	out, err := os.MkdirTemp("", "postern-types-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out) //nolint:errcheck // in the system's folder for such things
	cmd := exec.Command(tsc, "--project", web, "--noEmit", "false", "--emitDeclarationOnly", "--rootDir", filepath.Join(web, "src"), "--outDir", out)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make declarations: %w\n%s", err, said)
	}
	var wanted []string
	for _, e := range entries {
		wanted = append(wanted, strings.TrimSuffix(e.source, ".ts"))
	}
	for len(wanted) > 0 {
		name := wanted[0]
		wanted = wanted[1:]
		to := "types/" + name + ".d.ts"
		if _, ok := files[to]; ok {
			continue
		}
		text, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(name)+".d.ts"))
		if err != nil {
			return err
		}
		for _, m := range imported.FindAllSubmatch(text, -1) {
			wanted = append(wanted, path.Join(path.Dir(name), string(m[3])))
		}
		files[to] = imported.ReplaceAll(text, []byte("$1$2$3.js$4"))
	}
	return nil
}

type target struct {
	Types   string `json:"types"`
	Default string `json:"default"`
}

func packageJSON(version string) ([]byte, error) {
	exports := map[string]any{
		"./lang/*":       target{"./types/lang/*.d.ts", "./lang/*.js"},
		"./package.json": "./package.json",
	}
	for _, e := range entries {
		exports[e.subpath] = target{"./types/" + strings.TrimSuffix(e.source, ".ts") + ".d.ts", "./" + e.file}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(struct {
		Name        string         `json:"name"`
		Version     string         `json:"version"`
		Description string         `json:"description"`
		Keywords    []string       `json:"keywords"`
		License     string         `json:"license"`
		Type        string         `json:"type"`
		SideEffects []string       `json:"sideEffects"`
		Exports     map[string]any `json:"exports"`
		Types       string         `json:"types"`
		Files       []string       `json:"files"`
	}{
		packageName, version,
		"<postern-upload>: photos straight from the browser into your S3 bucket.",
		[]string{"upload", "s3", "image", "custom-element", "web-component"},
		"Apache-2.0", "module",
		[]string{"./postern.js"},
		exports, "./types/index.d.ts",
		[]string{"*.js", "lang", "types"},
	})
	return b.Bytes(), err
}

// packed tells what a package holds.
func packed(folder string, stdout io.Writer) error {
	names, err := filesBelow(folder)
	if err != nil {
		return err
	}
	var sum int64
	for _, name := range names {
		i, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		sum += i.Size()
	}
	fmt.Fprintf(stdout, "%s: %d files, %d bytes\n", packageName, len(names), sum)
	return nil
}
