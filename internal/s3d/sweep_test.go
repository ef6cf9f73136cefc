package s3d

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Expired objects are removed, to the second and by every part of a filter, and
// no other.
func TestThreat20_ExpiredObjectsAreRemoved(t *testing.T) {
	f := start(t)
	for _, key := range []string{"in/a", "in/b/c", "in", "inn", "images/in/a", "In/a"} {
		f.put(key, "12345")
	}
	f.expect(f.set("lifecycle", expireDoc("in/", 1)), 200, "")
	due := midnightAfter(f.now(), 1)
	if n := f.sweep(); n != (Swept{}) {
		t.Errorf("%+v", n)
	}
	f.advance(due.Sub(f.now()) - 5*time.Second)
	if n := f.sweep(); n != (Swept{}) {
		t.Errorf("before it is due: %+v", n)
	}
	if strings.Contains(f.log.String(), "swept") {
		t.Error("a sweep without work has a line in the log")
	}
	f.there("in/a", "in/b/c")
	f.put("in/new", "x")
	f.advance(6 * time.Second)
	if n := f.sweep(); n != (Swept{Objects: 2, Bytes: 10}) {
		t.Errorf("%+v", n)
	}
	f.gone("in/a", "in/b/c")
	f.there("in", "inn", "images/in/a", "In/a", "in/new")
	if l := f.do("GET", "/photos?list-type=2", nil, nil); strings.Contains(string(l.body), "<Key>in/a</Key>") || !strings.Contains(string(l.body), "<KeyCount>5</KeyCount>") {
		t.Errorf("%s", l.body)
	}
	if got := strings.Count(f.log.String(), `"msg":"lifecycle swept","objects":2,"bytes":10,"uploads":0`); got != 1 {
		t.Errorf("%d lines in the log\n%s", got, f.log)
	}
	if n := f.sweep(); n != (Swept{}) {
		t.Errorf("again: %+v", n)
	}
}

func TestExpirationFilters(t *testing.T) {
	f := start(t)
	tagged := func(key, tags string) {
		f.expect(f.do("PUT", "/photos/"+key, []byte("1234"), map[string]string{"x-amz-tagging": tags}), 200, "")
	}
	f.put("size/3", "123")
	f.put("size/4", "1234")
	f.put("size/5", "12345")
	f.put("size/0", "")
	tagged("tag/both", "a=1&b=2")
	tagged("tag/one", "a=1")
	tagged("tag/other", "a=2&b=2")
	tagged("tag/more", "a=1&b=2&c=3")
	f.put("tag/none", "1234")
	f.put("off/a", "x")
	f.put("date/past", "x")
	f.put("date/future", "x")
	past := f.now().UTC().Truncate(day).Format(time.RFC3339)
	f.expect(f.set("lifecycle", rulesDoc(
		"<Status>Enabled</Status><Filter><And><Prefix>size/</Prefix><ObjectSizeGreaterThan>3</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter><Expiration><Days>1</Days></Expiration>",
		"<Status>Enabled</Status><Filter><And><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></And></Filter><Expiration><Days>1</Days></Expiration>",
		"<Status>Disabled</Status><Filter><Prefix>off/</Prefix></Filter><Expiration><Days>1</Days></Expiration>",
		"<Status>Enabled</Status><Filter><Prefix>date/p</Prefix></Filter><Expiration><Date>"+past+"</Date></Expiration>",
		"<Status>Enabled</Status><Filter><Prefix>date/f</Prefix></Filter><Expiration><Date>2999-01-01T00:00:00Z</Date></Expiration>")), 200, "")
	// "If you specify a date in the past, all qualified objects become immediately eligible."
	if n := f.sweep(); n != (Swept{Objects: 1, Bytes: 1}) {
		t.Errorf("%+v", n)
	}
	f.gone("date/past")
	f.advance(49 * time.Hour)
	if n := f.sweep(); n != (Swept{Objects: 3, Bytes: 12}) {
		t.Errorf("%+v", n)
	}
	f.gone("size/4", "tag/both", "tag/more")
	f.there("size/0", "size/3", "size/5", "tag/one", "tag/other", "tag/none", "off/a", "date/future")
	// "It continues to apply the date-based action even after the date has passed."
	f.put("date/past", "x")
	if n := f.sweep(); n.Objects != 1 {
		t.Errorf("%+v", n)
	}
	// "If two expiration policies overlap, the shorter expiration policy is honored."
	f.put("o/a", "x")
	f.put("o/p/a", "x")
	f.expect(f.set("lifecycle", rulesDoc(
		"<Status>Enabled</Status><Filter><Prefix>o/</Prefix></Filter><Expiration><Days>100</Days></Expiration>",
		"<Status>Enabled</Status><Prefix>o/p/</Prefix><Expiration><Days>2</Days></Expiration>")), 200, "")
	f.advance(73 * time.Hour)
	f.sweep()
	f.gone("o/p/a")
	f.there("o/a")
}

// An empty Filter and an empty prefix mean everything; without rules nothing is.
func TestExpirationOfEverything(t *testing.T) {
	for _, filter := range []string{"<Filter/>", "<Filter></Filter>", "<Prefix/>", "<Filter><Prefix></Prefix></Filter>"} {
		f := start(t)
		f.put("a", "x")
		f.put("b/c", "x")
		f.advance(72 * time.Hour)
		if n := f.sweep(); n.Objects != 0 {
			t.Errorf("%+v", n)
		}
		f.expect(f.set("lifecycle", rulesDoc("<Status>Enabled</Status>"+filter+"<Expiration><Days>1</Days></Expiration>")), 200, "")
		if n := f.sweep(); n.Objects != 2 {
			t.Errorf("%s: %+v", filter, n)
		}
		f.expect(f.do("DELETE", "/photos", nil, nil), 204, "")
	}
}

// An object that is written anew while the sweep looks at it stays.
func TestSweepKeepsWhatIsOverwritten(t *testing.T) {
	f := start(t)
	f.put("in/a", "old")
	f.put("in/b", "old")
	f.expect(f.set("lifecycle", expireDoc("in/", 1)), 200, "")
	f.advance(72 * time.Hour)
	b, err := f.server.bucket(testBucket)
	must(t, err)
	rules := b.lifecycle.value()
	p, err := b.index.list(span{limit: 10}) // what the sweep saw
	must(t, err)
	f.put("in/a", "new")
	n, err := f.server.expire(b, rules, p)
	if err != nil || n != (Swept{Objects: 1, Bytes: 3}) {
		t.Errorf("%+v %v", n, err)
	}
	if r := f.get("in/a"); string(r.body) != "new" {
		t.Errorf("%s", r.body)
	}
	f.gone("in/b")
}

// Writers race with sweeps: what was acknowledged after it was due is there.
func TestSweepRacesWithWriters(t *testing.T) {
	f := start(t)
	const keys = 20
	for i := range keys {
		f.put(fmt.Sprintf("in/%d", i), "old")
	}
	f.expect(f.set("lifecycle", expireDoc("in/", 1)), 200, "")
	f.advance(72 * time.Hour)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 5 {
				if _, err := f.server.Sweep(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for i := range keys / 2 {
			f.put(fmt.Sprintf("in/%d", i), "new")
		}
	})
	all.Wait()
	for i := range keys {
		r := f.get(fmt.Sprintf("in/%d", i))
		if i < keys/2 && string(r.body) != "new" || i >= keys/2 && r.status != 404 {
			t.Errorf("%d: %d %s", i, r.status, r.body)
		}
	}
}

// A sweep takes a page at a time: more objects than a page are all looked at,
// whatever is removed meanwhile, and memory does not grow with them.
func TestSweepGoesThroughPages(t *testing.T) {
	f := start(t)
	b, err := f.server.bucket(testBucket)
	must(t, err)
	f.server.disk.fsync = false // of what is prepared here
	const count = 2*maxPage + 500
	for i := range count {
		d, err := b.newDraft(digests{})
		must(t, err)
		o := &object{Key: fmt.Sprintf("in/%05d", i), ContentType: "x/y", Modified: f.now().UnixMilli()}
		if i%2 == 1 {
			o.Modified = f.now().Add(96 * time.Hour).UnixMilli()
		}
		must(t, b.commit(d, o, precondition{}))
	}
	f.expect(f.set("lifecycle", expireDoc("in/", 1)), 200, "")
	f.advance(72 * time.Hour)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if n := f.sweep(); n.Objects != count/2 {
		t.Errorf("%+v", n)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("heap grew by %d bytes", grown)
	}
	if p, err := b.index.list(span{limit: count}); err != nil || len(p.items) != count/2 {
		t.Errorf("%d are left, %v", len(p.items), err)
	}
}

// One bucket that fails does not keep the others from being swept.
func TestSweepGoesOnAfterAFailure(t *testing.T) {
	f := start(t)
	f.expect(f.do("PUT", "/another", nil, nil), 200, "")
	f.put("in/a", "x")
	f.expect(f.set("lifecycle", expireDoc("in/", 1)), 200, "")
	f.server.mu.Lock()
	delete(f.server.buckets, "another")
	f.server.mu.Unlock()
	must(t, os.WriteFile(filepath.Join(f.dir, "another", "lifecycle.xml"), []byte("x"), 0o600))
	f.advance(72 * time.Hour)
	n, err := f.server.Sweep(t.Context())
	if n.Objects != 1 || err == nil || !strings.Contains(err.Error(), "lifecycle.xml") {
		t.Errorf("%+v %v", n, err)
	}
	f.gone("in/a")
	// And a broken setting is an error for its bucket, not one without rules.
	f.expect(f.do("GET", "/another?lifecycle", nil, nil), 500, "InternalError")
}

// Run sweeps at once and at every tick, and ends with its context or the server.
func TestRun(t *testing.T) {
	f := start(t)
	f.put("in/a", "x")
	f.expect(f.set("lifecycle", expireDoc("in/", 1)), 200, "")
	f.advance(72 * time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	tick, ended := make(chan time.Time), make(chan struct{})
	go func() {
		defer close(ended)
		f.server.run(ctx, tick)
	}()
	tick <- time.Time{} // taken when the first sweep is over
	f.gone("in/a")
	f.put("in/b", "x")
	f.advance(72 * time.Hour)
	tick <- time.Time{}
	tick <- time.Time{}
	f.gone("in/b")
	stop()
	<-ended
	if _, err := f.server.Sweep(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}

	ended = make(chan struct{})
	must(t, f.server.Close())
	go func() {
		defer close(ended)
		f.server.Run(t.Context())
	}()
	<-ended
}

// A sweep leaves nothing for a power loss to bring back: folders are synced
// behind what was removed from them.
func TestSweepIsDurable(t *testing.T) {
	f := start(t)
	f.put("in/a", "x")
	f.expect(f.set("lifecycle", expireDoc("in/", 1)), 200, "")
	f.advance(72 * time.Hour)
	var steps []string
	f.server.disk.trace = func(c change) { steps = append(steps, c.op+" "+filepath.Base(filepath.Dir(c.path))) }
	f.sweep()
	f.server.disk.trace = nil
	if len(steps) != 2 || !strings.HasPrefix(steps[0], "remove ") || steps[1] != "syncdir "+objectsDir {
		t.Errorf("%v", steps)
	}
}

// Unfinished uploads are aborted by their prefix when they are due, and their
// parts are gone; others, and completed ones, stay.
func TestThreat20_AbandonedUploadsAreAborted(t *testing.T) {
	f := start(t)
	begin := func(key string) (id string, header http.Header) {
		t.Helper()
		r := f.do("POST", "/photos/"+key+"?uploads", nil, nil)
		f.expect(r, 200, "")
		id = r.element("UploadId")
		f.expect(f.do("PUT", "/photos/"+key+"?partNumber=1&uploadId="+id, []byte("part"), nil), 200, "")
		return id, r.header
	}
	open := func() string {
		t.Helper()
		var keys []string
		for _, piece := range strings.Split(string(f.do("GET", "/photos?uploads", nil, nil).body), "<Key>")[1:] {
			key, _, _ := strings.Cut(piece, "<")
			keys = append(keys, key)
		}
		return strings.Join(keys, " ")
	}
	f.put("in/object", "x")
	old, h := begin("in/a")
	if h.Get("x-amz-abort-date") != "" {
		t.Errorf("%v", h)
	}
	begin("in/b")
	begin("images/a")
	f.expect(f.set("lifecycle", rulesDoc("<ID>tidy up</ID><Status>Enabled</Status><Filter><Prefix>in/</Prefix></Filter>"+
		"<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>")), 200, "")
	due := midnightAfter(f.now(), 1)
	tidied := func(h http.Header, at time.Time) {
		t.Helper()
		if h.Get("x-amz-abort-date") != at.Format(http.TimeFormat) || h.Get("x-amz-abort-rule-id") != "tidy%20up" {
			t.Errorf("%v", h)
		}
	}
	_, h = begin("in/c")
	tidied(h, due)
	f.advance(due.Sub(f.now()) - 5*time.Second)
	if n := f.sweep(); n != (Swept{}) || open() != "images/a in/a in/b in/c" {
		t.Errorf("%+v %s", n, open())
	}
	f.advance(6 * time.Second)
	young, _ := begin("in/b")
	if n := f.sweep(); n != (Swept{Uploads: 3}) || open() != "images/a in/b" {
		t.Errorf("%+v %s", n, open())
	}
	f.expect(f.do("GET", "/photos/in/a?uploadId="+old, nil, nil), 404, "NoSuchUpload")
	f.expect(f.do("PUT", "/photos/in/a?partNumber=2&uploadId="+old, []byte("part"), nil), 404, "NoSuchUpload")
	parts := f.do("GET", "/photos/in/b?uploadId="+young, nil, nil)
	f.expect(parts, 200, "")
	tidied(parts.header, midnightAfter(f.now(), 1))
	f.there("in/object")
	// One object, and two uploads with a part each.
	if all := f.files(); len(all) != 5 {
		t.Errorf("%v", all)
	}
	if !strings.Contains(f.log.String(), `"msg":"lifecycle swept","objects":0,"bytes":0,"uploads":3`) {
		t.Errorf("%s", f.log)
	}
}

// More uploads than a page are all looked at, whatever is aborted meanwhile.
func TestSweepGoesThroughPagesOfUploads(t *testing.T) {
	f := start(t)
	f.server.disk.fsync = false // of what is prepared here
	b, err := f.server.bucket(testBucket)
	must(t, err)
	const count = maxPage + 50
	for i := range count {
		o := &object{Key: fmt.Sprintf("in/%d", i/2), ContentType: "x/y", Modified: f.now().UnixMilli()}
		if i%3 == 0 {
			o.Modified = f.now().Add(96 * time.Hour).UnixMilli()
		}
		_, err := b.beginUpload(uploadID(o.modified(), f.server.randomBytes(32)), o)
		must(t, err)
	}
	f.expect(f.set("lifecycle", rulesDoc("<Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>")), 200, "")
	f.advance(72 * time.Hour)
	if n := f.sweep(); n.Uploads != count*2/3 {
		t.Errorf("%+v of %d", n, count)
	}
	if p, err := b.listUploads(span{limit: count}, ""); err != nil || len(p.items) != count/3 {
		t.Errorf("%d are left, %v", len(p.items), err)
	}
}
