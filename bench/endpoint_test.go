package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

const (
	endpointConns  = 32
	endpointAsks   = 20_000
	endpointRounds = 7
	memoryConns    = 256
)

const endpointAsk = `{"preset":"photos","filename":"cat.jpg","type":"image/jpeg","size":2190194}`

// BenchmarkGrantEndpoint asks for grants over HTTP on loopback, beside a bare
// net/http handler that decodes the same JSON and answers with a body of as
// many bytes.
//
// Each server is a process of its own, so that /proc tells what it alone took;
// the client does next to nothing (see asker). The servers take their turns in
// rotated order, and figures are medians over the rounds: x-rate and x-cpu are
// Postern's rate and processor time for each answer divided by the bare
// handler's of the same round. MiB-256 is the most memory that a new server
// ever held while 256 connections asked it at once.
func BenchmarkGrantEndpoint(b *testing.B) {
	var servers []*endpointServer
	for _, name := range []string{"postern", "net/http"} {
		s := startEndpoint(b, name, endpointConns)
		servers = append(servers, s)
	}
	var rates, cpus [2][]float64
	b.ResetTimer()
	for range b.N { // a round takes longer than -benchtime's second: N is 1
		for round := range endpointRounds + 1 {
			for i := range servers {
				at := (i + round) % len(servers) // nobody always comes first
				rate, cpu, err := servers[at].load(endpointAsks)
				if err != nil {
					b.Fatalf("%s: %v", servers[at].name, err)
				}
				if round > 0 { // the first warms up
					rates[at], cpus[at] = append(rates[at], rate), append(cpus[at], cpu)
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

	many := startEndpoint(b, "postern", memoryConns)
	if _, _, err := many.load(endpointAsks); err != nil {
		b.Fatal(err)
	}
	peak, err := many.peakMiB()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(peak, "MiB-256")
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
	if name := os.Getenv(serveEnv); name != "" {
		os.Exit(serveEndpoint(name))
	}
	os.Exit(m.Run())
}

// endpointHandler is the handler under test, or the one beside it.
func endpointHandler(name string) (http.Handler, error) {
	service, err := postern.New(postern.Config{
		Secrets: [][]byte{bytes.Repeat([]byte("s"), 32)},
		Bucket:  struct{ postern.Bucket }{}, Records: struct{ postern.Records }{}, // a grant needs neither
		Target: postern.Target{
			URL: "https://photos.s3.eu-central-1.amazonaws.com", Bucket: bucket, Region: region,
			Credentials: func(context.Context) (sigv4.Credentials, error) {
				return sigv4.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
			},
		},
	})
	if err != nil {
		return nil, err
	}
	gate, err := postern.NewHandler(service, postern.HandlerConfig{})
	if err != nil || name == "postern" {
		return gate, err
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/uploads", bytes.NewReader([]byte(endpointAsk)))
	r.Header.Set("Content-Type", "application/json")
	gate.ServeHTTP(w, r)
	answer := w.Body.Bytes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in postern.Request
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		w.Write(answer) //nolint:errcheck // the client has gone
	}), nil
}
