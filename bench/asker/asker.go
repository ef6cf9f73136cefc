// Package asker asks servers for grants, over and over, and says what it cost
// them: the rate, the waiting, the processor time and the memory.
//
// It is for Linux: what a server took is read from /proc.
package asker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Get is a request as it goes over the wire, for [Process.Load].
func Get(host, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nAccept: application/json\r\n\r\n")
}

// Post is a request with a JSON body, for [Process.Load].
func Post(host, path, body string) []byte {
	return []byte("POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\n" +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// Load is what came of asking for a while.
type Load struct {
	Rate     float64       // answers a second
	CPU      float64       // processor time of the server for one answer, µs
	Own      float64       // processor time that asking took for one answer, µs
	P50, P99 time.Duration // from a request to the end of its answer
}

// Load asks over that many connections at once, each with the next request as
// soon as the last is answered, for about that long.
func (p *Process) Load(ctx context.Context, request []byte, conns int, took time.Duration) (Load, error) {
	askers := make([]*asker, conns)
	for i := range askers {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Address)
		if err != nil {
			return Load{}, err
		}
		defer c.Close() //nolint:errcheck // nothing is lost with it
		askers[i] = &asker{c: c, request: request}
		// A connection's first answer pays for setting it up: not what is measured.
		if err := askers[i].ask(); err != nil {
			return Load{}, err
		}
	}
	before, err := cpuOf(p.pid())
	own, errOwn := cpuOf(0)
	if err = errors.Join(err, errOwn); err != nil {
		return Load{}, err
	}

	var wg sync.WaitGroup
	errs := make([]error, conns)
	begun := time.Now()
	for i, a := range askers {
		wg.Go(func() { errs[i] = a.askUntil(begun.Add(took)) })
	}
	wg.Wait()
	passed := time.Since(begun)

	after, err := cpuOf(p.pid())
	ownAfter, errOwn := cpuOf(0)
	// One is enough: a server that ends cuts off all of them.
	for _, err := range append(errs, err, errOwn) {
		if err != nil {
			return Load{}, err
		}
	}
	var waits []time.Duration
	for _, a := range askers {
		waits = append(waits, a.waits...)
	}
	slices.Sort(waits)
	n := float64(len(waits))
	return Load{
		Rate: n / passed.Seconds(),
		CPU:  float64((after - before).Microseconds()) / n,
		Own:  float64((ownAfter - own).Microseconds()) / n,
		P50:  waits[len(waits)/2],
		P99:  waits[len(waits)*99/100],
	}, nil
}

// asker sends one prepared request over a connection of its own, again and
// again. net/http's client would take more of the processor than the servers
// do: the rates would be its own.
type asker struct {
	c       net.Conn
	request []byte
	waits   []time.Duration
	buf     [8 << 10]byte
}

func (a *asker) askUntil(end time.Time) error {
	for last := time.Now(); last.Before(end) || len(a.waits) == 0; {
		if err := a.ask(); err != nil {
			return err
		}
		now := time.Now()
		a.waits = append(a.waits, now.Sub(last))
		last = now
	}
	return nil
}

// ask sends the request and reads the answer, which must be a success and say
// its length.
func (a *asker) ask() error {
	if _, err := a.c.Write(a.request); err != nil {
		return err
	}
	want := -1 // bytes of the whole answer, once its head is there
	for n := 0; n != want; {
		if n == len(a.buf) {
			return fmt.Errorf("answer is too long: %.60q", a.buf[:])
		}
		m, err := a.c.Read(a.buf[n:])
		if err != nil {
			return err
		}
		n += m
		if want >= 0 {
			continue
		}
		if head := bytes.Index(a.buf[:n], []byte("\r\n\r\n")); head >= 0 {
			body, err := bodyLength(a.buf[:head])
			if err != nil {
				return err
			}
			want = head + len("\r\n\r\n") + body
		}
	}
	return nil
}

// bodyLength reads the head of an answer. Header names are tried as Go and
// Express write them and as hapi does; parsing them all would cost more.
func bodyLength(head []byte) (int, error) {
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 20")) {
		return 0, fmt.Errorf("answer is %q", head)
	}
	for _, name := range []string{"\r\nContent-Length: ", "\r\ncontent-length: "} {
		if at := bytes.Index(head, []byte(name)); at >= 0 {
			value, _, _ := bytes.Cut(head[at+len(name):], []byte("\r\n"))
			return strconv.Atoi(string(value))
		}
	}
	return 0, fmt.Errorf("answer does not say its length: %q", head)
}
