// Peers asks Postern and other signing servers for grants, in one run: a bare
// net/http handler, Postern's, the built binary, Uppy Companion and the hapi
// server of the tutorial on direct uploads.
//
//	go run ./peers -postern ../bin/postern -node FOLDER
//
// FOLDER has the npm packages installed. Servers take their turns in rotated
// order, on a processor of their own where there are two; figures are medians
// over the rounds, ratios medians of the rounds' ratios.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"postern.example/postern/bench/asker"
	"postern.example/postern/bench/peers/endpoint"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// start does one thing or the other, and never the second after the first: a
// server whose parent has gone must end, not measure with servers of its own.
func start() error {
	if name := os.Getenv(endpoint.Env); name != "" { // started by ourselves, as a server
		return endpoint.Serve(name)
	}
	// SIGPIPE as well: when nobody reads the report, the servers must still be stopped.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer cancel()
	return run(ctx)
}

// crowds are how many connections ask at once.
var crowds = []int{32, 256}

func run(ctx context.Context) error {
	bin := flag.String("postern", "", "the built `program`; without it serve is left out")
	node := flag.String("node", "", "the `folder` with the npm packages; without it their servers are left out")
	rounds := flag.Int("rounds", 5, "how many `times` each server is asked")
	took := flag.Duration("time", 2*time.Second, "for how `long` each time")
	flag.Parse()
	if *rounds < 1 || *took <= 0 {
		return fmt.Errorf("-rounds %d, -time %v: must be more than 0", *rounds, *took)
	}
	cores, err := asker.Apart(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "postern-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is temporary
	ps, err := startAll(ctx, cores, places{bin: *bin, node: *node, dir: dir})
	defer stopAll(ps)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%d rounds of %v; %v\n", *rounds, *took, cores)
	for _, crowd := range crowds {
		if err := compare(ctx, ps, crowd, *rounds, *took); err != nil {
			return err
		}
		report(os.Stdout, ps, crowd)
	}
	return conclude(os.Stdout, ps)
}

// compare has all servers asked in turns.
func compare(ctx context.Context, ps []*peer, crowd, rounds int, took time.Duration) error {
	for round := range rounds + 1 {
		for i := range ps {
			p := ps[(i+round)%len(ps)] // nobody always comes first
			got, err := p.Load(ctx, p.request, crowd, took)
			if err != nil {
				return fmt.Errorf("ask %s over %d connections: %w", p.Name, crowd, err)
			}
			if round > 0 { // the first warms up
				p.loads[crowd] = append(p.loads[crowd], got)
			}
		}
	}
	return nil
}
