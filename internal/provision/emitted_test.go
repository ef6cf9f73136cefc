package provision_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	syntax "github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"postern.example/postern/internal/provision"
)

func emitted(t *testing.T, kind string, w provision.Want) string {
	t.Helper()
	files, err := provision.Emit(kind, &w)
	if err != nil {
		t.Fatal(err)
	}
	return files[0].Text
}

// resources are the blocks of a Terraform file, by type.
func resources(t *testing.T, text string) map[string][]*hclsyntax.Block {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(text), "postern.tf", syntax.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%v\n%s", diags, text)
	}
	out := map[string][]*hclsyntax.Block{}
	for _, b := range f.Body.(*hclsyntax.Body).Blocks {
		kind := b.Type
		if kind == "resource" {
			kind = b.Labels[0]
		}
		out[kind] = append(out[kind], b)
	}
	return out
}

// inner are the blocks of one type within a block.
func inner(b *hclsyntax.Block, kind string) (list []*hclsyntax.Block) {
	for _, x := range b.Body.Blocks {
		if x.Type == kind {
			list = append(list, x)
		}
	}
	return list
}

// values are the arguments of a block that name nothing else, as Go values.
func values(t *testing.T, b *hclsyntax.Block) map[string]any {
	t.Helper()
	out := map[string]any{}
	for name, a := range b.Body.Attributes {
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			continue // a reference
		}
		switch v.Type().FriendlyName() {
		case "bool":
			out[name] = v.True()
		case "number":
			n, _ := v.AsBigFloat().Int64()
			out[name] = int(n)
		case "string":
			out[name] = v.AsString()
		case "tuple":
			var list []string
			for _, x := range v.AsValueSlice() {
				list = append(list, x.AsString())
			}
			out[name] = strings.Join(list, " ")
		}
	}
	return out
}

// What Terraform would set is what setup would: public access, CORS, expiry and
// whose users they are, as HCL reads the file.
func TestEmit_TerraformSets(t *testing.T) {
	for name, w := range wants(t) {
		t.Run(name, func(t *testing.T) {
			text := emitted(t, "terraform", w)
			all := resources(t, text)
			same := func(what string, got, want map[string]any) {
				t.Helper()
				for k, v := range want {
					if got[k] != v {
						t.Errorf("%s: %s is %v, want %v", what, k, got[k], v)
					}
				}
			}
			blocks := all["aws_s3_bucket_public_access_block"]
			if has := w.Provider.PublicAccessBlock.String() == "yes"; has != (len(blocks) == 1) {
				t.Errorf("%d blocks of public access", len(blocks))
			} else if has {
				p := provision.PublicAccessBlock(&w)
				same("public access", values(t, blocks[0]), map[string]any{
					"block_public_acls": p.BlockPublicAcls, "ignore_public_acls": p.IgnorePublicAcls,
					"block_public_policy": p.BlockPublicPolicy, "restrict_public_buckets": p.RestrictPublicBuckets,
				})
			}
			if w.Provider.CORS.String() != "no" {
				r := provision.CORS(&w)[0]
				same("CORS", values(t, inner(all["aws_s3_bucket_cors_configuration"][0], "cors_rule")[0]), map[string]any{
					"id": r.ID, "allowed_origins": strings.Join(r.Origins, " "), "allowed_methods": strings.Join(r.Methods, " "),
					"allowed_headers": strings.Join(r.Headers, " "), "expose_headers": strings.Join(r.Expose, " "), "max_age_seconds": r.MaxAge,
				})
			} else if len(all["aws_s3_bucket_cors_configuration"]) > 0 {
				t.Error("CORS rules where there are none")
			}
			rules := []*hclsyntax.Block{}
			for _, b := range all["aws_s3_bucket_lifecycle_configuration"] {
				rules = append(rules, inner(b, "rule")...)
			}
			want := provision.Lifecycle(&w)
			if len(rules) != len(want) {
				t.Fatalf("%d rules, want %d", len(rules), len(want))
			}
			for i, r := range want {
				same(r.ID, values(t, rules[i]), map[string]any{"id": r.ID, "status": "Enabled"})
				same(r.ID, values(t, inner(rules[i], "filter")[0]), map[string]any{"prefix": r.Prefix})
				for _, x := range []struct {
					block, argument string
					days            int
				}{
					{"expiration", "days", r.ExpireDays},
					{"noncurrent_version_expiration", "noncurrent_days", r.NoncurrentDays},
					{"abort_incomplete_multipart_upload", "days_after_initiation", r.AbortDays},
				} {
					b := inner(rules[i], x.block)
					if (len(b) == 1) != (x.days > 0) {
						t.Errorf("%s: %d times %s", r.ID, len(b), x.block)
					} else if x.days > 0 {
						same(r.ID, values(t, b[0]), map[string]any{x.argument: x.days})
					}
				}
			}
			// Users of another server are not made at AWS.
			if _, own := all["provider"][0].Body.Attributes["skip_requesting_account_id"]; own != (w.Endpoint != "") {
				t.Error("the provider is not the server's")
			}
			if len(all["aws_iam_user"]) > 0 && w.Endpoint != "" {
				if inner(all["provider"][0], "endpoints")[0].Body.Attributes["iam"] == nil {
					t.Error("the users would be made at AWS")
				}
			}
		})
	}
}

// The trust of a role for containers names the account, also where each tool has
// to ask for it.
func TestEmit_AccountAsked(t *testing.T) {
	w := wants(t)["role-ecs"]
	w.Account = ""
	for kind, want := range map[string]string{
		"terraform":      `"${data.aws_caller_identity.here.account_id}"`,
		"cloudformation": `"Ref": "AWS::AccountId"`,
		"aws-cli":        `"aws:SourceAccount":["'"$account"'"]`,
	} {
		text := emitted(t, kind, w)
		if !strings.Contains(text, want) || strings.Contains(text, "@account") {
			t.Errorf("%s: no %s in\n%s", kind, want, text)
		}
	}
	resources(t, emitted(t, "terraform", w))
	if calls := shell(t, emitted(t, "aws-cli", w)); !strings.Contains(calls, "sts get-caller-identity") {
		t.Errorf("nobody is asked for the account:\n%s", calls)
	}
}

// A null is refused anywhere in a template.
func TestEmit_CloudFormationHasNoNull(t *testing.T) {
	var look func(t *testing.T, at string, v any)
	look = func(t *testing.T, at string, v any) {
		t.Helper()
		switch v := v.(type) {
		case nil:
			t.Errorf("%s is null", at)
		case map[string]any:
			for k, x := range v {
				look(t, at+"."+k, x)
			}
		case []any:
			for _, x := range v {
				look(t, at+"[]", x)
			}
		}
	}
	for name, w := range wants(t) {
		if w.Endpoint != "" {
			continue
		}
		var doc any
		if err := json.Unmarshal([]byte(emitted(t, "cloudformation", w)), &doc); err != nil {
			t.Fatal(err)
		}
		look(t, name, doc)
	}
}

// What a server may lack is passed over and said; what it has must be taken.
func TestEmit_ScriptPassesOver(t *testing.T) {
	all := wants(t)
	for name, perhaps := range map[string][]string{
		"aws-user": nil, "embedded": nil, "ceph": {"put-bucket-tagging"}, "b2": {"put-bucket-tagging", "put-public-access-block"},
	} {
		var got []string
		for line := range strings.Lines(emitted(t, "aws-cli", all[name])) {
			if f := strings.Fields(line); len(f) > 2 && f[0] == "perhaps" {
				got = append(got, f[2])
			}
		}
		if !slices.Equal(got, perhaps) {
			t.Errorf("%s: %v may fail, want %v", name, got, perhaps)
		}
	}
}

// The script, run by the real command line against a real bucket, twice, leaves
// what setup has nothing to add to.
func TestEmit_ScriptByAWSCLI(t *testing.T) {
	tool, err := exec.LookPath("aws")
	if err != nil || os.Getenv("POSTERN_SERVERS") == "" {
		t.Skip("SKIPPED: the AWS command line is not installed, or POSTERN_SERVERS is not set")
	}
	p := embedded(t)
	p.want.Public = true
	script := emitted(t, "aws-cli", p.want)
	key, err := p.access.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		cmd := exec.CommandContext(t.Context(), "sh")
		cmd.Stdin, cmd.Dir = strings.NewReader(script), t.TempDir()
		cmd.Env = []string{
			"PATH=" + filepath.Dir(tool) + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "AWS_EC2_METADATA_DISABLED=true",
			"AWS_CONFIG_FILE=" + filepath.Join(cmd.Dir, "none"), "AWS_ACCESS_KEY_ID=" + key.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + key.SecretAccessKey,
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	p.nothingLeft(t)
	if _, err := p.api.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("photos")}); err != nil {
		t.Error(err)
	}
}
