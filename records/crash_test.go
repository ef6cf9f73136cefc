package records

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern"
)

// crashPath, when set in the environment, makes the test binary a process
// that notes uploads at that path until it is killed.
const crashPath = "POSTERN_TEST_CRASH_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		if err := noteForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(withDatabase(m.Run))
}

// noteForever prints each id after it was acknowledged, and "s" before it when
// it was also settled.
func noteForever(path string) error {
	ctx := context.Background()
	r, err := Open(ctx, Config{Path: path})
	if err != nil {
		return err
	}
	failed := make(chan error)
	var next atomic.Int64
	for worker := range 16 {
		go func() {
			for {
				u := arrival(int(next.Add(1)))
				if _, _, err := r.Arrive(ctx, u); err != nil {
					failed <- err
				}
				fmt.Printf("a%s\n", u.ID) //nolint:forbidigo // this process speaks to its parent
				if worker%4 != 0 {
					continue
				}
				claims, err := r.Claim(ctx, time.Hour, 2)
				if err != nil {
					failed <- err
				}
				for _, c := range claims {
					if err := r.Settle(ctx, c, ready(c.Upload)); err != nil {
						failed <- err
					}
					fmt.Printf("s%s\n", c.Upload.ID) //nolint:forbidigo // this process speaks to its parent
				}
			}
		}()
	}
	return <-failed
}

// What was acknowledged is there after kill -9, again and again.
func TestAcknowledgedSurvivesKill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		path := filepath.Join(t.TempDir(), "records.db")
		child := exec.Command(self, "-test.run=^$")
		child.Env = append(os.Environ(), crashPath+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		noted, settled := map[postern.ID]bool{}, map[postern.ID]bool{}
		lines := bufio.NewScanner(out)
		var kill sync.Once
		for lines.Scan() {
			line := lines.Text()
			if len(line) != len("a")+len(madeID(0)) {
				break // cut short by the kill
			}
			switch id := postern.ID(line[1:]); line[0] {
			case 'a':
				noted[id] = true
			case 's':
				settled[id] = true
			}
			if len(noted) >= 200+150*round && len(settled) > 0 {
				kill.Do(func() {
					if err := child.Process.Kill(); err != nil {
						t.Error(err)
					}
				})
			}
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		if len(noted) < 200 || len(settled) == 0 {
			t.Fatalf("the child noted %d and settled %d before it ended", len(noted), len(settled))
		}

		r := openAt(t, path, newClock())
		for id := range noted {
			if _, err := r.Upload(t.Context(), id); err != nil {
				t.Fatalf("%s was acknowledged: %v", id, err)
			}
		}
		for id := range settled {
			if u, err := r.Upload(t.Context(), id); err != nil || u.State != postern.Ready {
				t.Fatalf("%s was settled: %q, %v", id, u.State, err)
			}
		}
		t.Logf("round %d: %d noted, %d settled, all there", round, len(noted), len(settled))
		sound(t, r)
	}
}
