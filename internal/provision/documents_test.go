package provision_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"postern.example/postern/internal/provision"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const account = "123456789012"

// wants are what people set up, by name.
func wants(t *testing.T) map[string]provision.Want {
	t.Helper()
	aws := func(change func(*provision.Want)) provision.Want {
		w := provision.Want{
			Bucket: "photos", Region: "eu-central-1", Provider: provider(t, "aws"), Account: account,
			Origins: []string{"https://app.example", "http://localhost:3000"}, User: "site",
		}
		if change != nil {
			change(&w)
		}
		return w
	}
	role := func(trust provision.Trust) provision.Want {
		return aws(func(w *provision.Want) { w.User, w.Role, w.Trust = "", "site", trust })
	}
	on := func(name, endpoint string, public bool) provision.Want {
		p := provider(t, name)
		return aws(func(w *provision.Want) {
			w.Provider, w.Endpoint, w.PathStyle, w.Public = p, endpoint, p.PathStyle, public
		})
	}
	return map[string]provision.Want{
		"aws-user":    aws(nil),
		"aws-public":  aws(func(w *provision.Want) { w.Public = true }),
		"aws-cdn":     aws(func(w *provision.Want) { w.Distribution = "arn:aws:cloudfront::" + account + ":distribution/E1ABCDEF" }),
		"aws-us-east": aws(func(w *provision.Want) { w.Region = "us-east-1" }),
		"aws-china":   aws(func(w *provision.Want) { w.Region = "cn-north-1" }),
		"role-ec2":    role(provision.Trust{Kind: "ec2"}),
		"role-ecs":    role(provision.Trust{Kind: "ecs"}),
		"role-lambda": role(provision.Trust{Kind: "lambda"}),
		"role-oidc": role(provision.Trust{
			Kind: "oidc", Provider: "arn:aws:iam::" + account + ":oidc-provider/token.actions.githubusercontent.com", Subject: "repo:me/site:ref:refs/heads/main",
		}),
		"r2":        on("r2", "https://0123abc.r2.cloudflarestorage.com", true),
		"b2":        on("b2", "https://s3.eu-central-003.backblazeb2.com", false),
		"gcs":       on("gcs", "https://storage.googleapis.com", false),
		"minio":     on("minio", "http://127.0.0.1:9000", true),
		"ceph":      on("ceph", "https://ceph.example", true),
		"versitygw": on("versitygw", "http://127.0.0.1:7070", true),
		"embedded":  on("embedded", "http://127.0.0.1:9000", true),
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./internal/provision -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s is not what it was; look at the difference after go test ./internal/provision -update\n%s", path, got)
	}
}

// Every document and every file, as it was looked at and found good.
func TestGolden(t *testing.T) {
	for name, w := range wants(t) {
		t.Run(name, func(t *testing.T) {
			if err := w.Check(); err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			part := func(title string, v any) {
				text, ok := v.(fmt.Stringer)
				if ok {
					fmt.Fprintf(&b, "== %s\n%s\n", title, text)
					return
				}
				doc, err := json.MarshalIndent(v, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&b, "== %s\n%s\n", title, doc)
			}
			part("signer", provision.SignerPolicy(&w))
			part("worker", provision.WorkerPolicy(&w))
			part("operator", provision.OperatorPolicy(&w))
			part("bucket policy", provision.BucketStatements(&w))
			part("public access", provision.PublicAccessBlock(&w))
			part("CORS", provision.CORS(&w))
			part("lifecycle", provision.Lifecycle(&w))
			if w.Role != "" {
				trust, err := provision.TrustPolicy(&w)
				if err != nil {
					t.Fatal(err)
				}
				part("trust", trust)
			}
			for _, m := range provision.Manuals(&w) {
				fmt.Fprintf(&b, "== by hand: %s\n%s\n%s\n%s\n", m.ID, m.Title, m.Why, m.Steps)
			}
			golden(t, name+".txt", b.String())
			for _, kind := range provision.Emits() {
				files, err := provision.Emit(kind, &w)
				if kind == "cloudformation" && w.Endpoint != "" {
					if !errors.Is(err, provision.ErrWant) {
						t.Errorf("CloudFormation for %s: %v", w.Provider.Name, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range files {
					golden(t, filepath.Join(name, f.Name), f.Text)
				}
			}
		})
	}
}

// What Terraform would read is what setup would write: every policy in the file,
// as HCL understands it, is one of ours.
func TestEmit_TerraformSaysTheSame(t *testing.T) {
	for name, w := range wants(t) {
		files, err := provision.Emit("terraform", &w)
		if err != nil {
			t.Fatal(err)
		}
		f, diags := hclparse.NewParser().ParseHCL([]byte(files[0].Text), "postern.tf")
		if diags.HasErrors() {
			t.Errorf("%s: %v\n%s", name, diags, files[0].Text)
			continue
		}
		wanted := map[string]bool{}
		if w.Provider.IAM.String() != "no" {
			wanted[provision.SignerPolicy(&w).String()], wanted[provision.WorkerPolicy(&w).String()] = true, true
		}
		if s := provision.BucketStatements(&w); len(s) > 0 {
			wanted[(provision.Policy{Version: "2012-10-17", Statement: s}).String()] = true
		}
		resources := map[string]int{}
		for _, b := range f.Body.(*hclsyntax.Body).Blocks {
			if b.Type != "resource" {
				continue
			}
			resources[b.Labels[0]]++
			a, ok := b.Body.Attributes["policy"]
			if !ok {
				continue
			}
			v, diags := a.Expr.Value(nil)
			if diags.HasErrors() {
				t.Errorf("%s: %v", name, diags)
				continue
			}
			text := strings.TrimSpace(v.AsString())
			if !wanted[text] {
				t.Errorf("%s: a policy that is not ours: %s", name, text)
			}
			delete(wanted, text)
		}
		if len(wanted) > 0 {
			t.Errorf("%s: %d policies are missing", name, len(wanted))
		}
		if resources["aws_s3_bucket"] != 1 || w.User != "" && w.Provider.IAM.String() != "no" && resources["aws_iam_access_key"] != 2 {
			t.Errorf("%s: resources %v", name, resources)
		}
	}
}

// Texts that would end a string, begin a template or a command do not.
func TestEmit_Hostile(t *testing.T) {
	for name, w := range wants(t) {
		if name != "role-oidc" {
			continue
		}
		w.Trust.Subject = `a"b%{if}'c$(touch pwned)$HOME` + "`d`\\"
		for _, kind := range provision.Emits() {
			files, err := provision.Emit(kind, &w)
			if err != nil {
				t.Fatal(err)
			}
			switch kind {
			case "terraform":
				f, diags := hclparse.NewParser().ParseHCL([]byte(files[0].Text), "x.tf")
				if diags.HasErrors() {
					t.Fatal(diags)
				}
				for _, b := range f.Body.(*hclsyntax.Body).Blocks {
					if a, ok := b.Body.Attributes["assume_role_policy"]; ok {
						v, diags := a.Expr.Value(nil)
						if diags.HasErrors() {
							t.Fatal(diags)
						}
						var doc provision.Policy
						if err := json.Unmarshal([]byte(v.AsString()), &doc); err != nil || doc.Statement[0].Condition["StringEquals"]["token.actions.githubusercontent.com:sub"][0] != w.Trust.Subject {
							t.Errorf("%v: %s", err, v.AsString())
						}
					}
				}
			case "aws-cli":
				shell(t, files[0].Text)
			}
		}
	}
}

// The script is one that a POSIX shell takes, and gives the AWS command line
// what was meant: a stand-in for it notes what it is called with.
func TestEmit_Script(t *testing.T) {
	for name, w := range wants(t) {
		files, err := provision.Emit("aws-cli", &w)
		if err != nil {
			t.Fatal(err)
		}
		calls := shell(t, files[0].Text)
		if w.Provider.CORS.String() != "no" && !strings.Contains(calls, `"AllowedOrigins":["https://app.example","http://localhost:3000"]`) {
			t.Errorf("%s: no CORS rule in\n%s", name, calls)
		}
		if w.User != "" && w.Provider.IAM.String() != "no" && strings.Count(calls, "create-access-key") != 2 {
			t.Errorf("%s: not two keys in\n%s", name, calls)
		}
	}
}

// shell runs a script with an "aws" that does nothing but note its arguments.
func shell(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	noted := filepath.Join(dir, "calls")
	aws := "#!/bin/sh\nprintf '%s\\n' \"$*\" >>" + noted + "\ncase \"$*\" in *head-bucket*|*get-user*|*get-role*) exit 1;; esac\n"
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(aws), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh")
	cmd.Stdin, cmd.Dir, cmd.Env = strings.NewReader(script), dir, []string{"PATH=" + dir + ":/usr/bin:/bin", "AWS_ENDPOINT_URL_IAM=http://iam.example"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, script)
	}
	calls, err := os.ReadFile(noted)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "pwned")); err == nil {
		t.Error("a text has become a command")
	}
	return string(calls)
}

// CloudFormation is JSON without what it would refuse: nulls, empty lists. The
// golden files are held against AWS's schemas by cfn/check.mjs.
func TestEmit_CloudFormation(t *testing.T) {
	for name, w := range wants(t) {
		if w.Endpoint != "" {
			continue
		}
		files, err := provision.Emit("cloudformation", &w)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Resources map[string]struct {
				Type       string
				Properties map[string]json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(files[0].Text), &doc); err != nil {
			t.Fatal(err)
		}
		for id, r := range doc.Resources {
			for prop, v := range r.Properties {
				if v := bytes.TrimSpace(v); string(v) == "null" || string(v) == "[]" {
					t.Errorf("%s: %s.%s is %s", name, id, prop, v)
				}
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for what, change := range map[string]func(*provision.Want){
		"bucket: the name \"ab\" must have 3 to 63":      func(w *provision.Want) { w.Bucket = "ab" },
		"bucket: the name \"Photos\" must have lower":    func(w *provision.Want) { w.Bucket = "Photos" },
		"bucket: the name \"a..b\" has two dots":         func(w *provision.Want) { w.Bucket = "a..b" },
		"bucket: the name \"192.168.0.1\" looks like":    func(w *provision.Want) { w.Bucket = "192.168.0.1" },
		"bucket: the name \"my.photos\" has a dot":       func(w *provision.Want) { w.Bucket = "my.photos" },
		"bucket: the name \"xn--abc\" begins with":       func(w *provision.Want) { w.Bucket = "xn--abc" },
		"bucket: the name \"abc-s3alias\" ends with":     func(w *provision.Want) { w.Bucket = "abc-s3alias" },
		"region: \"EU\" is not a region":                 func(w *provision.Want) { w.Region = "EU" },
		"origin: there is none":                          func(w *provision.Want) { w.Origins = nil },
		"origin: \"*\" would let in":                     func(w *provision.Want) { w.Origins = []string{"*"} },
		"origin: \"null\" would let in":                  func(w *provision.Want) { w.Origins = []string{"null"} },
		"origin: \"https://*.example\" would let in":     func(w *provision.Want) { w.Origins = []string{"https://*.example"} },
		"origin: \"https://app.example/\" is not":        func(w *provision.Want) { w.Origins = []string{"https://app.example/"} },
		"origin: \"https://App.example\" is not":         func(w *provision.Want) { w.Origins = []string{"https://App.example"} },
		"origin: \"https://app.example\" is there twice": func(w *provision.Want) { w.Origins = []string{"https://app.example", "https://app.example"} },
		"user and role":              func(w *provision.Want) { w.Role = "r" },
		"user: \"a b\"":              func(w *provision.Want) { w.User = "a b" },
		"trust: it goes with a role": func(w *provision.Want) { w.Trust.Kind = "ec2" },
		"trust: \"\" is not one of":  func(w *provision.Want) { w.User, w.Role = "", "r" },
		"trust: the provider \"\"":   func(w *provision.Want) { w.User, w.Role, w.Trust = "", "r", provision.Trust{Kind: "oidc"} },
		"trust: the subject \"repo:*\"": func(w *provision.Want) {
			w.User, w.Role = "", "r"
			w.Trust = provision.Trust{Kind: "oidc", Provider: "arn:aws:iam::" + account + ":oidc-provider/x.example", Subject: "repo:*"}
		},
		"account: \"1\" has not 12 digits": func(w *provision.Want) { w.Account = "1" },
		"public and distribution": func(w *provision.Want) {
			w.Public, w.Distribution = true, "arn:aws:cloudfront::"+account+":distribution/E1"
		},
		"distribution: \"E1\" is not":  func(w *provision.Want) { w.Distribution = "E1" },
		"endpoint: \"ftp://x\" is not": func(w *provision.Want) { w.Endpoint = "ftp://x" },
	} {
		w := wants(t)["aws-user"]
		change(&w)
		if err := w.Check(); !errors.Is(err, provision.ErrWant) || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
}
