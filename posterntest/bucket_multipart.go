package posterntest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

// minPart is the least S3 joins, but for the last part.
const minPart = 5 << 20

// MultipartTarget says where [TestMultipart] sends parts, as browsers do: by
// presigned URLs.
type MultipartTarget struct {
	URL         string // of the bucket, e.g. "http://127.0.0.1:9000/photos"
	Region      string
	Credentials sigv4.Credentials
	Lacks       MultipartLacks
}

// MultipartLacks are known faults of servers, which the suite then goes around.
type MultipartLacks struct {
	// IfNoneMatch: a completed upload replaces what is under its key.
	IfNoneMatch bool
	// SameKey: of several unfinished uploads of one key, those are not listed
	// that a page has no room for. So does versitygw v1.8.0.
	SameKey bool
	// Prefix: unfinished uploads are listed only of a key that is named in
	// full. So does MinIO.
	Prefix bool
	// Order: parts are joined in any order. So does Ceph 16.
	Order bool
	// Gone: to complete what is not there is a fault of the server, not of the
	// caller. So does Ceph 16, with a 500.
	Gone bool
}

// TestMultipart is the conformance suite of the multipart verbs of
// postern.Bucket. It writes below "incoming/conformance/" of the bucket it is
// given, about 50 MiB, and leaves nothing there.
func TestMultipart(t *testing.T, b postern.Bucket, to MultipartTarget) {
	t.Helper()
	s := &multipartSuite{b: b, to: to, signer: sigv4.NewSigner(to.Region)}
	t.Run("join", s.join)
	t.Run("replaced part", s.replaced)
	t.Run("key taken", s.taken)
	t.Run("abort", s.abort)
	t.Run("nothing there", s.nothing)
	t.Run("many parts", s.many)
	t.Run("unfinished", s.unfinished)
}

type multipartSuite struct {
	b      postern.Bucket
	to     MultipartTarget
	signer *sigv4.Signer
	begun  time.Time
}

const multipartPrefix = postern.IncomingPrefix + "conformance/"

// begin creates an upload that the test aborts when it ends.
func (s *multipartSuite) begin(t *testing.T, key string) (uploadID string) {
	t.Helper()
	id, err := s.b.CreateMultipart(t.Context(), key, "image/jpeg", map[string]string{"postern": "ticket-of." + key})
	must(t, "create multipart upload", err)
	if id == "" {
		t.Fatal("create multipart upload: no id")
	}
	s.undo(t, key, id)
	return id
}

// undo leaves nothing of an upload behind.
func (s *multipartSuite) undo(t *testing.T, key, id string) {
	t.Cleanup(func() {
		if err := s.b.AbortMultipart(context.WithoutCancel(t.Context()), key, id); err != nil {
			t.Errorf("abort: %v", err)
		}
		if err := s.b.Delete(context.WithoutCancel(t.Context()), key); err != nil {
			t.Errorf("delete: %v", err)
		}
	})
}

// send puts one part by a presigned URL that binds its length.
func (s *multipartSuite) send(t *testing.T, key, id string, number int, body []byte) int {
	t.Helper()
	u, err := url.Parse(s.to.URL)
	must(t, "parse URL", err)
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + key
	u.RawQuery = url.Values{"partNumber": {strconv.Itoa(number)}, "uploadId": {id}}.Encode()
	signed, err := s.signer.Presign(s.to.Credentials, time.Now(), sigv4.Request{
		Method: http.MethodPut, URL: u, Expires: 5 * time.Minute,
		Header: http.Header{"Content-Length": {strconv.Itoa(len(body))}},
	})
	must(t, "presign part", err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, signed, bytes.NewReader(body))
	must(t, "make request", err)
	res, err := http.DefaultClient.Do(r)
	must(t, "send part", err)
	defer res.Body.Close() //nolint:errcheck // it was only read
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatalf("send part: %v", err)
	}
	return res.StatusCode
}

// put sends parts 1, 2, … and returns what the bucket then lists.
func (s *multipartSuite) put(t *testing.T, key, id string, bodies ...[]byte) []postern.Part {
	t.Helper()
	for i, body := range bodies {
		if status := s.send(t, key, id, i+1, body); status != http.StatusOK {
			t.Fatalf("send part %d: status %d", i+1, status)
		}
	}
	parts, err := s.b.Parts(t.Context(), key, id)
	must(t, "list parts", err)
	if len(parts) != len(bodies) {
		t.Fatalf("%d parts sent, listed: %+v", len(bodies), parts)
	}
	for i, body := range bodies {
		if p := parts[i]; p.Number != i+1 || p.Size != int64(len(body)) || p.ETag == "" || strings.Contains(p.ETag, `"`) {
			t.Errorf("part %d of %d bytes is listed as %+v", i+1, len(body), p)
		}
	}
	return parts
}

// join: an object of parts is what was announced when they were begun.
func (s *multipartSuite) join(t *testing.T) {
	ctx, key := t.Context(), multipartPrefix+"join"
	id := s.begin(t, key)
	if parts, err := s.b.Parts(ctx, key, id); err != nil || len(parts) != 0 {
		t.Errorf("parts of a new upload: %+v, %v", parts, err)
	}
	one, two := bytes.Repeat([]byte("1"), minPart), []byte("the end")
	parts := s.put(t, key, id, one, two)
	if _, err := s.b.Head(ctx, key); !errors.Is(err, postern.ErrNotFound) {
		t.Errorf("head before the parts are joined: %v", err)
	}
	must(t, "complete multipart upload", s.b.CompleteMultipart(ctx, key, id, parts))
	check := func(when string) {
		t.Helper()
		o, body, err := s.b.Get(ctx, key)
		must(t, "get "+when, err)
		read, err := io.ReadAll(body)
		body.Close() //nolint:errcheck // it was only read
		if err != nil || !bytes.Equal(read, slices.Concat(one, two)) {
			t.Errorf("%s: %d bytes, %v", when, len(read), err)
		}
		if o.Size != minPart+7 || o.Type != "image/jpeg" || o.Metadata["postern"] != "ticket-of."+key || o.ETag == "" {
			t.Errorf("%s: %+v", when, o)
		}
		if h, err := s.b.Head(ctx, key); err != nil || h.Size != o.Size || h.ETag != o.ETag || h.Type != o.Type || h.Metadata["postern"] != o.Metadata["postern"] {
			t.Errorf("%s: head %+v, %v; get %+v", when, h, err, o)
		}
	}
	check("once joined")
	// An answer may be lost. Some servers give it again.
	if err := s.b.CompleteMultipart(ctx, key, id, parts); err != nil && !errors.Is(err, postern.ErrNotFound) && !errors.Is(err, postern.ErrKeyTaken) {
		t.Errorf("complete again: %v", err)
	}
	if status := s.send(t, key, id, 2, []byte("changed")); status/100 != 4 {
		t.Errorf("a part after the end: status %d", status)
	}
	if _, err := s.b.Parts(ctx, key, id); !errors.Is(err, postern.ErrNotFound) {
		t.Errorf("parts after the end: %v", err)
	}
	must(t, "abort after the end", s.b.AbortMultipart(ctx, key, id))
	check("after that")
}

// replaced: parts are joined as they were listed, or not at all.
func (s *multipartSuite) replaced(t *testing.T) {
	ctx, key := t.Context(), multipartPrefix+"replaced"
	id := s.begin(t, key)
	one, good, evil := bytes.Repeat([]byte("1"), minPart), bytes.Repeat([]byte("g"), minPart), bytes.Repeat([]byte("e"), minPart)
	listed := s.put(t, key, id, one, good)
	now := s.put(t, key, id, one, evil)
	if listed[1].ETag == now[1].ETag {
		t.Errorf("another part has the same ETag: %+v", now)
	}
	for name, parts := range map[string][]postern.Part{
		"a part that was replaced":   listed,
		"a part that was never sent": {now[0], now[1], {Number: 3, ETag: now[1].ETag}},
		"parts in another order":     {now[1], now[0]},
	} {
		if s.to.Lacks.Order && name == "parts in another order" {
			continue
		}
		if err := s.b.CompleteMultipart(ctx, key, id, parts); !errors.Is(err, postern.ErrPartChanged) {
			t.Errorf("complete with %s: %v", name, err)
		}
	}
	if _, err := s.b.Head(ctx, key); !errors.Is(err, postern.ErrNotFound) {
		t.Errorf("head: %v", err)
	}
	// Nothing is lost by that.
	must(t, "complete as listed last", s.b.CompleteMultipart(ctx, key, id, now))
	if o, err := s.b.Head(ctx, key); err != nil || o.Size != 2*minPart {
		t.Errorf("head: %+v, %v", o, err)
	}
}

// taken: what is there already stays.
func (s *multipartSuite) taken(t *testing.T) {
	if s.to.Lacks.IfNoneMatch {
		t.Skip("the server overwrites, as was said")
	}
	ctx, key := t.Context(), multipartPrefix+"taken"
	id := s.begin(t, key)
	parts := s.put(t, key, id, []byte("later"))
	must(t, "put", s.b.Put(ctx, key, "image/png", []byte("there before")))
	if err := s.b.CompleteMultipart(ctx, key, id, parts); !errors.Is(err, postern.ErrKeyTaken) {
		t.Errorf("complete over an object: %v", err)
	}
	if o, err := s.b.Head(ctx, key); err != nil || o.Size != 12 || o.Type != "image/png" {
		t.Errorf("head: %+v, %v", o, err)
	}
}

// abort: it is final, and may be said twice.
func (s *multipartSuite) abort(t *testing.T) {
	ctx, key := t.Context(), multipartPrefix+"abort"
	id := s.begin(t, key)
	parts := s.put(t, key, id, []byte("forgotten"))
	for range 2 {
		must(t, "abort", s.b.AbortMultipart(ctx, key, id))
		if _, err := s.b.Parts(ctx, key, id); !errors.Is(err, postern.ErrNotFound) {
			t.Errorf("parts: %v", err)
		}
	}
	if err := s.b.CompleteMultipart(ctx, key, id, parts); !s.gone(err) {
		t.Errorf("complete: %v", err)
	}
	if status := s.send(t, key, id, 2, []byte("late")); status != http.StatusNotFound {
		t.Errorf("a part: status %d", status)
	}
	if _, err := s.b.Head(ctx, key); !errors.Is(err, postern.ErrNotFound) {
		t.Errorf("head: %v", err)
	}
}

// gone reports whether err says that there is no such upload, as far as the
// server can.
func (s *multipartSuite) gone(err error) bool {
	return errors.Is(err, postern.ErrNotFound) || s.to.Lacks.Gone && err != nil
}

// nothing: an upload belongs to its key.
func (s *multipartSuite) nothing(t *testing.T) {
	ctx, key := t.Context(), multipartPrefix+"nothing"
	id := s.begin(t, key)
	parts := s.put(t, key, id, []byte("mine"))
	other := multipartPrefix + "other"
	if _, err := s.b.Parts(ctx, other, id); !errors.Is(err, postern.ErrNotFound) {
		t.Errorf("parts under another key: %v", err)
	}
	if err := s.b.CompleteMultipart(ctx, other, id, parts); !s.gone(err) {
		t.Errorf("complete under another key: %v", err)
	}
	must(t, "abort under another key", s.b.AbortMultipart(ctx, other, id))
	if left, err := s.b.Parts(ctx, key, id); err != nil || !slices.Equal(left, parts) {
		t.Errorf("parts: %+v, %v", left, err)
	}
}

// many: more parts than S3 lists at once, with gaps between their numbers.
func (s *multipartSuite) many(t *testing.T) {
	const count = 1003
	key := multipartPrefix + "many"
	id := s.begin(t, key)
	for i := 1; i <= count; i++ {
		if status := s.send(t, key, id, 3*i, fmt.Appendf(nil, "part %4d", i)); status != http.StatusOK {
			t.Fatalf("send part %d: status %d", 3*i, status)
		}
	}
	parts, err := s.b.Parts(t.Context(), key, id)
	must(t, "list parts", err)
	if len(parts) != count {
		t.Fatalf("%d parts are listed", len(parts))
	}
	for i, p := range parts {
		if p.Number != 3*(i+1) || p.Size != 9 {
			t.Fatalf("part %d is listed as %+v", 3*(i+1), p)
		}
	}
	if err := s.b.CompleteMultipart(t.Context(), key, id, parts); !errors.Is(err, postern.ErrSizeMismatch) {
		t.Errorf("complete with parts under 5 MiB: %v", err)
	}
}

// unfinished: what nobody completed can be found again, page by page.
func (s *multipartSuite) unfinished(t *testing.T) {
	ctx, prefix := t.Context(), multipartPrefix+"unfinished/"
	s.begun = time.Now()
	names := []string{"a", "b", "b", "b", "c", "d/e"} // a key may have several
	if s.to.Lacks.SameKey {
		names = []string{"a", "b", "c", "d/e", "f"}
	}
	want, ofB := make(map[postern.MultipartUpload]bool), make(map[postern.MultipartUpload]bool)
	for _, name := range names {
		u := postern.MultipartUpload{Key: prefix + name, UploadID: s.begin(t, prefix+name)}
		if want[u] = true; name == "b" {
			ofB[u] = true
		}
	}
	s.begin(t, multipartPrefix+"unfinishec")
	s.begin(t, multipartPrefix+"unfinished0")
	done := s.begin(t, prefix+"completed")
	must(t, "complete multipart upload", s.b.CompleteMultipart(ctx, prefix+"completed", done, s.put(t, prefix+"completed", done, []byte("x"))))

	s.lists(t, prefix+"b", 10, ofB)
	if list, err := s.b.Multiparts(ctx, prefix, postern.MultipartUpload{}, 0); err != nil || len(list) != 0 {
		t.Errorf("limit 0: %+v, %v", list, err)
	}
	if s.to.Lacks.Prefix {
		t.Skip("the server lists unfinished uploads by their whole key only, as was said")
	}
	for _, limit := range []int{1, 2, 6, 1000} {
		s.lists(t, prefix, limit, want)
	}
	// Whoever clears up removes what the next page begins after.
	first, err := s.b.Multiparts(ctx, prefix, postern.MultipartUpload{}, 1)
	must(t, "list multipart uploads", err)
	if len(first) != 1 {
		t.Fatalf("the first upload: %+v", first)
	}
	must(t, "abort", s.b.AbortMultipart(ctx, first[0].Key, first[0].UploadID))
	rest, err := s.b.Multiparts(ctx, prefix, first[0], 1000)
	if err != nil || len(rest) != len(want)-1 {
		t.Errorf("after one that is gone: %d of %d, %v", len(rest), len(want)-1, err)
	}
}

// lists demands that the unfinished uploads below prefix are want.
func (s *multipartSuite) lists(t *testing.T, prefix string, limit int, want map[postern.MultipartUpload]bool) {
	t.Helper()
	seen := make(map[postern.MultipartUpload]bool)
	var after postern.MultipartUpload
	for range len(want) + 1 {
		list, err := s.b.Multiparts(t.Context(), prefix, after, limit)
		must(t, "list multipart uploads", err)
		for _, u := range list {
			if u.Key < after.Key || u.Started.Sub(s.begun).Abs() > 20*time.Minute {
				t.Errorf("limit %d: %+v is listed after %+v", limit, u, after)
			}
			after = u
			u.Started = time.Time{}
			if !want[u] || seen[u] {
				t.Errorf("limit %d: %+v is listed", limit, u)
			}
			seen[u] = true
		}
		if len(list) > limit {
			t.Errorf("limit %d: a page of %d", limit, len(list))
		}
		if len(list) < limit {
			break
		}
	}
	if len(seen) != len(want) {
		t.Errorf("below %s, limit %d: %d of %d are listed", prefix, limit, len(seen), len(want))
	}
}
