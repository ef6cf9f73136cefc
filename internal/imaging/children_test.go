package imaging

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"postern.example/postern"
	"postern.example/postern/internal/decoder"
)

// engine is what the tests ask: the Engine here, or one in a child process.
var engine decoder.Engine = Engine{}

const childrenVariable = "POSTERN_TEST_CHILDREN"

func TestMain(m *testing.M) {
	if code, child := decoder.Main(os.Args, os.Stdin, os.Stdout, os.Stderr, Engine{}); child {
		os.Exit(code)
	}
	if os.Getenv(childrenVariable) == "" {
		os.Exit(m.Run())
	}
	d, err := decoder.New(context.Background(), decoder.Config{Memory: decoder.MemoryFor([]postern.Preset{*preset()})})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	engine = d
	code := m.Run()
	if s := d.Stats(); s.Deaths != 0 {
		fmt.Fprintf(os.Stderr, "pictures ended children: %+v\n", s)
		code = 1
	}
	if err := d.Close(); err != nil {
		code = 1
	}
	os.Exit(code)
}

// All that holds for the Engine here holds for one in a child process.
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
