package records

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
)

// BenchmarkLife is one upload's life as the records see it: it arrives, and
// later it changes once: two durable commits, each waited for. "grouped" is
// what Open gives; "each_alone" commits every write by itself, everything else
// being equal: in a file one after the other, on a server by 16 connections at
// once, whose syncs the server groups by itself. x_alone is the ratio.
func BenchmarkLife(b *testing.B) {
	file, server := defaults(), serverDefaults()
	file.batch, server.batch, server.writers = 1, 1, 16
	one := serverDefaults()
	one.writers = 1
	for _, on := range []struct {
		name string
		ways []way
	}{
		{"SQLite", []way{{"each_alone", file}, {"grouped", defaults()}}},
		{"PostgreSQL", []way{{"each_alone", server}, {"grouped", serverDefaults()}, {"grouped_by_one", one}}},
	} {
		b.Run(on.name, func(b *testing.B) {
			for _, writers := range []int{1, 16, 128} {
				alone := 0.
				for _, way := range on.ways {
					b.Run(fmt.Sprintf("%s/writers=%d", way.name, writers), func(b *testing.B) {
						conf := Config{}
						if on.name == "PostgreSQL" {
							conf = newServerPlace(b).conf
						}
						r := openTuned(b, conf, way.tune)
						run(b, writers, func(n int) error {
							u := arrival(n)
							if _, _, err := r.Arrive(b.Context(), u); err != nil {
								return err
							}
							return r.Remove(b.Context(), u.Principal, u.ID)
						})
						rate := float64(b.N) / b.Elapsed().Seconds()
						b.ReportMetric(rate, "uploads/s")
						if way.name == "each_alone" {
							alone = rate
						} else if alone > 0 {
							b.ReportMetric(rate/alone, "x_alone")
						}
					})
				}
			}
		})
	}
}

type way struct {
	name string
	tune tuning
}

// BenchmarkWork is the same with the real second half: workers claim what
// arrived, ten at a time, and settle each.
func BenchmarkWork(b *testing.B) {
	for _, workers := range []int{1, 16} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			r := openTuned(b, Config{}, defaults())
			for n := 0; n < b.N; n += 1000 {
				var all sync.WaitGroup
				for i := n; i < min(n+1000, b.N); i++ {
					all.Go(func() {
						if _, _, err := r.Arrive(b.Context(), arrival(i)); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
			}
			b.ResetTimer()
			var all sync.WaitGroup
			for range workers {
				all.Go(func() {
					for {
						claims, err := r.Claim(b.Context(), time.Minute, 10)
						if err != nil {
							b.Error(err)
						}
						for _, c := range claims {
							if err := r.Settle(b.Context(), c, ready(c.Upload)); err != nil {
								b.Error(err)
							}
						}
						if len(claims) == 0 {
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "uploads/s")
		})
	}
}

// BenchmarkUpload is one look at an upload.
func BenchmarkUpload(b *testing.B) {
	r := openTuned(b, Config{}, defaults())
	u := arrival(1)
	if _, _, err := r.Arrive(b.Context(), u); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Upload(b.Context(), u.ID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPage lists the newest 50 of a principal's 10 000 uploads.
func BenchmarkPage(b *testing.B) {
	r := openTuned(b, Config{}, defaults())
	var all sync.WaitGroup
	for i := range 10_000 {
		all.Go(func() {
			if _, _, err := r.Arrive(b.Context(), arrival(i)); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	for b.Loop() {
		list, err := r.Uploads(b.Context(), postern.Query{Principal: arrival(0).Principal, Limit: 50})
		if err != nil || len(list) != 50 {
			b.Fatal(len(list), err)
		}
	}
}

// run has writers do b.N times do.
func run(b *testing.B, writers int, do func(n int) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range writers {
		all.Go(func() {
			for {
				n := int(next.Add(1))
				if n > b.N {
					return
				}
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
}

func openTuned(tb testing.TB, c Config, t tuning) *Records {
	tb.Helper()
	if c.Path == "" && c.URL == "" {
		c.Path = filepath.Join(tb.TempDir(), "records.db")
	}
	r, err := open(context.Background(), c, t)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}
