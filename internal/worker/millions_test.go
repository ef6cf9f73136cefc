package worker_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/worker"
)

// endless is a bucket that lists more objects than anybody could write here, and
// watches what the process holds meanwhile.
type endless struct {
	postern.Bucket
	prefix string
	names  []string // sorted
	each   int      // objects of a name
	born   time.Time

	listed int
	pages  int
	least  uint64 // bytes that were held at once, after a collection
	most   uint64
}

func (b *endless) List(_ context.Context, prefix, after string, limit int) (list []postern.Object, err error) {
	if prefix != b.prefix {
		return nil, nil
	}
	if b.pages++; b.pages%100 == 1 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.most = max(b.most, m.HeapAlloc)
		if b.least == 0 {
			b.least = m.HeapAlloc
		}
	}
	at, n := 0, 0
	if after != "" {
		name, rest, _ := strings.Cut(strings.TrimPrefix(after, prefix), "/")
		at = sort.SearchStrings(b.names, name)
		last, err := strconv.Atoi(rest)
		if err != nil {
			return nil, err
		}
		n = last + 1
	}
	for ; at < len(b.names) && len(list) < limit; at, n = at+1, 0 {
		for ; n < b.each && len(list) < limit; n++ {
			list = append(list, postern.Object{Key: fmt.Sprintf("%s%s/%03d", prefix, b.names[at], n), Size: 10, ETag: "e", Modified: b.born})
		}
		if n < b.each {
			break
		}
	}
	b.listed += len(list)
	return list, nil
}

func (b *endless) Multiparts(context.Context, string, postern.MultipartUpload, int) ([]postern.MultipartUpload, error) {
	return nil, nil
}

// nobodys is a ledger of records that have nothing.
type nobodys struct{}

func (nobodys) Scan(context.Context, postern.ID, int) ([]postern.Upload, error) { return nil, nil }

func (nobodys) Upload(context.Context, postern.ID) (postern.Upload, error) {
	return postern.Upload{}, postern.ErrNotFound
}

// A sweep and an audit of a million objects, and so of any number, hold a page at a time.
func TestMillions(t *testing.T) {
	const names, each = 2000, 500 // a million objects
	h := newHouse(t)
	ids := make([]string, names)
	for i := range ids {
		ids[i] = string(h.grant(postern.Request{}).Ticket.ID)
	}
	slices.Sort(ids)
	flat := func(what string, b *endless, do func(w *worker.Worker)) {
		t.Helper()
		b.Bucket, b.names, b.each = h.bucket, ids, each
		do(h.worker(func(c *worker.Config) { c.Bucket = b }))
		if b.listed != names*each || b.pages < names*each/1000 {
			t.Errorf("%s: %d objects in %d pages", what, b.listed, b.pages)
		}
		if grown := int64(b.most) - int64(b.least); grown > 2<<20 {
			t.Errorf("%s: %d bytes more are held than at the beginning", what, grown)
		}
	}
	flat("audit", &endless{prefix: postern.ImagesPrefix, born: h.clock.Now().Add(-24 * time.Hour)}, func(w *worker.Worker) {
		a, err := w.Audit(t.Context(), nobodys{}, worker.Auditing{})
		if err != nil || a.Objects != names*each || a.Orphans != names*each {
			t.Errorf("%+v, %v", a, err)
		}
	})
	// What nobody can explain, and is too young to be deleted.
	flat("sweep", &endless{prefix: postern.IncomingPrefix, born: h.clock.Now()}, func(w *worker.Worker) {
		s, err := w.WouldSweep(t.Context())
		if err != nil || s.Objects != names*each || s.Pending != names*each {
			t.Errorf("%+v, %v", s, err)
		}
	})
}
