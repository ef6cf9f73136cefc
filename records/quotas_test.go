package records

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
)

// counting opens records that count the preset of arrival.
func (p *place) counting(t testing.TB, c *clock) *Records {
	t.Helper()
	p.conf.Counted = []string{"photos"}
	return p.open(t, c)
}

func reservation(n int, bytes int64, q postern.Quota) postern.Reservation {
	return postern.Reservation{ID: madeID(n), Principal: "alice", Preset: "photos", Bytes: bytes, Expires: noon.Add(10 * time.Minute), Quota: q}
}

func reserve(t *testing.T, r *Records, v postern.Reservation, want bool) postern.Use {
	t.Helper()
	u, ok, err := r.Reserve(t.Context(), v)
	if err != nil || ok != want {
		t.Fatalf("Reserve %s of %d bytes: %t, %v; want %t (%+v)", v.ID, v.Bytes, ok, err, want, u)
	}
	return u
}

// A hundred at once through three copies: each limit is met exactly.
func TestThreat19_QuotaIsExactInARace(t *testing.T) { onEach(t, testQuotaIsExact) }

func testQuotaIsExact(t *testing.T, p *place) {
	c := newClock()
	copies := []*Records{p.counting(t, c), p.counting(t, c), p.counting(t, c)}
	for name, tc := range map[string]struct {
		quota postern.Quota
		want  int64
	}{
		"grants a minute":   {postern.Quota{GrantsPerMinute: 37}, 37},
		"uploads a day":     {postern.Quota{UploadsPerDay: 11}, 11},
		"bytes outstanding": {postern.Quota{BytesOutstanding: 1050}, 10},
		"bytes a day":       {postern.Quota{BytesPerDay: 2000}, 20},
		"the tightest":      {postern.Quota{GrantsPerMinute: 50, UploadsPerDay: 40, BytesOutstanding: 700, BytesPerDay: 5000}, 7},
		"none":              {postern.Quota{}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			var granted atomic.Int64
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					v := reservation(i, 100, tc.quota)
					v.ID, v.Principal = postern.ID(fmt.Sprint(name, i)), name
					_, ok, err := copies[i%len(copies)].Reserve(t.Context(), v)
					if err != nil {
						t.Error(err)
					}
					if ok {
						granted.Add(1)
					}
				})
			}
			all.Wait()
			u, err := copies[0].Use(t.Context(), name, "photos")
			if n := granted.Load(); n != tc.want || err != nil || u.Grants != n || u.Open != n || u.OpenBytes != 100*n || u.Uploads != 0 {
				t.Errorf("%d were granted, want %d; %+v, %v", n, tc.want, u, err)
			}
		})
	}
}

// What is promised counts until it runs out or arrives; then what arrived does,
// until the day is over.
func TestThreat19_QuotaIsFreedOnExpiry(t *testing.T) { onEach(t, testQuotaOverTime) }

func testQuotaOverTime(t *testing.T, p *place) {
	c := newClock()
	r := p.counting(t, c)
	q := postern.Quota{BytesOutstanding: 1000, UploadsPerDay: 4, BytesPerDay: 20_000}
	reserve(t, r, reservation(1, 600, q), true)
	u := reserve(t, r, reservation(2, 600, q), false)
	if u.OpenBytes != 600 || !u.FirstOpen.Equal(noon.Add(10*time.Minute)) || !u.Now.Equal(noon) {
		t.Errorf("what decided: %+v", u)
	}
	reserve(t, r, reservation(3, 400, q), true)

	// One arrives, larger than was said would be impossible; smaller is not.
	up := arrival(1)
	up.Size = 500
	arrive(t, r, up)
	if _, fresh, err := r.Arrive(t.Context(), up); fresh || err != nil {
		t.Fatalf("again: %t, %v", fresh, err)
	}
	if u, err := r.Use(t.Context(), "alice", "photos"); err != nil || u.Uploads != 1 || u.Bytes != 500 || u.Open != 1 || u.OpenBytes != 400 {
		t.Errorf("after the arrival: %+v, %v", u, err)
	}

	// The other runs out; a look sees it, and so does the next grant.
	c.Add(10 * time.Minute)
	if u, err := r.Use(t.Context(), "alice", "photos"); err != nil || u.Open != 0 || u.OpenBytes != 0 || !u.FirstOpen.IsZero() || u.Uploads != 1 {
		t.Errorf("after the expiry: %+v, %v", u, err)
	}
	later := reservation(4, 1000, q)
	later.Expires = c.Now().Add(10 * time.Minute)
	if u := reserve(t, r, later, true); u.Open != 1 || u.OpenBytes != 1000 || u.Uploads != 1 {
		t.Errorf("after the next grant: %+v", u)
	}
	// What had arrived in time, and is found late, counts once and frees nothing twice.
	late := arrival(3)
	late.Size = 400
	arrive(t, r, late)
	if u, err := r.Use(t.Context(), "alice", "photos"); err != nil || u.Uploads != 2 || u.Bytes != 900 || u.Open != 1 || u.OpenBytes != 1000 {
		t.Errorf("after the late arrival: %+v, %v", u, err)
	}

	// Others, and other presets, are others.
	for _, v := range []postern.Reservation{
		{ID: madeID(5), Principal: "bob", Preset: "photos", Bytes: 1000, Expires: later.Expires, Quota: q},
		{ID: madeID(6), Principal: "alice", Preset: "avatars", Bytes: 1000, Expires: later.Expires, Quota: q},
	} {
		reserve(t, r, v, true)
	}

	// Midnight ends the day, not what is still promised.
	c.Add(24 * time.Hour)
	if u, err := r.Use(t.Context(), "alice", "photos"); err != nil || u.Uploads != 0 || u.Bytes != 0 || u.Grants != 0 {
		t.Errorf("on the next day: %+v, %v", u, err)
	}
	next := reservation(7, 1000, q)
	next.Expires = c.Now().Add(10 * time.Minute)
	if u := reserve(t, r, next, true); u.Uploads != 0 || u.Open != 1 || u.Grants != 1 {
		t.Errorf("the next day's grant: %+v", u)
	}

	// In the end nothing of it is kept.
	c.Add(48 * time.Hour)
	for range 2 { // one look gives back, the next forgets
		v := reservation(8, 1, postern.Quota{})
		v.ID, v.Expires = postern.ID(fmt.Sprint("x", c.Now().Unix())), c.Now()
		reserve(t, r, v, true)
		c.Add(48 * time.Hour)
		if _, err := r.Forget(t.Context(), c.Now()); err != nil {
			t.Fatal(err)
		}
	}
	var grants int
	if err := r.read(t.Context(), one(&grants), `SELECT count(*) FROM quota_grants WHERE principal = 'alice' AND preset = 'photos' AND is_open = FALSE`); err != nil || grants > 1 {
		t.Errorf("%d promises are kept, %v", grants, err)
	}
}

// A preset that is not counted writes nothing when its uploads arrive.
func TestQuota_OnlyWhereThereIsOne(t *testing.T) { onEach(t, testOnlyWhereThereIsOne) }

func testOnlyWhereThereIsOne(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	arrive(t, r, arrival(1))
	var n int
	if err := r.read(t.Context(), one(&n), `SELECT count(*) FROM quota_use`); err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
	if u, err := r.Use(t.Context(), "alice", "photos"); err != nil || u.Uploads != 0 || !u.Now.Equal(noon) {
		t.Errorf("use of nothing: %+v, %v", u, err)
	}
}
