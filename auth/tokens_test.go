package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/auth"
	"postern.example/postern/posterntest"
)

// desk is a gate where tokens are made.
type desk struct {
	*posterntest.Gate
	clock  *clock
	path   string // of the file of keys
	keys   *auth.Keys
	tokens *auth.Tokens
	issue  http.Handler
	config auth.TokensConfig
}

func sealing(b byte) []byte { return []byte(strings.Repeat(string(rune('a'+b)), 32)) }

func newDesk(t *testing.T, keys ...auth.Key) *desk {
	t.Helper()
	d := &desk{clock: &clock{}, path: filepath.Join(t.TempDir(), "keys.json")}
	writeKeys(t, d.path, keys...)
	d.Gate = posterntest.Start(t, posterntest.Config{
		NoWorker: true, Now: d.clock.Now,
		Presets: []postern.Preset{{Name: "photos", MaxBytes: 1000}, {Name: "avatars", MaxBytes: 100}},
	})
	d.keys = openKeys(t, d.path)
	d.config = auth.TokensConfig{Service: d.Service, Keys: d.keys, Secrets: [][]byte{sealing(0)}, Counter: d.Records, Now: d.clock.Now}
	d.tokens = newTokens(t, d.config)
	var err error
	if d.issue, err = d.tokens.Handler(postern.HandlerConfig{BaseURL: "https://gate.example"}); err != nil {
		t.Fatal(err)
	}
	return d
}

func newTokens(t *testing.T, c auth.TokensConfig) *auth.Tokens {
	t.Helper()
	k, err := auth.NewTokens(c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type issued struct {
	Token, URL, Preset, Principal string
	Uploads                       int
	ExpiresAt                     time.Time `json:"expires_at"`

	Code  postern.Code
	Field string
	Limit int64
}

// ask asks for a token.
func (d *desk) ask(t *testing.T, credential, body string) (out issued, status int) {
	t.Helper()
	r := httptest.NewRequest("POST", "/tokens", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	w := httptest.NewRecorder()
	d.issue.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s may be kept", body)
	}
	return out, w.Code
}

func png(n int64) postern.Request {
	return postern.Request{Preset: "photos", Filename: "p.png", Type: "image/png", Size: &n}
}

func TestTokens_Issue(t *testing.T) {
	all, allText := newKey(t, auth.Key{Name: "all"})
	one, oneText := newKey(t, auth.Key{Name: "one", Presets: []string{"avatars"}, Limits: postern.Limits{MaxBytes: 50}})
	d := newDesk(t, all, one)
	got, status := d.ask(t, allText, `{"preset":"photos","uploads":3,"expires_in":600,"principal":"alice"}`)
	if status != 201 || got.Preset != "photos" || got.Uploads != 3 || got.Principal != "alice" || !got.ExpiresAt.Equal(noon.Add(600*time.Second)) ||
		got.URL != "https://gate.example/t/"+got.Token || !strings.HasPrefix(got.Token, auth.TokenPrefix) {
		t.Errorf("%d %+v", status, got)
	}
	who, err := asked(d.tokens, withToken(got.Token))
	if err != nil || who.Principal != "key/all/alice" || fmt.Sprint(who.Presets) != "[photos]" {
		t.Errorf("%+v, %v", who, err)
	}
	// What is left out.
	got, status = d.ask(t, oneText, `{}`)
	if status != 201 || got.Preset != "avatars" || got.Uploads != 1 || !got.ExpiresAt.Equal(noon.Add(time.Hour)) || !strings.HasPrefix(got.Principal, "~") {
		t.Errorf("%d %+v", status, got)
	}
	if who, err = asked(d.tokens, withToken(got.Token)); err != nil || who.Principal != "key/one/"+got.Principal || who.Limits.MaxBytes != 50 {
		t.Errorf("%+v, %v", who, err)
	}
	if again, _ := d.ask(t, oneText, `{}`); again.Principal == got.Principal || again.Token == got.Token {
		t.Error("two tokens share what they are")
	}

	for body, want := range map[string]struct {
		status int
		code   string
		field  string
	}{
		`{"preset":"none"}`:                                       {400, "preset_unknown", "preset"},
		`{}`:                                                      {400, "preset_unknown", "preset"},
		`{"preset":"photos","uploads":0}`:                         {400, "bad_request", "uploads"},
		`{"preset":"photos","uploads":10001}`:                     {400, "bad_request", "uploads"},
		`{"preset":"photos","uploads":"1"}`:                       {400, "bad_request", "uploads"},
		`{"preset":"photos","expires_in":0}`:                      {400, "bad_request", "expires_in"},
		`{"preset":"photos","expires_in":86401}`:                  {400, "bad_request", "expires_in"},
		`{"preset":"photos","expires_in":99999999999999999}`:      {400, "bad_request", "expires_in"},
		`{"preset":"photos","principal":"~x"}`:                    {400, "bad_request", "principal"},
		`{"preset":"photos","principal":"a\n"}`:                   {400, "bad_request", "principal"},
		`{"preset":"photos","principal":"` + long("a", 90) + `"}`: {400, "bad_request", "principal"},
		`{"preset":"photos","max":1}`:                             {400, "bad_request", "max"},
		`{"preset":"photos"}{}`:                                   {400, "bad_request", ""},
		`[]`:                                                      {400, "bad_request", ""},
	} {
		if got, status := d.ask(t, allText, body); status != want.status || string(got.Code) != want.code || got.Field != want.field || got.Token != "" {
			t.Errorf("%s: %d %+v", body, status, got)
		}
	}
	if got, status := d.ask(t, oneText, `{"preset":"photos"}`); status != 403 || got.Code != "not_permitted" {
		t.Errorf("a preset that is not the key's: %d %+v", status, got)
	}
}

func long(s string, n int) string { return strings.Repeat(s, n) }

// Threat 17: only an API key makes tokens; a token makes none.
func TestThreat17_WhoMakesTokens(t *testing.T) {
	shop, text := newKey(t, auth.Key{Name: "shop"})
	d := newDesk(t, shop)
	_, revoked := newKey(t, auth.Key{Name: "old"})
	token, _ := d.ask(t, text, `{"preset":"photos"}`)
	for name, x := range map[string]struct {
		credential, code string
		status           int
	}{
		"nobody":        {"", "unauthenticated", 401},
		"revoked":       {revoked, "credential_invalid", 401},
		"token":         {token.Token, "not_permitted", 403},
		"somebody else": {"eyJhbGciOiJub25lIn0.e30.", "not_permitted", 403},
	} {
		if got, status := d.ask(t, x.credential, `{"preset":"photos"}`); status != x.status || string(got.Code) != x.code {
			t.Errorf("%s: %d %+v", name, status, got)
		}
	}
	r := httptest.NewRequest("POST", "/tokens", strings.NewReader(`{"preset":"photos"}`))
	r.Header.Set("Authorization", "Bearer "+text)
	r.Header.Set("Content-Type", "text/plain")
	w := httptest.NewRecorder()
	if d.issue.ServeHTTP(w, r); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: %d", w.Code)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w = httptest.NewRecorder()
	if d.issue.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
}

// A token is good for so many uploads: refused ones do not count, and neither
// copies nor a hundred at a time make more of it.
func TestTokens_CountIsExact(t *testing.T) {
	shop, text := newKey(t, auth.Key{Name: "shop"})
	d := newDesk(t, shop)
	const limit = 17
	token, _ := d.ask(t, text, fmt.Sprintf(`{"preset":"photos","uploads":%d}`, limit))
	copies := []*auth.Tokens{d.tokens, newTokens(t, d.config), newTokens(t, d.config)}
	var granted, spent atomic.Int64
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			who, err := asked(copies[i%len(copies)], withToken(token.Token))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := d.Service.Grant(t.Context(), who, png(1001)); !errors.Is(err, postern.ErrTooLarge) {
				t.Error(err)
			}
			switch _, err := d.Service.Grant(t.Context(), who, png(10)); {
			case err == nil:
				granted.Add(1)
			case errors.Is(err, postern.ErrTokenSpent):
				spent.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if granted.Load() != limit || spent.Load() != 100-limit {
		t.Errorf("%d granted, %d refused", granted.Load(), spent.Load())
	}
}

// In memory it is as exact.
func TestMemoryCounter(t *testing.T) {
	c := &clock{}
	counter := &auth.MemoryCounter{Now: c.Now}
	var yes atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if ok, err := counter.Count(t.Context(), "a", 9, noon.Add(time.Minute)); err != nil {
				t.Error(err)
			} else if ok {
				yes.Add(1)
			}
		})
	}
	all.Wait()
	if yes.Load() != 9 {
		t.Errorf("%d", yes.Load())
	}
	c.Add(time.Hour) // clocks of copies may be apart: not forgotten at once
	if ok, _ := counter.Count(t.Context(), "a", 9, noon.Add(time.Minute)); ok {
		t.Error("it was forgotten at its end")
	}
	c.Add(2 * time.Hour)
	if ok, _ := counter.Count(t.Context(), "a", 9, noon.Add(time.Minute)); !ok {
		t.Error("it is never forgotten")
	}
}

// After its end a token begins nothing, and shows what it began for a day.
func TestTokens_End(t *testing.T) {
	shop, text := newKey(t, auth.Key{Name: "shop"})
	other, _ := newKey(t, auth.Key{Name: "other"})
	d := newDesk(t, shop, other)
	token, _ := d.ask(t, text, `{"preset":"photos","uploads":2,"expires_in":60}`)
	grant := func() error {
		who, err := asked(d.tokens, withToken(token.Token))
		if err != nil {
			return err
		}
		_, err = d.Service.Grant(t.Context(), who, png(10))
		return err
	}
	d.clock.Add(59 * time.Second)
	if err := grant(); err != nil {
		t.Error(err)
	}
	d.clock.Add(time.Second)
	if err := grant(); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("at its end: %v", err)
	}
	d.clock.Add(24*time.Hour - time.Second)
	if _, err := asked(d.tokens, withToken(token.Token)); err != nil {
		t.Errorf("within a day: %v", err)
	}
	d.clock.Add(time.Second)
	if _, err := asked(d.tokens, withToken(token.Token)); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("after a day: %v", err)
	}
	// It dies with its key, also when another gets that one's name.
	token, _ = d.ask(t, text, `{"preset":"photos"}`)
	namesake, _ := newKey(t, auth.Key{Name: "shop"})
	writeKeys(t, d.path, namesake, other)
	if err := grant(); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("with its key revoked: %v", err)
	}
}

// Secrets are rotated: the first seals, all open.
func TestTokens_Rotation(t *testing.T) {
	shop, text := newKey(t, auth.Key{Name: "shop"})
	d := newDesk(t, shop)
	token, _ := d.ask(t, text, `{"preset":"photos"}`)
	c := d.config
	c.Secrets = [][]byte{sealing(1), sealing(0)}
	if _, err := asked(newTokens(t, c), withToken(token.Token)); err != nil {
		t.Errorf("rotating: %v", err)
	}
	c.Secrets = [][]byte{sealing(1)}
	if _, err := asked(newTokens(t, c), withToken(token.Token)); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("rotated: %v", err)
	}
	for _, secrets := range [][][]byte{nil, {make([]byte, 31)}} {
		c.Secrets = secrets
		if _, err := auth.NewTokens(c); err == nil {
			t.Errorf("%d secrets were taken", len(secrets))
		}
	}
}

// Threat 17: a token that was altered anywhere is no token.
func TestThreat17_AlteredTokens(t *testing.T) {
	shop, text := newKey(t, auth.Key{Name: "shop"})
	d := newDesk(t, shop)
	token, _ := d.ask(t, text, `{"preset":"photos","principal":"alice"}`)
	raw := must(base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token.Token, "pt_")))
	for i := range raw {
		for bit := range 8 {
			b := append([]byte(nil), raw...)
			b[i] ^= 1 << bit
			if who, err := asked(d.tokens, withToken("pt_"+b64(b))); !errors.Is(err, postern.ErrCredentialInvalid) || who.Principal != "" {
				t.Fatalf("byte %d: %+v, %v", i, who, err)
			}
		}
	}
	for name, s := range map[string]string{
		"nothing": "pt_", "cut": token.Token[:len(token.Token)-1], "more": token.Token + "A", "padded": token.Token + "=", "huge": "pt_" + long("A", 1<<20),
		"a key's prefix": "pk_" + token.Token[3:], "no MAC": "pt_" + b64(raw[:len(raw)-32]), "MAC alone": "pt_" + b64(raw[len(raw)-32:]),
	} {
		if _, err := auth.Any(d.tokens, d.keys).Authenticate(withToken(s)); !errors.Is(err, postern.ErrCredentialInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is in a path counts as if it stood in the header, and only tokens may.
func TestInPath(t *testing.T) {
	shop, text := newKey(t, auth.Key{Name: "shop"})
	d := newDesk(t, shop)
	token, _ := d.ask(t, text, `{"preset":"photos","principal":"alice"}`)
	kinds := auth.Any(d.tokens, d.keys, auth.None{})
	var who postern.Identity
	var err error
	var seen *http.Request
	h := auth.InPath(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = r
		who, err = kinds.Authenticate(r)
	}))
	do := func(target string, header ...string) {
		r := httptest.NewRequest("GET", target, nil)
		for _, v := range header {
			r.Header.Add("Authorization", v)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if n := len(r.Header["Authorization"]); n != len(header) {
			t.Errorf("%s: the request itself was changed", target)
		}
	}
	do("/t/" + token.Token + "/s3/params?type=a%2Fb")
	if err != nil || who.Principal != "key/shop/alice" || seen.URL.Path != "/s3/params" || seen.URL.RawQuery != "type=a%2Fb" || strings.Contains(seen.RequestURI, "pt_") {
		t.Errorf("%+v, %v, %s", who, err, seen.URL)
	}
	do("/t/" + token.Token + "/s3/multipart/a%2Fb/1")
	if err != nil || seen.URL.EscapedPath() != "/s3/multipart/a%2Fb/1" {
		t.Errorf("%v, %s", err, seen.URL.EscapedPath())
	}
	if do("/uploads"); err != nil || who.Principal != postern.Anonymous {
		t.Errorf("elsewhere: %+v, %v", who, err)
	}
	for _, target := range []string{"/t/" + text + "/uploads", "/t//uploads", "/t/pt_/uploads", "/t/x/uploads", "/t/" + token.Token + "x/uploads", "/t/" + token.Token + "%2Fuploads/x%2f"} {
		if do(target); !errors.Is(err, postern.ErrCredentialInvalid) && seen.URL.Path != "/uploads/x/" {
			t.Errorf("%s: %+v, %v", target, who, err)
		}
	}
	if do("/t/"+token.Token+"/uploads", "Bearer "+text); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("two credentials: %+v, %v", who, err)
	}
}

func FuzzToken(f *testing.F) {
	open := auth.OpenToken([][]byte{sealing(0)})
	f.Add([]byte("\x01"+long("i", 24)+"\x80\x01\x01\x00\x0akey/shop/a\x06photos"), true)
	f.Add([]byte{1}, true)
	f.Add([]byte("pt_"), false)
	f.Fuzz(func(t *testing.T, body []byte, signed bool) {
		text := string(body)
		if signed {
			text = auth.SealBody(sealing(0), body)
		}
		once, err := open(text)
		if err != nil {
			return
		}
		if twice, err := open(once); err != nil || !signed || twice != once {
			t.Errorf("%q was opened, sealed as %q, then as %q, %v", text, once, twice, err)
		}
	})
}
