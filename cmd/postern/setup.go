package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"postern.example/postern/internal/provision"
)

func setupCommand(stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) *cli.Command {
	return &cli.Command{
		Name:  "setup",
		Usage: "make or repair the bucket and the keys that serve needs: shows a plan, asks, applies, checks",
		Description: `It reads what is there, prints what it would create, change and leave, asks, does
it, has "postern doctor" check it, and writes ./postern.yaml for serve. Run again
it plans nothing, or repairs what has drifted. What a provider has no API for is
printed as steps for you, and never claimed.

  postern setup                                     asks what it has to know
  postern setup --bucket photos --region eu-central-1 --origin https://app.example --user photos
  postern setup … --dry-run                         the plan, and no more
  postern setup … --emit terraform --out infra      files that do the same without us
  postern setup … --rotate-key                      new keys beside the old ones; again: the old ones go
  postern setup … --destroy                         removes what setup made, and nothing else

It works with a key of yours, from the usual AWS places or --profile, and gives
the gate others: one that only signs uploads, one that reads, writes and
deletes. Their secrets go to --credentials, never to the screen.`,
		Flags: setupFlags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			a, err := readSetup(c, getenv)
			if err != nil {
				return err
			}
			r := &setupRun{setupAsk: *a, getenv: getenv, out: stdout, err: stderr, ink: inkFor(stdout, getenv), live: isTerminal(stdout)}
			if !a.json {
				r.person = converse(stdin, stdout)
			}
			return r.run(ctx)
		},
	}
}

const (
	whatToSetUp = "What to set up"
	keysToMake  = "The gate's keys"
	yourself    = "You"
	howToSetUp  = "How"
)

// inCommon are the settings that setup has in common with serve, and finds in
// the same variables.
func inCommon() []string {
	return []string{"bucket", "region", "endpoint", "provider", "path-style", "origin"}
}

func setupFlags() []cli.Flag {
	text := func(category, name, initial, usage string, env ...string) cli.Flag {
		return &cli.StringFlag{Name: name, Usage: usage, Value: initial, Category: category, Sources: variables(env...), Local: true}
	}
	yes := func(category, name, usage string) cli.Flag {
		return &cli.BoolFlag{Name: name, Usage: usage, Category: category, HideDefault: true, Local: true}
	}
	list := []cli.Flag{}
	usage := map[string]string{
		"bucket": "`name` of the bucket to make, or to set up where it is yours",
		"region": "`region` of the bucket, such as eu-central-1",
		"origin": "let pages of this `origin` (https://app.example) upload, and no others; may be given more than once",
	}
	for _, x := range table() {
		if !slices.Contains(inCommon(), x.name) {
			continue
		}
		words := x.usage
		if usage[x.name] != "" {
			words = usage[x.name]
		}
		switch x.into(&settings{}).(type) {
		case *bool:
			list = append(list, &cli.BoolFlag{Name: x.name, Usage: words, Category: whatToSetUp, Sources: variables(x.env...), HideDefault: true, Local: true})
		case *[]string:
			list = append(list, &cli.StringSliceFlag{Name: x.name, Usage: words, Category: whatToSetUp, Sources: variables(x.env...), Local: true})
		default:
			list = append(list, text(whatToSetUp, x.name, x.initial, words, x.env...))
		}
	}
	return append(list,
		yes(whatToSetUp, "public", "let anybody read images/, by bucket policy; without it images are shown by signed links"),
		text(whatToSetUp, "cdn", "", "a `CDN` reads images/, and nobody else: cloudfront"),
		text(whatToSetUp, "distribution", "", "`ARN` of the CloudFront distribution"),

		text(keysToMake, "user", "", "make the users `NAME`-signer and NAME-worker, each with one policy and one access key"),
		text(keysToMake, "role", "", "make the role `NAME` with both policies, so that no key has to be kept"),
		text(keysToMake, "trust", "", "who may take the role: `ec2|ecs|lambda|oidc`"),
		text(keysToMake, "oidc-provider", "", "`ARN` of the identity provider that the role trusts"),
		text(keysToMake, "oidc-subject", "", "the exact `subject` of its tokens"),
		text(keysToMake, "oidc-audience", "", "the exact `audience` of its tokens (default: sts.amazonaws.com)"),
		text(keysToMake, "credentials", defaultCredentials, "write the secrets of new keys to this `file`, in AWS's format, for its owner only"),
		yes(keysToMake, "show-secret", "also print the secrets of new keys"),

		text(yourself, "profile", "", "`name` of the profile in AWS's configuration files whose key setup works with"),
		text(yourself, "account", "", "the AWS account's `number`, when nobody may be asked for it"),
		text(yourself, "iam-endpoint", "", "`URL` of the IAM API of a server that is not AWS", "AWS_ENDPOINT_URL_IAM"),
		text(yourself, "sts-endpoint", "", "`URL` of the STS API of a server that is not AWS", "AWS_ENDPOINT_URL_STS"),

		text(howToSetUp, "config", "./"+defaultFile, "write settings for serve to this YAML `file`", "POSTERN_CONFIG"),
		yes(howToSetUp, "dry-run", "print the plan and change nothing"),
		yes(howToSetUp, "yes", "apply without asking"),
		yes(howToSetUp, "json", "print plan, result and doctor's report as one JSON document; needs --yes or --dry-run"),
		text(howToSetUp, "emit", "", "write files of this `kind` that do the same, and touch nothing: "+strings.Join(provision.Emits(), ", ")),
		text(howToSetUp, "out", "", "`folder` for the files of --emit; without it one file goes to standard output, several into the current folder"),
		yes(howToSetUp, "force", "let --emit overwrite files"),
		yes(howToSetUp, "rotate-key", "make new keys beside those of --user; where there are two already, delete the older ones"),
		yes(howToSetUp, "destroy", "remove what setup made, and nothing else"),
		yes(howToSetUp, "force-delete-objects", "with --destroy: delete a bucket that still has objects, and every object in it"),
		text(howToSetUp, "confirm", "", "with --force-delete-objects and --yes: the bucket's `name` once more"),
	)
}

// setupAsk is what is asked of the setup command.
type setupAsk struct {
	want   provision.Want
	access provision.Access
	server *settings       // what setup has in common with serve
	told   map[string]bool // flags, and settings of any source, that were given

	dryRun, yes, json, showSecret bool
	emit, out                     string
	force                         bool
	rotate, destroy, forceObjects bool
	confirm                       string
	credentials, config           string
	account                       string // as it was given
}

// defaultCredentials is where the secrets of new keys go.
const defaultCredentials = "./postern-credentials" //nolint:gosec // the name of a file

func readSetup(c *cli.Command, getenv func(string) string) (*setupAsk, error) {
	a := &setupAsk{
		told:   map[string]bool{},
		dryRun: c.Bool("dry-run"), yes: c.Bool("yes"), json: c.Bool("json"), showSecret: c.Bool("show-secret"),
		emit: c.String("emit"), out: c.String("out"), force: c.Bool("force"),
		rotate: c.Bool("rotate-key"), destroy: c.Bool("destroy"), forceObjects: c.Bool("force-delete-objects"), confirm: c.String("confirm"),
		credentials: c.String("credentials"), config: c.String("config"),
	}
	for _, f := range c.Flags {
		for _, name := range f.Names() {
			if c.IsSet(name) {
				a.told[name] = true
			}
		}
	}
	or := func(name, env string) string {
		if v := getenv(env); v != "" && !c.IsSet(name) {
			return v
		}
		return c.String(name)
	}
	a.config = or("config", "POSTERN_CONFIG")
	a.access = provision.Access{
		Profile: c.String("profile"), IAMEndpoint: or("iam-endpoint", "AWS_ENDPOINT_URL_IAM"), STSEndpoint: or("sts-endpoint", "AWS_ENDPOINT_URL_STS"),
	}
	if err := a.readShared(c, getenv); err != nil {
		return nil, err
	}
	a.want.Public, a.want.Account, a.want.Role = c.Bool("public"), c.String("account"), c.String("role")
	if u := c.String("user"); u != "" || a.want.Role != "" {
		a.want.User = u // else the one that the file names
	}
	a.want.Trust = provision.Trust{Kind: c.String("trust"), Provider: c.String("oidc-provider"), Subject: c.String("oidc-subject"), Audience: c.String("oidc-audience")}
	a.want.Distribution, a.account = c.String("distribution"), c.String("account")
	return a, a.check(c.String("cdn"))
}

// check holds the flags against each other.
func (a *setupAsk) check(cdn string) error {
	modes := 0
	for _, on := range []bool{a.emit != "", a.rotate, a.destroy} {
		if on {
			modes++
		}
	}
	if err := oneOf("", "cloudfront")(cdn); err != nil {
		return misused("", "--cdn: %w", err)
	}
	if err := oneOf(append(provision.Emits(), "")...)(a.emit); err != nil {
		return misused("", "--emit: %w", err)
	}
	for _, e := range []struct{ name, value string }{{"iam-endpoint", a.access.IAMEndpoint}, {"sts-endpoint", a.access.STSEndpoint}} {
		if err := isURL(e.value); err != nil {
			return misused("", "--%s: %w", e.name, err)
		}
	}
	switch {
	case modes > 1:
		return misused("Give one of them.", "--emit, --rotate-key and --destroy are each a command of its own")
	case a.json && !a.yes && !a.dryRun && a.emit == "":
		return misused("Add --yes to apply, or --dry-run for the plan alone.", "--json asks no questions, so it needs --yes or --dry-run")
	case a.json && a.emit != "":
		return misused("", "--emit prints files, not JSON")
	case cdn != "" && a.want.Distribution == "":
		return misused("Give the distribution's ARN with --distribution; make one first if there is none, with this bucket as its origin.", "--cdn cloudfront needs --distribution")
	case a.forceObjects && !a.destroy:
		return misused("", "--force-delete-objects goes with --destroy")
	case a.confirm != "" && !a.forceObjects:
		return misused("", "--confirm goes with --force-delete-objects")
	case a.forceObjects && a.yes && a.confirm != a.want.Bucket:
		return misused("Give the bucket's name once more with --confirm.", "--force-delete-objects with --yes deletes every object of bucket %q without asking", a.want.Bucket)
	case a.rotate && a.want.User == "":
		return misused("Give it with --user.", "--rotate-key needs the name of the users")
	case (a.out != "" || a.force) && a.emit == "":
		return misused("", "--out and --force go with --emit")
	}
	return nil
}

// readShared finds what setup has in common with serve: flag before variable.
// The settings file counts only where all of what setup made is meant: it does
// not hold everything that was asked for, such as who may read, and to leave a
// flag out must not mean one thing with a file and another without.
func (a *setupAsk) readShared(c *cli.Command, getenv func(string) string) error {
	flag := onCommandLine(c)
	file := os.DevNull
	if a.destroy || a.rotate {
		here, err := exists(a.config)
		if err != nil {
			return misused("", "--config: %w", err)
		}
		if here {
			file = a.config
		}
	}
	s, err := resolveAll(func(name string) ([]string, bool) {
		switch {
		case name == "config":
			return []string{file}, true
		case slices.Contains(inCommon(), name):
			return flag(name)
		}
		return nil, false
	}, getenv)
	if err != nil {
		return err
	}
	if s.region == "" && s.endpoint == "" { // the AWS chain's variables
		for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
			if v := getenv(name); v != "" && s.region == "" {
				s.region = v
				s.from["region"] = origin{"env", name}
			}
		}
	}
	if user, ok := strings.CutSuffix(s.profile, "-"+provision.Worker); ok && s.from["profile"].kind == "file" {
		a.want.User = user
	}
	if len(s.origins) == 0 && (a.destroy || a.rotate) {
		s.origins = []string{"https://localhost"} // nothing of it matters then
	}
	for _, name := range inCommon() {
		if k := s.from[name].kind; k == "flag" || k == "env" || k == "file" {
			a.told[name] = true
		}
	}
	a.server = s
	if s.bucket != "" || s.providerName != "" {
		return a.settle()
	}
	return nil
}

// settle finds out whose the bucket's server is, and what follows from that.
func (a *setupAsk) settle() error {
	s := a.server
	if err := s.findServer(); err != nil {
		return err
	}
	if s.region == "" && s.endpoint != "" {
		s.region = "us-east-1" // which servers of one's own take when they are told nothing
	}
	w := &a.want
	w.Bucket, w.Region, w.Endpoint, w.PathStyle, w.Provider, w.Origins = s.bucket, s.region, s.endpoint, s.pathStyle, s.server, s.origins
	return nil
}

// complete says what is missing where nobody can be asked.
func (a *setupAsk) complete() error {
	var missing []string
	for _, m := range []struct {
		missing bool
		flag    string
	}{
		{a.want.Bucket == "", "--bucket NAME"},
		{a.want.Region == "", "--region REGION"},
		{len(a.want.Origins) == 0 && !a.destroy && !a.rotate, "--origin https://app.example"},
	} {
		if m.missing {
			missing = append(missing, m.flag)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	hint := "On a terminal it asks: postern setup"
	if !a.destroy && !a.rotate {
		hint = fmt.Sprintf("Such as: postern setup --bucket photos --region eu-central-1 --origin https://app.example --user photos. %s.", hint)
	}
	return misused(hint, "it is not said what to set up; give %s", strings.Join(missing, ", "))
}
