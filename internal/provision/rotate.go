package provision

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// PlanRotation plans half of a rotation by two keys ("Update access keys", IAM
// user guide): where a user has one key, a second is made; where it has two, the
// one that is inactive, else the older one, is deleted. Between the two runs the
// gate takes up the new key. Errors: ErrWant without users, *Denied.
func (c *Cloud) PlanRotation(ctx context.Context) (*Plan, error) {
	w := &c.want
	if w.User == "" || !c.hasIAM() {
		return nil, fmt.Errorf("%w: user: only keys of users are rotated here; those of a role rotate by themselves", ErrWant)
	}
	if err := c.whoami(ctx); err != nil {
		return nil, err
	}
	p := c.newPlan()
	for _, kind := range []string{Signer, Worker} {
		keys, err := c.userKeys(ctx, kind)
		if err != nil {
			return nil, err
		}
		s := Step{
			ID: "user-" + kind + "-key", Action: Create, Title: "a second access key for user " + w.UserName(kind),
			Why: "The gate changes over to it; then the older one can go.", Permissions: []Permission{{"iam:CreateAccessKey", w.UserARN(kind)}},
			apply: func(ctx context.Context) (*Key, error) { return c.createKey(ctx, kind) },
		}
		if len(keys) >= maxKeys {
			s = c.retire(kind, keys)
		}
		p.Steps = append(p.Steps, s)
	}
	return p, nil
}

// retire deletes the key that is not to be used any more.
func (c *Cloud) retire(kind string, keys []types.AccessKeyMetadata) Step {
	old := keys[0]
	for _, k := range keys {
		if k.Status == types.StatusTypeInactive {
			old = k
			break
		}
	}
	id := aws.ToString(old.AccessKeyId)
	return Step{
		ID: "user-" + kind + "-old-key", Action: Delete, Title: fmt.Sprintf("access key %s of user %s, the older one", id, c.want.UserName(kind)),
		Why: "A newer one is there.", Before: id, Danger: "Who still uses it is refused from then on. \"postern serve\" must have been restarted with the new key.",
		Permissions: []Permission{{"iam:DeleteAccessKey", c.want.UserARN(kind)}},
		apply: func(ctx context.Context) (*Key, error) {
			_, err := c.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String(c.want.UserName(kind)), AccessKeyId: &id})
			if noEntity(err) {
				return nil, nil
			}
			return nil, c.explain(err, Permission{"iam:DeleteAccessKey", c.want.UserARN(kind)})
		},
	}
}
