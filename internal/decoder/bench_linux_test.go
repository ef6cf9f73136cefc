package decoder

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern.example/postern/internal/imaging"
	"postern.example/postern/internal/imaging/photo"
)

// BenchmarkChild is a 12 MP photo by a child and in this process, one after
// the other in one run: both wall-clock and processor time, of all processes.
// The ratio is what a child costs.
func BenchmarkChild(b *testing.B) {
	src := photo.JPEG(photo.Options{Width: 4032, Height: 3024, Quality: 92})
	p := preset()
	d, err := New(b.Context(), Config{Children: 1, Memory: MemoryFor(nil) + 16*50e6})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	both := func(e Engine) (wall, cpu time.Duration) {
		began, used := time.Now(), processorTime(b, d)
		if _, err := e.Probe(src, p); err != nil {
			b.Fatal(err)
		}
		if _, err := e.Render(context.Background(), src, p); err != nil {
			b.Fatal(err)
		}
		return time.Since(began), processorTime(b, d) - used
	}
	both(d) // the first picture has the memory to ask for
	both(imaging.Engine{})
	var wall, cpu [2]time.Duration
	for b.Loop() {
		for k, e := range []Engine{d, imaging.Engine{}} {
			w, c := both(e)
			wall[k] += w
			cpu[k] += c
		}
	}
	b.Logf("%d bytes; in a child %v (%v of processor time), here %v (%v)", len(src), wall[0]/time.Duration(b.N), cpu[0]/time.Duration(b.N), wall[1]/time.Duration(b.N), cpu[1]/time.Duration(b.N))
	b.ReportMetric(float64(wall[0])/float64(wall[1]), "wall-ratio")
	b.ReportMetric(float64(cpu[0])/float64(cpu[1]), "cpu-ratio")
}

// processorTime is what this process and the child have used.
func processorTime(b *testing.B, d *Decoder) time.Duration {
	p := <-d.ready
	d.ready <- p
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano()+u.Stime.Nano()) + ticks(b, p.cmd.Process.Pid)
}

// ticks is what a process has used, by Linux's count (proc(5): in hundredths).
func ticks(b *testing.B, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("NOT MEASURED: ", err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')'):]))
	var sum int64
	for _, f := range fields[12:14] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond
}
