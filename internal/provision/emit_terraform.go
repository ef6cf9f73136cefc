package provision

import (
	"fmt"
	"regexp"
	"strings"

	"postern.example/postern"
)

// hcl quotes a text: "String Literals" and "Template Expressions", HCL native
// syntax specification.
func hcl(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "${", "$${", "%{", "%%{").Replace(s) + `"`
}

func hclList(list []string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = hcl(v)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// heredoc is a document, indented as the rest; its text is taken as it is but
// for template marks.
func heredoc(text string) string {
	text = strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
	return "<<-JSON\n" + indent(text, "    ") + "\n  JSON"
}

func indent(text, by string) string { return by + strings.ReplaceAll(text, "\n", "\n"+by) }

// terraformFile is a file in the form that "terraform fmt" would give it.
type terraformFile struct{ strings.Builder }

// block writes a block of arguments and inner blocks, a line each; an argument
// may go on over several. Empty lines are left out.
func (f *terraformFile) block(head string, lines ...string) {
	fmt.Fprintf(f, "\n%s {\n", head)
	for _, l := range aligned(lines) {
		fmt.Fprintf(f, "  %s\n", l)
	}
	f.WriteString("}\n")
}

func (f *terraformFile) resource(kind, name string, lines ...string) {
	f.block(fmt.Sprintf("resource %q %q", kind, name), lines...)
}

var argument = regexp.MustCompile(`^( *\w+) += ((?s:.*))$`)

// aligned puts the equals signs of arguments that follow each other below each
// other. One that opens a bracket stands by itself.
func aligned(lines []string) []string {
	var out []string
	var group [][]string
	flush := func() {
		width := 0
		for _, m := range group {
			width = max(width, len(m[1]))
		}
		for _, m := range group {
			out = append(out, fmt.Sprintf("%-*s = %s", width, m[1], m[2]))
		}
		group = nil
	}
	for _, l := range lines {
		if l == "" {
			continue
		}
		if m := argument.FindStringSubmatch(l); m != nil && !strings.HasSuffix(l, "{") {
			group = append(group, m)
			continue
		}
		flush()
		out = append(out, l)
	}
	flush()
	return out
}

// terraform writes what setup does for the hashicorp/aws provider, 5.x and 6.x.
// What a server may lack is left out, as one refusal would end the whole run.
func terraform(w *Want) string {
	f := &terraformFile{}
	f.WriteString("# What \"postern setup\" does, for Terraform and OpenTofu: terraform init && terraform apply\n")
	f.WriteString("# A bucket that is there already: terraform import aws_s3_bucket.postern " + w.Bucket + "\n")
	if w.Provider.PublicAccessBlock == postern.Unknown {
		f.WriteString("# Left out, as nobody has shown that the server has it: Block Public Access.\n")
	}
	f.WriteString(notes(w, "#"))
	f.block("terraform", "required_providers {", "  aws = {", `    source  = "hashicorp/aws"`, `    version = ">= 5.0"`, "  }", "}")
	f.provider(w)
	bucket := "bucket = aws_s3_bucket.postern.id"
	lines := []string{"bucket = " + hcl(w.Bucket)}
	if w.Provider.Tagging != postern.No { // of objects; who has not those has none of buckets
		lines = append(lines, terraformTag()...)
	}
	f.resource("aws_s3_bucket", "postern", lines...)
	if w.Provider.PublicAccessBlock == postern.Yes {
		p := PublicAccessBlock(w)
		f.resource("aws_s3_bucket_public_access_block", "postern", bucket,
			fmt.Sprintf("block_public_acls = %v", p.BlockPublicAcls), fmt.Sprintf("ignore_public_acls = %v", p.IgnorePublicAcls),
			fmt.Sprintf("block_public_policy = %v", p.BlockPublicPolicy), fmt.Sprintf("restrict_public_buckets = %v", p.RestrictPublicBuckets))
	}
	if w.hasOwnership() {
		f.resource("aws_s3_bucket_ownership_controls", "postern", bucket, "rule {", `  object_ownership = "BucketOwnerEnforced"`, "}")
	}
	if w.onAWS() {
		f.resource("aws_s3_bucket_server_side_encryption_configuration", "postern", bucket, "rule {", "  apply_server_side_encryption_by_default {", `    sse_algorithm = "AES256"`, "  }", "}")
	}
	if w.Provider.CORS != postern.No {
		lines := []string{bucket}
		for _, r := range CORS(w) {
			lines = append(lines, "cors_rule {", "  id = "+hcl(r.ID), "  allowed_origins = "+hclList(r.Origins), "  allowed_methods = "+hclList(r.Methods),
				"  allowed_headers = "+hclList(r.Headers), "  expose_headers = "+hclList(r.Expose), fmt.Sprintf("  max_age_seconds = %d", r.MaxAge), "}")
		}
		f.resource("aws_s3_bucket_cors_configuration", "postern", lines...)
	}
	if rules := Lifecycle(w); len(rules) > 0 {
		lines := []string{bucket}
		for _, r := range rules {
			lines = append(lines, "rule {", "  id = "+hcl(r.ID), `  status = "Enabled"`, "  filter {", "    prefix = "+hcl(r.Prefix), "  }")
			if r.ExpireDays > 0 {
				lines = append(lines, "  expiration {", fmt.Sprintf("    days = %d", r.ExpireDays), "  }")
			}
			if r.NoncurrentDays > 0 {
				lines = append(lines, "  noncurrent_version_expiration {", fmt.Sprintf("    noncurrent_days = %d", r.NoncurrentDays), "  }")
			}
			if r.AbortDays > 0 {
				lines = append(lines, "  abort_incomplete_multipart_upload {", fmt.Sprintf("    days_after_initiation = %d", r.AbortDays), "  }")
			}
			lines = append(lines, "}")
		}
		f.resource("aws_s3_bucket_lifecycle_configuration", "postern", lines...)
	}
	if s := BucketStatements(w); len(s) > 0 {
		depends := ""
		if w.Provider.PublicAccessBlock == postern.Yes { // which refuses a public policy while it is on
			depends = "depends_on = [aws_s3_bucket_public_access_block.postern]"
		}
		f.resource("aws_s3_bucket_policy", "postern", bucket, depends, "policy = "+heredoc(Policy{policyVersion, s}.String()))
	}
	f.keys(w)
	return f.String()
}

func terraformTag() []string { return []string{"tags = {", "  " + TagKey + " = " + hcl(TagValue), "}"} }

// hasKeys says whether the tool has users or a role to make.
func (w *Want) hasKeys() bool {
	return (w.User != "" || w.Role != "") && w.Provider.IAM != postern.No
}

func (f *terraformFile) provider(w *Want) {
	lines := []string{"region = " + hcl(w.Region)}
	if w.Endpoint != "" {
		// Other servers know neither AWS's accounts nor its regions. IAM has an
		// address of its own: without it the users would be made at AWS.
		lines = append(lines, "skip_credentials_validation = true", "skip_requesting_account_id = true", "skip_region_validation = true",
			fmt.Sprintf("s3_use_path_style = %v", w.PathStyle), "endpoints {", "  s3 = "+hcl(w.Endpoint))
		if w.hasKeys() {
			lines = append(lines, "  iam = var.iam_endpoint")
			f.block(`variable "iam_endpoint"`, "type = string", `description = "URL of the server's IAM API"`)
		}
		lines = append(lines, "}")
	}
	f.block(`provider "aws"`, lines...)
}

func (f *terraformFile) keys(w *Want) {
	if !w.hasKeys() {
		return
	}
	if w.User != "" {
		f.WriteString("\n# The secrets of these keys are in Terraform's state: keep it where the keys may be.\n")
		for _, kind := range []string{Signer, Worker} {
			f.resource("aws_iam_user", kind, append([]string{"name = " + hcl(w.UserName(kind))}, terraformTag()...)...)
			f.resource("aws_iam_user_policy", kind, "name = "+hcl(PolicyName(kind)), "user = aws_iam_user."+kind+".name", "policy = "+heredoc(KeyPolicy(w, kind).String()))
			f.resource("aws_iam_access_key", kind, "user = aws_iam_user."+kind+".name")
			f.block(fmt.Sprintf("output %q", kind+"_access_key_id"), "value = aws_iam_access_key."+kind+".id")
			f.block(fmt.Sprintf("output %q", kind+"_secret_access_key"), "value = aws_iam_access_key."+kind+".secret", "sensitive = true")
		}
		return
	}
	trust, err := TrustPolicy(w.withAccount(accountMark))
	if err != nil { // Check has seen to it
		return
	}
	document := heredoc(trust.String())
	if strings.Contains(document, accountMark) {
		f.block(`data "aws_caller_identity" "here"`)
		document = strings.ReplaceAll(document, accountMark, "${data.aws_caller_identity.here.account_id}")
	}
	f.resource("aws_iam_role", "postern", append([]string{"name = " + hcl(w.Role), "assume_role_policy = " + document}, terraformTag()...)...)
	for _, kind := range []string{Signer, Worker} {
		f.resource("aws_iam_role_policy", kind, "name = "+hcl(PolicyName(kind)), "role = aws_iam_role.postern.id", "policy = "+heredoc(KeyPolicy(w, kind).String()))
	}
}
