package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/gate"
	"postern.example/postern/internal/folder"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// TestCrash kills the built binary with SIGKILL at random points while eight
// clients upload, and starts it again on the same folder: every upload whose
// POST was answered with 2xx ends ready or rejected, once; nothing is left in
// incoming/, and no temporary file on the disk.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const uploads, clients, kills = 200, 8, 6
	bin := filepath.Join(t.TempDir(), "postern")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	s := &crashServer{bin: bin, dir: filepath.Join(t.TempDir(), "data"), api: freeAddr(t), bucket: freeAddr(t)}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	files := make([][]byte, 10)
	for i := range files {
		files[i] = photo.JPEG(photo.Options{Width: 400, Height: 300, Orientation: 1 + i%8, Seed: int64(i)})
		if i%5 == 4 {
			files[i] = files[i][:len(files[i])/2] // to be rejected
		}
	}

	s.start(t)
	defer s.kill()
	var mu sync.Mutex
	good := map[string]bool{} // acknowledged, and whether it is to be ready
	acknowledged := make(chan struct{}, uploads+clients)
	work := make(chan int)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for n := range work {
				for ctx.Err() == nil {
					id, err := s.upload(ctx, files[n%len(files)], n%3 != 0)
					if id != "" { // the bucket said 2xx, whatever came after
						mu.Lock()
						good[id] = n%5 != 4
						mu.Unlock()
						acknowledged <- struct{}{}
						break
					}
					if err == nil {
						t.Errorf("upload %d: neither done nor failed", n)
						return
					}
					s.awake(ctx) // down just now: try again when it is back
				}
			}
		})
	}
	go func() {
		defer close(work)
		for n := range uploads {
			select {
			case work <- n:
			case <-ctx.Done():
				return
			}
		}
	}()
	count := 0
	next := func(n int) {
		for ; n > 0 && count < uploads; n-- {
			select {
			case <-acknowledged:
				count++
			case <-time.After(2 * time.Minute):
				t.Fatalf("stuck after %d uploads:\n%s", count, s.log.String())
			}
		}
	}
	for range kills {
		next(5 + random.IntN(2*uploads/(kills+1)-10))
		s.kill()
		s.start(t)
	}
	next(uploads)
	wg.Wait()
	s.kill() // once more, with jobs on their way; the first sweep after the start finds what was not noted
	s.start(t)

	if len(good) != uploads {
		t.Errorf("%d ids for %d uploads", len(good), uploads)
	}
	for id, ready := range good {
		up := s.final(t, id)
		if want := map[bool]string{true: "ready", false: "rejected"}[ready]; up.State != want {
			t.Errorf("%s ended %s, want %s: %s", id, up.State, want, up.Problem.Detail)
		}
	}
	b := s.open(t)
	posterntest.Eventually(t, "incoming/ is empty", func() bool {
		list, err := b.List(t.Context(), "incoming/", "", 1000)
		return err == nil && len(list) == 0
	})
	pictures := map[string]int{}
	list, err := b.List(t.Context(), "images/", "", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		id, _, _ := strings.Cut(strings.TrimPrefix(o.Key, "images/"), "/")
		pictures[id]++
	}
	for id, ready := range good {
		if want := map[bool]int{true: 3, false: 0}[ready]; pictures[id] != want {
			t.Errorf("%s has %d pictures, want %d", id, pictures[id], want)
		}
	}
	err = filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && filepath.Base(filepath.Dir(path)) == "tmp" {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// crashServer is the built binary on a folder of its own.
type crashServer struct {
	bin, dir, api, bucket string
	cmd                   *exec.Cmd
	log                   bytes.Buffer // read only after kill
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *crashServer) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(s.bin, "serve", "--data", s.dir, "--listen", s.api, "--bucket-listen", s.bucket, "--admin-listen", "127.0.0.1:0")
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "http://"+s.api) {
			go io.Copy(io.Discard, out) //nolint:errcheck // until it is killed
			return
		}
	}
	s.kill()
	t.Fatalf("it did not start:\n%s", s.log.String())
}

func (s *crashServer) kill() {
	if s.cmd.Process != nil {
		s.cmd.Process.Kill() //nolint:errcheck // it may be gone
		s.cmd.Wait()         //nolint:errcheck // killed
	}
}

// awake waits until somebody listens again.
func (s *crashServer) awake(ctx context.Context) {
	for ctx.Err() == nil {
		c, err := net.DialTimeout("tcp", s.api, time.Second)
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// upload returns the id once the bucket has said 2xx, also if what follows fails.
func (s *crashServer) upload(ctx context.Context, file []byte, complete bool) (string, error) {
	ask := fmt.Sprintf(`{"type":"image/jpeg","size":%d}`, len(file))
	var up struct {
		ID    string
		Grant struct {
			URL       string
			Fields    map[string]string
			FileField string `json:"file_field"`
		}
	}
	if err := s.call(ctx, "POST", "http://"+s.api+"/uploads", "application/json", strings.NewReader(ask), &up); err != nil {
		return "", err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, value := range up.Grant.Fields {
		w.WriteField(name, value) //nolint:errcheck // bytes.Buffer never fails
	}
	part, _ := w.CreateFormFile(up.Grant.FileField, "photo.jpg")
	part.Write(file) //nolint:errcheck // bytes.Buffer never fails
	w.Close()
	if err := s.call(ctx, "POST", up.Grant.URL, w.FormDataContentType(), &form, nil); err != nil {
		return "", err
	}
	if complete {
		return up.ID, s.call(ctx, "POST", "http://"+s.api+"/uploads/"+up.ID+"/complete", "application/json", strings.NewReader("{}"), nil)
	}
	return up.ID, nil
}

func (s *crashServer) call(ctx context.Context, method, url, contentType string, body io.Reader, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: status %d: %s", method, url, res.StatusCode, b)
	}
	if out == nil {
		return nil // the answer's head is the acknowledgement
	}
	return errors.Join(err, json.Unmarshal(b, out))
}

type finalUpload struct {
	State   string
	Problem struct{ Detail string }
}

func (s *crashServer) final(t *testing.T, id string) (up finalUpload) {
	t.Helper()
	posterntest.Eventually(t, id+" is final", func() bool {
		up = finalUpload{}
		err := s.call(t.Context(), "GET", "http://"+s.api+"/uploads/"+id, "", nil, &up)
		return err == nil && up.State != "stored" && up.State != "granted"
	})
	return up
}

// open reaches the embedded bucket with the keys in the data folder.
func (s *crashServer) open(t *testing.T) *s3.Bucket {
	t.Helper()
	k, err := folder.OpenKeys(s.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s3.New(t.Context(), s3.Config{
		Bucket: gate.EmbeddedBucket, Endpoint: "http://" + s.bucket, PathStyle: true,
		Credentials: func(context.Context) (sigv4.Credentials, error) { return k.Credentials(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
