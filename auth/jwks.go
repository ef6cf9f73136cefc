package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"postern.example/postern"
)

// How long the keys of an address are relied on, and how often it is asked.
const (
	freshFor    = 15 * time.Minute // then they are fetched again, while the old ones serve
	usableFor   = 24 * time.Hour   // then they are not used any more, if nobody answers
	askEvery    = time.Minute      // at most, whatever tokens come in
	askAgain    = 5 * time.Second  // while there are no keys at all
	askPatience = 5 * time.Second  // for an answer, to its last byte
)

// keySet are the public keys at an address.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex
	keys    []verifyKey
	fetched time.Time     // when keys came
	asked   time.Time     // when the address was asked last
	asking  chan struct{} // closed when the answer is there; nil: nobody asks
}

// checkSecure wants an address that nobody on the way can answer for.
func checkSecure(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Fragment != "":
		return errors.New("it must be a URL such as https://login.example/.well-known/jwks.json")
	case u.User != nil:
		return errors.New("it must not hold a password")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("it must be https, or http on this machine: whoever stands on the way could answer in its place")
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// newClient is for asking one address that the operator chose: it follows
// nobody elsewhere, and reads no proxy from the environment.
func newClient(transport http.RoundTripper, patience time.Duration) *http.Client {
	if transport == nil {
		transport = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: patience}).DialContext,
			TLSHandshakeTimeout: patience, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// find returns the keys that fit a token. When there are none, the address is
// asked for newer ones.
func (s *keySet) find(ctx context.Context, fits func(*verifyKey) bool) ([]verifyKey, error) {
	s.mu.Lock()
	found := chosen(s.keys, fits)
	age := s.now().Sub(s.fetched)
	switch {
	case s.fetched.IsZero() || age >= usableFor:
		// What there is is too old to be relied on.
	case len(found) > 0:
		if age >= freshFor {
			s.ask(ctx)
		}
		s.mu.Unlock()
		return found, nil
	}
	s.ask(ctx)
	return s.await(ctx, fits)
}

// newer asks the address for keys that have come since, for a token that none of
// ours has signed; none if it was asked a moment ago.
func (s *keySet) newer(ctx context.Context, fits func(*verifyKey) bool) ([]verifyKey, error) {
	s.mu.Lock()
	s.ask(ctx)
	if s.asking == nil {
		s.mu.Unlock()
		return nil, nil
	}
	return s.await(ctx, fits)
}

// await gives s.mu back, waits for the answer if one is on its way, and chooses.
func (s *keySet) await(ctx context.Context, fits func(*verifyKey) bool) ([]verifyKey, error) {
	asking := s.asking
	s.mu.Unlock()
	if asking != nil {
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, postern.ErrSignInUnavailable.Because(ctx.Err())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.fetched.IsZero() || now.Sub(s.fetched) >= usableFor {
		e := postern.ErrSignInUnavailable.Because(errors.New("there are no keys to verify tokens with"))
		e.RetryAfter = max(s.asked.Add(askAgain).Sub(now), time.Second)
		return nil, e
	}
	return chosen(s.keys, fits), nil
}

func chosen(keys []verifyKey, fits func(*verifyKey) bool) (list []verifyKey) {
	for i := range keys {
		if fits(&keys[i]) {
			list = append(list, keys[i])
		}
	}
	return list
}

// ask has the address asked, unless it is being asked or was a moment ago. The
// caller holds s.mu.
func (s *keySet) ask(ctx context.Context) {
	now := s.now()
	wait := askEvery
	if s.fetched.IsZero() || now.Sub(s.fetched) >= usableFor {
		wait = askAgain
	}
	if s.asking != nil || !s.asked.IsZero() && now.Sub(s.asked) < wait {
		return
	}
	s.asked = now
	done := make(chan struct{})
	s.asking = done
	ctx = context.WithoutCancel(ctx) // others wait for it as well; it ends by the client's time limit
	go func() {
		keys, err := s.fetch(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "keys that verify tokens could not be fetched", slog.String("url", s.url), slog.String("cause", err.Error()))
		} else {
			s.keys, s.fetched = keys, s.now()
		}
		s.asking = nil
		close(done)
	}()
}

func (s *keySet) fetch(ctx context.Context) ([]verifyKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil) //nolint:gosec // the operator's own setting
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	r.Header.Set("User-Agent", "postern")
	res, err := s.client.Do(r) //nolint:gosec // the operator's own setting
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", res.Status)
	}
	doc, err := io.ReadAll(io.LimitReader(res.Body, maxJWKS+1))
	if err != nil {
		return nil, err
	}
	return parseJWKS(doc)
}
