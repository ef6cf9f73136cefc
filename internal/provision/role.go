package provision

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// roleSteps plan the role: who may take it, and what it allows.
func (c *Cloud) roleSteps(ctx context.Context, denied *denials) ([]Step, error) {
	w := &c.want
	arn := w.RoleARN()
	trust, err := TrustPolicy(w)
	if err != nil {
		return nil, err
	}
	out, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &w.Role})
	there := !noEntity(err) // where that is denied, the rest is still asked
	known := err == nil
	if there {
		if err := denied.note(c.explain(err, Permission{"iam:GetRole", arn})); err != nil {
			return nil, err
		}
	}
	role := Step{ID: "role", Action: Keep, Title: "role " + w.Role, Why: "Keys that end by themselves cannot leak for good."}
	document := trust.String()
	made := false
	var steps []Step
	switch {
	case known:
		if made = isOurs(out.Role.Tags); !made {
			role.Danger = "It was not made by setup, so it will not be removed by it."
		}
		assume := c.trustStep(decoded(out.Role.AssumeRolePolicyDocument), document)
		if assume.Action == Change {
			assume.Danger = "Whoever else may take the role now may not any more."
		}
		steps = []Step{role, *assume}
	case !there:
		// It is made with the document, so that it is never anybody else's.
		role.Action, role.After = Create, document
		role.Permissions = []Permission{{"iam:CreateRole", arn}, {"iam:TagRole", arn}}
		role.apply = func(ctx context.Context) (*Key, error) { return nil, c.createRole(ctx, document) }
		steps = []Step{role}
	}
	for _, kind := range []string{Signer, Worker} {
		s, err := c.rolePolicyStep(ctx, kind, there)
		if err := denied.note(err); err != nil {
			return nil, err
		}
		if s != nil {
			steps = append(steps, *s)
		}
	}
	if there {
		more, err := c.foreignPolicies(ctx, c.role(), made, denied)
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	return steps, nil
}

// trustStep holds the document that says who may take the role against what it
// has to be.
func (c *Cloud) trustStep(before, after string) *Step {
	w := &c.want
	s := &Step{ID: "role-trust", Title: "who may take the role: " + w.Trust.Kind, Why: "Nobody else can have its keys.", Before: before, After: after}
	return planned(s, w.RoleARN(), "iam:UpdateAssumeRolePolicy", func(ctx context.Context) error {
		_, err := c.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &w.Role, PolicyDocument: &after})
		if err != nil {
			return c.explain(err, Permission{"iam:UpdateAssumeRolePolicy", w.RoleARN()})
		}
		return c.settled(ctx, "role "+w.Role, func(ctx context.Context) (bool, error) {
			out, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &w.Role})
			return err == nil && SamePolicy(decoded(out.Role.AssumeRolePolicyDocument), after), ignoreNone(err)
		})
	})
}

func (c *Cloud) createRole(ctx context.Context, trust string) error {
	w := &c.want
	_, err := c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &w.Role, AssumeRolePolicyDocument: &trust, Tags: tags()})
	var there *types.EntityAlreadyExistsException
	if err != nil && !errors.As(err, &there) {
		return c.explain(err, Permission{"iam:CreateRole", w.RoleARN()})
	}
	return c.settled(ctx, "role "+w.Role, func(ctx context.Context) (bool, error) {
		_, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &w.Role})
		return err == nil, ignoreNone(err)
	})
}

func (c *Cloud) rolePolicyStep(ctx context.Context, kind string, there bool) (*Step, error) {
	w := &c.want
	arn, policy := w.RoleARN(), PolicyName(kind)
	s := &Step{
		ID: "role-" + kind + "-policy", Title: "policy " + policy + " of role " + w.Role, After: KeyPolicy(w, kind).String(),
		Why: "It allows what the gate does, on this bucket's incoming/ and images/, and nothing else.",
	}
	if there {
		out, err := c.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &w.Role, PolicyName: &policy})
		if err != nil && !noEntity(err) {
			return nil, c.explain(err, Permission{"iam:GetRolePolicy", arn})
		}
		if err == nil {
			s.Before = decoded(out.PolicyDocument)
		}
	}
	return planned(s, arn, "iam:PutRolePolicy", func(ctx context.Context) error {
		after := s.after()
		_, err := c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &w.Role, PolicyName: &policy, PolicyDocument: &after})
		if err != nil {
			return c.explain(err, Permission{"iam:PutRolePolicy", arn})
		}
		return c.settled(ctx, "policy "+policy+" of role "+w.Role, func(ctx context.Context) (bool, error) {
			out, err := c.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &w.Role, PolicyName: &policy})
			return err == nil && SamePolicy(decoded(out.PolicyDocument), after), ignoreNone(err)
		})
	}), nil
}
