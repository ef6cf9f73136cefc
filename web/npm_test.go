package web_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pack makes the package for npm, where there is what makes it; make test has it.
func pack(t *testing.T, args ...string) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: the package for npm is not tested: %v", err)
		}
	}
	if _, err := os.Stat("node_modules/.bin/tsc"); err != nil {
		t.Skip("SKIPPED: the package for npm is not tested: run npm ci --prefix web")
	}
	folder := filepath.Join(t.TempDir(), "node_modules", "postern-upload")
	run(t, "", "go", append([]string{"run", "-C", "build", ".", "-npm", folder}, args...)...)
	return folder
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, said.String())
	}
	return string(out)
}

type packageJSON struct {
	Name                           string
	Version                        string
	Type                           string
	SideEffects                    []string
	Exports                        map[string]any
	Dependencies, PeerDependencies map[string]string
	Scripts                        map[string]string
}

func TestPackage(t *testing.T) {
	folder := pack(t, "-version", "v1.2.3")
	files := os.DirFS(folder)
	text, err := fs.ReadFile(files, "package.json")
	if err != nil {
		t.Fatal(err)
	}
	var p packageJSON
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if p.Name != "postern-upload" || p.Version != "1.2.3" || p.Type != "module" || !slices.Equal(p.SideEffects, []string{"./postern.js"}) {
		t.Errorf("package.json says %s %s %s, side effects %v", p.Name, p.Version, p.Type, p.SideEffects)
	}
	if len(p.Dependencies)+len(p.PeerDependencies)+len(p.Scripts) > 0 {
		t.Error("it depends on others, or does something when it is installed")
	}
	for _, subpath := range []string{".", "./element", "./core", "./put", "./lang/*"} {
		e, ok := p.Exports[subpath].(map[string]any)
		if !ok {
			t.Errorf("%s is not to be imported", subpath)
			continue
		}
		for kind, file := range e {
			if m, err := fs.Glob(files, strings.TrimPrefix(file.(string), "./")); err != nil || len(m) == 0 {
				t.Errorf("%s of %s is %s, which is not there", kind, subpath, file)
			}
		}
	}

	t.Run("what npm would publish is what belongs", func(t *testing.T) {
		var list []struct{ Files []struct{ Path string } }
		if err := json.Unmarshal([]byte(run(t, folder, "npm", "pack", "--dry-run", "--json", "--loglevel=silent")), &list); err != nil {
			t.Fatal(err)
		}
		belongs := regexp.MustCompile(`^(package\.json|README\.md|LICENSE|[a-z]+\.js|lang/[a-z]{2}\.js|types/[a-z]+\.d\.ts|types/lang/[a-z]{2}\.d\.ts)$`)
		var names []string
		for _, f := range list[0].Files {
			names = append(names, f.Path)
			if !belongs.MatchString(f.Path) {
				t.Errorf("%s is in the package", f.Path)
			}
		}
		// Every script of dist but the page's is there, lazy parts beside the entries.
		dist, err := fs.Glob(os.DirFS("dist"), "*.js")
		if err != nil {
			t.Fatal(err)
		}
		lang, err := fs.Glob(os.DirFS("dist"), "lang/*.js")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(append(dist, lang...), "LICENSE", "README.md", "element.js") {
			if name != "page.js" && !slices.Contains(names, name) {
				t.Errorf("%s is not in the package", name)
			}
		}
		for _, name := range []string{"page.js", "types/page.d.ts", "types/row.d.ts"} {
			if slices.Contains(names, name) {
				t.Errorf("%s is in the package, and nobody's there", name)
			}
		}
	})

	t.Run("it names no file that it lacks and no place on the network", func(t *testing.T) {
		imports := regexp.MustCompile(`(?:from |import\()["'](\.[^"']*)["']`)
		address := regexp.MustCompile(`https?://[\w.-]+`)
		err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			for _, m := range imports.FindAllStringSubmatch(string(text), -1) {
				to := filepath.Join(filepath.Dir(name), m[1])
				if strings.HasSuffix(name, ".d.ts") {
					to = strings.TrimSuffix(to, ".js") + ".d.ts"
				}
				if _, err := fs.Stat(files, to); err != nil {
					t.Errorf("%s imports %s, which is not there", name, m[1])
				}
			}
			for _, a := range address.FindAllString(string(text), -1) {
				if name != "LICENSE" && !strings.HasSuffix(a, ".example") && a != "http://www.w3.org" && a != "https://evanw.github.io" {
					t.Errorf("%s names %s", name, a)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})

	t.Run("one queue and one kind of error in all entries", func(t *testing.T) {
		for script, defines := range map[string]string{"postern.js": "customElements.define", "element.js": "class extends HTMLElement", "core.js": "class extends EventTarget", "put.js": "XMLHttpRequest"} {
			for _, other := range []string{"postern.js", "element.js", "core.js", "put.js"} {
				text, err := fs.ReadFile(files, other)
				if err != nil {
					t.Fatal(err)
				}
				// esbuild may name the class: "class _PosternUpload extends HTMLElement".
				has := regexp.MustCompile(strings.Replace(regexp.QuoteMeta(defines), "class ", `class (\w+ )?`, 1)).Match(text)
				if has != (other == script) {
					t.Errorf("%s has %q: %v", other, defines, has)
				}
			}
		}
	})

	t.Run("the queue and put without a browser", func(t *testing.T) {
		const script = `
			const { Queue, PutError, settled } = await import('postern-upload/core');
			const { put, PutError: same } = await import('postern-upload/put');
			const { default: de } = await import('postern-upload/lang/de');
			console.log(typeof Queue, typeof put, PutError === same, settled('ready'), de.pick);`
		if have, want := run(t, filepath.Dir(filepath.Dir(folder)), "node", "--input-type=module", "-e", script), "function function true true Foto auswählen\n"; have != want {
			t.Errorf("it says %q, want %q", have, want)
		}
	})
}

// TestPackageTypes compiles an application against the package, as strictly as
// there is, and with the package's own declarations looked at.
func TestPackageTypes(t *testing.T) {
	root := filepath.Dir(filepath.Dir(pack(t)))
	consumer, err := os.ReadFile("testdata/consumer.ts")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"consumer.ts": string(consumer), "package.json": `{"type":"module"}`} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tsc, err := filepath.Abs("node_modules/.bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	for module, resolution := range map[string]string{"esnext": "bundler", "node16": "node16", "nodenext": "nodenext"} {
		t.Run(resolution, func(t *testing.T) {
			run(t, root, tsc, "--noEmit", "--strict", "--skipLibCheck", "false", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess",
				"--verbatimModuleSyntax", "--isolatedModules", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--types", "",
				"--module", module, "--moduleResolution", resolution, "consumer.ts")
		})
	}
	t.Run("it would notice", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(root, "wrong.ts"), []byte("import { put } from 'postern-upload/put';\nvoid put({ method: 'PUT' }, new Blob());\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(tsc, "--noEmit", "--strict", "--module", "nodenext", "--types", "", "wrong.ts")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "url") {
			t.Errorf("a grant without URL compiles: %s", out)
		}
	})
}

func TestPackageOverSomethingElse(t *testing.T) {
	folder := pack(t)
	again := exec.Command("go", "run", "-C", "build", ".", "-npm", folder)
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("over a package of before: %v\n%s", err, out)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := exec.Command("go", "run", "-C", "build", ".", "-npm", other)
	if out, err := refused.CombinedOutput(); err == nil {
		t.Errorf("it wrote over somebody's files: %s", out)
	}
	if _, err := os.Stat(filepath.Join(other, "thesis.txt")); err != nil {
		t.Error(err)
	}
	wrong := exec.Command("go", "run", "-C", "build", ".", "-npm", folder, "-version", "1.2")
	if out, err := wrong.CombinedOutput(); err == nil {
		t.Errorf("it took 1.2 for a version: %s", out)
	}
}
