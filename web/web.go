// Package web serves the upload element <postern-upload> and the page with the
// gallery. Both are built from src into dist (go generate ./web), which is
// committed, so that building the server needs Go alone.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

//go:embed dist
var dist embed.FS

// Config says how the page finds its servers. The zero value serves a page
// whose API stands beside it, with no bucket allowed.
type Config struct {
	// BucketOrigins are the origins that browsers send files to, and that
	// pictures may come from by a redirect: "https://photos.s3.amazonaws.com".
	// They go into the page's Content-Security-Policy.
	BucketOrigins []string
	// APIBase is the API's public address without a trailing slash. Empty:
	// beside the page, under whatever prefix that is served.
	APIBase string
	// Local tells the visitor that everything stays on this machine, and serves
	// what a developer wants to read.
	Local bool
	// Doctor says that there is a page "doctor" beside this one, to which the
	// page links when a browser cannot reach the bucket and may not say why.
	Doctor bool
}

// Handler serves the page at / and its parts beside it: /postern.js (the
// element, also for pages elsewhere) with what it fetches when it needs it
// (/multipart.js, /lang/de.js …), /core.js and /put.js for those who bring their
// own looks, /page.js, /page.css and /favicon.svg; on one's own machine also
// /docs/element. Everything else is 404. It may be mounted below a prefix with
// [http.StripPrefix]; the page's links are relative.
func Handler(c Config) http.Handler {
	mux := http.NewServeMux()
	footer := ""
	if c.Local {
		footer = `<p>Local mode: photos and records stay on this machine. <a href="docs/element">How to put this into your own page</a></p>`
	}
	doctor := ""
	if c.Doctor {
		doctor = `<p id="doctor" role="status" hidden>Browsers keep from pages why a bucket cannot be reached. <a href="doctor" target="_blank">See what the doctor finds</a></p>`
	}
	page := strings.NewReplacer("{{doctor}}", doctor, "{{endpoint}}", html.EscapeString(c.APIBase), "{{footer}}", footer).Replace(string(read("page.html")))
	mux.Handle("GET /{$}", newAsset("text/html; charset=utf-8", []byte(page), http.Header{
		"Content-Security-Policy": {c.policy()},
		"Referrer-Policy":         {"no-referrer"},
	}))
	for _, name := range scripts() {
		mux.Handle("GET /"+name, newAsset(javascript, read(name), http.Header{
			// A module script of another origin is fetched with CORS, and these
			// are meant for every page.
			"Access-Control-Allow-Origin":  {"*"},
			"Cross-Origin-Resource-Policy": {"cross-origin"},
		}))
	}
	if c.Local {
		mux.Handle("GET /docs/element", newAsset("text/html; charset=utf-8", read("element.html"), http.Header{
			"Content-Security-Policy": {c.policy()},
			"Referrer-Policy":         {"no-referrer"},
		}))
	}
	mux.Handle("GET /page.js", newAsset(javascript, read("page.js"), nil))
	mux.Handle("GET /page.css", newAsset("text/css; charset=utf-8", read("page.css"), nil))
	mux.Handle("GET /favicon.svg", newAsset("image/svg+xml", read("favicon.svg"), nil))
	return mux
}

// scripts are the element and the parts that it fetches when it needs them.
func scripts() []string {
	names, err := fs.Glob(dist, "dist/*.js")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	languages, err := fs.Glob(dist, "dist/lang/*.js")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	names = append(names, languages...)
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], "dist/")
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "page.js" })
}

const javascript = "text/javascript; charset=utf-8"

func read(name string) []byte {
	b, err := dist.ReadFile("dist/" + name)
	if err != nil {
		panic(err) // the embedded files are fixed when this is compiled
	}
	return b
}

// policy is the page's Content-Security-Policy: scripts and styles from here
// alone, requests to here, the API and the bucket.
func (c *Config) policy() string {
	buckets := sources(c.BucketOrigins)
	api := ""
	if o := originOf(c.APIBase); o != "" {
		api = sources([]string{o})
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		// A policy is held against where a redirect ends, and /images/… may
		// redirect to the bucket.
		"img-src 'self' blob: data:" + api + buckets,
		"connect-src 'self'" + api + buckets,
		"base-uri 'none'",
		"form-action 'self'" + buckets,
		"frame-ancestors 'none'",
	}, "; ")
}

// sources writes origins as CSP sources. What is not an origin is left out: a
// semicolon in it would write a policy of its own.
func sources(origins []string) string {
	var b strings.Builder
	for _, o := range origins {
		if o = originOf(o); o != "" {
			b.WriteString(" " + o)
		}
	}
	return b.String()
}

func originOf(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(u.Host, ";,' ") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// asset is one file, plain and compressed, each with a strong ETag.
type asset struct {
	header       http.Header
	plain, small []byte
	etag         string
}

func newAsset(mediaType string, content []byte, header http.Header) *asset {
	sum := sha256.Sum256(content)
	a := &asset{header: http.Header{
		"Content-Type":           {mediaType},
		"X-Content-Type-Options": {"nosniff"},
		"Cache-Control":          {"no-cache"}, // asked again each time, answered 304
		"Vary":                   {"Accept-Encoding"},
	}, plain: content, etag: hex.EncodeToString(sum[:12])}
	for name, values := range header {
		a.header[name] = values
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant that gzip knows
	}
	z.Write(content) //nolint:errcheck // a buffer takes everything
	z.Close()        //nolint:errcheck // a buffer takes everything
	a.small = b.Bytes()
	return a
}

func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, values := range a.header {
		h[name] = slices.Clone(values)
	}
	content, etag := a.plain, `"`+a.etag+`"`
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		content, etag = a.small, `"`+a.etag+`-gz"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", etag)
	if matches(r.Header.Values("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method != http.MethodHead {
		w.Write(content) //nolint:errcheck // the client has gone
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip named, and not
// with a weight of zero.
func acceptsGzip(values []string) bool {
	for _, coding := range strings.Split(strings.Join(values, ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, ok := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		if !ok {
			return true
		}
		f, err := strconv.ParseFloat(q, 64)
		return err == nil && f > 0
	}
	return false
}

// matches reads If-None-Match (RFC 9110, 13.1.2), which compares weakly.
func matches(values []string, etag string) bool {
	for _, tag := range strings.Split(strings.Join(values, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}
