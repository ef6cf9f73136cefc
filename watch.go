package postern

import (
	"context"
	"iter"
	"sync"
	"time"
)

// watchers wakes those who wait for a change of an upload in this process.
type watchers struct {
	mu sync.Mutex
	on map[ID]map[chan struct{}]struct{}
}

func (w *watchers) add(id ID) (changed chan struct{}, stop func()) {
	changed = make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.on == nil {
		w.on = map[ID]map[chan struct{}]struct{}{}
	}
	if w.on[id] == nil {
		w.on[id] = map[chan struct{}]struct{}{}
	}
	w.on[id][changed] = struct{}{}
	return changed, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.on[id], changed)
		if len(w.on[id]) == 0 {
			delete(w.on, id)
		}
	}
}

// Changed tells those who watch the upload in this process to look again.
func (s *Service) Changed(id ID) {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	s.watch.tell(id)
}

// Follow hears of changes made through other copies that share the records,
// and tells those who watch in this process, until ctx is done. It returns at
// once when the records are no [Notifier].
func (s *Service) Follow(ctx context.Context) error {
	n, ok := s.records.(Notifier)
	if !ok {
		return nil
	}
	return n.Changes(ctx, func(c Change) {
		if c.ID == "" {
			s.watch.all()
		} else {
			s.Changed(c.ID)
		}
		if c.Due {
			s.wakeWorker()
		}
	})
}

// all tells everybody to look again.
func (w *watchers) all() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.on {
		w.tell(id)
	}
}

// tell is called with the lock held.
func (w *watchers) tell(id ID) {
	for c := range w.on[id] {
		select {
		case c <- struct{}{}:
		default: // told already
		}
	}
}

// lookAgain is how often a watched upload is read even if nothing was said:
// another copy of the gate may have changed it.
const lookAgain = 5 * time.Second

// Watch yields the upload as it is now, and again after each change of its
// state until that is final. The sequence ends then, when ctx is done, or
// after an error was yielded. ErrNotFound as for [Service.Upload]; an upload
// that is removed meanwhile ends with it.
func (s *Service) Watch(ctx context.Context, principal string, id ID) iter.Seq2[Upload, error] {
	return func(yield func(Upload, error) bool) {
		changed, stop := s.watch.add(id)
		defer stop()
		var last State
		for {
			u, err := s.Upload(ctx, principal, id)
			if err != nil {
				yield(Upload{}, err)
				return
			}
			if u.State != last {
				last = u.State
				if !yield(u, nil) {
					return
				}
			}
			if u.State.Final() {
				return
			}
			wait := lookAgain
			if u.State == Granted {
				wait = min(wait, max(u.Expires.Sub(s.now()), 0)+time.Millisecond)
			}
			t := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-changed:
				t.Stop()
			case <-t.C:
			}
		}
	}
}
