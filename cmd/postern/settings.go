package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"postern.example/postern"
	"postern.example/postern/compat"
	"postern.example/postern/records"
)

// settings is everything that can be set. What each one means, its default
// and its names stand in the table below, once.
type settings struct {
	config string
	data   string

	listen, bucketListen, adminListen string

	publicURL string
	origins   []string
	compat    []string
	imagesURL string

	trustedProxies []string

	auth    []string
	keys    string // file of API keys
	jwt     jwtSettings
	forward forwardSettings

	bucket, region, endpoint            string
	providerName                        string
	pathStyle                           bool
	bucketURL                           string
	accessKey, secretKey, secretKeyFile string
	profile, credentialsFile            string

	signerAccessKey, signerSecretKey, signerSecretKeyFile string
	signerProfile                                         string

	secret, secretFile string

	workers             int
	decode              string
	logFormat, logLevel string

	database, databaseFile string
	role, drain            string
	webhooks               webhookAnswers
	traces                 traceAnswers
	noMigrate              bool

	presets []postern.Preset // from the file only

	server postern.Provider // the one called providerName, else recognised

	from map[string]origin // where each value came from, by the setting's name
}

// setting is one row of the table.
type setting struct {
	name     string   // --name; in the file with _ for -
	env      []string // the first is ours, the others are read as well
	initial  string   // the default
	usage    string
	category string
	// secret settings are masked when shown, and can be given by environment
	// only: arguments show in process lists, settings files get committed.
	secret bool
	// mask is what is shown of a value that holds a secret among other things.
	mask func(string) string
	// apart is a setting that cannot stand in the file.
	apart bool
	// kind is the kind of sign-in that a setting is of. In the file it stands
	// below auth: and that kind, without it in its name.
	kind  string
	into  func(*settings) any // *string, *bool, *int or *[]string
	check func(string) error  // of each value; nil: any will do
}

const (
	listening   = "Listening"
	publicly    = "Reaching it"
	ownBucket   = "Your own bucket"
	keysAndSuch = "Secrets"
	working     = "Working"
)

// inChildren has images opened in child processes.
const inChildren = "child"

// table lists every setting once: flags, variables, the file's keys, help,
// "postern config" and the checks are all derived from it.
func table() []setting {
	return slices.Concat(mainSettings(), proxySettings(), authSettings(), copySettings(), webhookSettings(), traceSettings())
}

func mainSettings() []setting {
	return []setting{
		{
			name: "config", env: []string{"POSTERN_CONFIG"}, apart: true,
			usage: "read settings from this YAML `file`; without it ./postern.yaml if there is one",
			into:  func(s *settings) any { return &s.config },
		},
		{
			name: "data", env: []string{"POSTERN_DATA"}, initial: "./postern-data",
			usage: "keep files, records and keys in this `folder`",
			into:  func(s *settings) any { return &s.data },
		},
		{
			name: "listen", env: []string{"POSTERN_LISTEN"}, initial: "127.0.0.1:8080", category: listening,
			usage: "`address` of the API and the page", check: isAddress,
			into: func(s *settings) any { return &s.listen },
		},
		{
			name: "bucket-listen", env: []string{"POSTERN_BUCKET_LISTEN"}, initial: "127.0.0.1:9000", category: listening,
			usage: "`address` of the embedded bucket", check: isAddress,
			into: func(s *settings) any { return &s.bucketListen },
		},
		{
			name: "admin-listen", env: []string{"POSTERN_ADMIN_LISTEN"}, initial: "127.0.0.1:8081", category: listening,
			usage: "`address` of /metrics, /healthz, /readyz and, for people at this machine, of the operator's page and /debug/pprof", check: isAddress,
			into: func(s *settings) any { return &s.adminListen },
		},
		{
			name: "public-url", env: []string{"POSTERN_PUBLIC_URL"}, category: publicly,
			usage: "`URL` at which browsers reach the page and the API, when it is not --listen", check: isURL,
			into: func(s *settings) any { return &s.publicURL },
		},
		{
			name: "origin", env: []string{"POSTERN_ORIGIN"}, category: publicly,
			usage: "another `origin` whose pages may upload, such as https://app.example; may be given more than once", check: isOrigin,
			into: func(s *settings) any { return &s.origins },
		},
		{
			name: "compat", env: []string{"POSTERN_COMPAT"}, category: publicly,
			usage: "also speak the `protocol` of another client: " + strings.Join(compat.Names(), ", ") + "; may be given more than once",
			check: oneOf(compat.Names()...), into: func(s *settings) any { return &s.compat },
		},
		{
			name: "images-url", env: []string{"POSTERN_IMAGES_URL"}, category: publicly,
			usage: "public `URL` of the bucket's images/ folder, such as a CDN's; without it images are shown by signed links", check: isURL,
			into: func(s *settings) any { return &s.imagesURL },
		},
		{
			name: "bucket", env: []string{"POSTERN_BUCKET", "AWS_S3_BUCKET"}, category: ownBucket,
			usage: "`name` of your S3 bucket; without it a bucket is embedded",
			into:  func(s *settings) any { return &s.bucket },
		},
		{
			name: "region", env: []string{"POSTERN_REGION", "AWS_S3_REGION"}, category: ownBucket,
			usage: "`region` of the bucket; without it what the endpoint or the provider says, then the AWS chain, else us-east-1",
			into:  func(s *settings) any { return &s.region },
		},
		{
			name: "endpoint", env: []string{"POSTERN_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}, category: ownBucket,
			usage: "`URL` of an S3 service other than AWS", check: isURL,
			into: func(s *settings) any { return &s.endpoint },
		},
		{
			name: "provider", env: []string{"POSTERN_PROVIDER"}, category: ownBucket,
			usage: "whose S3 the endpoint is, by `name`; without it recognised by the endpoint's host: " + strings.Join(providerNames(), ", "), check: oneOf(append(providerNames(), "")...),
			into: func(s *settings) any { return &s.providerName },
		},
		{
			name: "path-style", env: []string{"POSTERN_PATH_STYLE"}, initial: "false", category: ownBucket,
			usage: "put the bucket's name into the path (=false: into the host name); without it what the provider needs",
			into:  func(s *settings) any { return &s.pathStyle },
		},
		{
			name: "bucket-url", env: []string{"POSTERN_BUCKET_URL"}, category: ownBucket,
			usage: "`URL` to which browsers send files, when it is not the bucket's own", check: isURL,
			into: func(s *settings) any { return &s.bucketURL },
		},
		{
			name: "access-key", env: []string{"POSTERN_ACCESS_KEY", "AWS_S3_ACCESS_KEY"}, category: ownBucket,
			usage: "access key `id` for the bucket; without it the AWS chain is asked (variables, profiles, roles)",
			into:  func(s *settings) any { return &s.accessKey },
		},
		{
			name: "secret-key", env: []string{"POSTERN_SECRET_KEY", "AWS_S3_SECRET_KEY"}, secret: true, apart: true,
			usage: "secret of the access key",
			into:  func(s *settings) any { return &s.secretKey },
		},
		{
			name: "secret-key-file", env: []string{"POSTERN_SECRET_KEY_FILE"}, category: keysAndSuch,
			usage: "`file` that holds the secret of the access key; or give it as POSTERN_SECRET_KEY",
			into:  func(s *settings) any { return &s.secretKeyFile },
		},
		{
			name: "profile", env: []string{"POSTERN_PROFILE"}, category: ownBucket,
			usage: "`name` of the profile in AWS's configuration files that has the key for the bucket",
			into:  func(s *settings) any { return &s.profile },
		},
		{
			name: "credentials-file", env: []string{"POSTERN_CREDENTIALS_FILE"}, category: keysAndSuch,
			usage: "`file` of profiles with keys, as AWS has it, to read instead of ~/.aws/credentials; \"postern setup\" writes one",
			into:  func(s *settings) any { return &s.credentialsFile },
		},
		{
			name: "signer-profile", env: []string{"POSTERN_SIGNER_PROFILE"}, category: ownBucket,
			usage: "`name` of the profile that has the key that signs uploads, when it is not the one for the bucket",
			into:  func(s *settings) any { return &s.signerProfile },
		},
		{
			name: "signer-access-key", env: []string{"POSTERN_SIGNER_ACCESS_KEY"}, category: ownBucket,
			usage: "access key `id` that signs uploads, when it is not the one for the bucket: it needs to put objects below incoming/, no more",
			into:  func(s *settings) any { return &s.signerAccessKey },
		},
		{
			name: "signer-secret-key", env: []string{"POSTERN_SIGNER_SECRET_KEY"}, secret: true, apart: true,
			usage: "secret of the access key that signs uploads",
			into:  func(s *settings) any { return &s.signerSecretKey },
		},
		{
			name: "signer-secret-key-file", env: []string{"POSTERN_SIGNER_SECRET_KEY_FILE"}, category: keysAndSuch,
			usage: "`file` that holds the secret of the access key that signs uploads; or give it as POSTERN_SIGNER_SECRET_KEY",
			into:  func(s *settings) any { return &s.signerSecretKeyFile },
		},
		{
			name: "secret", env: []string{"POSTERN_SECRET"}, secret: true, apart: true,
			usage: "secrets that seal tickets",
			into:  func(s *settings) any { return &s.secret },
		},
		{
			name: "secret-file", env: []string{"POSTERN_SECRET_FILE"}, category: keysAndSuch,
			usage: "`file` of the secrets that seal tickets, one a line, at least 32 bytes each: the first seals, all open; or give them as POSTERN_SECRET; without either keys.json in the data folder holds one",
			into:  func(s *settings) any { return &s.secretFile },
		},
		{
			name: "database", env: []string{"POSTERN_DATABASE"}, category: keysAndSuch, mask: records.MaskURL,
			usage: "`URL` of a PostgreSQL database for the records, such as postgres://postern@db.example/postern; with a password it is better given as the variable, since arguments show in process lists; without it a file in the data folder", check: isDatabase,
			into: func(s *settings) any { return &s.database },
		},
		{
			name: "database-file", env: []string{"POSTERN_DATABASE_FILE"}, category: keysAndSuch,
			usage: "`file` that holds the URL of the database",
			into:  func(s *settings) any { return &s.databaseFile },
		},
		{
			name: "workers", env: []string{"POSTERN_WORKERS"}, initial: "0", category: working,
			usage: "check and render this `number` of images at a time; 0: as many as there are processors", check: isWorkers,
			into: func(s *settings) any { return &s.workers },
		},
		{
			name: "decode", env: []string{"POSTERN_DECODE"}, initial: inChildren, category: working,
			usage: "open images in a `kind` of process: child: children that can do nothing else (\"postern config\" tells what holds them here), or process: the gate's own", check: oneOf(inChildren, "process"),
			into: func(s *settings) any { return &s.decode },
		},
		{
			name: "log-format", env: []string{"POSTERN_LOG_FORMAT"}, initial: "auto", category: working,
			usage: "`format` of the log on standard error: text, json, or auto: text on a terminal, else json", check: oneOf("auto", "text", "json"),
			into: func(s *settings) any { return &s.logFormat },
		},
		{
			name: "log-level", env: []string{"POSTERN_LOG_LEVEL"}, initial: "info", category: working,
			usage: "log this `level` and above: debug, info, warn, error", check: oneOf("debug", "info", "warn", "error"),
			into: func(s *settings) any { return &s.logLevel },
		},
	}
}

// key is the setting's name in the file, below its kind of sign-in if it has one.
func (x *setting) key() string {
	name := x.name
	if x.kind != "" {
		name = strings.TrimPrefix(name, x.kind+"-")
	}
	return strings.ReplaceAll(name, "-", "_")
}

// path is where the setting stands in the file.
func (x *setting) path() string {
	if x.kind != "" {
		return "auth." + x.kind + "." + x.key()
	}
	return x.key()
}

// set gives s the value raw; a list may have several, everything else has one.
func (x *setting) set(s *settings, raw []string) error {
	for _, v := range raw {
		if x.check == nil {
			break
		}
		if err := x.check(v); err != nil {
			return err
		}
	}
	switch p := x.into(s).(type) {
	case *[]string:
		*p = raw
	case *string:
		*p = raw[0]
	case *bool:
		v, err := strconv.ParseBool(raw[0])
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", raw[0])
		}
		*p = v
	case *int:
		v, err := strconv.Atoi(raw[0])
		if err != nil {
			return fmt.Errorf("%q is not a whole number", raw[0])
		}
		*p = v
	default:
		return fmt.Errorf("setting of type %T", p)
	}
	return nil
}

// shown is the value in s for people, masked when it is a secret.
func (x *setting) shown(s *settings) string {
	var v string
	switch p := x.into(s).(type) {
	case *[]string:
		v = strings.Join(*p, ",")
	case *string:
		v = *p
	case *bool:
		v = strconv.FormatBool(*p)
	case *int:
		v = strconv.Itoa(*p)
	}
	if x.secret && v != "" {
		return "********"
	}
	if x.mask != nil && v != "" {
		return x.mask(v)
	}
	return v
}

// flags makes the command line's flags of the table. The library parses them
// and shows the variables in its help; the order of flag, variable, file and
// default is kept by resolve alone, which also knows settings without a flag.
func flags() []cli.Flag {
	var fs []cli.Flag
	for _, x := range table() {
		if x.secret {
			continue
		}
		var names cli.ValueSourceChain
		for _, e := range x.env {
			names.Chain = append(names.Chain, variable(e))
		}
		switch x.into(&settings{}).(type) {
		case *bool:
			fs = append(fs, &cli.BoolFlag{Name: x.name, Usage: x.usage, Category: x.category, Sources: names, HideDefault: true, Local: true})
		case *[]string:
			fs = append(fs, &cli.StringSliceFlag{Name: x.name, Usage: x.usage, Category: x.category, Sources: names, Local: true})
		default:
			fs = append(fs, &cli.StringFlag{Name: x.name, Usage: x.usage, Category: x.category, Sources: names, Value: x.initial, Local: true})
		}
	}
	return fs
}

// variable names an environment variable in a flag's help.
type variable string

func (v variable) Lookup() (string, bool) { return "", false }
func (v variable) IsFromEnv() bool        { return true }
func (v variable) Key() string            { return string(v) }
func (v variable) String() string         { return "$" + string(v) }
func (v variable) GoString() string       { return v.String() }

func isAddress(v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:8080", v)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q has no port between 0 and 65535", v)
	}
	return nil
}

func isURL(v string) error {
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%q is not a URL such as https://photos.example", v)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the URL must have no user, query or fragment")
	}
	return nil
}

// isOrigin wants an origin as browsers send it: exact, since anything looser
// ("*", a suffix, "null") would let other people's pages in.
func isOrigin(v string) error {
	if err := isURL(v); err != nil || v == "" || strings.Contains(v, "*") || originOf(v) != v {
		return fmt.Errorf("%q is not an origin such as https://app.example (scheme, host and port, nothing more)", v)
	}
	return nil
}

// originOf is the origin of a URL that isURL accepts.
func originOf(v string) string {
	u, err := url.Parse(v)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host
}

func isDatabase(v string) error {
	if v == "" {
		return nil
	}
	return records.CheckURL(v)
}

func isWorkers(v string) error {
	if n, err := strconv.Atoi(v); err != nil || n < 0 || n > 1024 {
		return fmt.Errorf("%q is not a number from 0 to 1024", v)
	}
	return nil
}

func oneOf(allowed ...string) func(string) error {
	return func(v string) error {
		if slices.Contains(allowed, v) {
			return nil
		}
		named := slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return a == "" })
		return fmt.Errorf("%q is not known; it may be %s", v, strings.Join(named, ", "))
	}
}
