package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"postern.example/postern"
)

// metrics is what /metrics answers. The parts count for themselves; they are
// asked at each scrape. Labels are states, routes and codes, never keys or
// anything a client chose.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	seen     sync.Map // of routeStatus, to its prometheus.Observer: finding it by its labels takes longer than counting
}

// routeStatus is what requests are counted by.
type routeStatus struct {
	route  string
	status int
}

func newMetrics(p *program) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "postern_http_request_duration_seconds", Help: "Time to answer a request, by route and status.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "status"}),
	}
	m.registry.MustRegister(m.requests, &counts{p},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// observe notes one routeStatus request. The route is the pattern it matched: a
// closed set, whatever paths clients try.
func (m *metrics) observe(r *http.Request, status int, took time.Duration) {
	route := r.Pattern
	if route == "" {
		route = "none"
	}
	key := routeStatus{route, status}
	o, ok := m.seen.Load(key)
	if !ok {
		o, _ = m.seen.LoadOrStore(key, m.requests.WithLabelValues(route, strconv.Itoa(status)))
	}
	o.(prometheus.Observer).Observe(took.Seconds()) //nolint:forcetypeassert // it holds nothing else
}

// counts shows what the parts have counted.
type counts struct{ p *program }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("postern_"+name, help, labels, nil)
}

// Describe sends nothing: which metrics there are depends on the parts.
func (c *counts) Describe(chan<- *prometheus.Desc) {}

// waits is the time from an upload's arrival to its final state.
func waits(w postern.Waits) prometheus.Metric {
	buckets := map[float64]uint64{}
	var all uint64
	for i, bound := range postern.WaitBounds() {
		all += uint64(w.Counts[i]) //nolint:gosec // never below 0
		buckets[bound.Seconds()] = all
	}
	all += uint64(w.Counts[len(w.Counts)-1]) //nolint:gosec // never below 0
	return prometheus.MustNewConstHistogram(desc("upload_wait_seconds", "Time from an upload's arrival to its final state."), all, w.Sum.Seconds(), buckets)
}

// backlogTime bounds how long a scrape waits for the records.
const backlogTime = 2 * time.Second

// Collect asks the parts.
func (c *counts) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	s := c.p.Service.Stats()
	count(desc("grants_total", "Grants signed."), s.Granted)
	count(desc("grants_ended_total", "Grants of this copy whose time is over."), s.Ended)
	count(desc("grants_used_total", "Uploads that arrived here, of grants whose time is over; over all copies, ended less used expired."), s.Used)
	uploads := desc("uploads_total", "Uploads that reached a state.", "state")
	count(uploads, s.Arrived, "stored")
	count(uploads, s.Ready, "ready")
	count(uploads, s.Rejected, "rejected")
	count(uploads, s.Failed, "failed")
	count(uploads, s.Removed, "removed")
	count(desc("uploaded_bytes_total", "Bytes of the uploads that arrived."), s.Bytes)
	problems := desc("upload_problems_total", "Uploads that were rejected or failed, by their problem.", "code")
	for code, n := range s.Problems {
		count(problems, n, string(code))
	}
	hits := desc("quota_hits_total", "Grants that a quota refused, by the limit.", "limit")
	for limit, n := range s.Limited {
		count(hits, n, strings.TrimPrefix(limit, "quota."))
	}
	out <- waits(s.Waits)
	c.webhooks(count, gauge)
	swept := desc("swept_objects_total", "Objects deleted by the sweep, by reason.", "reason")
	count(swept, s.Replays, "replay")
	count(swept, s.Foreign, "foreign")
	count(desc("aborted_multiparts_total", "Uploads in parts that were given up: expired, cancelled or not what was announced."), s.Aborted)
	count(desc("request_body_bytes_total", "Bytes of request bodies read by the API; files never pass it."), s.BodyBytes)

	w := c.p.Worker.Stats()
	jobs := desc("jobs_total", "Attempts of the worker, by how they ended.", "outcome")
	count(jobs, w.Settled, "settled")
	count(jobs, w.Retries, "retry")
	count(jobs, w.Postponed, "postponed")
	count(jobs, w.Lost, "lease_lost")
	count(desc("job_panics_total", "Panics while checking a picture."), w.Panics)
	gauge(desc("jobs_running", "Jobs at work now."), float64(w.Running))
	gauge(desc("pixels_in_use", "Pixels of the worker's budget in use now."), float64(w.PixelsInUse))
	gauge(desc("pixels_max", "The worker's budget of pixels."), float64(w.PixelsMax))
	count(desc("sweep_faults_total", "Faults met by the sweep."), w.Swept.Faults)

	if d := c.p.Decoder; d != nil {
		s := d.Stats()
		count(desc("decoders_started_total", "Child processes that were started to open images."), s.Started)
		deaths := desc("decoder_deaths_total", "Child processes that ended at work, by whether the image led them there.", "cause")
		count(deaths, s.Guilty, "image")
		count(deaths, s.Deaths-s.Guilty, "other")
	}

	gauge(desc("bucket_clock_skew_seconds", "The bucket's clock minus ours, as measured; signatures are dated by it."), c.p.Bucket.Skew().Seconds())

	if c.p.Embedded != nil {
		b := c.p.Embedded.Stats()
		count(desc("bucket_requests_total", "Requests to the embedded bucket, our own included."), b.Requests)
		count(desc("bucket_received_bytes_total", "Bytes of request bodies that the embedded bucket took."), b.BytesReceived)
		count(desc("bucket_objects_written_total", "Objects written to the embedded bucket."), b.ObjectsWritten)
	}

	ctx, cancel := context.WithTimeout(context.Background(), backlogTime)
	defer cancel()
	up := 0.0
	if n, oldest, err := c.p.Records.Backlog(ctx); err == nil {
		up = 1
		gauge(desc("backlog_uploads", "Uploads that wait for their check, or are at it."), float64(n))
		age := 0.0
		if n > 0 {
			age = time.Since(oldest).Seconds()
		}
		gauge(desc("backlog_oldest_seconds", "How long the oldest of them has waited."), age)
	}
	gauge(desc("records_up", "Whether the records answer."), up)
}
