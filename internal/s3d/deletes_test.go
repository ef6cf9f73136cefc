package s3d

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"postern.example/postern/sigv4"
)

type deleteReply struct {
	Deleted []struct{ Key string }
	Errors  []struct{ Key, VersionId, Code, Message string } `xml:"Error"`
}

func (r deleteReply) deleted() (keys []string) {
	for _, d := range r.Deleted {
		keys = append(keys, d.Key)
	}
	return keys
}

// deleteDocument is a Delete document for keys.
func deleteDocument(keys ...string) string {
	var b strings.Builder
	b.WriteString(`<Delete xmlns="` + xmlNamespace + `">`)
	for _, k := range keys {
		b.WriteString("<Object><Key>")
		xml.EscapeText(&b, []byte(k)) //nolint:errcheck // into memory
		b.WriteString("</Key></Object>")
	}
	return b.String() + "</Delete>"
}

func (f *fixture) deletes(doc string) deleteReply {
	f.t.Helper()
	r := f.do("POST", "/photos?delete", []byte(doc), md5Header(doc))
	f.expect(r, 200, "")
	var d deleteReply
	must(f.t, xml.Unmarshal(r.body, &d))
	return d
}

// [D] DeleteObjects: each key for itself, an absent one is deleted, and Quiet
// tells the errors alone.
func TestDeleteObjects(t *testing.T) {
	f := start(t)
	keys := []string{"a", "b/c", "ü & <x>", "missing", "a b+c%2F", strings.Repeat("k", 1024)}
	for _, k := range keys {
		if k != "missing" {
			f.put(k, "x")
		}
	}
	f.put("stays", "x")
	if r := f.deletes(deleteDocument(keys...)); !slices.Equal(r.deleted(), keys) || len(r.Errors) > 0 {
		t.Errorf("%+v", r)
	}
	for _, k := range keys {
		f.absent(k)
	}
	if got := f.list("").keys(); !slices.Equal(got, []string{"stays"}) || len(f.files()) != 1 {
		t.Errorf("left %v, %v", got, f.files())
	}
	for i := range 10 {
		f.put(fmt.Sprint("q", i), "x")
	}
	r := f.deletes(strings.Replace(deleteDocument("q0", "q1", strings.Repeat("k", 1025)), "<Object>", "<Quiet>true</Quiet><Object>", 1))
	if len(r.Deleted) > 0 || len(r.Errors) != 1 || r.Errors[0].Code != "KeyTooLongError" {
		t.Errorf("%+v", r)
	}
	f.absent("q0")
	// Conditions, and what we lack, per object.
	r = f.deletes(`<Delete><Object><Key>q2</Key><ETag>` + etagOf("x") + `</ETag></Object>` +
		`<Object><Key>q3</Key><ETag>"0"</ETag></Object><Object><Key>gone</Key><ETag>"0"</ETag></Object><Object><Key>q4</Key><ETag>*</ETag></Object>` +
		`<Object><Key>q5</Key><VersionId>null</VersionId></Object><Object><Key>q6</Key><Size>1</Size></Object></Delete>`)
	want := map[string]string{"q3": "PreconditionFailed", "gone": "NoSuchKey", "q5": "NotImplemented", "q6": "NotImplemented"}
	got := make(map[string]string)
	for _, e := range r.Errors {
		got[e.Key] = e.Code
		if e.Message == "" || e.Key == "q5" && e.VersionId != "null" {
			t.Errorf("error is %+v", e)
		}
	}
	if !slices.Equal(r.deleted(), []string{"q2", "q4"}) || !maps.Equal(got, want) {
		t.Errorf("%+v", r)
	}
	for _, k := range []string{"q3", "q5", "q6"} {
		if g := f.get(k); g.status != 200 {
			t.Errorf("%s is gone", k)
		}
	}
}

func TestDeleteObjectsRefusals(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprint("k", i)
	}
	for _, doc := range []string{
		"", "x", "<Delete></Delete>", "<Deletes><Object><Key>a</Key></Object></Deletes>", deleteDocument(many...), deleteDocument("a") + "x",
		"<Delete><Object></Object></Delete>", deleteDocument(""), "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
		"<Delete><Quiet>yes</Quiet><Object><Key>a</Key></Object></Delete>", "<Delete><Loud>true</Loud><Object><Key>a</Key></Object></Delete>",
		"<Delete><Object><Key>a</Key><VersionId/><VersionId/></Object></Delete>", deleteDocument("a")[:20],
	} {
		if r := f.do("POST", "/photos?delete", []byte(doc), md5Header(doc)); r.status != 400 || r.code() != "MalformedXML" {
			t.Errorf("%.60s: %d %s", doc, r.status, r.body)
		}
	}
	doc := deleteDocument("a")
	r := f.do("POST", "/photos?delete", []byte(doc), nil)
	f.expect(r, 400, "InvalidRequest")
	if !strings.HasPrefix(r.element("Message"), "Missing required header for this request: Content-MD5") {
		t.Errorf("message is %q", r.element("Message"))
	}
	f.expect(f.do("POST", "/photos?delete", []byte(doc), md5Header("other")), 400, "BadDigest")
	f.expect(f.do("POST", "/photos?delete", []byte(doc), map[string]string{"x-amz-checksum-crc32": "AAAAAA=="}), 400, "BadDigest")
	f.expect(f.do("POST", "/photos?delete&x=1", []byte(doc), md5Header(doc)), 501, "NotImplemented")
	big := strings.Repeat(" ", maxDeleteDocument) + doc
	f.expect(f.do("POST", "/photos?delete", []byte(big), md5Header(big)), 400, "MaxMessageLengthExceeded")
	f.expect(f.raw(f.request("POST", "/photos?delete", []byte(doc), md5Header(doc))), 403, "AccessDenied")
	if g := f.get("a"); g.status != 200 {
		t.Error("the object is gone")
	}
}

// A thousand at once, and each folder is synced before the answer, once.
func TestDeleteObjectsSyncsEachFolderOnce(t *testing.T) {
	f := start(t)
	var keys []string
	for i := range 1000 {
		keys = append(keys, fmt.Sprintf("k%04d", i))
	}
	for _, k := range keys[:300] {
		f.put(k, "x")
	}
	var mu sync.Mutex
	synced, removed := make(map[string]int), 0
	f.server.disk.trace = func(c change) {
		mu.Lock()
		defer mu.Unlock()
		switch c.op {
		case "syncdir":
			synced[c.path]++
		case "remove":
			if len(synced) > 0 {
				t.Error("removed behind a sync")
			}
			removed++
		}
	}
	if r := f.deletes(deleteDocument(keys...)); len(r.Deleted) != 1000 || len(r.Errors) > 0 {
		t.Errorf("%d deleted, %d errors", len(r.Deleted), len(r.Errors))
	}
	mu.Lock()
	defer mu.Unlock()
	f.server.disk.trace = nil
	if removed != 300 || len(synced) < 150 || len(synced) > 256 {
		t.Errorf("%d removed, %d folders synced", removed, len(synced))
	}
	for path, n := range synced {
		if n != 1 {
			t.Errorf("%s synced %d times", path, n)
		}
	}
	if left := f.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// [D] DeleteObject with If-Match, and of many deleters one finds it.
func TestConditionalDelete(t *testing.T) {
	f := start(t)
	f.put("a", "x")
	f.expect(f.do("DELETE", "/photos/a", nil, map[string]string{"If-Match": `"0"`}), 412, "PreconditionFailed")
	f.expect(f.do("DELETE", "/photos/none", nil, map[string]string{"If-Match": "*"}), 404, "NoSuchKey")
	f.expect(f.do("DELETE", "/photos/a", nil, map[string]string{"If-Match": "*"}), 204, "")
	for range 5 {
		f.put("a", "x")
		var won, lost atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				switch f.do("DELETE", "/photos/a", nil, map[string]string{"If-Match": etagOf("x")}).status {
				case 204:
					won.Add(1)
				case 404:
					lost.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || lost.Load() != 7 {
			t.Fatalf("%d won, %d lost", won.Load(), lost.Load())
		}
	}
}

// FuzzDeletes: what is taken has keys, and not too many.
func FuzzDeletes(f *testing.F) {
	f.Fuzz(func(t *testing.T, doc []byte) {
		all, _, err := parseDeletes(doc)
		if err != nil {
			var e *sigv4.Error
			if !errors.As(err, &e) || e.Code != "MalformedXML" || all != nil {
				t.Errorf("error is %v, objects %v", err, all)
			}
			return
		}
		if len(all) == 0 || len(all) > maxDeletes {
			t.Errorf("%d objects", len(all))
		}
		for _, d := range all {
			if d.key == "" {
				t.Error("an empty key")
			}
		}
	})
}
