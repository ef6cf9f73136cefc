package s3d

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A power loss takes what the disk was not told to keep. This file has a model
// of the most forgetful file system that POSIX allows: of a file it keeps the
// bytes that were there at its fsync, of a folder the names that were there at
// the folder's. What came after may be there or not, each name for itself.

// bytesOf are the bytes of a file, and their hash.
type bytesOf struct {
	bytes []byte
	sum   string
}

func newBytes(b []byte) *bytesOf {
	sum := sha256.Sum256(b)
	return &bytesOf{b, hex.EncodeToString(sum[:])}
}

// step is a change as it was made, with what was in the file then.
type step struct {
	change
	content *bytesOf // of "sync", and of "rename" unless of a folder
}

// leftOut stands for a step that is not made.
const leftOut = "left out"

// recorder notes each step of a server.
type recorder struct {
	t     testing.TB
	mu    sync.Mutex
	steps []step
}

func (r *recorder) note(c change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := step{change: c}
	path := map[string]string{"sync": c.path, "rename": c.to}[c.op]
	if fi, err := os.Stat(path); path != "" && err == nil && fi.Mode().IsRegular() {
		b, err := os.ReadFile(path)
		if err != nil {
			r.t.Error(err)
		}
		s.content = newBytes(b)
	}
	r.steps = append(r.steps, s)
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.steps)
}

// inode is a file or, when it has names, a folder.
type inode struct {
	content *bytesOf // of a file, as last seen
	synced  bool     // and the disk was told to keep it

	names map[string]*inode   // of a folder, as running programs see it
	kept  map[string]*inode   // the same at its last sync
	since map[string][]*inode // what each name has meant after that; nil: nothing
}

func newFolder() *inode {
	return &inode{names: make(map[string]*inode), kept: make(map[string]*inode), since: make(map[string][]*inode)}
}

func (n *inode) set(name string, to *inode) {
	if to == nil {
		delete(n.names, name)
	} else {
		n.names[name] = to
	}
	n.since[name] = append(n.since[name], to)
}

// volume is a folder on such a file system.
type volume struct {
	dir  string // where the real one is
	root *inode
}

// newVolume takes what is in dir now for kept.
func newVolume(t testing.TB, dir string) *volume {
	t.Helper()
	v := &volume{dir: dir, root: newFolder()}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		parent, name, err := v.parent(path)
		if err != nil {
			return err
		}
		n := newFolder()
		if !e.IsDir() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			n = &inode{content: newBytes(b), synced: true}
		}
		parent.names[name], parent.kept[name] = n, n
		return nil
	}))
	return v
}

// find returns what a path means now, parent the folder that it is in.
func (v *volume) find(path string) (*inode, error) {
	rel, err := filepath.Rel(v.dir, path)
	if err != nil {
		return nil, err
	}
	n := v.root
	if rel == "." {
		return n, nil
	}
	for name := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		if n = n.names[name]; n == nil {
			return nil, fmt.Errorf("%s was made behind the disk's back", rel)
		}
	}
	return n, nil
}

func (v *volume) parent(path string) (*inode, string, error) {
	n, err := v.find(filepath.Dir(path))
	if err == nil && n.names == nil {
		err = fmt.Errorf("%s is in no folder", path)
	}
	return n, filepath.Base(path), err
}

// apply makes one step.
func (v *volume) apply(s step) error {
	if s.op == leftOut {
		return nil
	}
	if s.op == "syncdir" || s.op == "sync" {
		n, err := v.find(s.path)
		switch {
		case err != nil:
			return err
		case (s.op == "syncdir") != (n.names != nil):
			return fmt.Errorf("%s of %s, which is of another kind", s.op, s.path)
		case s.op == "sync":
			n.content, n.synced = s.content, true
		default:
			n.kept = maps.Clone(n.names)
			clear(n.since)
		}
		return nil
	}
	parent, name, err := v.parent(s.path)
	if err != nil {
		return err
	}
	old := parent.names[name]
	switch s.op {
	case "create", "mkdir":
		if old != nil {
			return fmt.Errorf("%s of %s, which is there", s.op, s.path)
		}
		n := &inode{content: newBytes(nil)}
		if s.op == "mkdir" {
			n = newFolder()
		}
		parent.set(name, n)
		return nil
	case "remove", "rename":
		if old == nil {
			return fmt.Errorf("%s of %s, which is not there", s.op, s.path)
		}
		parent.set(name, nil)
		if s.op == "remove" {
			return nil
		}
	default:
		return fmt.Errorf("%q is no step that we know", s.op)
	}
	to, name, err := v.parent(s.to)
	if err != nil {
		return err
	}
	if old.names == nil && old.content.sum != s.content.sum {
		old.content, old.synced = s.content, false // written to behind its sync
	}
	to.set(name, old)
	return nil
}

// tree is what is left: a path to what is in a file, or to nil for a folder.
type tree map[string]*bytesOf

// picker chooses which of n meanings an unsettled name has; 0 is what it was at
// its folder's last sync, n-1 the last one.
type picker func(n int) int

func oldest(int) int   { return 0 }
func newest(n int) int { return n - 1 }

// lose returns what is left when the power goes now. Bytes that were not synced
// are half there.
func (v *volume) lose(pick picker) tree {
	left := make(tree)
	var walk func(n *inode, at string)
	walk = func(n *inode, at string) {
		if n.names == nil {
			if left[at] = n.content; !n.synced {
				left[at] = newBytes(n.content.bytes[:len(n.content.bytes)/2])
			}
			return
		}
		if at != "" {
			left[at] = nil
		}
		names := maps.Clone(n.kept)
		for _, name := range slices.Sorted(maps.Keys(n.since)) {
			if i := pick(len(n.since[name]) + 1); i > 0 {
				names[name] = n.since[name][i-1]
			}
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if names[name] != nil {
				walk(names[name], filepath.Join(at, name))
			}
		}
	}
	walk(v.root, "")
	return left
}

// outcomes returns all that can be left, up to a limit: both extremes come
// first, and beyond the limit chance picks as many again.
func (v *volume) outcomes(limit int, random *rand.Rand) []tree {
	v.forgetDrafts()
	all := []tree{v.lose(oldest), v.lose(newest)}
	// Each way through the tree is a row of picks; the last one that can still
	// be raised is raised for the next way.
	var picks, of []int
	for len(all) < limit {
		at := 0
		of = of[:0]
		all = append(all, v.lose(func(n int) int {
			if at++; at > len(picks) {
				picks = append(picks, 0)
			}
			of = append(of, n)
			return picks[at-1]
		}))
		picks = picks[:at]
		for at--; at >= 0 && picks[at] == of[at]-1; at-- {
			picks = picks[:at]
		}
		if at < 0 {
			return all
		}
		picks[at]++
	}
	for range limit {
		all = append(all, v.lose(random.IntN))
	}
	return all
}

// forgetDrafts settles the names of drafts, which nobody ever syncs: their
// number would hide the other names, and each is removed at the next start.
func (v *volume) forgetDrafts() {
	for _, b := range v.root.names {
		if drafts := b.names[draftsDir]; drafts != nil {
			for name, meanings := range drafts.since {
				if meanings[len(meanings)-1] == nil {
					delete(drafts.kept, name)
					delete(drafts.since, name)
				}
			}
		}
	}
}

// sum is the same for the same tree.
func (l tree) sum() string {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(l)) {
		sum := ""
		if l[path] != nil {
			sum = l[path].sum
		}
		fmt.Fprintf(h, "%q %q\n", path, sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// write makes the tree below dir. Equal files are one file, in pool: a Server
// changes none in place.
func (l tree) write(t testing.TB, dir, pool string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	for _, path := range slices.Sorted(maps.Keys(l)) { // a folder comes before what is in it
		to := filepath.Join(dir, path)
		if l[path] == nil {
			must(t, os.Mkdir(to, 0o700))
			continue
		}
		if path == ".lock" {
			must(t, os.WriteFile(to, nil, 0o600))
			continue
		}
		from := filepath.Join(pool, l[path].sum)
		if _, err := os.Stat(from); err != nil {
			must(t, os.WriteFile(from, l[path].bytes, 0o600))
		}
		if os.Link(from, to) != nil {
			must(t, os.WriteFile(to, l[path].bytes, 0o600))
		}
	}
}

// The model knows what it is to find: a name without a sync of its folder may be
// gone, bytes without a sync may be, and what was synced stays.
func TestVolume(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	v := newVolume(t, dir)
	random := rand.New(rand.NewPCG(1, 2))
	for i, s := range []struct {
		step        step
		least, most string
		outcomes    int
	}{
		{step{change: change{"mkdir", at("d"), ""}}, "", "d/", 2},
		{step{change: change{"create", at("a"), ""}}, "", `a="" d/`, 4},
		{step{change{"rename", at("a"), at("d/b")}, newBytes([]byte("12"))}, "", `d/ d/b="1"`, 6},
		{step{change{"sync", at("d/b"), ""}, newBytes([]byte("12"))}, "", `d/ d/b="12"`, 6},
		{step{change: change{"syncdir", at("d"), ""}}, "", `d/ d/b="12"`, 4},
		{step{change: change{"syncdir", dir, ""}}, `d/ d/b="12"`, `d/ d/b="12"`, 1},
		{step{change: change{"remove", at("d/b"), ""}}, `d/ d/b="12"`, `d/`, 2},
		{step{change: change{"syncdir", at("d"), ""}}, `d/`, `d/`, 1},
	} {
		must(t, v.apply(s.step))
		if got := v.lose(oldest).String(); got != s.least {
			t.Errorf("step %d, at least: %s, want %s", i, got, s.least)
		}
		if got := v.lose(newest).String(); got != s.most {
			t.Errorf("step %d, at most: %s, want %s", i, got, s.most)
		}
		seen := make(map[string]bool)
		for _, l := range v.outcomes(50, random) {
			seen[l.String()] = true
		}
		if len(seen) != s.outcomes {
			t.Errorf("step %d: %d outcomes, want %d: %v", i, len(seen), s.outcomes, seen)
		}
	}
	for _, c := range []change{{"sync", at("x"), ""}, {"syncdir", at("x"), ""}, {"rename", at("x"), at("y")}, {"remove", at("x"), ""}, {"mkdir", at("d"), ""}, {"link", at("d"), ""}} {
		if v.apply(step{change: c}) == nil {
			t.Errorf("%v is taken", c)
		}
	}
}

func (l tree) String() string {
	var all []string
	for _, path := range slices.Sorted(maps.Keys(l)) {
		if l[path] == nil {
			all = append(all, filepath.ToSlash(path)+"/")
		} else {
			all = append(all, fmt.Sprintf("%s=%q", filepath.ToSlash(path), l[path].bytes))
		}
	}
	return strings.Join(all, " ")
}
