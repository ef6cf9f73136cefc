package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"postern.example/postern/bench/asker"
	"postern.example/postern/bench/peers/endpoint"
	"postern.example/postern/internal/folder"
)

const (
	conns     = 32
	grantTime = 2 * time.Second
)

// copyOf starts the program with a folder of its own and these settings.
func (l *load) copyOf(ctx context.Context, name, yaml string, env ...string) (*asker.Process, error) {
	dir := filepath.Join(l.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "postern.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		return nil, err
	}
	return l.cores.Start(ctx, name, append(env, "POSTERN_LOG_LEVEL=error"), l.postern, "serve", "--config", file, "--data", filepath.Join(dir, "data"),
		"--listen", "127.0.0.1:0", "--bucket-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
}

const withQuota = `
presets:
  - name: photos
    quota: {grants_per_minute: 100000000, bytes_outstanding: 1000000000000000, uploads_per_day: 1000000000, bytes_per_day: 1000000000000000}
`

// sharing is the settings of a copy with its records on PostgreSQL, and with
// nothing of its own.
func (l *load) sharing(bucketOf string) ([]string, error) {
	u, err := url.Parse(os.Getenv("POSTERN_POSTGRES"))
	if err != nil {
		return nil, err
	}
	q := u.Query()
	q.Set("search_path", "load_"+fmt.Sprint(time.Now().UnixNano()))
	u.RawQuery = q.Encode()
	keys, err := folder.OpenKeys(filepath.Join(l.dir, bucketOf, "data"), rand.Reader)
	if err != nil {
		return nil, err
	}
	return []string{
		"POSTERN_DATABASE=" + u.String(), "POSTERN_SECRET=" + rand.Text() + rand.Text(), "POSTERN_BUCKET=postern", "POSTERN_REGION=us-east-1",
		"POSTERN_ENDPOINT=http://127.0.0.1:1", "POSTERN_PATH_STYLE=true", // a grant asks no bucket
		"POSTERN_ACCESS_KEY=" + keys.AccessKeyID, "POSTERN_SECRET_KEY=" + keys.SecretAccessKey,
	}, nil
}

// grants asks copies for grants over 32 connections, in turns.
func (l *load) grants(ctx context.Context) error {
	type contender struct {
		what string
		p    *asker.Process
	}
	var list []contender
	defer func() {
		for _, c := range list {
			c.p.Stop() //nolint:errcheck // it was ours to end
		}
	}()
	add := func(what, name, yaml string, env ...string) error {
		p, err := l.copyOf(ctx, name, yaml, env...)
		if err == nil {
			list = append(list, contender{what, p})
		}
		return err
	}
	if err := add("no quota", "plain", ""); err != nil {
		return err
	}
	if err := add("quota, SQLite", "sqlite", withQuota); err != nil {
		return err
	}
	if os.Getenv("POSTERN_POSTGRES") == "" {
		fmt.Fprintln(os.Stdout, "SKIPPED: POSTERN_POSTGRES names no server")
	} else {
		env, err := l.sharing("plain")
		if err != nil {
			return err
		}
		if err := add("quota, PostgreSQL", "postgres", withQuota, env...); err != nil {
			return err
		}
	}
	rates, p99s, cpus := make([][]float64, len(list)), make([][]time.Duration, len(list)), make([][]float64, len(list))
	for round := range l.rounds + 1 {
		for i := range list {
			at := (i + round) % len(list)
			p := list[at].p
			got, err := p.Load(ctx, asker.Post(p.Address, endpoint.Path, endpoint.Ask), conns, grantTime)
			if err != nil {
				return fmt.Errorf("%s: %w", list[at].what, err)
			}
			if round > 0 { // the first warms up
				rates[at], p99s[at], cpus[at] = append(rates[at], got.Rate), append(p99s[at], got.P99), append(cpus[at], got.CPU)
			}
		}
	}
	for i, c := range list {
		fmt.Fprintf(os.Stdout, "grants, %-18s %8.0f/s   p99 %8s   %5.0f µs of processor each\n", c.what, middle(rates[i]), middle(p99s[i]).Round(10*time.Microsecond), middle(cpus[i]))
	}
	return nil
}
