// Command chaos takes uploads through three copies of the gate on PostgreSQL and
// a cluster of three disks while all of it is killed, cut off and filled up, with
// clients of whom some lie; then it counts.
//
//	make chaos                        10 000 uploads
//	.ci/chaos -for 3m                 a cut of it
//
// It must hold at the end: every upload that the bucket acknowledged is ready or
// rejected, as its kind demands, exactly once; nothing of a liar is served; each
// change of a state was told to the webhook at least once, under one id; nothing
// lies in the bucket that no upload has. It prints the figures and the seed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	postern string
	uploads int
	limit   time.Duration
	seed    uint64
	clients int
	calm    bool
	keep    string
}

func main() {
	var o options
	flag.StringVar(&o.postern, "postern", "bin/postern", "the built program")
	flag.IntVar(&o.uploads, "uploads", 10_000, "how many")
	flag.DurationVar(&o.limit, "for", time.Hour, "begin no upload after so long")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of all that is random")
	flag.IntVar(&o.clients, "clients", 64, "at a time")
	flag.BoolVar(&o.calm, "calm", false, "break nothing: is the harness itself in order?")
	flag.StringVar(&o.keep, "logs", "", "keep the copies' logs in this folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "chaos: %v\n(seed %d)\n", err, o.seed)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	fmt.Fprintf(out, "seed %d\n", o.seed)
	h, err := openHouse(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()

	begun := time.Now()
	c := newCrowd(h, o)
	monkeys, calm := context.WithCancel(ctx)
	defer calm()
	broke := make(chan map[string]int, 1)
	go func() { broke <- h.monkey(monkeys, o) }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.run(ctx)
	}()
	for tick := time.NewTicker(20 * time.Second); ; {
		select {
		case <-tick.C:
			fmt.Fprintf(out, "%6s  %s\n", time.Since(begun).Round(time.Second), c.progress())
			continue
		case <-done:
		}
		tick.Stop()
		break
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	calm()
	trouble := <-broke
	took := time.Since(begun)
	fmt.Fprintf(out, "%6s  clients are done; all is healed, and counted\n", took.Round(time.Second))
	v, err := h.verdict(ctx, c)
	v.print(out, c, trouble, took)
	return err
}
