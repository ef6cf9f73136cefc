package postern

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Verdict is what becomes of an object found below IncomingPrefix.
type Verdict string

// Verdicts of [Service.Adopt].
const (
	Noted   Verdict = "noted"   // its upload was noted just now and will be checked
	Pending Verdict = "pending" // its upload is being checked, or may still explain itself: leave it
	Replay  Verdict = "replay"  // its upload is settled: delete it, nothing else changes
	Foreign Verdict = "foreign" // no valid ticket explains it, or the ticket expired long ago: delete it
)

// Grace is how long past its grant's expiry an unnoted object is still taken
// up, and how long the bytes of a failed upload are kept for a second try.
// The bucket's lifecycle rule should expire IncomingPrefix no sooner.
const Grace = 24 * time.Hour

// ForeignGrace is how old an object without a valid ticket must be before it
// is given up: time to notice that a secret was mixed up. Nobody but the
// worker can see it meanwhile.
const ForeignGrace = time.Hour

// Adopt decides about one object below IncomingPrefix, as a sweep lists it.
// An object whose browser never said "complete" is noted like any other. The
// caller deletes what the verdict says, and counts nothing: Adopt does.
func (s *Service) Adopt(ctx context.Context, o Object) (Verdict, error) {
	v, t, o, err := s.judge(ctx, o)
	if err == nil && v == Noted {
		v, err = s.adopt(ctx, t, o)
	}
	switch v {
	case Replay:
		s.stats.replays.Add(1)
	case Foreign:
		s.stats.foreign.Add(1)
	}
	return v, err
}

// Judge decides as [Service.Adopt] does, and changes and counts nothing: Noted
// is what would be noted.
func (s *Service) Judge(ctx context.Context, o Object) (Verdict, error) {
	v, _, _, err := s.judge(ctx, o)
	return v, err
}

// judge returns the verdict; for Noted also the ticket and the object as they are.
func (s *Service) judge(ctx context.Context, o Object) (Verdict, *Ticket, Object, error) {
	id := ID(strings.TrimPrefix(o.Key, IncomingPrefix))
	if !s.keys.made(id) {
		return s.foreign(o), nil, o, nil
	}
	u, err := s.records.Upload(ctx, id)
	switch {
	case err == nil:
		return s.known(u), nil, o, nil
	case !errors.Is(err, ErrNotFound):
		return Pending, nil, o, err
	}
	o, err = s.bucket.Head(ctx, o.Key) // a listing has no metadata
	if errors.Is(err, ErrNotFound) {
		return Pending, nil, o, nil // gone meanwhile
	} else if err != nil {
		return Pending, nil, o, err
	}
	t, err := s.keys.open(o.Metadata[ticketMeta])
	if err != nil || t.ID != id {
		return s.foreign(o), nil, o, nil //nolint:nilerr // what does not open is the verdict
	}
	if s.now().After(t.Expires.Add(Grace)) {
		return Foreign, nil, o, nil
	}
	return Noted, t, o, nil
}

func (s *Service) adopt(ctx context.Context, t *Ticket, o Object) (Verdict, error) {
	u, fresh, err := s.arrive(ctx, t, o)
	switch {
	case errors.Is(err, ErrNotFound): // removed meanwhile
		return Replay, nil
	case err != nil:
		return Pending, err
	case fresh:
		return Noted, nil
	}
	return s.known(u), nil
}

// Made reports whether id is one that this service, or a copy with the same
// secrets, could have given out.
func (s *Service) Made(id ID) bool { return s.keys.made(id) }

func (s *Service) known(u Upload) Verdict {
	switch {
	case u.State == Stored:
		return Pending
	case u.State == Failed && s.now().Before(u.SettledAt.Add(Grace)):
		return Pending
	}
	return Replay
}

func (s *Service) foreign(o Object) Verdict {
	if s.now().Before(o.Modified.Add(ForeignGrace)) {
		return Pending
	}
	return Foreign
}

// Verify returns the ticket that o carries, if it is the one of upload id.
// The worker holds the object it reads against it: what is checked is what
// was granted, whoever wrote it.
func (s *Service) Verify(o Object, id ID) (Ticket, error) {
	t, err := s.keys.open(o.Metadata[ticketMeta])
	if err != nil {
		return Ticket{}, err
	}
	if t.ID != id {
		return Ticket{}, errTicket
	}
	return *t, nil
}

// Settled tells the service that a worker has brought u to a final state: it
// is counted, and whoever watches it is told.
func (s *Service) Settled(u *Upload) {
	switch u.State {
	case Ready:
		s.stats.ready.Add(1)
	case Rejected:
		s.stats.rejected.Add(1)
	case Failed:
		s.stats.failed.Add(1)
	}
	s.stats.settled(u)
	s.Changed(u.ID)
}
