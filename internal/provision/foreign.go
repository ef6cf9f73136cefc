package provision

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// holder is a user or a role that has policies.
type holder struct {
	id, title, arn string
	ours           []string // names of inline policies
	listed, gone   string   // actions: to list inline policies, and to delete one
	attachedBy     string   // action: to list the attached ones
	unlist, detach string   // commands: to delete an inline policy, and to detach one
	list           func(context.Context) ([]string, error)
	remove         func(ctx context.Context, policy string) error
	attached       func(context.Context) ([]types.AttachedPolicy, error)
}

// foreignPolicies plan to take from what is ours what somebody else gave it:
// what it may do beyond its policies, everybody may who holds its key. From a
// user or a role that was there before setup, nothing is taken: the policies are
// shown, and stay.
func (c *Cloud) foreignPolicies(ctx context.Context, h *holder, made bool, denied *denials) ([]Step, error) {
	inline, err := h.list(ctx)
	switch {
	case noAPI(err) || noEntity(err):
		return nil, nil
	case err != nil:
		if err := denied.note(c.explain(err, Permission{h.listed, h.arn})); err != nil {
			return nil, err
		}
	}
	var steps []Step
	for _, policy := range inline {
		if slices.Contains(h.ours, policy) {
			continue
		}
		s := Step{
			ID: h.id + "-foreign", Action: Delete, Title: "policy " + policy + " of " + h.title + ": not ours",
			Why: "It is allowed what it is for; another policy makes its keys more powerful than they should be.", Before: policy,
			Permissions: []Permission{{h.gone, h.arn}},
			apply: func(ctx context.Context) (*Key, error) {
				if err := h.remove(ctx, policy); err != nil && !noEntity(err) {
					return nil, c.explain(err, Permission{h.gone, h.arn})
				}
				return nil, nil
			},
		}
		if !made {
			s = Step{
				ID: h.id + "-foreign", Action: Keep, Title: s.Title, Why: "It was not made by setup, and others may need the policy.",
				Danger: "Its keys may do what that policy allows. Where nobody else needs it: " + h.unlist + " --policy-name " + policy,
			}
		}
		steps = append(steps, s)
	}
	attached, err := h.attached(ctx)
	switch {
	case noAPI(err) || noEntity(err):
		return steps, nil
	case err != nil:
		if err := denied.note(c.explain(err, Permission{h.attachedBy, h.arn})); err != nil {
			return nil, err
		}
	}
	for _, p := range attached {
		steps = append(steps, Step{
			ID: h.id + "-attached", Action: Keep, Title: "policy " + aws.ToString(p.PolicyName) + " is attached to " + h.title,
			Why: "setup attaches none; it does not know what this one is for.", Danger: "Its keys may do what it allows. Detach it: " + h.detach + " --policy-arn " + aws.ToString(p.PolicyArn),
		})
	}
	return steps, nil
}

// user is a user of ours, as it holds policies.
func (c *Cloud) user(kind string) *holder {
	name := c.want.UserName(kind)
	return &holder{
		id: "user-" + kind, title: "user " + name, arn: c.want.UserARN(kind), ours: []string{PolicyName(kind)},
		listed: "iam:ListUserPolicies", gone: "iam:DeleteUserPolicy", attachedBy: "iam:ListAttachedUserPolicies",
		unlist: "aws iam delete-user-policy --user-name " + name, detach: "aws iam detach-user-policy --user-name " + name,
		list: func(ctx context.Context) ([]string, error) {
			var names []string
			for pages := iam.NewListUserPoliciesPaginator(c.iam, &iam.ListUserPoliciesInput{UserName: &name}); pages.HasMorePages(); {
				out, err := pages.NextPage(ctx)
				if err != nil {
					return nil, err
				}
				names = append(names, out.PolicyNames...)
			}
			return names, nil
		},
		remove: func(ctx context.Context, policy string) error {
			_, err := c.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &name, PolicyName: &policy})
			return err
		},
		attached: func(ctx context.Context) ([]types.AttachedPolicy, error) {
			var list []types.AttachedPolicy
			for pages := iam.NewListAttachedUserPoliciesPaginator(c.iam, &iam.ListAttachedUserPoliciesInput{UserName: &name}); pages.HasMorePages(); {
				out, err := pages.NextPage(ctx)
				if err != nil {
					return nil, err
				}
				list = append(list, out.AttachedPolicies...)
			}
			return list, nil
		},
	}
}

// role is the role, as it holds policies.
func (c *Cloud) role() *holder {
	name := c.want.Role
	return &holder{
		id: "role", title: "role " + name, arn: c.want.RoleARN(), ours: []string{PolicyName(Signer), PolicyName(Worker)},
		listed: "iam:ListRolePolicies", gone: "iam:DeleteRolePolicy", attachedBy: "iam:ListAttachedRolePolicies",
		unlist: "aws iam delete-role-policy --role-name " + name, detach: "aws iam detach-role-policy --role-name " + name,
		list: func(ctx context.Context) ([]string, error) {
			var names []string
			for pages := iam.NewListRolePoliciesPaginator(c.iam, &iam.ListRolePoliciesInput{RoleName: &name}); pages.HasMorePages(); {
				out, err := pages.NextPage(ctx)
				if err != nil {
					return nil, err
				}
				names = append(names, out.PolicyNames...)
			}
			return names, nil
		},
		remove: func(ctx context.Context, policy string) error {
			_, err := c.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &name, PolicyName: &policy})
			return err
		},
		attached: func(ctx context.Context) ([]types.AttachedPolicy, error) {
			var list []types.AttachedPolicy
			for pages := iam.NewListAttachedRolePoliciesPaginator(c.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &name}); pages.HasMorePages(); {
				out, err := pages.NextPage(ctx)
				if err != nil {
					return nil, err
				}
				list = append(list, out.AttachedPolicies...)
			}
			return list, nil
		},
	}
}
