package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

func credentialProbes() []probe {
	there := []string{"network.dns", "network.reach", "network.tls", "network.region"}
	return []probe{
		{id: "credentials.signer", after: there, run: probeSigner},
		{id: "credentials.worker", after: there, run: probeWorker},
		{id: "credentials.apart", after: []string{"credentials.signer", "credentials.worker"}, run: probeApart},
	}
}

// A temporary key that ends within this time may end before the grants that it
// signs do; those of the AWS chain are fetched anew 15 minutes before.
const endsShortly = 5 * time.Minute

func probeSigner(ctx context.Context, x *exam) []Finding {
	// Whatever the signer may do, a listing tells whether the key is known: S3
	// looks at signatures before it looks at policies.
	f, c := x.probeKey(ctx, "a key that signs uploads", "--signer-profile, or --profile where one key does both", x.c.Signer)
	x.signer = c
	x.hide(&c)
	return []Finding{f}
}

func probeWorker(ctx context.Context, x *exam) []Finding {
	f, c := x.probeKey(ctx, "a key for the worker", "--profile", x.c.Worker)
	x.worker = c
	return []Finding{f}
}

// probeKey resolves a key and shows it to the bucket.
func (x *exam) probeKey(ctx context.Context, what, flag string, from Credentials) (Finding, sigv4.Credentials) {
	f := Finding{Status: OK, Title: "there is " + what + ", and the bucket knows it", Tried: "look for " + what}
	c, err := from(ctx)
	if err != nil || c.AccessKeyID == "" || c.SecretAccessKey == "" {
		f.Status = Fault
		f.Cause = "There is no " + strings.TrimPrefix(what, "a ") + "."
		if err != nil {
			f.Got = err.Error()
			f.Cause = "There is no " + strings.TrimPrefix(what, "a ") + ": neither settings nor environment, profiles or roles give one."
		}
		f.Cure = x.fill("set "+flag+", run with a role, or make keys: {keys}", nil)
		return f, sigv4.Credentials{}
	}
	f.Tried = "list below incoming/ with " + c.AccessKeyID
	said := []string{kindOf(c)}
	if x.c.Source != nil {
		if source, err := x.c.Source(ctx); err == nil && source != "" {
			said = append(said, "from "+source)
		}
	}
	if !c.Expires.IsZero() {
		left := c.Expires.Sub(x.now())
		said = append(said, "good for "+left.Round(time.Second).String())
		if left <= 0 {
			f.Status, f.Got = Fault, strings.Join(said[:len(said)-1], ", ")
			f.Cause, f.Cure = x.because(anything, &answer{Code: "ExpiredToken"})
			return f, c
		}
		if left < endsShortly {
			f.Status = Warn
			f.Cause = fmt.Sprintf("The key ends in %s, and with it every grant that it has signed.", left.Round(time.Second))
			f.Cure = "fetch another one, or run the gate with a role, which is refreshed by itself"
		}
	}
	got, err := x.do(ctx, ask{query: listIncoming, signed: &c})
	if err != nil {
		return x.silent(f.Title, f.Tried, err), c
	}
	f.RequestID = got.RequestID
	if keyRefused(got) {
		f.Status, f.Got = Fault, got.String()
		f.Cause, f.Cure = x.because(anything, got)
		return f, c
	}
	f.Got = strings.Join(said, ", ")
	return f, c
}

// keyRefused are the answers by which a server does not accept a key, whatever
// it is for.
func keyRefused(a *answer) bool {
	return slices.Contains([]string{
		"InvalidAccessKeyId", "InvalidAccessKeyID", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
		"RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "InvalidSecurity", "AccountProblem", "NotSignedUp", "Unauthorized",
	}, a.Code) || a.Status == 401
}

// kindOf says what kind of key it is. AWS's ids tell ("IAM identifiers", unique
// ID prefixes, IAM user guide); with others only the token does.
func kindOf(c sigv4.Credentials) string {
	switch {
	case strings.HasPrefix(c.AccessKeyID, "ASIA"), c.SessionToken != "":
		return "a temporary key"
	case strings.HasPrefix(c.AccessKeyID, "AKIA"):
		return "a long-lived key of an IAM user"
	}
	return "a long-lived key"
}

// probeApart asks whether the key whose signatures leave the house can read.
func probeApart(_ context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "the key that signs is not the one that reads and deletes", Tried: "compare the access key ids", Got: "two keys"}
	if !x.same() {
		return []Finding{f}
	}
	if x.signer.SessionToken != "" && x.c.Provider.SignedHeaders == postern.Yes {
		// setup --role makes just this: nothing has to be kept, and what was not
		// signed is refused, so that the role's signatures open nothing else.
		f.Title, f.Got = "the key that signs opens no more than it signs", "one role for both; "+x.provider()+" refuses headers that were not signed"
		return []Finding{f}
	}
	f.Status, f.Got = Warn, "one key"
	f.Cause = "One key signs what browsers do and reads and deletes for the gate: a mistake in one permission, or a leak of the key, is one in all."
	f.Cure = x.fill("make two: {keys}; then --profile NAME-worker and --signer-profile NAME-signer", nil)
	if !x.signsURLs() {
		return []Finding{f}
	}
	switch x.c.Provider.SignedHeaders {
	case postern.No:
		f.Status = Fault
		f.Cause = fmt.Sprintf("%s obeys an x-amz-copy-source that was not signed: with one key for all, whoever may send a file by URL may have any object copied that the key may read.", x.provider())
		f.Cure += "; or transfer: post in every preset"
	case postern.Unknown:
		f.Cause = fmt.Sprintf("Nobody has shown that %s refuses headers that were not signed: where it does not, whoever may send a file by URL may have any object copied that this one key may read.", x.provider())
		f.Cure += "; or transfer: post in every preset"
	case postern.Yes:
	}
	return []Finding{f}
}

// same says whether one key does both.
func (x *exam) same() bool { return x.c.Same || x.signer.AccessKeyID == x.worker.AccessKeyID }

// signsURLs says whether files are sent by signed URLs.
func (x *exam) signsURLs() bool {
	return slices.Contains(x.c.Transfers, postern.Put) || slices.Contains(x.c.Transfers, postern.Multi)
}
