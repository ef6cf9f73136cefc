package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"postern.example/postern"
	"postern.example/postern/internal/doctor"
	"postern.example/postern/internal/provision"
)

// setupRun is one run of the setup command.
type setupRun struct {
	setupAsk
	getenv   func(string) string
	out, err io.Writer
	person   *conversation // nil: nobody to ask
	ink      ink
	live     bool // a terminal shows the progress
	asked    bool // there were questions
	doc      setupJSON
}

// setupJSON is what --json prints, also when it stopped at an error.
type setupJSON struct {
	Plan   *provision.Plan   `json:"plan,omitempty"`
	Result *provision.Result `json:"result,omitempty"`
	// Secrets are those of Result's keys, with --show-secret only.
	Secrets        map[string]string `json:"secrets,omitempty"` // by access key id
	Files          []fileJSON        `json:"files,omitempty"`
	Doctor         *doctor.Report    `json:"doctor,omitempty"`
	Missing        []string          `json:"missing,omitempty"`         // permissions, a sentence each
	OperatorPolicy *provision.Policy `json:"operator_policy,omitempty"` // that has them
	Error          string            `json:"error,omitempty"`
}

type fileJSON struct {
	Path string `json:"path"`
	What string `json:"what"` // "written", "kept", or "differs": it is yours, and says something else
}

func (r *setupRun) run(ctx context.Context) (err error) {
	if r.json {
		stdout := r.out
		r.out = io.Discard
		defer func() {
			if err != nil {
				r.doc.Error = err.Error()
			}
			err = errors.Join(err, printJSON(stdout, &r.doc))
		}()
	}
	if r.complete() != nil && r.person != nil && !r.yes && !r.rotate && !r.destroy {
		if err := r.question(ctx); err != nil {
			return left(err)
		}
		r.asked = true
	}
	if err := r.complete(); err != nil {
		return err
	}
	if r.emit != "" {
		return r.emitFiles()
	}
	if !r.yes && !r.dryRun && r.person == nil {
		return misused("Add --yes to apply, or --dry-run for the plan alone.", "this is not a terminal, so nobody can be asked whether the plan may be applied")
	}
	if err := r.keepable(); err != nil {
		return err
	}
	cloud, err := provision.Open(ctx, r.access, r.want)
	if err != nil {
		return r.explain(err)
	}
	plan, err := r.plan(ctx, cloud)
	if err != nil {
		return r.explain(err)
	}
	r.doc.Plan = plan
	if err := r.printPlan(plan); err != nil {
		return err
	}
	if r.dryRun {
		fmt.Fprintln(r.out, "\nThis was the plan alone: nothing was changed.")
		return nil
	}
	if plan.Pending() > 0 {
		if err := r.confirmed(ctx, plan); err != nil {
			return err
		}
		if err := r.apply(ctx, cloud, plan); err != nil {
			return err
		}
	}
	return r.finish(ctx, plan)
}

// plan is the one of what was asked for.
func (r *setupRun) plan(ctx context.Context, cloud *provision.Cloud) (*provision.Plan, error) {
	if r.live {
		fmt.Fprint(r.out, r.ink.dim("Reading what is there …"))
		defer fmt.Fprint(r.out, "\r\x1b[K")
	}
	switch {
	case r.destroy:
		return cloud.PlanRemoval(ctx, r.forceObjects)
	case r.rotate:
		return cloud.PlanRotation(ctx)
	}
	return cloud.Plan(ctx)
}

// errUnchanged says that somebody has decided against it.
var errUnchanged = errors.New("nothing was changed")

// confirmed asks whether the plan may be applied.
func (r *setupRun) confirmed(ctx context.Context, plan *provision.Plan) error {
	if r.yes { // --confirm has named the bucket where that is needed
		return nil
	}
	if r.destroy && losesObjects(plan) {
		name, err := r.person.ask(ctx, "\nEvery object in it will be gone for good. Type the bucket's name to go on", "", func(string) error { return nil })
		if err != nil {
			return left(err)
		}
		if name != plan.Bucket {
			return failed("", "%w: %q is not the bucket's name", errUnchanged, plain(name))
		}
		return nil
	}
	yes, err := r.person.yes(ctx, "\nApply?")
	if err != nil {
		return left(err)
	}
	if !yes {
		return errUnchanged
	}
	return nil
}

// losesObjects says whether a bucket would go that still has some.
func losesObjects(plan *provision.Plan) bool {
	return slices.ContainsFunc(plan.Steps, func(s provision.Step) bool {
		return s.ID == "bucket" && s.Action == provision.Delete && s.Danger != ""
	})
}

// left is the error of somebody who has gone while being asked.
func left(err error) error {
	if errors.Is(err, errLeft) {
		return errUnchanged
	}
	return err
}

// explain says what can be done about an error of provision. What is missing
// to the operator is printed as a policy to paste.
func (r *setupRun) explain(err error) error {
	switch {
	case errors.Is(err, provision.ErrDenied):
		policy := provision.OperatorPolicy(&r.want)
		r.doc.OperatorPolicy = &policy
		r.doc.Missing = strings.Split(plain(err.Error()), "\n")
		if n := len(r.doc.Missing); n > 1 { // all that is missing is told at once
			if !r.json {
				fmt.Fprintf(r.err, "What is missing:\n%s\n", indented("  ", strings.Join(r.doc.Missing, "\n")))
			}
			err = fmt.Errorf("%d permissions are missing", n)
		}
		if !r.json {
			fmt.Fprintf(r.err, "Who runs setup needs this policy:\n\n%s\n\n", policy)
		}
		where := ""
		if r.want.Provider.Name == "aws" {
			where = " (IAM console, the user or role, Add permissions, Create inline policy, JSON)"
		}
		return failed("Give the key that setup works with the policy above"+where+", or choose another with --profile; then run the same command again.", "%w", err)
	case errors.Is(err, provision.ErrWant):
		return misused("", "%w", err)
	case errors.Is(err, provision.ErrTaken):
		return failed("Choose another name with --bucket: names are shared by everybody.", "%w", err)
	case errors.Is(err, provision.ErrNotEmpty):
		return failed("Empty it first, or add --force-delete-objects.", "%w", err)
	case errors.Is(err, provision.ErrNotOurs):
		return failed("Remove it by hand if it shall go.", "%w", err)
	}
	return failed("", "set up: %w", err)
}

// finish writes the settings, has the doctor look, and says what is next.
func (r *setupRun) finish(ctx context.Context, plan *provision.Plan) error {
	if r.destroy {
		fmt.Fprintf(r.out, "\nWhat is setup's is gone. %s and %s are left to you.\n", r.config, r.credentials)
		return nil
	}
	if r.rotate {
		fmt.Fprintf(r.out, "\nRestart \"postern serve\", which reads its keys when it starts. Then run the same command again: it deletes the older keys.\n")
		return nil
	}
	lines, err := r.configLines()
	if err != nil {
		return err
	}
	if err := r.writeConfig(lines); err != nil {
		return err
	}
	faults, err := r.examine(ctx, lines)
	if err != nil {
		return err
	}
	if faults > 0 {
		return failed("Cure the first one first; then: "+r.command("doctor"), "it is set up, but the doctor found %s", counted(faults, "fault", "faults"))
	}
	n := byHand(plan)
	if r.doc.Result != nil {
		n += len(r.doc.Result.ByHand)
	}
	if n > 0 {
		fmt.Fprintf(r.out, "\n%s left for you: see \"by hand\" above.\n", capital(counted(n, "step is", "steps are")))
	}
	if r.asked {
		fmt.Fprintf(r.out, "\nThe same without questions: %s\n", r.sameCommand())
	}
	fmt.Fprintf(r.out, "\nNext: %s\n", r.command("serve"))
	return nil
}

// command is a command of ours that reads the settings just written.
func (r *setupRun) command(name string) string {
	if r.config == defaultFile || r.config == "./"+defaultFile {
		return "postern " + name
	}
	return "postern " + name + " --config " + r.config
}

// makesKeys says whether the gate will have keys that setup makes.
func (r *setupRun) makesKeys() bool {
	return r.want.User != "" && r.want.Provider.IAM != postern.No && (r.want.Endpoint == "" || r.access.IAMEndpoint != "")
}

// sameCommand is the command that does the same without questions.
func (r *setupRun) sameCommand() string {
	w, words := &r.want, []string{"postern", "setup"}
	add := func(name, value string) {
		if value == "" {
			return
		}
		if scalar(value) != value { // what is plain in YAML is plain in a shell
			value = quoted(value)
		}
		words = append(words, "--"+name, value)
	}
	add("bucket", w.Bucket)
	add("region", w.Region)
	if w.Endpoint != "" {
		add("endpoint", w.Endpoint)
		add("provider", w.Provider.Name)
		if w.PathStyle != w.Provider.PathStyle {
			words = append(words, fmt.Sprintf("--path-style=%v", w.PathStyle))
		}
	}
	for _, o := range w.Origins {
		add("origin", o)
	}
	if w.Public {
		words = append(words, "--public")
	}
	if w.Distribution != "" {
		words = append(words, "--cdn", "cloudfront")
		add("distribution", w.Distribution)
	}
	for _, f := range []struct{ name, value string }{
		{"user", w.User},
		{"role", w.Role},
		{"trust", w.Trust.Kind},
		{"oidc-provider", w.Trust.Provider},
		{"oidc-subject", w.Trust.Subject},
		{"oidc-audience", w.Trust.Audience},
		{"account", r.account},
		{"iam-endpoint", r.access.IAMEndpoint},
		{"sts-endpoint", r.access.STSEndpoint},
		{"profile", r.access.Profile},
	} {
		add(f.name, f.value)
	}
	if r.config != "./"+defaultFile {
		add("config", r.config)
	}
	if r.credentials != defaultCredentials {
		add("credentials", r.credentials)
	}
	return strings.Join(words, " ")
}

func byHand(p *provision.Plan) (n int) {
	for _, s := range p.Steps {
		if s.Action == provision.ByHand {
			n++
		}
	}
	return n
}

// counted is a number with its noun: "1 fault", "2 faults".
func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
