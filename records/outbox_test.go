package records

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
)

// telling opens records that note events for some endpoints.
func (p *place) telling(t testing.TB, c *clock, endpoints ...string) *Records {
	t.Helper()
	p.conf.Outbox = &Outbox{Endpoints: endpoints, Render: func(u *postern.Upload) ([]byte, error) {
		return fmt.Appendf(nil, "%s is %s", u.ID, u.State), nil
	}}
	return p.open(t, c)
}

func told1(t *testing.T, r *Records, endpoint string) []string {
	t.Helper()
	list, err := r.ClaimDeliveries(t.Context(), endpoint, time.Minute, 100)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, d := range list {
		bodies = append(bodies, string(d.Body))
		if err := r.Delivered(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	return bodies
}

// Every change of a state has its event for each endpoint, once, whoever made
// the change and however often it was tried.
func TestEventsFollowStates(t *testing.T) { onEach(t, testEventsFollowStates) }

func testEventsFollowStates(t *testing.T, p *place) {
	c := newClock()
	r := p.telling(t, c, "one", "two")
	want := func(bodies ...string) {
		t.Helper()
		for _, endpoint := range []string{"one", "two"} {
			if got := told1(t, r, endpoint); !slices.Equal(got, bodies) {
				t.Errorf("%s heard %q, want %q", endpoint, got, bodies)
			}
		}
	}
	up := arrival(1)
	arrive(t, r, up)
	c.Add(time.Second)
	again := up
	again.StoredAt = c.Now()
	if _, fresh, err := r.Arrive(t.Context(), again); fresh || err != nil {
		t.Fatal(fresh, err)
	}
	want(string(up.ID) + " is stored")

	// Two have the job; the one whose lease ended is too late, by an instant or more.
	first := claimOne(t, r)
	c.Add(2 * time.Minute)
	second := claimOne(t, r)
	done := ready(second.Upload)
	if err := r.Settle(t.Context(), second, done); err != nil {
		t.Fatal(err)
	}
	late := ready(first.Upload)
	late.SettledAt = done.SettledAt.Add(time.Second)
	for _, u := range []postern.Upload{late, done} {
		wantLost(t, r.Settle(t.Context(), first, u))
	}
	want(string(up.ID) + " is ready")

	if err := r.Remove(t.Context(), "alice", up.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), "alice", up.ID); err == nil {
		t.Error("removed twice")
	}
	if err := r.Remove(t.Context(), "bob", madeID(9)); err == nil {
		t.Error("removed what is not there")
	}
	want(string(up.ID) + " is removed")

	all, err := r.Deliveries(t.Context(), c.Now().Add(time.Hour), false, 100)
	if err != nil || len(all) != 6 {
		t.Fatalf("%d deliveries are kept, %v", len(all), err)
	}
	for _, d := range all {
		if d.Attempts != 1 || d.DeliveredAt.IsZero() || !d.NextAt.IsZero() {
			t.Errorf("%+v", d)
		}
	}
	c.Add(keepEvents + time.Hour)
	if _, err := r.Forget(t.Context(), c.Now()); err != nil {
		t.Fatal(err)
	}
	if all, err = r.Deliveries(t.Context(), c.Now(), false, 100); err != nil || len(all) != 0 {
		t.Errorf("%d deliveries are kept for ever, %v", len(all), err)
	}
}

func wantLost(t *testing.T, err error) {
	t.Helper()
	want(t, "too late", err, postern.ErrLeaseLost)
}

// An event is with one teller at a time, is told later after a fault, given up
// in the end, and told again when asked.
func TestDeliveries(t *testing.T) { onEach(t, testDeliveries) }

func testDeliveries(t *testing.T, p *place) {
	c := newClock()
	r := p.telling(t, c, "one")
	arrive(t, r, arrival(1))
	c.Add(time.Second)
	claim := func(want int) (d postern.Delivery) {
		t.Helper()
		list, err := r.ClaimDeliveries(t.Context(), "one", time.Minute, 10)
		if err != nil || len(list) != want {
			t.Fatalf("%d deliveries, %v; want %d", len(list), err, want)
		}
		if want > 0 {
			d = list[0]
		}
		return d
	}
	first := claim(1)
	claim(0)
	c.Add(2 * time.Minute) // its teller died
	d := claim(1)
	if d.Attempts != 2 || d.Event != first.Event {
		t.Errorf("%+v", d)
	}
	wantLost(t, r.Delivered(t.Context(), first))
	if err := r.HandBack(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if d = claim(1); d.Attempts != 2 {
		t.Errorf("%+v", d)
	}
	if err := r.DeliverLater(t.Context(), d, time.Hour, "status 500"); err != nil {
		t.Fatal(err)
	}
	claim(0)
	if n, oldest, err := r.Untold(t.Context()); n != 1 || !oldest.Equal(d.At) || err != nil {
		t.Errorf("untold: %d since %s, %v", n, oldest, err)
	}
	c.Add(time.Hour)
	d = claim(1)
	if d.Fault != "status 500" {
		t.Errorf("%+v", d)
	}
	if err := r.GiveUp(t.Context(), d, "status 410"); err != nil {
		t.Fatal(err)
	}
	c.Add(time.Hour)
	claim(0)
	if list, err := r.Deliveries(t.Context(), c.Now(), true, 10); err != nil || len(list) != 1 || list[0].Fault != "status 410" || list[0].GaveUpAt.IsZero() {
		t.Errorf("given up: %+v, %v", list, err)
	}
	if n, err := r.Replay(t.Context(), ""); n != 1 || err != nil {
		t.Errorf("replayed %d, %v", n, err)
	}
	d = claim(1)
	if d.Attempts != 1 || d.Event != first.Event {
		t.Errorf("%+v", d)
	}
	if err := r.Delivered(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Replay(t.Context(), first.Event); n != 1 || err != nil {
		t.Errorf("replayed %d, %v", n, err)
	}
	if list, err := r.Event(t.Context(), first.Event); err != nil || len(list) != 1 || list[0].NextAt.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	_, err := r.Event(t.Context(), "evt_none")
	want(t, "an event that is not there", err, postern.ErrNotFound)
	_, err = r.Replay(t.Context(), "evt_none")
	want(t, "an event that is not there", err, postern.ErrNotFound)
}

// Many tell at once, through several copies: each event is told once.
func TestDeliveriesAreShared(t *testing.T) { onEach(t, testDeliveriesAreShared) }

func testDeliveriesAreShared(t *testing.T, p *place) {
	const events = 300
	c := newClock()
	copies := []*Records{p.telling(t, c, "one"), p.telling(t, c, "one"), p.telling(t, c, "one")}
	var all sync.WaitGroup
	for i := range events {
		all.Go(func() {
			if _, _, err := copies[i%3].Arrive(context.Background(), arrival(i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	c.Add(time.Hour)
	var mu sync.Mutex
	heard := map[string]int{}
	for i := range 9 {
		all.Go(func() {
			for {
				list, err := copies[i%3].ClaimDeliveries(t.Context(), "one", time.Minute, 7)
				if err != nil {
					t.Error(err)
				}
				if len(list) == 0 {
					return
				}
				for _, d := range list {
					if err := copies[i%3].Delivered(t.Context(), d); err != nil {
						t.Error(err)
					}
					mu.Lock()
					heard[d.Event]++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if len(heard) != events {
		t.Errorf("%d events were heard of, of %d", len(heard), events)
	}
	for event, n := range heard {
		if n != 1 || !strings.HasSuffix(event, "_stored") {
			t.Errorf("%s was told %d times", event, n)
		}
	}
}
