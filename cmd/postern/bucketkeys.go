package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"postern.example/postern/internal/s3d"
	"postern.example/postern/internal/s3d/access"
	"postern.example/postern/sigv4"
)

// keyFile is the file of --keys: further access keys, and what each may do.
type keyFile struct {
	Keys []keyEntry `yaml:"keys"`
}

type keyEntry struct {
	// User is the key's name in policies: arn:aws:iam::000000000000:user/USER.
	User            string `yaml:"user"`
	AccessKeyID     string `yaml:"access_key_id"`
	SecretAccessKey string `yaml:"secret_access_key"`
	// Policy is an IAM policy document, written as YAML or JSON; PolicyFile is
	// a JSON file of one, found from the folder of the keys file.
	Policy     yaml.MapSlice `yaml:"policy"`
	PolicyFile string        `yaml:"policy_file"`
}

// maxKeysFile bounds the keys file; it is read whole.
const maxKeysFile = 1 << 20

// readKeys reads the file of --keys; no path is no keys.
func readKeys(path string) (users []s3d.User, err error) {
	if path == "" {
		return nil, nil
	}
	defer func() {
		// goccy/go-yaml 1.19.2 panics on some broken files, see parseFile.
		if recover() != nil {
			users, err = nil, misused("", "%s: the file is not YAML", path)
		}
	}()
	text, err := os.ReadFile(path) //nolint:gosec // the file that the caller names
	if err != nil {
		return nil, misused("", "read keys: %w", err)
	}
	if len(text) > maxKeysFile {
		return nil, misused("", "%s: the file has more than %d bytes", path, maxKeysFile)
	}
	var f keyFile
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&f); err != nil {
		var where yaml.Error
		if errors.As(err, &where) && where.GetToken() != nil {
			p := where.GetToken().Position
			return nil, misused(keysHint, "%s:%d:%d: %s", path, p.Line, p.Column, where.GetMessage())
		}
		return nil, misused(keysHint, "%s: %w", path, err)
	}
	if len(f.Keys) == 0 {
		return nil, misused(keysHint, "%s: there are no keys in the file", path)
	}
	for i, k := range f.Keys {
		u, err := k.user(filepath.Dir(path))
		if err != nil {
			return nil, misused(keysHint, "%s: key %d (user %q): %w", path, i+1, k.User, err)
		}
		users = append(users, u)
	}
	return users, nil
}

const keysHint = `Each of "keys" has user, access_key_id, secret_access_key and policy or policy_file; docs/bucket.md shows one.`

func (k *keyEntry) user(dir string) (s3d.User, error) {
	u := s3d.User{Name: k.User, Keys: []sigv4.Credentials{{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey}}}
	switch {
	case k.User == "":
		return u, errors.New("user is empty")
	case k.AccessKeyID == "" || k.SecretAccessKey == "":
		return u, errors.New("access_key_id and secret_access_key must be set")
	case (k.Policy == nil) == (k.PolicyFile == ""):
		return u, errors.New("exactly one of policy and policy_file must be set")
	}
	doc, err := k.document(dir)
	if err != nil {
		return u, err
	}
	if _, err := access.ParseIdentity(doc); err != nil {
		return u, fmt.Errorf("policy: %w", err)
	}
	u.Policies = [][]byte{doc}
	return u, nil
}

func (k *keyEntry) document(dir string) ([]byte, error) {
	if k.PolicyFile == "" {
		doc, err := json.Marshal(ordered(k.Policy))
		if err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		return doc, nil
	}
	path := k.PolicyFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	doc, err := os.ReadFile(path) //nolint:gosec // the file that the caller names
	if err != nil {
		return nil, fmt.Errorf("policy_file: %w", err)
	}
	return doc, nil
}

// ordered turns a YAML mapping into what encodes as the JSON object with the
// same members.
func ordered(v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		m := make(map[string]any, len(v))
		for _, item := range v {
			m[fmt.Sprint(item.Key)] = ordered(item.Value)
		}
		return m
	case map[string]any:
		for k := range v {
			v[k] = ordered(v[k])
		}
		return v
	case []any:
		for i := range v {
			v[i] = ordered(v[i])
		}
	}
	return v
}
