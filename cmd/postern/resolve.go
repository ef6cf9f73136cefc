package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"github.com/urfave/cli/v3"
)

// origin is where a setting's value came from.
type origin struct {
	kind string // "flag", "env", "file", "default", or "recognised" and "provider" for what follows from the bucket's server
	name string // "--listen", "POSTERN_LISTEN", "postern.yaml:3:9", "from endpoint", "r2" or ""
}

func (o origin) String() string {
	if o.name == "" {
		return o.kind
	}
	return o.kind + " " + o.name
}

// given is a flag's values on the command line, if it was there.
type given func(name string) ([]string, bool)

// resolve finds the value of every setting, and holds them against each other.
func resolve(flag given, getenv func(string) string) (*settings, error) {
	s, err := resolveAll(flag, getenv)
	if err != nil {
		return nil, err
	}
	if err := s.findServer(); err != nil {
		return nil, err
	}
	return s, s.validate()
}

// resolveAll finds the value of every setting: flag before variable before
// file before default. An empty variable counts as not set.
func resolveAll(flag given, getenv func(string) string) (*settings, error) {
	s := &settings{from: map[string]origin{}}
	rows := table()
	f, err := findFile(&rows[0], flag, getenv)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		x := &rows[i]
		raw, from := []string{x.initial}, origin{kind: "default"}
		if _, list := x.into(s).(*[]string); list {
			raw = nil
		}
		if v, ok := f.values[x.path()]; ok {
			raw, from = v.raw, origin{"file", v.at}
		}
		if v, name, ok := fromEnv(x, s, getenv); ok {
			raw, from = v, origin{"env", name}
		}
		if v, ok := flag(x.name); ok {
			raw, from = v, origin{"flag", "--" + x.name}
		}
		if err := x.set(s, raw); err != nil {
			if x.secret {
				return nil, misused("", "%s: the value is not usable", from.name)
			}
			return nil, misused("", "%s: %w", from.name, err)
		}
		s.from[x.name] = from
	}
	if s.config == "" && f.path != "" {
		s.config = f.path // it was found, not named
	}
	s.presets, s.from["presets"] = f.presets, origin{kind: "default"}
	if f.presets != nil {
		s.from["presets"] = origin{"file", f.presetsAt}
	}
	return s, nil
}

func fromEnv(x *setting, s *settings, getenv func(string) string) (raw []string, name string, ok bool) {
	for _, name := range x.env {
		v := getenv(name)
		if v == "" {
			continue
		}
		if _, list := x.into(s).(*[]string); !list {
			return []string{v}, name, true
		}
		for part := range strings.SplitSeq(v, ",") {
			raw = append(raw, strings.TrimSpace(part))
		}
		return raw, name, true
	}
	return nil, "", false
}

// defaultFile is read when it is there and no other was named.
const defaultFile = "postern.yaml"

func findFile(x *setting, flag given, getenv func(string) string) (*file, error) {
	path, named := "", false
	if v, _, ok := fromEnv(x, &settings{}, getenv); ok {
		path, named = v[0], true
	}
	if v, ok := flag(x.name); ok {
		path, named = v[0], true
	}
	if !named {
		path = defaultFile
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return &file{}, nil
	case err != nil:
		return nil, misused("", "read settings: %w", err)
	}
	return parseFile(path, text)
}

// validate holds settings against each other.
func (s *settings) validate() error {
	if err := s.distinctPorts(); err != nil {
		return err
	}
	switch {
	case s.secret != "" && s.secretFile != "":
		return misused("Keep one of them.", "the sealing secret is given twice, by %s and by a file", s.from["secret"].name)
	case s.database != "" && s.databaseFile != "":
		return misused("Keep one of them.", "the database's URL is given twice, by %s and by a file", s.from["database"].name)
	}
	if err := s.validateAuth(); err != nil {
		return err
	}
	if err := s.validateCopies(); err != nil {
		return err
	}
	if err := s.validateTraces(); err != nil {
		return err
	}
	if err := s.validateWebhooks(); err != nil {
		return err
	}
	switch {
	case s.bucket == "" && s.endpoint != "" && s.from["endpoint"].kind != "env":
		return misused("Name it with --bucket.", "there is an endpoint (%s) but no bucket", s.from["endpoint"].name)
	case s.bucket == "":
		return nil // access keys in the environment are not for us
	}
	return s.validateKeys()
}

// validateKeys refuses keys that are given by halves or in two ways: which one
// counts must not be a riddle.
func (s *settings) validateKeys() error {
	for _, k := range []struct{ name, variable, id, secret, file, profile string }{
		{"access-key", "POSTERN_SECRET_KEY", s.accessKey, s.secretKey, s.secretKeyFile, s.profile},
		{"signer-access-key", "POSTERN_SIGNER_SECRET_KEY", s.signerAccessKey, s.signerSecretKey, s.signerSecretKeyFile, s.signerProfile},
	} {
		secret := strings.Replace(k.name, "access", "secret", 1)
		given := k.secret != "" || k.file != ""
		switch {
		case k.secret != "" && k.file != "":
			return misused("Keep one of them.", "the %s is given twice, by %s and by a file", strings.ReplaceAll(secret, "-", " "), s.from[secret].name)
		case k.id == "" && given:
			return misused("Give its id with --"+k.name+".", "there is the secret of an access key (%s) but not its id", k.variable)
		case k.id != "" && !given:
			return misused(fmt.Sprintf("Give its secret as %s or with --%s-file.", k.variable, secret), "there is an access key (%s) without its secret", s.from[k.name])
		case k.id != "" && k.profile != "":
			return misused("Keep one of them.", "there is an access key (%s) and a profile (%s)", s.from[k.name], k.profile)
		}
	}
	if s.credentialsFile != "" {
		if _, err := os.Stat(s.credentialsFile); err != nil {
			return misused(`"postern setup" writes one.`, "read credentials (%s): %w", s.from["credentials-file"], err)
		}
	}
	return nil
}

// distinctPorts refuses equal ports, also on different addresses: metrics and
// profiles must not end up where the public looks.
func (s *settings) distinctPorts() error {
	seen := map[string]string{}
	for _, l := range []struct{ name, address string }{
		{"--listen", s.listen}, {"--bucket-listen", s.bucketListen}, {"--admin-listen", s.adminListen},
	} {
		if l.name == "--bucket-listen" && s.bucket != "" {
			continue // nothing listens there
		}
		_, port, err := net.SplitHostPort(l.address)
		if err != nil || port == "0" {
			continue
		}
		if other, ok := seen[port]; ok {
			return misused("Give each a port of its own.", "%s and %s both have port %s", other, l.name, port)
		}
		seen[port] = l.name
	}
	return nil
}

// secretFrom returns a secret given by value or by file.
func secretFrom(value, path string) (string, error) {
	if path == "" {
		return strings.TrimSpace(value), nil
	}
	b, err := os.ReadFile(path) //nolint:gosec // the file that the caller names
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return "", fmt.Errorf("read secret: %s is empty", path)
	}
	return v, nil
}

// onCommandLine reads flags as parsed by the library.
func onCommandLine(c *cli.Command) given {
	return func(name string) ([]string, bool) {
		if !c.IsSet(name) {
			return nil, false
		}
		switch v := c.Value(name).(type) {
		case []string:
			return v, true
		default:
			return []string{fmt.Sprint(v)}, true
		}
	}
}
