package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/internal/folder"
	"postern.example/postern/sigv4"
)

// process is the built binary, run as `postern bucket` on a folder of its own.
type process struct {
	t      *testing.T
	bin    string
	dir    string
	args   []string
	change func(*exec.Cmd) // before it is started

	cmd      *exec.Cmd
	endpoint string
	log      *lockedBuffer
	client   *http.Client
	signer   *sigv4.Signer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const processBucket = "photos"

func processKey() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
}

// build makes the binary that people run.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // another user may run it
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "postern")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// newProcess starts it; it is stopped when the test ends.
func newProcess(t *testing.T, bin, dir string, change func(*exec.Cmd), args ...string) *process {
	t.Helper()
	p := &process{t: t, bin: bin, dir: dir, args: args, change: change, log: new(lockedBuffer), signer: sigv4.NewSigner("us-east-1")}
	p.start()
	t.Cleanup(p.kill)
	return p
}

// start waits until it is ready.
func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.bin, append([]string{"bucket", "--listen", "127.0.0.1:0", "--data", p.dir, "--bucket", processBucket, "--json"}, p.args...)...)
	p.cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+processKey().AccessKeyID, "AWS_SECRET_ACCESS_KEY="+processKey().SecretAccessKey)
	p.cmd.Stderr = p.log
	if p.change != nil {
		p.change(p.cmd)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var ready struct{ Endpoint string }
	if err != nil || json.Unmarshal(line, &ready) != nil || ready.Endpoint == "" {
		p.kill()
		p.t.Fatalf("it did not start: %q %v\n%s", line, err, p.log)
	}
	p.endpoint = ready.Endpoint
}

// kill ends it at once, as a crash does.
func (p *process) kill() {
	if p.cmd.Process != nil {
		p.cmd.Process.Kill() //nolint:errcheck // it may be gone
		p.cmd.Wait()         //nolint:errcheck // killed
	}
	p.client.CloseIdleConnections()
}

// answer is one that was read to its end.
type fullAnswer struct {
	status int
	header http.Header
	body   []byte
}

func (a fullAnswer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// code is that of an error.
func (a fullAnswer) code() string {
	_, rest, _ := bytes.Cut(a.body, []byte("<Code>"))
	code, _, _ := bytes.Cut(rest, []byte("</Code>"))
	return string(code)
}

// ask sends a signed request; body may be nil.
func (p *process) ask(ctx context.Context, method, target string, body []byte, header map[string]string) (fullAnswer, error) {
	sum := sha256.Sum256(body)
	return p.stream(ctx, method, target, bytes.NewReader(body), int64(len(body)), hex.EncodeToString(sum[:]), header)
}

// stream is ask for a body that is not in memory.
func (p *process) stream(ctx context.Context, method, target string, body io.Reader, length int64, hash string, header map[string]string) (fullAnswer, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.endpoint+target, body)
	if err != nil {
		return fullAnswer{}, err
	}
	if r.ContentLength = length; length == 0 {
		r.Body = http.NoBody
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	if err := p.signer.SignHeader(processKey(), time.Now(), r, hash); err != nil {
		return fullAnswer{}, err
	}
	return p.send(r)
}

func (p *process) send(r *http.Request) (fullAnswer, error) {
	res, err := p.client.Do(r)
	if err != nil {
		return fullAnswer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return fullAnswer{res.StatusCode, res.Header, b}, err
}

// form returns a form around a file of so many bytes: what stands before and
// behind it, and its type. It is signed, unless it is nobody's.
func (p *process) form(key string, size int64, anonymous bool) (head, tail []byte, mediaType string) {
	fields := []sigv4.Field{{Name: "key", Value: key}}
	if !anonymous {
		now := time.Now()
		fields = append(fields, p.signer.Post(processKey(), now, &sigv4.Policy{
			Expiration: now.Add(10 * time.Minute).Truncate(time.Second),
			Conditions: []sigv4.Condition{sigv4.Eq("bucket", processBucket), sigv4.Eq("key", key), sigv4.LengthRange(0, size)},
		})...)
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		w.WriteField(f.Name, f.Value) //nolint:errcheck // into memory
	}
	w.CreateFormFile("file", "photo.jpg") //nolint:errcheck // into memory
	head = bytes.Clone(b.Bytes())
	b.Reset()
	w.Close()
	return head, b.Bytes(), w.FormDataContentType()
}

// post sends a form with a file.
func (p *process) post(ctx context.Context, key string, size int64, file io.Reader, anonymous bool) (fullAnswer, error) {
	head, tail, mediaType := p.form(key, size, anonymous)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.endpoint+"/"+processBucket, io.MultiReader(bytes.NewReader(head), file, bytes.NewReader(tail)))
	if err != nil {
		return fullAnswer{}, err
	}
	r.ContentLength = int64(len(head)) + size + int64(len(tail))
	r.Header.Set("Content-Type", mediaType)
	return p.send(r)
}

// md5Of is what Content-MD5 says.
func md5Of(b []byte) string {
	sum := md5.Sum(b)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// drafts returns the files that are no object's (yet).
func (p *process) drafts() []string {
	p.t.Helper()
	tmp := filepath.Join(p.dir, folder.BucketDir, "*", "tmp")
	folders, err := filepath.Glob(tmp)
	if err != nil || len(folders) == 0 {
		p.t.Fatalf("no folder of drafts is where we look, %s: %v", tmp, err)
	}
	found, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

// zeros is a file that is not in memory.
type zeros struct{ left int64 }

func (z *zeros) Read(b []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(b)), z.left)
	clear(b[:n])
	z.left -= n
	return int(n), nil
}

// must is for what has to succeed with a status.
func (p *process) must(status int) func(fullAnswer, error) fullAnswer {
	p.t.Helper()
	return func(a fullAnswer, err error) fullAnswer {
		p.t.Helper()
		if err != nil || a.status != status {
			p.t.Fatalf("answer is %v (%v), want %d\n%s", a, err, status, tailOf(p.log.String()))
		}
		return a
	}
}

func tailOf(log string) string {
	lines := strings.Split(log, "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
