package provision

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// roleSteps plan the role: who may take it, and what it allows.
func (c *Cloud) roleSteps(ctx context.Context) ([]Step, error) {
	w := &c.want
	arn := w.RoleARN()
	trust, err := TrustPolicy(w)
	if err != nil {
		return nil, err
	}
	out, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &w.Role})
	if err != nil && !noEntity(err) {
		return nil, c.explain(err, Permission{"iam:GetRole", arn})
	}
	there := err == nil
	role := Step{ID: "role", Action: Keep, Title: "role " + w.Role, Why: "Keys that end by themselves cannot leak for good."}
	assume := &Step{ID: "role-trust", Title: "who may take the role: " + w.Trust.Kind, Why: "Nobody else can have its keys.", After: trust.String()}
	document := assume.After
	if there {
		if !isOurs(out.Role.Tags) {
			role.Danger = "It was not made by setup, so it will not be removed by it."
		}
		assume.Before = decoded(out.Role.AssumeRolePolicyDocument)
		assume = planned(assume, arn, "iam:UpdateAssumeRolePolicy", func(ctx context.Context) error {
			_, err := c.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &w.Role, PolicyDocument: &document})
			return c.explain(err, Permission{"iam:UpdateAssumeRolePolicy", arn})
		})
	} else {
		// It is made with the document, so that it is never anybody else's.
		role.Action, role.After, assume = Create, document, nil
		role.Permissions = []Permission{{"iam:CreateRole", arn}, {"iam:TagRole", arn}}
		role.apply = func(ctx context.Context) (*Key, error) {
			_, err := c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &w.Role, AssumeRolePolicyDocument: &document, Tags: tags()})
			var there *types.EntityAlreadyExistsException
			if errors.As(err, &there) {
				return nil, nil
			}
			return nil, c.explain(err, Permission{"iam:CreateRole", arn})
		}
	}
	steps := []Step{role}
	if assume != nil {
		steps = append(steps, *assume)
	}
	for _, kind := range []string{Signer, Worker} {
		s, err := c.rolePolicyStep(ctx, kind, there)
		if err != nil {
			return nil, err
		}
		steps = append(steps, *s)
	}
	if there {
		more, err := c.foreignPolicies(ctx, c.role())
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	return steps, nil
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
		_, err := c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &w.Role, PolicyName: &policy, PolicyDocument: aws.String(s.after())})
		return c.explain(err, Permission{"iam:PutRolePolicy", arn})
	}), nil
}
