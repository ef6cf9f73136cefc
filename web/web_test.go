package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"postern.example/postern/web"
)

func get(t *testing.T, h http.Handler, method, path string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandlerServesThePageAndItsParts(t *testing.T) {
	h := web.Handler(web.Config{})
	for path, want := range map[string]string{
		"/":             "text/html; charset=utf-8",
		"/postern.js":   "text/javascript; charset=utf-8",
		"/multipart.js": "text/javascript; charset=utf-8",
		"/core.js":      "text/javascript; charset=utf-8",
		"/resume.js":    "text/javascript; charset=utf-8",
		"/lang/de.js":   "text/javascript; charset=utf-8",
		"/page.js":      "text/javascript; charset=utf-8",
		"/page.css":     "text/css; charset=utf-8",
		"/favicon.svg":  "image/svg+xml",
	} {
		r := get(t, h, http.MethodGet, path, nil)
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != want {
			t.Errorf("GET %s: %d %q, want 200 %q", path, r.StatusCode, r.Header.Get("Content-Type"), want)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s: may be sniffed", path)
		}
		content := body(t, r)
		if len(content) == 0 {
			t.Errorf("GET %s: empty", path)
		}
		head := get(t, h, http.MethodHead, path, nil)
		if head.StatusCode != http.StatusOK || body(t, head) != "" || head.Header.Get("Content-Length") != r.Header.Get("Content-Length") {
			t.Errorf("HEAD %s: %d, length %q", path, head.StatusCode, head.Header.Get("Content-Length"))
		}
		for _, tag := range []string{r.Header.Get("ETag"), `"x", W/` + r.Header.Get("ETag"), "*"} {
			again := get(t, h, http.MethodGet, path, http.Header{"If-None-Match": {tag}})
			if again.StatusCode != http.StatusNotModified || body(t, again) != "" {
				t.Errorf("GET %s with If-None-Match %s: %d", path, tag, again.StatusCode)
			}
		}
		if again := get(t, h, http.MethodGet, path, http.Header{"If-None-Match": {`"other"`}}); again.StatusCode != http.StatusOK {
			t.Errorf("GET %s with another ETag: %d", path, again.StatusCode)
		}

		small := get(t, h, http.MethodGet, path, http.Header{"Accept-Encoding": {"br, gzip;q=0.5"}})
		if small.Header.Get("Content-Encoding") != "gzip" || small.Header.Get("ETag") == r.Header.Get("ETag") {
			t.Fatalf("GET %s with gzip: encoding %q, ETag %s", path, small.Header.Get("Content-Encoding"), small.Header.Get("ETag"))
		}
		z, err := gzip.NewReader(small.Body)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(z); err != nil || string(b) != content {
			t.Errorf("GET %s with gzip: other content, %v", path, err)
		}
		plain := get(t, h, http.MethodGet, path, http.Header{"Accept-Encoding": {"gzip;q=0, br"}})
		if plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("GET %s: gzip was refused by the client and sent", path)
		}
	}
}

func TestHandlerServesNothingElse(t *testing.T) {
	h := web.Handler(web.Config{})
	for _, path := range []string{"/page.html", "/element.html", "/docs/element", "/lang/", "/lang/xx.js", "/dist/postern.js", "/web.go", "/x", "/postern.js/", "/.npmrc", "//"} {
		if r := get(t, h, http.MethodGet, path, nil); r.StatusCode == http.StatusOK {
			t.Errorf("GET %s: %d", path, r.StatusCode)
		}
	}
	if r := get(t, h, http.MethodGet, "/x", nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("GET /x: %d, want 404", r.StatusCode)
	}
	if r := get(t, h, http.MethodPost, "/", nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /: %d, want 405", r.StatusCode)
	}
}

func TestPagePolicy(t *testing.T) {
	h := web.Handler(web.Config{
		// What is no origin must not get into the header.
		BucketOrigins: []string{"http://127.0.0.1:9000", "https://cdn.example/images", "https://x;script-src *", "javascript:alert(1)", "*"},
		APIBase:       "https://gate.example/photos",
	})
	r := get(t, h, http.MethodGet, "/", nil)
	const want = "default-src 'none'; script-src 'self'; style-src 'self'; " +
		"img-src 'self' blob: data: https://gate.example http://127.0.0.1:9000 https://cdn.example; " +
		"connect-src 'self' https://gate.example http://127.0.0.1:9000 https://cdn.example; " +
		"base-uri 'none'; form-action 'self' http://127.0.0.1:9000 https://cdn.example; frame-ancestors 'none'"
	if have := r.Header.Get("Content-Security-Policy"); have != want {
		t.Errorf("policy\n%s, want\n%s", have, want)
	}
	if r.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the page tells its address to others")
	}
	page := body(t, r)
	if !strings.Contains(page, `endpoint="https://gate.example/photos"`) {
		t.Error("the element does not know its endpoint")
	}
	// Nothing that the policy forbids.
	for _, inline := range []string{"<style", " style=", "<script>", " onclick="} {
		if strings.Contains(page, inline) {
			t.Errorf("the page holds %s, which its policy forbids", inline)
		}
	}
	for _, script := range []string{"/postern.js", "/multipart.js", "/image.js", "/lang/ar.js"} {
		if r := get(t, h, http.MethodGet, script, nil); r.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("pages elsewhere cannot load %s", script)
		}
	}
}

// What a developer wants to read is there on his own machine, with the examples
// at work, and nowhere else.
func TestElementPage(t *testing.T) {
	page := body(t, get(t, web.Handler(web.Config{Local: true}), http.MethodGet, "/docs/element", nil))
	if n := strings.Count(page, `<div class="live">`); n != 4 {
		t.Errorf("%d live examples, want 4", n)
	}
	for _, inline := range []string{"<style", " style=", "<script>", " onclick=", "{{"} {
		if strings.Contains(strings.Split(page, "<main>")[0], inline) {
			t.Errorf("the page holds %s, which its policy forbids", inline)
		}
	}
	if r := get(t, web.Handler(web.Config{}), http.MethodGet, "/docs/element", nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("GET /docs/element on a server: %d, want 404", r.StatusCode)
	}
}

func TestPageTellsLocalMode(t *testing.T) {
	const words = "Local mode"
	if !strings.Contains(body(t, get(t, web.Handler(web.Config{Local: true}), http.MethodGet, "/", nil)), words) {
		t.Error("local mode is not told")
	}
	page := body(t, get(t, web.Handler(web.Config{APIBase: `"><script>`}), http.MethodGet, "/", nil))
	if strings.Contains(page, words) || strings.Contains(page, `"><script>"`) || strings.Contains(page, "{{") {
		t.Error("the page is filled in wrongly")
	}
}

// TestBudget holds the entries against facts that are promised: gzip -9, in
// bytes. The element counts with its core and style sheet.
func TestBudget(t *testing.T) {
	limits := map[string]int{
		"put.js": 1_000, "core.js": 4_000, "postern.js": 10_000, "multipart.js": 1_000, "image.js": 1_500, "resume.js": 1_500,
		"many.js": 1_000, "order.js": 1_000, "camera.js": 1_500, "folder.js": 500, "languages.js": 500, "thumbhash.js": 1_000,
	}
	languages, err := filepath.Glob("dist/lang/*.js")
	if err != nil || len(languages) != 8 {
		t.Fatalf("languages %v, %v: want 8 beside English", languages, err)
	}
	for _, name := range languages {
		limits["lang/"+filepath.Base(name)] = 800
	}
	for name, limit := range limits {
		content, err := os.ReadFile(filepath.Join("dist", name))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes, %d gzip -9, budget %d", name, len(content), b.Len(), limit)
		if b.Len() > limit {
			t.Errorf("%s has %d bytes gzip -9, %d over its budget", name, b.Len(), b.Len()-limit)
		}
	}
}

// TestDistIsFresh rebuilds dist and compares, where the module of the build is
// at hand; CI runs the same by itself and there it must be.
func TestDistIsFresh(t *testing.T) {
	probe := exec.Command("go", "list", "-mod=readonly", "-deps", ".")
	probe.Dir = "build"
	probe.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=")
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: esbuild is not in the module cache; run go run -C web/build . -check\n%s", out)
	}
	check := exec.Command("go", "run", "-C", "build", ".", "-check")
	check.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
