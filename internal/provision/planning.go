package provision

import (
	"context"
	"errors"
	"fmt"
)

// difference is what of one setting is not as it should be, found by reading.
type difference struct {
	before, after string // documents; before is empty where nothing is set
	changed       bool
	danger        string
	write         func(context.Context) error
	noAPI         bool // the server has no such setting
}

// setting is one thing about the bucket that is read, compared and written.
type setting struct {
	id, title, why string
	manual         string // the id of the Manual that stands for it where there is no API
	reads, writes  string // actions, on the bucket
	// compare reads what is set, unless fresh: then the bucket is still to be
	// made, and nothing is.
	compare func(ctx context.Context, fresh bool) (difference, error)
}

// Plan reads what is there and returns what has to be done. It changes nothing.
// Errors: *Denied (all that were met, joined), ErrTaken, ErrWant.
func (c *Cloud) Plan(ctx context.Context) (*Plan, error) {
	if err := c.whoami(ctx); err != nil {
		return nil, err
	}
	p := c.newPlan()
	there, err := c.findBucket(ctx)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, c.bucketStep(there))
	var denied []error
	note := func(err error) error {
		if errors.Is(err, ErrDenied) {
			denied = append(denied, err)
			return nil
		}
		return err
	}
	manuals := map[string]*Manual{}
	for _, m := range Manuals(&c.want) {
		manuals[m.ID] = &m
	}
	for _, x := range c.settings() {
		step, err := c.settingStep(ctx, &x, there, manuals)
		if err = note(err); err != nil {
			return nil, err
		}
		if step != nil {
			p.Steps = append(p.Steps, *step)
		}
	}
	steps, err := c.keySteps(ctx)
	if err = note(err); err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, steps...)
	for _, m := range Manuals(&c.want) {
		if manuals[m.ID] == nil { // a step above carries it
			continue
		}
		p.Steps = append(p.Steps, byHand(&m))
	}
	p.Caller = c.caller
	if len(denied) > 0 {
		return nil, errors.Join(denied...)
	}
	return p, nil
}

func (c *Cloud) newPlan() *Plan {
	w := &c.want
	return &Plan{Bucket: w.Bucket, Region: w.Region, Endpoint: w.Endpoint, Provider: w.Provider.Name, Caller: c.caller, Steps: []Step{}}
}

// byHand is the step of a person.
func byHand(m *Manual) Step {
	return Step{ID: m.ID, Action: ByHand, Title: m.Title, Why: m.Why, Manual: m}
}

// settingStep plans one setting; nil: there is nothing to say about it.
func (c *Cloud) settingStep(ctx context.Context, x *setting, there bool, manuals map[string]*Manual) (*Step, error) {
	d, err := x.compare(ctx, !there)
	if err != nil {
		return nil, c.explain(err, Permission{x.reads, c.want.BucketARN()})
	}
	s := &Step{ID: x.id, Title: x.title, Why: x.why, Danger: d.danger, Before: d.before, After: d.after}
	switch {
	case d.noAPI:
		m := manuals[x.manual]
		if m == nil {
			m = &Manual{ID: x.manual, Title: x.title, Why: c.want.Provider.Title + " has no API for it.", Steps: "See to it in the provider's console, if it has something like it."}
		}
		delete(manuals, x.manual)
		step := byHand(m)
		return &step, nil
	case !d.changed:
		s.Action, s.Before, s.After = Keep, "", ""
		if d.after == "" && d.before == "" {
			return nil, nil
		}
		return s, nil
	case d.before == "":
		s.Action = Create
	default:
		s.Action = Change
	}
	s.Permissions = []Permission{{x.reads, c.want.BucketARN()}, {x.writes, c.want.BucketARN()}}
	s.apply = func(ctx context.Context) (*Key, error) {
		// Read again: the bucket may be new since the plan, or have changed.
		d, err := x.compare(ctx, false)
		if err != nil {
			return nil, c.explain(err, Permission{x.reads, c.want.BucketARN()})
		}
		if d.noAPI || !d.changed {
			return nil, nil
		}
		return nil, c.explain(d.write(ctx), Permission{x.writes, c.want.BucketARN()})
	}
	return s, nil
}

// Apply does the plan's steps in their order. It stops at the first error, or
// between two steps when ctx is done; what was done is in the Result, and the
// next plan goes on from there. progress, if not nil, is told when a step
// begins and when it has ended; a key that was made is in the Event of its end.
func (c *Cloud) Apply(ctx context.Context, p *Plan, progress func(Event)) (*Result, error) {
	if progress == nil {
		progress = func(Event) {}
	}
	r := &Result{Done: []Step{}, Keys: []Key{}}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.apply == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return r, fmt.Errorf("apply plan: %w", err)
		}
		progress(Event{Step: s})
		// A step that has begun is finished: half of one would be forgotten.
		key, err := s.apply(context.WithoutCancel(ctx))
		if key != nil {
			r.Keys = append(r.Keys, *key)
		}
		progress(Event{Step: s, Ended: true, Err: err, Key: key})
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.ID, err)
		}
		r.Done = append(r.Done, *s)
	}
	return r, nil
}
