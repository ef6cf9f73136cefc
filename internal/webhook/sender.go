package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"postern.example/postern"
)

// Queue is the part of the records that keeps events. Every method returns
// [postern.ErrRecordsUnavailable] when a later try may succeed; those that take
// a delivery return [postern.ErrLeaseLost] when somebody else has it.
type Queue interface {
	ClaimDeliveries(ctx context.Context, endpoint string, lease time.Duration, limit int) ([]postern.Delivery, error)
	Delivered(ctx context.Context, d postern.Delivery) error
	DeliverLater(ctx context.Context, d postern.Delivery, pause time.Duration, fault string) error
	GiveUp(ctx context.Context, d postern.Delivery, fault string) error
	HandBack(ctx context.Context, d postern.Delivery) error
}

// Config is what a Sender is made of. URLs, Secrets and Queue must be given.
type Config struct {
	// URLs of the endpoints. Each hears of every event.
	URLs []string
	// Secrets sign, at most four; a receiver may have any of them.
	Secrets []Secret
	Queue   Queue
	// AllowPrivate lets addresses inside of your own network be called, and http.
	AllowPrivate bool
	// Resolver finds addresses; default: the system's.
	Resolver *net.Resolver
	// Poll is how often due events are looked for; default 1 s.
	Poll time.Duration
	// Pauses before each further try; default [Pauses].
	Pauses []time.Duration
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: nothing is logged
}

// Pauses between the tries of an event, 75 hours in all: the schedule that
// Standard Webhooks recommends.
func Pauses() []time.Duration {
	return []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

const (
	atOnce     = 4                // deliveries to one endpoint
	answerTime = 15 * time.Second // for a whole delivery
	lease      = time.Minute      // of a delivery; longer than it can take
	maxSecrets = 4
	maxPause   = 24 * time.Hour // that an endpoint may ask for
)

// Sender tells events. Its methods are safe for concurrent use; Run is to be
// called once.
type Sender struct {
	urls    []string
	secrets []Secret
	queue   Queue
	client  *http.Client
	poll    time.Duration
	pauses  []time.Duration
	now     func() time.Time
	log     *slog.Logger
	stats   struct{ delivered, faults, givenUp atomic.Int64 }
}

// New makes a Sender, or says which part of c is unusable. It calls nobody.
func New(c Config) (*Sender, error) {
	s := &Sender{urls: c.URLs, secrets: c.Secrets, queue: c.Queue, poll: c.Poll, pauses: c.Pauses, now: c.Now, log: c.Logger}
	if len(c.URLs) == 0 || c.Queue == nil {
		return nil, errors.New("webhooks: an address and records are needed")
	}
	if len(c.Secrets) == 0 || len(c.Secrets) > maxSecrets {
		return nil, fmt.Errorf("webhooks: one to %d secrets are needed, by which receivers know who calls", maxSecrets)
	}
	seen := map[string]bool{}
	for _, u := range c.URLs {
		if err := CheckURL(u, c.AllowPrivate); err != nil {
			return nil, fmt.Errorf("webhooks: %w", err)
		}
		if seen[u] {
			return nil, fmt.Errorf("webhooks: %s is there twice", NameOf(u))
		}
		seen[u] = true
	}
	if s.poll == 0 {
		s.poll = time.Second
	}
	if s.pauses == nil {
		s.pauses = Pauses()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.client = newClient(c.AllowPrivate, c.Resolver)
	return s, nil
}

// Names are the endpoints' names in the records.
func (s *Sender) Names() []string { return names(s.urls) }

func names(urls []string) []string {
	list := make([]string, len(urls))
	for i, u := range urls {
		list[i] = NameOf(u)
	}
	return list
}

// Stats is what a Sender has counted since it was made.
type Stats struct {
	Delivered int64
	Faults    int64 // tries that will be made again
	GivenUp   int64
}

// Stats returns the counters.
func (s *Sender) Stats() Stats {
	return Stats{Delivered: s.stats.delivered.Load(), Faults: s.stats.faults.Load(), GivenUp: s.stats.givenUp.Load()}
}

// Run tells what is due until ctx is done. What is under way then is finished,
// for as long as a delivery may take. It returns nil.
func (s *Sender) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, url := range s.urls {
		// Each by itself: one that is slow holds nobody else up.
		all.Go(func() { s.serve(ctx, url) })
	}
	all.Wait()
	s.client.CloseIdleConnections()
	return nil
}

// serve tells one endpoint.
func (s *Sender) serve(ctx context.Context, url string) {
	name := NameOf(url)
	free := make(chan struct{}, atOnce)
	for range atOnce {
		free <- struct{}{}
	}
	var under sync.WaitGroup
	defer under.Wait()
	away := false
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		list, err := s.queue.ClaimDeliveries(context.WithoutCancel(ctx), name, lease, max(len(free), 1))
		if failed := err != nil; failed != away {
			away = failed
			if failed {
				s.log.WarnContext(ctx, "events cannot be read", "error", err)
			}
		}
		for i, d := range list {
			select {
			case <-free:
			case <-ctx.Done():
				for _, d := range list[i:] {
					_ = s.queue.HandBack(context.WithoutCancel(ctx), d) // else its lease runs out
				}
				return
			}
			under.Go(func() {
				s.tell(context.WithoutCancel(ctx), url, name, d)
				free <- struct{}{}
			})
		}
		if len(list) > 0 {
			t.Reset(0) // there may be more
		} else {
			t.Reset(s.poll)
		}
	}
}

// tell makes one try, and notes what came of it.
func (s *Sender) tell(ctx context.Context, url, name string, d postern.Delivery) {
	ctx = postern.WithTrail(ctx, postern.Trail{RequestID: requestOf(d.Body)})
	pause, err := s.Send(ctx, url, d.Event, d.Body)
	line := []any{"endpoint", name, "event", d.Event, "upload", string(d.Upload), "attempt", d.Attempts}
	switch {
	case err == nil:
		s.log.DebugContext(ctx, "event told", line...)
		err = s.queue.Delivered(ctx, d)
		s.stats.delivered.Add(1) // whoever sees the counts finds the records so
	case d.Attempts > len(s.pauses):
		s.log.ErrorContext(ctx, "event given up; postern webhooks replay tells it again", append(line, "error", err)...)
		err = s.queue.GiveUp(ctx, d, err.Error())
		s.stats.givenUp.Add(1)
	default:
		// A tenth more or less, so that what failed together is not tried together.
		next := s.pauses[d.Attempts-1]
		next += time.Duration((rand.Float64() - 0.5) / 5 * float64(next)) //nolint:gosec // no secret
		next = max(next, pause)
		s.log.WarnContext(ctx, "event not told", append(line, "next", next.Round(time.Second).String(), "error", err)...)
		err = s.queue.DeliverLater(ctx, d, next, err.Error())
		s.stats.faults.Add(1)
	}
	if err != nil { // it is told once more, which receivers expect
		s.log.WarnContext(ctx, "what came of an event was not noted", append(line, "error", err)...)
	}
}

// requestOf is the request of which the event came, for the log.
func requestOf(body []byte) string {
	var e struct {
		Data struct {
			RequestID string `json:"request_id"`
		}
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	return e.Data.RequestID
}

// Send makes one request, and returns how long the endpoint wants to be left
// alone if it said so. Errors name the status or the fault, never the address
// or what was answered.
func (s *Sender) Send(ctx context.Context, url, event string, body []byte) (pause time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the address is not usable")
	}
	now := s.now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "postern")
	r.Header.Set("webhook-id", event)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("webhook-signature", sign(s.secrets, event, now, body))
	res, err := s.client.Do(r)
	if err != nil {
		return 0, plainly(err)
	}
	defer res.Body.Close()                               //nolint:errcheck // it was only read
	io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10)) //nolint:errcheck // what it says does not matter; a short one lets the connection be used again
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return 0, nil
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return 0, fmt.Errorf("status %d: redirects are not followed", res.StatusCode)
	}
	return retryAfter(res.Header.Get("Retry-After"), now), fmt.Errorf("status %d", res.StatusCode)
}

// retryAfter reads the header (RFC 9110, section 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return min(time.Duration(min(n, int(maxPause/time.Second)))*time.Second, maxPause)
	}
	if t, err := http.ParseTime(text); err == nil {
		return min(max(t.Sub(now), 0), maxPause)
	}
	return 0
}

// plainly is what went wrong, without the address, which may hold a token.
func plainly(err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, errPrivate):
		return errors.New("it leads to an address that is not public, and private ones are not allowed")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", answerTime)
	case errors.As(err, &dns):
		return errors.New("its name cannot be resolved")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	var wrapped interface{ Unwrap() error }
	if errors.As(err, &wrapped) { // url.Error, which has the address
		if inner := wrapped.Unwrap(); inner != nil {
			return inner
		}
	}
	return errors.New("the request failed")
}
