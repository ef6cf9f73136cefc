package postern_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

// start runs a gate whose every answer is held against openapi.yaml.
func start(t *testing.T, c posterntest.Config) *posterntest.Gate {
	t.Helper()
	g := posterntest.Start(t, c)
	g.HTTP.Transport = &contract{t: t, base: g.URL, router: openAPIRouter(t)}
	return g
}

// contract holds each exchange with the API against the OpenAPI document.
type contract struct {
	t      *testing.T
	base   string
	router routers.Router
}

func openAPIRouter(t *testing.T) routers.Router {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.String(), c.base+"/") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))

	asked := r.Clone(r.Context())
	asked.Body = io.NopCloser(bytes.NewReader(sent))
	asked.URL.Scheme, asked.URL.Host, asked.Host = "", "", ""
	route, params, err := c.router.FindRoute(asked)
	if err != nil {
		if res.StatusCode < 400 {
			c.t.Errorf("%s %s answered %d, but openapi.yaml does not know it", r.Method, r.URL.Path, res.StatusCode)
		}
		return res, nil
	}
	in := &openapi3filter.RequestValidationInput{Request: asked, Route: route, PathParams: params, Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	if res.StatusCode < 300 {
		if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
			c.t.Errorf("%s %s: accepted a request that openapi.yaml refuses: %v", r.Method, r.URL.Path, err)
		}
	}
	if res.StatusCode == http.StatusNotModified || r.Method == http.MethodHead {
		return res, nil
	}
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		c.t.Errorf("%s %s: status %d is not as openapi.yaml says: %v\n%s", r.Method, r.URL.Path, res.StatusCode, err, body)
	}
	return res, nil
}

// The OpenAPI document and the mux know the same routes.
func TestOpenAPIRoutes(t *testing.T) {
	var src []byte
	for _, file := range []string{"handler.go", "auth/tokens.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		src = append(src, text...)
	}
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			n++
			if !strings.Contains(string(src), `("`+method+" "+path+`", `) {
				t.Errorf("openapi.yaml has %s %s, the handler does not", method, path)
			}
		}
	}
	if got := len(regexp.MustCompile(`[he]\.Handle(As)?\("`).FindAll(src, -1)); got != n {
		t.Errorf("the handler has %d routes, openapi.yaml %d", got, n)
	}
}

func TestOneUpload(t *testing.T) {
	g := start(t, posterntest.Config{})
	file := photo.JPEG(photo.Options{Width: 1600, Height: 1200, Orientation: 6, GPS: true, ICC: true})
	size := int64(len(file))

	up, err := g.Ask(t.Context(), postern.Request{Filename: "cat.jpg", Type: "image/jpeg", Size: &size, Metadata: map[string]string{"album": "42"}})
	if err != nil {
		t.Fatal(err)
	}
	if up.State != postern.Granted || up.Grant.Method != "POST" || up.Grant.FileField != "file" || time.Until(up.ExpiresAt) > 10*time.Minute {
		t.Fatalf("grant: %+v", up)
	}
	if got, err := g.Get(t.Context(), up.ID); err != nil || got.State != postern.Granted {
		t.Errorf("before the bytes arrived: %+v, %v", got, err)
	}
	if _, err := g.Complete(t.Context(), up.ID); code(err) != "not_arrived" {
		t.Errorf("complete before the bytes arrived: %v", err)
	}
	if status, body, err := g.Send(t.Context(), up.Grant, file); err != nil || status != http.StatusNoContent {
		t.Fatalf("send: %d %s %v", status, body, err)
	}
	if got, err := g.Complete(t.Context(), up.ID); err != nil || got.ID != up.ID {
		t.Fatalf("complete: %+v, %v", got, err)
	}
	got := g.Wait(t, up.ID)
	if got.State != postern.Ready || got.Width != 1200 || got.Height != 1600 || got.Filename != "cat.jpg" || got.Type != "image/jpeg" ||
		got.Size != size || got.Metadata["album"] != "42" || len(got.Variants) != 3 {
		t.Fatalf("ready: %+v", got)
	}
	if b, err := base64.StdEncoding.DecodeString(got.Placeholder); err != nil || len(b) < 5 || len(b) > 30 {
		t.Errorf("placeholder %q", got.Placeholder)
	}
	for _, v := range got.Variants {
		b, h := g.Image(t, v.URL)
		if int64(len(b)) != v.Size || h.Get("Content-Type") != v.Type {
			t.Errorf("%s: %d bytes of %s, announced %d of %s", v.Name, len(b), h.Get("Content-Type"), v.Size, v.Type)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options":  "nosniff",
			"Content-Security-Policy": "default-src 'none'; sandbox",
			"Cache-Control":           "public, max-age=31536000, immutable",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s: %q, want %q", v.Name, name, h.Get(name), want)
			}
		}
	}
	// Complete again, and again: nothing changes.
	for range 3 {
		if again, err := g.Complete(t.Context(), up.ID); err != nil || again.State != postern.Ready {
			t.Errorf("complete again: %+v, %v", again, err)
		}
	}
	posterntest.Eventually(t, "incoming/ is empty", func() bool { return len(g.Incoming(t)) == 0 })
	s := g.Service.Stats()
	if s.Granted != 1 || s.Arrived != 1 || s.Ready != 1 || s.Rejected != 0 {
		t.Errorf("stats %+v", s)
	}
	// Rule 1: the service saw requests, not files.
	if s.BodyBytes == 0 || s.BodyBytes > 1000 || s.BodyBytes > size {
		t.Errorf("%d bytes of request bodies for a file of %d", s.BodyBytes, size)
	}
}

func code(err error) postern.Code {
	if p, ok := err.(*posterntest.Problem); ok { //nolint:errorlint // Do returns it bare
		return p.Code
	}
	return ""
}

func TestListRemove(t *testing.T) {
	g := start(t, posterntest.Config{})
	var ids []string
	for range 5 {
		up := g.Upload(t, "p.jpg", "image/jpeg", photo.JPEG(photo.Options{Width: 40, Height: 30}))
		if got := g.Wait(t, up.ID); got.State != postern.Ready {
			t.Fatalf("%+v", got)
		}
		ids = append([]string{up.ID}, ids...)
	}
	var seen []string
	cursor := ""
	for pages := 0; ; pages++ {
		var page struct {
			Uploads []posterntest.Upload
			Next    string
		}
		if err := g.Do(t.Context(), "GET", "/uploads?state=ready&limit=2"+cursor, nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Uploads {
			seen = append(seen, u.ID)
		}
		cursor = "&cursor=" + page.Next
		if page.Next == "" {
			if pages != 2 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
	}
	if strings.Join(seen, " ") != strings.Join(ids, " ") {
		t.Errorf("listed %v, want newest first %v", seen, ids)
	}

	if err := g.Do(t.Context(), "DELETE", "/uploads/"+ids[0], nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Get(t.Context(), ids[0]); code(err) != "not_found" {
		t.Errorf("a removed upload: %v", err)
	}
	if err := g.Do(t.Context(), "DELETE", "/uploads/"+ids[0], nil, nil); code(err) != "not_found" {
		t.Errorf("removed twice: %v", err)
	}
	posterntest.Eventually(t, "its pictures are gone", func() bool {
		list, err := g.S3.List(t.Context(), postern.ImagesPrefix+ids[0]+"/", "", 10)
		return err == nil && len(list) == 0
	})
	if list, err := g.S3.List(t.Context(), postern.ImagesPrefix, "", 100); err != nil || len(list) != 12 {
		t.Errorf("%d pictures of the others, want 12 (%v)", len(list), err)
	}
}

func TestRemoveBeforeCompleteStopsAReplay(t *testing.T) {
	g := start(t, posterntest.Config{})
	file := photo.JPEG(photo.Options{Width: 40, Height: 30})
	up := g.Put(t, "p.jpg", "image/jpeg", file)
	if err := g.Do(t.Context(), "DELETE", "/uploads/"+up.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	if status, _, err := g.Send(t.Context(), up.Grant, file); err != nil || status != http.StatusNoContent {
		t.Fatalf("replay: %d %v", status, err)
	}
	if _, err := g.Complete(t.Context(), up.ID); code(err) != "not_found" {
		t.Errorf("complete of a removed upload: %v", err)
	}
	posterntest.Eventually(t, "the replay is swept", func() bool { return len(g.Incoming(t)) == 0 })
	// A grant never used is just forgotten.
	unused := g.Grant(t, "p.jpg", "image/jpeg", file)
	if err := g.Do(t.Context(), "DELETE", "/uploads/"+unused.ID, nil, nil); err != nil {
		t.Error(err)
	}
}

func TestEvents(t *testing.T) {
	g := start(t, posterntest.Config{NoWorker: true})
	up := g.Upload(t, "p.jpg", "image/jpeg", photo.JPEG(photo.Options{Width: 40, Height: 30}))
	type result struct {
		events []posterntest.Upload
		err    error
	}
	done := make(chan result, 1)
	go func() {
		events, err := g.Events(t.Context(), up.ID)
		done <- result{events, err}
	}()
	g.Work(t)
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	last := r.events[len(r.events)-1]
	if last.State != postern.Ready || len(last.Variants) != 3 {
		t.Errorf("the last event: %+v", last)
	}
	if again, err := g.Events(t.Context(), up.ID); err != nil || len(again) != 1 || again[0].State != postern.Ready {
		t.Errorf("events of a settled upload: %+v, %v", again, err)
	}
	if _, err := g.Events(t.Context(), strings.Repeat("0", 52)); err == nil {
		t.Error("events of nothing: no error")
	}
}

// A stream on which nothing happens says that it lives, and ends no later than
// its listener does.
func TestEvents_Heartbeat(t *testing.T) {
	g := start(t, posterntest.Config{NoWorker: true, Handler: postern.HandlerConfig{Heartbeat: 5 * time.Millisecond}})
	up := g.Upload(t, "p.jpg", "image/jpeg", photo.JPEG(photo.Options{Width: 40, Height: 30}))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+"/uploads/"+up.ID+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r) // the test's own reads answers whole
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	var comments, events int
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == ":":
			if comments++; comments == 3 {
				g.Work(t) // and now something happens
			}
		case strings.HasPrefix(line, "data: "):
			events++
		case line != "" && line != "event: state":
			t.Fatalf("%q", line)
		}
	}
	if comments < 3 || events != 2 {
		t.Errorf("%d comments, %d events, %v", comments, events, lines.Err())
	}
}

func TestExpired(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	g := start(t, posterntest.Config{Now: clock, NoWorker: true})
	up := g.Grant(t, "p.jpg", "image/jpeg", []byte("x"))
	now = now.Add(postern.DefaultLife)
	if got, err := g.Get(t.Context(), up.ID); err != nil || got.State != postern.Expired {
		t.Errorf("after its life: %+v, %v", got, err)
	}
	if events, err := g.Events(t.Context(), up.ID); err != nil || len(events) != 1 || events[0].State != postern.Expired {
		t.Errorf("events: %+v, %v", events, err)
	}
	if _, err := g.Complete(t.Context(), up.ID); code(err) != "not_arrived" {
		t.Errorf("complete: %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	g := start(t, posterntest.Config{NoWorker: true})
	for _, c := range []struct {
		name, method, path, contentType, body string
		status                                int
		code                                  postern.Code
		says                                  string
	}{
		{"not JSON", "POST", "/uploads", "application/json", "{", 400, "bad_request", "JSON"},
		{"an array", "POST", "/uploads", "application/json", "[]", 400, "bad_request", "JSON"},
		{"two values", "POST", "/uploads", "application/json", `{"type":"image/png"}{}`, 400, "bad_request", "more than one"},
		{"unknown field", "POST", "/uploads", "application/json", `{"type":"image/png","acl":"public-read"}`, 400, "bad_request", `"acl"`},
		{"wrong type", "POST", "/uploads", "application/json", `{"type":"image/png","size":"5"}`, 400, "bad_request", "size must be a whole number"},
		{"text/plain", "POST", "/uploads", "text/plain", `{"type":"image/png"}`, 415, "json_required", "application/json"},
		{"a file", "POST", "/uploads", "application/json", `{"type":"` + strings.Repeat("x", 20<<10) + `"}`, 400, "bad_request", "16.4 kB"},
		{"limit 0", "GET", "/uploads?limit=0", "", "", 400, "bad_request", "1 to 200"},
		{"bad cursor", "GET", "/uploads?cursor=x", "", "", 400, "bad_request", "cursor"},
		{"bad state", "GET", "/uploads?state=gone", "", "", 400, "bad_request", "ready"},
		{"wrong method", "PUT", "/uploads", "", "", 405, "method_not_allowed", "GET"},
		{"no route", "GET", "/nothing", "", "", 404, "not_found", ""},
		{"made-up id", "GET", "/uploads/" + strings.Repeat("0", 52), "", "", 404, "not_found", ""},
		{"traversal", "GET", "/uploads/..%2f..%2fetc", "", "", 404, "not_found", ""},
		{"unknown preset", "GET", "/limits?preset=x", "", "", 400, "preset_unknown", `"x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, g.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.contentType != "" {
				r.Header.Set("Content-Type", c.contentType)
			}
			res, err := g.HTTP.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || !strings.Contains(string(b), `"code":"`+string(c.code)+`"`) || !strings.Contains(strings.ReplaceAll(string(b), `\"`, `"`), c.says) {
				t.Errorf("status %d: %s", res.StatusCode, b)
			}
			if res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("X-Request-Id") == "" ||
				!strings.Contains(string(b), `"instance":"`+res.Header.Get("X-Request-Id")+`"`) {
				t.Errorf("headers %v", res.Header)
			}
		})
	}
}

func TestCrossOrigin(t *testing.T) {
	const friend = "https://app.example"
	g := posterntest.Start(t, posterntest.Config{NoWorker: true, Handler: postern.HandlerConfig{Origins: []string{friend}, Hosts: []string{"127.0.0.1"}}})
	send := func(method, origin, site, host string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, g.URL+"/uploads", strings.NewReader(`{"type":"image/png"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if origin != "" {
			r.Header.Set("Origin", origin)
			r.Header.Set("Sec-Fetch-Site", site)
		}
		if host != "" {
			r.Host = host
		}
		res, err := g.HTTP.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	if res := send("OPTIONS", friend, "cross-site", ""); res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") != friend {
		t.Errorf("preflight of a friend: %d %v", res.StatusCode, res.Header)
	}
	if res := send("POST", friend, "cross-site", ""); res.StatusCode != 201 || res.Header.Get("Access-Control-Allow-Origin") != friend {
		t.Errorf("a friend: %d %v", res.StatusCode, res.Header)
	}
	for _, evil := range []string{"https://evil.example", "null", "https://app.example.evil", "https://app.example:444", "http://app.example"} {
		if res := send("POST", evil, "cross-site", ""); res.StatusCode != 403 || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", evil, res.StatusCode, res.Header)
		}
		if res := send("OPTIONS", evil, "cross-site", ""); res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight of %s: %v", evil, res.Header)
		}
	}
	if res := send("POST", "", "", "rebound.example"); res.StatusCode != 403 {
		t.Errorf("a foreign host name: %d", res.StatusCode)
	}
	if res := send("POST", "", "", ""); res.StatusCode != 201 {
		t.Errorf("no browser at all: %d", res.StatusCode)
	}
}

func TestMountedBelowAPrefix(t *testing.T) {
	g := posterntest.Start(t, posterntest.Config{})
	h, err := postern.NewHandler(g.Service, postern.HandlerConfig{BaseURL: "/gate", ServeImages: true})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/gate/", http.StripPrefix("/gate", h))
	server := httptest.NewServer(mux)
	defer server.Close()
	g.URL = server.URL + "/gate"
	up := g.Upload(t, "p.jpg", "image/jpeg", photo.JPEG(photo.Options{Width: 40, Height: 30}))
	got := g.Wait(t, up.ID)
	if len(got.Variants) == 0 || !strings.HasPrefix(got.Variants[0].URL, "/gate/images/") {
		t.Fatalf("%+v", got)
	}
	g.Image(t, server.URL+got.Variants[0].URL)
}

func TestImagesElsewhere(t *testing.T) {
	for _, c := range []struct{ name, images string }{{"CDN", "https://cdn.example/images"}, {"signed", ""}} {
		t.Run(c.name, func(t *testing.T) {
			g := posterntest.Start(t, posterntest.Config{})
			up := g.Wait(t, g.Upload(t, "p.jpg", "image/jpeg", photo.JPEG(photo.Options{Width: 40, Height: 30})).ID)
			h, err := postern.NewHandler(g.Service, postern.HandlerConfig{Images: c.images})
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/images/"+up.ID+"/thumb", nil))
			to := w.Header().Get("Location")
			if w.Code != http.StatusFound || !strings.HasPrefix(to, map[bool]string{true: c.images, false: g.BucketURL + "/images"}[c.images != ""]+"/"+up.ID+"/thumb") {
				t.Fatalf("%d %s", w.Code, to)
			}
			if c.images == "" {
				if w.Header().Get("Cache-Control") != "private, no-store" {
					t.Error("a signed URL must not be cached")
				}
				if b, _ := g.Image(t, to); !bytes.HasPrefix(b, []byte{0xFF, 0xD8}) {
					t.Error("the signed URL does not show the picture")
				}
			}
		})
	}
}
