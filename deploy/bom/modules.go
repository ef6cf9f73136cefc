package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is one whose packages are linked into the program.
type module struct {
	path, version string
	files         []text // its licences and notices, by name
}

// text is a file of a licence or a notice.
type text struct {
	name string // below the module
	body []byte
}

// platforms are those that releases are built for.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// program is what releases hold, below the repository.
const program = "./cmd/postern"

// repository is the folder of the module around this one.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err == nil {
		return strings.TrimSpace(string(out)), nil
	}
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "cmd", "postern")); err != nil {
		return "", errors.New("find the repository: run it with go run -C deploy/bom, in the checkout")
	}
	return dir, nil
}

// linked lists the modules of the program on all platforms, by path.
func linked(ctx context.Context, root string) ([]module, error) {
	found := map[string]*module{}
	for _, p := range platforms {
		system, processor, _ := strings.Cut(p, "/")
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Dir,Module", program)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
		var fault bytes.Buffer
		cmd.Stderr = &fault
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("list packages for %s: %w: %s", p, err, fault.String())
		}
		if err := addPackages(found, out); err != nil {
			return nil, err
		}
	}
	var list []module
	for _, m := range found {
		slices.SortFunc(m.files, func(a, b text) int { return strings.Compare(a.name, b.name) })
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return list, nil
}

// addPackages reads what go list wrote.
func addPackages(found map[string]*module, listing []byte) error {
	for d := json.NewDecoder(bytes.NewReader(listing)); ; {
		var p struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the list of packages: %w", err)
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		m := found[p.Module.Path]
		if m == nil {
			m = &module{path: p.Module.Path, version: p.Module.Version}
			found[m.path] = m
		}
		// What was taken over from elsewhere has its licence beside it.
		for dir := p.Dir; ; dir = filepath.Dir(dir) {
			if err := m.addFiles(p.Module.Dir, dir); err != nil {
				return err
			}
			if len(dir) <= len(p.Module.Dir) {
				break
			}
		}
	}
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense|patents)`)

// addFiles adds the licences and notices that lie in a folder of the module.
func (m *module) addFiles(root, dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read licences of %s: %w", m.path, err)
	}
	for _, f := range list {
		ext := strings.ToLower(filepath.Ext(f.Name()))
		if f.IsDir() || !licenceFile.MatchString(f.Name()) || ext == ".go" {
			continue
		}
		name, err := filepath.Rel(root, filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if slices.ContainsFunc(m.files, func(t text) bool { return t.name == name }) {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, f.Name())) //nolint:gosec // in the folder that go list names
		if err != nil {
			return err
		}
		m.files = append(m.files, text{name, body})
	}
	return nil
}
