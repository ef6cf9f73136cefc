package provision_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"postern.example/postern/internal/provision"
)

// An interrupted rotation is finished before the next half begins, and the key
// in use is never deleted.
func TestAWS_Rotation(t *testing.T) {
	a := startAmazon(t)
	p := a.place(t, wants(t)["aws-user"])
	if _, err := p.open(t).PlanRotation(t.Context()); !errors.Is(err, provision.ErrWant) {
		t.Errorf("without users: %v", err)
	}
	p.apply(t) // keys 1 and 2
	half := func() {
		t.Helper()
		c := p.open(t)
		plan, err := c.PlanRotation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := cancelAfter(t, 1)
		if _, err := c.Apply(ctx, plan, func(e provision.Event) {
			if e.Ended {
				stop()
			}
		}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	keys := func(signer, worker string) {
		t.Helper()
		if got := strings.Join(a.users["site-signer"].keys, " ") + ", " + strings.Join(a.users["site-worker"].keys, " "); got != strings.ReplaceAll(signer+", "+worker, "#", "AKIANEWKEY") {
			t.Fatalf("keys are %s", got)
		}
	}
	keys("#1", "#2")
	half()
	keys("#1 #3", "#2")
	if r := p.rotate(t); len(r.Keys) != 1 || r.Keys[0].Kind != provision.Worker {
		t.Fatalf("%+v", r)
	}
	keys("#1 #3", "#2 #4")
	half()
	keys("#3", "#2 #4")
	p.rotate(t)
	keys("#3", "#4")
	// The newer one may be switched off, or the older one in use.
	p.rotate(t)
	keys("#3 #5", "#4 #6")
	a.users["site-signer"].off = "AKIANEWKEY5"
	p.access.InUse = map[string]string{provision.Worker: "AKIANEWKEY4"}
	p.rotate(t)
	keys("#3", "#4")
	p.rotate(t)
	keys("#3 #7", "#4 #8")
	a.users["site-signer"].off = "AKIANEWKEY7"
	p.access.InUse = map[string]string{provision.Signer: "AKIANEWKEY7", provision.Worker: "AKIANEWKEY8"}
	p.rotate(t)
	keys("#7", "#8")
	p.want.User, p.want.Role, p.want.Trust = "", "site", provision.Trust{Kind: "ec2"}
	if _, err := p.open(t).PlanRotation(t.Context()); !errors.Is(err, provision.ErrWant) {
		t.Errorf("of a role: %v", err)
	}
}

// A bucket with versions, or with parts of an upload, is not empty.
func TestAWS_RemovalOfObjects(t *testing.T) {
	for what, fill := range map[string]func(*amazon){
		"hidden versions": func(a *amazon) { a.versions = []string{"images/a", "images/b"} },
		"parts":           func(a *amazon) { a.uploads = []string{"incoming/a"} },
	} {
		a := startAmazon(t)
		p := a.place(t, wants(t)["aws-user"])
		p.apply(t)
		fill(a)
		if _, err := p.open(t).PlanRemoval(t.Context(), false); !errors.Is(err, provision.ErrNotEmpty) {
			t.Errorf("%s: %v", what, err)
		}
		plan := p.remove(t, true)
		if i := slices.IndexFunc(plan.Steps, func(s provision.Step) bool { return s.ID == "bucket" }); plan.Steps[i].Danger == "" {
			t.Errorf("%s: that they will be gone is not said", what)
		}
		if a.region != "" || len(a.versions)+len(a.uploads)+len(a.users) > 0 {
			t.Errorf("%s: something is left", what)
		}
		if plan := p.remove(t, false); plan.Pending() != 0 {
			t.Errorf("%s: again: %+v", what, plan)
		}
	}
}

// What somebody attached to a user of ours keeps it from being deleted, and says
// so; what he put inline goes with it.
func TestAWS_RemovalOfUsers(t *testing.T) {
	a := startAmazon(t)
	p := a.place(t, wants(t)["aws-user"])
	p.apply(t)
	a.users["site-signer"].policies["more"] = "{}"
	a.users["site-worker"].attached = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
	c := p.open(t)
	plan, err := c.PlanRemoval(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Apply(t.Context(), plan, nil); err == nil || !strings.Contains(err.Error(), "site-worker: it is in use") {
		t.Errorf("%v", err)
	}
	if a.users["site-signer"] != nil || a.users["site-worker"] == nil {
		t.Error("the wrong one is left")
	}
	a.users["site-worker"].attached = nil
	p.remove(t, false)
	if len(a.users) > 0 || a.region != "" {
		t.Error("something is left")
	}
}
