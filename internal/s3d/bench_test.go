package s3d

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// BenchmarkList lists a page of 1,000 in the middle of 20,000 objects.
func BenchmarkList(b *testing.B) {
	f := start(b)
	bu := f.server.buckets[testBucket]
	for i := range 20_000 {
		o := &object{Key: fmt.Sprintf("images/%08d/large.jpg", i), ETag: strings.Repeat("0", 32), ContentType: "image/jpeg"}
		trailer, err := o.appendTrailer(nil)
		if err != nil {
			b.Fatal(err)
		}
		_, path := bu.path(o.Key)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, trailer, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := f.do("GET", "/photos?list-type=2&start-after=images/00010000", nil, nil); r.status != 200 {
			b.Fatal(r.status)
		}
	}
}
