package bench

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// BenchmarkServe starts the built binary on an empty folder: how long until it
// prints its address, and what it holds when idle (resident, from /proc).
func BenchmarkServe(b *testing.B) {
	bin := os.Getenv("POSTERN_BIN")
	if bin == "" {
		b.Skip("POSTERN_BIN names no binary")
	}
	var ready time.Duration
	var resident float64
	n := 0
	for b.Loop() {
		n++
		took, mb, err := serveOnce(b.Context(), bin, b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		ready += took
		resident += mb
	}
	b.ReportMetric(float64(ready.Milliseconds())/float64(n), "ms-to-ready")
	b.ReportMetric(resident/float64(n), "MB-idle")
}

func serveOnce(ctx context.Context, bin, dir string) (ready time.Duration, residentMB float64, err error) {
	cmd := exec.CommandContext(ctx, bin, "serve", "--data", dir+"/d", "--listen", "127.0.0.1:0", "--bucket-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0") //nolint:gosec // the binary under test
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		cmd.Process.Kill() //nolint:errcheck // it may be gone
		cmd.Wait()         //nolint:errcheck // killed
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !regexp.MustCompile(`http://127\.0\.0\.1:\d+`).MatchString(lines.Text()) {
			continue
		}
		ready = time.Since(start)
		// Resident memory settles once the first sweep is over.
		var last float64
		for {
			mb, err := resident(cmd.Process.Pid)
			if err != nil {
				return 0, 0, err
			}
			if mb == last {
				return ready, mb, nil
			}
			last = mb
			time.Sleep(500 * time.Millisecond)
		}
	}
	return 0, 0, fmt.Errorf("no address was printed: %w", lines.Err())
}

func resident(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb / 1000, nil
		}
	}
	return 0, fmt.Errorf("no VmRSS for process %d", pid)
}
