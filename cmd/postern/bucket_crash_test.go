package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern/internal/folder"
)

// content is what a key may hold: the hash of its bytes, or absent.
type content string

const absent content = "absent"

func contentOf(b []byte) content {
	return content(fmt.Sprintf("%d bytes, SHA-256 %x", len(b), sha256.Sum256(b)))
}

// writer changes keys that nobody else does, and knows what each may hold: what
// was acknowledged last and, when the server was killed meanwhile, what was
// about to replace it.
type writer struct {
	p      *process
	random *rand.Rand
	name   string
	may    map[string][]content
	open   []*openUpload
	acks   *atomic.Int64
	shared *shared
}

// openUpload is a multipart upload whose parts were acknowledged.
type openUpload struct {
	key, id string
	part    []byte
	etag    string
}

// shared is a key that all writers overwrite and none deletes.
type shared struct {
	mu   sync.Mutex
	sent map[content]bool
	made bool
}

// work writes until the server is gone.
func (w *writer) work(ctx context.Context) {
	for ctx.Err() == nil {
		key := fmt.Sprintf("%s/%d", w.name, w.random.IntN(6))
		var alive bool
		switch n := w.random.IntN(20); {
		case n < 5:
			alive = w.put(ctx, key)
		case n < 11:
			alive = w.post(ctx, key)
		case n < 14:
			alive = w.multipart(ctx, key)
		case n < 16:
			alive = w.overwrite(ctx)
		default:
			alive = w.change(key, absent, func() (fullAnswer, error) {
				return w.p.ask(ctx, "DELETE", "/"+processBucket+"/"+key, nil, nil)
			})
		}
		if !alive {
			return
		}
	}
}

// change sends what makes a key hold something else. It reports whether there
// was an answer.
func (w *writer) change(key string, to content, send func() (fullAnswer, error)) bool {
	old := w.may[key]
	w.may[key] = append(old[:len(old):len(old)], to)
	a, err := send()
	if err != nil {
		return false
	}
	if a.status/100 != 2 || bytes.Contains(a.body, []byte("<Error>")) {
		w.p.t.Errorf("%s was answered %v", key, a)
		return false
	}
	w.may[key] = []content{to}
	w.acks.Add(1)
	return true
}

// file makes one of any size: most are small, some fill several buffers.
func (w *writer) file() []byte {
	n := w.random.IntN(2000)
	if w.random.IntN(4) == 0 {
		n = w.random.IntN(300 << 10)
	}
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(w.random.Uint32()), byte(w.random.Uint32()), byte(w.random.Uint32()), byte(w.random.Uint32())}).Read(b) //nolint:errcheck // it never fails
	return b
}

func (w *writer) put(ctx context.Context, key string) bool {
	b := w.file()
	return w.change(key, contentOf(b), func() (fullAnswer, error) {
		return w.p.ask(ctx, "PUT", "/"+processBucket+"/"+key, b, map[string]string{"Content-Length": fmt.Sprint(len(b))})
	})
}

func (w *writer) post(ctx context.Context, key string) bool {
	b := w.file()
	return w.change(key, contentOf(b), func() (fullAnswer, error) {
		return w.p.post(ctx, key, int64(len(b)), bytes.NewReader(b), false)
	})
}

func (w *writer) overwrite(ctx context.Context) bool {
	b := w.file()
	w.shared.mu.Lock()
	w.shared.sent[contentOf(b)] = true
	w.shared.mu.Unlock()
	a, err := w.p.post(ctx, "shared", int64(len(b)), bytes.NewReader(b), false)
	if err == nil && a.status == 204 {
		w.shared.mu.Lock()
		w.shared.made = true
		w.shared.mu.Unlock()
	}
	return err == nil
}

// multipart uploads a part or two, and then completes, aborts or leaves it.
func (w *writer) multipart(ctx context.Context, key string) bool {
	target := "/" + processBucket + "/" + key
	a, err := w.p.ask(ctx, "POST", target+"?uploads", nil, nil)
	if err != nil {
		return false
	}
	var made struct{ UploadId string }
	if xml.Unmarshal(a.body, &made) != nil || made.UploadId == "" {
		w.p.t.Errorf("upload begun: %v", a)
		return false
	}
	u := &openUpload{key: key, id: made.UploadId, part: w.file()}
	if a, err = w.p.ask(ctx, "PUT", target+"?partNumber=1&uploadId="+u.id, u.part, nil); err != nil {
		return false
	}
	if a.status != 200 {
		w.p.t.Errorf("part: %v", a)
		return false
	}
	u.etag = a.header.Get("ETag")
	w.acks.Add(1)
	switch w.random.IntN(4) {
	case 0:
		w.open = append(w.open, u)
		return true
	case 1:
		a, err = w.p.ask(ctx, "DELETE", target+"?uploadId="+u.id, nil, nil)
		if err == nil && a.status != 204 {
			w.p.t.Errorf("aborted: %v", a)
		}
		return err == nil
	}
	return w.complete(ctx, u)
}

func (w *writer) complete(ctx context.Context, u *openUpload) bool {
	return w.change(u.key, contentOf(u.part), func() (fullAnswer, error) {
		return w.p.ask(ctx, "POST", "/"+processBucket+"/"+u.key+"?uploadId="+u.id, []byte(
			"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+u.etag+"</ETag></Part></CompleteMultipartUpload>"), nil)
	})
}

// settle holds what is there against what may be, and takes it for known. It
// returns how many keys somebody was about to change.
func (w *writer) settle(ctx context.Context, there map[string]bool) (interrupted int) {
	t := w.p.t
	for key, may := range w.may {
		now := w.p.holds(ctx, key)
		if len(may) > 1 {
			interrupted++
		}
		if !slices.Contains(may, now) {
			t.Errorf("%s holds %s; it may hold %v", key, now, may)
		}
		if there[key] != (now != absent) {
			t.Errorf("%s holds %s, listed: %v", key, now, there[key])
		}
		w.may[key] = []content{now}
	}
	for _, u := range w.open { // acknowledged parts are there, and make the object
		if !w.complete(ctx, u) {
			t.Errorf("upload of %s is not completed", u.key)
		}
	}
	w.open = nil
	return interrupted
}

// holds reads a key.
func (p *process) holds(ctx context.Context, key string) content {
	a, err := p.ask(ctx, "GET", "/"+processBucket+"/"+key, nil, nil)
	switch {
	case err == nil && a.status == 404 && a.code() == "NoSuchKey":
		return absent
	case err != nil || a.status != 200:
		p.t.Errorf("GET %s: %v (%v)", key, a, err)
	}
	if sum, tag := md5.Sum(a.body), strings.Trim(a.header.Get("ETag"), `"`); !strings.Contains(tag, "-") && tag != fmt.Sprintf("%x", sum) {
		p.t.Errorf("%s has the ETag %s and the MD5 %x", key, tag, sum)
	}
	return contentOf(a.body)
}

// keys lists the bucket.
func (p *process) keys(ctx context.Context) map[string]bool {
	a := p.must(200)(p.ask(ctx, "GET", "/"+processBucket+"?list-type=2", nil, nil))
	var list struct{ Contents []struct{ Key string } }
	if err := xml.Unmarshal(a.body, &list); err != nil {
		p.t.Fatal(err)
	}
	all := make(map[string]bool)
	for _, o := range list.Contents {
		all[o.Key] = true
	}
	return all
}

// TestBucketCrash kills the built binary with SIGKILL while eight clients write
// (forms, PUT, multipart uploads, overwriting each other, deleting) and a ninth
// changes a setting, and starts it again on the same folder: whatever was
// acknowledged is there with the right bytes, of what was not there is all or
// nothing, and no temporary file is left.
func TestBucketCrash(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	const writers = 8
	p := newProcess(t, build(t), filepath.Join(t.TempDir(), "data"), nil)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var acks atomic.Int64
	common := &shared{sent: make(map[content]bool)}
	all := make([]*writer, writers)
	for i := range all {
		all[i] = &writer{p: p, random: rand.New(rand.NewPCG(seed, uint64(i+1))), name: fmt.Sprint("w", i), may: make(map[string][]content), acks: &acks, shared: common}
		for k := range 6 {
			all[i].may[fmt.Sprintf("w%d/%d", i, k)] = []content{absent}
		}
	}
	ctx := t.Context()
	interrupted, halves := 0, 0
	settings := []string{""} // what ?cors may answer
	for round := range rounds {
		var wg sync.WaitGroup
		for _, w := range all {
			wg.Go(func() { w.work(ctx) })
		}
		wg.Go(func() {
			for n := 0; ; n++ {
				doc := fmt.Sprintf(`<CORSConfiguration><CORSRule><AllowedOrigin>https://r%d-%d.example</AllowedOrigin><AllowedMethod>POST</AllowedMethod></CORSRule></CORSConfiguration>`, round, n)
				settings = append(settings, doc)
				a, err := p.ask(ctx, "PUT", "/"+processBucket+"?cors", []byte(doc), map[string]string{"Content-MD5": md5Of([]byte(doc))})
				if err != nil {
					return
				}
				if a.status != 200 {
					t.Errorf("setting: %v", a)
					return
				}
				settings = []string{doc}
			}
		})
		want := acks.Load() + 20 + random.Int64N(200)
		for end := time.Now().Add(time.Minute); acks.Load() < want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) || t.Failed() {
				p.kill()
				wg.Wait()
				t.Fatalf("round %d: %d of %d acknowledged\n%s", round, acks.Load(), want, tailOf(p.log.String()))
			}
		}
		time.Sleep(time.Duration(random.IntN(10_000)) * time.Microsecond) // in the middle of anything
		p.kill()
		wg.Wait()
		halves += len(p.drafts())

		p.start()
		if left := p.drafts(); len(left) > 0 {
			t.Errorf("round %d: left behind: %v", round, left)
		}
		there := p.keys(ctx)
		for _, w := range all {
			interrupted += w.settle(ctx, there)
			for key := range w.may {
				delete(there, key)
			}
		}
		if now := p.holds(ctx, "shared"); !common.sent[now] && (common.made || now != absent) {
			t.Errorf("the shared key holds %s, which nobody sent", now)
		}
		delete(there, "shared")
		if len(there) > 0 {
			t.Errorf("listed and nobody's: %v", there)
		}
		a, err := p.ask(ctx, "GET", "/"+processBucket+"?cors", nil, nil)
		known := a.status == 404 && settings[0] == ""
		for _, doc := range settings {
			known = known || a.status == 200 && sameRules(string(a.body), doc)
		}
		if err != nil || !known {
			t.Errorf("setting is %v (%v), and may be %q", a, err, settings)
		}
		if t.Failed() {
			t.Fatalf("round %d:\n%s", round, tailOf(p.log.String()))
		}
	}
	t.Logf("%d changes acknowledged in %d rounds, %d interrupted, %d files half written", acks.Load(), rounds, interrupted, halves)
	if !testing.Short() && (interrupted == 0 || halves == 0) {
		t.Error("no kill came in the middle of anything")
	}
	abortAll(t, p)
	p.kill()
	onlyObjects(t, p)
}

// sameRules compares two CORS documents by their origins, each named once.
func sameRules(a, b string) bool {
	cut := func(s string) string {
		_, s, _ = strings.Cut(s, "<AllowedOrigin>")
		s, _, _ = strings.Cut(s, "</AllowedOrigin>")
		return s
	}
	return cut(a) == cut(b) && cut(a) != ""
}

// abortAll ends the uploads that the crashes left open.
func abortAll(t *testing.T, p *process) {
	t.Helper()
	a := p.must(200)(p.ask(t.Context(), "GET", "/"+processBucket+"?uploads", nil, nil))
	var list struct {
		Upload []struct{ Key, UploadId string }
	}
	if err := xml.Unmarshal(a.body, &list); err != nil {
		t.Fatal(err)
	}
	for _, u := range list.Upload {
		p.must(204)(p.ask(t.Context(), "DELETE", "/"+processBucket+"/"+u.Key+"?uploadId="+u.UploadId, nil, nil))
	}
}

// onlyObjects checks that nothing is in the bucket's folder but objects and
// settings.
func onlyObjects(t *testing.T, p *process) {
	t.Helper()
	dir := filepath.Join(p.dir, folder.BucketDir, processBucket)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if !strings.HasPrefix(filepath.ToSlash(rel), "objects/") && strings.ContainsRune(rel, filepath.Separator) {
			t.Errorf("left behind: %s", rel)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
