package records

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"postern.example/postern"
)

// Copies tell each other what they changed by NOTIFY on a channel named like
// the schema. A message is the name of the copy that sends it, then for each
// upload a sign and its id: "=" its state is another, "+" and its job is due.
// A sign alone means any upload.
//
// It is sent after the commit, in a transaction of its own: one that notifies
// takes a lock that all such transactions of the server share, and would hold
// it while the disk is synced. What is lost (a copy dies between the two) is
// found by those who look again by themselves.
const (
	signMoved = '='
	signDue   = '+'

	// maxMessage is less than the 8000 bytes that a payload may have.
	maxMessage = 7900
	// maxTold is how many are named in one go; beyond, any upload is meant.
	maxTold = 1000
)

func newName() string { return rand.Text() }

// crier tells the other copies, without anybody having to wait for it.
type crier struct {
	s    *server
	mu   sync.Mutex
	todo []byte // signs and ids, separated by spaces
	n    int
	wake chan struct{}
	end  context.CancelFunc
	done chan struct{}
}

func startCrier(ctx context.Context, s *server) *crier {
	ctx, end := context.WithCancel(ctx)
	c := &crier{s: s, wake: make(chan struct{}, 1), end: end, done: make(chan struct{})}
	go c.run(ctx)
	return c
}

// stop ends the crier, which first tells what it knows.
func (c *crier) stop() {
	c.end()
	<-c.done
}

func (c *crier) tell(id string, n news) {
	sign := byte(signMoved)
	if n == due {
		sign = signDue
	}
	c.mu.Lock()
	c.n++
	switch {
	case c.n == maxTold:
		c.todo = append(c.todo[:0], ' ', signDue)
	case c.n < maxTold:
		c.todo = append(append(c.todo, ' ', sign), id...)
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *crier) run(ctx context.Context) {
	defer close(c.done)
	for {
		select {
		case <-c.wake:
			c.cry(ctx)
		case <-ctx.Done():
			c.cry(context.WithoutCancel(ctx))
			return
		}
	}
}

func (c *crier) cry(ctx context.Context) {
	c.mu.Lock()
	todo := string(c.todo)
	c.todo, c.n = c.todo[:0], 0
	c.mu.Unlock()
	for todo != "" {
		part := todo
		if len(part) > maxMessage {
			part = part[:strings.LastIndexByte(part[:maxMessage], ' ')]
		}
		todo = todo[len(part):]
		err := c.s.read(ctx, one(new(any)), `SELECT pg_notify($1, $2)`, schema(c.s.conf), c.s.name+part)
		if err != nil {
			c.s.log.DebugContext(ctx, "other copies were not told of changes", "err", err.Error())
			return
		}
	}
}

// heard calls changed for each upload that a message names, unless the message
// is from the copy called self. Anybody who can log in to the database can send
// a message, so what is not one is passed over.
func heard(message, self string, changed func(postern.Change)) {
	from, list, _ := strings.Cut(message, " ")
	if from == self {
		return
	}
	for word := range strings.SplitSeq(list, " ") {
		if word == "" || word[0] != signMoved && word[0] != signDue {
			continue
		}
		changed(postern.Change{ID: postern.ID(word[1:]), Due: word[0] == signDue})
	}
}

// Changes calls changed for each upload whose state was changed through other
// Records on the same server, until ctx is done, whose error it returns. While
// the connection is lost nothing is heard; when it is back, changed is called
// for any upload (an empty ID), as it is in the beginning. It is called by one
// goroutine and must not block. In a file, changes of other processes are not
// heard: it just waits for ctx.
func (r *Records) Changes(ctx context.Context, changed func(postern.Change)) error {
	s, ok := r.db.(*server)
	for ok {
		err := s.listen(ctx, changed)
		if ctx.Err() != nil {
			break
		}
		r.log.LogAttrs(ctx, slog.LevelWarn, "changes of other copies are not heard; looking again from time to time", slog.String("cause", err.Error()))
		if !pause(ctx, time.Second) {
			break
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

var _ postern.Notifier = (*Records)(nil)

// quietFor is how long nothing may be heard before the connection is tried.
const quietFor = 30 * time.Second

// listen hears until the connection breaks.
func (s *server) listen(ctx context.Context, changed func(postern.Change)) (err error) {
	conn, err := pgx.ConnectConfig(ctx, s.conf.Copy())
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, conn.Close(closing))
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+schema(s.conf)); err != nil { // a plain name
		return err
	}
	changed(postern.Change{Due: true})
	for {
		waiting, cancel := context.WithTimeout(ctx, quietFor)
		n, err := conn.WaitForNotification(waiting)
		silent := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case err == nil:
			heard(n.Payload, s.name, changed)
			continue
		case !silent:
			return err
		}
		asking, cancel := context.WithTimeout(ctx, s.limit)
		err = conn.Ping(asking)
		cancel()
		if err != nil {
			return err
		}
	}
}
