package folder

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// Many who rewrite at a time lose nothing of each other's.
func TestRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "n")
	const writers = 20
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			err := Rewrite(path, func(old []byte) ([]byte, error) {
				n, _ := strconv.Atoi(string(old)) // nothing is 0
				return []byte(strconv.Itoa(n + 1)), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if b, err := os.ReadFile(path); string(b) != strconv.Itoa(writers) {
		t.Errorf("%q, %v; want %d", b, err, writers)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	broken := errors.New("broken")
	if err := Rewrite(path, func([]byte) ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if b, _ := os.ReadFile(path); string(b) != strconv.Itoa(writers) {
		t.Errorf("a change that failed left %q", b)
	}
}
