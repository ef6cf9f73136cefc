package doctor

import (
	"net/http"
	"strings"
	"testing"

	"postern.example/postern"
)

// Each test here breaks one thing, and the doctor has to name it first.

// corsRule is goodCORS with replacements.
func corsRule(oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(goodCORS) }

const ourOrigin = "<AllowedOrigin>https://app.example</AllowedOrigin>"

func TestSabotage_CORS(t *testing.T) {
	t.Parallel()
	instead := func(origin string) string {
		return corsRule(ourOrigin, "<AllowedOrigin>"+origin+"</AllowedOrigin>")
	}
	besides := func(origin string) string {
		return corsRule(ourOrigin, ourOrigin+"<AllowedOrigin>"+origin+"</AllowedOrigin>")
	}
	for _, c := range []struct {
		name, cors string
		id         string
		words      []string
	}{
		{"no rule", "none", "cors.preflight", []string{"has no CORS rule"}},
		{"another origin", instead("https://other.example"), "cors.preflight", []string{"No CORS rule names https://app.example"}},
		{"slash at the end", instead("https://app.example/"), "cors.preflight", []string{"names https://app.example/, with a slash at the end"}},
		{"http for https", instead("http://app.example"), "cors.preflight", []string{"names http://app.example, with http,"}},
		{"without a scheme", instead("app.example"), "cors.preflight", []string{"names app.example, without https://"}},
		{"with www", instead("https://www.app.example"), "cors.preflight", []string{"names https://www.app.example, with www"}},
		{"with a port", instead("https://app.example:443"), "cors.preflight", []string{"with a port"}},
		{"with a capital", instead("https://App.example"), "cors.preflight", []string{"with a capital"}},
		{"no POST", corsRule("<AllowedMethod>POST</AllowedMethod>", ""), "cors.preflight", []string{"allows PUT", "not allow POST"}},
		{"no PUT", corsRule("<AllowedMethod>PUT</AllowedMethod>", ""), "cors.preflight", []string{"allows POST", "not allow PUT"}},
		{"GET only", corsRule("<AllowedMethod>PUT</AllowedMethod>", "", "<AllowedMethod>POST", "<AllowedMethod>GET"), "cors.preflight", []string{"allows GET", "not allow POST"}},
		{"a header missing", corsRule("<AllowedHeader>x-amz-meta-postern</AllowedHeader>", ""), "cors.preflight", []string{"not allow the header x-amz-meta-postern"}},
		{"two headers missing", corsRule("<AllowedHeader>content-type</AllowedHeader>", "", "<AllowedHeader>if-none-match</AllowedHeader>", ""), "cors.preflight", []string{"content-type nor if-none-match"}},
		{"ETag not exposed", corsRule("<ExposeHeader>ETag</ExposeHeader>", "<ExposeHeader>x-amz-request-id</ExposeHeader>"), "cors.etag", []string{"does not expose ETag"}},
		{"nothing exposed, but allowed", corsRule("<ExposeHeader>ETag</ExposeHeader>", "<AllowedHeader>ETag</AllowedHeader>"), "cors.etag", []string{"does not expose ETag"}},
		{"any origin", instead("*"), "cors.foreign", []string{"pages of everybody: https://foreign.example"}},
		{"any origin by https", instead("https://*"), "cors.foreign", []string{"pages of everybody: https://foreign.example"}},
		{"any origin that begins so", instead("https://app.example*"), "cors.foreign", []string{"begins with that", "https://app.example.evil.example"}},
		{"any origin that ends so", instead("https://*app.example"), "cors.foreign", []string{"ends with that", "https://evil-app.example"}},
		{"every site below", besides("https://*.app.example"), "cors.foreign", []string{"any site below"}},
		{"without encryption, too", besides("http://app.example"), "cors.foreign", []string{"without encryption", "http://app.example"}},
		{"null", besides("null"), "cors.foreign", []string{"sandboxed frames"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{cors: c.cors})
			f := b.run("network", "credentials", "cors").first(t, c.id, c.words...)
			if f.Status != Fault || !strings.Contains(f.Cure, "postern serve --origin https://app.example") {
				t.Errorf("status %s, cure %q", f.Status, f.Cure)
			}
		})
	}
}

func TestSabotage_Origins(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	for origin, cure := range map[string]string{
		"https://app.example/":       "--origin https://app.example",
		"https://App.example":        "--origin https://app.example",
		"https://app.example:443":    "--origin https://app.example",
		"https://app.example/upload": "--origin https://app.example",
		"app.example":                "--origin https://app.example",
	} {
		t.Run(origin, func(t *testing.T) {
			one := *b
			one.t = t
			one.Config.Origins = []string{origin}
			f := one.run("cors.preflight").first(t, "cors.preflight", "No browser names the origin")
			if f.Cure != cure {
				t.Errorf("cure %q", f.Cure)
			}
		})
	}
	b.Config.Origins = nil
	b.run("cors").first(t, "cors.preflight", "No page is named")
}

// stripped takes the CORS headers off answers that are refusals.
func stripped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&strippedWriter{ResponseWriter: w}, r)
	})
}

type strippedWriter struct{ http.ResponseWriter }

func (w *strippedWriter) WriteHeader(status int) {
	if status >= 400 {
		for name := range w.Header() {
			if strings.HasPrefix(name, "Access-Control-") {
				w.Header().Del(name)
			}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func TestSabotage_CORSByOthers(t *testing.T) {
	t.Parallel()
	answering := func(method string, answer http.HandlerFunc) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return drained(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == method {
					answer(w, r)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	}
	for _, c := range []struct {
		name     string
		provider string
		front    func(http.Handler) http.Handler
		id       string
		words    []string
		status   Status
	}{
		{"errors without CORS headers", "embedded", stripped, "cors.errors", []string{"Failed to fetch"}, Warn},
		{
			"an OPTIONS that a proxy does not know", "other",
			answering(http.MethodOptions, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }),
			"cors.preflight",
			[]string{"does not answer OPTIONS"},
			Fault,
		},
		{
			"a preflight that leads elsewhere", "aws",
			answering(http.MethodOptions, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
				http.Redirect(w, r, "https://photos.s3.eu-west-1.amazonaws.com/", http.StatusTemporaryRedirect)
			}),
			"cors.preflight",
			[]string{"do not follow a redirect"},
			Fault,
		},
		{
			"a preflight that says nothing", "other",
			answering(http.MethodOptions, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }),
			"cors.preflight",
			[]string{"no Access-Control-Allow-Origin"},
			Fault,
		},
		{
			"a preflight that names another", "other",
			answering(http.MethodOptions, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", "https://other.example")
			}),
			"cors.preflight",
			[]string{"allows the origin https://other.example"},
			Fault,
		},
		{
			"a server that echoes every origin", "minio",
			answering(http.MethodOptions, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
				w.Header().Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
				w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
			}),
			"cors.foreign",
			[]string{"pages of everybody"},
			Warn, // its rules are of the whole server
		},
		{
			"headers that are doubled by a proxy", "other",
			answering(http.MethodOptions, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Access-Control-Allow-Origin"] = []string{r.Header.Get("Origin"), "*"}
			}),
			"cors.preflight",
			[]string{"Access-Control-Allow-Origin twice"},
			Fault,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{front: c.front})
			b.Config.Provider, _ = postern.ProviderByName(c.provider)
			b.Config.Embedded = false
			if f := b.run("network", "credentials", "cors").first(t, c.id, c.words...); f.Status != c.status {
				t.Errorf("status %s", f.Status)
			}
		})
	}
}

// What is announced is what the element sends, by the transfers in use and by
// what the provider knows.
func TestSendings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		provider  string
		transfers []postern.Transfer
		want      string
	}{
		{"aws", nil, "POST; PUT content-type,if-none-match,x-amz-checksum-sha256,x-amz-meta-postern"},
		{"aws", []postern.Transfer{postern.Post}, "POST"},
		{"aws", []postern.Transfer{postern.Post, postern.Multi}, "POST; PUT"},
		{"aws", []postern.Transfer{postern.Put, postern.Multi}, "PUT content-type,if-none-match,x-amz-checksum-sha256,x-amz-meta-postern"},
		{"aws", []postern.Transfer{postern.Multi}, "PUT"},
		{"ceph", []postern.Transfer{postern.Put}, "PUT content-type,if-none-match,x-amz-meta-postern"},
		{"b2", []postern.Transfer{postern.Post, postern.Put}, "PUT content-type,x-amz-checksum-sha256,x-amz-meta-postern"},
	} {
		conf := healthyConfig("http://127.0.0.1:9000/photos")
		conf.Provider, _ = postern.ProviderByName(c.provider)
		conf.Transfers = c.transfers
		x, err := newExam(conf)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range x.sendings() {
			got = append(got, strings.TrimSpace(s.method+" "+strings.Join(s.headers, ",")))
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%s %v: %s, want %s", c.provider, c.transfers, text, c.want)
		}
	}
}
