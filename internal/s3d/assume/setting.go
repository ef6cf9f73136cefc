package assume

import "strings"

// lifecycles is what we assume of lifecycle rules.
func lifecycles() []Assumption {
	const page, rules = "API PutBucketLifecycleConfiguration", "Lifecycle configuration elements"
	document := func(inner string) string {
		return `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + inner + "</LifecycleConfiguration>"
	}
	rule := func(id, filter, action string) string {
		return "<Rule><ID>" + id + "</ID>" + filter + "<Status>Enabled</Status>" + action + "</Rule>"
	}
	const filter, day, abort = "<Filter><Prefix>incoming/</Prefix></Filter>", "<Expiration><Days>1</Days></Expiration>", "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
	refused := func(name, source, quote, code, inner string) Assumption {
		return Assumption{"lifecycle-" + name, source, quote, func(b *Bucket) error {
			o := b.other()
			return all(o.settings("lifecycle", document(inner)).is(400, code), o.send("GET", "?lifecycle", "").is(404, "NoSuchLifecycleConfiguration"))
		}}
	}
	return []Assumption{
		{"lifecycle", page, "Creates a new lifecycle configuration for the bucket or replaces an existing lifecycle configuration.", func(b *Bucket) error {
			o := b.other()
			return all(o.settings("lifecycle", document(rule("sweep", filter, day+abort))).is(200, ""), o.send("GET", "?lifecycle", "").is(200, "").elements("Rule/ID", "sweep").elements("Rule/Filter/Prefix", "incoming/").
				elements("Rule/Status", "Enabled").elements("Rule/Expiration/Days", "1").elements("Rule/AbortIncompleteMultipartUpload/DaysAfterInitiation", "1"))
		}},
		{"lifecycle-expiration", "API PutBucketLifecycleConfiguration", "Creates a new lifecycle configuration for the bucket or replaces an existing lifecycle configuration.", func(b *Bucket) error {
			o := b.other()
			return all(o.settings("lifecycle", document(rule("sweep", filter, day))).is(200, ""), o.send("GET", "?lifecycle", "").is(200, "").elements("Rule/ID", "sweep").elements("Rule/Filter/Prefix", "incoming/").elements("Rule/Expiration/Days", "1"))
		}},
		{"lifecycle-prefix-of-old", rules, "Prefix: … no longer used … still supported for backward compatibility", func(b *Bucket) error {
			o := b.other()
			return all(o.settings("lifecycle", document(rule("sweep", "<Prefix>incoming/</Prefix>", day))).is(200, ""), o.send("GET", "?lifecycle", "").is(200, "").elements("Rule/ID", "sweep"))
		}},
		{"lifecycle-none", "API GetBucketLifecycleConfiguration", "The lifecycle configuration does not exist.", func(b *Bucket) error {
			return b.other().send("GET", "?lifecycle", "").is(404, "NoSuchLifecycleConfiguration").failed()
		}},
		{"lifecycle-delete", "API DeleteBucketLifecycle", "Deletes the lifecycle configuration from the specified bucket.", func(b *Bucket) error {
			o := b.other()
			return all(o.settings("lifecycle", document(rule("sweep", filter, day))).is(200, ""), o.send("DELETE", "?lifecycle", "").is(204, ""), o.send("GET", "?lifecycle", "").is(404, "NoSuchLifecycleConfiguration"))
		}},
		{"lifecycle-expiration-is-told", "API GetObject", "If the object expiration is configured (see … ), the response includes this header.", func(b *Bucket) error {
			o := b.other()
			set := o.settings("lifecycle", document(rule("sweep", filter, day))).is(200, "")
			a := o.put("incoming/a", "x")
			h := o.head("incoming/a")
			return all(set, a, that(strings.Contains(h.Header.Get("x-amz-expiration"), `rule-id="sweep"`), "x-amz-expiration is %q", h.Header.Get("x-amz-expiration")), o.put("a", "x"), o.head("a").lacks("x-amz-expiration"))
		}},
		refused("days-0", "recorded", "400 InvalidArgument: 'Days' for Expiration action must be a positive integer", "InvalidArgument", rule("sweep", filter, "<Expiration><Days>0</Days></Expiration>")),
		refused("abort-with-tags", "recorded", "400 InvalidRequest: AbortIncompleteMultipartUpload cannot be specified with Tags", "InvalidRequest",
			rule("sweep", "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>", abort)),
		refused("two-rules-of-one-id", "recorded", "400 InvalidArgument: Rule ID must be unique. Found same ID for more than one rule", "InvalidArgument", rule("sweep", filter, day)+rule("sweep", "<Filter><Prefix>b/</Prefix></Filter>", day)),
		refused("long-id", "recorded", "400 InvalidArgument: ID length should not exceed allowed limit of 255", "InvalidArgument", rule(strings.Repeat("x", 256), filter, day)),
		refused("without-action", "recorded", "400 InvalidRequest: At least one action needs to be specified in a rule", "InvalidRequest", rule("sweep", filter, "")),
		refused("unknown-status", "Error responses", "MalformedXML: This happens when the user sends malformed XML (XML that doesn't conform to the published XSD) for the configuration.", "MalformedXML", "<Rule><ID>sweep</ID>"+filter+"<Status>On</Status>"+day+"</Rule>"),
		refused("without-rules", "Error responses", "MalformedXML: This happens when the user sends malformed XML (XML that doesn't conform to the published XSD) for the configuration.", "MalformedXML", ""),
	}
}

// ownership is what we assume of the other settings of a bucket.
func ownership() []Assumption {
	const owned = "Controlling ownership of objects and disabling ACLs for your bucket"
	const blocked = "Blocking public access to your Amazon S3 storage"
	controls := func(v string) string {
		return `<OwnershipControls xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ObjectOwnership>` + v + "</ObjectOwnership></Rule></OwnershipControls>"
	}
	blocks := func(a Answer, v ...string) Answer {
		return a.is(200, "").element("BlockPublicAcls", v[0]).element("IgnorePublicAcls", v[1]).element("BlockPublicPolicy", v[2]).element("RestrictPublicBuckets", v[3])
	}
	public := func(o *Bucket) string {
		return statement("Allow", `"*"`, "s3:GetObject", "arn:aws:s3:::"+o.Name+"/*", "")
	}
	return []Assumption{
		{"public-access-block-by-default", blocked, "By default, new buckets, access points, and objects don't allow public access. … all four settings are enabled", func(b *Bucket) error {
			return blocks(b.other().send("GET", "?publicAccessBlock", ""), "true", "true", "true", "true").failed()
		}},
		{"public-access-block-put", "API PutPublicAccessBlock", "Creates or modifies the PublicAccessBlock configuration for an Amazon S3 bucket.", func(b *Bucket) error {
			o := b.other()
			return all(o.settings("publicAccessBlock", publicAccessBlock("true", "false", "true", "false")).is(200, ""), blocks(o.send("GET", "?publicAccessBlock", ""), "true", "false", "true", "false"))
		}},
		{"public-access-block-delete", "API DeletePublicAccessBlock", "Removes the PublicAccessBlock configuration for an Amazon S3 bucket.", func(b *Bucket) error {
			o := b.other()
			return all(o.send("DELETE", "?publicAccessBlock", "").is(204, ""), o.send("GET", "?publicAccessBlock", "").is(404, "NoSuchPublicAccessBlockConfiguration"))
		}},
		{"public-access-block-policy", blocked, "BlockPublicPolicy: Setting this option to TRUE for a bucket causes Amazon S3 to reject calls to PUT Bucket policy if the specified bucket policy allows public access", func(b *Bucket) error {
			o := b.other()
			return all(o.send("PUT", "?policy", public(o)).is(403, "AccessDenied"), o.send("GET", "?policy", "").is(404, "NoSuchBucketPolicy"))
		}},
		{"public-access-block-restricts", blocked, "RestrictPublicBuckets: Setting this option to TRUE restricts access to a bucket with a public policy to only AWS service principals and authorized users", func(b *Bucket) error {
			o := b.other().open()
			return all(o.put("a", "hello"), o.send("PUT", "?policy", public(o)).is(204, ""), o.stranger("GET", "/a", "").is(200, ""),
				o.settings("publicAccessBlock", publicAccessBlock("false", "false", "false", "true")).is(200, ""), o.stranger("GET", "/a", "").is(403, "AccessDenied"), o.get("a").is(200, ""))
		}},
		{"ownership-by-default", owned, "By default, Object Ownership is set to the Bucket owner enforced setting, and all ACLs are disabled.", func(b *Bucket) error {
			return b.other().send("GET", "?ownershipControls", "").is(200, "").elements("Rule/ObjectOwnership", "BucketOwnerEnforced").failed()
		}},
		{"ownership-put", "API PutBucketOwnershipControls", "Creates or modifies OwnershipControls for an Amazon S3 bucket.", func(b *Bucket) error {
			o := b.other()
			return all(o.settings("ownershipControls", controls("BucketOwnerEnforced")).is(200, ""), o.send("GET", "?ownershipControls", "").is(200, "").elements("Rule/ObjectOwnership", "BucketOwnerEnforced"))
		}},
		{"ownership-unknown", "Error responses", "MalformedXML: This happens when the user sends malformed XML (XML that doesn't conform to the published XSD) for the configuration.", func(b *Bucket) error {
			return b.other().settings("ownershipControls", controls("Everybody")).is(400, "MalformedXML").failed()
		}},
		{"ownership-delete", "API DeleteBucketOwnershipControls", "Removes OwnershipControls for an Amazon S3 bucket.", func(b *Bucket) error {
			o := b.other()
			return all(o.send("DELETE", "?ownershipControls", "").is(204, ""), o.send("GET", "?ownershipControls", "").is(404, "OwnershipControlsNotFoundError"))
		}},
		{"acl-put", owned, "Requests to set or update ACLs fail. … with the error code AccessControlListNotSupported", func(b *Bucket) error {
			return b.other().send("PUT", "?acl", "", "x-amz-acl", "public-read").is(400, "AccessControlListNotSupported").failed()
		}},
		{"acl-get", owned, "requests to read ACLs are supported", func(b *Bucket) error {
			return b.other().send("GET", "?acl", "").is(200, "").elements("AccessControlList/Grant/Permission", "FULL_CONTROL").failed()
		}},
		{"acl-put-of-an-object", owned, "Requests to set or update ACLs fail. … with the error code AccessControlListNotSupported", func(b *Bucket) error {
			return all(b.put("a", "x"), b.send("PUT", b.at("a")+"?acl", "", "x-amz-acl", "public-read").is(400, "AccessControlListNotSupported"))
		}},
		{"encryption-by-default", "API GetBucketEncryption", "By default, all buckets have a default encryption configuration that uses server-side encryption with Amazon S3 managed keys (SSE-S3).", func(b *Bucket) error {
			return b.other().send("GET", "?encryption", "").is(200, "").elements("Rule/ApplyServerSideEncryptionByDefault/SSEAlgorithm", "AES256").failed()
		}},
		{"versioning-by-default", "API GetBucketVersioning", "Returns the versioning state of a bucket.", func(b *Bucket) error {
			a := b.other().send("GET", "?versioning", "").is(200, "").elements("Status")
			return all(a, same("root", a.root().Local, "VersioningConfiguration"))
		}},
	}
}

// publicAccessBlock is a document of the four switches in S3's order.
func publicAccessBlock(v ...string) string {
	return `<PublicAccessBlockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><BlockPublicAcls>` + v[0] + "</BlockPublicAcls><IgnorePublicAcls>" + v[1] +
		"</IgnorePublicAcls><BlockPublicPolicy>" + v[2] + "</BlockPublicPolicy><RestrictPublicBuckets>" + v[3] + "</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
}
