package postern

import (
	"sync"
	"time"
)

// endings counts grants by when they end, and those of them that were used, so
// that it can be told what was promised and never came. A grant is kept nowhere
// else: it costs a number in a slot of time here, and nothing when it is over.
type endings struct {
	mu    sync.Mutex
	slots map[int64]*ending // by Expires, in steps
	past  ending            // of all slots that are over
}

type ending struct{ granted, used int64 }

const endingStep = 16 // seconds

// granted notes a grant of this process.
func (e *endings) granted(expires, now time.Time) { e.note(expires, now, ending{granted: 1}) }

// used notes an upload that arrived in time, whoever granted it.
func (e *endings) used(expires, now time.Time) { e.note(expires, now, ending{used: 1}) }

func (e *endings) note(expires, now time.Time, n ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := expires.Unix()/endingStep + 1 // over when the whole step is
	if at <= now.Unix()/endingStep {
		e.past.granted += n.granted
		e.past.used += n.used
		return
	}
	if e.slots == nil {
		e.slots = map[int64]*ending{}
	}
	s := e.slots[at]
	if s == nil {
		e.fold(now) // seldom enough, and the map stays small
		s = &ending{}
		e.slots[at] = s
	}
	s.granted += n.granted
	s.used += n.used
}

// fold adds up what is over. It is called with the lock held.
func (e *endings) fold(now time.Time) {
	over := now.Unix() / endingStep
	for at, s := range e.slots {
		if at <= over {
			e.past.granted += s.granted
			e.past.used += s.used
			delete(e.slots, at)
		}
	}
}

// over returns how many grants are, and how many arrived of such.
func (e *endings) over(now time.Time) (granted, used int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fold(now)
	return e.past.granted, e.past.used
}
