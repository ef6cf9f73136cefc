package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCondition knows [servers]: other people's S3 servers are installed
// (.ci/servers), and [browser]: Chromium, Node and the packages of web/ are.
func scriptCondition(what string) (bool, error) {
	switch what {
	case "servers":
		_, err := lookIn(os.Getenv("POSTERN_SERVERS"), "versitygw")
		return err == nil, nil
	case "browser":
		_, err := os.Stat(filepath.Join("..", "..", "web", "node_modules", "playwright-core"))
		_, nodeErr := exec.LookPath("node")
		return err == nil && nodeErr == nil && chromium() != "", nil
	}
	return false, fmt.Errorf("there is no condition %q", what)
}

func chromium() string {
	for _, path := range []string{os.Getenv("CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"} {
		if _, err := os.Stat(path); path != "" && err == nil {
			return path
		}
	}
	return ""
}

// versity starts versitygw with an IAM of its own, and sets ENDPOINT,
// IAM_ENDPOINT and its root's key as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
func versityScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: versity")
	}
	path, err := lookIn(os.Getenv("POSTERN_SERVERS"), "versitygw")
	ts.Check(err)
	// A socket's path has 104 bytes at most, which the script's folder may exceed.
	dir, err := os.MkdirTemp("", "vgw")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	for _, folder := range []string{"iam", "data"} {
		ts.Check(os.Mkdir(filepath.Join(dir, folder), 0o700))
	}
	const id, secret = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	socket := filepath.Join(dir, "iam.sock")
	start := func(args ...string) (address string) {
		address = freeAddress(ts)
		cmd := exec.Command(path, append([]string{"-a", id, "-s", secret, "-p", address, "--keep-alive"}, args...)...)
		cmd.Dir = dir
		said, err := os.Create(filepath.Join(dir, strings.TrimLeft(args[0], "-")+".log"))
		ts.Check(err)
		cmd.Stdout, cmd.Stderr = said, said
		ts.Check(cmd.Start())
		ts.Defer(func() {
			cmd.Process.Kill() //nolint:errcheck // it may have ended
			cmd.Wait()         //nolint:errcheck // it was killed
			said.Close()
		})
		eventually(ts, "versitygw to answer", func() bool {
			r, err := http.NewRequest(http.MethodGet, "http://"+address, nil)
			ts.Check(err)
			resp, err := http.DefaultTransport.RoundTrip(r) // to ask is answered with a redirect to AWS's pages
			if err != nil {
				return false
			}
			resp.Body.Close()
			return true
		})
		return address
	}
	ts.Setenv("IAM_ENDPOINT", "http://"+start("iam", "--dir", filepath.Join(dir, "iam"), "--quiet", "--disable-oidc-thumbprint-autofetch", "--private-ports", socket))
	ts.Setenv("ENDPOINT", "http://"+start("--quiet", "--iam-standalone-endpoint", socket, "posix", filepath.Join(dir, "data")))
	ts.Setenv("AWS_ACCESS_KEY_ID", id)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", secret)
}

// freeport NAME sets NAME to a port that nobody listens on.
func freePortScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	ts.Setenv(args[0], freeAddress(ts)[len("127.0.0.1:"):])
}

func freeAddress(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	return l.Addr().String()
}

// browse SCRIPT.mjs [arg...] runs a script of testdata/browser in Node, which
// drives Chromium.
func browseScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: browse SCRIPT.mjs [arg...]")
	}
	file, err := filepath.Abs(filepath.Join("testdata", "browser", args[0]))
	ts.Check(err)
	cmd := exec.Command("node", append([]string{file}, args[1:]...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromium())
	out, err := cmd.CombinedOutput()
	fmt.Fprintf(ts.Stdout(), "%s", out)
	if err != nil {
		ts.Fatalf("%s: %v\n%s", args[0], err, out)
	}
}
