package provision

import (
	"encoding/json"
	"fmt"
	"strings"

	"postern.example/postern"
)

// sh is s as one word of a POSIX shell (IEEE Std 1003.1, 2.2.2).
func sh(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// compact is a value as JSON on one line.
func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil { // plain values
		return "null"
	}
	return string(text)
}

// awsCLI writes what setup does as a script for the AWS command line. Each
// command sets what it is about, so that the script may be run again. What a
// server may lack, as nobody has shown that it has it, is told and passed over.
func awsCLI(w *Want) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#!/bin/sh\n# What \"postern setup\" does, with the AWS command line. It may be run again: each\n# command sets what it is about, and replaces what was set before: rules and\n# statements that are not ours as well.")
	b.WriteString(notes(w, "#"))
	line("set -eu\nbucket=%s\nregion=%s", sh(w.Bucket), sh(w.Region))
	at := ""
	if w.Endpoint != "" {
		line("endpoint=%s", sh(w.Endpoint))
		at = ` --endpoint-url "$endpoint"`
	}
	line("s3() { aws%s --region \"$region\" s3api \"$@\"; }", at)
	if !w.onAWS() {
		line("perhaps() { \"$@\" || echo \"this server may lack it: $2\" >&2; }")
	}
	set := func(known postern.Support, format string, args ...any) {
		if known != postern.Yes {
			format = "perhaps " + format
		}
		line(format, args...)
	}
	tag := "perhaps s3" // Provider.Tagging is that of objects
	if w.onAWS() || w.Provider.Name == "embedded" {
		tag = "s3"
	}
	line("\n# The bucket.")
	create := `s3 create-bucket --bucket "$bucket"`
	if w.onAWS() && w.Region != "us-east-1" {
		create += ` --create-bucket-configuration LocationConstraint="$region"`
	}
	line("if ! s3 head-bucket --bucket \"$bucket\" >/dev/null 2>&1; then\n  %s\n  %s put-bucket-tagging --bucket \"$bucket\" --tagging %s\nfi", create, tag,
		sh(compact(object{"TagSet": []object{{"Key": TagKey, "Value": TagValue}}})))
	if w.Provider.PublicAccessBlock != postern.No {
		set(w.Provider.PublicAccessBlock, "s3 put-public-access-block --bucket \"$bucket\" --public-access-block-configuration %s", sh(compact(PublicAccessBlock(w))))
	}
	if w.hasOwnership() {
		line("s3 put-bucket-ownership-controls --bucket \"$bucket\" --ownership-controls %s", sh(compact(object{"Rules": []object{{"ObjectOwnership": "BucketOwnerEnforced"}}})))
	}
	if w.onAWS() {
		line("s3 put-bucket-encryption --bucket \"$bucket\" --server-side-encryption-configuration %s", sh(compact(object{"Rules": []object{{"ApplyServerSideEncryptionByDefault": object{"SSEAlgorithm": "AES256"}}}})))
	}
	if w.Provider.CORS != postern.No {
		var rules []object
		for _, r := range CORS(w) {
			rules = append(rules, object{"ID": r.ID, "AllowedOrigins": r.Origins, "AllowedMethods": r.Methods, "AllowedHeaders": r.Headers, "ExposeHeaders": r.Expose, "MaxAgeSeconds": r.MaxAge})
		}
		set(w.Provider.CORS, "s3 put-bucket-cors --bucket \"$bucket\" --cors-configuration %s", sh(compact(object{"CORSRules": rules})))
	}
	if list := Lifecycle(w); len(list) > 0 {
		var rules []object
		for _, r := range list {
			rule := object{"ID": r.ID, "Status": "Enabled", "Filter": object{"Prefix": r.Prefix}}
			if r.ExpireDays > 0 {
				rule["Expiration"] = object{"Days": r.ExpireDays}
			}
			if r.NoncurrentDays > 0 {
				rule["NoncurrentVersionExpiration"] = object{"NoncurrentDays": r.NoncurrentDays}
			}
			if r.AbortDays > 0 {
				rule["AbortIncompleteMultipartUpload"] = object{"DaysAfterInitiation": r.AbortDays}
			}
			rules = append(rules, rule)
		}
		set(w.Provider.Lifecycle, "s3 put-bucket-lifecycle-configuration --bucket \"$bucket\" --lifecycle-configuration %s", sh(compact(object{"Rules": rules})))
	}
	if s := BucketStatements(w); len(s) > 0 {
		set(w.Provider.BucketPolicy, "s3 put-bucket-policy --bucket \"$bucket\" --policy %s", sh(compact(Policy{policyVersion, s})))
	}
	if w.hasKeys() {
		awsCLIKeys(w, line)
	}
	return b.String()
}

func awsCLIKeys(w *Want, line func(string, ...any)) {
	tag := sh("Key=" + TagKey + ",Value=" + TagValue)
	if w.Endpoint == "" {
		line("\niam() { aws iam \"$@\"; }")
	} else { // or the users would be made at AWS, with whatever key is there
		line("\n# The server's IAM API, which has an address of its own.\n: \"${AWS_ENDPOINT_URL_IAM:?set it to the URL of the server's IAM API}\"")
		line("iam() { aws --endpoint-url \"$AWS_ENDPOINT_URL_IAM\" --region \"$region\" iam \"$@\"; }")
	}
	switch {
	case w.User != "":
		line("\n# Two users. A new key is printed once: put it into a credentials file.")
		for _, kind := range []string{Signer, Worker} {
			name := sh(w.UserName(kind))
			line("iam get-user --user-name %s >/dev/null 2>&1 || iam create-user --user-name %s --tags %s", name, name, tag)
			line("iam put-user-policy --user-name %s --policy-name %s --policy-document %s", name, sh(PolicyName(kind)), sh(compact(KeyPolicy(w, kind))))
			line("if [ -z \"$(iam list-access-keys --user-name %s --query 'AccessKeyMetadata[].AccessKeyId' --output text)\" ]; then\n  iam create-access-key --user-name %s\nfi", name, name)
		}
	case w.Role != "":
		trust, err := TrustPolicy(w.withAccount(accountMark))
		if err != nil { // Check has seen to it
			return
		}
		document := sh(compact(trust))
		line("\n# One role.")
		if strings.Contains(document, accountMark) {
			line("account=$(aws sts get-caller-identity --query Account --output text)")
			document = strings.ReplaceAll(document, accountMark, `'"$account"'`)
		}
		name := sh(w.Role)
		line("if iam get-role --role-name %s >/dev/null 2>&1; then\n  iam update-assume-role-policy --role-name %s --policy-document %s\nelse\n  iam create-role --role-name %s --tags %s --assume-role-policy-document %s\nfi",
			name, name, document, name, tag, document)
		for _, kind := range []string{Signer, Worker} {
			line("iam put-role-policy --role-name %s --policy-name %s --policy-document %s", name, sh(PolicyName(kind)), sh(compact(KeyPolicy(w, kind))))
		}
	}
}
