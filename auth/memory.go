package auth

import (
	"context"
	"sync"
	"time"
)

// MemoryCounter counts in this process: what it counted is forgotten when that
// ends, and no other copy knows of it. The zero value is ready. It is safe for
// concurrent use.
type MemoryCounter struct {
	Now func() time.Time // default time.Now

	mu   sync.Mutex
	uses map[string]uses
	next time.Time // when to look for what can be forgotten
}

// clockSpread is how far apart the clocks of copies may be.
const clockSpread = time.Hour

type uses struct {
	count int
	until time.Time
}

// Count implements [Counter].
func (c *MemoryCounter) Count(_ context.Context, name string, limit int, until time.Time) (bool, error) {
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uses == nil {
		c.uses = map[string]uses{}
	}
	if at := now(); !at.Before(c.next) {
		for name, u := range c.uses {
			if at.After(u.until.Add(clockSpread)) {
				delete(c.uses, name)
			}
		}
		c.next = at.Add(time.Minute)
	}
	u := c.uses[name]
	if u.count >= limit {
		return false, nil
	}
	c.uses[name] = uses{u.count + 1, until}
	return true, nil
}
