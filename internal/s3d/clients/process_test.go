package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// runs starts a client's own tests in a process of their own, against a site.
// They must all have run: a runner that finds none succeeds, too.
func runs(t *testing.T, s site, dir string, ran *regexp.Regexp, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, s.environment()
	out, err := cmd.CombinedOutput()
	found := ran.FindSubmatch(out)
	if err != nil || found == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s: %s passed", name, found[1])
}

func TestPython(t *testing.T) {
	leftOut(t, "python")
	python := os.Getenv("POSTERN_CLIENTS_PYTHON")
	if python == "" {
		python = "/usr/bin/python3"
	}
	version, err := exec.CommandContext(t.Context(), python, "-c", "import boto3; print(boto3.__version__)").Output()
	if err != nil {
		missing(t, "boto3", "apt-get install python3-boto3")
	}
	t.Logf("boto3 %s", version)
	each(t, func(t *testing.T, s site) {
		runs(t, s, "python", regexp.MustCompile(`Ran (\d+) tests? in .*\n\nOK\n`), python, "-B", "-W", "ignore::ResourceWarning", "-m", "unittest", "-v")
	})
}

func TestNode(t *testing.T) {
	leftOut(t, "node")
	if err := exec.CommandContext(t.Context(), "node", "--version").Run(); err != nil {
		missing(t, "node", "apt-get install nodejs npm")
	}
	if _, err := os.Stat("node/node_modules/@aws-sdk/client-s3"); err != nil {
		missing(t, "@aws-sdk/client-s3", "npm ci --prefix internal/s3d/clients/node")
	}
	files, err := filepath.Glob("node/*.test.mjs")
	must(t, err)
	args := []string{"--no-warnings", "--test", "--test-reporter=spec"}
	for _, f := range files {
		args = append(args, filepath.Base(f))
	}
	each(t, func(t *testing.T, s site) {
		runs(t, s, "node", regexp.MustCompile(`pass (\d+)\nℹ fail 0\n`), "node", args...)
	})
}
