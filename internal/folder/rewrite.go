package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// rewritePatience is how long another process that rewrites the file is waited for.
const rewritePatience = 5 * time.Second

// Rewrite replaces the file at path by what change makes of its content, nil if
// there is none. One process at a time does so; whoever reads the file sees the
// old one or the new one, also after a power cut. It is for its owner only, and
// so is its folder, if that has to be made. When change fails, the file stays as
// it is.
func Rewrite(path string, change func(old []byte) ([]byte, error)) error {
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// A file of its own: the one at path is another one each time.
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // beside the file that the caller names
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer lock.Close() //nolint:errcheck // nothing is written to it
	for end := time.Now().Add(rewritePatience); ; time.Sleep(10 * time.Millisecond) {
		if err = lockWhole(lock); err == nil {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("write %s: another process is writing it", path)
		}
	}
	old, err := os.ReadFile(path) //nolint:gosec // the file that the caller names
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", path, err)
	}
	content, err := change(old)
	if err != nil {
		return err
	}
	if err := writeWhole(path, content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
