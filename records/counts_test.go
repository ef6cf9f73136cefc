package records

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// However many ask at a time, through however many copies that have the
// database open, true is answered as often as the limit says.
func TestCountIsExact(t *testing.T) { onEach(t, testCountIsExact) }

func testCountIsExact(t *testing.T, p *place) {
	const limit, callers = 37, 100
	c := newClock()
	copies := []*Records{p.open(t, c), p.open(t, c), p.open(t, c)}
	for _, token := range []string{"a", "b"} {
		var noted atomic.Int64
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				ok, err := copies[i%len(copies)].Count(t.Context(), token, limit, c.Now().Add(time.Hour))
				if err != nil {
					t.Error(err)
				}
				if ok {
					noted.Add(1)
				}
			})
		}
		all.Wait()
		if noted.Load() != limit {
			t.Errorf("%s: %d uses were allowed, want %d", token, noted.Load(), limit)
		}
	}
}

// A use that was noted is noted after a restart; a token whose end is past is
// forgotten, another one is not.
func TestCountIsDurable(t *testing.T) { onEach(t, testCountIsDurable) }

func testCountIsDurable(t *testing.T, p *place) {
	c := newClock()
	r := p.open(t, c)
	early, late := c.Now().Add(time.Hour), c.Now().Add(3*time.Hour)
	count := func(r *Records, token string, until time.Time, want bool) {
		t.Helper()
		if ok, err := r.Count(t.Context(), token, 1, until); ok != want || err != nil {
			t.Errorf("%s: %t, %v; want %t", token, ok, err, want)
		}
	}
	count(r, "early", early, true)
	count(r, "late", late, true)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = p.open(t, c)
	count(r, "early", early, false)
	count(r, "late", late, false)
	if n, err := r.Forget(t.Context(), c.Now().Add(2*time.Hour)); n != 0 || err != nil {
		t.Errorf("Forget: %d, %v; uses are not uploads", n, err)
	}
	count(r, "early", early, true)
	count(r, "late", late, false)
	if _, err := r.Count(t.Context(), "none", 0, late); err == nil {
		t.Error("a limit of 0 was taken")
	}
}

func TestForgetTakesManyUses(t *testing.T) { onEach(t, testForgetTakesManyUses) }

func testForgetTakesManyUses(t *testing.T, p *place) {
	r, c := p.openNew(t)
	var all sync.WaitGroup
	for i := range 2*forgetAtOnce + 1 {
		all.Go(func() {
			if ok, err := r.Count(t.Context(), fmt.Sprint(i), 1, c.Now()); !ok || err != nil {
				t.Error(ok, err)
			}
		})
	}
	all.Wait()
	if _, err := r.Forget(t.Context(), c.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, forgetAtOnce, 2 * forgetAtOnce} {
		if ok, err := r.Count(t.Context(), fmt.Sprint(i), 1, c.Now()); !ok || err != nil {
			t.Errorf("%d is still counted: %t, %v", i, ok, err)
		}
	}
}
