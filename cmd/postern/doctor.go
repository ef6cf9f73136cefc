package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"postern.example/postern/internal/doctor"
)

func doctorCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "probe the bucket as a browser and as an attacker would: what is wrong, why, and what cures it",
		Description: `It has the settings of "postern serve", and probes the bucket that serve uses
with the same keys and with none: that pages may upload, that what is not signed
is refused, that nobody reads what browsers wrote. Without a bucket of your own
it probes that of a serve that runs on this machine. What it writes it removes.

The first fault is the one to cure first: others may follow from it.

Exit codes: 0 all is well, perhaps with warnings; 1 there is a fault; 2 it could
not look.`,
		Flags: append(
			flags(),
			&cli.StringSliceFlag{Name: "only", Usage: "run only this `probe` (cors.preflight) or kind of probe (cors); may be given more than once", Local: true, Category: looking},
			&cli.BoolFlag{Name: "list", Usage: "list the probes and run none", HideDefault: true, Local: true, Category: looking},
			&cli.StringFlag{Name: "operator-profile", Usage: "`name` of the profile in AWS's configuration files whose key may read the bucket's settings, which the gate's own may not", Local: true, Category: looking},
			jsonFlag(),
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Bool("list") {
				return listProbes(stdout, c.Bool("json"))
			}
			s, err := resolve(onCommandLine(c), getenv)
			if err != nil {
				return err
			}
			conf, err := s.doctorConfig(ctx, c.String("operator-profile"))
			if err != nil {
				return err
			}
			conf.Only = c.StringSlice("only")
			if c.Bool("json") {
				return doctorToJSON(ctx, stdout, conf)
			}
			p := &findingPrinter{out: stdout, ink: inkFor(stdout, getenv), live: isTerminal(stdout)}
			report, err := p.run(ctx, conf)
			if err != nil {
				return notLooked(err)
			}
			return verdict(report)
		},
	}
}

const looking = "Looking"

func doctorToJSON(ctx context.Context, w io.Writer, conf doctor.Config) error {
	report, err := doctor.Run(ctx, conf, nil)
	if err != nil {
		return notLooked(err)
	}
	if err := printJSON(w, report); err != nil {
		return err
	}
	return verdict(report)
}

// notLooked is the error of a doctor that could not look, or not to the end.
func notLooked(err error) error {
	if errors.Is(err, context.Canceled) {
		return misused("", "interrupted before all was probed")
	}
	return misused(`"postern doctor --list" lists the probes, and "postern config" shows the settings.`, "look at bucket: %w", err)
}

// verdict is the error of a report with faults.
func verdict(r *doctor.Report) error {
	faults, _ := tally(r)
	if faults == 0 {
		return nil
	}
	return failed(firstFault(r).Cure, "%s with bucket %s: %s", counted(faults, "fault", "faults"), r.Bucket, plain(firstFault(r).Cause))
}

// tally counts what is not well.
func tally(r *doctor.Report) (faults, warnings int) {
	for _, f := range r.Findings {
		switch f.Status {
		case doctor.Fault:
			faults++
		case doctor.Warn:
			warnings++
		case doctor.OK, doctor.Skipped:
		}
	}
	return faults, warnings
}

func firstFault(r *doctor.Report) *doctor.Finding {
	if i := slices.IndexFunc(r.Findings, func(f doctor.Finding) bool { return f.Status == doctor.Fault }); i >= 0 {
		return &r.Findings[i]
	}
	return &doctor.Finding{}
}

// findingPrinter prints findings as they come.
type findingPrinter struct {
	out  io.Writer
	ink  ink
	live bool // a line tells what is being tried

	ids []string // that will be run
	at  int      // of the one that runs
}

func (p *findingPrinter) run(ctx context.Context, conf doctor.Config) (*doctor.Report, error) {
	p.ids = chosenProbes(conf.Only)
	fmt.Fprintf(p.out, "Bucket %s in %s, %s\n\n", p.ink.bold(conf.Bucket), conf.Region, conf.URL)
	p.progress()
	report, err := doctor.Run(ctx, conf, func(f doctor.Finding) {
		p.clear()
		p.print(&f)
		if i := slices.Index(p.ids, f.ID); i >= 0 {
			p.at = i + 1
		}
		p.progress()
	})
	p.clear()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(p.out, "\n%s\n", summary(report))
	return report, nil
}

// chosenProbes are the probes that --only leaves.
func chosenProbes(only []string) []string {
	return slices.DeleteFunc(doctor.IDs(), func(id string) bool {
		return len(only) > 0 && !slices.ContainsFunc(only, func(o string) bool { return id == o || strings.HasPrefix(id, o+".") })
	})
}

func (p *findingPrinter) progress() {
	if p.live && p.at < len(p.ids) {
		fmt.Fprint(p.out, p.ink.dim(fmt.Sprintf("… %s (%d of %d)", p.ids[p.at], p.at+1, len(p.ids))))
	}
}

func (p *findingPrinter) clear() {
	if p.live {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// print shows one finding; cause and cure stand below it.
func (p *findingPrinter) print(f *doctor.Finding) {
	sign := map[doctor.Status]string{doctor.OK: p.ink.green("✓"), doctor.Warn: p.ink.yellow("!"), doctor.Fault: p.ink.red("✗"), doctor.Skipped: p.ink.dim("–")}[f.Status]
	fmt.Fprintf(p.out, "%s %s: %s\n", sign, f.ID, plain(f.Title))
	if f.Status == doctor.OK {
		return
	}
	if f.Status == doctor.Skipped {
		fmt.Fprint(p.out, p.ink.dim(indented("    ", plain(f.Got))))
		return
	}
	for _, l := range []struct{ name, text string }{{"cause", f.Cause}, {"cure", f.Cure}, {"tried", f.Tried}, {"got", f.Got}, {"request", f.RequestID}} {
		if l.text != "" {
			rest := strings.TrimPrefix(indented("             ", plain(l.text)), "             ")
			fmt.Fprintf(p.out, "    %-8s %s", l.name, rest)
		}
	}
}

// summary is the last line: "2 faults and 1 warning; cure the first one first."
func summary(r *doctor.Report) string {
	faults, warnings := tally(r)
	warned := counted(warnings, "warning", "warnings")
	switch {
	case len(r.Findings) == 0:
		return "Nothing was probed."
	case faults > 1 && warnings > 0:
		return fmt.Sprintf("%d faults and %s; cure the first one first.", faults, warned)
	case faults > 1:
		return fmt.Sprintf("%d faults; cure the first one first.", faults)
	case faults == 1 && warnings > 0:
		return "1 fault and " + warned + "."
	case faults == 1:
		return "1 fault."
	case warnings > 0:
		return "No fault, " + warned + "."
	}
	return "All is well."
}
