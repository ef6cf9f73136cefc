package worker_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"postern.example/postern/internal/decoder"
	"postern.example/postern/internal/imaging"
	"postern.example/postern/internal/worker"
)

// engine is what the tests' workers have: one in this process, or one whose
// work is done by children.
var engine worker.Engine = imaging.Engine{}

const childrenVariable = "POSTERN_TEST_CHILDREN"

func TestMain(m *testing.M) {
	if code, child := decoder.Main(os.Args, os.Stdin, os.Stdout, os.Stderr, imaging.Engine{}); child {
		os.Exit(code)
	}
	if os.Getenv(childrenVariable) == "" {
		os.Exit(m.Run())
	}
	d, err := decoder.New(context.Background(), decoder.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	engine = d
	code := m.Run()
	if err := d.Close(); err != nil {
		code = 1
	}
	os.Exit(code)
}

// All that holds for a worker that opens pictures itself holds for one whose
// children do.
func TestInChildren(t *testing.T) {
	if os.Getenv(childrenVariable) != "" {
		return
	}
	args := []string{"-test.run", "^Test"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childrenVariable+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
