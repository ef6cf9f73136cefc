package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"postern.example/postern/gate"
	"postern.example/postern/internal/folder"
	"postern.example/postern/internal/listen"
)

func serveCommand(stdout, stderr io.Writer, getenv func(string) string, children gate.Children) *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the gate: the API, the page, the worker and, unless you name one, a bucket",
		Description: `Without settings it needs nothing and reaches nobody: a bucket and the records
are kept in ./postern-data, and only this machine is listened to. Name a bucket
to use your own; its credentials come from the usual AWS places, or from
POSTERN_ACCESS_KEY and POSTERN_SECRET_KEY (AWS_S3_ACCESS_KEY and
AWS_S3_SECRET_KEY do as well).

Ctrl-C or SIGTERM stops it once requests are answered and images are finished
or given back; a second one stops it at once.`,
		Flags: flags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			return serve(ctx, s, stdout, stderr, children)
		},
	}
}

// serve runs the gate until ctx is done.
func serve(ctx context.Context, s *settings, stdout, stderr io.Writer, children gate.Children) (err error) {
	if err := s.checkReach(); err != nil {
		return err
	}
	if _, err := fullPresets(s); err != nil {
		return err
	}

	// The folder first: a second run should hear of the first one, not of ports.
	if !s.shared() {
		lock, err := folder.Lock(s.data)
		if err != nil {
			return err
		}
		defer lock.Close() //nolint:errcheck // nothing is written to it
	}
	c := programConfig{settings: s, log: s.logger(stderr)}
	if s.decode == inChildren {
		c.children = children
	}
	var page net.Listener
	if s.asked() {
		if page, err = listenOn(ctx, "--listen", s.listen); err != nil {
			return err
		}
		defer page.Close() //nolint:errcheck // its server closes it first
		c.pageAddr = page.Addr()
	}
	admin, err := listenOn(ctx, "--admin-listen", s.adminListen)
	if err != nil {
		return err
	}
	defer admin.Close() //nolint:errcheck // its server closes it first
	if s.bucket == "" {
		if c.bucketListener, err = listenOn(ctx, "--bucket-listen", s.bucketListen); err != nil {
			return err
		}
		defer c.bucketListener.Close() //nolint:errcheck // its server closes it first
	}
	p, err := openProgram(ctx, c)
	if err != nil {
		return err
	}
	return p.run(ctx, c, page, admin, func() { greet(stdout, s, c, admin.Addr()) })
}

// run serves on the listeners until ctx is done or a part gives up, then stops
// in order: probers are told, no new requests, running ones finished, the
// worker, the rest. Page is nil in a copy that is asked nothing.
func (p *program) run(ctx context.Context, c programConfig, page, admin net.Listener, greet func()) error {
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	m := newMetrics(p)
	servers := map[net.Listener]*http.Server{
		admin: listen.NewServer(adminHandler(m.handler(), p.ready(c.log), p.adminPage(c), loopbackAddress(c.adminListen)), c.log),
	}
	if page != nil {
		front := &edge{next: p.handler, observe: m.observe, stopping: stopping.Done()}
		servers[page] = listen.NewServer(p.drain.leave(c.trusted().see(front)), c.log)
		servers[page].ConnContext = connected
	}
	ended := make(chan error, len(servers)+1)
	for l, s := range servers {
		go func() { ended <- s.Serve(l) }()
	}
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		if err := p.Run(stopping); err != nil {
			ended <- err
		}
	}()
	greet()

	var failure error
	select {
	case <-ctx.Done():
		c.log.LogAttrs(ctx, slog.LevelInfo, "stopping")
		p.drain.now.Store(true)
		select {
		case <-time.After(c.drainTime()):
		case failure = <-ended:
		}
	case failure = <-ended:
	}
	stop()
	// The context of the run is over; finishing has its own time. The bucket
	// goes on until the worker, which needs it, has finished or given back.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	for _, s := range servers {
		if err := listen.Shutdown(last, s); err != nil {
			c.log.LogAttrs(last, slog.LevelWarn, "requests were cut off", slog.String("cause", err.Error()))
		}
	}
	<-worked
	err := errors.Join(failure, p.Close(context.WithoutCancel(ctx)))
	p.closeTracer(context.WithoutCancel(ctx), c.log)
	return err
}

// greet tells the person who started us where things are.
func greet(w io.Writer, s *settings, c programConfig, admin net.Addr) {
	if s.asked() {
		fmt.Fprintf(w, "Postern is ready: %s\n\n", s.pageURL(c.pageAddr))
	} else {
		fmt.Fprint(w, "Postern is ready: it checks what others are asked for\n\n")
	}
	if c.bucketListener != nil {
		fmt.Fprintf(w, "  files    %s, served on http://%s\n", show(s.data, folder.BucketDir), c.bucketListener.Addr())
	} else {
		fmt.Fprintf(w, "  files    in bucket %s\n", s.bucket)
	}
	if s.database != "" || s.databaseFile != "" {
		fmt.Fprint(w, "  records  in PostgreSQL\n")
	} else {
		fmt.Fprintf(w, "  records  %s\n", show(filepath.Join(s.data, folder.RecordsFile)))
	}
	if loopbackAddress(s.adminListen) {
		fmt.Fprintf(w, "  admin    http://%s\n", admin)
	}
	fmt.Fprintf(w, "  metrics  http://%s/metrics\n", admin)
	switch {
	case !s.asked():
	case !s.open():
		fmt.Fprintf(w, "  sign-in  %s\n", strings.Join(s.auth, ", "))
	case s.local():
		fmt.Fprint(w, "  local mode: loopback only, no sign-in\n")
	default:
		fmt.Fprint(w, "  no sign-in: whoever reaches this address can upload\n")
	}
	fmt.Fprint(w, "\nCtrl-C to stop.\n")
}
