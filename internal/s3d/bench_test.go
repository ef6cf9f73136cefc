package s3d

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// Benchmarks go through a real connection, with every sync, client included.

func benchmarkPost(b *testing.B, size int) {
	f := start(b)
	file := strings.Repeat("x", size)
	r := f.form(formSpec{file: &file, conditions: eqAll([]sigv4.Field{field("key", "up/a")})})
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if got := f.raw(f.request("POST", "/photos", body, map[string]string{"Content-Type": r.Header.Get("Content-Type")})); got.status != 204 {
			b.Fatal(got.status, string(got.body))
		}
	}
}

func BenchmarkPost1MiB(b *testing.B)  { benchmarkPost(b, 1<<20) }
func BenchmarkPost32KiB(b *testing.B) { benchmarkPost(b, 32<<10) }

func BenchmarkGet32KiB(b *testing.B) {
	f := start(b)
	f.put("a", strings.Repeat("x", 32<<10))
	u := strings.TrimPrefix(f.presign("GET", "/photos/a", nil), f.url)
	b.SetBytes(32 << 10)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := http.DefaultClient.Do(f.request("GET", u, nil, nil))
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != 32<<10 {
			b.Fatal(n, err)
		}
		must(b, resp.Body.Close())
	}
}

// BenchmarkList lists pages of 1,000 of 200,000 objects: pages that were listed
// before (warm), pages whose files were never looked at (cold), and the first
// page of all, for which the folders are read (build).
func BenchmarkList(b *testing.B) {
	const objects, pages = 200_000, 199
	f := start(b)
	bu := f.server.buckets[testBucket]
	for i := range objects {
		o := &object{
			Key: fmt.Sprintf("images/%08d/large.jpg", i), ETag: strings.Repeat("0", 32), ContentType: "image/jpeg",
			Checksums: map[string]string{defaultChecksum: "AAAAAAAAAAA="}, Metadata: map[string]string{"upload": "0199aabbccdd"},
		}
		trailer, err := o.appendTrailer(nil)
		must(b, err)
		_, path := bu.path(o.Key)
		must(b, os.MkdirAll(filepath.Dir(path), 0o700))
		must(b, os.WriteFile(path, trailer, 0o600))
	}
	page := func(b *testing.B, i int) {
		if r := f.do("GET", fmt.Sprintf("/photos?list-type=2&start-after=images/%08d/", i%pages*1000), nil, nil); r.status != 200 {
			b.Fatal(r.status)
		}
	}
	median := func(b *testing.B, each []time.Duration) {
		slices.Sort(each)
		b.ReportMetric(float64(each[len(each)/2].Microseconds())/1000, "median-ms")
		b.ReportMetric(float64(each[len(each)-1].Microseconds())/1000, "max-ms")
	}
	run := func(name string, before func(i int)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var each []time.Duration
			for i := range b.N {
				b.StopTimer()
				before(i)
				b.StartTimer()
				at := time.Now()
				page(b, i)
				each = append(each, time.Since(at))
			}
			median(b, each)
		})
	}
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	empty := heap()
	run("build", func(int) { bu.index = newIndex(bu.index.objects) })
	run("cold", func(i int) {
		if i%pages == 0 {
			bu.index = newIndex(bu.index.objects)
			must(b, bu.index.build())
		}
	})
	for i := range pages + 1 {
		page(b, i)
	}
	index := heap() - empty // with all of it read
	run("warm", func(i int) {
		if i == 0 {
			b.Logf("the index of %d objects: %.1f MB", objects, index)
		}
	})
}
