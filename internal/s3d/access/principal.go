package access

import (
	"slices"
	"strings"
)

// principals are those of a bucket policy's statement.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
type principals struct {
	everybody bool
	accounts  []string // by id
	arns      []string // users and roles
}

// match reports whether who is among them.
func (p *principals) match(who Principal, effect Decision) bool {
	if p.everybody {
		return true
	}
	if who == (Principal{}) {
		return false
	}
	// "This delegates authority to the account", so that to allow it to an
	// account is not yet to allow it to its users.
	if slices.Contains(p.accounts, who.Account) && (effect == Deny || who.ARN == rootARN(who.Account)) {
		return true
	}
	return slices.Contains(p.arns, who.ARN)
}

func rootARN(account string) string { return "arn:aws:iam::" + account + ":root" }

// add reads one value of a kind: "AWS", "Service". It returns false when it is
// not one that S3 takes. Whether there is such a user is not asked.
func (p *principals) add(kind, value string) bool {
	switch kind {
	case "AWS":
		return p.addAWS(value)
	case "Service":
		// "cloudfront.amazonaws.com"
		return strings.HasSuffix(value, ".amazonaws.com") && consists(value, "abcdefghijklmnopqrstuvwxyz0123456789.-")
	case "CanonicalUser":
		return len(value) == 64 && consists(value, "0123456789abcdef")
	case "Federated":
		// "cognito-identity.amazonaws.com", or the ARN of a provider.
		if account, name, ok := iamARN(value); ok {
			return account != "" && (strings.HasPrefix(name, "saml-provider/") || strings.HasPrefix(name, "oidc-provider/"))
		}
		return strings.Contains(value, ".") && consists(value, "abcdefghijklmnopqrstuvwxyz0123456789.-/")
	}
	return false
}

func (p *principals) addAWS(value string) bool {
	if value == "*" {
		p.everybody = true
		return true
	}
	if isAccount(value) {
		p.accounts = append(p.accounts, value)
		return true
	}
	// "You cannot use a wildcard to match part of a principal name or ARN."
	account, name, ok := iamARN(value)
	if !ok || strings.ContainsAny(value, "*?") {
		return false
	}
	if name == "root" && isAccount(account) {
		p.accounts = append(p.accounts, account)
		return true
	}
	kind, rest, _ := strings.Cut(name, "/")
	switch kind {
	case "user":
		ok = isAccount(account) || account == "cloudfront" // an origin access identity
	case "role", "assumed-role", "federated-user":
		ok = isAccount(account)
	default:
		ok = false
	}
	if ok = ok && rest != ""; ok {
		p.arns = append(p.arns, value)
	}
	return ok
}

// iamARN cuts "arn:aws:iam::ACCOUNT:NAME", or one of STS.
func iamARN(s string) (account, name string, ok bool) {
	rest, ok := strings.CutPrefix(s, "arn:aws:iam::")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "arn:aws:sts::"); !ok {
			return "", "", false
		}
	}
	return strings.Cut(rest, ":")
}

func isAccount(s string) bool { return len(s) == 12 && consists(s, "0123456789") }

// consists reports whether s is made of nothing but the characters of set.
func consists(s, set string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(set, r) })
}
