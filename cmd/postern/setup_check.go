package main

import (
	"context"
	"fmt"
	"time"

	"postern.example/postern/internal/doctor"
	"postern.example/postern/s3"
)

const (
	// settleTime is how long new keys and policies may take until they are
	// known everywhere: IAM is eventually consistent, usually within seconds:
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency
	settleTime  = 30 * time.Second
	settlePause = time.Second
)

// examine has the doctor look at what was set up, and returns the number of
// faults. Where the gate's own keys are not at hand it says so instead.
func (r *setupRun) examine(ctx context.Context, lines []configLine) (faults int, err error) {
	s, err := r.resulting(lines)
	if err != nil {
		return 0, err
	}
	if s.accessKey == "" && s.profile == "" {
		why := "No key of the gate's own is known here"
		if r.want.Role != "" {
			why = "The role " + r.want.Role + " is not to be had here"
		}
		fmt.Fprintf(r.out, "\n%s, so nothing was probed. Where it runs: %s\n", why, r.command("doctor"))
		return 0, nil
	}
	conf, err := s.doctorConfig(ctx, "")
	if err != nil {
		return 0, err
	}
	// Who has just made the settings may read them.
	operator, err := s3.New(ctx, s3.Config{
		Bucket: conf.Bucket, Region: conf.Region, Endpoint: r.want.Endpoint, PathStyle: r.want.PathStyle, Profile: r.access.Profile,
	})
	if err != nil {
		return 0, fmt.Errorf("open bucket: %w", err)
	}
	conf.Inspector = operator.Credentials
	fmt.Fprint(r.out, "\nThe doctor looks.\n")
	if r.doc.Result != nil && len(r.doc.Result.Keys) > 0 {
		if err := r.settleKeys(ctx, conf); err != nil {
			return 0, err
		}
	}
	p := &findingPrinter{out: r.out, ink: r.ink, live: r.live}
	report, err := p.run(ctx, conf)
	if err != nil {
		return 0, notLooked(err)
	}
	r.doc.Doctor = report
	faults, _ = tally(report)
	return faults, nil
}

// resulting are the settings that serve will have by lines, and nothing of the
// environment that setup happens to run in. Presets are those of the file.
func (r *setupRun) resulting(lines []configLine) (*settings, error) {
	here, err := exists(r.config)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return resolve(func(name string) ([]string, bool) {
		if name == "config" && here {
			return []string{r.config}, true
		}
		for _, l := range lines {
			if l.key != "" && l.name() == name {
				return l.values, true
			}
		}
		return nil, false
	}, func(string) string { return "" })
}

// settleKeys waits until keys that were made just now are known.
func (r *setupRun) settleKeys(ctx context.Context, conf doctor.Config) error {
	conf.Only = []string{"credentials", "privilege"}
	until := time.Now().Add(settleTime)
	for {
		report, err := doctor.Run(ctx, conf, nil)
		if err != nil {
			return notLooked(err)
		}
		if faults, _ := tally(report); faults == 0 || time.Now().After(until) {
			return nil // what is wrong then is for the doctor to tell
		}
		select {
		case <-ctx.Done():
			return notLooked(ctx.Err())
		case <-time.After(settlePause):
		}
	}
}
