package bench

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"postern.example/postern/bench/asker"
	"postern.example/postern/bench/peers/endpoint"
)

const (
	endpointConns  = 32
	endpointTime   = time.Second
	endpointRounds = 7
	memoryConns    = 256
)

// BenchmarkGrantEndpoint asks for grants over HTTP on loopback, beside a bare
// net/http handler that decodes the same JSON and answers with a body of as
// many bytes. `make bench-peers` sets both beside other people's servers.
//
// Each server is a process of its own, so that /proc tells what it alone took,
// and has a processor of its own where there are two. The servers take their
// turns in rotated order, and figures are medians over the rounds: x-rate and
// x-cpu are Postern's rate and processor time for each answer divided by the
// bare handler's of the same round. MiB-256 is the most memory that a new
// server ever held while 256 connections asked it at once.
func BenchmarkGrantEndpoint(b *testing.B) {
	cores, err := asker.Apart(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Log(cores)
	var servers []*asker.Process
	for _, name := range []string{endpoint.Postern, endpoint.Bare} {
		servers = append(servers, startEndpoint(b, cores, name))
	}
	var rates, cpus [2][]float64
	b.ResetTimer()
	for range b.N { // a round takes longer than -benchtime's second: N is 1
		for round := range endpointRounds + 1 {
			for i := range servers {
				at := (i + round) % len(servers) // nobody always comes first
				got, err := servers[at].Load(b.Context(), endpointRequest(servers[at]), endpointConns, endpointTime)
				if err != nil {
					b.Fatalf("%s: %v", servers[at].Name, err)
				}
				if round > 0 { // the first warms up
					rates[at], cpus[at] = append(rates[at], got.Rate), append(cpus[at], got.CPU)
				}
			}
		}
	}
	b.ReportMetric(0, "ns/op") // of a whole run: it says nothing
	b.ReportMetric(middle(rates[0]), "grants/s")
	b.ReportMetric(middle(rates[1]), "net/http/s")
	b.ReportMetric(middle(cpus[0]), "cpu-µs")
	b.ReportMetric(middle(cpus[1]), "net/http-cpu-µs")
	b.ReportMetric(middle(quotients(rates[0], rates[1])), "x-rate")
	b.ReportMetric(middle(quotients(cpus[0], cpus[1])), "x-cpu")

	many := startEndpoint(b, cores, endpoint.Postern)
	if _, err := many.Load(b.Context(), endpointRequest(many), memoryConns, endpointTime); err != nil {
		b.Fatal(err)
	}
	peak, err := many.PeakMiB()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(peak, "MiB-256")
}

// startEndpoint runs this program again, as a server.
func startEndpoint(b *testing.B, cores asker.Cores, name string) *asker.Process {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	p, err := cores.Start(b.Context(), name, []string{endpoint.Env + "=" + name}, exe)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Stop(); err != nil {
			b.Error(err)
		}
	})
	return p
}

func endpointRequest(p *asker.Process) []byte {
	return asker.Post(p.Address, endpoint.Path, endpoint.Ask)
}

func middle(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }

func quotients(a, b []float64) []float64 {
	q := make([]float64, len(a))
	for i := range a {
		q[i] = a[i] / b[i]
	}
	return q
}

// TestMain makes this program a server when the benchmark starts it as one.
func TestMain(m *testing.M) {
	if name := os.Getenv(endpoint.Env); name != "" {
		if err := endpoint.Serve(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
