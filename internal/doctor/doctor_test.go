package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

func TestHealthy(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	b.put("images/one", "a picture")
	b.put("incoming/two", "a file")
	before := b.contents()
	r := b.run()
	for _, f := range r.Findings {
		if f.Status == Fault || f.Status == Warn || f.Title == "" {
			t.Errorf("%+v", f)
		}
	}
	if after := b.contents(); after != before {
		t.Errorf("the bucket has\n%s\nand had\n%s", after, before)
	}
	if r.Bucket != testBucket || r.Region != testRegion || r.Provider != "embedded" || r.URL != b.Config.URL || r.Took <= 0 {
		t.Errorf("%+v", r)
	}
	var ids []string // each probe reports, in order
	for _, f := range r.Findings {
		if !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	if !slices.Equal(ids, IDs()) {
		t.Errorf("findings are of\n%v, probes are\n%v", ids, IDs())
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	all := probes()
	for i, p := range all {
		for _, id := range p.after {
			if !slices.ContainsFunc(all[:i], func(o probe) bool { return o.id == id }) {
				t.Errorf("%s needs %s, which does not come before it", p.id, id)
			}
		}
		if slices.ContainsFunc(all[:i], func(o probe) bool { return o.id == p.id }) || strings.Count(p.id, ".") != 1 {
			t.Errorf("%s", p.id)
		}
	}
}

func TestOnly(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{cors: "none"})
	for _, only := range []string{"cors.etag", "cors"} {
		for _, f := range b.run(only).Findings {
			if f.ID != only && !strings.HasPrefix(f.ID, only+".") {
				t.Errorf("%s: %s", only, f.ID)
			}
			if f.ID == "cors.etag" && (f.Status != Skipped || !strings.Contains(f.Got, "cors.preflight")) {
				t.Errorf("%+v", f)
			}
		}
	}
	for _, only := range []string{"", "cors.", "cor", "cors.nothing", "CORS"} {
		c := b.Config
		c.Only = []string{only}
		if _, err := Run(t.Context(), c, nil); !errors.Is(err, errUsage) || !strings.Contains(err.Error(), "cors.preflight") {
			t.Errorf("%q: %v", only, err)
		}
	}
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Config){
		"no address":      func(c *Config) { c.URL = "" },
		"half an address": func(c *Config) { c.URL = "127.0.0.1:9000/photos" },
		"no signer":       func(c *Config) { c.Signer = nil },
		"no worker":       func(c *Config) { c.Worker = nil },
	} {
		c := healthyConfig("http://127.0.0.1:9000/photos")
		spoil(&c)
		if r, err := Run(t.Context(), c, nil); !errors.Is(err, errUsage) || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A run that is stopped removes what it has written.
func TestStopped(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	before := b.contents()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	_, err := Run(ctx, b.Config, func(f Finding) {
		if f.ID == "cors.etag" { // which has written
			seen++
			cancel()
		}
		if seen > 0 && f.ID != "cors.etag" {
			t.Errorf("went on to %s", f.ID)
		}
	})
	if !errors.Is(err, context.Canceled) || seen != 1 {
		t.Errorf("%v, %d", err, seen)
	}
	if after := b.contents(); after != before {
		t.Errorf("left %s", after)
	}
}

// Where the worker may not delete, what stays is said.
func TestCannotCleanUp(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{worker: strings.ReplaceAll(goodWorker, `"s3:DeleteObject",`, "")})
	r := b.run("cors.etag")
	last := r.Findings[len(r.Findings)-1]
	if last.ID != "leftovers.own" || last.Status != Warn || !strings.Contains(last.Cure, "-etag") || !strings.Contains(last.Got, "AccessDenied") {
		t.Errorf("%+v", last)
	}
}

// wiretap notes every secret that passes.
type wiretap struct {
	mu   sync.Mutex
	seen map[string]string // secret to what it is
}

func (w *wiretap) note(what, secret string) {
	if len(secret) < 8 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[secret] = what
}

func (w *wiretap) front(next http.Handler) http.Handler {
	return drained(func(rw http.ResponseWriter, r *http.Request) {
		_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
		w.note("signature of a header", signature)
		w.note("signature of a URL", r.URL.Query().Get("X-Amz-Signature"))
		w.note("ticket", r.Header.Get("X-Amz-Meta-Postern"))
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if kind, p, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "multipart/form-data" {
			if form, err := multipart.NewReader(bytes.NewReader(body), p["boundary"]).ReadForm(1 << 20); err == nil {
				for name, values := range form.Value {
					if name = strings.ToLower(name); name == "policy" || name == "x-amz-signature" || name == "x-amz-meta-postern" || name == "x-amz-security-token" {
						w.note(name, values[0])
					}
				}
			}
		}
		next.ServeHTTP(rw, r)
	})
}

func TestTellsNoSecrets(t *testing.T) {
	t.Parallel()
	tap := &wiretap{seen: map[string]string{}}
	// A server that repeats what it refuses, as S3 does in StringToSign and
	// others do in their messages.
	echo := func(next http.Handler) http.Handler {
		return tap.front(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodOptions {
				next.ServeHTTP(w, r)
				return
			}
			if r.Header.Get("Authorization") == "" && r.URL.RawQuery == "" {
				next.ServeHTTP(w, r)
				return
			}
			secret := r.Header.Get("Authorization") + " " + r.URL.RawQuery + " " + workerKey().SecretAccessKey + " " + r.Header.Get("X-Amz-Security-Token")
			s3Error(w, http.StatusForbidden, "SignatureDoesNotMatch", "You sent "+strings.ReplaceAll(secret, "&", "&amp;"), "<StringToSign>"+signerKey().SecretAccessKey+"</StringToSign>")
		}))
	}
	for name, front := range map[string]func(http.Handler) http.Handler{"healthy": tap.front, "echo": echo} {
		b := admit(t, ward{front: front})
		if name == "echo" {
			k := workerKey()
			k.SessionToken = "the-token-of-the-session"
			tap.note("token", k.SessionToken)
			b.Config.Worker = always(k)
		}
		r := b.run()
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []sigv4.Credentials{signerKey(), workerKey(), b.s3.Key} {
			tap.note("secret key", k.SecretAccessKey)
		}
		for secret, what := range tap.seen {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s: the report has a %s", name, what)
			}
		}
		if len(tap.seen) < 5 {
			t.Errorf("%s: only %d secrets passed", name, len(tap.seen))
		}
	}
}

// What is said of time is said by the bucket's clock.
func TestNow(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	b.Config.Now = func() time.Time { return time.Now().Add(3 * time.Hour) }
	for _, f := range b.run("credentials").Findings {
		if f.Status != OK {
			t.Errorf("%+v", f)
		}
	}
}
