package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"postern.example/postern/gate"
)

const severalCopies = "Several copies"

// copySettings are the rows of the table for who runs more than one copy.
func copySettings() []setting {
	return []setting{
		{
			name: "role", env: []string{"POSTERN_ROLE"}, initial: string(gate.All), category: severalCopies,
			usage: "what this copy does: all, api (answers, and never opens a picture) or worker (checks and sweeps, and answers on --admin-listen only); other than all needs --bucket and --database",
			check: oneOf(string(gate.All), string(gate.API), string(gate.Checks)), into: func(s *settings) any { return &s.role },
		},
		{
			name: "no-migrate", env: []string{"POSTERN_NO_MIGRATE"}, initial: "false", category: severalCopies,
			usage: "refuse to start on records of an older version; \"postern migrate\" brings them up to date",
			into:  func(s *settings) any { return &s.noMigrate },
		},
		{
			name: "drain", env: []string{"POSTERN_DRAIN"}, initial: "auto", category: severalCopies,
			usage: "`time` to go on answering after SIGTERM while /readyz says 503, so that a load balancer can turn to other copies, up to 5m; auto: 3s where other machines are listened to, else none",
			check: isDrain, into: func(s *settings) any { return &s.drain },
		},
	}
}

const (
	drainAuto    = "auto"
	maxDrain     = 5 * time.Minute
	drainNearby  = 3 * time.Second // a prober asks every second or two
	rolesShareIt = "Name both with --bucket and --database, or leave --role out."
)

func isDrain(v string) error {
	if v == drainAuto || v == "0" || v == "0s" {
		return nil
	}
	if d, err := time.ParseDuration(v); err != nil || d < 0 || d > maxDrain {
		return fmt.Errorf("%q is neither auto nor a time such as 5s, up to %s", v, maxDrain)
	}
	return nil
}

// drainTime is how long to go on after having been told to stop.
func (s *settings) drainTime() time.Duration {
	if s.drain == drainAuto {
		if s.asked() && !loopbackAddress(s.listen) {
			return drainNearby
		}
		return 0
	}
	return duration(s.drain)
}

// asked reports whether this copy answers requests of users.
func (s *settings) asked() bool { return gate.Role(s.role) != gate.Checks }

func (s *settings) validateCopies() error {
	if gate.Role(s.role) != gate.All && !s.shared() {
		return misused(rolesShareIt, "--role %s leaves work to other copies, and there can be none: they share a bucket and a database", s.role)
	}
	return nil
}

// draining is the time between being told to stop and stopping.
type draining struct{ now atomic.Bool }

var errStopping = errors.New("this copy is about to stop")

// ping tells probers to turn to other copies.
func (d *draining) ping(context.Context) error {
	if d.now.Load() {
		return errStopping
	}
	return nil
}

// leave has every answer end its connection, so that the next request of a
// client or a balancer opens one, elsewhere.
func (d *draining) leave(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.now.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
