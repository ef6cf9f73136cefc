package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"postern.example/postern/gate"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

// children is of the test binary, which is the program as well.
var children gate.Children

func TestMain(m *testing.M) {
	children = gate.Hook()
	testscript.Main(m, map[string]func(){"postern": main})
}

// TestScript runs the program as people do. One behaviour each; a script
// named threatNN pins that row of the list of threats.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		Condition:           scriptCondition,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[runningKey{}] = &running{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve":     serveScript,
			"bucket":    bucketScript,
			"s3":        s3Script,
			"halt":      haltScript,
			"interrupt": interruptScript,
			"ended":     endedScript,
			"hold":      holdScript,
			"release":   releaseScript,
			"http":      httpScript,
			"photo":     photoScript,
			"upload":    uploadScript,
			"keys":      keysScript,
			"keep":      keepScript,
			"mode":      modeScript,
			"jsonlines": jsonLinesScript,
			"terminal":  terminalScript,
			"versity":   versityScript,
			"browse":    browseScript,
			"freeport":  freePortScript,
		},
	})
}

type runningKey struct{}

// running is a script's gate.
type running struct {
	name   string // "serve" or "bucket"
	cmd    *exec.Cmd
	exited chan error
	held   net.Conn // of hold
	rest   string   // what hold kept back
}

const patience = 30 * time.Second

// serve [flag...] starts "postern serve" on free ports and waits until it says
// that it is ready. It sets URL, BUCKET, ADMIN and the addresses LISTEN and
// BUCKET_LISTEN; what it writes goes to
// serve.out and serve.err.
func serveScript(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(runningKey{}).(*running)
	if neg || r.cmd != nil {
		ts.Fatalf("usage: serve [flag...], once until halt")
	}
	any := []string{"serve"}
	for _, l := range []string{"--listen", "--bucket-listen", "--admin-listen"} {
		any = append(any, l, "127.0.0.1:0")
	}
	var env []string
	for _, x := range table() {
		env = append(env, x.env...)
	}
	said := r.start(ts, "serve", append(any, args...), env)
	for name, pattern := range map[string]string{
		"URL": `ready: (http://\S+)`, "BUCKET": `served on (http://\S+)`, "ADMIN": `metrics  (http://[^/\s]+)`,
	} {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(said); m != nil {
			ts.Setenv(name, m[1])
		}
	}
	ts.Setenv("LISTEN", strings.TrimPrefix(ts.Getenv("URL"), "http://"))
	ts.Setenv("BUCKET_LISTEN", strings.TrimPrefix(ts.Getenv("BUCKET"), "http://"))
	ts.Setenv("PORT", ts.Getenv("URL")[strings.LastIndex(ts.Getenv("URL"), ":")+1:])
}

// start starts the program and waits until it says that it is ready. What it
// writes goes to NAME.out, which is returned, and NAME.err. Of the script's
// variables it gets PATH, HOME and those named.
func (r *running) start(ts *testscript.TestScript, name string, args, env []string) (said string) {
	path, err := lookIn(ts.Getenv("PATH"), "postern")
	ts.Check(err)
	stdout, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	stderr, err := os.OpenFile(ts.MkAbs(name+".err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ts.Check(err)
	r.name, r.cmd = name, exec.Command(path, args...)
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = ts.MkAbs("."), stdout, stderr
	r.cmd.Env = []string{"GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
	for _, name := range append(env, "PATH", "HOME", "TMPDIR") {
		r.cmd.Env = append(r.cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(r.cmd.Start())
	exited := make(chan error, 1)
	r.exited = exited
	cmd := r.cmd
	go func() {
		exited <- errors.Join(cmd.Wait(), stdout.Close(), stderr.Close())
	}()
	ts.Defer(func() { cmd.Process.Kill() }) //nolint:errcheck // it may have ended
	eventually(ts, name+" to be ready", func() bool {
		select {
		case err := <-exited:
			ts.Fatalf("%s ended: %v\n%s", name, err, ts.ReadFile(name+".err"))
		default:
		}
		said = ts.ReadFile(name + ".out")
		return strings.Contains(said, "Ctrl-C to stop.") || strings.HasSuffix(said, "}\n")
	})
	return said
}

// halt ends the gate as Ctrl-C does and wants exit code 0; "halt kill" ends it
// without warning.
func haltScript(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(runningKey{}).(*running)
	if neg || r.cmd == nil || len(args) > 1 {
		ts.Fatalf("usage: halt [kill], after serve")
	}
	if len(args) == 1 {
		ts.Check(r.cmd.Process.Kill())
		r.wait(ts, syscall.SIGKILL)
		return
	}
	ts.Check(r.cmd.Process.Signal(syscall.SIGINT))
	r.wait(ts, 0)
}

// interrupt is Ctrl-C; it waits until the gate has begun to stop.
func interruptScript(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(runningKey{}).(*running)
	if neg || r.cmd == nil || len(args) > 0 {
		ts.Fatalf("usage: interrupt, after serve")
	}
	ts.Check(r.cmd.Process.Signal(syscall.SIGINT))
	eventually(ts, "the gate to stop", func() bool { return strings.Contains(ts.ReadFile("serve.err"), `"stopping"`) })
}

// ended waits until the gate has ended: with exit code 0, or "ended interrupted".
func endedScript(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(runningKey{}).(*running)
	if neg || r.cmd == nil {
		ts.Fatalf("usage: ended [interrupted], after serve")
	}
	if len(args) == 1 {
		r.wait(ts, syscall.SIGINT)
		return
	}
	r.wait(ts, 0)
}

// wait waits for the gate's end, by the given signal or with exit code 0.
func (r *running) wait(ts *testscript.TestScript, by syscall.Signal) {
	select {
	case <-r.exited: //nolint:errcheck // the state says how
	case <-time.After(patience):
		ts.Fatalf("%s does not end", r.name)
	}
	state := r.cmd.ProcessState
	if got, ok := state.Sys().(syscall.WaitStatus); by == 0 && !state.Success() || by != 0 && ok && got.Signal() != by {
		ts.Fatalf("%s ended with %v, want signal %d\n%s", r.name, state, by, ts.ReadFile(r.name+".err"))
	}
	r.cmd = nil
}

// http [-H 'Name: value']... METHOD URL [body] prints status, headers and body.
func httpScript(ts *testscript.TestScript, neg bool, args []string) {
	h := http.Header{}
	for len(args) > 1 && args[0] == "-H" {
		name, value, _ := strings.Cut(args[1], ":")
		h.Add(name, strings.TrimSpace(value))
		args = args[2:]
	}
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: http [-H 'Name: value']... METHOD URL [body]")
	}
	var body io.Reader
	if len(args) == 3 {
		body = strings.NewReader(args[2])
	}
	r, err := http.NewRequest(args[0], args[1], body)
	ts.Check(err)
	r.Header = h
	r.Host = h.Get("Host")
	res, err := http.DefaultTransport.RoundTrip(r)
	ts.Check(err)
	defer res.Body.Close()
	fmt.Fprintf(ts.Stdout(), "%s\n", res.Status)
	ts.Check(res.Header.Write(ts.Stdout()))
	fmt.Fprintln(ts.Stdout())
	_, err = io.Copy(ts.Stdout(), res.Body)
	ts.Check(err)
}

// photo FILE WIDTH HEIGHT makes a JPEG.
func photoScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: photo FILE WIDTH HEIGHT")
	}
	w, err := strconv.Atoi(args[1])
	ts.Check(err)
	h, err := strconv.Atoi(args[2])
	ts.Check(err)
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x * 255 / w), uint8(y * 255 / h), 99, 255})
		}
	}
	var b bytes.Buffer
	ts.Check(jpeg.Encode(&b, m, nil))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

// upload FILE [TYPE] sends a file as a browser would, waits until its upload
// is settled and prints it. It sets ID, and what must stay secret: POLICY,
// SIGNATURE and TICKET.
func uploadScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: upload FILE [TYPE]")
	}
	mediaType := "image/jpeg"
	if len(args) == 2 {
		mediaType = args[1]
	}
	content, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	u, err := send(ts.Getenv("URL"), filepath.Base(args[0]), mediaType, content)
	ts.Check(err)
	ts.Setenv("ID", u.id)
	for env, field := range map[string]string{"POLICY": "policy", "SIGNATURE": "x-amz-signature", "TICKET": "x-amz-meta-postern"} {
		if u.fields[field] == "" {
			ts.Fatalf("the grant has no field %s", field)
		}
		ts.Setenv(env, regexp.QuoteMeta(u.fields[field]))
	}
	fmt.Fprintf(ts.Stdout(), "%s\n", u.doc)
}

// hold JSON starts to ask for a grant, and stops before the last byte once
// the gate waits for it.
func holdScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold JSON")
	}
	r := ts.Value(runningKey{}).(*running)
	c, err := net.Dial("tcp", strings.TrimPrefix(ts.Getenv("URL"), "http://"))
	ts.Check(err)
	ts.Defer(func() { c.Close() })
	ts.Check(c.SetDeadline(time.Now().Add(patience)))
	fmt.Fprintf(c, "POST /uploads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n", len(args[0]))
	r.held, r.rest = c, args[0][len(args[0])-1:]
	line, err := bufio.NewReader(c).ReadString('\n')
	ts.Check(err)
	if !strings.Contains(line, "100 Continue") {
		ts.Fatalf("the gate says %q", line)
	}
	_, err = io.WriteString(c, args[0][:len(args[0])-1])
	ts.Check(err)
}

// release sends the byte that hold kept, and prints the answer.
func releaseScript(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(runningKey{}).(*running)
	if neg || len(args) != 0 || r.held == nil {
		ts.Fatalf("usage: release, after hold")
	}
	_, err := io.WriteString(r.held, r.rest)
	ts.Check(err)
	_, err = io.Copy(ts.Stdout(), r.held)
	ts.Check(err)
}

// keys FILE sets ACCESS_KEY, SECRET_KEY and SEALING to what the key file holds.
func keysScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keys FILE")
	}
	var doc struct {
		Access  string   `json:"bucket_access_key"`
		Secret  string   `json:"bucket_secret_key"`
		Sealing []string `json:"sealing_secrets"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &doc))
	ts.Setenv("ACCESS_KEY", doc.Access)
	ts.Setenv("SECRET_KEY", regexp.QuoteMeta(doc.Secret))
	ts.Setenv("SEALING", regexp.QuoteMeta(doc.Sealing[0]))
}

// keep NAME PATTERN sets NAME to what the pattern's first group matches in the
// last command's output.
func keepScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME PATTERN")
	}
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("%s is not in the output", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// mode FILE PERM wants the file's permission bits to be PERM.
func modeScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE PERM")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// jsonlines FILE wants every line of a file to be one JSON object.
func jsonLinesScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: jsonlines FILE")
	}
	n := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		n++
		if err := json.Unmarshal([]byte(line), &map[string]any{}); err != nil {
			ts.Fatalf("line %d is not JSON: %v\n%s", n, err, line)
		}
	}
	if n == 0 {
		ts.Fatalf("%s has no lines", args[0])
	}
}

func eventually(ts *testscript.TestScript, what string, done func() bool) {
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}

func lookIn(path, name string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		p := filepath.Join(dir, name)
		if info, err := os.Stat(p); err == nil && !info.IsDir() {
			return p, nil
		}
	}
	return "", fmt.Errorf("no %s on the path", name)
}
