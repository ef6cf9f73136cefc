package records

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
)

func TestLifeOfAnUpload(t *testing.T) { onEach(t, testLifeOfAnUpload) }

func testLifeOfAnUpload(t *testing.T, p *place) {
	r, c := p.openNew(t)
	ctx := t.Context()
	u := arrival(1)

	_, err := r.Upload(ctx, u.ID)
	want(t, "Upload before it arrived", err, postern.ErrNotFound)
	noted := arrive(t, r, u)
	if !reflect.DeepEqual(noted, u) {
		t.Fatalf("Arrive returned\n%+v, not\n%+v", noted, u)
	}
	if n, oldest, err := r.Backlog(ctx); n != 1 || !oldest.Equal(noon) || err != nil {
		t.Fatalf("Backlog: %d since %s, %v; want 1 since noon", n, oldest, err)
	}

	claim := claimOne(t, r)
	if !reflect.DeepEqual(claim.Upload, u) || claim.Attempts != 1 || claim.Lease == "" || !claim.Until.Equal(noon.Add(time.Minute)) {
		t.Fatalf("Claim: %+v", claim)
	}
	if n, _, err := r.Backlog(ctx); n != 1 || err != nil {
		t.Fatalf("Backlog while running: %d, %v; want 1", n, err)
	}
	c.Add(30 * time.Second)
	longer, err := r.Extend(ctx, claim, time.Minute)
	if err != nil || !longer.Until.Equal(noon.Add(90*time.Second)) {
		t.Fatalf("Extend: until %s, %v", longer.Until, err)
	}
	done := ready(u)
	if err := r.Settle(ctx, claim, done); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Upload(ctx, u.ID); err != nil || !reflect.DeepEqual(got, done) {
		t.Fatalf("Upload when ready:\n%+v, %v; want\n%+v", got, err, done)
	}
	if n, oldest, err := r.Backlog(ctx); n != 0 || !oldest.IsZero() || err != nil {
		t.Fatalf("Backlog when done: %d since %s, %v; want none", n, oldest, err)
	}
	want(t, "a second Settle", r.Settle(ctx, claim, done), postern.ErrLeaseLost)

	// A replay changes nothing and has nothing done again.
	replay := u
	replay.Size, replay.ETag = 99, `"other"`
	got, fresh, err := r.Arrive(ctx, replay)
	if err != nil || fresh || !reflect.DeepEqual(got, done) {
		t.Fatalf("Arrive again: fresh %v, %v,\n%+v", fresh, err, got)
	}
	if claims, err := r.Claim(ctx, time.Minute, 10); len(claims) != 0 || err != nil {
		t.Fatalf("Claim after a replay: %v, %v; want none", claims, err)
	}
}

func TestSettleWithProblem(t *testing.T) { onEach(t, testSettleWithProblem) }

func testSettleWithProblem(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	arrive(t, r, arrival(1))
	claim := claimOne(t, r)
	u := claim.Upload
	u.State = postern.Rejected
	u.Problem = &postern.Error{
		Code: postern.ErrTypeNotAllowed.Code, Detail: "This is a PDF & not a <picture>.", Field: "type",
		Limit: 3, Allowed: []string{"image/jpeg", "image/png"}, Err: errors.New("private"),
	}
	if err := r.Settle(t.Context(), claim, u); err != nil {
		t.Fatal(err)
	}
	got, err := r.Upload(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	u.Problem.Err = nil // private causes are not kept
	if !reflect.DeepEqual(got.Problem, u.Problem) || got.State != postern.Rejected || !got.SettledAt.Equal(noon) {
		t.Fatalf("got %+v\nproblem %+v", got, got.Problem)
	}
}

func TestSettleTakesFinalStatesOnly(t *testing.T) { onEach(t, testSettleTakesFinalStatesOnly) }

func testSettleTakesFinalStatesOnly(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	arrive(t, r, arrival(1))
	claim := claimOne(t, r)
	for _, s := range []postern.State{"", postern.Granted, postern.Stored, postern.Expired} {
		u := claim.Upload
		u.State = s
		if err := r.Settle(t.Context(), claim, u); err == nil {
			t.Errorf("Settle as %q: no error; the upload would have no job", s)
		}
	}
	u := claim.Upload
	u.State = postern.Removed
	want(t, "Settle of a stored upload as removed", r.Settle(t.Context(), claim, u), postern.ErrLeaseLost)
	if err := r.Settle(t.Context(), claim, ready(claim.Upload)); err != nil {
		t.Fatalf("after all that the lease still holds: %v", err)
	}
}

func TestArriveInParallelIsFreshOnce(t *testing.T) { onEach(t, testArriveInParallelIsFreshOnce) }

func testArriveInParallelIsFreshOnce(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	var fresh atomic.Int32
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			u := arrival(7)
			u.Size = int64(i) // all but one of them say something else than what is noted
			got, f, err := r.Arrive(t.Context(), u)
			if err != nil {
				t.Error(err)
			}
			if f {
				fresh.Add(1)
			}
			if kept, err := r.Upload(t.Context(), u.ID); err != nil || !reflect.DeepEqual(kept, got) {
				t.Errorf("Arrive said %+v, noted is %+v, %v", got, kept, err)
			}
		})
	}
	all.Wait()
	if fresh.Load() != 1 {
		t.Fatalf("%d calls were fresh, want 1", fresh.Load())
	}
}

func TestUploadsPages(t *testing.T) { onEach(t, testUploadsPages) }

func testUploadsPages(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	ctx := t.Context()
	for i := range 25 {
		arrive(t, r, arrival(i))
	}
	for range 5 { // the oldest five become ready
		c := claimOne(t, r)
		if err := r.Settle(ctx, c, ready(c.Upload)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Remove(ctx, "alice", madeID(24)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		q    postern.Query
		from int // newest
		to   int // oldest
	}{
		{"all", postern.Query{Limit: 100}, 23, 0},
		{"first page", postern.Query{Limit: 10}, 23, 14},
		{"second page", postern.Query{Limit: 10, Before: madeID(14)}, 13, 4},
		{"last page", postern.Query{Limit: 10, Before: madeID(4)}, 3, 0},
		{"ready", postern.Query{Limit: 10, State: postern.Ready}, 4, 0},
		{"ready, second page", postern.Query{Limit: 2, State: postern.Ready, Before: madeID(3)}, 2, 1},
		{"stored", postern.Query{Limit: 100, State: postern.Stored}, 23, 5},
		{"no limit is one", postern.Query{}, 23, 23},
		{"most", postern.Query{Limit: postern.MaxPage + 1}, 23, 0},
		{"too much", postern.Query{Limit: 1 << 40}, 23, 0},
		{"before the first", postern.Query{Limit: 10, Before: madeID(0)}, -1, 0},
		{"failed", postern.Query{Limit: 10, State: postern.Failed}, -1, 0},
		{"removed", postern.Query{Limit: 10, State: postern.Removed}, -1, 0},
		{"unknown state", postern.Query{Limit: 10, State: "' OR 1=1 --"}, -1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.q.Principal = "alice"
			list, err := r.Uploads(ctx, tc.q)
			if err != nil {
				t.Fatal(err)
			}
			var ids, wanted []postern.ID
			for _, u := range list {
				ids = append(ids, u.ID)
			}
			for i := tc.from; i >= tc.to; i-- {
				wanted = append(wanted, madeID(i))
			}
			if !reflect.DeepEqual(ids, wanted) {
				t.Fatalf("got %v\nwant %v", ids, wanted)
			}
		})
	}
}

// A whole page and the one more that tells whether there is another.
func TestUploadsLimitIsOneMoreThanAPage(t *testing.T) { onEach(t, testUploadsLimitIsOneMoreThanAPage) }

func testUploadsLimitIsOneMoreThanAPage(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	var all sync.WaitGroup
	for i := range postern.MaxPage + 5 {
		all.Go(func() {
			if _, _, err := r.Arrive(t.Context(), arrival(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := r.Uploads(t.Context(), postern.Query{Principal: "alice", Limit: 1000})
	if err != nil || len(list) != postern.MaxPage+1 {
		t.Fatalf("%d uploads, %v; want %d", len(list), err, postern.MaxPage+1)
	}
}

func TestThreat15_ForeignID(t *testing.T) { onEach(t, testThreat15_ForeignID) }

func testThreat15_ForeignID(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	ctx := t.Context()
	u := arrive(t, r, arrival(1))
	for _, other := range []string{"bob", "", "Alice", "alice ", "alice' OR '1'='1", "%"} {
		want(t, "Remove by "+other, r.Remove(ctx, other, u.ID), postern.ErrNotFound)
	}
	want(t, "Remove of an unknown id", r.Remove(ctx, "alice", madeID(2)), postern.ErrNotFound)
	if got, err := r.Upload(ctx, u.ID); err != nil || !reflect.DeepEqual(got, u) {
		t.Fatalf("something changed: %+v, %v", got, err)
	}
	c := claimOne(t, r)
	if err := r.Settle(ctx, c, ready(u)); err != nil {
		t.Fatalf("the job was touched: %v", err)
	}
}

func TestThreat16_TenantMixUp(t *testing.T) { onEach(t, testThreat16_TenantMixUp) }

func testThreat16_TenantMixUp(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	ctx := t.Context()
	for i := range 20 {
		u := arrival(i)
		if i%2 == 1 {
			u.Principal = "bob"
		}
		arrive(t, r, u)
	}
	for principal, n := range map[string]int{"alice": 10, "bob": 10, "": 0, "ALICE": 0, "a%": 0, "anonymous": 0} {
		for _, state := range []postern.State{"", postern.Stored} {
			list, err := r.Uploads(ctx, postern.Query{Principal: principal, State: state, Limit: 100})
			if err != nil || len(list) != n {
				t.Fatalf("%q has %d uploads, %v; want %d", principal, len(list), err, n)
			}
			for _, u := range list {
				if u.Principal != principal {
					t.Fatalf("%q was shown one of %q", principal, u.Principal)
				}
			}
		}
	}
	// Another's id with the same number changes nothing about whose it is.
	u := arrival(0)
	u.Principal = "bob"
	got, fresh, err := r.Arrive(ctx, u)
	if err != nil || fresh || got.Principal != "alice" {
		t.Fatalf("Arrive of alice's id as bob: fresh %v, of %q, %v", fresh, got.Principal, err)
	}
}

func TestRemoveWhileRunning(t *testing.T) { onEach(t, testRemoveWhileRunning) }

func testRemoveWhileRunning(t *testing.T, p *place) {
	r, c := p.openNew(t)
	ctx := t.Context()
	u := arrive(t, r, arrival(1))
	old := claimOne(t, r)
	c.Add(time.Second)
	if err := r.Remove(ctx, "alice", u.ID); err != nil {
		t.Fatal(err)
	}
	want(t, "Settle", r.Settle(ctx, old, ready(u)), postern.ErrLeaseLost)
	want(t, "Retry", r.Retry(ctx, old, c.Now()), postern.ErrLeaseLost)
	want(t, "Release", r.Release(ctx, old), postern.ErrLeaseLost)
	_, err := r.Extend(ctx, old, time.Minute)
	want(t, "Extend", err, postern.ErrLeaseLost)
	want(t, "a second Remove", r.Remove(ctx, "alice", u.ID), postern.ErrNotFound)

	got, err := r.Upload(ctx, u.ID)
	if err != nil || got.State != postern.Removed || got.Image != nil || !got.SettledAt.Equal(c.Now()) {
		t.Fatalf("after Remove: %+v, %v", got, err)
	}
	if now, fresh, err := r.Arrive(ctx, u); err != nil || fresh || now.State != postern.Removed {
		t.Fatalf("a replay brought it back: %+v, fresh %v, %v", now, fresh, err)
	}

	// Its objects are to be deleted at once, by a fresh job.
	claim := claimOne(t, r)
	if claim.Upload.State != postern.Removed || claim.Attempts != 1 || claim.Lease == old.Lease {
		t.Fatalf("claim of a removed upload: %+v", claim)
	}
	want(t, "Settle of a removed upload as ready", r.Settle(ctx, claim, ready(u)), postern.ErrLeaseLost)
	if n, err := r.Forget(ctx, c.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Fatalf("Forget took %d with its objects still there, %v", n, err)
	}
	if err := r.Settle(ctx, claim, claim.Upload); err != nil {
		t.Fatal(err)
	}
	if claims, err := r.Claim(ctx, time.Minute, 10); len(claims) != 0 || err != nil {
		t.Fatalf("it is still in the queue: %v, %v", claims, err)
	}
	if n, err := r.Forget(ctx, c.Now()); n != 0 || err != nil {
		t.Fatalf("Forget took %d that was removed at that time, not before; %v", n, err)
	}
	if n, err := r.Forget(ctx, c.Now().Add(time.Millisecond)); n != 1 || err != nil {
		t.Fatalf("Forget took %d, %v; want 1", n, err)
	}
	_, err = r.Upload(ctx, u.ID)
	want(t, "Upload of a forgotten one", err, postern.ErrNotFound)
}

func TestRemoveKeepsWhatTheWorkerMustDelete(t *testing.T) {
	onEach(t, testRemoveKeepsWhatTheWorkerMustDelete)
}

func testRemoveKeepsWhatTheWorkerMustDelete(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	u := arrive(t, r, arrival(1))
	if err := r.Settle(t.Context(), claimOne(t, r), ready(u)); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), "alice", u.ID); err != nil {
		t.Fatal(err)
	}
	if c := claimOne(t, r); c.Upload.Image == nil || len(c.Upload.Image.Variants) != 2 {
		t.Fatalf("the variants are not known any more: %+v", c.Upload)
	}
}

func TestForgetTakesManyAndOnlyRemoved(t *testing.T) { onEach(t, testForgetTakesManyAndOnlyRemoved) }

func testForgetTakesManyAndOnlyRemoved(t *testing.T, p *place) {
	r, c := p.openNew(t)
	const n = forgetAtOnce + 20
	var all sync.WaitGroup
	for i := range n + 1 {
		all.Go(func() {
			if _, _, err := r.Arrive(t.Context(), arrival(i)); err != nil {
				t.Error(err)
			}
			if i < n {
				if err := r.Remove(t.Context(), "alice", madeID(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	claims, err := r.Claim(t.Context(), time.Minute, n+1)
	if err != nil || len(claims) != n+1 {
		t.Fatalf("%d claims, %v", len(claims), err)
	}
	for _, claim := range claims {
		u := claim.Upload
		if u.State != postern.Removed {
			u = ready(u)
		}
		all.Go(func() {
			if err := r.Settle(t.Context(), claim, u); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	c.Add(time.Hour)
	if got, err := r.Forget(t.Context(), c.Now()); got != n || err != nil {
		t.Fatalf("Forget: %d, %v; want %d", got, err, n)
	}
	if _, err := r.Upload(t.Context(), madeID(n)); err != nil {
		t.Fatalf("the ready one is gone: %v", err)
	}
}

func TestOpenMakesPrivateFileAndFolders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "records?mode=memory#%41 ü.db")
	r := openAt(t, path, newClock())
	arrive(t, r, arrival(1))
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, info.Mode())
		}
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o700) {
		t.Errorf("folder: %v, %v; want mode 0700", info.Mode(), err)
	}
}

func TestReopenFindsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	c := newClock()
	r := openAt(t, path, c)
	u := arrive(t, r, arrival(1))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Close left the write-ahead log behind: %v", err)
	}
	r = openAt(t, path, c)
	if got, err := r.Upload(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, u) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestClosed(t *testing.T) { onEach(t, testClosed) }

func testClosed(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	u := arrive(t, r, arrival(1))
	claim := claimOne(t, r)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatalf("second Close: %v", err)
	}
	for name, call := range everyCall(t.Context(), r, u, claim) {
		want(t, name, call(), postern.ErrRecordsUnavailable)
	}
}

func TestCancelledCaller(t *testing.T) { onEach(t, testCancelledCaller) }

func testCancelledCaller(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	u := arrive(t, r, arrival(1))
	claim := claimOne(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range everyCall(ctx, r, u, claim) {
		err := call()
		want(t, name, err, postern.ErrRecordsUnavailable)
		want(t, name, err, context.Canceled)
	}
}

// everyCall calls each method that uses the file.
func everyCall(ctx context.Context, r *Records, u postern.Upload, c postern.Claim) map[string]func() error {
	return map[string]func() error{
		"Arrive":  func() error { _, _, err := r.Arrive(ctx, u); return err },
		"Upload":  func() error { _, err := r.Upload(ctx, u.ID); return err },
		"Uploads": func() error { _, err := r.Uploads(ctx, postern.Query{Principal: "alice", Limit: 1}); return err },
		"Remove":  func() error { return r.Remove(ctx, "alice", u.ID) },
		"Claim":   func() error { _, err := r.Claim(ctx, time.Minute, 1); return err },
		"Extend":  func() error { _, err := r.Extend(ctx, c, time.Minute); return err },
		"Settle":  func() error { return r.Settle(ctx, c, ready(c.Upload)) },
		"Retry":   func() error { return r.Retry(ctx, c, noon) },
		"Release": func() error { return r.Release(ctx, c) },
		"Forget":  func() error { _, err := r.Forget(ctx, noon); return err },
		"Backlog": func() error { _, _, err := r.Backlog(ctx); return err },
		"Ping":    func() error { return r.Ping(ctx) },
	}
}
