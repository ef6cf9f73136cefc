package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"postern.example/postern/posterntest"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

const (
	copies     = 3
	bucketName = "chaos"
	region     = "us-east-1"
)

// house is all that is under test, and the lines between.
type house struct {
	dir      string
	copies   [copies]*process
	toBucket *posterntest.Proxy // of browsers and copies alike: its address is signed
	toRecord [copies]*posterntest.Proxy
	toCopy   [copies]*posterntest.Proxy
	hooks    *hooks
	disks    []*process
	bucket   *s3.Bucket // straight, not through a proxy
	database string     // likewise
	http     *http.Client
	stop     sync.Once
	restart  sync.Mutex // of PostgreSQL
}

// process is a program that is killed and started again.
type process struct {
	name    string
	command []string
	env     []string
	log     string
	ready   func(ctx context.Context) bool

	down   sync.Mutex // somebody has killed it, and starts it again
	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	pid    int // of one that others started
}

func (p *process) start() error {
	f, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()                                     //nolint:errcheck // the child has its own
	cmd := exec.Command(p.command[0], p.command[1:]...) //nolint:gosec,noctx // the programs under test; they end when they are told
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), p.env...), f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait() //nolint:errcheck // it was killed
		close(exited)
	}()
	p.mu.Lock()
	p.cmd, p.exited, p.pid = cmd, exited, cmd.Process.Pid
	p.mu.Unlock()
	return nil
}

// kill ends it as a power cut would.
func (p *process) kill() {
	p.mu.Lock()
	cmd, exited, pid := p.cmd, p.exited, p.pid
	p.mu.Unlock()
	if cmd == nil {
		if pid > 0 {
			syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // it may be gone
		}
		return
	}
	cmd.Process.Kill() //nolint:errcheck // it may be gone
	<-exited
}

// crash kills it, and starts it again after the wait.
func (p *process) crash(wait func()) {
	p.down.Lock()
	defer p.down.Unlock()
	p.kill()
	wait()
	p.start() //nolint:errcheck // the end finds out
}

// awake waits until it answers.
func (p *process) awake(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !p.ready(ctx) {
		if ctx.Err() != nil {
			return fmt.Errorf("%s does not answer within %s", p.name, patience)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// must is a variable of .ci/chaos, which starts the servers.
func must(name string) (string, error) {
	if v := os.Getenv(name); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("%s is not set: run .ci/chaos", name)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return "", err
	}
	defer l.Close() //nolint:errcheck // it was never used
	return l.Addr().String(), nil
}

func openHouse(ctx context.Context, o options) (h *house, err error) {
	h = &house{http: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	vars := map[string]string{}
	for _, name := range []string{"POSTERN_POSTGRES", "CHAOS_S3", "CHAOS_KEY", "CHAOS_SECRET", "CHAOS_SIGNER_KEY", "CHAOS_SIGNER_SECRET"} {
		if vars[name], err = must(name); err != nil {
			return h, err
		}
	}
	if h.dir = o.keep; h.dir == "" {
		if h.dir, err = os.MkdirTemp("", "postern-chaos-"); err != nil {
			return h, err
		}
	} else if err = os.MkdirAll(h.dir, 0o700); err != nil {
		return h, err
	}
	if err = h.openServers(ctx, vars); err != nil {
		return h, err
	}
	h.findDisks()
	if h.hooks, err = startHooks(ctx); err != nil {
		return h, err
	}
	secret := rand.Text() + rand.Text()
	for i := range h.copies {
		if err = h.openCopy(ctx, o, i, vars, secret); err != nil {
			return h, err
		}
	}
	return h, nil
}

func (h *house) openServers(ctx context.Context, vars map[string]string) error {
	at, err := url.Parse(vars["CHAOS_S3"])
	if err != nil {
		return err
	}
	if h.toBucket, err = posterntest.NewProxy(ctx, at.Host); err != nil {
		return err
	}
	key := sigv4.Credentials{AccessKeyID: vars["CHAOS_KEY"], SecretAccessKey: vars["CHAOS_SECRET"]}
	h.bucket, err = s3.New(ctx, s3.Config{
		Bucket: bucketName, Region: region, Endpoint: vars["CHAOS_S3"], PathStyle: true,
		Credentials: func(context.Context) (sigv4.Credentials, error) { return key, nil },
	})
	if err != nil {
		return err
	}
	if err := h.bucket.Create(ctx); err != nil {
		return err
	}
	u, err := url.Parse(vars["POSTERN_POSTGRES"])
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("search_path", fmt.Sprintf("chaos_%d", os.Getpid()))
	u.RawQuery = q.Encode()
	h.database = u.String()
	return nil
}

// presets has each way a file can go.
const presets = `
presets:
  - {name: form, transfer: post, max_bytes: 2000000, variants: [{name: thumb, box: 64}, {name: large, box: 256}]}
  - {name: put, transfer: put, max_bytes: 2000000, variants: [{name: thumb, box: 64}, {name: large, box: 256}]}
  - {name: parts, transfer: multipart, max_bytes: 2000000, variants: [{name: thumb, box: 64}, {name: large, box: 256}]}
  - name: quota
    max_bytes: 2000000
    variants: [{name: thumb, box: 64}, {name: large, box: 256}]
    quota: {grants_per_minute: 100000, bytes_outstanding: 100000000000, uploads_per_day: 1000000, bytes_per_day: 100000000000}
`

func (h *house) openCopy(ctx context.Context, o options, i int, vars map[string]string, secret string) (err error) {
	u, err := url.Parse(h.database)
	if err != nil {
		return err
	}
	if h.toRecord[i], err = posterntest.NewProxy(ctx, u.Host); err != nil {
		return err
	}
	u.Host = h.toRecord[i].Addr()
	listen, err := freePort()
	if err != nil {
		return err
	}
	admin, err := freePort()
	if err != nil {
		return err
	}
	if h.toCopy[i], err = posterntest.NewProxy(ctx, listen); err != nil {
		return err
	}
	config := filepath.Join(h.dir, "postern.yaml")
	if err := os.WriteFile(config, []byte(presets), 0o600); err != nil {
		return err
	}
	p := &process{
		name:    fmt.Sprintf("copy %d", i+1),
		command: []string{o.postern, "serve", "--config", config, "--listen", listen, "--admin-listen", admin, "--data", filepath.Join(h.dir, fmt.Sprint("data", i))},
		log:     filepath.Join(h.dir, fmt.Sprintf("copy%d.log", i+1)),
		env: []string{
			"POSTERN_DATABASE=" + u.String(), "POSTERN_SECRET=" + secret, "POSTERN_BUCKET=" + bucketName, "POSTERN_REGION=" + region,
			"POSTERN_ENDPOINT=http://" + h.toBucket.Addr(), "POSTERN_PATH_STYLE=true", "POSTERN_PROVIDER=" + os.Getenv("CHAOS_PROVIDER"),
			"POSTERN_ACCESS_KEY=" + vars["CHAOS_KEY"], "POSTERN_SECRET_KEY=" + vars["CHAOS_SECRET"],
			"POSTERN_SIGNER_ACCESS_KEY=" + vars["CHAOS_SIGNER_KEY"], "POSTERN_SIGNER_SECRET_KEY=" + vars["CHAOS_SIGNER_SECRET"],
			"POSTERN_WEBHOOK_URL=" + h.hooks.url, "POSTERN_WEBHOOK_SECRET=" + h.hooks.secret, "POSTERN_WEBHOOK_ALLOW_PRIVATE=true",
			"POSTERN_LOG_FORMAT=json",
		},
	}
	p.ready = func(ctx context.Context) bool { return h.answers(ctx, "http://"+admin+"/readyz") }
	h.copies[i] = p
	if err := p.start(); err != nil {
		return err
	}
	return p.awake(ctx, time.Minute)
}

func (h *house) answers(ctx context.Context, address string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false
	}
	res, err := h.http.Do(r)
	if err != nil {
		return false
	}
	res.Body.Close() //nolint:errcheck // it was not read
	return res.StatusCode == http.StatusOK
}

// findDisks takes over the cluster's disks, which .ci/chaos started.
func (h *house) findDisks() {
	at := os.Getenv("CHAOS_CEPH")
	if at == "" {
		return
	}
	for i := 0; ; i++ {
		text, err := os.ReadFile(filepath.Join(at, "run", fmt.Sprintf("osd.%d", i))) //nolint:gosec // .ci/chaos names it
		if err != nil {
			return
		}
		p := &process{
			name: fmt.Sprintf("disk %d", i+1), command: []string{"ceph-osd", "-c", filepath.Join(at, "ceph.conf"), "-i", fmt.Sprint(i), "-f"},
			log: filepath.Join(h.dir, fmt.Sprintf("disk%d.log", i+1)),
		}
		if _, err := fmt.Sscan(string(text), &p.pid); err != nil {
			return
		}
		h.disks = append(h.disks, p)
	}
}

func (h *house) close() error {
	var errs []error
	h.stop.Do(func() {
		for _, p := range append(h.copies[:], h.disks...) {
			if p != nil && p.cmd != nil {
				p.kill()
			}
		}
		for _, p := range append(append(h.toRecord[:], h.toCopy[:]...), h.toBucket) {
			if p != nil {
				errs = append(errs, p.Close())
			}
		}
		if h.hooks != nil {
			errs = append(errs, h.hooks.close())
		}
		if strings.HasPrefix(h.dir, os.TempDir()) {
			errs = append(errs, os.RemoveAll(h.dir))
		}
	})
	return errors.Join(errs...)
}

// newSecret is a webhook's.
func newSecret() string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text() + rand.Text())[:32])
}
