package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The compose file: what its services name is there, what they say to the
// program it takes, and it opens nothing to others.
func TestDeploy_Compose(t *testing.T) {
	var c struct {
		Services map[string]struct {
			Image       string
			Build       struct{ Context, Dockerfile string }
			Command     []string
			Environment map[string]string
			EnvFile     []string `yaml:"env_file"`
			Volumes     []string
			Ports       []string
			Secrets     []string
			DependsOn   any `yaml:"depends_on"`
		}
		Volumes map[string]any
		Secrets map[string]struct{ File string }
	}
	text := operateFiles(t)["compose.yaml"]
	// Compose fills in ${NAME:-default}.
	plain := regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAllString(text, "$1")
	if err := yaml.Unmarshal([]byte(plain), &c); err != nil {
		t.Fatal(err)
	}
	intro, _, _ := strings.Cut(text, "\nname:")
	ours, data := 0, t.TempDir()
	keys := "[photos-signer]\naws_access_key_id = a\naws_secret_access_key = b\n[photos-worker]\naws_access_key_id = c\naws_secret_access_key = d\n"
	if err := os.WriteFile(filepath.Join(data, "postern-credentials"), []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, s := range c.Services {
		var on []string
		switch d := s.DependsOn.(type) {
		case []any:
			for _, v := range d {
				on = append(on, v.(string))
			}
		case map[string]any:
			on = slices.Collect(maps.Keys(d))
		}
		for _, other := range on {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s waits for %s, which is not there", name, other)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(from, "./") {
				if _, err := os.Stat(filepath.Join("../../deploy", from)); err != nil {
					t.Error(err)
				}
			} else if _, ok := c.Volumes[from]; !ok {
				t.Errorf("%s: there is no volume %s", name, from)
			}
		}
		for _, secret := range s.Secrets {
			if f := c.Secrets[secret].File; f == "" || !strings.Contains(intro, ">"+f) {
				t.Errorf("%s: nothing makes the secret %s", name, secret)
			}
		}
		for _, f := range s.EnvFile {
			if !strings.Contains(intro, ">"+f) {
				t.Errorf("%s: nothing makes %s", name, f)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s listens for others on %s, before anybody said who may upload", name, p)
			}
		}
		if s.Image != "postern" {
			if !regexp.MustCompile(`:v?\d`).MatchString(s.Image) {
				t.Errorf("%s: the version of %s is not said", name, s.Image)
			}
			continue
		}
		ours++
		if _, err := os.Stat(filepath.Join("../../deploy", s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
		if fault := checkCommand(s.Command); fault != "" {
			t.Errorf("%s: %s", name, fault)
		}
		if name == "setup" {
			continue // it has flags only
		}
		image := operateFiles(t)["Dockerfile"]
		conf, err := resolve(func(string) ([]string, bool) { return nil, false }, func(v string) string {
			value := s.Environment[v]
			if m := regexp.MustCompile(v + `=(\S+)`).FindStringSubmatch(image); m != nil && value == "" {
				value = m[1]
			}
			return strings.Replace(value, "/data", data, 1)
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "migrate" {
			if !conf.shared() && conf.databaseFile == "" {
				t.Error("migrate is not told which database")
			}
			continue
		}
		if err := conf.checkReach(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !conf.shared() || len(conf.trusted()) == 0 {
			t.Errorf("%s shares nothing with the other copy, or does not know its proxy", name)
		}
		// What setup wrote is what the gate reads.
		for flag, value := range map[string]string{"--credentials": s.Environment["POSTERN_CREDENTIALS_FILE"], "--bucket": conf.bucket, "--endpoint": conf.endpoint, "--origin": conf.publicURL, "--user": strings.TrimSuffix(conf.profile, "-worker")} {
			if !slices.Contains(c.Services["setup"].Command, flag+"="+value) {
				t.Errorf("%s: setup has no %s=%s", name, flag, value)
			}
		}
	}
	if ours != 3 {
		t.Errorf("%d services are ours", ours)
	}
}
