package auth_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"postern.example/postern"
	"postern.example/postern/auth"
)

func newKey(t testing.TB, k auth.Key) (auth.Key, string) {
	t.Helper()
	made, text, err := auth.NewKey(k, noon, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return made, text
}

// writeKeys replaces the file as the command does: whole, by another.
func writeKeys(t testing.TB, path string, keys ...auth.Key) {
	t.Helper()
	text, err := auth.FormatKeys(keys)
	if err == nil {
		err = os.WriteFile(path+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func openKeys(t testing.TB, path string) *auth.Keys {
	t.Helper()
	k, err := auth.NewKeys(auth.KeysConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	kind := openKeys(t, path) // which is not there yet
	shop, text := newKey(t, auth.Key{Name: "shop"})
	if _, err := asked(kind, withToken(text)); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("before it is kept: %v", err)
	}
	bound, boundText := newKey(t, auth.Key{Name: "shop-2", Owner: "shop", Presets: []string{"a", "b"}, Limits: postern.Limits{MaxBytes: 5}})
	writeKeys(t, path, shop, bound)
	who, err := asked(kind, withToken(text))
	if err != nil || !reflect.DeepEqual(who, postern.Identity{Principal: "key/shop"}) {
		t.Errorf("%+v, %v", who, err)
	}
	want := postern.Identity{Principal: "key/shop", Presets: []string{"a", "b"}, Limits: postern.Limits{MaxBytes: 5}}
	if who, err = asked(kind, withToken(boundText)); err != nil || !reflect.DeepEqual(who, want) {
		t.Errorf("%+v, %v", who, err)
	}

	// For one of its own users; for somebody else's it cannot.
	for user, principal := range map[string]string{"alice": "key/shop/alice", "../other": "key/shop/../other", "~x": "key/shop/~x", "key/other": "key/shop/key/other"} {
		r := withToken(text)
		r.Header.Set(auth.PrincipalHeader, user)
		if who, err := asked(kind, r); err != nil || who.Principal != principal {
			t.Errorf("%s: %+v, %v", user, who, err)
		}
	}
	for _, user := range []string{"", strings.Repeat("a", 88), "a\x00b", "\xff"} {
		r := withToken(text)
		r.Header[auth.PrincipalHeader] = []string{user}
		if who, err := asked(kind, r); !errors.Is(err, postern.ErrBadRequest) {
			t.Errorf("%q: %+v, %v", user, who, err)
		}
	}
	r := withToken(text)
	r.Header[auth.PrincipalHeader] = []string{"alice", "bob"}
	if _, err := asked(kind, r); !errors.Is(err, postern.ErrBadRequest) {
		t.Errorf("two users: %v", err)
	}

	// Revoked: the next request is refused.
	writeKeys(t, path, bound)
	if _, err := asked(kind, withToken(text)); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("revoked: %v", err)
	}
	if _, err := asked(kind, withToken(boundText)); err != nil {
		t.Errorf("the other one: %v", err)
	}
}

// Threat 17: texts that are no keys, or nearly.
func TestThreat17_HostileKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	shop, text := newKey(t, auth.Key{Name: "shop"})
	writeKeys(t, path, shop)
	kind := openKeys(t, path)
	hash := string(must(os.ReadFile(path)))
	hash = hash[strings.Index(hash, `"sha256": "`)+11:][:64]
	_, strangers := newKey(t, auth.Key{Name: "shop"})
	last := "0"
	if strings.HasSuffix(text, "0") {
		last = "1"
	}
	for name, s := range map[string]string{
		"a stranger's": strangers, "nothing": "pk_", "cut": text[:len(text)-1], "more": text + "0", "other end": text[:len(text)-1] + last,
		"upper case": "pk_" + strings.ToUpper(text[3:]), "the hash": "pk_" + hash, "zeroes": "pk_" + strings.Repeat("0", 59), "long": "pk_" + strings.Repeat("a", 100_000),
		"the name": "pk_shop", "spaces inside": text[:10] + " " + text[10:], "prefix twice": "pk_" + text,
	} {
		if who, err := asked(kind, withToken(s)); !errors.Is(err, postern.ErrCredentialInvalid) || who.Principal != "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		} else if strings.Contains(err.Error(), text[3:20]) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	// In other places than the header it is nothing.
	r := httptest.NewRequest("GET", "/uploads?access_token="+text, nil)
	r.AddCookie(&http.Cookie{Name: "Authorization", Value: text})
	r.Header.Set("X-Api-Key", text)
	if _, err := asked(kind, r); !errors.Is(err, postern.ErrUnauthenticated) {
		t.Error(err)
	}
	r = withToken(text)
	r.Header.Add("Authorization", "Bearer "+text)
	if _, err := asked(kind, r); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("two of them: %v", err)
	}
}

// A file that cannot be used makes every key worthless, and says so in the log
// once.
func TestKeys_FileIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	shop, text := newKey(t, auth.Key{Name: "shop"})
	writeKeys(t, path, shop)
	var heard bytes.Buffer
	kind, err := auth.NewKeys(auth.KeysConfig{Path: path, Logger: slog.New(slog.NewTextHandler(&heard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(what string, f func()) {
		t.Helper()
		f()
		for range 3 {
			if _, err := asked(kind, withToken(text)); !errors.Is(err, postern.ErrSignInUnavailable) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := strings.Count(heard.String(), "API keys cannot be read"); n != 1 {
			t.Errorf("%s: told %d times", what, n)
		}
		heard.Reset()
		if _, err := auth.NewKeys(auth.KeysConfig{Path: path}); err == nil {
			t.Errorf("%s: it can be opened", what)
		}
		os.RemoveAll(path)
		writeKeys(t, path, shop)
		if _, err := asked(kind, withToken(text)); err != nil {
			t.Errorf("after %s: %v", what, err)
		}
	}
	write := func(s string) func() {
		return func() {
			if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
				t.Error(err)
			}
		}
	}
	if runtime.GOOS != "windows" {
		damaged("others may read it", func() { must(true, os.Chmod(path, 0o640)) })
	}
	damaged("cut", write(`{"version":1,"keys":[`))
	damaged("empty", write(``))
	damaged("another version", write(`{"version":2,"keys":[]}`))
	damaged("huge", write(strings.Repeat(" ", 1<<20)+`{"version":1,"keys":[]}`))
	damaged("a folder", func() { must(true, os.Remove(path)); must(true, os.Mkdir(path, 0o700)) })
	must(true, os.Remove(path))
	if _, err := asked(kind, withToken(text)); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("gone: %v", err)
	}
}

func TestParseKeys_Refuses(t *testing.T) {
	hash := `"sha256":"` + strings.Repeat("ab", 32) + `"`
	one := func(members string) string { return `{"version":1,"keys":[{` + members + `}]}` }
	if keys, err := auth.ParseKeys([]byte(one(`"name":"a","owner":"a",` + hash))); err != nil || len(keys) != 1 {
		t.Fatalf("%v, %v", keys, err)
	}
	for want, text := range map[string]string{
		"unknown field":  one(`"name":"a","owner":"a","max_byte":1,` + hash),
		"key name":       one(`"name":"A","owner":"a",` + hash),
		"key owner":      one(`"name":"a","owner":"a/b",` + hash),
		"no hash":        one(`"name":"a","owner":"a","sha256":"ab"`),
		"a number of":    one(`"name":"a","owner":"a","max_bytes":-1,` + hash),
		"by no preset":   one(`"name":"a","owner":"a","presets":[],` + hash),
		"name has 1 to":  one(`"name":"a","owner":"a","presets":[""],` + hash),
		"two called":     `{"version":1,"keys":[{"name":"a","owner":"a",` + hash + `},{"name":"a","owner":"a",` + hash + `}]}`,
		"behind the end": one(`"name":"a","owner":"a",`+hash) + "{}",
		"parse keys":     `[]`,
	} {
		if keys, err := auth.ParseKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", text, keys, err, want)
		}
	}
}

func TestNewKey(t *testing.T) {
	if _, _, err := auth.NewKey(auth.Key{Name: "a"}, noon, bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a key was made of too few random bytes")
	}
	_, a := newKey(t, auth.Key{Name: "a"})
	_, b := newKey(t, auth.Key{Name: "a"})
	if a == b || len(a) != 3+59 || !strings.HasPrefix(a, auth.KeyPrefix) {
		t.Error("keys are the same, or not as long as they say")
	}
	k, text := newKey(t, auth.Key{Name: "a", Presets: []string{"p"}, Limits: postern.Limits{MaxBytes: 7}})
	doc := must(auth.FormatKeys([]auth.Key{k}))
	if strings.Contains(string(doc), text[3:]) {
		t.Error("the file holds the key")
	}
	again := must(auth.ParseKeys(doc))
	if !reflect.DeepEqual(again, []auth.Key{k}) {
		t.Errorf("%+v became %+v", k, again)
	}
}

func FuzzParseKeys(f *testing.F) {
	k, _ := newKey(f, auth.Key{Name: "a", Presets: []string{"p"}})
	f.Add(must(auth.FormatKeys([]auth.Key{k})))
	f.Add([]byte(`{"version":1,"keys":[{"name":"a","owner":"b","sha256":"","made":"x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := auth.ParseKeys(text)
		if err != nil {
			return
		}
		doc, err := auth.FormatKeys(keys)
		if err != nil {
			t.Fatalf("%q cannot be written: %v", text, err)
		}
		if again, err := auth.ParseKeys(doc); err != nil || !reflect.DeepEqual(again, keys) {
			t.Errorf("%q became %q, %v", text, doc, err)
		}
	})
}
