package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
)

// difference is what of one setting is not as it should be, found by reading.
type difference struct {
	before, after string // documents; before is empty where nothing is set
	changed       bool
	danger        string
	write         func(context.Context) error
	noAPI         string // the server has no such setting, and answered so
}

// missing is the difference where the server has no such setting.
func missing(err error) difference {
	said := http.StatusText(status(err))
	var api smithy.APIError
	if errors.As(err, &api) {
		said = api.ErrorCode()
	}
	return difference{noAPI: strings.TrimSpace(fmt.Sprintf("%d %s", status(err), said))}
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
	var denied denials
	there, err := c.findBucket(ctx, &denied)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, c.bucketStep(there))
	manuals := map[string]*Manual{}
	for _, m := range Manuals(&c.want) {
		manuals[m.ID] = &m
	}
	for _, x := range c.settings() {
		step, err := c.settingStep(ctx, &x, there, manuals)
		if err := denied.note(err); err != nil {
			return nil, err
		}
		if step != nil {
			p.Steps = append(p.Steps, *step)
		}
	}
	p.Steps = tightenLast(p.Steps)
	steps, err := c.keySteps(ctx, &denied)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, steps...)
	for _, m := range Manuals(&c.want) {
		if manuals[m.ID] == nil { // a step above carries it
			continue
		}
		p.Steps = append(p.Steps, byHand(&m))
	}
	if err := denied.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// tightenLast puts Block Public Access behind the bucket policy where both
// change and public policies are to be refused from now on: before, AWS would
// refuse the new policy as well if a statement that is not ours makes it public,
// and the next run could not go on either.
func tightenLast(steps []Step) []Step {
	at := func(id string) int {
		return slices.IndexFunc(steps, func(s Step) bool { return s.ID == id && s.apply != nil })
	}
	block, policy := at("block-public-access"), at("bucket-policy")
	if block < 0 || policy < 0 || steps[block].Action != Change || steps[block].Danger != "" {
		return steps
	}
	s := steps[block]
	steps = slices.Insert(steps, policy+1, s)
	return slices.Delete(steps, block, block+1)
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
	case d.noAPI != "":
		step := byHand(c.manualSetting(x, manuals[x.manual], d.noAPI))
		delete(manuals, x.manual)
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
	manual := manuals[x.manual]
	s.Permissions = []Permission{{x.reads, c.want.BucketARN()}, {x.writes, c.want.BucketARN()}}
	s.apply = func(ctx context.Context) (*Key, error) {
		// Read again: the bucket may be new since the plan, or have changed.
		d, err := x.compare(ctx, false)
		if err != nil {
			return nil, c.explain(err, Permission{x.reads, c.want.BucketARN()})
		}
		if d.noAPI != "" {
			return nil, &onlyByHand{c.manualSetting(x, manual, d.noAPI)}
		}
		if !d.changed {
			return nil, nil
		}
		err = d.write(ctx)
		if noAPI(err) {
			return nil, &onlyByHand{c.manualSetting(x, manual, missing(err).noAPI)}
		}
		return nil, c.explain(err, Permission{x.writes, c.want.BucketARN()})
	}
	return s, nil
}

// manualSetting is what a person has to do about a setting that the server
// turned out not to have; m, if there is one, says it better.
func (c *Cloud) manualSetting(x *setting, m *Manual, answered string) *Manual {
	if m == nil {
		m = &Manual{ID: x.manual, Title: x.title, Why: c.want.Provider.Title + " has no API for it.", Steps: "See to it in the provider's console, if it has something like it."}
	}
	said := *m
	said.Why += " It answered " + answered + "."
	return &said
}

// onlyByHand ends a step of which only now is known that the server has nothing
// like it: about a bucket that is still to be made, nothing can be asked.
type onlyByHand struct{ manual *Manual }

func (o *onlyByHand) Error() string { return "not set: " + o.manual.Why }

// Apply does the plan's steps in their order. It stops at the first error, or
// between two steps when ctx is done; what was done is in the Result, and the
// next plan goes on from there. progress, if not nil, is told when a step
// begins and when it has ended; a key that was made is in the Event of its end.
// A setting that the server turns out not to have ends with an error in its
// Event, becomes a Manual in the plan and in the Result, and stops nothing.
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
		doing := ctx
		if !s.stoppable { // half of a step would be forgotten
			doing = context.WithoutCancel(ctx)
		}
		key, err := s.apply(doing)
		if key != nil {
			r.Keys = append(r.Keys, *key)
		}
		var hand *onlyByHand
		if errors.As(err, &hand) {
			*s = byHand(hand.manual)
			r.ByHand = append(r.ByHand, *s)
			progress(Event{Step: s, Ended: true, Err: err})
			continue
		}
		progress(Event{Step: s, Ended: true, Err: err, Key: key})
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.ID, err)
		}
		r.Done = append(r.Done, *s)
	}
	return r, nil
}
