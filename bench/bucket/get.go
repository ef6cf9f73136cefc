package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// getter sends GETs that were signed beforehand over connections of its own.
// The client shares the processors with the server, and net/http's would take
// more of them than the server does: a rate would say little about it.
type getter struct {
	requests [][]byte
	conns    chan *bufio.ReadWriter
	close    []func() error
}

// newGetter signs a request for each key and opens the connections.
func (s *server) newGetter(ctx context.Context, keys []string) (*getter, error) {
	g := &getter{conns: make(chan *bufio.ReadWriter, workers)}
	for _, key := range keys {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/"+bucket+"/"+key, nil)
		if err != nil {
			return nil, err
		}
		if err := signer.SignHeader(credentials, time.Now(), r, sigv4.UnsignedPayload); err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			return nil, err
		}
		g.requests = append(g.requests, b.Bytes())
	}
	for range workers {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			return nil, errors.Join(err, g.stop())
		}
		g.close = append(g.close, c.Close)
		g.conns <- bufio.NewReadWriter(bufio.NewReaderSize(c, 64<<10), bufio.NewWriter(c))
	}
	return g, nil
}

func (g *getter) stop() error {
	var errs []error
	for _, c := range g.close {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// get sends one request and reads its answer, which must be 200.
func (g *getter) get(i int) error {
	c := <-g.conns
	defer func() { g.conns <- c }()
	c.Write(g.requests[i%len(g.requests)]) //nolint:errcheck // Flush tells
	if err := c.Flush(); err != nil {
		return err
	}
	length := 0
	for first := true; ; first = false {
		line, err := c.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")):
			return fmt.Errorf("answer is %q", line)
		case len(line) == 0:
			_, err := c.Discard(length)
			return err
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
}
