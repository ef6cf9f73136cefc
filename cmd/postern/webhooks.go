package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/internal/folder"
	"postern.example/postern/internal/webhook"
	"postern.example/postern/records"
)

const telling = "Webhooks"

// webhookAnswers is what the settings say about webhooks.
type webhookAnswers struct {
	urls, events       []string
	secret, secretFile string
	allowPrivate       bool
}

// webhookSettings are the rows of the table for who is told of events.
func webhookSettings() []setting {
	return []setting{
		{
			name: "webhook-url", env: []string{"POSTERN_WEBHOOK_URL"}, category: telling,
			usage: "tell this `URL` what becomes of uploads, signed (docs/webhooks.md); https at a public address; may be given more than once",
			into:  func(s *settings) any { return &s.webhooks.urls },
		},
		{
			name: "webhook-secret", env: []string{"POSTERN_WEBHOOK_SECRET"}, secret: true, apart: true,
			usage: "secrets that sign webhooks: whsec_ and base64",
			into:  func(s *settings) any { return &s.webhooks.secret },
		},
		{
			name: "webhook-secret-file", env: []string{"POSTERN_WEBHOOK_SECRET_FILE"}, category: telling,
			usage: "`file` of the secrets that sign webhooks, whsec_ and base64, one a line; with two, receivers may have either; or give them as POSTERN_WEBHOOK_SECRET",
			into:  func(s *settings) any { return &s.webhooks.secretFile },
		},
		{
			name: "webhook-event", env: []string{"POSTERN_WEBHOOK_EVENT"}, category: telling,
			usage: "tell this `type` of event only: " + strings.Join(postern.EventTypes(), ", ") + "; may be given more than once; without it all",
			check: oneOf(postern.EventTypes()...), into: func(s *settings) any { return &s.webhooks.events },
		},
		{
			name: "webhook-allow-private", env: []string{"POSTERN_WEBHOOK_ALLOW_PRIVATE"}, initial: "false", category: telling,
			usage: "let webhooks go to private addresses, this machine's included, and by http",
			into:  func(s *settings) any { return &s.webhooks.allowPrivate },
		},
	}
}

func (s *settings) validateWebhooks() error {
	w := &s.webhooks
	switch {
	case w.secret != "" && w.secretFile != "":
		return misused("Keep one of them.", "the secret that signs webhooks is given twice, by %s and by a file", s.from["webhook-secret"].name)
	case len(w.urls) > 0 && w.secret == "" && w.secretFile == "":
		return misused(`Make one: echo "whsec_$(openssl rand -base64 32)", and give it as POSTERN_WEBHOOK_SECRET or by --webhook-secret-file.`,
			"there is a webhook, and no secret to sign with")
	case len(w.urls) == 0 && len(w.events) > 0:
		return misused("Name it with --webhook-url.", "there is an event for webhooks (%s), and no webhook", s.from["webhook-event"])
	}
	for _, u := range w.urls {
		if err := webhook.CheckURL(u, w.allowPrivate); err != nil {
			return misused("--webhook-allow-private lets them go to your own network.", "%s: %w", s.from["webhook-url"], err)
		}
	}
	return nil
}

// webhookConfig is nil when nobody is to be told.
func (s *settings) webhookConfig() (*gate.Webhooks, error) {
	w := &s.webhooks
	if len(w.urls) == 0 {
		return nil, nil
	}
	text, err := secretFrom(w.secret, w.secretFile)
	if err != nil {
		return nil, err
	}
	return &gate.Webhooks{URLs: w.urls, Secrets: strings.Fields(text), Events: w.events, AllowPrivate: w.allowPrivate}, nil
}

// openRecords opens the records as they are, beside a gate that may be running.
func (s *settings) openRecords(ctx context.Context) (*records.Records, error) {
	conf := records.Config{Path: filepath.Join(s.data, folder.RecordsFile), NoMigrate: true}
	var err error
	if conf.URL, err = s.databaseURL(); err != nil {
		return nil, err
	}
	if conf.URL != "" {
		conf.Path = ""
	} else if _, err := os.Stat(conf.Path); err != nil {
		return nil, failed(`"postern serve" makes them; --data names another folder.`, "open records: %w", err)
	}
	r, err := records.Open(ctx, conf)
	if err != nil {
		return nil, failed(`Is it running? "postern migrate" brings an older version up to date.`, "%w", err)
	}
	return r, nil
}

// webhooks shows what was told and what was not.
func (c *counts) webhooks(count func(*prometheus.Desc, int64, ...string), gauge func(*prometheus.Desc, float64)) {
	if c.p.Webhooks == nil {
		return
	}
	s := c.p.Webhooks.Stats()
	tries := desc("webhook_deliveries_total", "Tries to tell an event to an endpoint, by what came of them.", "outcome")
	count(tries, s.Delivered, "delivered")
	count(tries, s.Faults, "later")
	count(tries, s.GivenUp, "given_up")
	ctx, cancel := context.WithTimeout(context.Background(), backlogTime)
	defer cancel()
	n, oldest, err := c.p.Records.Untold(ctx)
	if err != nil {
		return // readyz tells of records that do not answer
	}
	age := 0.0
	if n > 0 {
		age = max(time.Since(oldest).Seconds(), 0)
	}
	gauge(desc("webhook_backlog", "Events that some endpoint was not told of yet."), float64(n))
	gauge(desc("webhook_backlog_age_seconds", "Age of the oldest of them."), age)
}

// deliveryState is how a delivery stands, in a word.
func deliveryState(d *postern.Delivery) string {
	switch {
	case !d.DeliveredAt.IsZero() && d.NextAt.IsZero():
		return "delivered"
	case !d.GaveUpAt.IsZero() && d.NextAt.IsZero():
		return "given up"
	case d.Fault != "":
		return "trying"
	}
	return "waiting"
}

func since(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return fmt.Sprint(t.UTC().Format(time.RFC3339))
}
