package gate

import (
	"fmt"
	"slices"
	"strings"

	"postern.example/postern"
	"postern.example/postern/internal/webhook"
	"postern.example/postern/records"
)

// Webhooks says who is told of changes of uploads' states, as docs/webhooks.md
// has it.
type Webhooks struct {
	// URLs of the endpoints; each hears of every event. They must be https, at a
	// public address.
	URLs []string
	// Secrets sign, "whsec_" and base64, one to four: a receiver may have any.
	Secrets []string
	// Events are the types that are told, of [postern.EventTypes]; empty: all.
	Events []string
	// AllowPrivate lets endpoints be at private addresses, and http.
	AllowPrivate bool
}

// outbox is what the records note for the endpoints.
func (c *Config) outbox() *records.Outbox {
	if c.Webhooks == nil {
		return nil
	}
	o := &records.Outbox{Render: func(u *postern.Upload) ([]byte, error) { return postern.Event(u, c.Handler.BaseURL) }}
	for _, u := range c.Webhooks.URLs {
		o.Endpoints = append(o.Endpoints, webhook.NameOf(u))
	}
	for _, e := range c.Webhooks.Events {
		o.States = append(o.States, postern.State(strings.TrimPrefix(e, "upload.")))
	}
	return o
}

func (g *Gate) openWebhooks(c *Config) error {
	w := c.Webhooks
	if w == nil {
		return nil
	}
	conf := webhook.Config{URLs: w.URLs, Queue: g.Records, AllowPrivate: w.AllowPrivate, Logger: c.Logger}
	for _, text := range w.Secrets {
		s, err := webhook.ParseSecret(text)
		if err != nil {
			return fmt.Errorf("set up webhooks: %w", err)
		}
		conf.Secrets = append(conf.Secrets, s)
	}
	for _, e := range w.Events {
		if !slices.Contains(postern.EventTypes(), e) {
			return fmt.Errorf("set up webhooks: there is no event %q; there are %s", e, strings.Join(postern.EventTypes(), ", "))
		}
	}
	var err error
	if g.Webhooks, err = webhook.New(conf); err != nil {
		return fmt.Errorf("set up %w", err)
	}
	return nil
}
