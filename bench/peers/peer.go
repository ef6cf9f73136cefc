package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"postern.example/postern/bench/asker"
	"postern.example/postern/bench/peers/endpoint"
)

// Names of the servers that are no handler of package endpoint.
const (
	serve     = "postern serve"
	companion = "Uppy Companion"
	tutorial  = "tutorial's hapi"
)

// peer is a server, and what was measured of it.
type peer struct {
	*asker.Process
	request []byte
	loads   map[int][]asker.Load // by connections, a round after the other
}

// places says where programs are.
type places struct {
	bin  string // Postern's, or ""
	node string // the folder of the npm packages, or ""
	dir  string // for files of this run
}

// startAll starts the servers that there are programs for. What it has started
// it returns with an error, too.
func startAll(ctx context.Context, cores asker.Cores, at places) ([]*peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	type start struct {
		name    string
		env     []string
		command []string
		request func(host string) []byte
	}
	ask := func(host string) []byte { return asker.Post(host, endpoint.Path, endpoint.Ask) }
	starts := []start{
		{endpoint.Bare, []string{endpoint.Env + "=" + endpoint.Bare}, []string{self}, ask},
		{endpoint.Postern, []string{endpoint.Env + "=" + endpoint.Postern}, []string{self}, ask},
	}
	if at.bin != "" {
		starts = append(starts, start{serve, nil, []string{
			at.bin, "serve", "--data", filepath.Join(at.dir, "serve"), "--log-level", "warn",
			"--listen", "127.0.0.1:0", "--bucket-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		}, ask})
	}
	if at.node != "" {
		env := []string{
			"NODE_ENV=production", "NODE_NO_WARNINGS=1", "POSTERN_BENCH_DIR=" + at.dir,
			"POSTERN_BENCH_ACCESS_KEY=" + endpoint.AccessKey, "POSTERN_BENCH_SECRET_KEY=" + endpoint.SecretKey,
		}
		starts = append(starts,
			start{companion, env, []string{"node", filepath.Join(at.node, "companion.mjs")}, func(host string) []byte {
				return asker.Get(host, "/s3/params?filename=cat.jpg&type=image%2Fjpeg")
			}},
			start{tutorial, env, []string{"node", filepath.Join(at.node, "tutorial.mjs")}, func(host string) []byte {
				return asker.Get(host, "/s3_credentials?filename=cat.jpg")
			}})
	}
	var ps []*peer
	for _, s := range starts {
		p, err := cores.Start(ctx, s.name, s.env, s.command...)
		if err != nil {
			return ps, err
		}
		ps = append(ps, &peer{Process: p, request: s.request(p.Address), loads: map[int][]asker.Load{}})
	}
	return ps, nil
}

func stopAll(ps []*peer) {
	for _, p := range ps {
		if err := p.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}
