package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func noFlags(string) ([]string, bool) { return nil, false }

func noEnv(string) string { return "" }

func envOf(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

// inFolder runs the test in an empty folder, where no settings file is found.
func inFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
}

// sampleOf is a value that the setting accepts and that is not its default.
func sampleOf(t *testing.T, x setting) (raw, yaml string) {
	t.Helper()
	switch x.into(&settings{}).(type) {
	case *bool:
		return "true", "true"
	case *int:
		return "7", "7"
	case *[]string:
		for _, v := range []string{"https://app.example", "uppy", "keys", "upload.ready", "10.0.0.0/8"} {
			if x.check == nil || x.check(v) == nil {
				return v, "[" + v + "]"
			}
		}
	}
	for _, v := range []string{"words", "127.0.0.1:7070", "https://app.example", "none", "text", "warn", "r2", "process", "2s", "api", "postgres://db.example/postern"} {
		if x.check == nil || x.check(v) == nil {
			return v, v
		}
	}
	t.Fatalf("no sample fits %s", x.name)
	return "", ""
}

// inFile is a file with one setting.
func inFile(x setting, yaml string) string {
	if x.kind != "" {
		return "auth: {" + x.kind + ": {" + x.key() + ": " + yaml + "}}\n"
	}
	return x.key() + ": " + yaml + "\n"
}

func TestTable_NamesAgree(t *testing.T) {
	seen := map[string]bool{}
	for _, x := range table() {
		for _, name := range append([]string{x.name}, x.env...) {
			if seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if want := "POSTERN_" + strings.ToUpper(strings.ReplaceAll(x.name, "-", "_")); x.env[0] != want {
			t.Errorf("%s: first variable is %s, want %s", x.name, x.env[0], want)
		}
		if x.usage == "" {
			t.Errorf("%s: no help", x.name)
		}
		if x.check != nil && x.initial != "" {
			if err := x.check(x.initial); err != nil {
				t.Errorf("%s: default is refused: %v", x.name, err)
			}
		}
	}
}

func TestTable_SecretsAreNeverArguments(t *testing.T) {
	secrets := 0
	for _, x := range table() {
		if !x.secret {
			continue
		}
		secrets++
		for _, f := range flags() {
			if f.Names()[0] == x.name {
				t.Errorf("--%s would show a secret in process lists", x.name)
			}
		}
		if !x.apart {
			t.Errorf("%s could stand in the settings file", x.name)
		}
	}
	if secrets == 0 {
		t.Error("no setting is secret")
	}
}

// TestResolve_Order holds every setting to flag > variable > file > default.
func TestResolve_Order(t *testing.T) {
	for _, x := range table() {
		if x.name == "config" || x.secret {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			inFolder(t)
			raw, yaml := sampleOf(t, x)
			flagged := func(name string) ([]string, bool) { return []string{raw}, name == x.name }
			check := func(s *settings, err error, kind string) {
				t.Helper()
				if err != nil && strings.Contains(err.Error(), x.name) {
					t.Fatal(err)
				}
				if s.from[x.name].kind != kind {
					t.Errorf("source is %v, want %s", s.from[x.name], kind)
				}
				want := raw
				if kind == "default" {
					want = x.initial
				}
				if got := x.shown(s); got != want {
					t.Errorf("value from %s is %q, want %q", kind, got, want)
				}
			}
			s, err := resolveAll(noFlags, noEnv)
			check(s, err, "default")
			if err := os.WriteFile(defaultFile, []byte(inFile(x, yaml)), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err = resolveAll(noFlags, noEnv)
			check(s, err, "file")
			env := envOf(map[string]string{x.env[len(x.env)-1]: raw})
			s, err = resolveAll(noFlags, env)
			check(s, err, "env")
			s, err = resolveAll(flagged, env)
			check(s, err, "flag")
		})
	}
}

func TestResolve_EmptyVariableIsNotSet(t *testing.T) {
	inFolder(t)
	s, err := resolve(noFlags, envOf(map[string]string{"POSTERN_LISTEN": ""}))
	if err != nil || s.listen != "127.0.0.1:8080" || s.from["listen"].kind != "default" {
		t.Errorf("listen is %q from %v, %v", s.listen, s.from["listen"], err)
	}
}

func TestResolve_Contradictions(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"secret twice":       {map[string]string{"POSTERN_SECRET": "a", "POSTERN_SECRET_FILE": "b"}, "sealing secret is given twice"},
		"secret key twice":   {map[string]string{"POSTERN_BUCKET": "b", "POSTERN_SECRET_KEY": "a", "POSTERN_SECRET_KEY_FILE": "b"}, "secret key is given twice"},
		"key without secret": {map[string]string{"POSTERN_BUCKET": "b", "POSTERN_ACCESS_KEY": "a"}, "without its secret"},
		"secret without key": {map[string]string{"POSTERN_BUCKET": "b", "POSTERN_SECRET_KEY": "a"}, "not its id"},
		"equal ports":        {map[string]string{"POSTERN_LISTEN": "127.0.0.1:9000"}, "both have port 9000"},
		"bad address":        {map[string]string{"POSTERN_LISTEN": "8080"}, "POSTERN_LISTEN: \"8080\" is not an address"},
		"bad port":           {map[string]string{"POSTERN_LISTEN": "localhost:http"}, "no port between"},
		"URL with a user":    {map[string]string{"POSTERN_ENDPOINT": "https://me:hush@s3.example"}, "no user"},
		"no switch":          {map[string]string{"POSTERN_PATH_STYLE": "perhaps"}, "neither true nor false"},
	} {
		t.Run(name, func(t *testing.T) {
			inFolder(t)
			_, err := resolve(noFlags, envOf(tc.env))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error is %v, want %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("error shows a password: %v", err)
			}
		})
	}
	inFolder(t)
	// With a bucket of your own nothing listens for the embedded one, and keys
	// of other tools in the environment are no reason to refuse a local start.
	for _, env := range []map[string]string{
		{"POSTERN_BUCKET": "b", "POSTERN_LISTEN": "127.0.0.1:9000"},
		{"AWS_S3_ACCESS_KEY": "a"},
		{"AWS_ENDPOINT_URL": "http://localhost:4566"},
	} {
		if _, err := resolve(noFlags, envOf(env)); err != nil {
			t.Errorf("%v: %v", env, err)
		}
	}
}

func TestSealing(t *testing.T) {
	dir := t.TempDir()
	long, other := strings.Repeat("a", 32), strings.Repeat("b", 40)
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte(long+"\n"+other+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := (&settings{secretFile: path}).sealing()
	if err != nil || len(got) != 2 || string(got[0]) != long || string(got[1]) != other {
		t.Errorf("secrets of a file: %q, %v", got, err)
	}
	got, err = (&settings{secret: long}).sealing()
	if err != nil || len(got) != 1 || string(got[0]) != long {
		t.Errorf("secret by value: %q, %v", got, err)
	}
	if _, err = (&settings{secret: "hush"}).sealing(); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("short secret: %v", err)
	}
	if _, err = (&settings{secretFile: filepath.Join(dir, "none")}).sealing(); err == nil {
		t.Error("a missing file is no error")
	}
}
