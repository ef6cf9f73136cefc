package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestBucketMemory holds the built binary to what it may hold in memory (all of
// it, what the kernel counts as resident): 30 MB while eight files come in at
// once, and no more for 1 GiB than for 1 MiB, nor for what nobody signed.
func TestBucketMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 2 GiB")
	}
	const mb = 1 << 20
	dir := t.TempDir()
	var room syscall.Statfs_t
	if err := syscall.Statfs(dir, &room); err != nil {
		t.Fatal(err)
	}
	if free := room.Bavail * uint64(room.Bsize); free < 4<<30 {
		t.Skipf("MEMORY NOT MEASURED: %s has %d MB free, and this needs 4 GiB", dir, free/mb)
	}
	bin := build(t)
	begin := func(name string) (*process, int64) {
		p := newProcess(t, bin, filepath.Join(dir, name), nil)
		p.upload("first", mb)
		return p, p.peak()
	}

	p, before := begin("eight")
	begun := time.Now()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() { p.upload(fmt.Sprint("file", i), 64*mb) })
	}
	all.Wait()
	t.Logf("8 files of 64 MiB at once: %.1f MB, %.1f MB before, in %v", float64(p.peak())/mb, float64(before)/mb, time.Since(begun))
	if p.peak() > 16*mb {
		t.Errorf("8 files at once took %.1f MB, at most 16 may be", float64(p.peak())/mb)
	}
	if p.peak()-before > 3*mb {
		t.Errorf("8 files at once took %.1f MB more than one of 1 MiB, at most 3 may be", float64(p.peak()-before)/mb)
	}
	p.kill()
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}

	flat := func(name string, most int64, send func(*process)) {
		p, before := begin(name)
		send(p)
		t.Logf("%s: %.1f MB, %.1f MB before", name, float64(p.peak())/mb, float64(before)/mb)
		if p.peak()-before > most*mb {
			t.Errorf("%s took %.1f MB more than a file of 1 MiB, at most %d may be", name, float64(p.peak()-before)/mb, most)
		}
		p.kill()
		if err := os.RemoveAll(p.dir); err != nil {
			t.Fatal(err)
		}
	}
	flat("1 GiB", 5, func(p *process) { p.upload("large", 1<<30) })
	flat("300 MiB of nobody", 5, func(p *process) {
		for range 4 {
			all.Go(func() {
				a, err := p.post(t.Context(), "theirs", 300*mb, &zeros{300 * mb}, true)
				// The connection may break while they still send.
				if err == nil && (a.status != 403 || a.code() != "AccessDenied") {
					t.Errorf("answer is %v", a)
				}
			})
		}
		all.Wait()
		p.must(404)(p.ask(t.Context(), "GET", "/"+processBucket+"/theirs", nil, nil))
	})
	// Documents are held: eight of the longest, and what little is made of them
	// until it is clear that they are none.
	flat("documents of 2 MB", 40, func(p *process) {
		fill := func(piece string, n int) []byte {
			return []byte("<Delete>" + strings.Repeat(piece, n) + "</Delete>")
		}
		docs := [][]byte{
			fill("<a/>", 2*mb/4-10), fill("<Object/>", 2*mb/9-10), fill("<Object><Key>k</Key></Object>", 20_000), fill("<Object><Key>k</Key></Object>", 2*mb/29-10),
			[]byte("<Delete" + strings.Repeat(` a=""`, 2*mb/5-10) + "/>"), []byte(strings.Repeat("<a>", 2*mb/3-10)), []byte("<Delete>" + strings.Repeat("<Object>", 2*mb/8-10)),
			fill("<a>"+strings.Repeat("b", 1000)+"</a>", 2*mb/1007-10),
		}
		for range 4 {
			for _, doc := range docs {
				all.Go(func() {
					a, err := p.ask(t.Context(), "POST", "/"+processBucket+"?delete", doc, map[string]string{"Content-MD5": md5Of(doc)})
					if err != nil || a.status != 400 || a.code() != "MalformedXML" {
						t.Errorf("answer to %.40s is %v (%v)", doc, a, err)
					}
				})
			}
			all.Wait()
		}
	})
}

// upload posts a form with a file of zero bytes.
func (p *process) upload(key string, size int64) {
	p.t.Helper()
	a, err := p.post(p.t.Context(), key, size, &zeros{size}, false)
	if err != nil || a.status != 204 {
		p.t.Errorf("%s: answer is %v (%v)", key, a, err)
	}
}

// peak is the most memory that was resident so far, in bytes, without pages of
// the program's file: those the system keeps for all who run it and takes back
// when it wants. Drivers of databases are in it, whether they are used or not.
func (p *process) peak() int64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	of := func(name string) int64 {
		_, line, found := bytes.Cut(status, []byte("\n"+name+":"))
		line, _, _ = bytes.Cut(line, []byte("kB\n"))
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
		if !found || err != nil {
			p.t.Fatalf("no %s in %s", name, status)
		}
		return n << 10
	}
	return of("VmHWM") - of("RssFile")
}
