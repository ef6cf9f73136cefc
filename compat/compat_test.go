package compat_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/compat"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

// rig is a real gate with one protocol in front of it, below a prefix.
type rig struct {
	*posterntest.Gate
	base string // of the protocol's handler
}

const prefix = "/gate"

// start runs a gate that speaks the protocol called name. Nothing is swept: what
// is found was announced, or looked for.
func start(t *testing.T, name string, c posterntest.Config) *rig {
	t.Helper()
	c.SweepEvery = time.Hour
	r := &rig{Gate: posterntest.Start(t, c)}
	h := c.Handler
	h.Logger = c.Logger
	if h.BaseURL == "" {
		h.BaseURL = prefix
	}
	if h.Principal == nil {
		h.Principal = asksAs
	}
	speaker, err := compat.New(name, r.Service, h)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, p := range compat.Patterns(name) {
		mux.Handle(prefix+p, http.StripPrefix(prefix, speaker))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.base = server.URL + prefix
	return r
}

// asksAs is a sign-in for tests.
func asksAs(r *http.Request) (string, error) {
	switch who := r.Header.Get("Test-Principal"); who {
	case "":
		return postern.Anonymous, nil
	case "nobody":
		return "", postern.ErrUnauthenticated
	default:
		return who, nil
	}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) json(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// send makes one request with headers given as pairs. Redirects are not followed.
func (r *rig) send(t *testing.T, method, address string, body []byte, headers ...string) *answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	client := *r.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header, b}
}

// ask is send to the protocol's handler, which must answer 200.
func (r *rig) ask(t *testing.T, method, path string, in, out any, headers ...string) {
	t.Helper()
	var body []byte
	if in != nil {
		body = encoded(t, in)
		headers = append(headers, "Content-Type", "application/json")
	}
	a := r.send(t, method, r.base+path, body, headers...)
	if a.status != http.StatusOK {
		t.Fatalf("%s %s: status %d: %s", method, path, a.status, a.body)
	}
	a.json(t, out)
}

// raw is a body that is sent as it is.
type raw string

func encoded(t *testing.T, in any) []byte {
	t.Helper()
	if b, ok := in.(raw); ok {
		return []byte(b)
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type fault struct{ Error, Message, Code string }

// refused is send to the protocol's handler, which must refuse with code.
func (r *rig) refused(t *testing.T, status int, code postern.Code, method, path string, in any, headers ...string) fault {
	t.Helper()
	var body []byte
	if in != nil {
		body = encoded(t, in)
		headers = append([]string{"Content-Type", "application/json"}, headers...)
	}
	a := r.send(t, method, r.base+path, body, headers...)
	var f fault
	if a.status != status {
		t.Errorf("%s %s: status %d, want %d: %s", method, path, a.status, status, a.body)
		return f
	}
	a.json(t, &f)
	if f.Error == "" || f.Error != f.Message || f.Code != string(code) {
		t.Errorf("%s %s: %+v, want %s with the same sentence twice", method, path, f, code)
	}
	return f
}

// post sends a form to the bucket as a browser does, the file last.
func (r *rig) post(t *testing.T, address string, fields [][2]string, file []byte, headers ...string) *answer {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		w.WriteField(f[0], f[1]) //nolint:errcheck // bytes.Buffer never fails
	}
	part, _ := w.CreateFormFile("file", "cat.jpg")
	part.Write(file) //nolint:errcheck // bytes.Buffer never fails
	w.Close()
	return r.send(t, http.MethodPost, address, b.Bytes(), append(headers, "Content-Type", w.FormDataContentType(), "Origin", posterntest.Origin)...)
}

// ready waits until the upload is ready, and nothing of it is left in incoming/.
func (r *rig) ready(t *testing.T, id string) posterntest.Upload {
	t.Helper()
	posterntest.Eventually(t, "upload "+id+" has arrived", func() bool {
		up, err := r.Get(t.Context(), id)
		return err == nil && up.State != postern.Granted
	})
	up := r.Wait(t, id)
	if up.State != postern.Ready {
		t.Fatalf("upload: %+v, %+v", up, up.Problem)
	}
	posterntest.Eventually(t, "incoming/ is empty", func() bool { return len(r.Incoming(t)) == 0 })
	return up
}

func pairs(m map[string]string) (list [][2]string) {
	for k, v := range m {
		list = append(list, [2]string{k, v})
	}
	return list
}

func small() []byte { return photo.JPEG(photo.Options{Width: 300, Height: 200}) }

// large is a picture of over two parts' least size.
func large(t *testing.T) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 2000, 2000))
	noise := rand.NewChaCha8([32]byte{})
	noise.Read(m.Pix) //nolint:errcheck // it never fails
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	if b.Len() < 2*postern.MinPartSize+1 {
		t.Fatalf("the picture has only %d bytes", b.Len())
	}
	return b.Bytes()
}

// bounded is a preset in which a file can be too large, too small or of a wrong type.
func bounded() []postern.Preset {
	return []postern.Preset{
		{Name: "default", Types: []string{"image/jpeg"}, MinBytes: 100, MaxBytes: 100_000},
		{Name: "avatars", Types: []string{"image/png"}, MaxBytes: 1_000},
	}
}

func formless() postern.Provider {
	return postern.Provider{Name: "r2", Title: "Cloudflare R2", Post: postern.No, IfNoneMatch: postern.Yes, Checksum: postern.Yes}
}

func idIn(t *testing.T, key string) string {
	t.Helper()
	id, ok := strings.CutPrefix(key, postern.IncomingPrefix)
	if !ok || strings.Contains(id, "/") {
		t.Fatalf("key %q", key)
	}
	return id
}

func TestNames(t *testing.T) {
	for _, name := range compat.Names() {
		if len(compat.Patterns(name)) == 0 {
			t.Errorf("%s is served nowhere", name)
		}
	}
	if _, err := compat.New("carrier-pigeon", nil, postern.HandlerConfig{}); err == nil || !strings.Contains(err.Error(), "uppy, activestorage, shrine, tutorial, form") {
		t.Errorf("unknown protocol: %v", err)
	}
	if compat.Patterns("carrier-pigeon") != nil {
		t.Error("an unknown protocol has patterns")
	}
	for _, name := range compat.Names() {
		if _, err := compat.New(name, nil, postern.HandlerConfig{Origins: []string{"not an origin"}}); err == nil {
			t.Errorf("%s: an unusable origin is taken", name)
		}
	}
}

// Who has not signed in gets no permission by any protocol (threat 17).
func TestThreat17_UnauthorisedSigning(t *testing.T) {
	for _, tc := range []struct{ name, method, path, body string }{
		{"uppy", "GET", "/s3/params?filename=a.jpg&type=image/jpeg", ""},
		{"uppy", "POST", "/s3/multipart", `{"filename":"a.jpg","type":"image/jpeg"}`},
		{"activestorage", "POST", "/rails/active_storage/direct_uploads", `{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":9,"checksum":""}}`},
		{"shrine", "GET", "/presign?filename=a.jpg&type=image/jpeg", ""},
		{"tutorial", "GET", "/s3_credentials?filename=a.jpg", ""},
		{"form", "GET", "/form", ""},
	} {
		r := start(t, tc.name, posterntest.Config{NoWorker: true})
		body := []byte(tc.body)
		if a := r.send(t, tc.method, r.base+tc.path, body, "Content-Type", "application/json", "Test-Principal", "nobody"); a.status != http.StatusUnauthorized {
			t.Errorf("%s: status %d without a sign-in: %s", tc.name, a.status, a.body)
		}
		if n := r.Service.Stats().Granted; n != 0 {
			t.Errorf("%s: %d grants", tc.name, n)
		}
		if a := r.send(t, tc.method, r.base+tc.path, body, "Content-Type", "application/json"); a.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", tc.name, a.status, a.body)
		}
		if tc.method != "POST" {
			continue
		}
		// A page elsewhere has the browser's cookie sent, by a form or as text.
		if a := r.send(t, "POST", r.base+tc.path, body, "Content-Type", "application/json", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
			t.Errorf("%s: status %d from another site", tc.name, a.status)
		}
		if a := r.send(t, "POST", r.base+tc.path, body, "Content-Type", "text/plain"); a.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s: status %d for JSON as text", tc.name, a.status)
		}
		if n := r.Service.Stats().Granted; n != 1 {
			t.Errorf("%s: %d grants, want 1", tc.name, n)
		}
	}
}

// A key is a random id whatever the file is called (threat 4).
func TestThreat04_KeyFromFilename(t *testing.T) {
	r := start(t, "tutorial", posterntest.Config{NoWorker: true})
	for _, name := range []string{"../../images/x.jpg", `..\x.jpg`, "%2e%2e/x.jpg", "\u202egpj.x.jpg", "$$.jpg", "${filename}.jpg"} {
		a := r.send(t, "GET", r.base+"/s3_credentials?filename="+url.QueryEscape(name), nil)
		if a.status == http.StatusBadRequest {
			continue
		}
		var out struct{ Params map[string]string }
		a.json(t, &out)
		if id := idIn(t, out.Params["key"]); len(id) != 52 || strings.Trim(id, "0123456789abcdefghijklmnopqrstuv") != "" {
			t.Errorf("filename %q: key %q", name, out.Params["key"])
		}
	}
}

// lockedWriter is for logs that several goroutines write.
type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (l *lockedWriter) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.String()
}

func itoa(n int) string { return strconv.Itoa(n) }

// queryOf makes a query of pairs.
func queryOf(pairs ...string) string {
	q := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		q.Set(pair[0], pair[1])
	}
	return q.Encode()
}
