package provision

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	bucketRE  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionRE  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	nameRE    = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]+$`)
	accountRE = regexp.MustCompile(`^[0-9]{12}$`)
	cdnRE     = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):cloudfront::[0-9]{12}:distribution/[A-Z0-9]+$`)
	oidcRE    = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):iam::[0-9]{12}:oidc-provider/[A-Za-z0-9._~:/%-]+$`)
	addressRE = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$`)
)

// maxName is the longest name of a user or a role: "IAM and AWS STS quotas".
const maxName = 64

// Check says what of w cannot be had. Errors: ErrWant, naming the field.
func (w *Want) Check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrWant}, args...)...)
	}
	if why := w.badBucket(); why != "" {
		return wrong("bucket: the name %q %s", w.Bucket, why)
	}
	if !regionRE.MatchString(w.Region) {
		return wrong("region: %q is not a region such as eu-central-1", w.Region)
	}
	if w.Endpoint != "" {
		if u, err := url.Parse(w.Endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return wrong("endpoint: %q is not a URL such as https://s3.example", w.Endpoint)
		}
	}
	if len(w.Origins) == 0 {
		return wrong("origin: there is none, so no page could upload")
	}
	for i, o := range w.Origins {
		if why := badOrigin(o); why != "" {
			return wrong("origin: %q %s", o, why)
		}
		if slices.Contains(w.Origins[:i], o) {
			return wrong("origin: %q is there twice", o)
		}
	}
	switch {
	case w.User != "" && w.Role != "":
		return wrong("user and role: give one of them")
	case w.User != "" && (!nameRE.MatchString(w.User) || len(w.UserName(Signer)) > maxName):
		return wrong("user: %q must be up to %d letters, digits or +=,.@_-", w.User, maxName-len("-"+Signer))
	case w.Role != "" && (!nameRE.MatchString(w.Role) || len(w.Role) > maxName):
		return wrong("role: %q must be up to %d letters, digits or +=,.@_-", w.Role, maxName)
	case w.Role == "" && w.Trust != Trust{}:
		return wrong("trust: it goes with a role")
	case w.Role != "" && !knownTrust(w.Trust.Kind):
		return wrong("trust: %q is not one of %s", w.Trust.Kind, strings.Join(trustKinds(), ", "))
	case w.Trust.Kind != "oidc" && w.Trust.Provider+w.Trust.Subject+w.Trust.Audience != "":
		return wrong("trust: provider, subject and audience go with oidc")
	case w.Trust.Kind == "oidc" && !oidcRE.MatchString(w.Trust.Provider):
		return wrong("trust: the provider %q is not the ARN of an OIDC provider, such as arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com", w.Trust.Provider)
	case w.Account != "" && !accountRE.MatchString(w.Account):
		return wrong("account: %q has not 12 digits", w.Account)
	case w.Public && w.Distribution != "":
		return wrong("public and distribution: with a CDN in front, nobody else shall read images/; give one of them")
	case w.Distribution != "" && !cdnRE.MatchString(w.Distribution):
		return wrong("distribution: %q is not the ARN of a CloudFront distribution, such as arn:aws:cloudfront::123456789012:distribution/E1ABCDEF", w.Distribution)
	case w.Distribution != "" && !w.onAWS():
		return wrong("distribution: CloudFront reads buckets of Amazon S3")
	}
	if w.Role != "" {
		if _, err := TrustPolicy(w); err != nil {
			return err
		}
	}
	return nil
}

// badBucket says what is wrong with the name by "General purpose bucket naming
// rules", S3 user guide.
func (w *Want) badBucket() string {
	name := w.Bucket
	switch {
	case len(name) < 3 || len(name) > 63:
		return "must have 3 to 63 characters"
	case !bucketRE.MatchString(name):
		return "must have lower-case letters, digits and hyphens only, and begin and end with a letter or digit"
	case strings.Contains(name, ".."):
		return "has two dots in a row"
	}
	if addressRE.MatchString(name) {
		return "looks like an IP address"
	}
	for _, p := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		if strings.HasPrefix(name, p) {
			return "begins with " + p + ", which is reserved"
		}
	}
	for _, s := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, s) {
			return "ends with " + s + ", which is reserved"
		}
	}
	if strings.Contains(name, ".") && (w.onAWS() || !w.PathStyle) {
		return "has a dot: neither the server's certificate nor transfer acceleration covers such a name; use hyphens"
	}
	return ""
}

// badOrigin says what is wrong with an origin. A pattern would let other
// people's pages in.
func badOrigin(o string) string {
	u, err := url.Parse(o)
	switch {
	case o == "null" || strings.Contains(o, "*"):
		return "would let in pages of others; name each origin"
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Scheme+"://"+u.Host != o || !browserish(o):
		return "is not an origin such as https://app.example (scheme, host and port, nothing more)"
	case strings.HasSuffix(u.Host, ":") || u.Port() == map[string]string{"http": "80", "https": "443"}[u.Scheme]:
		return "names a port that browsers leave out; leave it out as well"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "is not https: whoever is between could put a page of his own there"
	}
	return ""
}

// browserish says whether browsers write a name so: in lower case, and what is
// not ASCII as punycode ("origin", HTML standard).
func browserish(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || 'A' <= r && r <= 'Z' })
}

// loopback says whether a host is this machine, as browsers see it: "Is origin
// potentially trustworthy", Secure Contexts.
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}
