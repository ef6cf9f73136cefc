package s3d

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"postern.example/postern/sigv4"
)

const (
	testBucket = "photos"
	testRegion = "us-east-1"
)

var testKey = sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}

// fixture is a server over a folder of its own, reached over HTTP.
type fixture struct {
	t      testing.TB
	dir    string
	server *Server
	url    string // without a slash at the end
	log    *syncBuffer
	signer *sigv4.Signer

	mu     sync.Mutex
	offset time.Duration // of the server's clock and ours
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start opens a server with the bucket "photos".
func start(t testing.TB) *fixture {
	t.Helper()
	return startIn(t, filepath.Join(t.TempDir(), "bucket"))
}

func startIn(t testing.TB, dir string) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: dir, log: new(syncBuffer), signer: sigv4.NewSigner(testRegion)}
	var err error
	f.server, err = New(Config{
		Dir: dir, Keys: []sigv4.Credentials{testKey}, Now: f.now,
		Logger: slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(f.server)
	f.url = h.URL
	t.Cleanup(func() {
		h.Close()
		if err := f.server.Close(); err != nil {
			t.Error(err)
		}
	})
	f.expect(f.do("PUT", "/"+testBucket, nil, nil), 200, "")
	return f
}

func (f *fixture) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Now().Add(f.offset)
}

func (f *fixture) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.offset += d
}

// reply is an answer read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) code() string { return r.element("Code") }

// element returns the text of an element right below the root.
func (r reply) element(name string) string {
	var doc struct {
		Elements []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if xml.Unmarshal(r.body, &doc) != nil {
		return ""
	}
	for _, e := range doc.Elements {
		if e.XMLName.Local == name {
			return e.Text
		}
	}
	return ""
}

// raw sends a request as it is.
func (f *fixture) raw(r *http.Request) reply {
	f.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, b}
}

// request makes a request that is not signed yet. target is path and query,
// escaped as they are to be sent.
func (f *fixture) request(method, target string, body []byte, header map[string]string) *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, f.url+target, bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	return r
}

// do sends a request signed by header, with the hash of its body.
func (f *fixture) do(method, target string, body []byte, header map[string]string) reply {
	f.t.Helper()
	sum := sha256.Sum256(body)
	return f.doAs(method, target, body, header, hex.EncodeToString(sum[:]))
}

func (f *fixture) doAs(method, target string, body []byte, header map[string]string, payload string) reply {
	f.t.Helper()
	r := f.request(method, target, body, header)
	if err := f.signer.SignHeader(testKey, f.now(), r, payload); err != nil {
		f.t.Fatal(err)
	}
	return f.raw(r)
}

// presign returns a URL for a request with these signed headers.
func (f *fixture) presign(method, target string, header map[string]string) string {
	f.t.Helper()
	u, err := url.Parse(f.url + target)
	if err != nil {
		f.t.Fatal(err)
	}
	h := make(http.Header)
	for k, v := range header {
		h.Set(k, v)
	}
	s, err := f.signer.Presign(testKey, f.now(), sigv4.Request{Method: method, URL: u, Header: h, Expires: 5 * time.Minute})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *fixture) expect(r reply, status int, code string) {
	f.t.Helper()
	if r.status != status || r.code() != code {
		f.t.Fatalf("answer is %d %q, want %d %q\n%s", r.status, r.code(), status, code, r.body)
	}
}

// put writes an object, get reads one and its status.
func (f *fixture) put(key string, body string) {
	f.t.Helper()
	f.expect(f.do("PUT", "/"+testBucket+"/"+escapeKey(key, true), []byte(body), nil), 200, "")
}

func (f *fixture) get(key string) reply {
	f.t.Helper()
	return f.do("GET", "/"+testBucket+"/"+escapeKey(key, true), nil, nil)
}

func (f *fixture) absent(key string) {
	f.t.Helper()
	f.expect(f.get(key), 404, "NoSuchKey")
}

// files lists every file below the server's folder, without the lock and the
// settings of buckets, which lie right in a bucket's folder.
func (f *fixture) files() []string {
	f.t.Helper()
	var all []string
	err := filepath.WalkDir(f.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".lock" && filepath.Dir(filepath.Dir(path)) != f.dir {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

func (f *fixture) sdk() *s3.Client {
	return s3.New(s3.Options{
		Region: testRegion, BaseEndpoint: aws.String(f.url), UsePathStyle: true, HTTPClient: http.DefaultClient,
		Credentials: credentials.NewStaticCredentialsProvider(testKey.AccessKeyID, testKey.SecretAccessKey, ""),
	})
}

// formSpec is a form to be sent. The zero fields mean a good form: key "up/a",
// file "hello", all fields covered, 1 to 100 bytes.
type formSpec struct {
	fields     []sigv4.Field     // before the signature's; default: key
	conditions []sigv4.Condition // besides bucket and the signature's; default: eq for each field, and the range
	policy     func(*sigv4.Policy)
	filename   *string // nil: no filename parameter
	file       *string // nil: "hello"
	after      []sigv4.Field
	named      bool                    // filename on every part
	change     func(map[string]string) // of fields, after signing
	drop       []string                // fields not sent
	noFile     bool                    // no part named file
	now        time.Time               // of signing; default: now
	key        *sigv4.Credentials      // default: testKey
	signer     *sigv4.Signer           // default: for testRegion
	part       func(*multipart.Writer) // writes parts before the file
	request    func(*http.Request)     // changes the request
	bucket     string                  // default: photos
	order      func([]sigv4.Field) []sigv4.Field
}

func field(name, value string) sigv4.Field { return sigv4.Field{Name: name, Value: value} }

func eqAll(fields []sigv4.Field) []sigv4.Condition {
	var all []sigv4.Condition
	for _, f := range fields {
		all = append(all, sigv4.Eq(f.Name, f.Value))
	}
	return all
}

// signed returns the fields of a form, signed.
func (f *fixture) signed(s *formSpec) []sigv4.Field {
	if s.fields == nil {
		s.fields = []sigv4.Field{field("key", "up/a")}
	}
	if s.conditions == nil {
		s.conditions = append(eqAll(s.fields), sigv4.LengthRange(1, 100))
	}
	if s.bucket == "" {
		s.bucket = testBucket
	}
	if s.now.IsZero() {
		s.now = f.now()
	}
	if s.key == nil {
		s.key = &testKey
	}
	if s.signer == nil {
		s.signer = f.signer
	}
	p := &sigv4.Policy{
		Expiration: f.now().Add(10 * time.Minute).Truncate(time.Second),
		Conditions: append([]sigv4.Condition{sigv4.Eq("bucket", s.bucket)}, s.conditions...),
	}
	if s.policy != nil {
		s.policy(p)
	}
	return append(slices.Clone(s.fields), s.signer.Post(*s.key, s.now, p)...)
}

// form builds the request.
func (f *fixture) form(s formSpec) *http.Request {
	f.t.Helper()
	fields := f.signed(&s)
	if s.change != nil {
		m := make(map[string]string)
		for _, x := range fields {
			m[x.Name] = x.Value
		}
		s.change(m)
		for i := range fields {
			fields[i].Value = m[fields[i].Name]
			delete(m, fields[i].Name)
		}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			fields = append(fields, field(name, m[name]))
		}
	}
	if s.order != nil {
		fields = s.order(fields)
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	write := func(x sigv4.Field) {
		h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"`, x.Name)}}
		if s.named {
			h["Content-Disposition"][0] += fmt.Sprintf(`; filename="%s"`, x.Name)
		}
		p, err := w.CreatePart(h)
		if err != nil {
			f.t.Fatal(err)
		}
		p.Write([]byte(x.Value)) //nolint:errcheck // into memory
	}
	for _, x := range fields {
		if !slices.Contains(s.drop, x.Name) {
			write(x)
		}
	}
	if s.part != nil {
		s.part(w)
	}
	if !s.noFile {
		h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"`}, "Content-Type": {"text/html"}}
		if s.filename != nil {
			h["Content-Disposition"][0] += fmt.Sprintf(`; filename="%s"`, *s.filename)
		}
		p, err := w.CreatePart(h)
		if err != nil {
			f.t.Fatal(err)
		}
		if s.file == nil {
			s.file = aws.String("hello")
		}
		p.Write([]byte(*s.file)) //nolint:errcheck // into memory
	}
	for _, x := range s.after {
		write(x)
	}
	w.Close()
	r := f.request("POST", "/"+testBucket, b.Bytes(), map[string]string{"Content-Type": w.FormDataContentType()})
	if s.request != nil {
		s.request(r)
	}
	return r
}

func (f *fixture) post(s formSpec) reply {
	f.t.Helper()
	return f.raw(f.form(s))
}

// refused sends a form that must be answered so, and must leave nothing.
func (f *fixture) refused(s formSpec, status int, code, message string) reply {
	f.t.Helper()
	r := f.post(s)
	f.expect(r, status, code)
	if message != "" && !strings.Contains(r.element("Message"), message) {
		f.t.Fatalf("message is %q, want %q", r.element("Message"), message)
	}
	if left := f.files(); len(left) > 0 {
		f.t.Fatalf("a refused form left %v", left)
	}
	return r
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func fieldsFor(key string) []sigv4.Field { return []sigv4.Field{field("key", key)} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	_, err := io.WriteString(w, s)
	must(t, err)
}
