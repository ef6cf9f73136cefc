package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// What shares a machine with others, and touches memory, is now half and now
	// twice as fast: short turns, one after the other, meet the same weather.
	loopTime   = 500 * time.Millisecond
	turns      = 6 // a round
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
	loop := func(core int, args ...string) (int, error) {
		args = append([]string{"-c", strconv.Itoa(core), exe, "-loop", loopTime.String()}, args...)
		out, err := exec.CommandContext(ctx, "taskset", args...).Output() //nolint:gosec // ourselves
		if err != nil {
			return 0, fmt.Errorf("on processor %d: %w", core, err)
		}
		return strconv.Atoi(strings.TrimSpace(string(out)))
	}
	twoOfOne := func(turn int, args ...string) (alone, together int, err error) {
		n, err := loop(turn%2, args...)
		if err != nil {
			return 0, 0, err
		}
		var both [2]int
		var errs [2]error
		var wg sync.WaitGroup
		for core := range both {
			wg.Go(func() { both[core], errs[core] = loop(core, args...) })
		}
		wg.Wait()
		return n, both[0] + both[1], errors.Join(errs[:]...)
	}
	n := l.rounds * turns
	var one, two, plainOne, plainTwo int
	for turn := range n {
		a, b, err := twoOfOne(turn)
		if err != nil {
			return err
		}
		one, two = one+a, two+b
		if a, b, err = twoOfOne(turn, "-plain"); err != nil {
			return err
		}
		plainOne, plainTwo = plainOne+a, plainTwo+b
	}
	scaled, machine := float64(two)/float64(one), float64(plainTwo)/float64(plainOne)
	fmt.Fprintf(os.Stdout, "grants, no network     one copy on one processor %8.0f/s   two copies on two %.2f×, sums that share nothing %.2f×\n",
		float64(one)/float64(n)/loopTime.Seconds(), scaled, machine)
	// Two processors of a machine may be halves of one, or slow each other down:
	// then nothing makes twice as much on both.
	want := min(wantScaled, wantScaled/2*machine)
	l.want(scaled >= want, "two copies make %.2f× of one, not %.2f×", scaled, want)
	return nil
}

// sums takes all of a processor for a while, and of nothing else.
func sums(d time.Duration) (n int) {
	var block [1024]byte
	for end := time.Now().Add(d); time.Now().Before(end); n++ {
		for range 16 {
			sum := sha256.Sum256(block[:])
			copy(block[:], sum[:])
		}
	}
	return n
}
