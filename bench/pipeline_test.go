package bench

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"golang.org/x/image/draw"

	"postern.example/postern"
	"postern.example/postern/internal/imaging"
	"postern.example/postern/internal/imaging/photo"
)

// BenchmarkPipeline turns one 12 MP photo (4:2:0, quality 92) into three
// JPEGs of quality 80, on one core: ours with all its checks, placeholder and
// colour, and the usual image/jpeg with x/image/draw's CatmullRom, chained.
func BenchmarkPipeline(b *testing.B) {
	src := photo.JPEG(photo.Options{Width: 4032, Height: 3024, Quality: 92})
	preset := postern.DefaultPreset()
	b.Logf("the photo has %d bytes", len(src))
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"postern", func() error {
			_, err := imaging.Engine{}.Render(context.Background(), src, &preset)
			return err
		}},
		{"image-jpeg+x-image-draw", func() error { return usual(src) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			defer debug.SetGCPercent(debug.SetGCPercent(100))
			debug.FreeOSMemory()
			peak := watchMemory()
			b.ReportAllocs()
			for b.Loop() {
				if err := c.run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
			b.ReportMetric(float64(peak())/1e6, "MB-peak")
		})
	}
}

func usual(src []byte) error {
	m, err := jpeg.Decode(bytes.NewReader(src))
	if err != nil {
		return err
	}
	for _, box := range []int{2048, 1024, 256} {
		size := m.Bounds().Size()
		w, h := box, box*size.Y/size.X
		if size.Y > size.X {
			w, h = box*size.X/size.Y, box
		}
		out := image.NewRGBA(image.Rect(0, 0, w, h))
		draw.CatmullRom.Scale(out, out.Bounds(), m, m.Bounds(), draw.Src, nil)
		var b bytes.Buffer
		if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: 80}); err != nil {
			return err
		}
		m = out
	}
	return nil
}

// watchMemory samples what the Go runtime holds from the system, less what it
// has given back, until the returned func is called.
func watchMemory() (peak func() uint64) {
	stop := make(chan struct{})
	var top uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		t := time.NewTicker(2 * time.Millisecond)
		defer t.Stop()
		for {
			metrics.Read(s)
			top = max(top, s[0].Value.Uint64()-s[1].Value.Uint64())
			select {
			case <-stop:
				return
			case <-t.C:
			}
		}
	})
	return func() uint64 {
		close(stop)
		wg.Wait()
		return top
	}
}
