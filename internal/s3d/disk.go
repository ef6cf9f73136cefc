package s3d

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// disk is every change that a Server makes to its folder, in one place: what
// is written becomes an object in three steps whose order carries everything
// (file synced, then renamed, then folder synced), and the tests replay that
// order to see what a power loss would leave at every point of it.
type disk struct {
	fsync bool         // false: steps are not waited for (Config.NoSync)
	trace func(change) // for tests: told of each change once it was made; nil otherwise
}

// change is one step. The names are those of the system calls.
type change struct {
	op   string // "create", "sync", "rename", "mkdir", "remove", "syncdir"
	path string
	to   string // of a rename
}

func (d *disk) note(op, path, to string) {
	if d.trace != nil {
		d.trace(change{op, path, to})
	}
}

// create makes a new file for writing.
func (d *disk) create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // a name of our own
	if err == nil {
		d.note("create", path, "")
	}
	return f, err
}

// finish makes a file's bytes durable and closes it.
func (d *disk) finish(f *os.File) error {
	var err error
	if d.fsync {
		if err = f.Sync(); err == nil {
			d.note("sync", f.Name(), "")
		}
	}
	return errors.Join(err, f.Close())
}

func (d *disk) rename(from, to string) error {
	err := os.Rename(from, to)
	if err == nil {
		d.note("rename", from, to)
	}
	return err
}

// mkdir makes a folder. That there is one is no error.
func (d *disk) mkdir(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		d.note("mkdir", path, "")
	}
	return err
}

// mkdirAll makes a folder and those around it, each durable before the next.
func (d *disk) mkdirAll(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	around := filepath.Dir(path)
	if around == path {
		return fs.ErrNotExist
	}
	if err := d.mkdirAll(around); err != nil {
		return err
	}
	if err := d.mkdir(path); err != nil {
		return err
	}
	return d.syncDir(around)
}

// remove removes a file or an empty folder.
func (d *disk) remove(path string) error {
	err := os.Remove(path)
	if err == nil {
		d.note("remove", path, "")
	}
	return err
}

// syncDir makes the names in a folder durable.
func (d *disk) syncDir(path string) error {
	if !d.fsync {
		return nil
	}
	err := syncFolder(path)
	if err == nil {
		d.note("syncdir", path, "")
	}
	return err
}

// writeFile replaces a file by way of a draft, durably. A nil document removes
// it; that there is none is no error.
func (d *disk) writeFile(dir, name, draft string, doc []byte) (err error) {
	path, from := filepath.Join(dir, name), filepath.Join(dir, draftsDir, draft)
	if doc == nil {
		if err := d.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", name, err)
		}
		return d.syncDir(dir)
	}
	f, err := d.create(from)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			os.Remove(from) //nolint:errcheck // what stays is removed at the next start
		}
	}()
	_, err = f.Write(doc)
	if err = errors.Join(err, d.finish(f)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := d.rename(from, path); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return d.syncDir(dir)
}
