package auth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/auth"
)

// app is somebody's application: it knows its sessions by a cookie, and users of
// its API by a header.
type app struct {
	*httptest.Server
	asked atomic.Int64

	mu       sync.Mutex
	sessions map[string]string // of whom each is
	seen     http.Header       // of the last question
	answer   http.HandlerFunc  // in place of the usual one
}

func newApp(t *testing.T) *app {
	t.Helper()
	a := &app{sessions: map[string]string{"s1": "alice", "s2": "bob"}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /whoami", func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		a.mu.Lock()
		a.seen = r.Header.Clone()
		answer := a.answer
		var who string
		if c, err := r.Cookie("session"); err == nil {
			who = a.sessions[c.Value]
		}
		a.mu.Unlock()
		switch {
		case answer != nil:
			answer(w, r)
		case who == "":
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		default:
			w.Header().Set("Postern-Principal", who)
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("/login", func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

func (a *app) say(f http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = f
}

func (a *app) sees() http.Header {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

func (a *app) forward(t *testing.T, change func(*auth.ForwardConfig)) *auth.Forward {
	t.Helper()
	c := auth.ForwardConfig{URL: a.URL + "/whoami", Cookies: []string{"session"}, Headers: []string{"x-user-key"}}
	if change != nil {
		change(&c)
	}
	f, err := auth.NewForward(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func withCookie(line string) *http.Request {
	r := httptest.NewRequest("POST", "/uploads", strings.NewReader("{}"))
	r.Header.Set("Cookie", line)
	return r
}

func TestForward(t *testing.T) {
	a := newApp(t)
	f := a.forward(t, nil)
	for cookie, want := range map[string]string{"session=s1": "alice", "x=y; session=s2; z": "bob"} {
		if who, err := asked(f, withCookie(cookie)); err != nil || who.Principal != want || who.Presets != nil {
			t.Errorf("%s: %+v, %v", cookie, who, err)
		}
	}
	if _, err := asked(f, withCookie("session=stale")); !errors.Is(err, postern.ErrUnauthenticated) {
		t.Errorf("stale session: %v", err)
	}
	before := a.asked.Load()
	if _, err := asked(f, withCookie("other=s1; sessions=s1; =s1; session")); !errors.Is(err, postern.ErrUnauthenticated) || a.asked.Load() != before {
		t.Errorf("without a session it was asked: %v", err)
	}

	// What is passed on, and what is not.
	r := withCookie(`secret=1; session="q u"; session=s1; tracking=2`)
	for name, v := range map[string]string{"X-User-Key": "k", "Proxy-Authorization": "hush", "X-Forwarded-User": "root", "Postern-Principal": "root", "User-Agent": "browser", "Origin": "https://app.example"} {
		r.Header.Set(name, v)
	}
	a.say(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Postern-Principal", "carol") })
	if who, err := asked(f, r); err != nil || who.Principal != "carol" {
		t.Errorf("%+v, %v", who, err)
	}
	got := a.sees()
	if got.Get("X-User-Key") != "k" || got.Get("Cookie") != `session="q u"; session=s1` || got.Get("User-Agent") != "postern" {
		t.Errorf("it was shown %v", got)
	}
	for name := range got {
		if !slices.Contains([]string{"X-User-Key", "Cookie", "User-Agent", "Accept-Encoding"}, name) {
			t.Errorf("%s was passed on", name)
		}
	}
}

// An Authorization header is the application's to judge if it is shown that.
func TestForward_Authorization(t *testing.T) {
	a := newApp(t)
	a.say(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Basic YWxpY2U6eA==" {
			w.Header().Set("Postern-Principal", "alice")
		} else {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	f := a.forward(t, func(c *auth.ForwardConfig) { c.Headers = []string{"authorization"} })
	r := withCookie("session=s1")
	r.SetBasicAuth("alice", "x")
	if who, err := asked(f, r); err != nil || who.Principal != "alice" {
		t.Errorf("%+v, %v", who, err)
	}
	r.SetBasicAuth("alice", "y")
	if _, err := asked(f, r); !errors.Is(err, postern.ErrUnauthenticated) {
		t.Error(err)
	}
}

// What the application says, in words of its own.
func TestForward_Answers(t *testing.T) {
	a := newApp(t)
	f := a.forward(t, func(c *auth.ForwardConfig) { c.PrincipalHeader, c.Keep = "Remote-User", time.Millisecond })
	n := 0
	for name, x := range map[string]struct {
		status int
		header http.Header
		want   error
		who    string
	}{
		"yes":            {200, http.Header{"Remote-User": {" alice "}, "Postern-Presets": {"a, b", "c,"}, "Postern-Max-Bytes": {"7"}}, nil, "alice [a b c] 7"},
		"none":           {204, http.Header{"Remote-User": {"alice"}, "Postern-Presets": {""}}, nil, "alice [] 0"},
		"401":            {401, http.Header{"Remote-User": {"alice"}}, postern.ErrUnauthenticated, ""},
		"403":            {403, nil, postern.ErrUnauthenticated, ""},
		"404":            {404, nil, postern.ErrUnauthenticated, ""},
		"302":            {302, http.Header{"Location": {"/login"}, "Remote-User": {"alice"}}, postern.ErrUnauthenticated, ""},
		"304":            {304, http.Header{"Remote-User": {"alice"}}, postern.ErrUnauthenticated, ""},
		"500":            {500, http.Header{"Remote-User": {"alice"}}, postern.ErrSignInUnavailable, ""},
		"429":            {429, nil, postern.ErrSignInUnavailable, ""},
		"nobody named":   {200, nil, postern.ErrSignInUnavailable, ""},
		"another header": {200, http.Header{"Postern-Principal": {"alice"}}, postern.ErrSignInUnavailable, ""},
		"two":            {200, http.Header{"Remote-User": {"alice", "bob"}}, postern.ErrSignInUnavailable, ""},
		"too long":       {200, http.Header{"Remote-User": {strings.Repeat("a", 97)}}, postern.ErrSignInUnavailable, ""},
		"an API key's":   {200, http.Header{"Remote-User": {"key/shop"}}, postern.ErrSignInUnavailable, ""},
		"no UTF-8":       {200, http.Header{"Remote-User": {"\xff"}}, postern.ErrSignInUnavailable, ""},
		"no limit":       {200, http.Header{"Remote-User": {"alice"}, "Postern-Max-Bytes": {"many"}}, postern.ErrSignInUnavailable, ""},
		"limit 0":        {200, http.Header{"Remote-User": {"alice"}, "Postern-Max-Bytes": {"0"}}, postern.ErrSignInUnavailable, ""},
		"two limits":     {200, http.Header{"Remote-User": {"alice"}, "Postern-Max-Bytes": {"1", "2"}}, postern.ErrSignInUnavailable, ""},
	} {
		a.say(func(w http.ResponseWriter, _ *http.Request) {
			for name, v := range x.header {
				w.Header()[name] = v
			}
			w.WriteHeader(x.status)
		})
		n++
		who, err := asked(f, withCookie(fmt.Sprintf("session=%d", n)))
		if x.want != nil {
			if !errors.Is(err, x.want) || who.Principal != "" {
				t.Errorf("%s: %+v, %v", name, who, err)
			}
			continue
		}
		if got := fmt.Sprintf("%s %v %d", who.Principal, who.Presets, who.Limits.MaxBytes); err != nil || got != x.who || who.Presets == nil {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// Threat 17: an application that does not answer, or never ends, is a no.
func TestThreat17_ForwardTimesOut(t *testing.T) {
	a := newApp(t)
	f := a.forward(t, func(c *auth.ForwardConfig) { c.Patience = 100 * time.Millisecond })
	release := make(chan struct{})
	defer close(release)
	a.say(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	if who, err := asked(f, withCookie("session=s1")); !errors.Is(err, postern.ErrSignInUnavailable) || who.Principal != "" {
		t.Errorf("%+v, %v", who, err)
	}
	// It is no answer that is kept: as soon as it works again, so does this.
	a.say(nil)
	if who, err := asked(f, withCookie("session=s1")); err != nil || who.Principal != "alice" {
		t.Errorf("%+v, %v", who, err)
	}
	a.Close()
	if who, err := asked(f, withCookie("session=s2")); !errors.Is(err, postern.ErrSignInUnavailable) || who.Principal != "" {
		t.Errorf("%+v, %v", who, err)
	}
}

// An answer holds for a moment, for exactly what it was asked with.
func TestForward_Kept(t *testing.T) {
	a := newApp(t)
	c := &clock{}
	f := a.forward(t, func(x *auth.ForwardConfig) { x.Now = c.Now })
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if who, err := asked(f, withCookie("session=s1")); err != nil || who.Principal != "alice" {
				t.Errorf("%+v, %v", who, err)
			}
		})
	}
	all.Wait()
	if n := a.asked.Load(); n != 1 {
		t.Errorf("asked %d times for 40 requests", n)
	}
	// Neither another session nor another header gets the answer of this one.
	if who, err := asked(f, withCookie("session=s2")); err != nil || who.Principal != "bob" {
		t.Errorf("%+v, %v", who, err)
	}
	r := withCookie("session=s1")
	r.Header.Set("X-User-Key", "k")
	if _, err := asked(f, r); err != nil || a.asked.Load() != 3 {
		t.Errorf("asked %d times, %v", a.asked.Load(), err)
	}

	a.mu.Lock()
	delete(a.sessions, "s1")
	a.mu.Unlock()
	c.Add(9 * time.Second)
	if _, err := asked(f, withCookie("session=s1")); err != nil {
		t.Errorf("after 9 s: %v", err)
	}
	c.Add(time.Second)
	if _, err := asked(f, withCookie("session=s1")); !errors.Is(err, postern.ErrUnauthenticated) {
		t.Errorf("after 10 s: %v", err)
	}
	// A no is kept for two seconds: who signs in does not wait long.
	a.mu.Lock()
	a.sessions["s1"] = "alice"
	a.mu.Unlock()
	if _, err := asked(f, withCookie("session=s1")); !errors.Is(err, postern.ErrUnauthenticated) {
		t.Errorf("at once: %v", err)
	}
	c.Add(2 * time.Second)
	if _, err := asked(f, withCookie("session=s1")); err != nil {
		t.Errorf("after 2 s: %v", err)
	}
}

// Threat 17: made-up sessions are no flood at the application's door.
func TestThreat17_FloodOfSessions(t *testing.T) {
	a := newApp(t)
	f := a.forward(t, nil)
	var at, most atomic.Int64
	release := make(chan struct{})
	a.say(func(w http.ResponseWriter, _ *http.Request) {
		n := at.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
		at.Add(-1)
		w.WriteHeader(http.StatusUnauthorized)
	})
	var turned atomic.Int64
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			_, err := asked(f, withCookie(fmt.Sprintf("session=made-up-%d", i)))
			if errors.Is(err, postern.ErrSignInUnavailable) {
				turned.Add(1)
			} else if !errors.Is(err, postern.ErrUnauthenticated) {
				t.Error(err)
			}
		})
	}
	eventually(t, "the rest to be turned away", func() bool { return turned.Load() == 300-64 })
	close(release)
	all.Wait()
	if most.Load() > 64 {
		t.Errorf("%d questions at a time", most.Load())
	}
	if _, err := asked(f, withCookie("session="+strings.Repeat("x", 17<<10))); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("a session of 17 kB: %v", err)
	}
}

func TestNewForward_Refuses(t *testing.T) {
	for want, c := range map[string]auth.ForwardConfig{
		"URL: it must be a URL":      {Cookies: []string{"a"}},
		"URL: it must be https":      {URL: "http://app.example/whoami", Cookies: []string{"a"}},
		"must be https, or http":     {URL: "http://203.0.113.5/", Cookies: []string{"a"}},
		"must not hold a password":   {URL: "https://a:b@app.example/", Cookies: []string{"a"}},
		"no cookie or header":        {URL: "https://app.example/"},
		`"Cookie" cannot be passed`:  {URL: "https://app.example/", Headers: []string{"cookie"}},
		`"Host" cannot be passed`:    {URL: "https://app.example/", Headers: []string{"HOST"}},
		`cannot be passed`:           {URL: "https://app.example/", Headers: []string{"a b"}},
		`"a;b" is not a name`:        {URL: "https://app.example/", Cookies: []string{"a;b"}},
		`"X Y" is not a name`:        {URL: "https://app.example/", Cookies: []string{"a"}, PrincipalHeader: "X Y"},
		"waited for up to 30s":       {URL: "https://app.example/", Cookies: []string{"a"}, Patience: time.Minute},
		"kept up to 5m":              {URL: "https://app.example/", Cookies: []string{"a"}, Keep: time.Hour},
		"from a file: it must be ht": {URL: "file://localhost/", Cookies: []string{"a"}},
	} {
		if _, err := auth.NewForward(c); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(want, "from a file: ")) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, u := range []string{"http://app:3000/whoami", "http://10.0.0.7/", "http://[::1]:3000/", "http://[fd00::1]/", "https://app.example/whoami?x=y"} {
		if _, err := auth.NewForward(auth.ForwardConfig{URL: u, Cookies: []string{"a"}}); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}
