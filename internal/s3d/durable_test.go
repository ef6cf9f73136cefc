package s3d

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

func config(dir string) Config {
	return Config{Dir: dir, Keys: []sigv4.Credentials{testKey}}
}

// One folder, one server: the second is told so, and the next one after Close
// gets it, with everything that was acknowledged.
func TestFolderIsLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bucket")
	s, err := New(config(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(config(dir)); !errors.Is(err, ErrInUse) {
		t.Fatalf("second opening: %v", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	f := startIn(t, dir)
	f.put("a", "x")
	f.expect(f.get("a"), 200, "")
	for _, bad := range []Config{{}, {Dir: dir}, {Keys: []sigv4.Credentials{testKey}}, {Dir: dir, Keys: []sigv4.Credentials{{}}}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// Objects and rules are there after a restart; drafts of a crash are not.
func TestRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bucket")
	s, err := New(config(dir))
	if err != nil {
		t.Fatal(err)
	}
	b, err := func() (*bucket, error) {
		if _, err := s.create(testBucket); err != nil {
			return nil, err
		}
		return s.bucket(testBucket)
	}()
	if err != nil {
		t.Fatal(err)
	}
	d, err := b.newDraft(digests{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, "hello")
	if err := b.commit(d, &object{Key: "kept", ContentType: "image/png", Modified: 1e12}, precondition{}); err != nil {
		t.Fatal(err)
	}
	left, err := b.newDraft(digests{}) // as a crash leaves it
	if err != nil {
		t.Fatal(err)
	}
	write(t, left, "half")
	must(t, left.f.Close())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	// What is not ours stays: a folder of another kind, a file of another name.
	foreign := filepath.Join(dir, "other", draftsDir, filepath.Base(left.path))
	odd := filepath.Join(dir, testBucket, draftsDir, "notes.txt")
	must(t, os.MkdirAll(filepath.Dir(foreign), 0o700))
	for _, path := range []string{foreign, odd} {
		must(t, os.WriteFile(path, nil, 0o600))
	}
	f := startIn(t, dir)
	for _, path := range []string{foreign, odd} {
		must(t, os.Remove(path))
	}
	if all := f.files(); len(all) != 1 {
		t.Errorf("files are %v", all)
	}
	if g := f.get("kept"); string(g.body) != "hello" || g.header.Get("Content-Type") != "image/png" || g.header.Get("Last-Modified") != "Sun, 09 Sep 2001 01:46:40 GMT" {
		t.Errorf("%s %v", g.body, g.header)
	}
}

// A request after Close is answered, not served.
func TestClosedServerRefuses(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	if err := f.server.Close(); err != nil {
		t.Fatal(err)
	}
	f.expect(f.get("a"), 503, "ServiceUnavailable")
}

// CreateBucket that a crash cut short is no bucket, and can be done again.
func TestHalfMadeBucket(t *testing.T) {
	f := start(t)
	if err := os.Mkdir(filepath.Join(f.dir, "second"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.expect(f.do("PUT", "/second/a", []byte("x"), nil), 404, "NoSuchBucket")
	f.expect(f.do("PUT", "/second", nil, nil), 200, "")
	f.expect(f.do("PUT", "/second/a", []byte("x"), nil), 200, "")
	f.expect(f.do("PUT", "/second", nil, nil), 200, "") // us-east-1 answers 200 to the owner
	f.expect(f.do("HEAD", "/second", nil, nil), 200, "")
	r := f.do("PUT", "/third", []byte(`<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>`), nil)
	f.expect(r, 400, "IllegalLocationConstraintException")
}

// Two servers in one process do not see each other's objects.
func TestManyServersInOneProcess(t *testing.T) {
	a, b := start(t), start(t)
	a.put("k", "of a")
	b.put("k", "of b")
	if string(a.get("k").body) != "of a" || string(b.get("k").body) != "of b" {
		t.Error("mixed up")
	}
}

// A write that cannot be done is a clean error, leaves the old object, and the
// next one works.
func TestWriteFails(t *testing.T) {
	f := start(t)
	f.put("a", "old")
	tmp := filepath.Join(f.dir, testBucket, draftsDir)
	if err := os.Rename(tmp, tmp+"x"); err != nil {
		t.Fatal(err)
	}
	f.expect(f.do("PUT", "/photos/a", []byte("new"), nil), 500, "InternalError")
	r := f.post(formSpec{})
	f.expect(r, 500, "InternalError")
	if strings.Contains(string(r.body), f.dir) {
		t.Errorf("the answer shows the folder: %s", r.body)
	}
	if !strings.Contains(f.log.String(), `"msg":"request failed"`) {
		t.Error("the log does not say why")
	}
	if g := f.get("a"); string(g.body) != "old" {
		t.Errorf("%s", g.body)
	}
	if err := os.Rename(tmp+"x", tmp); err != nil {
		t.Fatal(err)
	}
	f.put("a", "new")
}

// A body that ends early leaves nothing.
func TestBodyEndsEarly(t *testing.T) {
	f := start(t)
	r := f.request("PUT", "/photos/a", nil, nil)
	if err := f.signer.SignHeader(testKey, f.now(), r, sigv4.UnsignedPayload); err != nil {
		t.Fatal(err)
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("short")), 100
	if resp, err := http.DefaultClient.Do(r); err == nil {
		must(t, resp.Body.Close())
		if resp.StatusCode/100 == 2 {
			t.Errorf("answered %d", resp.StatusCode)
		}
	}
	eventually(t, "draft removed", func() bool { return len(f.files()) == 0 })
	f.absent("a")
}

// zeros is a body that is not in memory.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.n))
	clear(p[:n])
	z.n -= int64(n)
	return n, nil
}

// postLarge sends a form with a file of n zero bytes.
func (f *fixture) postLarge(n int64) int {
	small := ""
	r := f.form(formSpec{file: &small, conditions: []sigv4.Condition{sigv4.Eq("key", "up/a"), sigv4.LengthRange(0, 1<<40)}})
	head, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	cut := bytes.LastIndex(head, []byte("\r\n--"))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(head[:cut]), &zeros{n}, bytes.NewReader(head[cut:])))
	r.ContentLength = int64(len(head)) + n
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Error(err)
		return 0
	}
	must(f.t, resp.Body.Close())
	return resp.StatusCode
}

// A file is never held in memory: while 8 forms of 64 MiB each come in, client
// and server together stay within a few buffers.
func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 512 MiB")
	}
	f := start(t)
	if got := f.postLarge(1 << 20); got != 204 {
		t.Fatalf("answered %d", got)
	}
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	done := make(chan struct{})
	var all, watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			}
		}
	})
	const size = 64 << 20
	for range 8 {
		all.Go(func() {
			if got := f.postLarge(size); got != 204 {
				t.Errorf("answered %d", got)
			}
		})
	}
	all.Wait()
	close(done)
	watch.Wait()
	runtime.ReadMemStats(&now)
	grown, total := int64(peak.Load())-int64(before.HeapAlloc), now.TotalAlloc-before.TotalAlloc
	t.Logf("heap grew by %d KiB, %d KiB allocated in all", grown>>10, total>>10)
	if grown > 8<<20 || total > 16<<20 {
		t.Errorf("heap grew by %d bytes, %d allocated in all", grown, total)
	}
	if g := f.do("HEAD", "/photos/up/a", nil, nil); g.header.Get("Content-Length") != fmt.Sprint(size) {
		t.Errorf("stored %v", g.header)
	}
}

// Stats count what was done.
func TestStats(t *testing.T) {
	f := start(t)
	before := f.server.Stats()
	f.put("a", "12345")
	f.get("a")
	f.expect(f.post(formSpec{}), 204, "")
	f.expect(f.post(formSpec{drop: []string{"key"}}), 400, "InvalidArgument")
	got := f.server.Stats()
	if got.Requests-before.Requests != 4 || got.ObjectsWritten-before.ObjectsWritten != 2 || got.BytesReceived-before.BytesReceived < 5+2*1000 {
		t.Errorf("%+v after %+v", got, before)
	}
}
