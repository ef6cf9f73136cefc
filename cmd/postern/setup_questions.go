package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"postern.example/postern"
	"postern.example/postern/internal/provision"
)

// question asks for what no flag, variable or file says. Each answer is checked
// at once, by the rules that the whole will be checked by.
func (r *setupRun) question(ctx context.Context) error {
	fmt.Fprint(r.out, "Nothing is changed before you have seen the plan. Enter takes what stands in brackets.\n\n")
	s := r.server
	ask := func(told, question, initial string, check func(string) error) (string, error) {
		if r.told[told] {
			return "", nil
		}
		return r.person.ask(ctx, question, initial, check)
	}
	given := func(into *string, told, question, initial string, check func(string) error) error {
		v, err := ask(told, question, initial, check)
		if err == nil && !r.told[told] {
			*into = v
			s.from[told] = origin{"asked", ""}
		}
		return err
	}
	if err := given(&s.bucket, "bucket", "Name of the bucket, which nobody else may have", "photos-"+strings.ToLower(rand.Text()[:8]), r.checked(func(w *provision.Want, v string) { w.Bucket = v })); err != nil {
		return err
	}
	if err := s.findServer(); err != nil {
		return err
	}
	region := s.region
	if region == "" {
		region = "us-east-1"
	}
	if s.from["region"].kind != "recognised" && s.from["region"].kind != "provider" {
		if err := given(&s.region, "region", "Region, near your visitors", region, r.checked(func(w *provision.Want, v string) { w.Region = v })); err != nil {
			return err
		}
	}
	var pages string
	if err := given(&pages, "origin", "Pages that may upload, by their origins, with spaces between", "http://127.0.0.1:8080", r.checked(func(w *provision.Want, v string) { w.Origins = strings.Fields(v) })); err != nil {
		return err
	}
	if pages != "" {
		s.origins = strings.Fields(pages)
	}
	if err := r.settle(); err != nil {
		return err
	}
	if err := r.askReaders(ctx); err != nil {
		return err
	}
	return r.askKeys(ctx)
}

// checked holds one answer against the rules for all of it, the rest of which
// is filled in with what is fine.
func (r *setupRun) checked(put func(*provision.Want, string)) func(string) error {
	return func(v string) error {
		w := provision.Want{Bucket: "photos", Region: "us-east-1", Origins: []string{"https://app.example"}, Account: "123456789012"}
		w.Provider, w.Endpoint, w.PathStyle = r.want.Provider, r.want.Endpoint, r.want.PathStyle
		if w.Provider.Name == "" {
			w.Provider = postern.ProviderOf(r.server.endpoint)
			w.Endpoint = r.server.endpoint
		}
		put(&w, v)
		return w.Check()
	}
}

func (r *setupRun) askReaders(ctx context.Context) error {
	if r.told["public"] || r.told["distribution"] {
		return nil
	}
	fmt.Fprint(r.out, `
Who reads the images that are made of uploads? What browsers write is never public.
  signed      whoever the gate gives a signed link, which ends after a while
  public      everybody, from the bucket itself
  cloudfront  everybody, through a CloudFront distribution that you have
`)
	who, err := r.person.ask(ctx, "Readers", "signed", oneOf("signed", "public", "cloudfront"))
	if err != nil {
		return err
	}
	switch who {
	case "public":
		r.want.Public = true
	case "cloudfront":
		r.want.Distribution, err = r.person.ask(ctx, "ARN of the distribution", "", func(v string) error {
			if v == "" {
				return fmt.Errorf("it looks like arn:aws:cloudfront::123456789012:distribution/EDFDVBD6EXAMPLE")
			}
			return r.checked(func(w *provision.Want, v string) { w.Distribution = v })(v)
		})
	}
	return err
}

func (r *setupRun) askKeys(ctx context.Context) error {
	if r.want.User != "" || r.want.Role != "" || r.want.Provider.IAM == postern.No || r.want.Endpoint != "" && r.access.IAMEndpoint == "" {
		return nil
	}
	fmt.Fprint(r.out, `
How does the gate sign in to the bucket? Never with your own key.
  role  by a role of the machine that it runs on; no key has to be kept: best on AWS
  user  by the keys of two users, which are made now: anywhere else
`)
	how, err := r.person.ask(ctx, "Sign in by", "user", oneOf("role", "user"))
	if err != nil {
		return err
	}
	name := r.checked(func(w *provision.Want, v string) { w.User = v })
	if how == "user" {
		r.want.User, err = r.person.ask(ctx, "Name of the users, to which -signer and -worker is added", r.want.Bucket, notEmpty(name))
		return err
	}
	if r.want.Role, err = r.person.ask(ctx, "Name of the role", r.want.Bucket, notEmpty(name)); err != nil {
		return err
	}
	t := &r.want.Trust
	if t.Kind == "" {
		if t.Kind, err = r.person.ask(ctx, "Who takes it: ec2, ecs, lambda, or oidc for an identity provider", "ec2", oneOf("ec2", "ecs", "lambda", "oidc")); err != nil {
			return err
		}
	}
	if t.Kind != "oidc" {
		return nil
	}
	some := notEmpty(func(string) error { return nil })
	if t.Provider, err = r.person.ask(ctx, "ARN of the identity provider", t.Provider, some); err != nil {
		return err
	}
	if t.Subject, err = r.person.ask(ctx, "Exact subject (sub) of its tokens", t.Subject, some); err != nil {
		return err
	}
	audience := t.Audience
	if audience == "" {
		audience = "sts.amazonaws.com"
	}
	t.Audience, err = r.person.ask(ctx, "Exact audience (aud) of its tokens", audience, some)
	return err
}

// notEmpty wants an answer, and that it passes next.
func notEmpty(next func(string) error) func(string) error {
	return func(v string) error {
		if v == "" {
			return fmt.Errorf("an answer is needed")
		}
		return next(v)
	}
}
