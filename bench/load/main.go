// Command load says what copies of the gate bear: grants a second with and
// without quotas, on SQLite and on PostgreSQL; what a second copy adds; a
// thousand listeners; and whether memory stays flat under uploads for a while.
//
//	make bench-load              a minute of uploads
//	make bench-load SOAK=30m     half an hour
//
// It needs taskset, and for PostgreSQL POSTERN_POSTGRES (.ci/postgres).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"time"

	"postern.example/postern/bench/asker"
	"postern.example/postern/bench/peers/endpoint"
)

type load struct {
	postern   string
	rounds    int
	listeners int
	soak      time.Duration
	dir       string
	cores     asker.Cores
	only      string
	missed    []string
}

func main() {
	var l load
	loop := flag.Duration("loop", 0, "answer grants in this process for so long, and print how many (used by the program itself)")
	plain := flag.Bool("plain", false, "with -loop: sums that share nothing, in place of grants")
	flag.StringVar(&l.postern, "postern", "bin/postern", "the built program")
	flag.IntVar(&l.rounds, "rounds", 5, "of each measurement; the median is told")
	flag.IntVar(&l.listeners, "listeners", 1000, "of events that wait")
	flag.DurationVar(&l.soak, "soak", time.Minute, "upload for so long")
	flag.StringVar(&l.only, "only", "", "do only this: scaling, grants, listeners or soak")
	flag.Parse()
	if *loop > 0 {
		runtime.GOMAXPROCS(1)
		if *plain {
			fmt.Fprintln(os.Stdout, sums(*loop))
			return
		}
		n, err := endpoint.Loop(*loop)
		if err != nil {
			fail(err)
		}
		fmt.Fprintln(os.Stdout, n)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := l.run(ctx); err != nil {
		stop()
		fail(err)
	}
	if len(l.missed) > 0 {
		for _, m := range l.missed {
			fmt.Fprintln(os.Stdout, "MISSED:", m)
		}
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}

func (l *load) run(ctx context.Context) (err error) {
	if l.dir, err = os.MkdirTemp("", "postern-load-"); err != nil {
		return err
	}
	defer os.RemoveAll(l.dir) //nolint:errcheck // temporary
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"scaling", l.scaling}, {"grants", l.grants}, {"listeners", l.listen}, {"soak", l.uploads}} {
		if l.only != "" && l.only != part.name {
			continue
		}
		// Not for scaling: children of a process that is kept to a processor are too.
		if part.name == "grants" || part.name == "listeners" {
			if l.cores, err = asker.Apart(ctx); err != nil {
				return err
			}
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// want notes a figure that is not as promised.
func (l *load) want(ok bool, format string, args ...any) {
	if !ok {
		l.missed = append(l.missed, fmt.Sprintf(format, args...))
	}
}

func middle[T int | float64 | time.Duration](v []T) T {
	return slices.Sorted(slices.Values(v))[len(v)/2]
}
