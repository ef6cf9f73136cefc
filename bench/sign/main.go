// Command sign measures Postern's signer beside aws-sdk-go-v2's and minio-go's:
// CPU time of the process with its garbage collection, and allocations. All run
// in turn in every round, so that what else the machine does hits them alike;
// ratios are taken within a round, and the table has the medians.
//
//	cd bench && go run ./sign
//
// It says which targets are missed.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"
)

// A contender does one operation in each of its calls.
type contender struct {
	name       string
	n          int // operations in a round
	signatures int // in one operation, if more than one
	op         func() error
}

// A target bounds the median of a contender.
type target struct {
	contender, rival string
	times            float64       // at least so many times as fast as rival
	cpu              time.Duration // at most; zero: not bounded
	allocs           float64       // at most so many in one operation; negative: not bounded
}

var targets = []target{
	{"post append", aws("post"), 40, 1500 * time.Nanosecond, 0},
	{"post append", minio("post"), 15, 0, -1},
	{"post append, new second", aws("post"), 10, 0, 0},
	{"post struct", aws("post"), 20, 0, 12},
	{"put append", aws("put"), 50, 0, 0},
	{"10 000 parts", "", 0, 8 * time.Millisecond, 30},
}

// judge holds the samples against the targets.
func judge(samples map[string][]sample) []verdict {
	var out []verdict
	for _, t := range targets {
		of := samples[t.contender]
		if t.rival != "" {
			rival := samples[t.rival]
			times := median(of, timesOf(rival))
			out = append(out, verdict{
				fmt.Sprintf("%s at least %.0f times as fast as %s", t.contender, t.times, t.rival),
				fmt.Sprintf("%.1f times", times), times >= t.times,
			})
		}
		if t.cpu > 0 {
			cpu := median(of, timeOf)
			out = append(out, verdict{
				fmt.Sprintf("%s at most %v of CPU", t.contender, t.cpu), duration(cpu), cpu <= float64(t.cpu),
			})
		}
		if t.allocs >= 0 {
			allocs := median(of, allocsOf)
			out = append(out, verdict{
				fmt.Sprintf("%s at most %.0f allocations", t.contender, t.allocs), fmt.Sprintf("%.1f", allocs), allocs < t.allocs+0.5,
			})
		}
	}
	return out
}

type verdict struct {
	target, got string
	met         bool
}

func aws(what string) string   { return what + " aws-sdk-go-v2" }
func minio(what string) string { return what + " minio-go" }

// What is told without being a target: how often a signature of the first has
// room in one of the second.
var comparisons = [][2]string{
	{"put append", minio("put")},
	{"put append, 4 headers", aws("put, 4 headers")},
	{"put append, 4 headers", minio("put, 4 headers")},
	{"10 000 parts", aws("part")},
	{"10 000 parts", minio("part")},
}

// sample is what one operation took.
type sample struct {
	cpu       float64 // ns
	signature float64 // ns, for one
	allocs    float64
}

func timeOf(_ int, s sample) float64      { return s.cpu }
func signatureOf(_ int, s sample) float64 { return s.signature }
func allocsOf(_ int, s sample) float64    { return s.allocs }

// timesOf compares with the rival's sample of the same round.
func timesOf(rival []sample) func(int, sample) float64 {
	return func(i int, s sample) float64 { return rival[i].signature / s.signature }
}

// measure runs c for a round. It begins with a garbage collection, so that nobody
// pays for what the one before left.
func measure(c contender) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, err := cpuTime()
	if err != nil {
		return sample{}, err
	}
	for range c.n {
		if err := c.op(); err != nil {
			return sample{}, fmt.Errorf("%s: %v", c.name, err)
		}
	}
	end, err := cpuTime()
	if err != nil {
		return sample{}, err
	}
	runtime.ReadMemStats(&after)
	n := float64(c.n)
	cpu := float64(end-start) / n
	return sample{cpu, cpu / float64(max(c.signatures, 1)), float64(after.Mallocs-before.Mallocs) / n}, nil
}

// cpuTime is what all threads of this process have taken, in the system too.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read CPU time: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

func median(samples []sample, of func(i int, s sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(i, s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func duration(ns float64) string {
	if ns < 1e6 {
		return fmt.Sprintf("%.2f µs", ns/1e3)
	}
	return fmt.Sprintf("%.2f ms", ns/1e6)
}

func main() {
	rounds := flag.Int("rounds", 11, "rounds, of which the median counts")
	flag.Parse()
	if err := run(os.Stdout, *rounds); err != nil {
		fmt.Fprintf(os.Stderr, "sign: error: %v\n", err)
		os.Exit(1)
	}
}

func run(out io.Writer, rounds int) error {
	all, err := contenders()
	if err != nil {
		return err
	}
	samples := map[string][]sample{}
	for round := range rounds + 1 {
		for _, c := range all {
			s, err := measure(c)
			if err != nil {
				return err
			}
			if round > 0 { // the first warms caches
				samples[c.name] = append(samples[c.name], s)
			}
		}
	}
	fmt.Fprintf(out, "%s, %d CPUs, %d rounds, medians\n\n", runtime.Version(), runtime.NumCPU(), rounds)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "contender\tCPU/op\tCPU/signature\tallocations/op\t")
	for _, c := range all {
		of := samples[c.name]
		fmt.Fprintf(w, "%s\t%s\t%.0f ns\t%.1f\t\n", c.name, duration(median(of, timeOf)), median(of, signatureOf), median(of, allocsOf))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range judge(samples) {
		word := "met"
		if !line.met {
			word = "MISSED"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", word, line.target, line.got)
	}
	for _, pair := range comparisons {
		fmt.Fprintf(w, "\t%s, against %s\t%.1f times\n", pair[0], pair[1], median(samples[pair[0]], timesOf(samples[pair[1]])))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return nil
}
