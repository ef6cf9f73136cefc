package s3d

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postern.example/postern/sigv4"
)

// Fuzz targets without seeds fuzz nothing in a plain test run.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	for _, name := range []string{"FuzzForm", "FuzzFormReader", "FuzzRange", "FuzzKeyName", "FuzzCORS", "FuzzTrailer", "FuzzCompleteXML", "FuzzCRCJoin"} {
		seeds, err := os.ReadDir(filepath.Join("testdata", "fuzz", name))
		if err != nil || len(seeds) == 0 {
			t.Errorf("%s has no seeds: %v", name, err)
		}
	}
}

// The good seed is a form that is stored: fuzzing starts behind the signature.
func TestFuzzFormSeedIsStored(t *testing.T) {
	seed, err := os.ReadFile(filepath.Join("testdata", "fuzz", "FuzzForm", "good"))
	must(t, err)
	lines := strings.Split(string(seed), "\n")
	body, err := strconv.Unquote(strings.TrimSuffix(strings.TrimPrefix(lines[1], "[]byte("), ")"))
	must(t, err)
	s := fuzzServer(t)
	r := httptest.NewRequest("POST", "/photos", strings.NewReader(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=B")
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// fuzzServer has the clock that the seeds are signed for.
func fuzzServer(t testing.TB) *Server {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := config(filepath.Join(t.TempDir(), "bucket"))
	c.Now = func() time.Time { return at }
	s, err := New(c)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	_, err = s.create(testBucket)
	must(t, err)
	return s
}

// FuzzForm sends a body to POST Object, end to end. Whatever it is, there is
// one answer, nothing is stored unless it says so, and no draft stays.
func FuzzForm(f *testing.F) {
	s := fuzzServer(f)
	drafts := filepath.Join(s.dir, testBucket, draftsDir)
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		r := httptest.NewRequest("POST", "/photos", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		before := s.Stats()
		s.ServeHTTP(w, r)
		after := s.Stats()
		if stored := after.ObjectsWritten > before.ObjectsWritten; stored != (w.Code/100 == 2 || w.Code == 303) {
			t.Errorf("answered %d, stored %v", w.Code, stored)
		}
		if w.Code >= 500 && w.Code != 501 || w.Code < 200 {
			t.Errorf("answered %d: %s", w.Code, w.Body)
		}
		if names, err := readNames(drafts); err != nil || len(names) > 0 {
			t.Errorf("drafts %v %v", names, err)
		}
	})
}

// FuzzFormReader compares our reader with mime/multipart, and with itself when
// the body comes one byte at a time.
func FuzzFormReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte, boundary string) {
		if boundary == "" || len(boundary) > 70 || strings.ContainsAny(boundary, "\r\n") {
			return
		}
		ours, err := readAllParts(newForm(bytes.NewReader(body), boundary, make([]byte, 512)))
		slow, slowErr := readAllParts(newForm(iotest.OneByteReader(bytes.NewReader(body)), boundary, make([]byte, 512)))
		if (err == nil) != (slowErr == nil) || len(ours) != len(slow) {
			t.Fatalf("at once: %q %v; by bytes: %q %v", ours, err, slow, slowErr)
		}
		for i := range ours {
			if ours[i] != slow[i] {
				t.Fatalf("part %d: %q and %q", i, ours[i], slow[i])
			}
		}
		if err != nil {
			return
		}
		// What we take as a whole form, the standard library reads alike.
		m := multipart.NewReader(bytes.NewReader(body), boundary)
		for i, o := range ours {
			p, err := m.NextRawPart()
			if err != nil {
				t.Fatalf("part %d: ours is %q, theirs %v", i, o, err)
			}
			b, err := io.ReadAll(p)
			if err != nil || strings.ToLower(p.FormName()) != o.name || string(b) != o.value {
				t.Fatalf("part %d: ours is %q, theirs %q %q %v", i, o, p.FormName(), b, err)
			}
		}
	})
}

type partAndValue struct{ name, value string }

func readAllParts(f *form) ([]partAndValue, error) {
	var all []partAndValue
	for {
		p, err := f.next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		v, err := f.value()
		if err != nil {
			return all, err
		}
		all = append(all, partAndValue{p.name, v})
	}
}

// FuzzRange: whatever the header says, the range lies within the object.
func FuzzRange(f *testing.F) {
	f.Fuzz(func(t *testing.T, spec string, size int64) {
		if size < 0 || size > maxObject {
			return
		}
		start, length, ok := parseRange(spec, size)
		if ok && length != 0 && (start < 0 || length < 0 || start+length > size) {
			t.Errorf("%q of %d: %d+%d", spec, size, start, length)
		}
	})
}

// FuzzKeyName: every key has one name that leads back to it and nowhere else.
func FuzzKeyName(f *testing.F) {
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" || len(key) > maxKey {
			return
		}
		_, name := fileName(key)
		if !filepath.IsLocal(name) || filepath.Base(name) != name || len(name) > maxName || strings.ToLower(name) != name ||
			strings.HasSuffix(name, ".") || strings.ContainsAny(name, "\x00/\\:*?\"<>| ") {
			t.Errorf("%q becomes %q", key, name)
		}
		back, known, err := keyOf(name)
		if err != nil || known && back != key {
			t.Errorf("%q becomes %q becomes %q (%v)", key, name, back, err)
		}
		// The other way round: a text that is a name is its key's only name.
		if k, known, err := keyOf(key); err == nil && known {
			if _, n := fileName(k); n != key {
				t.Errorf("%q is the key of %q, whose name is %q", k, key, n)
			}
		}
	})
}

// FuzzCORS: a document that is taken has rules that hold what was checked.
func FuzzCORS(f *testing.F) {
	f.Fuzz(func(t *testing.T, doc []byte) {
		rules, err := parseCORS(doc)
		var e *sigv4.Error
		if err != nil {
			if !errors.As(err, &e) || e.Status != 400 {
				t.Errorf("error is %v", err)
			}
			return
		}
		if len(rules) == 0 || len(rules) > maxRules {
			t.Errorf("%d rules", len(rules))
		}
		for _, r := range rules {
			h := make(map[string][]string)
			r.writeTo(h, r.Origins[0], "https://app.example")
			for name, v := range h {
				if !isText(v[0]) {
					t.Errorf("%s is %q", name, v)
				}
			}
		}
	})
}

// FuzzTrailer: no file makes the reader fail other than by saying that it is
// no object.
func FuzzTrailer(f *testing.F) {
	path := filepath.Join(f.TempDir(), "object")
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		fd, o, err := openObject(path, "")
		if err != nil {
			if !errors.Is(err, errNotObject) {
				t.Errorf("error is %v", err)
			}
			return
		}
		must(t, fd.Close())
		if o.Size < 0 || o.Size > int64(len(file)) {
			t.Errorf("size is %d of %d", o.Size, len(file))
		}
	})
}
