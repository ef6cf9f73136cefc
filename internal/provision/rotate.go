package provision

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// PlanRotation plans half of a rotation by two keys ("Update access keys", IAM
// user guide): where a user has one key, a second is made; where both users have
// two, the one that is inactive, or not in use, or else the older one, is
// deleted. Between the two runs the gate takes up the new keys. A half that was
// interrupted is finished before the other begins: the signer comes first in
// both, so with one key more than the worker new ones are still being made, and
// with one less old ones are still being deleted. Errors: ErrWant without users,
// *Denied.
func (c *Cloud) PlanRotation(ctx context.Context) (*Plan, error) {
	w := &c.want
	if w.User == "" || !c.hasIAM() {
		return nil, fmt.Errorf("%w: user: only keys of users are rotated here; those of a role rotate by themselves", ErrWant)
	}
	if err := c.whoami(ctx); err != nil {
		return nil, err
	}
	var denied denials
	keys := map[string][]types.AccessKeyMetadata{}
	for _, kind := range []string{Signer, Worker} {
		name := w.UserName(kind)
		_, err := c.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
		if noEntity(err) {
			return nil, fmt.Errorf("%w: user: there is no user %s; run setup without --rotate-key first", ErrWant, name)
		}
		if err := denied.note(c.explain(err, Permission{"iam:GetUser", w.UserARN(kind)})); err != nil {
			return nil, err
		}
		list, err := c.userKeys(ctx, kind)
		if err := denied.note(err); err != nil {
			return nil, err
		}
		keys[kind] = list
	}
	if err := denied.err(); err != nil {
		return nil, err
	}
	making := len(keys[Signer]) < maxKeys && len(keys[Worker]) < maxKeys || len(keys[Signer]) > len(keys[Worker])
	p := c.newPlan()
	for _, kind := range []string{Signer, Worker} {
		two := len(keys[kind]) >= maxKeys
		switch {
		case making && !two:
			p.Steps = append(p.Steps, Step{
				ID: "user-" + kind + "-key", Action: Create, Title: "a second access key for user " + w.UserName(kind),
				Why: "The gate changes over to it; then the older one can go.", Permissions: []Permission{{"iam:CreateAccessKey", w.UserARN(kind)}},
				apply: func(ctx context.Context) (*Key, error) { return c.createKey(ctx, kind) },
			})
		case !making && two:
			p.Steps = append(p.Steps, c.retire(kind, keys[kind]))
		default:
			p.Steps = append(p.Steps, Step{
				ID: "user-" + kind + "-key", Action: Keep, Title: "access keys of user " + w.UserName(kind) + " (" + keyIDs(keys[kind]) + ")",
				Why: "An interrupted rotation has done its part here.",
			})
		}
	}
	return p, nil
}

// retire deletes the key that is not to be used any more.
func (c *Cloud) retire(kind string, keys []types.AccessKeyMetadata) Step {
	name, arn := c.want.UserName(kind), c.want.UserARN(kind)
	old, why := keys[0], "the older one"
	used := c.access.InUse[kind]
	for _, k := range keys {
		switch id := aws.ToString(k.AccessKeyId); {
		case k.Status == types.StatusTypeInactive && id != used:
			old, why = k, "which is switched off"
		case used == aws.ToString(old.AccessKeyId) && id != used:
			old, why = k, "which the gate does not work with"
		}
	}
	id := aws.ToString(old.AccessKeyId)
	return Step{
		ID: "user-" + kind + "-old-key", Action: Delete, Title: fmt.Sprintf("access key %s of user %s, %s", id, name, why),
		Why: "Another one is there.", Before: id, Danger: "Who still uses it is refused from then on. \"postern serve\" must have been restarted with the new key.",
		Permissions: []Permission{{"iam:DeleteAccessKey", arn}},
		apply: func(ctx context.Context) (*Key, error) {
			return nil, c.DeleteKey(ctx, Key{User: name, AccessKeyID: id})
		},
	}
}
