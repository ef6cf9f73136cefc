package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"postern.example/postern/sigv4"
)

const (
	// refreshWindow is how long before their end credentials are fetched anew:
	// longer than a grant lives by default, so that none is cut short. Of short
	// lives it is the second half.
	refreshWindow = 15 * time.Minute
	// A failed fetch is tried again after firstPause, then after twice as long
	// each time, up to lastPause. Once nothing valid is left, each firstPause.
	firstPause = time.Second
	lastPause  = time.Minute
	// fetchLimit is how long one fetch may take. It is longer than the SDK's own
	// limits: three tries of httpLimit each, and a minute for a process.
	fetchLimit = 90 * time.Second
)

// keeper keeps credentials in memory and fetches new ones before they end.
// Callers only ever wait when there are none that are valid, and then all for
// the same fetch. Nothing runs while nobody asks. It is safe for concurrent use.
type keeper struct {
	fetch func(context.Context) (aws.Credentials, error)
	now   func() time.Time // by the bucket's clock, which decides when they end
	log   *slog.Logger

	held atomic.Pointer[held]

	mu      sync.Mutex
	last    *fetched  // the latest fetch, perhaps still running; nil: none yet
	running bool      // whether last is
	begun   time.Time // when last was
	failed  int       // fetches in a row
	told    time.Time // when a failure was logged
}

// held are credentials, and when to think of new ones.
type held struct {
	sigv4.Credentials
	source  string
	refresh time.Time
}

func (h *held) valid(now time.Time) bool {
	return h != nil && (h.Expires.IsZero() || now.Before(h.Expires))
}

func (h *held) fresh(now time.Time) bool {
	return h != nil && (h.Expires.IsZero() || now.Before(h.refresh))
}

// fetched is one fetch. Its result may be read once done is closed.
type fetched struct {
	done chan struct{}
	held *held
	err  error
}

// get returns credentials that are valid, as far as the source has such.
func (k *keeper) get(ctx context.Context) (*held, error) {
	now, h := k.now(), k.held.Load()
	if h.fresh(now) {
		return h, nil
	}
	f := k.begin(ctx, now, h)
	if h.valid(now) {
		return h, nil
	}
	select {
	case <-f.done:
		return f.held, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("fetch AWS credentials: %w", ctx.Err())
	}
}

// begin starts a fetch, unless one is running or the latest was just now. It
// returns the latest.
func (k *keeper) begin(ctx context.Context, now time.Time, h *held) *fetched {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running {
		return k.last
	}
	if k.last != nil {
		// A clock that was set back must not make anybody wait.
		if since := now.Sub(k.begun); since >= 0 && since < k.pause(h.valid(now)) {
			return k.last
		}
	}
	k.last, k.running, k.begun = &fetched{done: make(chan struct{})}, true, now
	// The fetch is for all callers: it does not end with the one that began it.
	go k.run(context.WithoutCancel(ctx), k.last)
	return k.last
}

// pause is how long to leave the source alone after the latest fetch.
func (k *keeper) pause(valid bool) time.Duration {
	if !valid || k.failed == 0 {
		return firstPause
	}
	return min(firstPause<<min(k.failed-1, 10), lastPause)
}

func (k *keeper) run(ctx context.Context, f *fetched) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	c, err := k.fetch(ctx)
	if err == nil && !c.HasKeys() {
		err = errors.New("the source has none")
	}
	now := k.now()

	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		f.err = fmt.Errorf("fetch AWS credentials: %v", hideOutput(err))
		k.failed++
		k.tellFailure(now, f.err)
	} else {
		f.held = hold(c, now)
		k.tellSuccess(now, f.held)
		k.failed = 0
		k.held.Store(f.held)
	}
	k.running = false
	close(f.done)
}

// hold is c as it is kept, fetched at now.
func hold(c aws.Credentials, now time.Time) *held {
	h := &held{
		Credentials: sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken},
		source:      c.Source,
	}
	if c.CanExpire {
		h.Expires = c.Expires
		h.refresh = h.Expires.Add(-min(refreshWindow, h.Expires.Sub(now)/2))
	}
	return h
}

// tellFailure logs the first failure of a row, and then one each lastPause.
func (k *keeper) tellFailure(now time.Time, err error) {
	if since := now.Sub(k.told); k.failed > 1 && since >= 0 && since < lastPause {
		return
	}
	k.told = now
	old := k.held.Load()
	if old.valid(now) {
		k.log.Warn("AWS credentials are not refreshed; the old ones are still good",
			slog.Time("expires_at", old.Expires), slog.Int("failures", k.failed), slog.String("error", err.Error()))
		return
	}
	k.log.Warn("there are no valid AWS credentials", slog.Int("failures", k.failed), slog.String("error", err.Error()))
}

func (k *keeper) tellSuccess(now time.Time, h *held) {
	switch {
	case !h.valid(now):
		// They are handed out anyway: it may be our clock that is wrong, which
		// the bucket's first answer will show.
		k.log.Warn("AWS credentials have run out already when they come, or our clock is wrong",
			slog.Time("expires_at", h.Expires), slog.Time("now", now), slog.String("source", h.source))
	case k.failed > 0:
		k.log.Info("AWS credentials are refreshed again", slog.Time("expires_at", h.Expires), slog.Int("failures", k.failed))
	}
}
