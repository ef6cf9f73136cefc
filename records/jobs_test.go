package records

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
)

func TestClaimTakesTheOldestDue(t *testing.T) { onEach(t, testClaimTakesTheOldestDue) }

func testClaimTakesTheOldestDue(t *testing.T, p *place) {
	r, c := p.openNew(t)
	ctx := t.Context()
	for _, i := range []int{3, 1, 2} { // due in the order of arrival, not of ids
		arrive(t, r, arrival(i))
		c.Add(time.Second)
	}
	claims, err := r.Claim(ctx, time.Minute, 2)
	if err != nil || len(claims) != 2 || claims[0].Upload.ID != madeID(3) || claims[1].Upload.ID != madeID(1) {
		t.Fatalf("%+v, %v", claims, err)
	}
	if c := claimOne(t, r); c.Upload.ID != madeID(2) {
		t.Fatalf("third is %s", c.Upload.ID)
	}
	if claims, err := r.Claim(ctx, time.Minute, 2); len(claims) != 0 || err != nil {
		t.Fatalf("leased jobs were claimed: %v, %v", claims, err)
	}
	for _, limit := range []int{0, -1} {
		if claims, err := r.Claim(ctx, time.Minute, limit); len(claims) != 0 || err != nil {
			t.Fatalf("limit %d: %v, %v", limit, claims, err)
		}
	}
	if _, err := r.Claim(ctx, 0, 1); err == nil {
		t.Fatal("a lease of no time was given")
	}
	if _, err := r.Extend(ctx, claims[0], 0); err == nil {
		t.Fatal("a lease was extended by no time")
	}
}

func TestDeadWorkerIsTakenOver(t *testing.T) { onEach(t, testDeadWorkerIsTakenOver) }

func testDeadWorkerIsTakenOver(t *testing.T, p *place) {
	r, c := p.openNew(t)
	ctx := t.Context()
	u := arrive(t, r, arrival(1))
	dead := claimOne(t, r)
	c.Add(time.Minute - time.Millisecond)
	if claims, err := r.Claim(ctx, time.Minute, 1); len(claims) != 0 || err != nil {
		t.Fatalf("claimed before the lease ended: %v, %v", claims, err)
	}
	c.Add(time.Millisecond)
	heir := claimOne(t, r)
	if heir.Attempts != 2 || heir.Lease == dead.Lease {
		t.Fatalf("takeover: %+v", heir)
	}
	want(t, "Settle by the dead", r.Settle(ctx, dead, ready(u)), postern.ErrLeaseLost)
	want(t, "Retry by the dead", r.Retry(ctx, dead, c.Now()), postern.ErrLeaseLost)
	want(t, "Release by the dead", r.Release(ctx, dead), postern.ErrLeaseLost)
	_, err := r.Extend(ctx, dead, time.Minute)
	want(t, "Extend by the dead", err, postern.ErrLeaseLost)
	if got, err := r.Upload(ctx, u.ID); err != nil || got.State != postern.Stored {
		t.Fatalf("the dead worker changed it: %+v, %v", got, err)
	}
	if err := r.Settle(ctx, heir, ready(u)); err != nil {
		t.Fatal(err)
	}
}

func TestLateWorkerMayStillSettle(t *testing.T) { onEach(t, testLateWorkerMayStillSettle) }

func testLateWorkerMayStillSettle(t *testing.T, p *place) {
	r, c := p.openNew(t)
	u := arrive(t, r, arrival(1))
	claim := claimOne(t, r)
	c.Add(time.Hour) // nobody has taken over
	if err := r.Settle(t.Context(), claim, ready(u)); err != nil {
		t.Fatal(err)
	}
}

func TestExtendKeepsOthersAway(t *testing.T) { onEach(t, testExtendKeepsOthersAway) }

func testExtendKeepsOthersAway(t *testing.T, p *place) {
	r, c := p.openNew(t)
	arrive(t, r, arrival(1))
	claim := claimOne(t, r)
	for range 5 {
		c.Add(50 * time.Second)
		var err error
		if claim, err = r.Extend(t.Context(), claim, time.Minute); err != nil {
			t.Fatal(err)
		}
		if claims, err := r.Claim(t.Context(), time.Minute, 1); len(claims) != 0 || err != nil {
			t.Fatalf("claimed in spite of the extended lease: %v, %v", claims, err)
		}
	}
}

func TestRetryAndRelease(t *testing.T) { onEach(t, testRetryAndRelease) }

func testRetryAndRelease(t *testing.T, p *place) {
	r, c := p.openNew(t)
	ctx := t.Context()
	arrive(t, r, arrival(1))
	first := claimOne(t, r)
	if err := r.Retry(ctx, first, c.Now().Add(10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if claims, err := r.Claim(ctx, time.Minute, 1); len(claims) != 0 || err != nil {
		t.Fatalf("due too early: %v, %v", claims, err)
	}
	if n, _, err := r.Backlog(ctx); n != 0 || err != nil {
		t.Fatalf("Backlog counts a job that is not due: %d, %v", n, err)
	}
	c.Add(10 * time.Second)
	second := claimOne(t, r)
	if second.Attempts != 2 {
		t.Fatalf("attempt %d after one retry, want 2", second.Attempts)
	}
	c.Add(time.Second)
	arrive(t, r, arrival(0)) // younger in the queue
	if err := r.Release(ctx, second); err != nil {
		t.Fatal(err)
	}
	want(t, "Settle after Release", r.Settle(ctx, second, ready(second.Upload)), postern.ErrLeaseLost)
	third := claimOne(t, r)
	if third.Attempts != 2 || third.Upload.ID != first.Upload.ID {
		t.Fatalf("after Release: attempt %d of %s, want 2 of the one released, in its old place", third.Attempts, third.Upload.ID)
	}
}

// Eight workers, some of which die, and never two on one job.
func TestClaimNeverGivesARowTwice(t *testing.T) { onEach(t, testClaimNeverGivesARowTwice) }

func testClaimNeverGivesARowTwice(t *testing.T, p *place) {
	r, c := p.openNew(t)
	ctx := t.Context()
	const n = 400
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, _, err := r.Arrive(ctx, arrival(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()

	var mu sync.Mutex
	held := map[postern.ID]string{}
	settled := map[postern.ID]int{}
	work := func(worker int) {
		for {
			claims, err := r.Claim(ctx, time.Minute, 1+worker%3)
			if err != nil {
				t.Error(err)
			}
			if len(claims) == 0 {
				return
			}
			for _, claim := range claims {
				mu.Lock()
				if by := held[claim.Upload.ID]; by != "" {
					t.Errorf("%s is leased to %s and %s", claim.Upload.ID, by, claim.Lease)
				}
				held[claim.Upload.ID] = claim.Lease
				mu.Unlock()
			}
			for i, claim := range claims {
				if (worker+i)%4 == 0 && claim.Attempts == 1 {
					continue // dies over it
				}
				mu.Lock()
				delete(held, claim.Upload.ID) // before, since another may claim it right after Retry
				mu.Unlock()
				if claim.Attempts == 1 && i == 1 {
					err = r.Retry(ctx, claim, c.Now())
				} else {
					err = r.Settle(ctx, claim, ready(claim.Upload))
					mu.Lock()
					settled[claim.Upload.ID]++
					mu.Unlock()
				}
				if err != nil {
					t.Error(err)
				}
			}
		}
	}
	for range 2 {
		for worker := range 8 {
			all.Go(func() { work(worker) })
		}
		all.Wait()
		c.Add(2 * time.Minute) // the leases of the dead end
		clear(held)
	}
	for i := range n {
		if got := settled[madeID(i)]; got != 1 {
			t.Fatalf("upload %d was settled %d times", i, got)
		}
	}
	if left, _, err := r.Backlog(ctx); left != 0 || err != nil {
		t.Fatalf("%d jobs left, %v", left, err)
	}
}

// Two processes on one file: they wait for each other, and share the queue.
func TestTwoOpenersShareTheQueue(t *testing.T) { onEach(t, testTwoOpenersShareTheQueue) }

func testTwoOpenersShareTheQueue(t *testing.T, p *place) {
	r, c := p.openNew(t)
	other := p.open(t, c)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			by := r
			if i%2 == 1 {
				by = other
			}
			if _, _, err := by.Arrive(t.Context(), arrival(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var mu sync.Mutex
	seen := map[postern.ID]string{}
	for i, by := range []*Records{r, other, r, other} {
		all.Go(func() {
			for {
				claims, err := by.Claim(t.Context(), time.Minute, 3)
				if err != nil {
					t.Error(err)
				}
				if len(claims) == 0 {
					return
				}
				mu.Lock()
				for _, c := range claims {
					if seen[c.Upload.ID] != "" {
						t.Errorf("%s was claimed twice", c.Upload.ID)
					}
					seen[c.Upload.ID] = fmt.Sprint(i)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(seen) != 100 {
		t.Fatalf("%d of 100 claimed", len(seen))
	}
}
