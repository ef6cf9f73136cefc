package s3d

import (
	"bytes"
	"encoding/xml"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func xmlText(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s)) //nolint:errcheck // into memory
	return b.String()
}

// restart closes the server and opens another on the same folder, at the same
// address for those who use the fixture.
func (f *fixture) restart() {
	f.t.Helper()
	must(f.t, f.server.Close())
	c := config(f.dir)
	c.Now = f.now
	var err error
	f.server, err = New(c)
	must(f.t, err)
	h := httptest.NewServer(f.server)
	f.url = h.URL
	f.t.Cleanup(h.Close)
}

// Uploads and their parts are there after a restart, in every detail that they
// were begun with.
func TestUploadsSurviveRestart(t *testing.T) {
	f := start(t)
	u := f.inParts("dir/a", map[string]string{
		"x-amz-checksum-algorithm": "CRC32C", "x-amz-checksum-type": fullObject,
		"Content-Type": "image/webp", "x-amz-meta-a": "b", "x-amz-tagging": "k=v",
	})
	two, one := u.upload(2, "end"), u.upload(1, full)
	other := f.inParts("b", nil)
	before := f.uploads("")
	f.restart()
	after := f.uploads("")
	if len(after.Upload) != 2 || !slices.Equal(before.Upload, after.Upload) {
		t.Errorf("%+v and %+v", before, after)
	}
	if l := u.parts(""); !slices.Equal(l.numbers(), []int{1, 2}) || l.ChecksumAlgorithm != "CRC32C" || l.ChecksumType != fullObject {
		t.Errorf("%+v", l)
	}
	f.expect(u.part(3, "x", map[string]string{"x-amz-checksum-sha1": sumOf("sha1", "x")}), 400, "InvalidRequest")
	f.expect(u.complete(nil, named(1, one), named(2, two)), 200, "")
	g := f.do("GET", "/photos/dir/a", nil, map[string]string{"x-amz-checksum-mode": "ENABLED"})
	if string(g.body) != full+"end" || g.header.Get("Content-Type") != "image/webp" || g.header.Get("x-amz-meta-a") != "b" ||
		g.header.Get("x-amz-tagging-count") != "1" || g.header.Get("x-amz-checksum-crc32c") != sumOf("crc32c", full+"end") {
		t.Errorf("%v", g.header)
	}
	f.restart()
	if l := f.uploads(""); l.all() != "b" {
		t.Errorf("%+v", l)
	}
	f.expect(f.do("DELETE", other.target(), nil, nil), 204, "")
	f.restart()
	if l := f.uploads(""); l.all() != "" {
		t.Errorf("%+v", l)
	}
}

// What a crash leaves of an upload that was being begun, aborted or completed is
// removed when the folder is opened; what is not ours stays.
func TestUploadsAreCleaned(t *testing.T) {
	f := start(t)
	dir := f.bucket().uploads.dir
	open := f.inParts("open", nil)
	open.upload(1, "stays")
	// Begun: a folder, with nothing in it, or with a torn file.
	begun := uploadID(f.now(), bytes.Repeat([]byte{1}, 32))
	must(t, os.Mkdir(filepath.Join(dir, begun), 0o700))
	torn := uploadID(f.now(), bytes.Repeat([]byte{2}, 32))
	must(t, os.Mkdir(filepath.Join(dir, torn), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, torn, uploadFile), []byte("half"), 0o600))
	// Aborted: parts without the upload.
	aborted := f.inParts("aborted", nil)
	aborted.upload(1, "x")
	must(t, os.Remove(filepath.Join(dir, aborted.id, uploadFile)))
	// Completed: the object, and all of the upload.
	done := f.inParts("done", nil)
	etag := done.upload(1, "x")
	copied := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(copied, os.DirFS(filepath.Join(dir, done.id))))
	f.expect(done.complete(nil, named(1, etag)), 200, "")
	must(t, os.CopyFS(filepath.Join(dir, done.id), os.DirFS(copied)))
	// Completed, and then the object was deleted: it can be completed again.
	again := f.inParts("again", nil)
	againTag := again.upload(1, "y")
	// Not ours.
	odd := []string{"notes", strings.ToLower(open.id), open.id + "x"}
	for _, name := range odd {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	must(t, os.WriteFile(filepath.Join(dir, open.id, "00000"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, open.id, "2"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, open.id, "00003"), []byte("torn"), 0o600))

	f.restart()
	names, err := readNames(dir)
	must(t, err)
	want := append([]string{open.id, again.id}, odd...)
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	if l := f.uploads(""); l.all() != "again open" {
		t.Errorf("%+v", l)
	}
	if l := open.parts(""); !slices.Equal(l.numbers(), []int{1}) {
		t.Errorf("%+v", l)
	}
	f.expect(open.complete(nil, named(3, etag)), 400, "InvalidPart")
	f.expect(done.complete(nil, named(1, etag)), 200, "")
	f.expect(again.complete(nil, named(1, againTag)), 200, "")
	f.expect(f.do("DELETE", open.target(), nil, nil), 204, "")
	if g := f.get("done"); string(g.body) != "x" {
		t.Errorf("%s", g.body)
	}
}

// An upload is over when its object is there, even if what is left of it cannot
// be removed now.
func TestCompletedUploadThatStays(t *testing.T) {
	f := start(t)
	u := f.inParts("a", nil)
	etag := u.upload(1, "x")
	// A folder in place of the file, as nothing can be removed by root otherwise.
	file := filepath.Join(f.bucket().uploadDir(u.id), uploadFile)
	f.server.disk.trace = func(c change) {
		if c.op == "rename" && strings.Contains(c.to, objectsDir) {
			must(t, os.Rename(file, file+"x"))
			must(t, os.MkdirAll(filepath.Join(file, "in the way"), 0o700))
		}
	}
	f.expect(u.complete(nil, named(1, etag)), 200, "")
	f.server.disk.trace = nil
	if !strings.Contains(f.log.String(), `"msg":"upload not removed"`) {
		t.Errorf("%s", f.log)
	}
	f.expect(u.complete(nil, named(1, etag)), 200, "")
	f.expect(u.part(1, "y", nil), 404, "NoSuchUpload")
	if l := f.uploads(""); l.all() != "" {
		t.Errorf("%+v", l)
	}
	must(t, os.RemoveAll(file))
	must(t, os.Rename(file+"x", file))
	f.restart()
	if names, err := readNames(f.bucket().uploads.dir); err != nil || len(names) > 0 {
		t.Errorf("left %v (%v)", names, err)
	}
}

// Ids have a shape of their own, and sort by time.
func TestUploadIDs(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	early, late := uploadID(at, bytes.Repeat([]byte{255}, 32)), uploadID(at.Add(time.Millisecond), make([]byte, 32))
	if early >= late || !isUploadID(early) || !isUploadID(late) || strings.Trim(early, "0123456789ABCDEFGHIJKLMNOPQRSTUV") != "" {
		t.Errorf("%s %s", early, late)
	}
	for _, id := range []string{early + "\n", early[:32] + "\r\n" + early[32:], strings.ToLower(early), early[:63] + "=", ""} {
		if isUploadID(id) {
			t.Errorf("%q is taken", id)
		}
	}
	for name, n := range map[string]int{"00001": 1, "10000": 10_000, "00000": 0, "10001": 0, "1": 0, "000001": 0, "+0001": 0, "-0001": 0, "": 0, uploadFile: 0, "0x001": 0} {
		if got := partNumber(name); got != n {
			t.Errorf("%q is %d", name, got)
		}
	}
}

// With the bucket its uploads go, and nobody goes on with them in a new one of
// the same name.
func TestUploadsOfADeletedBucket(t *testing.T) {
	f := start(t)
	u := f.inParts("a", nil)
	etag := u.upload(1, "x")
	if ok, err := f.bucket().hasUploads(); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	b := f.bucket()
	held, err := b.findUpload("a", u.id)
	must(t, err)
	f.expect(f.do("DELETE", "/photos", nil, nil), 204, "")
	f.expect(u.part(1, "x", nil), 404, "NoSuchBucket")
	f.expect(f.do("PUT", "/photos", nil, nil), 200, "")
	f.expect(u.part(1, "x", nil), 404, "NoSuchUpload")
	f.expect(u.complete(nil, named(1, etag)), 404, "NoSuchUpload")
	if l := f.uploads(""); l.all() != "" {
		t.Errorf("%+v", l)
	}
	// Who had it at hand.
	if _, err := b.abort(held); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("%v", err)
	}
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// hasUploads reports whether any upload is neither completed nor aborted.
func (b *bucket) hasUploads() (bool, error) {
	p, err := b.listUploads(span{limit: 1}, "")
	return len(p.items) > 0, err
}
