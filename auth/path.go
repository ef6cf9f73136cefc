package auth

import (
	"net/http"
	"net/url"
	"strings"
)

// PathPrefix begins the paths that have an upload token in them:
// "/t/pt_…/uploads". It is for clients that can be told an address and nothing
// else, such as Uppy's companionUrl.
const PathPrefix = "/t/"

// InPath has next answer requests below PathPrefix as if the token in their
// path stood in their Authorization header. Only upload tokens go that way:
// addresses are written into logs and histories, which is no place for a key
// that lives longer.
func InPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, PathPrefix)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		text, path, _ := strings.Cut(rest, "/")
		inner := new(http.Request)
		*inner = *r
		inner.URL = new(url.URL)
		*inner.URL = *r.URL
		inner.URL.Path, inner.URL.RawPath = "/"+path, ""
		if r.URL.RawPath != "" {
			_, raw, _ := strings.Cut(strings.TrimPrefix(r.URL.RawPath, PathPrefix), "/")
			inner.URL.RawPath = "/" + raw
		}
		inner.RequestURI = inner.URL.RequestURI()
		inner.Header = r.Header.Clone()
		if !strings.HasPrefix(text, TokenPrefix) {
			text = TokenPrefix // which no token is
		}
		inner.Header.Add("Authorization", "Bearer "+text) // beside another one it is one too many
		next.ServeHTTP(w, inner)
	})
}
