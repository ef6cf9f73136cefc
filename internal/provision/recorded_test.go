package provision_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postern.example/postern/internal/provision"
)

// me is who AWS says that the operator is.
const me = "arn:aws:iam::" + account + ":user/me"

// What AWS is sent, as its API reference wants it: to set up, to rotate the
// keys, and to remove it all.
func TestRequestsToAWS(t *testing.T) {
	for _, name := range []string{"aws-user", "aws-public", "aws-us-east", "role-oidc", "role-ecs", "aws-cdn"} {
		t.Run(name, func(t *testing.T) {
			a := startAmazon(t)
			a.bare = true
			p := a.place(t, wants(t)[name])
			c := p.open(t)
			plan, err := c.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if plan.Caller.Account != account || plan.Caller.ARN != me {
				t.Errorf("we are %+v", plan.Caller)
			}
			r, err := c.Apply(t.Context(), plan, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range r.Keys {
				if k.SecretAccessKey != "new secret" || k.User == "" {
					t.Errorf("key %+v", k)
				}
			}
			golden(t, filepath.Join("requests", name+".txt"), strings.Join(a.told(), "\n\n")+"\n")
			p.nothingLeft(t)
			if p.want.User != "" {
				p.rotate(t)
				p.rotate(t)
			}
			p.remove(t, false)
			if name == "aws-user" || name == "role-ecs" {
				golden(t, filepath.Join("requests", name+"-rotate-remove.txt"), strings.Join(a.told(), "\n\n")+"\n")
			}
			if len(a.users)+len(a.roles)+len(a.settings) > 0 || a.region != "" {
				t.Error("something is left")
			}
		})
	}
}

func (p *place) rotate(t *testing.T) *provision.Result {
	t.Helper()
	c := p.open(t)
	plan, err := c.PlanRotation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Apply(t.Context(), plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (p *place) remove(t *testing.T, force bool) *provision.Plan {
	t.Helper()
	c := p.open(t)
	plan, err := c.PlanRemoval(t.Context(), force)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Apply(t.Context(), plan, nil); err != nil {
		t.Fatal(err)
	}
	return plan
}

// What AWS gives every new bucket by itself is left, and nothing is sent for it.
func TestAWS_Defaults(t *testing.T) {
	a := startAmazon(t)
	p := a.place(t, wants(t)["aws-user"])
	p.apply(t)
	for _, r := range a.told() {
		for _, setting := range []string{"publicAccessBlock", "ownershipControls", "encryption"} {
			if strings.HasPrefix(r, "PUT /photos?"+setting) {
				t.Errorf("sent though it was so: %s", r)
			}
		}
	}
	if got := ids(p.plan(t), provision.Keep); !slices.Contains(got, "encryption") {
		t.Errorf("kept: %v", got)
	}
}

// Each thing that somebody changes is found, and alone is put right.
func TestAWS_Drift(t *testing.T) {
	all := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	for name, c := range map[string]struct {
		want, step string
		drift      func(*amazon)
		kept       bool // shown, and left
	}{
		"public access opened": {"aws-user", "block-public-access", func(a *amazon) {
			a.settings["publicAccessBlock"] = strings.Replace(a.settings["publicAccessBlock"], "<RestrictPublicBuckets>true", "<RestrictPublicBuckets>false", 1)
		}, false},
		"public access gone": {"aws-user", "block-public-access", func(a *amazon) { delete(a.settings, "publicAccessBlock") }, false},
		"ACLs on": {"aws-user", "ownership", func(a *amazon) {
			a.settings["ownershipControls"] = strings.Replace(a.settings["ownershipControls"], "BucketOwnerEnforced", "ObjectWriter", 1)
		}, false},
		"no encryption": {"aws-user", "encryption", func(a *amazon) { delete(a.settings, "encryption") }, false},
		"encryption by KMS": {"aws-user", "", func(a *amazon) {
			a.settings["encryption"] = strings.Replace(a.settings["encryption"], "AES256", "aws:kms", 1)
		}, false},
		"CORS open": {"aws-user", "cors", func(a *amazon) {
			a.settings["cors"] = strings.Replace(a.settings["cors"], "https://app.example", "*", 1)
		}, false},
		"somebody else's open CORS": {"aws-user", "cors", func(a *amazon) {
			a.settings["cors"] = strings.Replace(a.settings["cors"], "</CORSConfiguration>", "<CORSRule><ID>theirs</ID><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod></CORSRule></CORSConfiguration>", 1)
		}, true},
		"lifecycle gone": {"aws-user", "lifecycle", func(a *amazon) { delete(a.settings, "lifecycle") }, false},
		"lifecycle narrowed to a tag": {"aws-user", "lifecycle", func(a *amazon) {
			a.settings["lifecycle"] = strings.Replace(a.settings["lifecycle"], "<Filter><Prefix>incoming/</Prefix></Filter>", "<Filter><And><Prefix>incoming/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter>", 1)
		}, false},
		"lifecycle of another's eats pictures": {"aws-user", "lifecycle", func(a *amazon) {
			a.settings["lifecycle"] = strings.Replace(a.settings["lifecycle"], "</LifecycleConfiguration>", "<Rule><ID>theirs</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>", 1)
		}, true},
		"policy gone": {"aws-user", "bucket-policy", func(a *amazon) { delete(a.settings, "policy") }, false},
		"a statement under our Sid": {"aws-user", "bucket-policy", func(a *amazon) {
			a.settings["policy"] = `{"Version":"2012-10-17","Statement":[{"Sid":"PosternExtra","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/incoming/*"}]}`
		}, false},
		"signer's policy widened": {"aws-user", "user-signer-policy", func(a *amazon) { a.users["site-signer"].policies["postern-signer"] = all }, false},
		"signer's policy gone":    {"aws-user", "user-signer-policy", func(a *amazon) { delete(a.users["site-signer"].policies, "postern-signer") }, false},
		"another inline policy":   {"aws-user", "user-worker-foreign", func(a *amazon) { a.users["site-worker"].policies["admin"] = all }, false},
		"an attached policy": {"aws-user", "user-signer-attached", func(a *amazon) {
			a.users["site-signer"].attached = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
		}, true},
		"key gone":         {"aws-user", "user-worker-key", func(a *amazon) { a.users["site-worker"].keys = nil }, false},
		"key switched off": {"aws-user", "user-worker-key", func(a *amazon) { a.users["site-worker"].off = a.users["site-worker"].keys[0] }, true},
		"user gone":        {"aws-user", "user-signer user-signer-policy user-signer-key", func(a *amazon) { delete(a.users, "site-signer") }, false},
		"trust widened":    {"role-ec2", "role-trust", func(a *amazon) { a.roles["site"].trust = strings.Replace(a.roles["site"].trust, "ec2.", "lambda.", 1) }, false},
		"role's policy":    {"role-ecs", "role-worker-policy", func(a *amazon) { a.roles["site"].policies["postern-worker"] = all }, false},
		"role has another": {"role-lambda", "role-foreign", func(a *amazon) { a.roles["site"].policies["admin"] = all }, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := startAmazon(t)
			p := a.place(t, wants(t)[c.want])
			p.apply(t)
			a.told()
			c.drift(a)
			plan := p.plan(t)
			var pending []string
			for _, s := range plan.Steps {
				switch {
				case s.Action == provision.Keep:
					if c.kept && s.ID == c.step && s.Danger == "" {
						t.Errorf("%s is kept without a word", s.ID)
					}
				case s.Action != provision.ByHand:
					pending = append(pending, s.ID)
					if s.Action == provision.Change && (s.Before == "" || s.After == "" || s.Before == s.After) {
						t.Errorf("%s shows %q before and %q after", s.ID, s.Before, s.After)
					}
				}
			}
			if got := strings.Join(pending, " "); c.kept && got != "" || !c.kept && got != c.step {
				t.Fatalf("found %q, want %q", got, c.step)
			}
			if c.kept && !slices.Contains(ids(plan, provision.Keep), c.step) {
				t.Errorf("%s is not shown", c.step)
			}
			p.apply(t)
			if c.step == "encryption" || c.step == "role-trust" { // which nothing else ever sends
				golden(t, filepath.Join("requests", c.step+".txt"), strings.Join(a.told(), "\n\n")+"\n")
			}
		})
	}
}

// A user or a role that was there before setup keeps what it has.
func TestAWS_NotOurs(t *testing.T) {
	for _, name := range []string{"aws-user", "role-ecs"} {
		a := startAmazon(t)
		a.region = "eu-central-1"
		was := &person{policies: map[string]string{"theirs": "{}"}, trust: "{}"}
		p := a.place(t, wants(t)[name])
		if name == "aws-user" {
			a.users["site-signer"] = was
		} else {
			a.roles["site"] = was
		}
		p.apply(t)
		plan := p.remove(t, true)
		if got := ids(plan, provision.Keep); !slices.Contains(got, "bucket") || !slices.Contains(got, map[string]string{"aws-user": "user-signer", "role-ecs": "role"}[name]) {
			t.Errorf("%s: removal keeps %v", name, got)
		}
		if was.policies["theirs"] == "" || a.region == "" || len(a.users)+len(a.roles) != 1 {
			t.Errorf("%s: somebody else's is gone: %+v", name, was)
		}
		for _, setting := range []string{"policy", "cors", "lifecycle"} {
			if a.settings[setting] != "" {
				t.Errorf("%s: our %s is left", name, setting)
			}
		}
	}
}

// Where policies become public, Block Public Access is relaxed before; where
// they are not any more, it is tightened after. In both, a foreign statement that
// is public as well must not be in the way.
func TestAWS_PublicOrder(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		a := startAmazon(t)
		p := a.place(t, wants(t)["aws-user"])
		p.apply(t)
		order := func(public bool) []string {
			p.want.Public = public
			a.told()
			p.apply(t)
			var list []string
			for _, r := range a.told() {
				list = append(list, strings.Fields(r)[1])
			}
			return list
		}
		if got := order(true); !slices.Equal(got, []string{"/photos?publicAccessBlock=", "/photos?policy="}) {
			t.Errorf("to open: %v", got)
		}
		if foreign {
			a.settings["policy"] = strings.Replace(a.settings["policy"], `"Statement": [`, `"Statement": [{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/site/*"},`, 1)
		}
		if got := order(false); !slices.Equal(got, []string{"/photos?policy=", "/photos?publicAccessBlock="}) {
			t.Errorf("to close: %v", got)
		}
	}
}

// The account's own Block Public Access is named, and not a permission.
func TestAWS_AccountBlocksPublic(t *testing.T) {
	a := startAmazon(t)
	p := a.place(t, wants(t)["aws-public"])
	c := p.open(t)
	plan, err := c.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.refuses["PUT /photos?policy"] = "User: " + me + " is not authorized to perform: s3:PutBucketPolicy on resource: arn:aws:s3:::photos because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
	if _, err := c.Apply(t.Context(), plan, nil); !errors.Is(err, provision.ErrWant) || errors.Is(err, provision.ErrDenied) || !strings.Contains(err.Error(), "account") {
		t.Errorf("it says %v", err)
	}
}

// IAM may know of what it was told only later.
func TestAWS_LateIAM(t *testing.T) {
	for _, name := range []string{"aws-user", "role-ec2"} {
		a := startAmazon(t)
		p := a.place(t, wants(t)[name])
		c := p.open(t)
		plan, err := c.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Apply(t.Context(), plan, func(e provision.Event) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if !e.Ended {
				a.late = 2
				return
			}
			if strings.HasSuffix(e.Step.ID, "policy") && a.late > 0 && e.Step.ID != "bucket-policy" {
				t.Errorf("%s: it was not waited for", e.Step.ID)
			}
			a.late = 0
		}); err != nil {
			t.Fatal(err)
		}
		p.nothingLeft(t)
	}
}

// A name that somebody else has, also when he was only just quicker, and a
// bucket in another region.
func TestAWS_Taken(t *testing.T) {
	a := startAmazon(t)
	p := a.place(t, wants(t)["aws-user"])
	c := p.open(t)
	plan, err := c.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.foreign = true
	if _, err := c.Apply(t.Context(), plan, nil); !errors.Is(err, provision.ErrTaken) || len(a.users) != 0 {
		t.Errorf("while it is made: %v", err)
	}
	if _, err := c.Plan(t.Context()); !errors.Is(err, provision.ErrTaken) {
		t.Errorf("before: %v", err)
	}
	a.foreign, a.region = false, "us-west-2"
	if _, err := c.Plan(t.Context()); !errors.Is(err, provision.ErrWant) || !strings.Contains(err.Error(), "us-west-2") {
		t.Errorf("in another region: %v", err)
	}
	// Ours, and made meanwhile by another run: it stays without our tag.
	a.region = "eu-central-1"
	r, err := c.Apply(t.Context(), plan, nil)
	if err != nil || len(r.Keys) != 2 || a.settings["tagging"] != "" {
		t.Errorf("made meanwhile: %v, tags %q", err, a.settings["tagging"])
	}
}

// Interrupted after any step, the next run goes on, whatever was wanted.
func TestAWS_HalfApplied(t *testing.T) {
	for _, name := range []string{"aws-public", "role-oidc"} {
		for k := 1; ; k++ {
			a := startAmazon(t)
			a.bare = true
			p := a.place(t, wants(t)[name])
			c := p.open(t)
			plan, err := c.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if k >= plan.Pending() {
				break
			}
			ctx, stop := cancelAfter(t, k)
			r, err := c.Apply(ctx, plan, func(e provision.Event) {
				if e.Ended {
					stop()
				}
			})
			if !errors.Is(err, context.Canceled) || len(r.Done) != k {
				t.Errorf("%s: stopped after %d of %d: %v", name, len(r.Done), k, err)
			}
			p.apply(t)
			for _, u := range a.users {
				if len(u.keys) != 1 {
					t.Errorf("%s: after %d steps there are keys %v", name, k, u.keys)
				}
			}
		}
	}
}

// All that is missing is told at once, in AWS's own words where it has some.
func TestAWS_DeniedReads(t *testing.T) {
	a := startAmazon(t)
	p := a.place(t, wants(t)["aws-user"])
	p.apply(t)
	told := "User: " + me + " is not authorized to perform: iam:GetUser on resource: user site-signer because no identity-based policy allows the iam:GetUser action"
	a.refuses["GetUser"] = told
	a.refuses["ListAccessKeys"] = "Access Denied"
	a.refuses["GET /photos?cors"] = "Access Denied"
	a.refuses["GET /photos?location"] = "Access Denied"
	for what, plan := range map[string]func(*provision.Cloud) (*provision.Plan, error){
		"set up": func(c *provision.Cloud) (*provision.Plan, error) { return c.Plan(t.Context()) },
		"remove": func(c *provision.Cloud) (*provision.Plan, error) { return c.PlanRemoval(t.Context(), false) },
	} {
		_, err := plan(p.open(t))
		var denied *provision.Denied
		if !errors.As(err, &denied) || denied.Caller != me || denied.RequestID != "REQUEST1" || denied.Code != "AccessDenied" {
			t.Fatalf("%s: %+v, %v", what, denied, err)
		}
		missing := map[string][]string{
			"set up": {"s3:GetBucketLocation", "s3:GetBucketCORS", "iam:GetUser", "iam:ListAccessKeys on arn:aws:iam::" + account + ":user/site-signer", "iam:ListAccessKeys on arn:aws:iam::" + account + ":user/site-worker"},
			"remove": {"s3:GetBucketLocation", "iam:GetUser"},
		}[what]
		for _, m := range missing {
			if strings.Count(err.Error(), m) != 1 {
				t.Errorf("%s: %q does not name %s once", what, err, m)
			}
		}
		if lines := strings.Split(err.Error(), "\n"); len(lines) != len(missing) {
			t.Errorf("%s: %d lines, want %d: %v", what, len(lines), len(missing), err)
		}
	}
}

// What is denied while the plan is applied stops it there; all that the steps
// say they need is in the operator's policy.
func TestAWS_DeniedWrites(t *testing.T) {
	for _, name := range []string{"aws-public", "role-ecs"} {
		a := startAmazon(t)
		a.bare = true
		p := a.place(t, wants(t)[name])
		allowed := map[string]bool{}
		for _, s := range provision.OperatorPolicy(&p.want).Statement {
			for _, action := range s.Action {
				allowed[action] = true
			}
		}
		a.refuses["PUT /photos?publicAccessBlock"] = "Access Denied"
		c := p.open(t)
		plan, err := c.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Apply(t.Context(), plan, nil)
		var denied *provision.Denied
		if !errors.As(err, &denied) || denied.Action != "s3:PutBucketPublicAccessBlock" || denied.Resource != "arn:aws:s3:::photos" || len(r.Done) != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		clear(a.refuses)
		needs := plan.Steps
		p.apply(t)
		removal, err := p.open(t).PlanRemoval(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range append(needs, removal.Steps...) {
			for _, need := range s.Permissions {
				if !allowed[need.Action] {
					t.Errorf("%s needs %s, which the operator's policy has not", s.ID, need.Action)
				}
			}
		}
	}
}

// What the server turns out not to have is left to a person, with its answer,
// and stops nothing; whether that shows before the bucket is made or after.
func TestAWS_NoSuchSetting(t *testing.T) {
	a := startAmazon(t)
	p := a.place(t, wants(t)["aws-user"])
	a.fails["GET /photos?lifecycle"] = "NotImplemented"
	c := p.open(t)
	plan, err := c.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	r, err := c.Apply(t.Context(), plan, func(e provision.Event) {
		if e.Err != nil {
			failed = append(failed, e.Err.Error())
		}
	})
	if err != nil || len(r.ByHand) != 1 || r.ByHand[0].Action != provision.ByHand || !strings.Contains(r.ByHand[0].Manual.Why, "501 NotImplemented") || len(r.Keys) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if len(failed) != 1 || slices.ContainsFunc(r.Done, func(s provision.Step) bool { return s.ID == "lifecycle" }) {
		t.Errorf("it is claimed: %v", failed)
	}
	again := p.plan(t)
	if i := slices.IndexFunc(again.Steps, func(s provision.Step) bool { return s.ID == "lifecycle" }); again.Pending() != 0 || !strings.Contains(again.Steps[i].Manual.Why, "501 NotImplemented") {
		t.Errorf("again: %+v", again.Steps[i])
	}
	a.fails["GetUser"] = "InvalidAction"
	if got := p.plan(t); !slices.Contains(ids(got, provision.ByHand), "keys") || got.Pending() != 0 {
		t.Errorf("without IAM: %v", ids(got, provision.ByHand))
	}
}
