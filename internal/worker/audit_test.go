package worker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/worker"
	"postern.example/postern/records"
)

// Pictures that no upload has are found and, when asked, deleted; an upload that
// lacks one is told; what is young, being worked on or not ours is left alone.
// There is more of it than a page has.
func TestAudit(t *testing.T) {
	h := newHouse(t)
	ledger := h.records.(*records.Records)
	src := jpegOf(t, 64, 48, green)
	w := h.worker(nil)
	stop := h.run(w)
	var ids []postern.ID
	for range 3 {
		id := h.upload(src)
		h.await(id, postern.Ready)
		ids = append(ids, id)
	}
	stop()
	slices.Sort(ids)

	// More than a page of orphans, before, between and after those.
	const orphans = 700
	for i := range orphans {
		h.put(postern.VariantKey(h.grant(postern.Request{}).Ticket.ID, fmt.Sprint("v", i%2)), []byte("orphan"))
	}
	h.put(postern.VariantKey(ids[1], "older"), []byte("a variant that the preset had"))
	h.put("images/README.txt", []byte("somebody's"))
	h.put("images/zzz/x", []byte("somebody's"))
	if err := h.bucket.Delete(t.Context(), postern.VariantKey(ids[2], "thumb")); err != nil {
		t.Fatal(err)
	}
	stored := h.grant(postern.Request{}) // its job is not done: what it has so far is not an orphan
	h.send(stored, src)
	h.complete(stored)
	h.put(postern.VariantKey(stored.Ticket.ID, "thumb"), []byte("half done"))

	audit := func(how worker.Auditing, want worker.Audit) {
		t.Helper()
		if got, err := w.Audit(t.Context(), ledger, how); err != nil || got != want {
			t.Errorf("audit: %+v, %v; want %+v", got, err, want)
		}
	}
	whole := int64(3*3 - 1 + orphans + 1 + 2 + 1)
	audit(worker.Auditing{Delete: true}, worker.Audit{Objects: whole, Strange: 2, Uploads: 3}) // it is all young
	h.clock.advance(postern.ForeignGrace + time.Minute)
	var lost []postern.ID
	bytes := int64(orphans*len("orphan") + len("a variant that the preset had"))
	found := worker.Audit{Objects: whole, Strange: 2, Uploads: 3, Orphans: orphans + 1, OrphanBytes: bytes, Lost: 1}
	audit(worker.Auditing{Lost: func(u postern.Upload) { lost = append(lost, u.ID) }}, found)
	if !slices.Equal(lost, ids[2:]) {
		t.Errorf("lost: %v, want %v", lost, ids[2:])
	}
	found.Deleted = orphans + 1
	audit(worker.Auditing{Delete: true}, found)
	audit(worker.Auditing{Delete: true}, worker.Audit{Objects: whole - orphans - 1, Strange: 2, Uploads: 3, Lost: 1})

	// What is being worked on goes on.
	h.run(h.worker(nil))
	h.wantShown(h.await(stored.Ticket.ID, postern.Ready), src, green)
}

// A look decides as a sweep does, and leaves all as it was.
func TestWouldSweep(t *testing.T) {
	h := newHouse(t)
	w := h.worker(nil)
	g := h.grant(postern.Request{})
	h.send(g, jpegOf(t, 64, 48, green))
	h.put("incoming/junk", []byte("junk"))
	h.clock.advance(postern.ForeignGrace + time.Minute)
	for range 2 {
		s, err := w.WouldSweep(t.Context())
		if want := (worker.Swept{Objects: 2, Noted: 1, Foreign: 1, DeletedBytes: 4}); err != nil || s != want {
			t.Fatalf("%+v, %v; want %+v", s, err, want)
		}
	}
	if h.object("incoming/junk") == nil || w.Stats().Swept != (worker.Swept{}) || h.service.Stats().Foreign != 0 {
		t.Error("it was not only a look")
	}
	if s, err := w.Sweep(t.Context()); err != nil || s.Noted != 1 || s.Foreign != 1 {
		t.Errorf("then: %+v, %v", s, err)
	}
}
