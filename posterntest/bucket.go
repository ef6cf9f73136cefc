package posterntest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"postern.example/postern"
)

// TestBucket is the conformance suite of postern.Bucket; [TestMultipart] is the
// one of its multipart verbs. It writes below "images/conformance/" of the
// bucket it is given and leaves nothing there. Keys that the server cannot have
// are left out: of "a", "a/b", "A", "a b+c%2F", "ünïcode-日本", "a//b" and "z/".
func TestBucket(t *testing.T, b postern.Bucket, without ...string) {
	t.Helper()
	const prefix = postern.ImagesPrefix + "conformance/"
	ctx := t.Context()
	keys := []string{"a", "a/b", "A", "a b+c%2F", "ünïcode-\u65e5\u672c", "a//b", "z/"}
	keys = slices.DeleteFunc(keys, func(k string) bool { return slices.Contains(without, k) })
	for i, k := range keys {
		must(t, "put "+k, b.Put(ctx, prefix+k, "image/png", fmt.Appendf(nil, "body %d", i)))
	}
	for i, k := range keys {
		o, err := b.Head(ctx, prefix+k)
		if err != nil || o.Key != prefix+k || o.Size != 6 || o.Type != "image/png" || o.ETag == "" || o.Modified.IsZero() {
			t.Errorf("head %q: %+v, %v", k, o, err)
		}
		got, body, err := b.Get(ctx, prefix+k)
		if err != nil {
			t.Errorf("get %q: %v", k, err)
			continue
		}
		read, err := io.ReadAll(body)
		body.Close() //nolint:errcheck // it was only read
		if err != nil || !bytes.Equal(read, fmt.Appendf(nil, "body %d", i)) || got.ETag != o.ETag {
			t.Errorf("get %q: %q, %+v, %v", k, read, got, err)
		}
	}
	// Listing: in key order, page by page, with sizes.
	var seen []string
	after := ""
	for {
		page, err := b.List(ctx, prefix, after, 3)
		must(t, "list", err)
		for _, o := range page {
			if o.Size != 6 || (len(seen) > 0 && o.Key <= seen[len(seen)-1]) {
				t.Errorf("listed %+v after %q", o, seen)
			}
			seen = append(seen, o.Key)
			after = o.Key
		}
		if len(page) < 3 {
			break
		}
	}
	if len(seen) != len(keys) {
		t.Errorf("listed %q, want %q", seen, keys)
	}
	// Overwriting changes the bytes and the ETag.
	before, err := b.Head(ctx, prefix+"a")
	must(t, "head", err)
	must(t, "put again", b.Put(ctx, prefix+"a", "image/jpeg", []byte("other")))
	if after, err := b.Head(ctx, prefix+"a"); err != nil || after.Size != 5 || after.Type != "image/jpeg" || after.ETag == before.ETag {
		t.Errorf("after overwriting: %+v, %v", after, err)
	}
	for _, k := range keys {
		must(t, "delete "+k, b.Delete(ctx, prefix+k))
		must(t, "delete again "+k, b.Delete(ctx, prefix+k))
		if _, err := b.Head(ctx, prefix+k); !errors.Is(err, postern.ErrNotFound) {
			t.Errorf("head of deleted %q: %v", k, err)
		}
		if _, _, err := b.Get(ctx, prefix+k); !errors.Is(err, postern.ErrNotFound) {
			t.Errorf("get of deleted %q: %v", k, err)
		}
	}
	if left, err := b.List(ctx, prefix, "", 10); err != nil || len(left) != 0 {
		t.Errorf("left behind: %+v, %v", left, err)
	}
}
