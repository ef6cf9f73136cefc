package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/urfave/cli/v3"

	"postern.example/postern"
	"postern.example/postern/internal/folder"
	"postern.example/postern/internal/worker"
)

func sweepCommand(stdout, stderr io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:  "sweep",
		Usage: "hold the bucket and the records against each other, and clean up what is left behind",
		Description: `incoming/: uploads whose browser never said that they arrived are noted, and what
explains itself as left behind is deleted; so are parts of uploads that were given
up. "postern serve" does the same every minute.

images/: pictures that no upload has ("orphans", of a database that was put back
from a backup, say) and uploads that lack a picture are counted and told. Orphans
are deleted with --orphans only. What is younger than an hour is left alone, and so
is what is being worked on; copies may run meanwhile. Memory stays flat however
much there is.

  postern sweep --dry-run              say what would be done, change nothing
  postern sweep                        do it, and count orphans
  postern sweep --orphans              delete them as well

Exit codes: 0 done, 1 something could not be done, 2 wrong usage.`,
		Flags: append(flags(),
			&cli.BoolFlag{Name: "dry-run", Usage: "change nothing", Local: true, Category: sweeping},
			&cli.BoolFlag{Name: "orphans", Usage: "delete pictures that no upload has", Local: true, Category: sweeping},
			&cli.BoolFlag{Name: "yes", Usage: "delete orphans even when they are most of the pictures", Local: true, Category: sweeping},
			&cli.BoolFlag{Name: "json", Usage: "say it as JSON", Local: true, Category: sweeping},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			return sweep(ctx, s, sweepAsk{dry: c.Bool("dry-run"), orphans: c.Bool("orphans"), yes: c.Bool("yes"), json: c.Bool("json")}, stdout, stderr)
		},
	}
}

const sweeping = "Sweeping"

type sweepAsk struct{ dry, orphans, yes, json bool }

// sweepReport is what was found and done.
type sweepReport struct {
	DryRun   bool         `json:"dry_run"`
	Incoming incomingJSON `json:"incoming"`
	Parts    partsJSON    `json:"parts"`
	Images   imagesJSON   `json:"images"`
}

type incomingJSON struct {
	Objects int64 `json:"objects"`
	Noted   int64 `json:"noted"`
	Left    int64 `json:"left"`
	Deleted int64 `json:"deleted"`
	Bytes   int64 `json:"deleted_bytes"`
	Faults  int64 `json:"faults"`
}

type partsJSON struct {
	Aborted int64 `json:"aborted"`
}

type imagesJSON struct {
	Objects     int64        `json:"objects"`
	Strange     int64        `json:"strange"`
	Uploads     int64        `json:"ready_uploads"`
	Orphans     int64        `json:"orphans"`
	OrphanBytes int64        `json:"orphan_bytes"`
	Deleted     int64        `json:"deleted"`
	Faults      int64        `json:"faults"`
	Lost        int64        `json:"lost"`
	LostIDs     []postern.ID `json:"lost_ids"` // the first of them
}

const lostShown = 20

func sweep(ctx context.Context, s *settings, ask sweepAsk, stdout, stderr io.Writer) (err error) {
	if ask.dry && ask.orphans {
		return misused("Keep one of them.", "--dry-run changes nothing, and --orphans deletes")
	}
	if !s.shared() {
		lock, err := folder.Lock(s.data)
		if err != nil {
			return err
		}
		defer lock.Close() //nolint:errcheck // nothing is written to it
	}
	c := programConfig{settings: s, log: s.logger(stderr)}
	if s.bucket == "" {
		if c.bucketListener, err = listenOn(ctx, "--bucket-listen", "127.0.0.1:0"); err != nil {
			return err
		}
		defer c.bucketListener.Close() //nolint:errcheck // its server closes it first
	}
	s.auth = nil // nobody is asked for
	p, err := openProgram(ctx, c)
	if err != nil {
		return err
	}
	defer func() {
		if fault := p.Close(context.WithoutCancel(ctx)); err == nil {
			err = fault
		}
	}()
	r, err := p.sweepReport(ctx, ask, c.log)
	if err != nil {
		return failed("", "%w", err)
	}
	if ask.json {
		err = json.NewEncoder(stdout).Encode(r)
	} else {
		r.tell(stdout, ask)
	}
	if n := r.Incoming.Faults + r.Images.Faults; err == nil && n > 0 {
		err = failed("Run it again; the log says what was in the way.", "%d objects could not be dealt with", n)
	}
	return err
}

func (p *program) sweepReport(ctx context.Context, ask sweepAsk, logger *slog.Logger) (*sweepReport, error) {
	in := p.Worker.Sweep
	if ask.dry {
		in = p.Worker.WouldSweep
	}
	swept, err := in(ctx)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	r := &sweepReport{
		DryRun:   ask.dry,
		Incoming: incomingJSON{swept.Objects, swept.Noted, swept.Pending, swept.Replays + swept.Foreign, swept.DeletedBytes, swept.Faults},
		Parts:    partsJSON{swept.Aborted},
	}
	r.Images.LostIDs = []postern.ID{}
	how := worker.Auditing{Lost: func(u postern.Upload) {
		logger.LogAttrs(ctx, slog.LevelWarn, "an upload lacks a picture", slog.String("upload", string(u.ID)))
		if len(r.Images.LostIDs) < lostShown {
			r.Images.LostIDs = append(r.Images.LostIDs, u.ID)
		}
	}}
	a, err := p.Worker.Audit(ctx, p.Records, how)
	if err == nil && ask.orphans && a.Orphans > 0 {
		if 2*a.Orphans > a.Objects && !ask.yes {
			return nil, misused("Are these the records of this bucket? If so, say --yes as well.",
				"%d of %d pictures would be deleted, because the records do not know them", a.Orphans, a.Objects)
		}
		a, err = p.Worker.Audit(ctx, p.Records, worker.Auditing{Delete: true})
	}
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	m := &r.Images
	m.Objects, m.Strange, m.Uploads, m.Orphans, m.OrphanBytes = a.Objects, a.Strange, a.Uploads, a.Orphans, a.OrphanBytes
	m.Deleted, m.Faults, m.Lost = a.Deleted, a.Faults, a.Lost
	return r, nil
}

// tell says it to people.
func (r *sweepReport) tell(w io.Writer, ask sweepAsk) {
	done := func(did, would string) string {
		if ask.dry {
			return would
		}
		return did
	}
	i, m := &r.Incoming, &r.Images
	fmt.Fprintf(w, "incoming/  %d objects: %d %s, %d %s (%s), %d left alone\n", i.Objects,
		i.Noted, done("noted", "would be noted"), i.Deleted, done("deleted", "would be deleted"), postern.Bytes(i.Bytes), i.Left)
	fmt.Fprintf(w, "parts      %d unfinished uploads %s\n", r.Parts.Aborted, done("aborted", "would be aborted"))
	fmt.Fprintf(w, "images/    %d objects of %d ready uploads: %d orphans (%s)", m.Objects, m.Uploads, m.Orphans, postern.Bytes(m.OrphanBytes))
	switch {
	case m.Orphans == 0:
		fmt.Fprintln(w)
	case ask.orphans:
		fmt.Fprintf(w, ", %d deleted\n", m.Deleted)
	default:
		fmt.Fprint(w, "; --orphans deletes them\n")
	}
	if m.Strange > 0 {
		fmt.Fprintf(w, "           %d objects are none of ours, and left alone\n", m.Strange)
	}
	if m.Lost > 0 {
		fmt.Fprintf(w, "records    %d ready uploads lack a picture:\n", m.Lost)
		for _, id := range m.LostIDs {
			fmt.Fprintf(w, "           %s\n", id)
		}
	}
}
