package gate_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/auth"
	"postern.example/postern/compat"
	"postern.example/postern/gate"
)

// secured is a gate with every kind of sign-in and every protocol.
type secured struct {
	at   string // of the gate, with its prefix
	key  string
	log  *lockedBuffer
	path string // of the file of keys
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var jwtSecret = []byte(strings.Repeat("s", 32))

// jwtOf is a token that names somebody.
func jwtOf(who string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(`{"alg":"HS256"}`)) + "." + b64(fmt.Appendf(nil, `{"sub":%q,"exp":%d}`, who, time.Now().Add(time.Hour).Unix()))
	h := hmac.New(sha256.New, jwtSecret)
	h.Write([]byte(text))
	return text + "." + b64(h.Sum(nil))
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("session")
		if err != nil || !strings.HasPrefix(c.Value, "of-") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Postern-Principal", strings.TrimPrefix(c.Value, "of-"))
	}))
	t.Cleanup(app.Close)

	s := &secured{log: &lockedBuffer{}, path: filepath.Join(t.TempDir(), "keys.json")}
	made, text, err := auth.NewKey(auth.Key{Name: "shop"}, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.key = text
	doc, err := auth.FormatKeys([]auth.Key{made})
	if err == nil {
		err = os.WriteFile(s.path, doc, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.NewKeys(auth.KeysConfig{Path: s.path})
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := auth.NewJWT(auth.JWTConfig{Secrets: [][]byte{jwtSecret}})
	if err != nil {
		t.Fatal(err)
	}
	forward, err := auth.NewForward(auth.ForwardConfig{URL: app.URL, Cookies: []string{"session"}})
	if err != nil {
		t.Fatal(err)
	}
	_, at := open(t, gate.Config{
		Dir: t.TempDir(), BucketListener: anyPort(), Compat: compat.Names(), Auth: []auth.Kind{keys, jwt, forward},
		Handler: postern.HandlerConfig{Origins: []string{"https://app.example"}},
		Logger:  slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	s.at = at + "/gate"
	return s
}

// who sends requests as somebody.
type who func(r *http.Request)

func byBearer(token string) who {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func byCookie(session string) who {
	return func(r *http.Request) { r.Header.Set("Cookie", "session="+session) }
}

func nobody(*http.Request) {}

// send returns the answer's status and body.
func (s *secured) send(t *testing.T, as who, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.at+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	as(r)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// token is an upload token for one of the key's users.
func (s *secured) token(t *testing.T, user string, uploads int) string {
	t.Helper()
	status, body := s.send(t, byBearer(s.key), "POST", "/tokens", fmt.Sprintf(`{"uploads":%d,"principal":%q}`, uploads, user))
	var out struct{ Token string }
	if err := json.Unmarshal([]byte(body), &out); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	return out.Token
}

const (
	askPNG    = `{"filename":"p.png","type":"image/png"}`
	askBlob   = `{"blob":{"filename":"p.png","content_type":"image/png","byte_size":9,"checksum":"1B2M2Y8AsgTpgAmY7PhCfg=="}}`
	uppyQuery = "?filename=p.png&type=image%2Fpng"
)

// asking are the requests that want a grant, in each protocol.
var asking = []struct{ method, path, body string }{
	{"POST", "/uploads", askPNG},
	{"GET", "/s3/params" + uppyQuery, ""},
	{"POST", "/s3/multipart", askPNG},
	{"POST", "/rails/active_storage/direct_uploads", askBlob},
	{"GET", "/presign" + uppyQuery, ""},
	{"GET", "/s3_credentials" + uppyQuery, ""},
	{"GET", "/form", ""},
}

// Threat 17: every route of every protocol asks who is there, and takes every
// kind of sign-in for it.
func TestThreat17_EveryProtocolAsks(t *testing.T) {
	s := startSecured(t)
	for _, x := range asking {
		for name, as := range map[string]who{"nobody": nobody, "wrong key": byBearer("pk_x"), "wrong token": byBearer("pt_x"), "wrong jwt": byBearer("a.b.c"), "wrong session": byCookie("stale")} {
			if status, body := s.send(t, as, x.method, x.path, x.body); status != http.StatusUnauthorized {
				t.Errorf("%s %s as %s: %d %.200s", x.method, x.path, name, status, body)
			}
		}
		for name, as := range map[string]who{"key": byBearer(s.key), "token": byBearer(s.token(t, "alice", 1)), "jwt": byBearer(jwtOf("alice")), "session": byCookie("of-alice")} {
			if status, body := s.send(t, as, x.method, x.path, x.body); status != http.StatusOK && status != http.StatusCreated {
				t.Errorf("%s %s as %s: %d %.200s", x.method, x.path, name, status, body)
			}
		}
		// A token counts the same in each; a second use is refused.
		spent := byBearer(s.token(t, "alice", 1))
		for _, want := range []bool{true, false} {
			status, body := s.send(t, spent, x.method, x.path, x.body)
			if want != (status < 300) || !want && status != http.StatusForbidden {
				t.Errorf("%s %s with a token for one: %d %.200s", x.method, x.path, status, body)
			}
		}
	}
	for _, path := range []string{"/uploads", "/limits", "/uploads/x", "/uploads/x/events", "/uploads/x/parts", "/s3/multipart/x?key=incoming/x", "/s3/multipart/x/1?key=incoming/x", "/form/done/x"} {
		if status, _ := s.send(t, nobody, "GET", path, ""); status != http.StatusUnauthorized {
			t.Errorf("GET %s as nobody: %d", path, status)
		}
	}
}

// Threat 16: whoever asks, by whichever kind, what belongs to somebody else
// answers exactly as what does not exist, on every route of every protocol.
func TestThreat16_EveryRoute(t *testing.T) {
	s := startSecured(t)
	alices := map[string]who{
		"session": byCookie("of-alice"), "jwt": byBearer(jwtOf("alice")), "key": byBearer(s.key), "token": byBearer(s.token(t, "alice", 10)),
	}
	asUser := func(as who, user string) who {
		return func(r *http.Request) { as(r); r.Header.Set(auth.PrincipalHeader, user) }
	}
	bobs := map[string]who{
		"session": byCookie("of-bob"), "jwt": byBearer(jwtOf("bob")), "token": byBearer(s.token(t, "bob", 10)), "key for bob": asUser(byBearer(s.key), "bob"),
		"forged session": asUser(byCookie("of-bob"), "alice"), "forged jwt": asUser(byBearer(jwtOf("bob")), "alice"), "forged token": asUser(byBearer(s.token(t, "bob", 10)), "alice"),
	}
	madeUp := strings.Repeat("0", 52)
	for kind, alice := range alices {
		_, body := s.send(t, alice, "POST", "/uploads", askPNG)
		id := field(t, body, "id")
		_, body = s.send(t, alice, "POST", "/s3/multipart", askPNG)
		key, ticket := field(t, body, "key"), field(t, body, "uploadId")
		partID := strings.TrimPrefix(key, "incoming/")
		routes := func(id, key string) []struct{ method, path, body string } {
			q := "?key=" + url.QueryEscape(key)
			return []struct{ method, path, body string }{
				{"GET", "/uploads/" + id, ""},
				{"GET", "/uploads/" + id + "/events", ""},
				{"POST", "/uploads/" + id + "/complete", "{}"},
				{"POST", "/uploads/" + strings.TrimPrefix(key, "incoming/") + "/complete", `{"ticket":"` + ticket + `"}`},
				{"POST", "/uploads/" + strings.TrimPrefix(key, "incoming/") + "/parts", `{"ticket":"` + ticket + `","numbers":[1]}`},
				{"GET", "/s3/multipart/" + ticket + q, ""},
				{"GET", "/s3/multipart/" + ticket + "/1" + q, ""},
				{"GET", "/s3/multipart/" + ticket + "/batch" + q + "&partNumbers=1", ""},
				{"POST", "/s3/multipart/" + ticket + "/complete" + q, `{"parts":[{"PartNumber":1,"ETag":"x"}]}`},
				{"DELETE", "/s3/multipart/" + ticket + q, ""},
				{"GET", "/form/done/" + id, ""},
				{"DELETE", "/uploads/" + id, ""},
			}
		}
		theirs, none := routes(id, key), routes(madeUp, "incoming/"+madeUp)
		for name, bob := range bobs {
			for i, x := range theirs {
				status, body := s.send(t, bob, x.method, x.path, x.body)
				wantStatus, want := s.send(t, bob, none[i].method, none[i].path, none[i].body)
				if status != http.StatusNotFound || status != wantStatus || bare(body) != bare(want) {
					t.Errorf("%s of alice (%s) as bob (%s): %d %.200s\nmade up: %d %.200s", x.method+" "+x.path[:12], kind, name, status, body, wantStatus, want)
				}
			}
			if _, body := s.send(t, bob, "GET", "/uploads", ""); strings.Contains(body, id) {
				t.Errorf("bob (%s) lists what is alice's (%s)", name, kind)
			}
		}
		// It is all still there, and hers.
		if status, body := s.send(t, alice, "GET", "/uploads/"+id, ""); status != http.StatusOK {
			t.Errorf("alice (%s): %d %s", kind, status, body)
		}
		if status, body := s.send(t, alice, "GET", "/s3/multipart/"+ticket+"?key="+url.QueryEscape(key), ""); status != http.StatusOK {
			t.Errorf("alice's parts (%s) of %s: %d %s", kind, partID, status, body)
		}
	}
}

// bare is an answer without what names the exchange.
func bare(body string) string {
	return regexp.MustCompile(`"instance":"[0-9a-f]+",?`).ReplaceAllString(body, "")
}

func field(t *testing.T, body, name string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	v, ok := doc[name].(string)
	if !ok {
		t.Fatalf("no %s in %s", name, body)
	}
	return v
}

// Threat 17: with a session in a cookie, pages of other sites get nothing done:
// neither by a form, nor by a GET that some protocols ask for grants with.
func TestThreat17_CrossSiteWithSession(t *testing.T) {
	s := startSecured(t)
	from := func(site, origin, mode string) who {
		return func(r *http.Request) {
			byCookie("of-alice")(r)
			r.Header.Set("Sec-Fetch-Site", site)
			r.Header.Set("Sec-Fetch-Mode", mode)
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
		}
	}
	for name, as := range map[string]who{
		"another site":          from("cross-site", "https://evil.example", "cors"),
		"its img":               from("cross-site", "", "no-cors"),
		"a sibling":             from("same-site", "https://blog.app.example", "cors"),
		"null":                  from("cross-site", "null", "cors"),
		"suffix":                from("cross-site", "https://app.example.evil", "cors"),
		"port of a named place": from("cross-site", "https://app.example:8443", "cors"),
	} {
		for _, x := range asking {
			if status, body := s.send(t, as, x.method, x.path, x.body); status != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d %.200s", name, x.method, x.path, status, body)
			}
		}
	}
	for name, as := range map[string]who{
		"our own page": from("same-origin", "", "cors"), "typed in": from("none", "", "navigate"), "a named origin": from("cross-site", "https://app.example", "cors"),
	} {
		for _, x := range asking {
			if status, body := s.send(t, as, x.method, x.path, x.body); status >= 300 {
				t.Errorf("%s: %s %s: %d %.200s", name, x.method, x.path, status, body)
			}
		}
	}
	// A link to the form is how people come there.
	if status, _ := s.send(t, from("cross-site", "", "navigate"), "GET", "/form", ""); status != http.StatusOK {
		t.Errorf("a link to the form: %d", status)
	}
	// What is not JSON is refused even from here.
	r := from("same-origin", "", "cors")
	text := func(q *http.Request) { r(q); q.Header.Set("Content-Type", "text/plain") }
	for _, path := range []string{"/uploads", "/s3/multipart", "/rails/active_storage/direct_uploads"} {
		if status, _ := s.send(t, text, "POST", path, askPNG); status != http.StatusUnsupportedMediaType {
			t.Errorf("POST %s as text: %d", path, status)
		}
	}
}

// Threat 23: no credential of any kind is logged, right or wrong.
func TestThreat23_CredentialsAreNotLogged(t *testing.T) {
	s := startSecured(t)
	token := s.token(t, "alice", 5)
	jwt := jwtOf("alice")
	for _, as := range []who{byBearer(s.key), byBearer(token), byBearer(jwt), byCookie("of-alice"), byBearer(s.key + "x"), byBearer(token + "x"), byBearer(jwt + "x"), byCookie("stale-session")} {
		for _, x := range asking {
			s.send(t, as, x.method, x.path, x.body)
		}
	}
	s.send(t, nobody, "POST", "/t/"+token+"/uploads", askPNG)
	s.send(t, nobody, "GET", "/t/"+token+"/nothing", "")
	s.send(t, nobody, "GET", "/t/"+token, "")
	s.send(t, nobody, "GET", "/t/"+token+"x/uploads", "")
	log := s.log.String()
	for _, secret := range []string{s.key[3:], token[3:], jwt, "of-alice", "stale-session", string(jwtSecret)} {
		if strings.Contains(log, secret) {
			t.Errorf("%.12s… is in the log", secret)
		}
	}
	if !strings.Contains(log, `"route":"POST /uploads"`) {
		t.Error("nothing was logged")
	}
}

// Uppy's companionUrl is an address and nothing else: with a token in it, its
// requests are signed in; pages of named origins may send them.
func TestTokenInPath(t *testing.T) {
	s := startSecured(t)
	at := "/t/" + s.token(t, "alice", 2)
	page := func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		r.Header.Set("Origin", "https://app.example")
	}
	if status, body := s.send(t, page, "GET", at+"/s3/params"+uppyQuery, ""); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	status, body := s.send(t, page, "POST", at+"/s3/multipart", askPNG)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	key, ticket := field(t, body, "key"), field(t, body, "uploadId")
	if status, body := s.send(t, page, "GET", at+"/s3/multipart/"+ticket+"/1?key="+url.QueryEscape(key), ""); status != http.StatusOK {
		t.Errorf("a part, when it is used up: %d %s", status, body)
	}
	preflight := func(r *http.Request) { page(r); r.Header.Set("Access-Control-Request-Method", "POST") }
	if status, _ := s.send(t, preflight, "OPTIONS", at+"/s3/multipart", ""); status != http.StatusNoContent {
		t.Errorf("preflight: %d", status)
	}
	evil := func(r *http.Request) { page(r); r.Header.Set("Origin", "https://evil.example") }
	if status, _ := s.send(t, evil, "POST", at+"/s3/multipart", askPNG); status != http.StatusForbidden {
		t.Errorf("from another origin: %d", status)
	}
}
