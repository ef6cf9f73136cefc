package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/auth"
)

// clock is a time that moves when told to.
type clock struct{ since atomic.Int64 }

func (c *clock) Now() time.Time      { return noon.Add(time.Duration(c.since.Load())) }
func (c *clock) Add(d time.Duration) { c.since.Add(int64(d)) }

// keyServer serves a set of keys over TLS.
type keyServer struct {
	*httptest.Server
	asked  atomic.Int64
	mu     sync.Mutex
	answer http.HandlerFunc
}

func (s *keyServer) set(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

func doc(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write(b) } //nolint:errcheck // the test says what is missing
}

func newKeyServer(t *testing.T, first http.HandlerFunc) *keyServer {
	t.Helper()
	s := &keyServer{answer: first}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		f := s.answer
		s.mu.Unlock()
		f(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) jwt(t *testing.T, c *clock) *auth.JWT {
	t.Helper()
	return newJWT(t, auth.JWTConfig{
		JWKSURL: s.URL + "/jwks.json", Issuer: "https://login.example", Audience: []string{"postern"}, Now: c.Now,
		Transport: s.Client().Transport,
	})
}

func newEC(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func esToken(k *ecdsa.PrivateKey, kid string, c *clock) *http.Request {
	return withToken(signedBy(k, fmt.Sprintf(`{"alg":"ES256","kid":%q}`, kid), good(m{"exp": c.Now().Add(time.Hour).Unix(), "iat": c.Now().Unix()})))
}

// Keys are fetched once however many ask, kept, and replaced when a token names
// one that is new: at most once a minute, whatever tokens come in.
func TestJWKS_Rotation(t *testing.T) {
	c := &clock{}
	first, second := newEC(t), newEC(t)
	s := newKeyServer(t, doc(set(jwk("1", first, nil))))
	j := s.jwt(t, c)
	if s.asked.Load() != 0 {
		t.Error("asked before there was a token")
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := asked(j, esToken(first, "1", c)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times for 20 tokens", n)
	}

	// Made-up ids do not make it ask more often.
	s.set(doc(set(jwk("1", first, nil), jwk("2", second, nil))))
	for i := range 20 {
		if _, err := asked(j, esToken(second, fmt.Sprint("made up ", i), c)); !errors.Is(err, postern.ErrCredentialInvalid) {
			t.Error(err)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times within a minute", n)
	}
	c.Add(time.Minute)
	for range 5 {
		if _, err := asked(j, esToken(second, "2", c)); err != nil {
			t.Errorf("the new key: %v", err)
		}
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}

	// A key that was taken away is not known after the next fetch.
	s.set(doc(set(jwk("2", second, nil))))
	c.Add(time.Minute)
	_, _ = asked(j, esToken(second, "3", c))
	if _, err := asked(j, esToken(first, "1", c)); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("the key that was taken away: %v", err)
	}

	// One without an id that has changed is found by trying.
	third := newEC(t)
	s.set(doc(set(jwk("3", third, nil))))
	c.Add(time.Minute)
	r := withToken(signedBy(third, `{"alg":"ES256"}`, good(nil)))
	if _, err := asked(j, r); err != nil {
		t.Errorf("without a key id: %v", err)
	}
}

// Old keys serve while nobody answers, for a day; what is old is asked for anew
// in the background.
func TestJWKS_Away(t *testing.T) {
	c := &clock{}
	key := newEC(t)
	s := newKeyServer(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
	j := s.jwt(t, c)
	_, err := asked(j, esToken(key, "1", c))
	var e *postern.Error
	if !errors.As(err, &e) || e.Code != postern.ErrSignInUnavailable.Code || e.RetryAfter <= 0 || e.RetryAfter > 5*time.Second {
		t.Fatalf("without keys: %v", err)
	}
	if _, err := asked(j, esToken(key, "1", c)); !errors.Is(err, postern.ErrSignInUnavailable) || s.asked.Load() != 1 {
		t.Errorf("asked %d times at once: %v", s.asked.Load(), err)
	}
	c.Add(5 * time.Second)
	s.set(doc(set(jwk("1", key, nil))))
	if _, err := asked(j, esToken(key, "1", c)); err != nil {
		t.Fatalf("when it is back: %v", err)
	}

	s.set(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	c.Add(23 * time.Hour)
	was := s.asked.Load()
	if _, err := asked(j, esToken(key, "1", c)); err != nil {
		t.Errorf("with old keys: %v", err)
	}
	eventually(t, "the keys to be asked for in the background", func() bool { return s.asked.Load() > was })
	c.Add(time.Hour)
	if _, err := asked(j, esToken(key, "1", c)); !errors.Is(err, postern.ErrSignInUnavailable) {
		t.Errorf("with keys of yesterday: %v", err)
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Threat 17: addresses of keys that misbehave.
func TestThreat17_HostileJWKS(t *testing.T) {
	key := newEC(t)
	whole := set(jwk("1", key, nil))
	var elsewhere atomic.Int64
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		w.Write(whole) //nolint:errcheck // nobody should read it
	}))
	defer other.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
		"here": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other.json", http.StatusMovedPermanently)
		},
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"keys":[],"x":"`) //nolint:errcheck // it is cut off
			for chunk := strings.Repeat("x", 64<<10); ; {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		},
		"long but whole": doc(append(bytes.Repeat([]byte(" "), 256<<10), whole...)),
		"many":           doc(set(manyKeys(key)...)),
		"nothing":        doc(nil),
		"web page":       doc([]byte("<!doctype html>")),
		"no keys":        doc([]byte(`{"keys":[]}`)),
		"keys twice":     doc([]byte(`{"keys":[],` + string(whole[1:]))),
		"created":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated); w.Write(whole) }, //nolint:errcheck // nobody should read it
		"missing":        http.NotFound,
		"cut":            func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "9999"); w.Write(whole) }, //nolint:errcheck // it is too short
		"deep":           doc([]byte(`{"keys":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`)),
	} {
		s := newKeyServer(t, answer)
		began := time.Now()
		_, err := asked(s.jwt(t, &clock{}), esToken(key, "1", &clock{}))
		if !errors.Is(err, postern.ErrSignInUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %s", name, took)
		}
		if n := s.asked.Load(); n != 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func manyKeys(k *ecdsa.PrivateKey) (list []m) {
	for i := range 65 {
		list = append(list, jwk(fmt.Sprint(i), k, nil))
	}
	return list
}

// Threat 17: an address that never finishes is given up, and those whose tokens
// are known do not wait for it.
func TestThreat17_SlowJWKS(t *testing.T) {
	c := &clock{}
	key := newEC(t)
	s := newKeyServer(t, doc(set(jwk("1", key, nil))))
	j := s.jwt(t, c)
	if _, err := asked(j, esToken(key, "1", c)); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	defer close(release)
	s.set(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"keys":`)         //nolint:errcheck // the client has gone
		http.NewResponseController(w).Flush() //nolint:errcheck // the client has gone
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	c.Add(20 * time.Minute)
	slow := make(chan error, 1)
	go func() {
		_, err := asked(j, esToken(key, "unknown", c))
		slow <- err
	}()
	eventually(t, "it to be asked", func() bool { return s.asked.Load() == 2 })
	began := time.Now()
	if _, err := asked(j, esToken(key, "1", c)); err != nil || time.Since(began) > 2*time.Second {
		t.Errorf("a known token waited %s: %v", time.Since(began), err)
	}
	if err := <-slow; !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("the unknown one: %v", err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it was waited for for %s", took)
	}
}

// A certificate that nobody vouches for is no certificate.
func TestThreat17_JWKSCertificate(t *testing.T) {
	key := newEC(t)
	s := newKeyServer(t, doc(set(jwk("1", key, nil))))
	c := &clock{}
	j := newJWT(t, auth.JWTConfig{JWKSURL: s.URL, Issuer: "https://login.example", Audience: []string{"postern"}, Now: c.Now})
	if _, err := asked(j, esToken(key, "1", c)); !errors.Is(err, postern.ErrSignInUnavailable) || s.asked.Load() != 0 {
		t.Errorf("asked %d times: %v", s.asked.Load(), err)
	}
}
