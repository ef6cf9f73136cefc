package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// monkeys is how many kinds of trouble there are at a time, at most.
const monkeys = 2

// prank is one kind of trouble: it begins, lasts, and ends.
type prank struct {
	name string
	run  func(ctx context.Context, r *rand.Rand)
}

// monkey makes trouble until ctx is done, then heals all of it and says how often
// it did what.
func (h *house) monkey(ctx context.Context, o options) map[string]int {
	did := map[string]int{}
	if o.calm {
		<-ctx.Done()
		return did
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range monkeys {
		r := rand.New(rand.NewPCG(o.seed, uint64(i))) //nolint:gosec // to be repeated
		pranks := h.pranks()
		r.Shuffle(len(pranks), func(i, j int) { pranks[i], pranks[j] = pranks[j], pranks[i] })
		all.Go(func() {
			for n := 0; lasts(ctx, between(r, 500*time.Millisecond, 4*time.Second)); n++ {
				p := pranks[n%len(pranks)] // each comes, in turns
				if n >= len(pranks) {
					p = pranks[r.IntN(len(pranks))]
				}
				mu.Lock()
				did[p.name]++
				mu.Unlock()
				p.run(ctx, r)
			}
		})
	}
	all.Wait()
	h.heal(ctx)
	return did
}

// lasts waits, and reports whether ctx lives on.
func lasts(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

func (h *house) pranks() []prank {
	for1to4 := func(r *rand.Rand) time.Duration { return between(r, time.Second, 4*time.Second) }
	list := []prank{
		{"a copy killed (-9)", func(ctx context.Context, r *rand.Rand) {
			h.copies[r.IntN(copies)].crash(func() { lasts(ctx, between(r, 100*time.Millisecond, 2*time.Second)) })
		}},
		{"all copies killed (-9)", func(ctx context.Context, r *rand.Rand) {
			h.copies[0].crash(func() {
				h.copies[1].crash(func() {
					h.copies[2].crash(func() { lasts(ctx, between(r, 100*time.Millisecond, time.Second)) })
				})
			})
		}},
		{"PostgreSQL killed and started", func(ctx context.Context, _ *rand.Rand) { h.postgres(ctx, "immediate") }},
		{"PostgreSQL restarted", func(ctx context.Context, _ *rand.Rand) { h.postgres(ctx, "fast") }},
		{"line to PostgreSQL cut", func(_ context.Context, r *rand.Rand) { h.toRecord[r.IntN(copies)].Cut() }},
		{"line to PostgreSQL silent", func(ctx context.Context, r *rand.Rand) {
			p := h.toRecord[r.IntN(copies)]
			p.Silence(true)
			lasts(ctx, for1to4(r))
			p.Silence(false)
		}},
		{"lines to the bucket cut", func(context.Context, *rand.Rand) { h.toBucket.Cut() }},
		{"bucket away", func(ctx context.Context, r *rand.Rand) {
			h.toBucket.Refuse(true)
			lasts(ctx, for1to4(r))
			h.toBucket.Refuse(false)
		}},
		{"lines to the bucket slow", func(ctx context.Context, r *rand.Rand) {
			h.toBucket.Slow(20_000)
			lasts(ctx, for1to4(r))
			h.toBucket.Slow(0)
		}},
		{"lines to a copy cut", func(_ context.Context, r *rand.Rand) { h.toCopy[r.IntN(copies)].Cut() }},
		{"a copy unreachable", func(ctx context.Context, r *rand.Rand) {
			p := h.toCopy[r.IntN(copies)]
			p.Refuse(true)
			lasts(ctx, for1to4(r))
			p.Refuse(false)
		}},
		{"webhook receiver fails", func(ctx context.Context, r *rand.Rand) {
			h.hooks.fail.Store(true)
			lasts(ctx, for1to4(r))
			h.hooks.fail.Store(false)
		}},
	}
	if len(h.disks) > 0 {
		list = append(list,
			prank{"a disk of the cluster killed (-9)", func(ctx context.Context, r *rand.Rand) {
				h.disks[r.IntN(len(h.disks))].crash(func() { lasts(ctx, between(r, 2*time.Second, 6*time.Second)) })
			}},
			prank{"the cluster full", func(ctx context.Context, r *rand.Rand) {
				h.ceph(ctx, "osd", "set", "full")
				lasts(ctx, for1to4(r))
				h.ceph(ctx, "osd", "unset", "full")
			}})
	}
	return list
}

// heal ends all trouble.
func (h *house) heal(ctx context.Context) {
	for _, p := range append(append(h.toRecord[:], h.toCopy[:]...), h.toBucket) {
		p.Heal()
	}
	h.hooks.fail.Store(false)
	if len(h.disks) > 0 {
		h.ceph(ctx, "osd", "unset", "full")
	}
}

// ceph gives a command to the cluster; the end finds out whether it was heard.
func (h *house) ceph(ctx context.Context, args ...string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	exec.CommandContext(ctx, "ceph", append([]string{"-c", filepath.Join(os.Getenv("CHAOS_CEPH"), "ceph.conf")}, args...)...).Run() //nolint:errcheck,gosec // as said
}

// postgres restarts the server: "immediate" is a crash, "fast" cuts sessions off.
func (h *house) postgres(ctx context.Context, mode string) {
	h.restart.Lock()
	defer h.restart.Unlock()
	data := os.Getenv("POSTERN_POSTGRES_DATA")
	command := []string{filepath.Join(os.Getenv("POSTERN_POSTGRES_BIN"), "pg_ctl"), "-D", data, "-m", mode, "-l", filepath.Join(data, "chaos.log"), "-w", "restart"}
	if os.Getuid() == 0 {
		command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // .ci/postgres names it
	cmd.Dir = filepath.Dir(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "chaos: restart PostgreSQL: %v: %s\n", err, out)
	}
}
