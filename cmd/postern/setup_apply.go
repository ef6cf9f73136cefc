package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern.example/postern/internal/provision"
)

// revokeTime is how long deleting a key may take whose secret could not be kept.
const revokeTime = 30 * time.Second

// keepable finds out, before anything is done, that the settings can be written,
// of which keys there is no secret, and that new ones can be kept.
func (r *setupRun) keepable() error {
	if !r.destroy && !r.rotate {
		lines, err := r.configLines()
		if err != nil {
			return err
		}
		if _, _, err := r.mergeConfig(lines); err != nil {
			return err
		}
	}
	if !r.makesKeys() || r.destroy {
		return nil
	}
	text, err := readCredentials(r.credentials)
	if err != nil {
		return misused("Choose another file with --credentials.", "%w", err)
	}
	r.access.NoSecret, r.access.InUse = map[string]bool{}, map[string]string{}
	for _, kind := range []string{provision.Signer, provision.Worker} {
		id := keyOfProfile(text, r.want.UserName(kind))
		r.access.NoSecret[kind], r.access.InUse[kind] = id == "", id
	}
	if r.dryRun {
		return nil
	}
	if err := writable(r.credentials); err != nil {
		return misused("Choose another file with --credentials.", "new keys could not be kept: %w", err)
	}
	return nil
}

// applier is what apply needs of a provision.Cloud.
type applier interface {
	Apply(context.Context, *provision.Plan, func(provision.Event)) (*provision.Result, error)
	DeleteKey(context.Context, provision.Key) error
}

// apply does what the plan says. A key is in its file before the next step
// begins; one that cannot be kept is deleted again, since nobody will ever
// learn its secret.
func (r *setupRun) apply(ctx context.Context, cloud applier, plan *provision.Plan) error {
	applying, stop := context.WithCancel(ctx)
	defer stop()
	var lost []provision.Key
	var unkept error
	fmt.Fprintln(r.out)
	result, err := cloud.Apply(applying, plan, func(e provision.Event) {
		r.printEvent(e)
		if e.Key == nil {
			return
		}
		if err := putProfile(r.credentials, profile{r.want.UserName(e.Key.Kind), e.Key.AccessKeyID, e.Key.SecretAccessKey}); err != nil {
			lost, unkept = append(lost, *e.Key), err
			stop()
			return
		}
		r.printKey(e.Key)
	})
	r.doc.Result = result
	if result != nil && slices.ContainsFunc(result.Keys, func(k provision.Key) bool { return !slices.Contains(lost, k) }) {
		r.doc.Files = append(r.doc.Files, fileJSON{r.credentials, "written"})
	}
	if result != nil && len(result.ByHand) > 0 {
		fmt.Fprintln(r.out, "\nBy hand, as the server turned out not to have it:")
		for i := range result.ByHand {
			r.printStep("!", &result.ByHand[i])
		}
	}
	if unkept != nil {
		return r.revoke(ctx, cloud, lost, unkept)
	}
	if err == nil {
		return nil
	}
	done := 0
	if result != nil {
		done = len(result.Done)
	}
	fmt.Fprintf(r.out, "\nStopped after %d of %s. What was done stays, and the same command goes on from here.\n", done, counted(plan.Pending(), "step", "steps"))
	if ctx.Err() != nil {
		return failed("Run the same command again to go on.", "interrupted after %d of %s", done, counted(plan.Pending(), "step", "steps"))
	}
	return r.explain(err)
}

// revoke deletes keys that could not be kept.
func (r *setupRun) revoke(ctx context.Context, cloud applier, lost []provision.Key, unkept error) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
	defer cancel()
	for _, k := range lost {
		if err := cloud.DeleteKey(last, k); err != nil {
			return failed(fmt.Sprintf("Delete access key %s of user %s by hand: nobody has its secret. Then choose another file with --credentials.", k.AccessKeyID, k.User),
				"a new key could not be kept, nor deleted again: %w", errors.Join(unkept, err))
		}
	}
	return failed("Choose another file with --credentials, and run the same command again.", "a new key could not be kept, and was deleted again: %w", unkept)
}

// printEvent shows how a step goes: on a terminal from its beginning.
func (r *setupRun) printEvent(e provision.Event) {
	switch {
	case !e.Ended:
		if r.live {
			fmt.Fprintf(r.out, "  %s %s", r.ink.dim("…"), plain(e.Step.Title))
		}
		return
	case r.live:
		fmt.Fprint(r.out, "\r\x1b[K")
	}
	if e.Err != nil {
		fmt.Fprintf(r.out, "  %s %s\n", r.ink.red("✗"), plain(e.Step.Title))
		return
	}
	fmt.Fprintf(r.out, "  %s %s\n", r.ink.green("✓"), plain(e.Step.Title))
}

// printKey tells where a new key is.
func (r *setupRun) printKey(k *provision.Key) {
	fmt.Fprintf(r.out, "      key %s, kept in %s as profile %s\n", k.AccessKeyID, r.credentials, r.want.UserName(k.Kind))
	if !r.showSecret {
		return
	}
	fmt.Fprintf(r.out, "      secret %s\n", k.SecretAccessKey)
	if r.doc.Secrets == nil {
		r.doc.Secrets = map[string]string{}
	}
	r.doc.Secrets[k.AccessKeyID] = k.SecretAccessKey
}
