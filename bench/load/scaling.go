package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	loopTime   = 3 * time.Second
	wantScaled = 1.8
)

// scaling runs what a grant takes of the processor, without a network, in one
// process that is kept to a processor, and in two on a processor each.
func (l *load) scaling(ctx context.Context) error {
	if _, err := exec.LookPath("taskset"); err != nil {
		fmt.Fprintln(os.Stdout, "SKIPPED: scaling needs taskset")
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	loop := func(core int) (int, error) {
		out, err := exec.CommandContext(ctx, "taskset", "-c", strconv.Itoa(core), exe, "-loop", loopTime.String()).Output() //nolint:gosec // ourselves
		if err != nil {
			return 0, fmt.Errorf("on processor %d: %w", core, err)
		}
		return strconv.Atoi(strings.TrimSpace(string(out)))
	}
	var ones, ratios []float64
	for round := range l.rounds {
		one, err := loop(round % 2)
		if err != nil {
			return err
		}
		var both [2]int
		var errs [2]error
		var wg sync.WaitGroup
		for core := range both {
			wg.Go(func() { both[core], errs[core] = loop(core) })
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		ones = append(ones, float64(one)/loopTime.Seconds())
		ratios = append(ratios, float64(both[0]+both[1])/float64(one))
	}
	fmt.Fprintf(os.Stdout, "grants, no network     one copy on one processor %8.0f/s   two copies on two %.2f×\n", middle(ones), middle(ratios))
	l.want(middle(ratios) >= wantScaled, "two copies make %.2f× of one, not %.1f×", middle(ratios), wantScaled)
	return nil
}
