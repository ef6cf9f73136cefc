package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"postern.example/postern/bench/asker"
)

const (
	idleTime        = 5 * time.Second
	wantPerListener = 64.0 // KiB
)

// listen opens event streams of grants that nobody uses, and says what they
// cost while nothing happens.
func (l *load) listen(ctx context.Context) error {
	p, err := l.copyOf(ctx, "listeners", "")
	if err != nil {
		return err
	}
	defer p.Stop() //nolint:errcheck // it was ours to end
	id, err := grant(ctx, p)
	if err != nil {
		return err
	}
	before, err := p.ResidentMiB()
	if err != nil {
		return err
	}
	for range l.listeners {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Address)
		if err != nil {
			return err
		}
		defer c.Close() //nolint:errcheck // nothing is lost with it
		if _, err := c.Write(asker.Get(p.Address, "/uploads/"+id+"/events")); err != nil {
			return err
		}
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
			return fmt.Errorf("a listener was answered %q, %w", line, err)
		}
	}
	cpu, err := p.CPUWhile(func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(idleTime):
			return nil
		}
	})
	if err != nil {
		return err
	}
	after, err := p.ResidentMiB()
	if err != nil {
		return err
	}
	each := (after - before) * 1024 / float64(l.listeners)
	fmt.Fprintf(os.Stdout, "%d idle listeners   %.1f MiB, %.1f KiB each   %.1f %% of a processor\n", l.listeners, after, each, 100*cpu.Seconds()/idleTime.Seconds())
	l.want(each <= wantPerListener, "a listener takes %.1f KiB, not %.0f", each, wantPerListener)
	return nil
}
