package s3d

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// What a server did during many requests is replayed up to each of its steps,
// the power is cut there, and a new server is opened on what is left: all that
// was answered before must be there, and of the request that was being served
// all or nothing.

// allowed returns what each subject may look like after so many steps.
func (r *recording) allowed(steps, early int) map[string][]string {
	looks := make(map[string][]string)
	for target, s := range r.first {
		looks[target] = []string{s}
	}
	for _, m := range r.moments {
		for target, after := range m.after {
			switch {
			case m.to-early <= steps: // it was answered
				looks[target] = []string{after}
			case m.from < steps:
				looks[target] = append(looks[target], after)
			}
		}
	}
	return looks
}

// scratchDir is a folder for many files that need not outlive the test: in
// memory where that is offered, so that nobody else's disk traffic is waited for.
func scratchDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "power-loss-") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// replay is how losses goes about it.
type replay struct {
	steps []step
	from  int  // the first step to look behind
	early int  // by how many steps requests were answered before they were
	first bool // stop at the first loss
}

// losses replays steps, cuts the power after each, and returns what is wrong
// with what is left.
func (r *recording) losses(p replay) (found []string) {
	t := r.t
	start := maps.Clone(r.start.root.kept)
	v := &volume{dir: r.dir, root: newFolder()}
	for name, n := range start {
		v.root.names[name], v.root.kept[name] = n, n
	}
	random := rand.New(rand.NewPCG(2, 3))
	scratch := scratchDir(t)
	pool := filepath.Join(scratch, "pool")
	must(t, os.Mkdir(pool, 0o700))
	seen := make(map[string]bool)
	states, limit := 0, 32
	if testing.Short() {
		limit = 2
	}
	for i := 0; ; i++ {
		looks := r.allowed(i, p.early)
		for _, left := range v.outcomes(limit, random) {
			if i < p.from {
				break
			}
			key := left.sum() + fmt.Sprint(looks)
			if seen[key] {
				continue
			}
			seen[key] = true
			dir := filepath.Join(scratch, fmt.Sprint(states))
			states++
			left.write(t, dir, pool)
			if err := r.whole(dir, looks); err != nil {
				what := "before all"
				if i > 0 {
					what = strings.ReplaceAll(fmt.Sprint(p.steps[i-1].change), r.dir, "")
				}
				found = append(found, fmt.Sprintf("after step %d, %s: %v", i, what, err))
				if p.first {
					return found
				}
			}
			must(t, os.RemoveAll(dir))
		}
		if i == len(p.steps) {
			break
		}
		if err := v.apply(p.steps[i]); err != nil {
			return append(found, fmt.Sprintf("step %d: %v", i+1, err))
		}
	}
	t.Logf("%d steps, %d states", len(p.steps), states)
	return found
}

// whole opens a server on a folder and holds it against what its subjects may
// look like.
func (r *recording) whole(dir string, looks map[string][]string) (err error) {
	t := r.t
	s, err := New(Config{Dir: dir, Keys: []sigv4.Credentials{testKey}, Now: r.now, NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	there := make(map[string]bool)
	for _, target := range slices.Sorted(maps.Keys(looks)) {
		u := r.subjects[target]
		got := u.look(t, s, target)
		may := looks[target]
		if !slices.Contains(may, got) {
			err = errors.Join(err, fmt.Errorf("%s looks like\n%s\nand not like\n%s", target, got, strings.Join(may, "\nor\n")))
		}
		there[target] = strings.HasPrefix(got, "404")
	}
	for _, name := range []string{testBucket, "second"} {
		if _, none := os.Stat(filepath.Join(dir, name, objectsDir)); none == nil {
			drafts, bad := readNames(filepath.Join(dir, name, draftsDir))
			if err = errors.Join(err, bad); len(drafts) > 0 {
				err = errors.Join(err, fmt.Errorf("left behind: %v", drafts))
			}
		}
		err = errors.Join(err, r.listed(s, name, there), r.goesOn(s, name))
	}
	all, bad := readNames(dir)
	for _, name := range all {
		if strings.HasPrefix(name, deletedPrefix) {
			bad = errors.Join(bad, fmt.Errorf("left behind: %s", name))
		}
	}
	return errors.Join(err, bad)
}

// listed checks that what is listed can be read, and what can be read is listed.
func (r *recording) listed(s *Server, bucket string, absent map[string]bool) (err error) {
	got := ask(r.t, s, "GET", "/"+bucket+"?list-type=2", nil, nil)
	if got.status == 404 {
		return nil
	}
	var list struct {
		Contents []struct {
			Key, ETag string
			Size      int
		}
	}
	must(r.t, xml.Unmarshal(got.body, &list))
	names := make(map[string]bool)
	for _, o := range list.Contents {
		target := objectAt(bucket, o.Key).target
		names[target] = true
		if g := ask(r.t, s, "HEAD", target, nil, nil); g.status != 200 || g.header.Get("Content-Length") != strconv.Itoa(o.Size) || g.header.Get("ETag") != o.ETag {
			err = errors.Join(err, fmt.Errorf("%s is listed with %d bytes and %s, and answered %d with %s bytes and %s", target, o.Size, o.ETag, g.status, g.header.Get("Content-Length"), g.header.Get("ETag")))
		}
	}
	for target := range absent {
		if s := r.subjects[target]; s.bucket == bucket && !strings.Contains(target, "?") && strings.Count(target, "/") > 1 && absent[target] == names[target] {
			err = errors.Join(err, fmt.Errorf("%s is absent: %v, listed: %v", target, absent[target], names[target]))
		}
	}
	return err
}

// goesOn checks that a bucket can be worked with: made if it is not there, and
// then as empty as a new one is.
func (r *recording) goesOn(s *Server, bucket string) (err error) {
	want := func(status int, method, target, body string) reply {
		got := ask(r.t, s, method, target, []byte(body), nil)
		if got.status != status {
			err = errors.Join(err, fmt.Errorf("%s %s afterwards: %d %s, want %d", method, target, got.status, got.code(), status))
		}
		return got
	}
	if ask(r.t, s, "HEAD", "/"+bucket, nil, nil).status == 404 {
		want(200, "PUT", "/"+bucket, "")
		for _, setting := range []string{"cors", "policy", "lifecycle"} {
			want(404, "GET", "/"+bucket+"?"+setting, "")
		}
		for _, list := range []string{"list-type=2", "uploads"} {
			if got := want(200, "GET", "/"+bucket+"?"+list, ""); bytes.Contains(got.body, []byte("<Key>")) {
				err = errors.Join(err, fmt.Errorf("a new bucket has %s", got.body))
			}
		}
	}
	want(200, "PUT", "/"+bucket+"/after", "all")
	if got := want(200, "GET", "/"+bucket+"/after", ""); string(got.body) != "all" {
		err = errors.Join(err, fmt.Errorf("written afterwards: %q", got.body))
	}
	want(204, "DELETE", "/"+bucket+"/after", "")
	return err
}

// No power loss takes what was answered, and none leaves anything by halves; and
// the check can tell, for it finds what is lost when steps are left out or done
// in another order.
func TestPowerLoss(t *testing.T) {
	begun := time.Now()
	r := recordAll(t)
	steps := r.recorder.steps
	t.Logf("recorded in %v", time.Since(begun))
	t.Run("steps are all", r.stepsAreAll)
	t.Run("order", r.inOrder)
	for i, loss := range r.losses(replay{steps: steps}) {
		if t.Error(loss); i > 10 {
			t.Fatal("and more")
		}
	}
	t.Logf("checked in %v", time.Since(begun))

	without := func(ops ...string) []step {
		changed := slices.Clone(steps)
		for i := range changed {
			if slices.Contains(ops, changed[i].op) {
				changed[i].op = leftOut
			}
		}
		return changed
	}
	late := slices.Clone(steps)
	for i := range late[1:] {
		if a, b := late[i], late[i+1]; a.op == "sync" && b.op == "rename" && a.path == b.path {
			late[i], late[i+1] = b, step{change{"sync", b.to, ""}, a.content}
		}
	}
	wrong := map[string]replay{
		"nothing synced":         {steps: without("sync", "syncdir")},
		"no file synced":         {steps: without("sync")},
		"no folder synced":       {steps: without("syncdir")},
		"synced behind rename":   {steps: late},
		"answered before synced": {steps: steps, early: 1},
	}
	// And each single sync matters: of bytes, and of a folder where a file has just got its name.
	n := 0
	for i, s := range steps {
		if s.op == "sync" && len(s.content.bytes) > 0 || s.op == "syncdir" && i > 0 && steps[i-1].op == "rename" && filepath.Dir(steps[i-1].to) == s.path {
			if n++; n%12 == 1 {
				changed := slices.Clone(steps)
				changed[i].op = leftOut
				wrong[fmt.Sprintf("without step %d, %s", i+1, s.op)] = replay{steps: changed, from: i}
			}
		}
	}
	for name, p := range wrong {
		p.first = true
		if found := r.losses(p); len(found) == 0 {
			t.Errorf("%s: no loss was found", name)
		} else {
			line, _, _ := strings.Cut(found[0], "\n")
			t.Logf("%s: %s", name, line)
		}
	}
	t.Logf("done in %v", time.Since(begun))
}

// stepsAreAll checks that the folder is what the steps make of it: nothing is
// changed behind the disk's back.
func (r *recording) stepsAreAll(t *testing.T) {
	v := newVolume(t, t.TempDir())
	v.dir = r.dir
	maps.Copy(v.root.names, r.start.root.names)
	for i, s := range r.recorder.steps {
		if err := v.apply(s); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if got, want := newVolume(t, r.dir).lose(newest), v.lose(newest); got.sum() != want.sum() {
		for path := range got {
			if _, ok := want[path]; !ok {
				t.Errorf("%s is there, and no step made it", path)
			}
		}
		for path, content := range want {
			if found, ok := got[path]; !ok || found != nil && content != nil && found.sum != content.sum {
				t.Errorf("%s is not what the steps made of it (there: %v)", path, ok)
			}
		}
	}
}

// inOrder checks the rule itself: no file gets a name that is not synced, and no
// request is answered before the folders are in which it changed a name.
func (r *recording) inOrder(t *testing.T) {
	synced := make(map[string]*bytesOf)
	for i, s := range r.recorder.steps {
		switch s.op {
		case "sync":
			synced[s.path] = s.content
		case "rename":
			if s.content == nil { // a folder
				continue
			}
			if content, ok := synced[s.path]; !ok || content.sum != s.content.sum {
				t.Errorf("step %d: %s becomes %s and is not synced", i, s.path, s.to)
			}
			synced[s.to] = s.content
			delete(synced, s.path)
		}
	}
	renamed := 0
	for _, m := range r.moments {
		if !m.alone || !m.changed {
			continue
		}
		open := make(map[string]step) // folders by the change in them
		for _, s := range r.recorder.steps[m.from:m.to] {
			switch s.op {
			case "mkdir", "remove":
				// Drafts and what is left of a deleted bucket are removed at the next start, too.
				if filepath.Base(filepath.Dir(s.path)) != draftsDir && !strings.Contains(s.path, deletedPrefix) {
					open[filepath.Dir(s.path)] = s
				}
				delete(open, s.path) // a folder that is gone needs no sync
			case "rename":
				open[filepath.Dir(s.to)] = s
				renamed++
			case "syncdir":
				delete(open, s.path)
			}
		}
		for _, s := range open {
			t.Errorf("%s was answered before the folder of %v was synced", m.name, s.change)
		}
	}
	if renamed < 20 {
		t.Errorf("only %d files got their names", renamed)
	}
}
