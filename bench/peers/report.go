package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"postern.example/postern/bench/asker"
	"postern.example/postern/bench/peers/endpoint"
)

// The targets of the endpoint.
const (
	leastRate  = 0.75 // of the bare handler's
	mostCPU    = 1.35 // of the bare handler's
	mostMiB    = 25.0 // at the largest crowd
	leastTimes = 40.0 // Companion's rate
)

// report prints a line for each server, and what it is to the bare handler.
func report(w io.Writer, ps []*peer, crowd int) {
	fmt.Fprintf(w, "\n%d connections\n", crowd)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trequests/s\tx\tCPU µs\tx\tp50 ms\tp99 ms\tclient's CPU\t")
	for _, p := range ps {
		l := p.loads[crowd]
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.1f\t%.2f\t%.2f\t%.2f\t%.0f %%\t\n", p.Name,
			median(l, rate), against(ps, p, crowd, rate), median(l, cpu), against(ps, p, crowd, cpu),
			median(l, func(l asker.Load) float64 { return ms(l.P50) }), median(l, func(l asker.Load) float64 { return ms(l.P99) }),
			// When this is near 100, the rate is the client's.
			median(l, func(l asker.Load) float64 { return l.Own * l.Rate / 1e4 }))
	}
	t.Flush() //nolint:errcheck // to the terminal
}

// conclude prints the most memory that each ever held, and the targets.
func conclude(w io.Writer, ps []*peer) error {
	fmt.Fprint(w, "\nmost memory held, MiB\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	peaks := map[string]float64{}
	for _, p := range ps {
		peak, err := p.PeakMiB()
		if err != nil {
			return err
		}
		peaks[p.Name] = peak
		fmt.Fprintf(t, "%s\t%.1f\t\n", p.Name, peak)
	}
	t.Flush() //nolint:errcheck // to the terminal

	fmt.Fprint(w, "\ntargets\n")
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	say := func(crowd int, of, what string, got, bound float64, holds bool) {
		verdict := "holds"
		if !holds {
			verdict = "MISSED"
		}
		fmt.Fprintf(t, "%d connections\t%s\t%s\t%.2f\t%s\t%s\n", crowd, of, what, got, fmt.Sprint(bound), verdict)
	}
	for _, crowd := range crowds {
		for _, p := range ps {
			if p.Name != endpoint.Postern && p.Name != serve {
				continue
			}
			r, c := against(ps, p, crowd, rate), against(ps, p, crowd, cpu)
			say(crowd, p.Name, "rate, of net/http's, at least", r, leastRate, r >= leastRate)
			say(crowd, p.Name, "CPU, of net/http's, at most", c, mostCPU, c <= mostCPU)
			for _, other := range ps {
				if other.Name == companion {
					x := median(p.loads[crowd], rate) / median(other.loads[crowd], rate)
					say(crowd, p.Name, "rate, of Companion's, at least", x, leastTimes, x >= leastTimes)
				}
			}
		}
	}
	largest := slices.Max(crowds)
	say(largest, endpoint.Postern, "memory in MiB, at most", peaks[endpoint.Postern], mostMiB, peaks[endpoint.Postern] <= mostMiB)
	return t.Flush()
}

func rate(l asker.Load) float64 { return l.Rate }
func cpu(l asker.Load) float64  { return l.CPU }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// against is the median of what p was to the bare handler, the first of all, in
// each round.
func against(ps []*peer, p *peer, crowd int, of func(asker.Load) float64) float64 {
	var ratios []float64
	for i, l := range p.loads[crowd] {
		ratios = append(ratios, of(l)/of(ps[0].loads[crowd][i]))
	}
	return middle(ratios)
}

func median(ls []asker.Load, of func(asker.Load) float64) float64 {
	var v []float64
	for _, l := range ls {
		v = append(v, of(l))
	}
	return middle(v)
}

func middle(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
