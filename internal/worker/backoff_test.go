package worker

import (
	"testing"
	"time"
)

func TestFullJitter(t *testing.T) {
	for _, test := range []struct {
		attempt int
		limit   time.Duration
	}{{1, 2 * time.Second}, {2, 4 * time.Second}, {8, 256 * time.Second}, {9, 5 * time.Minute}, {1000, 5 * time.Minute}} {
		var most time.Duration
		for range 1000 {
			most = max(most, fullJitter(test.attempt))
		}
		if most >= test.limit || most < test.limit/2 {
			t.Errorf("attempt %d: pauses up to %s, want up to %s", test.attempt, most, test.limit)
		}
	}
}

func TestPatience(t *testing.T) {
	for _, test := range []struct {
		age  time.Duration
		want int
	}{{-time.Hour, 0}, {0, 0}, {time.Second, 1}, {10 * time.Second, 4}, {time.Minute, 6}, {time.Hour, 12}, {24 * time.Hour, 17}} {
		if got := patience(test.age); got != test.want {
			t.Errorf("after %s: %d, want %d", test.age, got, test.want)
		}
	}
}

func TestBudgetTakesAtMostAll(t *testing.T) {
	b := newBudget(100)
	all, err := b.take(t.Context(), 1000)
	if err != nil || b.inUse.Load() != 100 {
		t.Fatalf("%d in use, want 100 (%v)", b.inUse.Load(), err)
	}
	if b.sem.TryAcquire(1) {
		t.Error("something was left beside a picture that needs all")
	}
	all()
	some, err := b.take(t.Context(), 0)
	if err != nil || b.inUse.Load() != 1 {
		t.Fatalf("%d in use, want 1 (%v)", b.inUse.Load(), err)
	}
	some()
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a worker without parts was made")
	}
}
