package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"postern.example/postern"
	"postern.example/postern/internal/webhook"
	"postern.example/postern/records"
)

func webhooksCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:  "webhooks",
		Usage: "list what was told to webhooks, show it, tell it again, or try an endpoint",
		Description: `It looks into the records, beside a running gate. Events are kept for seven days,
and tried for three.`,
		Commands: []*cli.Command{
			webhooksListCommand(stdout, getenv), webhooksShowCommand(stdout, getenv),
			webhooksReplayCommand(stdout, getenv), webhooksTestCommand(stdout, getenv),
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return misused(`"postern webhooks --help" lists the commands.`, "there is no command %q", "webhooks "+c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

// inRecords runs do with the records that the settings name.
func inRecords(getenv func(string) string, do func(context.Context, *cli.Command, *settings, *records.Records) error) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) (err error) {
		s, err := resolve(onCommandLine(c), getenv)
		if err != nil {
			return err
		}
		r, err := s.openRecords(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		return do(ctx, c, s, r)
	}
}

type deliveryJSON struct {
	Event     string          `json:"event"`
	Endpoint  string          `json:"endpoint"`
	Upload    postern.ID      `json:"upload"`
	Type      string          `json:"type"`
	At        time.Time       `json:"at"`
	State     string          `json:"state"`
	Attempts  int             `json:"attempts"`
	Next      *time.Time      `json:"next,omitempty"`
	Delivered *time.Time      `json:"delivered,omitempty"`
	GaveUp    *time.Time      `json:"gave_up,omitempty"`
	Fault     string          `json:"fault,omitempty"`
	Body      json.RawMessage `json:"body,omitempty"`
}

func deliveryView(d *postern.Delivery, whole bool) deliveryJSON {
	v := deliveryJSON{
		Event: d.Event, Endpoint: d.Endpoint, Upload: d.Upload, Type: "upload." + string(d.State), At: d.At,
		State: deliveryState(d), Attempts: d.Attempts, Fault: d.Fault,
	}
	for _, x := range []struct {
		into **time.Time
		at   time.Time
	}{{&v.Next, d.NextAt}, {&v.Delivered, d.DeliveredAt}, {&v.GaveUp, d.GaveUpAt}} {
		if !x.at.IsZero() {
			at := x.at
			*x.into = &at
		}
	}
	if whole {
		v.Body = d.Body
	}
	return v
}

const maxListed = 1000

func webhooksListCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list events and how they stand, newest first",
		Flags: append(flags(),
			&cli.BoolFlag{Name: "failed", Usage: "list only what was given up", Local: true, Category: telling},
			&cli.IntFlag{Name: "limit", Usage: fmt.Sprintf("list up to this `number`, at most %d", maxListed), Value: 50, Local: true, Category: telling},
			jsonFlag()),
		ArgValidator: noArguments,
		Action: inRecords(getenv, func(ctx context.Context, c *cli.Command, _ *settings, r *records.Records) error {
			limit := c.Int("limit")
			if limit < 1 || limit > maxListed {
				return misused("", "--limit: must be from 1 to %d", maxListed)
			}
			list, err := r.Deliveries(ctx, time.Now().Add(time.Hour), c.Bool("failed"), limit)
			if err != nil {
				return failed("", "%w", err)
			}
			if c.Bool("json") {
				views := make([]deliveryJSON, len(list))
				for i := range list {
					views[i] = deliveryView(&list[i], false)
				}
				return printJSON(stdout, views)
			}
			t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "AT\tSTATE\tATTEMPTS\tENDPOINT\tEVENT\tFAULT")
			for i := range list {
				d := &list[i]
				fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", since(d.At), deliveryState(d), d.Attempts, d.Endpoint, d.Event, d.Fault)
			}
			return t.Flush()
		}),
	}
}

func oneEvent(_ context.Context, c *cli.Command) error {
	if c.Args().Len() != 1 {
		return misused(`"postern webhooks list" lists them.`, "%s takes the name of one event, but got %d", c.FullName(), c.Args().Len())
	}
	return nil
}

// noEvent is said of a name that no event has.
func noEvent(err error, name string) error {
	if errors.Is(err, postern.ErrNotFound) {
		return failed(`"postern webhooks list" lists what is kept.`, "there is no event %q", name)
	}
	return failed("", "%w", err)
}

func webhooksShowCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name: "show", ArgsUsage: "EVENT", Usage: "show an event as JSON: what is sent, and how it stands at each endpoint",
		Flags: flags(), ArgValidator: oneEvent,
		Action: inRecords(getenv, func(ctx context.Context, c *cli.Command, _ *settings, r *records.Records) error {
			list, err := r.Event(ctx, c.Args().First())
			if err != nil {
				return noEvent(err, c.Args().First())
			}
			views := make([]deliveryJSON, len(list))
			for i := range list {
				views[i] = deliveryView(&list[i], true)
			}
			return printJSON(stdout, views)
		}),
	}
}

func webhooksReplayCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name: "replay", ArgsUsage: "[EVENT]", Usage: "tell an event again, or with --failed all that were given up",
		Description: "A receiver knows what it has heard by webhook-id, which stays the same.",
		Flags:       append(flags(), &cli.BoolFlag{Name: "failed", Usage: "tell all again that were given up", Local: true, Category: telling}),
		ArgValidator: func(ctx context.Context, c *cli.Command) error {
			if c.Bool("failed") {
				return noArguments(ctx, c)
			}
			return oneEvent(ctx, c)
		},
		Action: inRecords(getenv, func(ctx context.Context, c *cli.Command, _ *settings, r *records.Records) error {
			n, err := r.Replay(ctx, c.Args().First())
			if err != nil {
				return noEvent(err, c.Args().First())
			}
			_, err = fmt.Fprintf(stdout, "%d deliveries are due; a running gate tells them within a second\n", n)
			return err
		}),
	}
}

func webhooksTestCommand(stdout io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name: "test", Usage: "tell every endpoint an event of type postern.test, now, and say what came of it",
		Flags: flags(), ArgValidator: noArguments,
		Action: inRecords(getenv, func(ctx context.Context, _ *cli.Command, s *settings, r *records.Records) error {
			w, err := s.webhookConfig()
			if err != nil {
				return err
			}
			if w == nil {
				return misused("Name one with --webhook-url.", "there is no webhook")
			}
			conf := webhook.Config{URLs: w.URLs, Queue: r, AllowPrivate: w.AllowPrivate}
			for _, text := range w.Secrets {
				secret, err := webhook.ParseSecret(text)
				if err != nil {
					return misused("", "%w", err)
				}
				conf.Secrets = append(conf.Secrets, secret)
			}
			sender, err := webhook.New(conf)
			if err != nil {
				return misused("", "%w", err)
			}
			body := fmt.Appendf(nil, `{"type":"postern.test","timestamp":%q,"data":{}}`, time.Now().UTC().Format(time.RFC3339Nano))
			faults := 0
			for _, u := range w.URLs {
				if _, err := sender.Send(ctx, u, "evt_test_"+rand.Text(), body); err != nil {
					faults++
					fmt.Fprintf(stdout, "✗ %s: %v\n", webhook.NameOf(u), err)
					continue
				}
				fmt.Fprintf(stdout, "✓ %s\n", webhook.NameOf(u))
			}
			if faults > 0 {
				return failed("An endpoint answers 2xx when it has verified and kept what it heard.", "%d of %d endpoints did not take it", faults, len(w.URLs))
			}
			return nil
		}),
	}
}
