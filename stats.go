package postern

import (
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Stats is what a Service has counted since it was made. Copies count for
// themselves: add them up.
type Stats struct {
	Granted   int64 // grants signed
	Ended     int64 // of them those whose time is over
	Used      int64 // uploads that arrived, of grants whose time is over; Ended less Used expired
	Arrived   int64 // uploads noted as stored
	Bytes     int64 // of them together
	Ready     int64
	Rejected  int64
	Failed    int64
	Removed   int64
	Replays   int64 // objects swept because their upload was settled
	Foreign   int64 // objects swept because no valid ticket explains them
	Aborted   int64 // uploads in parts given up: expired, cancelled or not what was announced
	BodyBytes int64 // bytes of request bodies read by the handler

	Problems map[Code]int64   // uploads that were rejected or failed, by their problem
	Limited  map[string]int64 // grants that a quota refused, by the limit: "quota.uploads_per_day" …
	Waits    Waits            // from stored to a final state
}

// Waits is how long things took: a histogram.
type Waits struct {
	// Counts has one more than WaitBounds: those within each bound and above the
	// one before, and those above all.
	Counts [len(waitBounds) + 1]int64
	Sum    time.Duration
}

var waitBounds = [...]time.Duration{
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, time.Hour,
}

// WaitBounds returns the bounds of Waits, shortest first.
func WaitBounds() []time.Duration { return append([]time.Duration(nil), waitBounds[:]...) }

type counters struct {
	granted, arrived, bytes, ready, rejected, failed, removed, replays, foreign, aborted, bodyBytes atomic.Int64

	ends endings

	mu       sync.Mutex
	problems map[Code]int64
	limits   map[string]int64
	waits    Waits
}

// limited notes a grant that a quota refused.
func (c *counters) limited(limit string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limits == nil {
		c.limits = map[string]int64{}
	}
	c.limits[limit]++
}

// settled counts why an upload ended as it did, and how long that took.
func (c *counters) settled(u *Upload) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := u.Problem; p != nil {
		if c.problems == nil {
			c.problems = map[Code]int64{}
		}
		c.problems[p.Code]++
	}
	if u.StoredAt.IsZero() || u.SettledAt.IsZero() {
		return
	}
	took := max(u.SettledAt.Sub(u.StoredAt), 0)
	i := 0
	for i < len(waitBounds) && took > waitBounds[i] {
		i++
	}
	c.waits.Counts[i]++
	if c.waits.Sum < math.MaxInt64-took {
		c.waits.Sum += took
	}
}

// Stats returns the counters.
func (s *Service) Stats() Stats {
	c := &s.stats
	ended, used := c.ends.over(s.now())
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Granted: c.granted.Load(), Ended: ended, Used: used, Arrived: c.arrived.Load(), Bytes: c.bytes.Load(), Ready: c.ready.Load(), Rejected: c.rejected.Load(),
		Failed: c.failed.Load(), Removed: c.removed.Load(), Replays: c.replays.Load(), Foreign: c.foreign.Load(),
		Aborted: c.aborted.Load(), BodyBytes: c.bodyBytes.Load(), Problems: maps.Clone(c.problems), Limited: maps.Clone(c.limits), Waits: c.waits,
	}
}
