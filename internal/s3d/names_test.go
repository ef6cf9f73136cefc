package s3d

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func errorsAs[T error](err error, target *T) bool { return errors.As(err, target) }

func sdkForm(t *testing.T, url string, values map[string]string, file string) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range values {
		must(t, w.WriteField(k, v))
	}
	p, err := w.CreateFormFile("file", "x")
	if err != nil {
		t.Fatal(err)
	}
	write(t, p, file)
	must(t, w.Close())
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, &b)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func oddKeys() []string {
	return []string{
		"a", "A", "a/b", "a/b/", "a//b", "/", "//", "/a", "..", "../..", "a/../../../etc/passwd", ".", "./a", "a/.", "a/..",
		"%2F", "a%2Fb", "%", "%%", "%zz", "ü", "u\u0308", "日本語", "😀", "a b", "a+b", "a&b=c?d#e", "con", "NUL", "k-a", "h-a", "a.", "a..", ".lock", "cors.xml",
		"tmp/x", "objects", "\x00", "a\x00b", "\n", "a\x1bb", "\\", `..\..\a`, "C:\\a", "~", "*", `"`, "'", "<>", "a\u2028b", "\u202e", "\ufffe",
		strings.Repeat("k", 1024), strings.Repeat("K", 1024), strings.Repeat("ü", 512), strings.Repeat("/", 1024), strings.Repeat("k", 198), strings.Repeat("k", 199), strings.Repeat("../", 341),
	}
}

// Every key is its own object, read back under exactly its bytes, and every
// file lies in the bucket's folder.
func TestNamesAreExact(t *testing.T) {
	f := start(t)
	for _, key := range oddKeys() {
		f.put(key, "body of "+key)
	}
	for _, key := range oddKeys() {
		if g := f.get(key); g.status != 200 || string(g.body) != "body of "+key {
			t.Errorf("%q: %d %q", key, g.status, g.body)
		}
	}
	all := f.files()
	if len(all) != len(oddKeys()) {
		t.Errorf("%d files for %d keys", len(all), len(oddKeys()))
	}
	for _, path := range all {
		rel, err := filepath.Rel(f.dir, path)
		if err != nil || len(strings.Split(rel, string(filepath.Separator))) != 4 || len(filepath.Base(rel)) > maxName {
			t.Errorf("file %s", rel)
		}
	}
	if outside, err := os.ReadDir(filepath.Dir(f.dir)); err != nil || len(outside) != 1 {
		t.Errorf("beside the folder: %v %v", outside, err)
	}
	// Names that differ in case only must differ in more on disk.
	lower := make(map[string]bool)
	for _, path := range all {
		if l := strings.ToLower(path); lower[l] {
			t.Errorf("two files called %s where case is folded", path)
		} else {
			lower[l] = true
		}
	}
	// The same in forms.
	for _, key := range []string{"../../x", "a/b/", "%2F", "\u202e$$", "a b+c"} {
		if strings.Contains(key, "$") {
			continue // in a policy's eq S3 reads $$ as something else
		}
		f.expect(f.post(formSpec{fields: fieldsFor(key)}), 204, "")
		if g := f.get(key); string(g.body) != "hello" {
			t.Errorf("form for %q: %s", key, g.body)
		}
	}
	// All of them come back from a fresh index.
	again := newIndex(filepath.Join(f.dir, testBucket, objectsDir))
	p, err := again.list(span{limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, it := range p.items {
		found[it.entry.key] = true
	}
	for _, key := range oddKeys() {
		if !found[key] {
			t.Errorf("%q is not listed", key)
		}
	}
}

// [D] A key has at most 1,024 bytes.
func TestNamesTooLong(t *testing.T) {
	f := start(t)
	long := strings.Repeat("k", 1025)
	r := f.do("PUT", "/photos/"+long, []byte("x"), nil)
	f.expect(r, 400, "KeyTooLongError")
	if r.element("Size") != "1025" || r.element("MaxSizeAllowed") != "1024" {
		t.Errorf("elements are %s", r.body)
	}
	f.refused(formSpec{fields: fieldsFor(long)}, 400, "KeyTooLongError", "")
	f.expect(f.do("PUT", "/photos/"+strings.Repeat("%C3%BC", 513), []byte("x"), nil), 400, "KeyTooLongError")
	f.expect(f.do("PUT", "/photos/%ff", []byte("x"), nil), 400, "InvalidURI")
	f.refused(formSpec{fields: fieldsFor("")}, 400, "InvalidArgument", "")
}

// Threat 4: no file name of a client's leads anywhere.
func TestThreat04_KeyTraversal(t *testing.T) {
	f := start(t)
	for _, name := range []string{"../../m/x", `..\\x`, "a\x00b", "%2e%2e/x", strings.Repeat("n", 5000), "\u202egpj.exe", "$$", "${filename}"} {
		r := f.post(formSpec{filename: &name})
		if r.status != 204 && r.status != 400 {
			t.Errorf("%q: %d", name, r.status)
		}
		for _, path := range f.files() {
			if filepath.Base(path) != "k-up%2fa" {
				t.Errorf("%q wrote %s", name, path)
			}
		}
	}
}
