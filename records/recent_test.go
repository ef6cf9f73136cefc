package records

import (
	"reflect"
	"testing"
	"time"

	"postern.example/postern"
)

// settleAs brings the next due job to an end.
func settleAs(t *testing.T, r *Records, state postern.State) postern.ID {
	t.Helper()
	c := claimOne(t, r)
	u := c.Upload
	if u.State = state; state == postern.Ready {
		u = ready(u)
	} else {
		u.Problem = postern.ErrProcessing.With("It did not work.")
	}
	if err := r.Settle(t.Context(), c, u); err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func TestRecent(t *testing.T) { onEach(t, testRecent) }

func testRecent(t *testing.T, p *place) {
	r, c := p.openNew(t)
	ctx := t.Context()
	states := []postern.State{postern.Ready, postern.Failed, postern.Rejected, postern.Stored}
	wanted := map[postern.State][]postern.ID{}
	for n := range 12 {
		u := arrival(n)
		u.Principal = []string{"alice", "bob"}[n%2]
		arrive(t, r, u)
		state := states[n%4]
		if n == 8 { // which nobody sees any more
			if err := r.Remove(ctx, u.Principal, u.ID); err != nil {
				t.Fatal(err)
			}
			settleRemovedJob(t, r)
			continue
		}
		if state == postern.Stored {
			claimOne(t, r) // or it would be the next one's
			c.Add(time.Second)
		} else {
			settleAs(t, r, state)
		}
		wanted[state] = append([]postern.ID{u.ID}, wanted[state]...)
		wanted[""] = append([]postern.ID{u.ID}, wanted[""]...)
	}
	for state, ids := range wanted {
		var got []postern.ID
		var before postern.ID
		for {
			page, err := r.Recent(ctx, state, before, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page {
				got, before = append(got, u.ID), u.ID
			}
			if len(page) < 2 {
				break
			}
		}
		if !reflect.DeepEqual(got, ids) {
			t.Errorf("%q: got %v\nwant %v", state, got, ids)
		}
	}
	for _, state := range []postern.State{postern.Removed, postern.Granted, "' OR 1=1 --"} {
		if list, err := r.Recent(ctx, state, "", 10); err == nil {
			t.Errorf("%q: %d uploads", state, len(list))
		}
	}
}

func settleRemovedJob(t *testing.T, r *Records) {
	t.Helper()
	c := claimOne(t, r)
	if err := r.Settle(t.Context(), c, c.Upload); err != nil {
		t.Fatal(err)
	}
}

// What failed is checked again, from the beginning; nothing else is.
func TestAgain(t *testing.T) { onEach(t, testAgain) }

func testAgain(t *testing.T, p *place) {
	r, c := p.openNew(t)
	ctx := t.Context()
	id := arrive(t, r, arrival(1)).ID
	want(t, "Again of one that waits", r.Again(ctx, id), postern.ErrNotFound)
	settleAs(t, r, postern.Failed)
	c.Add(time.Hour)
	if err := r.Again(ctx, id); err != nil {
		t.Fatal(err)
	}
	u, err := r.Upload(ctx, id)
	if err != nil || u.State != postern.Stored || u.Problem != nil || !u.SettledAt.IsZero() || !u.StoredAt.Equal(c.Now()) || u.Trail != arrival(1).Trail {
		t.Fatalf("%+v, %v", u, err)
	}
	want(t, "Again, twice", r.Again(ctx, id), postern.ErrNotFound)
	job := claimOne(t, r)
	if job.Upload.ID != id || job.Attempts != 1 {
		t.Fatalf("%+v", job)
	}
	if err := r.Settle(ctx, job, ready(job.Upload)); err != nil {
		t.Fatal(err)
	}
	want(t, "Again of a good one", r.Again(ctx, id), postern.ErrNotFound)
	want(t, "Again of none", r.Again(ctx, madeID(9)), postern.ErrNotFound)
}
