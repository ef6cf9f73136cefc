package postern_test

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

func small(seed int64) []byte { return photo.JPEG(photo.Options{Width: 64, Height: 48, Seed: seed}) }

// Threat 3: a grant used again changes nothing that can be seen.
func TestThreat03_Replay(t *testing.T) {
	g := start(t, posterntest.Config{})
	up := g.Grant(t, "p.jpg", "image/jpeg", small(1))
	first, second := small(1), bytes.Clone(small(1))
	second[len(second)/2] ^= 1 // other bytes, the same length
	if status, body, err := g.Send(t.Context(), up.Grant, first); err != nil || status != 204 {
		t.Fatal(status, body, err)
	}
	if _, err := g.Complete(t.Context(), up.ID); err != nil {
		t.Fatal(err)
	}
	before := g.Wait(t, up.ID)
	thumb, _ := g.Image(t, before.Variants[0].URL)
	for range 10 {
		if status, body, err := g.Send(t.Context(), up.Grant, second); err != nil || status != 204 {
			t.Fatal(status, body, err)
		}
		if _, err := g.Complete(t.Context(), up.ID); err != nil {
			t.Fatal(err)
		}
	}
	posterntest.Eventually(t, "the replays are swept", func() bool { return len(g.Incoming(t)) == 0 })
	after, err := g.Get(t.Context(), up.ID)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := g.Image(t, after.Variants[0].URL)
	if after.SHA256 != before.SHA256 || !bytes.Equal(thumb, again) {
		t.Error("a replay changed what is seen")
	}
	if s := g.Service.Stats(); s.Ready != 1 || s.Arrived != 1 {
		t.Errorf("stats %+v", s)
	}
}

// Threat 7 and 10: what the bytes are decides, not what they are called.
func TestThreat07_SpoofedTypes(t *testing.T) {
	g := start(t, posterntest.Config{})
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"html": {[]byte("<!doctype html><script>alert(1)</script>"), "HTML"},
		"svg":  {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "SVG"},
		"pdf":  {[]byte("%PDF-1.7\n%âãÏÓ\n1 0 obj\n"), "PDF"},
		"zip":  {[]byte("PK\x03\x04\x14\x00\x00\x00\x08\x00aaaaaaaaaaaaaaaaaa"), ""},
		"exe":  {append([]byte("MZ\x90\x00"), make([]byte, 200)...), ""},
		"js":   {[]byte("fetch('//evil.example')"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := g.Wait(t, g.Upload(t, "cat.png", "image/png", c.file).ID)
			if got.State != postern.Rejected || got.Problem.Code != "type_not_allowed" || !strings.Contains(got.Problem.Detail, c.says) {
				t.Errorf("%+v %+v", got, got.Problem)
			}
			if len(got.Variants) != 0 {
				t.Error("there are variants")
			}
		})
	}
	// A picture under another picture's name is what it is.
	got := g.Wait(t, g.Upload(t, "cat.png", "image/png", small(2)).ID)
	if got.State != postern.Ready || got.Type != "image/jpeg" {
		t.Errorf("JPEG called PNG: %+v", got)
	}
	posterntest.Eventually(t, "nothing is left in incoming/", func() bool { return len(g.Incoming(t)) == 0 })
}

// Threat 8: SVG is refused at the grant.
func TestThreat08_SVG(t *testing.T) {
	g := start(t, posterntest.Config{NoWorker: true})
	if _, err := g.Ask(t.Context(), postern.Request{Filename: "x.svg", Type: "image/svg+xml"}); code(err) != "type_not_allowed" {
		t.Errorf("got %v", err)
	}
}

// Threat 9: nothing behind or beside the picture survives.
func TestThreat09_Polyglots(t *testing.T) {
	g := start(t, posterntest.Config{})
	marker := "<script>alert('postern')</script>PK\x03\x04"
	file := append(photo.JPEG(photo.Options{Width: 300, Height: 200, Comment: marker}), marker...)
	got := g.Wait(t, g.Upload(t, "cat.jpg", "image/jpeg", file).ID)
	if got.State != postern.Ready {
		t.Fatalf("%+v", got)
	}
	for _, v := range got.Variants {
		b, _ := g.Image(t, v.URL)
		if bytes.Contains(b, []byte("<script")) || bytes.Contains(b, []byte("PK\x03\x04")) || !bytes.HasSuffix(b, []byte{0xFF, 0xD9}) {
			t.Errorf("%s carries more than a picture", v.Name)
		}
	}
}

// Threat 11: bombs are rejected with their reason, and the gate lives on.
func TestThreat11_Bombs(t *testing.T) {
	g := start(t, posterntest.Config{})
	var wg sync.WaitGroup
	for name, c := range map[string]struct {
		file []byte
		code postern.Code
	}{
		"60 MP":       {photo.PNGHeader(10000, 6000), "too_many_pixels"},
		"65535²":      {photo.PNGHeader(65535, 65535), "side_too_long"},
		"truncated":   {small(3)[:len(small(3))/2], "truncated"},
		"empty shell": {[]byte{0xFF, 0xD8, 0xFF, 0xD9}, "corrupt"},
	} {
		wg.Go(func() {
			got := g.Wait(t, g.Upload(t, "bomb", "image/png", c.file).ID)
			if got.State != postern.Rejected || (got.Problem.Code != c.code && (c.code != "corrupt" || got.Problem.Code != "truncated")) || got.Problem.Detail == "" {
				t.Errorf("%s: %+v %+v", name, got.State, got.Problem)
			}
		})
	}
	wg.Wait()
	if got := g.Wait(t, g.Upload(t, "p.jpg", "image/jpeg", small(4)).ID); got.State != postern.Ready {
		t.Errorf("after the bombs: %+v", got)
	}
}

// Threat 13: the bucket itself holds a liar to the grant.
func TestThreat13_SizeLies(t *testing.T) {
	g := start(t, posterntest.Config{NoWorker: true})
	file := small(5)
	up := g.Grant(t, "p.jpg", "image/jpeg", file)
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"one byte more": {append(bytes.Clone(file), 0), "EntityTooLarge"},
		"one byte less": {file[:len(file)-1], "EntityTooSmall"},
		"empty":         {nil, "EntityTooSmall"},
	} {
		if status, body, err := g.Send(t.Context(), up.Grant, c.file); err != nil || status != 400 || !strings.Contains(body, "<Code>"+c.code+"</Code>") {
			t.Errorf("%s: %d %s %v", name, status, body, err)
		}
	}
	for name, change := range map[string]func(map[string]string){
		"another type":  func(f map[string]string) { f["Content-Type"] = "text/html" },
		"another key":   func(f map[string]string) { f["key"] = "images/" + up.ID + "/thumb" },
		"an ACL":        func(f map[string]string) { f["acl"] = "public-read" },
		"other ticket":  func(f map[string]string) { f["x-amz-meta-postern"] += "A" },
		"no ticket":     func(f map[string]string) { delete(f, "x-amz-meta-postern") },
		"own metadata":  func(f map[string]string) { f["x-amz-meta-x"] = "y" },
		"other policy":  func(f map[string]string) { f["policy"] = "e30=" },
		"another token": func(f map[string]string) { f["x-amz-security-token"] = "x" },
	} {
		lie := *up.Grant
		lie.Fields = maps.Clone(up.Grant.Fields)
		change(lie.Fields)
		if status, body, err := g.Send(t.Context(), &lie, file); err != nil || status/100 != 4 {
			t.Errorf("%s: %d %s %v", name, status, body, err)
		}
	}
	if n := len(g.Incoming(t)); n != 0 {
		t.Errorf("%d objects arrived", n)
	}
	// Announced bytes are held to as well.
	in := postern.Request{Type: "image/jpeg", SHA256: sha256Of(small(6))}
	hashed, err := g.Ask(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if status, body, err := g.Send(t.Context(), hashed.Grant, file); err != nil || status != 400 {
		t.Errorf("other bytes than announced: %d %s %v", status, body, err)
	}
	if status, body, err := g.Send(t.Context(), hashed.Grant, small(6)); err != nil || status != 204 {
		t.Errorf("the announced bytes: %d %s %v", status, body, err)
	}
}

// Threat 15 and 16: what is somebody else's is not there, in the same words.
func TestThreat15_ForeignUploads(t *testing.T) {
	who := "alice"
	g := start(t, posterntest.Config{Handler: postern.HandlerConfig{
		Principal: func(*http.Request) (string, error) { return who, nil },
	}})
	file := small(7)
	unused := g.Grant(t, "p.jpg", "image/jpeg", file)
	sent := g.Put(t, "p.jpg", "image/jpeg", file)
	ready := g.Upload(t, "p.jpg", "image/jpeg", file)
	g.Wait(t, ready.ID)

	who = "bob"
	missing := strings.Repeat("0", 52)
	for _, id := range []string{unused.ID, sent.ID, ready.ID, missing} {
		for _, c := range []struct{ method, path string }{
			{"GET", "/uploads/" + id}, {"POST", "/uploads/" + id + "/complete"}, {"DELETE", "/uploads/" + id}, {"GET", "/uploads/" + id + "/events"},
		} {
			err := g.Do(t.Context(), c.method, c.path, nil, nil)
			p, ok := err.(*posterntest.Problem) //nolint:errorlint // Do returns it bare
			if !ok || p.Status != 404 || p.Code != "not_found" || p.Detail != "There is nothing here." {
				t.Errorf("%s %s: %v", c.method, c.path, err)
			}
		}
	}
	var page struct{ Uploads []posterntest.Upload }
	if err := g.Do(t.Context(), "GET", "/uploads", nil, &page); err != nil || len(page.Uploads) != 0 {
		t.Errorf("bob sees %d uploads (%v)", len(page.Uploads), err)
	}
	who = "alice"
	if got, err := g.Get(t.Context(), ready.ID); err != nil || got.State != postern.Ready {
		t.Errorf("alice's upload: %+v, %v", got, err)
	}
}

// Threat 17, in part: nobody signed in, nobody served.
func TestThreat17_Unauthenticated(t *testing.T) {
	g := start(t, posterntest.Config{NoWorker: true, Handler: postern.HandlerConfig{
		Principal: func(*http.Request) (string, error) { return "", postern.ErrUnauthenticated },
	}})
	for _, c := range []struct{ method, path string }{{"POST", "/uploads"}, {"GET", "/uploads"}, {"GET", "/limits"}, {"GET", "/uploads/" + strings.Repeat("0", 52)}} {
		if err := g.Do(t.Context(), c.method, c.path, nil, nil); code(err) != "unauthenticated" {
			t.Errorf("%s %s: %v", c.method, c.path, err)
		}
	}
}

// Threat 21: nobody but the worker reads what a browser wrote.
func TestThreat21_QuarantineIsUnreadable(t *testing.T) {
	g := start(t, posterntest.Config{NoWorker: true})
	up := g.Upload(t, "p.jpg", "image/jpeg", small(8))
	for _, url := range []string{
		g.BucketURL + "/incoming/" + up.ID, g.BucketURL + "/incoming/" + up.ID + "?X-Amz-Signature=x",
		g.BucketURL + "/?list-type=2&prefix=incoming/", g.URL + "/images/" + up.ID + "/thumb",
		g.URL + "/images/..%2fincoming/" + up.ID, g.URL + "/incoming/" + up.ID,
	} {
		res, err := g.HTTP.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if want := map[bool]int{true: 403, false: 404}[strings.HasPrefix(url, g.BucketURL)]; res.StatusCode != want && res.StatusCode != 400 {
			t.Errorf("GET %s: %d, want %d", url, res.StatusCode, want)
		}
	}
}

// Threat 23 and 37: logs tell no secret, and nobody writes lines into them.
func TestThreat23_LogsTellNoSecrets(t *testing.T) {
	var logs lockedBuffer
	log := slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g := start(t, posterntest.Config{Logger: log, Handler: postern.HandlerConfig{Logger: log}})
	up := g.Upload(t, "a\u2028b%0d%0a{\"x\":1}\u202e.jpg", "image/jpeg", small(9))
	g.Wait(t, up.ID)
	g.Do(t.Context(), "GET", "/uploads?cursor=secret%0aquery", nil, nil) //nolint:errcheck // only its log line matters
	grant := g.Grant(t, "p.jpg", "image/jpeg", small(9))
	lines := slog.New(slog.NewJSONHandler(&logs, nil))
	lines.InfoContext(t.Context(), "grant", "grant", &postern.Grant{Fields: postern.Fields{{Name: "policy", Value: grant.Grant.Fields["policy"]}}})
	lines.InfoContext(t.Context(), "key", "key", g.Key)

	text := logs.String()
	for what, secret := range map[string]string{
		"secret key": g.Key.SecretAccessKey, "policy": grant.Grant.Fields["policy"], "signature": grant.Grant.Fields["x-amz-signature"],
		"ticket": grant.Grant.Fields["x-amz-meta-postern"], "query": "secret%0aquery", "decoded query": "secret\nquery",
	} {
		if secret == "" || strings.Contains(text, secret) {
			t.Errorf("the log holds a %s", what)
		}
	}
	all := strings.Split(strings.TrimSpace(text), "\n")
	if len(all) < 5 {
		t.Errorf("only %d log lines", len(all))
	}
	for _, line := range all {
		if !json.Valid([]byte(line)) {
			t.Errorf("not one JSON line: %q", line)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Threat 34: "done" is believed only of the bucket, and only with our ticket.
func TestThreat34_FakeComplete(t *testing.T) {
	g := start(t, posterntest.Config{})
	up := g.Grant(t, "p.jpg", "image/jpeg", small(10))
	if _, err := g.Complete(t.Context(), up.ID); code(err) != "not_arrived" {
		t.Errorf("nothing there: %v", err)
	}
	// Somebody with write access to the bucket, but without our ticket.
	if err := g.S3.Put(t.Context(), postern.IncomingPrefix+up.ID, "image/jpeg", small(10)); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Complete(t.Context(), up.ID); code(err) != "not_arrived" {
		t.Errorf("an object without a ticket: %v", err)
	}
	if got, err := g.Get(t.Context(), up.ID); err != nil || got.State != postern.Granted {
		t.Errorf("%+v %v", got, err)
	}
}

// Threat 35: no EXIF, GPS or XMP in any byte served; upright; ICC kept.
func TestThreat35_Metadata(t *testing.T) {
	g := start(t, posterntest.Config{})
	for orientation := 1; orientation <= 8; orientation++ {
		file := photo.JPEG(photo.Options{Width: 640, Height: 480, Orientation: orientation, GPS: true, ICC: true, XMP: true})
		got := g.Wait(t, g.Upload(t, "p.jpg", "image/jpeg", file).ID)
		if got.State != postern.Ready {
			t.Fatalf("orientation %d: %+v", orientation, got)
		}
		wide := orientation <= 4
		if (got.Width > got.Height) != wide {
			t.Errorf("orientation %d: %d×%d", orientation, got.Width, got.Height)
		}
		for _, v := range got.Variants {
			b, _ := g.Image(t, v.URL)
			for _, marker := range []string{"Exif", "GPS", "xpacket", "http://ns.adobe.com/xap", photo.Secret} {
				if bytes.Contains(b, []byte(marker)) {
					t.Errorf("orientation %d, %s: holds %q", orientation, v.Name, marker)
				}
			}
			if !bytes.Contains(b, []byte("ICC_PROFILE")) {
				t.Errorf("orientation %d, %s: the ICC profile is gone", orientation, v.Name)
			}
			m, _, err := image.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if err := photo.Upright(m, wide); err != nil {
				t.Errorf("orientation %d, %s: %v", orientation, v.Name, err)
			}
		}
	}
}

// Threat 40: what is missing and what is forbidden look the same, and nothing lists.
func TestThreat40_Enumeration(t *testing.T) {
	g := start(t, posterntest.Config{})
	up := g.Wait(t, g.Upload(t, "p.jpg", "image/jpeg", small(11)).ID)
	for _, path := range []string{"/images/" + up.ID, "/images/" + up.ID + "/", "/images/", "/images/" + up.ID + "/huge", "/images/" + strings.Repeat("0", 52) + "/thumb", "/images/" + up.ID + "/..%2f" + up.ID + "%2fthumb"} {
		res, err := g.HTTP.Get(g.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 404 {
			t.Errorf("GET %s: %d", path, res.StatusCode)
		}
	}
}

// Threat 24: a signed URL lives an hour at most, is not kept by caches, and is in
// no log.
func TestThreat24_SignedURLs(t *testing.T) {
	var said lockedBuffer
	g := start(t, posterntest.Config{Logger: slog.New(slog.NewJSONHandler(&said, nil))})
	up := g.Wait(t, g.Upload(t, "p.jpg", "image/jpeg", small(24)).ID)
	h, err := postern.NewHandler(g.Service, postern.HandlerConfig{Logger: slog.New(slog.NewJSONHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/images/"+up.ID+"/thumb?X-Amz-Signature=of-somebody-else", nil))
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusFound {
		t.Fatalf("%d, %v", w.Code, err)
	}
	signature := to.Query().Get("X-Amz-Signature")
	if life, err := strconv.Atoi(to.Query().Get("X-Amz-Expires")); err != nil || life > 3600 || signature == "" {
		t.Errorf("expires %q", to.Query().Get("X-Amz-Expires"))
	}
	if w.Header().Get("Cache-Control") != "private, no-store" {
		t.Errorf("caches may keep it: %q", w.Header().Get("Cache-Control"))
	}
	logged := said.String()
	for _, secret := range []string{signature, "X-Amz-Signature", "of-somebody-else"} {
		if strings.Contains(logged, secret) {
			t.Errorf("the log says %q", secret)
		}
	}
	if !strings.Contains(logged, "/images/") {
		t.Error("the request is not in the log at all")
	}
	if _, err := postern.CheckPresets([]postern.Preset{{Name: "long", Life: time.Hour + time.Second}}); err == nil {
		t.Error("a grant of more than an hour is allowed")
	}
}

// Threat 39: a picture has the sizes of its preset, and nobody can ask for more.
func TestThreat39_OnlyNamedVariants(t *testing.T) {
	g := start(t, posterntest.Config{})
	up := g.Wait(t, g.Upload(t, "p.jpg", "image/jpeg", small(39)).ID)
	for _, path := range []string{"/thumb2", "/4096", "/thumb?w=4096", "/thumb@2x", "/original", "/THUMB"} {
		res, err := g.HTTP.Get(g.URL + "/images/" + up.ID + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if strings.Contains(path, "?") {
			// What is asked for beside the name changes nothing.
			if plain, _ := g.Image(t, g.URL+"/images/"+up.ID+"/thumb"); res.StatusCode != http.StatusOK || !bytes.Equal(b, plain) {
				t.Errorf("GET %s: %d, another picture", path, res.StatusCode)
			}
		} else if res.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, res.StatusCode)
		}
	}
	before := g.Service.Stats()
	for range 100 {
		g.Image(t, g.URL+"/images/"+up.ID+"/thumb")
	}
	if after := g.Service.Stats(); after.Ready != before.Ready || after.Arrived != before.Arrived {
		t.Error("showing a picture made something")
	}
}

// A browser that never says "complete" loses nothing.
func TestSweepTakesUp(t *testing.T) {
	g := start(t, posterntest.Config{})
	up := g.Put(t, "p.jpg", "image/jpeg", small(12))
	posterntest.Eventually(t, "the sweep found it and it is ready", func() bool {
		got, err := g.Get(t.Context(), up.ID)
		return err == nil && got.State == postern.Ready
	})
	posterntest.Eventually(t, "incoming/ is empty", func() bool { return len(g.Incoming(t)) == 0 })
}

// With the database locked, grants are signed and uploads arrive; they are
// taken up when it is back.
func TestRecordsDown(t *testing.T) {
	g := start(t, posterntest.Config{})
	g.Wait(t, g.Upload(t, "p.jpg", "image/jpeg", small(13)).ID)

	db, err := sql.Open("sqlite", filepath.Join(g.Dir, "postern.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	posterntest.Eventually(t, "the database is locked", func() bool {
		_, err := conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
		return err == nil
	})

	var ids []string
	for i := range 3 {
		up := g.Put(t, fmt.Sprint(i), "image/jpeg", small(14))
		ids = append(ids, up.ID)
	}
	if _, err := g.Complete(t.Context(), ids[0]); code(err) != "records_unavailable" {
		t.Errorf("complete without records: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		posterntest.Eventually(t, id+" is ready", func() bool {
			got, err := g.Get(t.Context(), id)
			return err == nil && got.State == postern.Ready
		})
	}
}

// A secret can be changed while grants made with the old one are out.
func TestSecretRotation(t *testing.T) {
	old, fresh := bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("n"), 32)
	dir := t.TempDir()
	var up posterntest.Upload
	key := posterntest.Start(t, posterntest.Config{NoWorker: true}).Key
	t.Run("before", func(t *testing.T) {
		g := posterntest.Start(t, posterntest.Config{Dir: dir, Secrets: [][]byte{old}, NoWorker: true, Credentials: key})
		up = g.Put(t, "p.jpg", "image/jpeg", small(15))
	})
	t.Run("during", func(t *testing.T) {
		g := posterntest.Start(t, posterntest.Config{Dir: dir, Secrets: [][]byte{fresh, old}, Credentials: key})
		if _, err := g.Complete(t.Context(), up.ID); err != nil {
			t.Fatal(err)
		}
		if got := g.Wait(t, up.ID); got.State != postern.Ready {
			t.Errorf("%+v", got)
		}
	})
}

// What nothing explains is deleted, once it is old enough, and counted.
func TestSweepDeletesForeign(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	g := start(t, posterntest.Config{Now: clock, NoWorker: true})
	if err := g.S3.Put(t.Context(), postern.IncomingPrefix+"junk", "text/plain", []byte("junk")); err != nil {
		t.Fatal(err)
	}
	late := g.Put(t, "p.jpg", "image/jpeg", small(16))
	if _, err := g.Worker.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(g.Incoming(t)); n != 2 {
		t.Errorf("fresh objects: %d left of 2", n)
	}
	mu.Lock()
	now = now.Add(postern.ForeignGrace + time.Minute)
	mu.Unlock()
	if _, err := g.Worker.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := g.Incoming(t); len(list) != 1 || list[0].Key != postern.IncomingPrefix+late.ID {
		t.Errorf("left: %+v", list)
	}
	if s := g.Service.Stats(); s.Foreign != 1 || s.Arrived != 1 {
		t.Errorf("stats %+v", s)
	}
}

func sha256Of(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}
