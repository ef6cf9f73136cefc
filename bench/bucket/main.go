// Command bucket holds the embedded bucket against other S3 servers: processor
// time of the server for each form POST, and the rate of GETs, in one run on
// one machine, round by round in rotated order; then what memory ours takes.
//
//	go run ./bucket -postern ../bin/postern -versitygw PATH -minio PATH
//
// Figures are medians over the rounds; ratios are of the medians. Ours puts
// everything on disk before it answers (fsync), as MinIO does; versitygw does
// not.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench-bucket:", err)
		os.Exit(1)
	}
}

// task is one kind of load.
type task struct {
	name string
	ops  int
	op   func(s *server, round, i int) error
}

const workers = 8

func run(ctx context.Context) error {
	bins := map[string]*string{}
	for _, name := range []string{"postern", "versitygw", "minio"} {
		bins[name] = flag.String(name, "", "the server's `program`; without it the server is left out")
	}
	rounds := flag.Int("rounds", 5, "how many `times` each load is run on each server")
	memory := flag.Bool("memory", true, "measure our memory, too")
	flag.Parse()
	dir, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is temporary
	var servers []*server
	for _, name := range []string{"postern", "versitygw", "minio"} {
		if *bins[name] == "" {
			continue
		}
		s, err := start(ctx, name, *bins[name], filepath.Join(dir, name))
		if err != nil {
			return err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	if err := compare(ctx, servers, *rounds); err != nil {
		return err
	}
	for _, s := range servers {
		mb, err := s.peak()
		if err != nil {
			return err
		}
		fmt.Printf("peak memory of %-10s %6.1f MB\n", s.name, mb)
	}
	if *memory && *bins["postern"] != "" {
		return measureMemory(ctx, *bins["postern"], dir)
	}
	return nil
}

// tasks are the loads. Keys of a load differ, those of its rounds are the same:
// overwriting is part of it.
func tasks(ctx context.Context) []task {
	mib, kib := make([]byte, 1<<20), make([]byte, 32<<10)
	rand.Read(mib) //nolint:errcheck // it never fails
	rand.Read(kib) //nolint:errcheck // it never fails
	post := func(name string, body []byte) func(*server, int, int) error {
		return func(s *server, round, i int) error {
			return s.post(ctx, fmt.Sprintf("%s/%d/%d.jpg", name, round%2, i), bytes.NewReader(body), int64(len(body)), true)
		}
	}
	return []task{
		{"POST 1 MiB", 200, post("m", mib)},
		{"POST 32 KiB", 2000, post("k", kib)},
		{"GET 32 KiB", 20000, func(s *server, _, i int) error { return s.getter.get(i) }},
	}
}

// prepare signs the GETs, for files that the POSTs have left.
func prepare(ctx context.Context, s *server) (err error) {
	var keys []string
	for i := range 200 {
		keys = append(keys, fmt.Sprintf("k/0/%d.jpg", i+1))
	}
	s.getter, err = s.newGetter(ctx, keys)
	return err
}

func compare(ctx context.Context, servers []*server, rounds int) error {
	for _, t := range tasks(ctx) {
		if t.name == "GET 32 KiB" {
			for _, s := range servers {
				if err := prepare(ctx, s); err != nil {
					return err
				}
				defer s.getter.stop() //nolint:errcheck // the run is over
			}
		}
		figures := make([][]figure, len(servers))
		for round := range rounds + 1 {
			for i := range servers {
				at := (i + round) % len(servers) // nobody always comes first
				f, err := servers[at].load(t.ops, workers, func(i int) error { return t.op(servers[at], round, i) })
				if err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
				if round > 0 { // the first warms up
					figures[at] = append(figures[at], f)
				}
			}
		}
		report(t, servers, figures)
	}
	return nil
}

func report(t task, servers []*server, figures [][]figure) {
	fmt.Printf("%s, %d at a time\n", t.name, workers)
	cpu := func(f figure) float64 { return float64(f.cpu) / float64(time.Millisecond) }
	rate := func(f figure) float64 { return f.rate }
	for i, s := range servers {
		c, r := median(figures[i], cpu), median(figures[i], rate)
		fmt.Printf("  %-10s %7.2f ms of CPU (%.2f to %.2f), %7.0f a second", s.name, c, least(figures[i], cpu), most(figures[i], cpu), r)
		if i > 0 {
			fmt.Printf("; ours takes %.2f of its CPU, is %.2f times as fast", median(figures[0], cpu)/c, median(figures[0], rate)/r)
		}
		fmt.Println()
	}
}

func sorted(fs []figure, of func(figure) float64) []float64 {
	var v []float64
	for _, f := range fs {
		v = append(v, of(f))
	}
	slices.Sort(v)
	return v
}

func median(fs []figure, of func(figure) float64) float64 { return sorted(fs, of)[len(fs)/2] }
func least(fs []figure, of func(figure) float64) float64  { return sorted(fs, of)[0] }
func most(fs []figure, of func(figure) float64) float64   { return sorted(fs, of)[len(fs)-1] }

// zeros is a file of any size that takes no memory here.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// measureMemory starts ours anew and reads its peak after each kind of load.
func measureMemory(ctx context.Context, bin, dir string) error {
	s, err := start(ctx, "postern", bin, filepath.Join(dir, "memory"))
	if err != nil {
		return err
	}
	defer s.stop()
	file := func(n int64) io.Reader { return io.LimitReader(zeros{}, n) }
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"idle", func() error { return nil }},
		{"64 POSTs of 16 MiB, 8 at a time", func() error {
			_, err := s.load(64, workers, func(i int) error { return s.post(ctx, fmt.Sprintf("a/%d", i), file(16<<20), 16<<20, true) })
			return err
		}},
		{"one POST of 1 GiB", func() error { return s.post(ctx, "gib", file(1<<30), 1<<30, true) }},
		{"8 anonymous POSTs of 300 MiB, refused", func() error {
			_, err := s.load(8, workers, func(int) error {
				s.post(ctx, "no", file(300<<20), 300<<20, false) //nolint:errcheck // it is refused
				return nil
			})
			return err
		}},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		mb, err := s.peak()
		if err != nil {
			return err
		}
		fmt.Printf("our peak memory after %-40s %6.1f MB\n", step.name+":", mb)
	}
	return nil
}
