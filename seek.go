package postern

import (
	"context"
	"errors"
	"sync"
	"time"
)

// seeking is the grants of clients that will not say when their file has
// arrived. A sweep finds it in the end; looking at a few keys finds it sooner.
type seeking struct {
	mu   sync.Mutex
	list map[ID]*sought
	wake chan struct{}
}

type sought struct {
	next time.Time
	wait time.Duration
}

const (
	// maxSought bounds the list; beyond it only the sweep finds uploads.
	maxSought  = 4096
	firstSeek  = time.Second
	lastSeek   = 15 * time.Second
	seekGrowth = 1.4
)

// Unannounced tells that the client of this grant will not call complete, as
// clients of other protocols do not. A worker in this process looks for the
// object until the grant runs out; one elsewhere finds it by its sweep.
func (s *Service) Unannounced(id ID) {
	k := &s.seeking
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.list) >= maxSought || !s.keys.made(id) {
		return
	}
	if k.list == nil {
		k.list = map[ID]*sought{}
	}
	k.list[id] = &sought{next: s.now().Add(firstSeek), wait: firstSeek}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Sought receives a value when there is something to [Service.Seek] sooner
// than was known.
func (s *Service) Sought() <-chan struct{} { return s.seeking.wake }

// Seek looks for the objects of unannounced grants that are due, notes what has
// arrived, and returns how long to wait until the next is due; 0 when none is
// left. A fault ends it; the wait counts then as well.
func (s *Service) Seek(ctx context.Context) (time.Duration, error) {
	now := s.now()
	due, wait := s.seeking.due(now)
	for _, id := range due {
		found, err := s.found(ctx, id)
		if err != nil {
			return lastSeek, err
		}
		// One more look after the last moment, at what arrived in it.
		if _, expires, _ := id.times(); found || now.After(expires.Add(lastSeek)) {
			s.seeking.drop(id)
		}
	}
	return wait, nil
}

// due returns what is to be looked for now, and the time until the next.
func (k *seeking) due(now time.Time) (due []ID, wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, x := range k.list {
		if !x.next.After(now) {
			due = append(due, id)
			x.wait = min(time.Duration(float64(x.wait)*seekGrowth), lastSeek)
			x.next = now.Add(x.wait)
		}
		if until := x.next.Sub(now); wait == 0 || until < wait {
			wait = until
		}
	}
	return due, wait
}

func (k *seeking) drop(id ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.list, id)
}

// found notes the upload if its object is there.
func (s *Service) found(ctx context.Context, id ID) (bool, error) {
	o, err := s.bucket.Head(ctx, IncomingPrefix+string(id))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	t, err := s.keys.open(o.Metadata[ticketMeta])
	if err != nil || t.ID != id {
		return true, nil //nolint:nilerr // not ours to note; the sweep decides about it
	}
	_, _, err = s.arrive(ctx, t, o)
	return err == nil || errors.Is(err, ErrNotFound), ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
