// Command build bundles web/src into web/dist with esbuild. It lives in a
// module of its own, so that those who import Postern never see esbuild.
//
//	go run -C web/build .          writes web/dist (go generate ./web does this)
//	go run -C web/build . -check   fails when web/dist is not what src makes
//	go run -C web/build . -tests   writes web/.cache/*.mjs for node --test
//	go run -C web/build . -npm FOLDER [-version v1.2.3]
//	                               writes the package for npm; needs npm ci --prefix web
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// scripts are the entries of src and what they become in dist.
var scripts = map[string]string{
	"put.ts":       "put.js",
	"core.ts":      "core.js",
	"multipart.ts": "multipart.js",
	"resume.ts":    "resume.js",
	"image.ts":     "image.js",
	"folder.ts":    "folder.js",
	"camera.ts":    "camera.js",
	"order.ts":     "order.js",
	"lang/ar.ts":   "lang/ar.js",
	"lang/de.ts":   "lang/de.js",
	"lang/es.ts":   "lang/es.js",
	"lang/fr.ts":   "lang/fr.js",
	"lang/hi.ts":   "lang/hi.js",
	"lang/ja.ts":   "lang/ja.js",
	"lang/pt.ts":   "lang/pt.js",
	"lang/zh.ts":   "lang/zh.js",
	"many.ts":      "many.js",
	"languages.ts": "languages.js",
	"thumbhash.ts": "thumbhash.js",
	"index.ts":     "postern.js",
	"page.ts":      "page.js",
	"page.css":     "page.css",
}

// copies go from src to dist as they are.
var copies = []string{"page.html", "favicon.svg"}

// units are the parts that run without a browser, for node --test.
var units = []string{"core.ts", "item.ts", "lang/en.ts", "put.ts", "thumbhash.ts", "words.ts"}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	f := flag.NewFlagSet("build", flag.ContinueOnError)
	f.SetOutput(stderr)
	check := f.Bool("check", false, "compare dist with what src makes, write nothing")
	tests := f.Bool("tests", false, "write .cache/*.mjs for node --test")
	npm := f.String("npm", "", "write the package for npm into this `folder`")
	version := f.String("version", "", "the package's version, as postern version says it; 0.0.0 without one")
	if err := f.Parse(args); err != nil {
		return 2
	}
	var err error
	switch {
	case *npm != "":
		if err = writePackage("..", *npm, *version); err == nil {
			err = packed(*npm, stdout)
		}
	case *tests:
		err = buildTests("..")
	case *check:
		err = compare("..", stdout)
	default:
		err = writeDist("..", stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "build: error: %v\n", err)
		return 1
	}
	return 0
}

func options(web string) api.BuildOptions {
	return api.BuildOptions{
		AbsWorkingDir: web,
		Bundle:        true,
		Format:        api.FormatESModule,
		Target:        api.ES2022,
		Charset:       api.CharsetUTF8,
		Loader:        map[string]api.Loader{".css": api.LoaderCSS},
		Plugins:       []api.Plugin{cssText},
		LegalComments: api.LegalCommentsNone,
		LogLevel:      api.LogLevelSilent,
	}
}

// bundle returns what dist should hold, by file name.
func bundle(web string) (map[string][]byte, error) {
	web, err := filepath.Abs(web)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, entry := range slices.Sorted(maps.Keys(scripts)) {
		o := options(web)
		o.EntryPoints = []string{filepath.Join("src", entry)}
		o.Plugins = append(o.Plugins, later)
		o.MinifyWhitespace, o.MinifyIdentifiers, o.MinifySyntax = true, true, true
		out, err := build(o)
		if err != nil {
			return nil, err
		}
		files[scripts[entry]] = out
	}
	page, err := elementPage(web)
	if err != nil {
		return nil, err
	}
	files["element.html"] = page
	for _, name := range copies {
		b, err := os.ReadFile(filepath.Join(web, "src", name))
		if err != nil {
			return nil, err
		}
		files[name] = b
	}
	return files, nil
}

func build(o api.BuildOptions) ([]byte, error) {
	r := api.Build(o)
	if len(r.Errors) > 0 {
		return nil, errors.New(strings.Join(api.FormatMessages(r.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage}), ""))
	}
	if len(r.OutputFiles) != 1 {
		return nil, fmt.Errorf("%v makes %d files, not one", o.EntryPoints, len(r.OutputFiles))
	}
	return r.OutputFiles[0].Contents, nil
}

// cssText gives the text of a style sheet, minified, to a script that imports
// it: the element adopts it as a constructed sheet, which needs no leave from
// the page's Content-Security-Policy.
var cssText = api.Plugin{Name: "css-text", Setup: func(b api.PluginBuild) {
	b.OnLoad(api.OnLoadOptions{Filter: `element\.css$`}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		src, err := os.ReadFile(a.Path)
		if err != nil {
			return api.OnLoadResult{}, err
		}
		r := api.Transform(string(src), api.TransformOptions{
			Loader: api.LoaderCSS, Target: api.ES2022, MinifyWhitespace: true, MinifySyntax: true,
		})
		if len(r.Errors) > 0 {
			return api.OnLoadResult{Errors: r.Errors}, nil
		}
		text := strings.TrimSpace(string(r.Code))
		return api.OnLoadResult{Contents: &text, Loader: api.LoaderText}, nil
	})
}}

// later leaves what a script imports by a call where it is: a file of its own,
// beside the script, that is fetched when it is needed.
var later = api.Plugin{Name: "later", Setup: func(b api.PluginBuild) {
	b.OnResolve(api.OnResolveOptions{Filter: `^\./.*\.ts$`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		if a.Kind != api.ResolveJSDynamicImport {
			return api.OnResolveResult{}, nil
		}
		file, ok := scripts[strings.TrimPrefix(a.Path, "./")]
		if !ok {
			return api.OnResolveResult{}, fmt.Errorf("%s imports %s, which is no entry of its own", a.Importer, a.Path)
		}
		return api.OnResolveResult{Path: "./" + file, External: true}, nil
	})
}}

func writeDist(web string, stdout io.Writer) error {
	files, err := bundle(web)
	if err != nil {
		return err
	}
	dist := filepath.Join(web, "dist")
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	there, err := filesBelow(dist)
	if err != nil {
		return err
	}
	for _, name := range there {
		if _, ok := files[name]; !ok {
			if err := os.Remove(filepath.Join(dist, name)); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dist, name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dist, name), files[name], 0o644); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%-12s %7d bytes %7d gzip -9\n", name, len(files[name]), gzipped(files[name]))
	}
	return nil
}

// compare fails when dist differs from what src makes.
func compare(web string, stdout io.Writer) error {
	files, err := bundle(web)
	if err != nil {
		return err
	}
	var stale []string
	for name, want := range files {
		have, err := os.ReadFile(filepath.Join(web, "dist", name))
		if err != nil || !bytes.Equal(have, want) {
			stale = append(stale, name)
		}
	}
	there, err := filesBelow(filepath.Join(web, "dist"))
	if err != nil {
		return err
	}
	for _, name := range there {
		if _, ok := files[name]; !ok {
			stale = append(stale, name)
		}
	}
	if len(stale) > 0 {
		slices.Sort(stale)
		return fmt.Errorf("web/dist is not what web/src makes (%s): run go generate ./web", strings.Join(stale, ", "))
	}
	fmt.Fprintln(stdout, "web/dist is what web/src makes")
	return nil
}

// filesBelow returns the names of all files below a folder, with slashes.
func filesBelow(folder string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

func buildTests(web string) error {
	web, err := filepath.Abs(web)
	if err != nil {
		return err
	}
	cache := filepath.Join(web, ".cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	for _, unit := range units {
		o := options(web)
		o.EntryPoints = []string{filepath.Join("src", unit)}
		o.Sourcemap = api.SourceMapInline
		out, err := build(o)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(unit), ".ts") + ".mjs"
		if err := os.WriteFile(filepath.Join(cache, name), out, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func gzipped(b []byte) int {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return 0
	}
	w.Write(b) //nolint:errcheck // a buffer takes everything
	w.Close()  //nolint:errcheck // a buffer takes everything
	return out.Len()
}
