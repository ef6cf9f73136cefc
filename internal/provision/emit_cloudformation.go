package provision

import "encoding/json"

type object = map[string]any

// cloudFormation writes what setup does as a template. An access key's secret
// would be an output that everybody can read who may describe the stack, so
// keys are left to a command that prints it once. A stack makes the bucket and
// cannot take over one that is there, but by an import.
func cloudFormation(w *Want) string {
	access := PublicAccessBlock(w)
	tag := []object{{"Key": TagKey, "Value": TagValue}}
	var cors []object
	for _, r := range CORS(w) {
		cors = append(cors, object{
			"Id": r.ID, "AllowedOrigins": r.Origins, "AllowedMethods": r.Methods, "AllowedHeaders": r.Headers, "ExposedHeaders": r.Expose, "MaxAge": r.MaxAge,
		})
	}
	var rules []object
	for _, r := range Lifecycle(w) {
		rule := object{"Id": r.ID, "Status": "Enabled", "Prefix": r.Prefix}
		if r.ExpireDays > 0 {
			rule["ExpirationInDays"] = r.ExpireDays
		}
		if r.NoncurrentDays > 0 {
			rule["NoncurrentVersionExpiration"] = object{"NoncurrentDays": r.NoncurrentDays}
		}
		if r.AbortDays > 0 {
			rule["AbortIncompleteMultipartUpload"] = object{"DaysAfterInitiation": r.AbortDays}
		}
		rules = append(rules, rule)
	}
	resources := object{
		"Bucket": object{
			"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
			"Properties": object{
				"BucketName": w.Bucket, "Tags": tag,
				"PublicAccessBlockConfiguration": object{
					"BlockPublicAcls": access.BlockPublicAcls, "IgnorePublicAcls": access.IgnorePublicAcls,
					"BlockPublicPolicy": access.BlockPublicPolicy, "RestrictPublicBuckets": access.RestrictPublicBuckets,
				},
				"OwnershipControls":      object{"Rules": []object{{"ObjectOwnership": "BucketOwnerEnforced"}}},
				"BucketEncryption":       object{"ServerSideEncryptionConfiguration": []object{{"ServerSideEncryptionByDefault": object{"SSEAlgorithm": "AES256"}}}},
				"CorsConfiguration":      object{"CorsRules": cors},
				"LifecycleConfiguration": object{"Rules": rules},
			},
		},
	}
	if s := BucketStatements(w); len(s) > 0 {
		resources["BucketPolicy"] = object{"Type": "AWS::S3::BucketPolicy", "Properties": object{"Bucket": object{"Ref": "Bucket"}, "PolicyDocument": Policy{policyVersion, s}}}
	}
	outputs := object{"BucketName": object{"Value": object{"Ref": "Bucket"}}}
	policies := func(kinds ...string) []object {
		var list []object
		for _, kind := range kinds {
			list = append(list, object{"PolicyName": PolicyName(kind), "PolicyDocument": KeyPolicy(w, kind)})
		}
		return list
	}
	switch {
	case w.User != "":
		for kind, name := range map[string]string{Signer: "SignerUser", Worker: "WorkerUser"} {
			resources[name] = object{"Type": "AWS::IAM::User", "Properties": object{"UserName": w.UserName(kind), "Policies": policies(kind), "Tags": tag}}
			outputs[name+"Key"] = object{
				"Description": "Run this once and keep what it prints: a template would show the secret to everybody who may describe the stack.",
				"Value":       "aws iam create-access-key --user-name " + w.UserName(kind),
			}
		}
	case w.Role != "":
		if trust, err := cloudFormationTrust(w); err == nil { // Check has seen to it
			resources["Role"] = object{"Type": "AWS::IAM::Role", "Properties": object{
				"RoleName": w.Role, "AssumeRolePolicyDocument": trust, "Policies": policies(Signer, Worker), "Tags": tag,
			}}
			outputs["RoleArn"] = object{"Value": object{"Fn::GetAtt": []string{"Role", "Arn"}}}
		}
	}
	description := "What \"postern setup\" does: the bucket, and the keys to it. aws cloudformation deploy --template-file postern.cloudformation.json --stack-name postern"
	if w.User != "" || w.Role != "" {
		description += " --capabilities CAPABILITY_NAMED_IAM"
	}
	template := object{"AWSTemplateFormatVersion": "2010-09-09", "Description": description, "Resources": resources, "Outputs": outputs}
	if list := Manuals(w); len(list) > 0 { // a null is refused anywhere in a template
		template["Metadata"] = object{"ByHand": list}
	}
	text, err := json.MarshalIndent(template, "", "  ")
	if err != nil { // texts, numbers and lists of them
		return ""
	}
	return string(text) + "\n"
}

// cloudFormationTrust is the trust policy, with the account that the stack is in
// where nobody named one.
func cloudFormationTrust(w *Want) (any, error) {
	trust, err := TrustPolicy(w.withAccount(accountMark))
	if err != nil {
		return nil, err
	}
	if w.Account != "" {
		return trust, nil
	}
	doc, err := generic(trust)
	if err != nil {
		return nil, err
	}
	return replaceMark(doc, object{"Ref": "AWS::AccountId"}), nil
}

// replaceMark puts by in place of every accountMark in v.
func replaceMark(v, by any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = replaceMark(v[k], by)
		}
	case []any:
		for i := range v {
			v[i] = replaceMark(v[i], by)
		}
	case string:
		if v == accountMark {
			return by
		}
	}
	return v
}
