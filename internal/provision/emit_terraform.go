package provision

import (
	"fmt"
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

// terraform writes what setup does for the hashicorp/aws provider, 5.x and 6.x.
func terraform(w *Want) string {
	var b strings.Builder
	block := func(kind, name string, lines ...string) {
		fmt.Fprintf(&b, "\nresource %q %q {\n", kind, name)
		for _, l := range lines {
			fmt.Fprintf(&b, "  %s\n", l)
		}
		b.WriteString("}\n")
	}
	b.WriteString("# What \"postern setup\" does, for Terraform and OpenTofu: terraform init && terraform apply\n")
	b.WriteString(notes(w, "#"))
	b.WriteString("\nterraform {\n  required_providers {\n    aws = {\n      source  = \"hashicorp/aws\"\n      version = \">= 5.0\"\n    }\n  }\n}\n")
	fmt.Fprintf(&b, "\nprovider \"aws\" {\n  region = %s\n", hcl(w.Region))
	if w.Endpoint != "" {
		// Other servers know neither AWS's accounts nor its regions.
		fmt.Fprintf(&b, "  skip_credentials_validation = true\n  skip_requesting_account_id  = true\n  skip_region_validation      = true\n  s3_use_path_style           = %v\n  endpoints {\n    s3 = %s\n  }\n", w.PathStyle, hcl(w.Endpoint))
	}
	b.WriteString("}\n")
	bucket := "bucket = aws_s3_bucket.postern.id"
	block("aws_s3_bucket", "postern", "bucket = "+hcl(w.Bucket), "tags = {", "  "+TagKey+" = "+hcl(TagValue), "}")
	if w.Provider.PublicAccessBlock != postern.No {
		p := PublicAccessBlock(w)
		block("aws_s3_bucket_public_access_block", "postern", bucket,
			fmt.Sprintf("block_public_acls       = %v", p.BlockPublicAcls), fmt.Sprintf("ignore_public_acls      = %v", p.IgnorePublicAcls),
			fmt.Sprintf("block_public_policy     = %v", p.BlockPublicPolicy), fmt.Sprintf("restrict_public_buckets = %v", p.RestrictPublicBuckets))
	}
	if w.onAWS() {
		block("aws_s3_bucket_ownership_controls", "postern", bucket, "rule {", `  object_ownership = "BucketOwnerEnforced"`, "}")
		block("aws_s3_bucket_server_side_encryption_configuration", "postern", bucket, "rule {", "  apply_server_side_encryption_by_default {", `    sse_algorithm = "AES256"`, "  }", "}")
	}
	if w.Provider.CORS != postern.No {
		lines := []string{bucket}
		for _, r := range CORS(w) {
			lines = append(lines, "cors_rule {", "  id              = "+hcl(r.ID), "  allowed_origins = "+hclList(r.Origins), "  allowed_methods = "+hclList(r.Methods),
				"  allowed_headers = "+hclList(r.Headers), "  expose_headers  = "+hclList(r.Expose), fmt.Sprintf("  max_age_seconds = %d", r.MaxAge), "}")
		}
		block("aws_s3_bucket_cors_configuration", "postern", lines...)
	}
	if rules := Lifecycle(w); len(rules) > 0 {
		lines := []string{bucket}
		for _, r := range rules {
			lines = append(lines, "rule {", "  id     = "+hcl(r.ID), `  status = "Enabled"`, "  filter {", "    prefix = "+hcl(r.Prefix), "  }")
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
		block("aws_s3_bucket_lifecycle_configuration", "postern", lines...)
	}
	if s := BucketStatements(w); len(s) > 0 {
		depends := ""
		if w.Provider.PublicAccessBlock != postern.No {
			depends = "depends_on = [aws_s3_bucket_public_access_block.postern]"
		}
		block("aws_s3_bucket_policy", "postern", bucket, depends, "policy = "+heredoc(Policy{policyVersion, s}.String()))
	}
	terraformKeys(w, block, &b)
	return b.String()
}

func terraformKeys(w *Want, block func(kind, name string, lines ...string), b *strings.Builder) {
	if w.Provider.IAM == postern.No {
		return
	}
	tag := []string{"tags = {", "  " + TagKey + " = " + hcl(TagValue), "}"}
	switch {
	case w.User != "":
		b.WriteString("\n# The secrets of these keys are in Terraform's state: keep it where the keys may be.\n")
		for _, kind := range []string{Signer, Worker} {
			block("aws_iam_user", kind, append([]string{"name = " + hcl(w.UserName(kind))}, tag...)...)
			block("aws_iam_user_policy", kind, "name   = "+hcl(PolicyName(kind)), "user   = aws_iam_user."+kind+".name", "policy = "+heredoc(KeyPolicy(w, kind).String()))
			block("aws_iam_access_key", kind, "user = aws_iam_user."+kind+".name")
			fmt.Fprintf(b, "\noutput \"%s_access_key_id\" {\n  value = aws_iam_access_key.%s.id\n}\n", kind, kind)
			fmt.Fprintf(b, "\noutput \"%s_secret_access_key\" {\n  value     = aws_iam_access_key.%s.secret\n  sensitive = true\n}\n", kind, kind)
		}
	case w.Role != "":
		trust, err := TrustPolicy(w)
		if err != nil { // Check has seen to it
			return
		}
		block("aws_iam_role", "postern", append([]string{"name               = " + hcl(w.Role), "assume_role_policy = " + heredoc(trust.String())}, tag...)...)
		for _, kind := range []string{Signer, Worker} {
			block("aws_iam_role_policy", kind, "name   = "+hcl(PolicyName(kind)), "role   = aws_iam_role.postern.id", "policy = "+heredoc(KeyPolicy(w, kind).String()))
		}
	}
}
