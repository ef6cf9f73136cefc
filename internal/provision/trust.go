package provision

import (
	"fmt"
	"slices"
	"strings"
)

// trustKinds are the kinds of Trust, and the service that assumes the role.
func trustKinds() []string { return []string{"ec2", "ecs", "lambda", "oidc"} }

// TrustPolicy is the document that says who may assume the role. Errors:
// ErrWant.
func TrustPolicy(w *Want) (Policy, error) {
	s := Statement{Sid: ours + "Trust", Effect: allow, Action: []string{"sts:AssumeRole"}}
	switch t := &w.Trust; t.Kind {
	case "ec2":
		s.Principal = map[string]string{"Service": "ec2.amazonaws.com"}
		if w.partition() == "aws-cn" { // alone of these has another name there
			s.Principal = map[string]string{"Service": "ec2.amazonaws.com.cn"}
		}
	case "lambda":
		s.Principal = map[string]string{"Service": "lambda.amazonaws.com"}
	case "ecs":
		s.Principal = map[string]string{"Service": "ecs-tasks.amazonaws.com"}
		if w.Account != "" {
			// Or a task of another account could be made to act for ours:
			// "The confused deputy problem", IAM user guide.
			s.Condition = map[string]map[string][]string{"StringEquals": {"aws:SourceAccount": {w.Account}}}
		}
	case "oidc":
		// "Creating a role for OpenID Connect federation", IAM user guide.
		_, issuer, ok := strings.Cut(t.Provider, ":oidc-provider/")
		if !ok || issuer == "" {
			return Policy{}, fmt.Errorf("%w: trust: the provider %q is not the ARN of an OIDC provider", ErrWant, t.Provider)
		}
		// A "${…}" would be a policy variable, and so a pattern as well.
		if t.Subject == "" || strings.ContainsAny(t.Subject, "*?") || strings.Contains(t.Subject, "${") {
			return Policy{}, fmt.Errorf("%w: trust: the subject %q must be one exact subject", ErrWant, t.Subject)
		}
		if strings.ContainsAny(t.Audience, "*?") || strings.Contains(t.Audience, "${") {
			return Policy{}, fmt.Errorf("%w: trust: the audience %q must be one exact audience", ErrWant, t.Audience)
		}
		audience := t.Audience
		if audience == "" {
			audience = "sts.amazonaws.com"
		}
		s.Action = []string{"sts:AssumeRoleWithWebIdentity"}
		s.Principal = map[string]string{"Federated": t.Provider}
		s.Condition = map[string]map[string][]string{"StringEquals": {issuer + ":sub": {t.Subject}, issuer + ":aud": {audience}}}
	default:
		return Policy{}, fmt.Errorf("%w: trust: %q is not one of %s", ErrWant, t.Kind, strings.Join(trustKinds(), ", "))
	}
	return Policy{Version: policyVersion, Statement: []Statement{s}}, nil
}

func knownTrust(kind string) bool { return slices.Contains(trustKinds(), kind) }
