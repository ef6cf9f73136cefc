package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"postern.example/postern"
)

// answers keeps what an application said for a moment, under the hash of what it
// was asked with, so that a page that sends forty photos asks once.
type answers struct {
	keep time.Duration
	now  func() time.Time
	ask  func(context.Context, http.Header) (postern.Identity, error)

	mu     sync.Mutex
	asking int // questions that are on their way
	list   map[[sha256.Size]byte]*answer
}

// answer is one, or the question that is on its way.
type answer struct {
	done  chan struct{} // closed when the rest is set
	who   postern.Identity
	err   error
	until time.Time
}

const (
	maxAnswers = 10_000
	// maxAsking bounds how many questions are on their way at a time: made-up
	// sessions shall not become a flood at the application's door.
	maxAsking = 64
	keepNo    = 2 * time.Second
)

// of returns the answer for what is passed, and asks if there is none. Requests
// with the same hash wait for one question together.
func (a *answers) of(ctx context.Context, hash [sha256.Size]byte, passed http.Header) (postern.Identity, error) {
	a.mu.Lock()
	x := a.list[hash]
	if x == nil || x.over(a.now()) {
		var err error
		if x, err = a.begin(ctx, hash, passed); err != nil {
			a.mu.Unlock()
			return postern.Identity{}, err
		}
	}
	a.mu.Unlock()
	select {
	case <-x.done:
		return x.who, x.err
	case <-ctx.Done():
		return postern.Identity{}, postern.ErrSignInUnavailable.Because(ctx.Err())
	}
}

// over reports whether x was answered and does not hold any more.
func (x *answer) over(now time.Time) bool {
	select {
	case <-x.done:
		return !now.Before(x.until)
	default:
		return false
	}
}

// begin asks. The caller holds a.mu.
func (a *answers) begin(ctx context.Context, hash [sha256.Size]byte, passed http.Header) (*answer, error) {
	if a.list == nil {
		a.list = map[[sha256.Size]byte]*answer{}
	}
	a.makeRoom()
	if a.asking >= maxAsking {
		e := postern.ErrSignInUnavailable.Because(errors.New("too many questions are on their way to the application"))
		e.RetryAfter = time.Second
		return nil, e
	}
	x := &answer{done: make(chan struct{})}
	a.list[hash] = x
	a.asking++
	ctx = context.WithoutCancel(ctx) // others wait for it as well; it ends by the client's time limit
	go func() {
		defer close(x.done)
		x.who, x.err = a.ask(ctx, passed)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.asking--
		switch {
		case x.err == nil:
			x.until = a.now().Add(a.keep)
		case errors.Is(x.err, postern.ErrUnauthenticated):
			x.until = a.now().Add(min(a.keep, keepNo))
		} // else it is over as soon as it is there
	}()
	return x, nil
}

// makeRoom drops a few that were answered, whichever, when the list is full. The
// caller holds a.mu.
func (a *answers) makeRoom() {
	if len(a.list) < maxAnswers {
		return
	}
	looked := 0
	for hash, x := range a.list { // in no order
		select {
		case <-x.done:
			delete(a.list, hash)
		default:
		}
		if looked++; looked == 2*maxAsking { // at most half of them are on their way
			return
		}
	}
}
