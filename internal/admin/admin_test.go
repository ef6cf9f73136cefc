package admin_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/admin"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

// desk is a gate whose worker begins when it is told, and the page over it.
type desk struct {
	*posterntest.Gate
	t    *testing.T
	page *httptest.Server
	log  bytes.Buffer
}

func open(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, Gate: posterntest.Start(t, posterntest.Config{NoWorker: true, Handler: postern.HandlerConfig{
		Principal: func(*http.Request) (string, error) {
			return "alice <a@b.example>", nil
		},
	}})}
	d.page = httptest.NewServer(admin.Local(admin.New(admin.Config{
		Service: d.Service, Records: d.Records, Bucket: d.S3, Webhooks: true, Name: "copy-1",
		Jobs:   func() (int64, int64) { return 1, 2 },
		Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
	})))
	t.Cleanup(d.page.Close)
	return d
}

// settle brings the one due job to an end, as the worker would.
func (d *desk) settle(state postern.State, problem *postern.Error) {
	d.t.Helper()
	claims, err := d.Records.Claim(d.t.Context(), time.Minute, 1)
	if err != nil || len(claims) != 1 {
		d.t.Fatal(claims, err)
	}
	u := claims[0].Upload
	u.State, u.Problem = state, problem
	if err := d.Records.Settle(d.t.Context(), claims[0], u); err != nil {
		d.t.Fatal(err)
	}
}

// ask makes a request as a browser does, with its headers, and follows nothing.
func (d *desk) ask(method, path string, headers ...string) (status int, body string, h http.Header) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.page.URL+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

// shows asks for a page and looks for what must be on it, and what must not ("!").
func (d *desk) shows(path string, wanted ...string) string {
	d.t.Helper()
	status, body, _ := d.ask("GET", path)
	if status != http.StatusOK {
		d.t.Fatalf("%s: %d %s", path, status, body)
	}
	for _, w := range wanted {
		if not, ok := strings.CutPrefix(w, "!"); ok == strings.Contains(body, not) {
			d.t.Errorf("%s: %q: %s", path, w, body)
		}
	}
	return body
}

func picture(seed int64) []byte {
	return photo.JPEG(photo.Options{Width: 120, Height: 80, Seed: seed})
}

func TestEmpty(t *testing.T) {
	d := open(t)
	d.shows("/", "Nothing has been uploaded yet.", "No upload waits", "Webhooks have heard of everything.", "copy-1")
	d.shows("/?state=failed", "no uploads that are failed")
	if status, body, _ := d.ask("GET", "/?state=odd"); status != http.StatusBadRequest || !strings.Contains(body, "There is no state") {
		t.Errorf("%d %s", status, body)
	}
	for _, path := range []string{"/uploads/none", "/uploads/none/delete", "/uploads/none/image/thumb", "/?id=none", "/?id=" + strings.Repeat("x", 9000), "/uploads/%00", "/nothing"} {
		if status, body, _ := d.ask("GET", path); status != http.StatusNotFound || strings.Contains(body, strings.Repeat("x", 100)) {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, path := range []string{"/uploads/none/delete", "/uploads/none/again"} {
		if status, _, _ := d.ask("POST", path); status != http.StatusNotFound {
			t.Errorf("POST %s: %d", path, status)
		}
	}
}

// What strangers called their files, and themselves, is text.
func TestThreat08_NamesAreText(t *testing.T) {
	d := open(t)
	name := `"><img src=x onerror=alert(1)>.jpg`
	up := d.Upload(t, name, "image/jpeg", picture(1))
	body := d.shows("/", "alice &lt;a@b.example&gt;", "!<img src=x", "onerror=alert(1)&gt;.jpg", "1 upload waits")
	d.shows("/uploads/"+up.ID, "!<img src=x", "onerror=alert(1)&gt;.jpg")
	d.shows("/uploads/"+up.ID+"/delete", "!<img src=x", "onerror=alert(1)&gt;.jpg")
	if strings.Contains(strings.ToLower(body), "<script") {
		t.Error("the page has a script")
	}
	_, _, h := d.ask("GET", "/")
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if !strings.Contains(h.Get(name), want) {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
	if !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Error("it can be framed")
	}
}

// Of everybody, newest first, in pages, by state, and found by id.
func TestUploads(t *testing.T) {
	d := open(t)
	var ids []string
	for i := range 55 {
		who := []string{"alice", "bob"}[i%2]
		g, err := d.Service.Grant(t.Context(), postern.Identity{Principal: who}, postern.Request{Filename: "p.jpg", Type: "image/jpeg"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.Records.Arrive(t.Context(), postern.Upload{Ticket: g.Ticket}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(g.Ticket.ID))
		if i%11 == 0 {
			d.settle(postern.Rejected, postern.ErrTruncated.With("It ends too early."))
		} else {
			d.settle(postern.Failed, postern.ErrProcessing)
		}
	}
	slices.Sort(ids) // those of one millisecond have no order
	all := listed(d.shows("/", "alice", "bob", ">Older<", "!>Newest<", "It ends too early."))
	if len(all) != 50 {
		t.Fatalf("%d on a page", len(all))
	}
	rest := listed(d.shows("/?before="+all[49], ">Newest<", "!>Older<"))
	all = append(all, rest...)
	for i, id := range all {
		if id != ids[54-i] {
			t.Fatalf("the %d-th is %s, not %s", i, id, ids[54-i])
		}
	}
	if n := len(listed(d.shows("/?state=rejected", `!class="state failed"`))); n != 5 {
		t.Errorf("%d were rejected", n)
	}
	status, _, h := d.ask("GET", "/?id="+url.QueryEscape(" "+ids[3]+" "))
	if status != http.StatusSeeOther || h.Get("Location") != "/uploads/"+ids[3] {
		t.Errorf("%d, to %s", status, h.Get("Location"))
	}
}

func listed(body string) (ids []string) {
	for _, part := range strings.Split(body, `<a href="/uploads/`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		ids = append(ids, id)
	}
	return ids
}

// What failed is checked again if its bytes are there, and nothing else is.
func TestAgain(t *testing.T) {
	d := open(t)
	up := d.Upload(t, "p.jpg", "image/jpeg", picture(1))
	again := func() (int, string) {
		status, body, _ := d.ask("POST", "/uploads/"+up.ID+"/again")
		return status, body
	}
	d.shows("/uploads/"+up.ID, "!Check again", "due already")
	if status, _ := again(); status != http.StatusNotFound {
		t.Errorf("one that waits: %d", status)
	}
	d.settle(postern.Failed, postern.ErrProcessing.With("We could not read it."))
	d.shows("/uploads/"+up.ID, "Check again", "We could not read it.")
	d.shows("/", "We could not read it.")

	// Without its bytes.
	bytes := picture(1)
	if err := d.S3.Delete(t.Context(), postern.IncomingPrefix+up.ID); err != nil {
		t.Fatal(err)
	}
	if status, body := again(); status != http.StatusConflict || !strings.Contains(body, "not there any more") {
		t.Errorf("without bytes: %d %s", status, body)
	}
	// With bytes that nobody was permitted to send.
	if err := d.S3.Put(t.Context(), postern.IncomingPrefix+up.ID, "image/jpeg", bytes); err != nil {
		t.Fatal(err)
	}
	if status, _ := again(); status != http.StatusConflict {
		t.Errorf("with other bytes: %d", status)
	}

	other := d.Upload(t, "q.jpg", "image/jpeg", picture(2))
	d.settle(postern.Failed, postern.ErrProcessing)
	status, _, h := d.ask("POST", "/uploads/"+other.ID+"/again")
	if status != http.StatusSeeOther || !strings.HasPrefix(h.Get("Location"), "/uploads/"+other.ID) {
		t.Fatalf("%d, to %s", status, h.Get("Location"))
	}
	d.shows(h.Get("Location"), "is being checked again")
	d.Work(t)
	if now := d.Wait(t, other.ID); now.State != postern.Ready {
		t.Fatalf("it is %s", now.State)
	}
	body := d.shows("/uploads/"+other.ID, "120 × 80", "!Check again")
	if !strings.Contains(body, "/uploads/"+other.ID+"/image/thumb") {
		t.Error("its pictures are not shown")
	}
	status, shown, h := d.ask("GET", "/uploads/"+other.ID+"/image/thumb")
	if status != http.StatusOK || h.Get("Content-Type") != "image/jpeg" || !strings.HasPrefix(shown, "\xff\xd8") || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("thumb: %d %v", status, h)
	}
	if status, _, _ := d.ask("GET", "/uploads/"+other.ID+"/image/huge"); status != http.StatusNotFound {
		t.Errorf("a variant that is not there: %d", status)
	}
}

// Deleting asks first, and is told like any removal.
func TestDelete(t *testing.T) {
	d := open(t)
	d.Work(t)
	up := d.Upload(t, "p.jpg", "image/jpeg", picture(1))
	d.Wait(t, up.ID)
	d.shows("/uploads/"+up.ID+"/delete", "cannot be undone", "Keep it")
	if _, err := d.Get(t.Context(), up.ID); err != nil {
		t.Fatalf("asking deleted it: %v", err)
	}
	status, _, h := d.ask("POST", "/uploads/"+up.ID+"/delete", "Origin", d.page.URL, "Sec-Fetch-Site", "same-origin")
	if status != http.StatusSeeOther {
		t.Fatal(status)
	}
	d.shows(h.Get("Location"), "The upload is deleted", "Nothing has been uploaded yet.")
	var problem *posterntest.Problem
	if _, err := d.Get(t.Context(), up.ID); !errors.As(err, &problem) || problem.Code != postern.ErrNotFound.Code {
		t.Errorf("its owner sees %v", err)
	}
	for _, path := range []string{"", "/delete", "/image/thumb"} {
		if status, _, _ := d.ask("GET", "/uploads/"+up.ID+path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	if !strings.Contains(d.log.String(), "an operator deleted an upload") {
		t.Errorf("the log: %s", d.log.String())
	}
}

// Only a person at this machine may look, and no page elsewhere for him.
func TestThreat17_OperatorsPageFromElsewhere(t *testing.T) {
	d := open(t)
	up := d.Upload(t, "p.jpg", "image/jpeg", picture(1))
	d.settle(postern.Failed, postern.ErrProcessing)
	for _, headers := range [][]string{
		{"Host", "evil.example"},
		{"Host", "127.0.0.1.evil.example:8081"},
		{"Host", "10.0.0.1"},
		{"X-Forwarded-For", "127.0.0.1"},
		{"Forwarded", "for=127.0.0.1"},
		{"X-Real-Ip", "127.0.0.1"},
		{"Via", "1.1 proxy"},
		{"X-Forwarded-Host", "localhost"},
	} {
		for _, path := range []string{"/", "/uploads/" + up.ID, "/admin.css"} {
			status, body, _ := d.ask("GET", path, headers...)
			if status != http.StatusNotFound || strings.Contains(body, up.ID) {
				t.Errorf("%v %s: %d", headers, path, status)
			}
		}
	}
	for _, host := range []string{"localhost:8081", "127.0.0.1", "[::1]:8081", "LocalHost"} {
		if status, _, _ := d.ask("GET", "/", "Host", host); status != http.StatusOK {
			t.Errorf("%s: %d", host, status)
		}
	}
	for _, headers := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://127.0.0.1:1"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
	} {
		for _, what := range []string{"again", "delete"} {
			if status, _, _ := d.ask("POST", "/uploads/"+up.ID+"/"+what, headers...); status != http.StatusForbidden {
				t.Errorf("%s %v: %d", what, headers, status)
			}
		}
	}
	u, err := d.Records.Upload(t.Context(), postern.ID(up.ID))
	if err != nil || u.State != postern.Failed {
		t.Errorf("something was done: %s, %v", u.State, err)
	}
	// Changing things takes a POST.
	for _, what := range []string{"again"} {
		if status, _, _ := d.ask("GET", "/uploads/"+up.ID+"/"+what); status != http.StatusMethodNotAllowed && status != http.StatusNotFound {
			t.Errorf("GET %s: %d", what, status)
		}
	}

	// From another machine, whatever it calls us.
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for from, want := range map[string]int{"10.1.2.3:999": 404, "[2001:db8::1]:9": 404, "172.17.0.1:9": 404, "127.0.0.1:9": 200, "[::1]:9": 200, "[::ffff:127.0.0.1]:9": 200, "": 404, "@": 404} {
		r := httptest.NewRequest("GET", "http://localhost:8081/", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		admin.Local(nothing).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", from, w.Code, want)
		}
	}
}

// Records that do not answer are said so, and logged with their cause.
func TestRecordsAway(t *testing.T) {
	d := open(t)
	if err := d.Records.Close(); err != nil {
		t.Fatal(err)
	}
	status, body, _ := d.ask("GET", "/")
	if status != http.StatusServiceUnavailable || strings.Contains(body, "closed") {
		t.Errorf("%d %s", status, body)
	}
	if !strings.Contains(d.log.String(), "closed") {
		t.Errorf("the log: %s", d.log.String())
	}
}
