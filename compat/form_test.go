package compat_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

var (
	actionRE  = regexp.MustCompile(`<form action="([^"]+)" method="post" enctype="multipart/form-data">`)
	hiddenRE  = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	styleRE   = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	refreshRE = regexp.MustCompile(`<meta http-equiv="refresh" content="2;url=([^"]+)">`)
	imageRE   = regexp.MustCompile(`<img src="([^"]+)"`)
)

// show fetches a page as a browser does, and holds it to what every page keeps.
func (r *rig) show(t *testing.T, status int, address string, headers ...string) (page, policy string) {
	t.Helper()
	a := r.send(t, "GET", address, nil, headers...)
	page, policy = string(a.body), a.header.Get("Content-Security-Policy")
	if a.status != status || a.header.Get("Content-Type") != "text/html; charset=utf-8" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s: status %d, want %d: %v %s", address, a.status, status, a.header, a.body)
	}
	style := styleRE.FindStringSubmatch(page)
	if style == nil {
		t.Fatalf("no style: %s", page)
	}
	sum := sha256.Sum256([]byte(style[1]))
	if !strings.Contains(policy, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';") || !strings.Contains(policy, "form-action ") {
		t.Errorf("%s: policy %s", address, policy)
	}
	for _, bad := range []string{"<script", " style=", " onclick", "ZgotmplZ", "<no value>"} {
		if strings.Contains(page, bad) {
			t.Errorf("%s: page has %q", address, bad)
		}
	}
	if !strings.Contains(page, `<html lang="en">`) || strings.Count(page, "<h1>") != 1 || !strings.Contains(page, "<title>") {
		t.Errorf("%s: %s", address, page)
	}
	return page, policy
}

// fill reads a page's form: where it goes, and its fields in order.
func fill(t *testing.T, page string) (action string, fields [][2]string) {
	t.Helper()
	m := actionRE.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no form: %s", page)
	}
	for _, f := range hiddenRE.FindAllStringSubmatch(page, -1) {
		fields = append(fields, [2]string{html.UnescapeString(f[1]), html.UnescapeString(f[2])})
	}
	return html.UnescapeString(m[1]), fields
}

// submit sends the form and returns where the bucket sends the browser on to.
func (r *rig) submit(t *testing.T, page string, file []byte) string {
	t.Helper()
	action, fields := fill(t, page)
	a := r.post(t, action, fields, file)
	if a.status != http.StatusSeeOther {
		t.Fatalf("bucket: %d %s", a.status, a.body)
	}
	return a.header.Get("Location")
}

// settled follows the page's own refresh until there is none any more.
func (r *rig) settled(t *testing.T, address string) (page, policy string) {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	posterntest.Eventually(t, "the page is final", func() bool {
		page, policy = r.show(t, http.StatusOK, at.String())
		next := refreshRE.FindStringSubmatch(page)
		if next == nil {
			return true
		}
		to, err := at.Parse(html.UnescapeString(next[1]))
		if err != nil {
			t.Fatal(err)
		}
		at = to
		return false
	})
	return page, policy
}

func TestForm(t *testing.T) {
	r := start(t, "form", posterntest.Config{NoWorker: true})
	page, policy := r.show(t, http.StatusOK, r.base+"/form")
	gate := strings.TrimSuffix(r.base, prefix)
	if !strings.Contains(policy, "form-action "+r.BucketURL+" 'self' "+gate) {
		t.Errorf("policy %s", policy)
	}
	for _, want := range []string{`type="file"`, `accept="image/jpeg,image/png,image/gif,image/webp"`, `<label for="file">`, "JPEG, PNG, GIF or WebP, up to 25 MB.", "50 megapixels", "expired", "--life: 5"} {
		if !strings.Contains(page, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	file := small()
	address := r.submit(t, page, file)
	if !strings.HasPrefix(address, r.base+"/form/done/") || !strings.Contains(address, "etag=") {
		t.Fatalf("sent on to %s", address)
	}
	page, _ = r.show(t, http.StatusOK, address)
	if !strings.Contains(page, "has arrived") || !refreshRE.MatchString(page) {
		t.Errorf("arrived: %s", page)
	}
	if !strings.HasPrefix(refreshRE.FindStringSubmatch(page)[1], prefix+"/form/done/") {
		t.Errorf("refreshed at %s", refreshRE.FindString(page))
	}
	r.Work(t)
	page, policy = r.settled(t, address)
	m := imageRE.FindStringSubmatch(page)
	if m == nil || !strings.Contains(page, "is ready") || strings.Count(page, "<li>") != 4 || !strings.Contains(policy, "img-src 'self'") {
		t.Fatalf("ready: %s %s", policy, page)
	}
	if got, h := r.Image(t, strings.TrimPrefix(m[1], prefix)); len(got) == 0 || h.Get("Content-Type") != "image/jpeg" {
		t.Errorf("picture: %v", h)
	}
	id := address[strings.LastIndex(address, "/")+1 : strings.Index(address, "?")]
	if up := r.ready(t, id); up.Type != "image/jpeg" || up.Size != int64(len(file)) {
		t.Errorf("upload: %+v", up)
	}
	// Somebody else sees nothing, nor learns that there is something.
	r.show(t, http.StatusNotFound, r.base+"/form/done/"+id, "Test-Principal", "mallory")
	r.show(t, http.StatusNotFound, r.base+"/form/done/"+strings.Repeat("0", 52))
	r.show(t, http.StatusUnauthorized, r.base+"/form", "Test-Principal", "nobody")
}

// A file that is no picture, or none that the preset takes, is told so.
func TestFormRejected(t *testing.T) {
	r := start(t, "form", posterntest.Config{Presets: []postern.Preset{{Name: "scans", Types: []string{"image/png"}, MinBytes: 50}}})
	for what, tc := range map[string]struct {
		file []byte
		text string
	}{
		"no picture":      {[]byte(strings.Repeat("<script>alert(1)</script>", 9)), "The picture was not accepted"},
		"another type":    {small(), "The picture was not accepted"},
		"a cut-off image": {photo.PNG(photo.Options{Width: 100, Height: 100})[:900], "The picture was not accepted"},
	} {
		page, _ := r.show(t, http.StatusOK, r.base+"/form?preset=scans")
		if !strings.Contains(page, "PNG, up to 25 MB, at least 50 bytes") {
			t.Errorf("limits: %s", page)
		}
		page, _ = r.settled(t, r.submit(t, page, tc.file))
		if !strings.Contains(page, tc.text) || !strings.Contains(page, `href="`+prefix+`/form?preset=scans"`) || imageRE.MatchString(page) {
			t.Errorf("%s: %s", what, page)
		}
	}
}

// The bucket holds the form to its limits, whatever the page said.
func TestFormThatLies(t *testing.T) {
	r := start(t, "form", posterntest.Config{Presets: bounded(), NoWorker: true})
	page, _ := r.show(t, http.StatusOK, r.base+"/form")
	action, fields := fill(t, page)
	file := small()
	if a := r.post(t, action, fields, make([]byte, 100_001)); a.status != http.StatusBadRequest {
		t.Errorf("too large: %d", a.status)
	}
	// The bucket sends nobody to a place that we did not name (threat 38).
	for i, f := range fields {
		if f[0] != "success_action_redirect" {
			continue
		}
		for _, evil := range []string{"https://evil.example/", "//evil.example", strings.Replace(f[1], "http://", "http://evil.example@", 1)} {
			fields[i][1] = evil
			if a := r.post(t, action, fields, file); a.status != http.StatusForbidden {
				t.Errorf("sent on to %s: %d %v", evil, a.status, a.header)
			}
		}
	}
	if len(r.Incoming(t)) != 0 {
		t.Error("something arrived")
	}
}

func TestThreat38_RedirectIsOurs(t *testing.T) {
	r := start(t, "form", posterntest.Config{NoWorker: true, Handler: postern.HandlerConfig{
		BaseURL: "https://gate.example/photos", Hosts: []string{"127.0.0.1"},
	}})
	page, policy := r.show(t, http.StatusOK, r.base+"/form?redirect=//evil.example&success_action_redirect=https://evil.example", "X-Forwarded-Host", "evil.example")
	_, fields := fill(t, page)
	for _, f := range fields {
		if f[0] == "success_action_redirect" && !strings.HasPrefix(f[1], "https://gate.example/photos/form/done/") || strings.Contains(f[1], "evil") {
			t.Errorf("%s: %s", f[0], f[1])
		}
	}
	if !strings.Contains(policy, "'self' https://gate.example;") && !strings.HasSuffix(policy, "'self' https://gate.example") {
		t.Errorf("policy %s", policy)
	}
}

func TestFormRefusals(t *testing.T) {
	two := []postern.Preset{{Name: "a"}, {Name: "b"}}
	r := start(t, "form", posterntest.Config{Presets: two, NoWorker: true})
	page, _ := r.show(t, http.StatusBadRequest, r.base+"/form")
	if !strings.Contains(page, prefix+"/form?preset=a") || !strings.Contains(page, prefix+"/form?preset=b") {
		t.Errorf("no preset: %s", page)
	}
	page, _ = r.show(t, http.StatusBadRequest, r.base+"/form?preset=%3Cscript%3E")
	if !strings.Contains(page, "&lt;script&gt;") {
		t.Errorf("unknown preset: %s", page)
	}
	r.show(t, http.StatusNotFound, r.base+"/form/done/")
	if a := r.send(t, "POST", r.base+"/form", nil); a.status != http.StatusMethodNotAllowed || !strings.Contains(string(a.body), "<h1>") {
		t.Errorf("POST: %d %s", a.status, a.body)
	}

	page, _ = start(t, "form", posterntest.Config{Provider: formless(), NoWorker: true}).showForm(t, http.StatusBadRequest)
	if !strings.Contains(page, "Cloudflare R2 has no form uploads") {
		t.Errorf("no forms: %s", page)
	}
}

func (r *rig) showForm(t *testing.T, status int) (page, policy string) {
	t.Helper()
	return r.show(t, status, r.base+"/form")
}

// A form that was open for too long: the bucket refuses it, and our page knows.
func TestFormExpired(t *testing.T) {
	late := make(chan struct{})
	now := func() time.Time {
		select {
		case <-late:
			return time.Now().Add(time.Hour)
		default:
			return time.Now()
		}
	}
	r := start(t, "form", posterntest.Config{NoWorker: true, Now: now})
	page, _ := r.show(t, http.StatusOK, r.base+"/form")
	_, fields := fill(t, page)
	var done string
	for _, f := range fields {
		if f[0] == "success_action_redirect" {
			done = f[1]
		}
	}
	page, _ = r.show(t, http.StatusConflict, done)
	if !strings.Contains(page, "has not arrived") || !strings.Contains(page, prefix+`/form"`) {
		t.Errorf("before it was sent: %s", page)
	}
	close(late)
	page, _ = r.show(t, http.StatusGone, done)
	if !strings.Contains(page, "The form has expired") || !strings.Contains(page, prefix+`/form"`) {
		t.Errorf("expired: %s", page)
	}
}
