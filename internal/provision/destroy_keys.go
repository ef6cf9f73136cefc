package provision

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// removeKeys plan to delete our users, or our role.
func (c *Cloud) removeKeys(ctx context.Context, denied *denials) (steps []Step, err error) {
	w := &c.want
	if !c.hasIAM() {
		return nil, nil
	}
	add := func(s *Step, err error) error {
		if s != nil {
			steps = append(steps, *s)
		}
		return denied.note(err)
	}
	if w.User != "" {
		for _, kind := range []string{Signer, Worker} {
			if err := add(c.removeUser(ctx, kind)); err != nil {
				return nil, err
			}
		}
	}
	if w.Role != "" {
		if err := add(c.removeRole(ctx)); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

func (c *Cloud) removeUser(ctx context.Context, kind string) (*Step, error) {
	w := &c.want
	name, arn := w.UserName(kind), w.UserARN(kind)
	out, err := c.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	if noEntity(err) || noAPI(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(err, Permission{"iam:GetUser", arn})
	}
	s := &Step{ID: "user-" + kind, Title: "user " + name}
	if !isOurs(out.User.Tags) && !c.userTagged(ctx, name) {
		s.Action, s.Why = Keep, "It has not the tag of what setup makes: "+ErrNotOurs.Error()+"."
		return s, nil
	}
	keys, err := c.userKeys(ctx, kind)
	if err != nil {
		return nil, err
	}
	s.Action, s.Why = Delete, "setup made it."
	s.Before = strings.TrimSuffix(name+", access keys "+keyIDs(keys), ", access keys ")
	s.Danger = "Its keys stop to work at once."
	s.Permissions = []Permission{{"iam:DeleteAccessKey", arn}, {"iam:ListUserPolicies", arn}, {"iam:DeleteUserPolicy", arn}, {"iam:DeleteUser", arn}}
	s.apply = func(ctx context.Context) (*Key, error) {
		keys, err := c.userKeys(ctx, kind)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			if err := c.DeleteKey(ctx, Key{User: name, AccessKeyID: aws.ToString(k.AccessKeyId)}); err != nil {
				return nil, err
			}
		}
		if err := c.removePolicies(ctx, c.user(kind)); err != nil {
			return nil, err
		}
		_, err = c.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &name})
		return nil, c.removed(err, s, Permission{"iam:DeleteUser", arn})
	}
	return s, nil
}

func (c *Cloud) removeRole(ctx context.Context) (*Step, error) {
	w := &c.want
	arn := w.RoleARN()
	out, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &w.Role})
	if noEntity(err) || noAPI(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(err, Permission{"iam:GetRole", arn})
	}
	s := &Step{ID: "role", Title: "role " + w.Role}
	if !isOurs(out.Role.Tags) {
		s.Action, s.Why = Keep, "It has not the tag of what setup makes: "+ErrNotOurs.Error()+"."
		return s, nil
	}
	s.Action, s.Why, s.Before, s.Danger = Delete, "setup made it.", w.Role, "Who has taken it is refused from then on."
	s.Permissions = []Permission{{"iam:ListRolePolicies", arn}, {"iam:DeleteRolePolicy", arn}, {"iam:DeleteRole", arn}}
	s.apply = func(ctx context.Context) (*Key, error) {
		if err := c.removePolicies(ctx, c.role()); err != nil {
			return nil, err
		}
		_, err := c.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &w.Role})
		return nil, c.removed(err, s, Permission{"iam:DeleteRole", arn})
	}
	return s, nil
}

// removePolicies deletes every inline policy of a user or role that we made:
// with one left, it could not be deleted.
func (c *Cloud) removePolicies(ctx context.Context, h *holder) error {
	names, err := h.list(ctx)
	if noAPI(err) || noEntity(err) {
		names, err = h.ours, nil
	}
	if err != nil {
		return c.explain(err, Permission{h.listed, h.arn})
	}
	for _, policy := range names {
		if err := h.remove(ctx, policy); err != nil && !noEntity(err) {
			return c.explain(err, Permission{h.gone, h.arn})
		}
	}
	return nil
}

// removed explains the answer to the last call of a removal.
func (c *Cloud) removed(err error, s *Step, p Permission) error {
	if noEntity(err) {
		return nil
	}
	if saysCode(err, "DeleteConflict", "DeleteConflictException") {
		return fmt.Errorf("remove %s: it is in use by what setup has not made: %w", s.Title, plainly(err))
	}
	return c.explain(err, p)
}
