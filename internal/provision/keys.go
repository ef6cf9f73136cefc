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
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// settleTime is how long IAM may take to know what it was just told: "Changes
// that I make are not always immediately visible", IAM user guide.
const settleTime = time.Minute

// maxKeys is how many access keys a user may have: "IAM and AWS STS quotas".
const maxKeys = 2

// keySteps plan the users or the role. What is denied goes to denied.
func (c *Cloud) keySteps(ctx context.Context, denied *denials) (steps []Step, err error) {
	switch {
	case c.want.User == "" && c.want.Role == "" || !c.hasIAM():
		return c.withoutIAM(""), nil
	case c.want.Role != "":
		steps, err = c.roleSteps(ctx, denied)
	default:
		for _, kind := range []string{Signer, Worker} {
			list, e := c.userSteps(ctx, kind, denied)
			if err = e; err != nil {
				break
			}
			steps = append(steps, list...)
		}
	}
	if noAPI(err) {
		return c.withoutIAM(missing(err).noAPI), nil
	}
	return steps, err
}

// withoutIAM says what is left to a person where the provider might have an IAM
// API, but nobody said where, or what is there answered that it is none.
func (c *Cloud) withoutIAM(answered string) []Step {
	w := &c.want
	if w.User == "" && w.Role == "" || slices.ContainsFunc(Manuals(w), func(m Manual) bool { return m.ID == "keys" }) {
		return nil
	}
	m := w.manualKeys()
	m.Why = "The address of an IAM API at " + w.Endpoint + " is not known: give it with --iam-endpoint, or do it by hand."
	if answered != "" {
		m.Why = "The IAM API has no such operation: it answered " + answered + "."
	}
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
func (c *Cloud) userSteps(ctx context.Context, kind string, denied *denials) ([]Step, error) {
	w := &c.want
	name, arn := w.UserName(kind), w.UserARN(kind)
	out, err := c.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	there := !noEntity(err) // where that is denied, the rest is still asked
	tagged := err == nil && isOurs(out.User.Tags) || there && c.userTagged(ctx, name)
	if there {
		if err := denied.note(c.explain(err, Permission{"iam:GetUser", arn})); err != nil {
			return nil, err
		}
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
	} else if !tagged {
		user.Danger = "It was not made by setup, so it will not be removed by it; its policy " + PolicyName(kind) + " is ours."
	}
	policy, err := c.userPolicyStep(ctx, kind, there)
	if err := denied.note(err); err != nil {
		return nil, err
	}
	steps := []Step{user}
	if policy != nil {
		steps = append(steps, *policy)
	}
	if there {
		more, err := c.foreignPolicies(ctx, c.user(kind), tagged, denied)
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	key, err := c.keyStep(ctx, kind, there)
	if err := denied.note(err); err != nil {
		return nil, err
	}
	if key != nil {
		steps = append(steps, *key)
	}
	return steps, nil
}

// userTagged asks for the tags, which not every server puts into GetUser's answer.
func (c *Cloud) userTagged(ctx context.Context, name string) bool {
	out, err := c.iam.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: &name})
	return err == nil && isOurs(out.Tags)
}

func (c *Cloud) createUser(ctx context.Context, name, arn string) error {
	_, err := c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &name, Tags: tags()})
	var there *types.EntityAlreadyExistsException
	if err != nil && !errors.As(err, &there) {
		return c.explain(err, Permission{"iam:CreateUser", arn})
	}
	return c.settled(ctx, "user "+name, func(ctx context.Context) (bool, error) {
		_, err := c.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name})
		return err == nil, ignoreNone(err)
	})
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
		if err != nil {
			return c.explain(err, Permission{"iam:PutUserPolicy", arn})
		}
		return c.settled(ctx, "policy "+policy+" of user "+name, func(ctx context.Context) (bool, error) {
			out, err := c.iam.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &name, PolicyName: &policy})
			return err == nil && SamePolicy(decoded(out.PolicyDocument), after), ignoreNone(err)
		})
	}), nil
}

// settled waits until IAM says what it was told. Only an error that is not about
// waiting ends it early.
func (c *Cloud) settled(ctx context.Context, what string, ok func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		done, err := ok(ctx)
		if done {
			return nil
		}
		if err == nil {
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		return fmt.Errorf("wait for %s: %w", what, plainly(err))
	}
}

// ignoreNone takes "there is none" for an answer to wait on.
func ignoreNone(err error) error {
	if noEntity(err) {
		return nil
	}
	return err
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
		if !slices.ContainsFunc(keys, func(k types.AccessKeyMetadata) bool { return k.Status != types.StatusTypeInactive }) {
			s.Danger = "It is switched off, so nothing works with it. Switch it on: aws iam update-access-key --status Active --user-name " + name +
				" --access-key-id " + aws.ToString(keys[0].AccessKeyId)
		}
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
	key := &Key{
		Kind: kind, User: name, AccessKeyID: aws.ToString(out.AccessKey.AccessKeyId), SecretAccessKey: aws.ToString(out.AccessKey.SecretAccessKey),
	}
	if err := c.settled(ctx, "key", func(ctx context.Context) (bool, error) { return c.keyKnown(ctx, key) }); err != nil {
		// It is made all the same, and its secret is told only now.
		c.access.Logger.WarnContext(ctx, "access key is not known everywhere yet", "access_key_id", key.AccessKeyID, "error", err)
	}
	return key, nil
}

// keyKnown says whether a new key is accepted: AWS tells every key who it is,
// whatever it may do; elsewhere it has to be on the list.
func (c *Cloud) keyKnown(ctx context.Context, k *Key) (bool, error) {
	if c.sts != nil {
		_, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, "")
		})
		switch {
		case err == nil:
			return true, nil
		case saysCode(err, "InvalidClientTokenId", "SignatureDoesNotMatch"):
			return false, nil
		case !noAPI(err):
			return false, err
		}
	}
	out, err := c.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &k.User})
	if err != nil {
		return false, ignoreNone(err)
	}
	return slices.ContainsFunc(out.AccessKeyMetadata, func(m types.AccessKeyMetadata) bool { return aws.ToString(m.AccessKeyId) == k.AccessKeyID }), nil
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
