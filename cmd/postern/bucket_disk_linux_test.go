package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"postern.example/postern/internal/folder"
)

// Trouble with the disk, under the built binary: each write is answered with
// S3's error for a fault of the server, what was there stays, nothing half
// written is left, and when the trouble is over it works without a restart.

const troubled = `<CORSConfiguration><CORSRule><AllowedOrigin>https://new.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>`

// inTrouble checks that all writes of n bytes fail cleanly, and that reads do
// not. Key "old" holds "old".
func (p *process) inTrouble(size int64) {
	p.t.Helper()
	ctx, t := p.t.Context(), p.t
	fails := func(what string) func(a fullAnswer, err error) {
		return func(a fullAnswer, err error) {
			t.Helper()
			if err != nil || a.status != 500 || a.code() != "InternalError" || strings.Contains(string(a.body), p.dir) {
				t.Errorf("%s: answer is %v (%v)", what, a, err)
			}
		}
	}
	const hash = "UNSIGNED-PAYLOAD"
	fails("PUT")(p.stream(ctx, "PUT", "/"+processBucket+"/new", &zeros{size}, size, hash, nil))
	fails("PUT over another")(p.stream(ctx, "PUT", "/"+processBucket+"/old", &zeros{size}, size, hash, nil))
	fails("POST")(p.post(ctx, "new", size, &zeros{size}, false))
	fails("POST over another")(p.post(ctx, "old", size, &zeros{size}, false))
	fails("part")(p.stream(ctx, "PUT", p.open()+"&partNumber=1", &zeros{size}, size, hash, nil))
	p.stays()
}

// open returns the target of the only upload.
func (p *process) open() string {
	p.t.Helper()
	a := p.must(200)(p.ask(p.t.Context(), "GET", "/"+processBucket+"?uploads", nil, nil))
	_, rest, _ := strings.Cut(string(a.body), "<UploadId>")
	id, _, found := strings.Cut(rest, "</UploadId>")
	if !found {
		p.t.Fatalf("no upload is open: %s", a.body)
	}
	return "/" + processBucket + "/parts?uploadId=" + id
}

// stays checks that all is as it was before the trouble.
func (p *process) stays() {
	p.t.Helper()
	ctx := p.t.Context()
	if a := p.must(200)(p.ask(ctx, "GET", "/"+processBucket+"/old", nil, nil)); string(a.body) != "old" {
		p.t.Errorf("the old object is %q", a.body)
	}
	p.must(404)(p.ask(ctx, "GET", "/"+processBucket+"/new", nil, nil))
	if keys := p.keys(ctx); len(keys) != 1 || !keys["old"] {
		p.t.Errorf("listed: %v", keys)
	}
	if left := p.drafts(); len(left) > 0 {
		p.t.Errorf("left behind: %v", left)
	}
	if a := p.must(200)(p.ask(ctx, "GET", p.open(), nil, nil)); strings.Contains(string(a.body), "<PartNumber>") {
		p.t.Errorf("a part that failed is listed: %s", a.body)
	}
}

// prepare puts what stays checks.
func (p *process) prepare() {
	p.t.Helper()
	p.must(200)(p.ask(p.t.Context(), "PUT", "/"+processBucket+"/old", []byte("old"), nil))
	p.must(200)(p.ask(p.t.Context(), "POST", "/"+processBucket+"/parts?uploads", nil, nil))
}

// works checks that all can be written again.
func (p *process) works(size int64) {
	p.t.Helper()
	ctx := p.t.Context()
	p.must(204)(p.post(ctx, "new", size, &zeros{size}, false))
	p.must(200)(p.stream(ctx, "PUT", "/"+processBucket+"/old", &zeros{size}, size, "UNSIGNED-PAYLOAD", nil))
	p.must(200)(p.stream(ctx, "PUT", p.open()+"&partNumber=1", &zeros{size}, size, "UNSIGNED-PAYLOAD", nil))
	p.must(200)(p.setting())
	p.must(200)(p.ask(ctx, "PUT", "/another", nil, nil))
	p.must(204)(p.ask(ctx, "DELETE", "/"+processBucket+"/old", nil, nil))
	if left := p.drafts(); len(left) > 0 {
		p.t.Errorf("left behind: %v", left)
	}
}

func (p *process) setting() (fullAnswer, error) {
	return p.ask(p.t.Context(), "PUT", "/"+processBucket+"?cors", []byte(troubled), map[string]string{"Content-MD5": md5Of([]byte(troubled))})
}

// A file may not grow beyond a limit of the process: what is larger fails in the
// middle of being written, and the rest goes on.
func TestBucketDisk_FileLimit(t *testing.T) {
	limited := func(c *exec.Cmd) {
		c.Path, c.Args = "/bin/sh", append([]string{"sh", "-c", `ulimit -f 2048; exec "$0" "$@"`, c.Path}, c.Args[1:]...)
	}
	p := newProcess(t, build(t), filepath.Join(t.TempDir(), "data"), limited)
	p.prepare()
	p.inTrouble(1<<20 + 700_000) // what is behind a refused megabyte is not read, and a client may see the connection break
	p.works(100_000)
}

// A file system without room. It needs the right to mount one.
func TestBucketDisk_Full(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("A FULL DISK IS NOT TESTED: mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	})
	p := newProcess(t, build(t), filepath.Join(mount, "data"), nil)
	p.prepare()
	p.inTrouble(6<<20 + 200_000) // it fits but in part

	fill := filepath.Join(mount, "fill")
	f, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadFrom(&zeros{8 << 20}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p.inTrouble(1) // nothing fits
	if a, err := p.setting(); err != nil || a.status != 500 {
		t.Errorf("setting: %v (%v)", a, err)
	}
	p.must(404)(p.ask(t.Context(), "GET", "/"+processBucket+"?cors", nil, nil))
	if a, err := p.ask(t.Context(), "PUT", "/another", nil, nil); err != nil || a.status != 500 {
		t.Errorf("bucket: %v (%v)", a, err)
	}
	p.must(404)(p.ask(t.Context(), "HEAD", "/another", nil, nil))
	p.kill()
	p.start() // a full disk stops nobody from starting, nor from making room
	p.stays()
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	p.works(1 << 20)
}

// A folder that may not be written to any more.
func TestBucketDisk_NoPermission(t *testing.T) {
	base := t.TempDir()
	data := filepath.Join(base, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	var as func(*exec.Cmd)
	if os.Geteuid() == 0 { // whom no permission stops
		const nobody = 65534
		if err := errors.Join(os.Chmod(filepath.Dir(base), 0o755), os.Chown(data, nobody, nobody)); err != nil {
			t.Fatal(err)
		}
		as = func(c *exec.Cmd) {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			c.Dir = "/"
		}
	}
	p := newProcess(t, build(t), data, as)
	p.prepare()
	allow := func(mode fs.FileMode) {
		t.Helper()
		var dirs []string
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		must(filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		}))
		for _, d := range dirs {
			must(os.Chmod(d, mode))
		}
	}
	allow(0o500)
	p.inTrouble(100_000)
	if a, err := p.ask(t.Context(), "DELETE", "/"+processBucket+"/old", nil, nil); err != nil || a.status != 500 {
		t.Errorf("DELETE: %v (%v)", a, err)
	}
	if a, err := p.setting(); err != nil || a.status != 500 {
		t.Errorf("setting: %v (%v)", a, err)
	}
	if a, err := p.ask(t.Context(), "PUT", "/another", nil, nil); err != nil || a.status != 500 {
		t.Errorf("bucket: %v (%v)", a, err)
	}
	p.stays()
	p.kill()
	allow(0o700)
	p.start()
	p.works(100_000)
	p.kill()

	// And one that may not be opened at all.
	if err := os.Chmod(filepath.Join(data, folder.BucketDir), 0); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(p.bin, "bucket", "--listen", "127.0.0.1:0", "--data", data, "--json")
	c.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+processKey().AccessKeyID, "AWS_SECRET_ACCESS_KEY="+processKey().SecretAccessKey)
	if as != nil {
		as(c)
	}
	out, err := c.CombinedOutput()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 1 || !strings.Contains(string(out), "permission denied") || strings.Contains(string(out), "goroutine") {
		t.Errorf("it ended with %v and said %s", err, out)
	}
	allowAll := os.Chmod(filepath.Join(data, folder.BucketDir), 0o700) // so that it can be removed
	if allowAll != nil {
		t.Error(allowAll)
	}
}
