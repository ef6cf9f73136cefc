package provision

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// settleTime is how long IAM may take to know what it was just told: "Changes
// that I make are not always immediately visible", IAM user guide.
const settleTime = time.Minute

// maxKeys is how many access keys a user may have: "IAM and AWS STS quotas".
const maxKeys = 2

// keySteps plan the users or the role.
func (c *Cloud) keySteps(ctx context.Context) ([]Step, error) {
	switch {
	case c.want.User == "" && c.want.Role == "" || !c.hasIAM():
		return c.withoutIAM(), nil
	case c.want.Role != "":
		return c.roleSteps(ctx)
	}
	var steps []Step
	var denied []error
	for _, kind := range []string{Signer, Worker} {
		list, err := c.userSteps(ctx, kind)
		if err != nil && !errors.Is(err, ErrDenied) {
			return nil, err
		}
		if err != nil {
			denied = append(denied, err)
		}
		steps = append(steps, list...)
	}
	return steps, errors.Join(denied...)
}

// withoutIAM says what is left to a person where the provider might have an IAM
// API, but nobody said where.
func (c *Cloud) withoutIAM() []Step {
	w := &c.want
	if w.User == "" && w.Role == "" || slices.ContainsFunc(Manuals(w), func(m Manual) bool { return m.ID == "keys" }) {
		return nil
	}
	m := w.manualKeys()
	m.Why = "The address of an IAM API at " + w.Endpoint + " is not known: give it with --iam-endpoint, or do it by hand."
	return []Step{byHand(&m)}
}

// tags mark what is ours.
func tags() []types.Tag {
	return []types.Tag{{Key: aws.String(TagKey), Value: aws.String(TagValue)}}
}

func isOurs(list []types.Tag) bool {
	return slices.ContainsFunc(list, func(t types.Tag) bool { return aws.ToString(t.Key) == TagKey && aws.ToString(t.Value) == TagValue })
}

func noEntity(err error) bool {
	var none *types.NoSuchEntityException
	return errors.As(err, &none) || saysCode(err, "NoSuchEntity", "NoSuchEntityException")
}

// userSteps plan one user: the user, its policy, its key.
func (c *Cloud) userSteps(ctx context.Context, kind string) ([]Step, error) {
	w := &c.want
	name, arn := w.UserName(kind), w.UserARN(kind)
	out, err := c.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	there := err == nil
	if err != nil && !noEntity(err) {
		return nil, c.explain(err, Permission{"iam:GetUser", arn})
	}
	user := Step{
		ID: "user-" + kind, Action: Keep, Title: "user " + name, Why: map[string]string{
			Signer: "Its key signs what browsers may upload; whoever gets at a signature can do no more than that.",
			Worker: "Its key checks, resizes and removes; it never leaves the server.",
		}[kind],
	}
	if !there {
		user.Action, user.Permissions = Create, []Permission{{"iam:CreateUser", arn}, {"iam:TagUser", arn}}
		user.apply = func(ctx context.Context) (*Key, error) { return nil, c.createUser(ctx, name, arn) }
	} else if !isOurs(out.User.Tags) && !c.userTagged(ctx, name) {
		user.Danger = "It was not made by setup, so it will not be removed by it; its policy " + PolicyName(kind) + " is ours."
	}
	policy, err := c.userPolicyStep(ctx, kind, there)
	if err != nil {
		return nil, err
	}
	steps := []Step{user, *policy}
	if there {
		more, err := c.foreignPolicies(ctx, c.user(kind))
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	key, err := c.keyStep(ctx, kind, there)
	if err != nil {
		return nil, err
	}
	return append(steps, *key), nil
}

// userTagged asks for the tags, which not every server puts into GetUser's answer.
func (c *Cloud) userTagged(ctx context.Context, name string) bool {
	out, err := c.iam.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: &name})
	return err == nil && isOurs(out.Tags)
}

func (c *Cloud) createUser(ctx context.Context, name, arn string) error {
	_, err := c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &name, Tags: tags()})
	var there *types.EntityAlreadyExistsException
	if errors.As(err, &there) {
		return nil
	}
	if err != nil {
		return c.explain(err, Permission{"iam:CreateUser", arn})
	}
	err = iam.NewUserExistsWaiter(c.iam).Wait(ctx, &iam.GetUserInput{UserName: &name}, settleTime)
	if err != nil {
		return fmt.Errorf("wait for user %s: %w", name, plainly(err))
	}
	return nil
}

// userPolicyStep holds the inline policy against what it has to be.
func (c *Cloud) userPolicyStep(ctx context.Context, kind string, there bool) (*Step, error) {
	w := &c.want
	name, arn, policy := w.UserName(kind), w.UserARN(kind), PolicyName(kind)
	s := &Step{
		ID: "user-" + kind + "-policy", Title: "policy " + policy + " of user " + name, After: KeyPolicy(w, kind).String(),
		Why: "It allows what this key is for, on this bucket's incoming/ and images/, and nothing else.",
	}
	if there {
		out, err := c.iam.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &name, PolicyName: &policy})
		if err != nil && !noEntity(err) {
			return nil, c.explain(err, Permission{"iam:GetUserPolicy", arn})
		}
		if err == nil {
			s.Before = decoded(out.PolicyDocument)
		}
	}
	return planned(s, arn, "iam:PutUserPolicy", func(ctx context.Context) error {
		after := s.after()
		_, err := c.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &name, PolicyName: &policy, PolicyDocument: &after})
		return c.explain(err, Permission{"iam:PutUserPolicy", arn})
	}), nil
}

// after is the document to write, also of a step whose documents are not shown.
func (s *Step) after() string { return s.document }

// planned completes a step that writes a document, by what is there before.
func planned(s *Step, arn, action string, write func(context.Context) error) *Step {
	s.document = s.After
	switch {
	case s.Before == "":
		s.Action = Create
	case SamePolicy(s.Before, s.After):
		s.Action, s.Before, s.After = Keep, "", ""
		return s
	default:
		s.Action = Change
	}
	s.Permissions = []Permission{{action, arn}}
	s.apply = func(ctx context.Context) (*Key, error) { return nil, write(ctx) }
	return s
}

// decoded is a policy document as IAM returns it: "URL-encoded compliant with
// RFC 3986", GetUserPolicy in the API reference. Other servers return it plain.
func decoded(doc *string) string {
	text := aws.ToString(doc)
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return text
	}
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// userKeys returns the access keys of a user, oldest first.
func (c *Cloud) userKeys(ctx context.Context, kind string) ([]types.AccessKeyMetadata, error) {
	name := c.want.UserName(kind)
	out, err := c.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})
	if noEntity(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain(err, Permission{"iam:ListAccessKeys", c.want.UserARN(kind)})
	}
	list := out.AccessKeyMetadata
	slices.SortStableFunc(list, func(a, b types.AccessKeyMetadata) int {
		return aws.ToTime(a.CreateDate).Compare(aws.ToTime(b.CreateDate))
	})
	return list, nil
}

// keyStep plans the user's access key.
func (c *Cloud) keyStep(ctx context.Context, kind string, there bool) (*Step, error) {
	w := &c.want
	name := w.UserName(kind)
	var keys []types.AccessKeyMetadata
	if there {
		var err error
		if keys, err = c.userKeys(ctx, kind); err != nil {
			return nil, err
		}
	}
	s := &Step{ID: "user-" + kind + "-key", Action: Keep, Title: "access key of user " + name, Why: "The gate works with it."}
	switch {
	case len(keys) > 0 && !c.access.NoSecret[kind]:
		s.Title += " (" + keyIDs(keys) + ")"
		return s, nil
	case len(keys) >= maxKeys:
		m := &Manual{
			ID: "key-" + kind, Title: "User " + name + " has two keys, and the secret of neither is here.",
			Why: "IAM allows two keys for each user, and tells a secret once.",
			Steps: "Find the secret, or delete the key that nobody uses, and run this again:\n  aws iam delete-access-key --user-name " + name +
				" --access-key-id " + aws.ToString(keys[0].AccessKeyId),
		}
		step := byHand(m)
		return &step, nil
	case len(keys) > 0:
		s.Danger = "It has a key (" + keyIDs(keys) + ") whose secret is not here; that one goes on to work until you delete it."
	}
	s.Action, s.Permissions = Create, []Permission{{"iam:CreateAccessKey", w.UserARN(kind)}}
	s.apply = func(ctx context.Context) (*Key, error) { return c.createKey(ctx, kind) }
	return s, nil
}

func keyIDs(list []types.AccessKeyMetadata) string {
	var ids []string
	for _, k := range list {
		ids = append(ids, aws.ToString(k.AccessKeyId))
	}
	return strings.Join(ids, ", ")
}

func (c *Cloud) createKey(ctx context.Context, kind string) (*Key, error) {
	name := c.want.UserName(kind)
	out, err := c.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		return nil, c.explain(err, Permission{"iam:CreateAccessKey", c.want.UserARN(kind)})
	}
	return &Key{
		Kind: kind, User: name, AccessKeyID: aws.ToString(out.AccessKey.AccessKeyId), SecretAccessKey: aws.ToString(out.AccessKey.SecretAccessKey),
	}, nil
}

// DeleteKey deletes a key that was just made and could not be kept: nobody will
// ever learn its secret. Errors: ErrDenied.
func (c *Cloud) DeleteKey(ctx context.Context, k Key) error {
	if c.iam == nil {
		return errors.New("delete access key: there is no IAM API")
	}
	_, err := c.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &k.User, AccessKeyId: &k.AccessKeyID})
	if err == nil || noEntity(err) {
		return nil
	}
	return fmt.Errorf("delete access key: %w", c.explain(err, Permission{"iam:DeleteAccessKey", c.want.iamARN("user/" + k.User)}))
}
