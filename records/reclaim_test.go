package records

import (
	"testing"
	"time"

	"postern.example/postern"
)

// After a crash the jobs of the dead process are due at once, and what is done
// under its old leases counts no more.
func TestReclaim(t *testing.T) { onEach(t, testReclaim) }

func testReclaim(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	for n := range 3 {
		arrive(t, r, arrival(n))
	}
	old, err := r.Claim(t.Context(), time.Hour, 2)
	if err != nil || len(old) != 2 {
		t.Fatalf("%d claims, %v", len(old), err)
	}
	if n, err := r.Reclaim(t.Context()); err != nil || n != 2 {
		t.Errorf("Reclaim = %d, %v; want 2", n, err)
	}
	again, err := r.Claim(t.Context(), time.Hour, 10)
	if err != nil || len(again) != 3 || again[0].Attempts != 2 || again[2].Attempts != 1 {
		t.Errorf("claims after Reclaim: %+v, %v", again, err)
	}
	want(t, "settle under the old lease", r.Settle(t.Context(), old[0], ready(old[0].Upload)), postern.ErrLeaseLost)
}

// Every lease has a name of its own, also those of one call.
func TestLeasesDiffer(t *testing.T) { onEach(t, testLeasesDiffer) }

func testLeasesDiffer(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	for n := range 5 {
		arrive(t, r, arrival(n))
	}
	claims, err := r.Claim(t.Context(), time.Minute, 5)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range claims {
		seen[c.Lease] = true
		if _, err := r.Extend(t.Context(), c, time.Minute); err != nil {
			t.Errorf("extend %s: %v", c.Lease, err)
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d names for 5 leases", len(seen))
	}
}

// What is settled is what was checked: its size and ETag too.
func TestSettleNotesWhatWasRead(t *testing.T) { onEach(t, testSettleNotesWhatWasRead) }

func testSettleNotesWhatWasRead(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	arrive(t, r, arrival(1))
	c := claimOne(t, r)
	u := ready(c.Upload)
	u.Size, u.ETag = u.Size+7, "another"
	if err := r.Settle(t.Context(), c, u); err != nil {
		t.Fatal(err)
	}
	got, err := r.Upload(t.Context(), u.ID)
	if err != nil || got.Size != u.Size || got.ETag != "another" {
		t.Errorf("size %d, ETag %q, %v", got.Size, got.ETag, err)
	}
}
