package postern

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Support says whether a provider has something.
type Support int8

// What is known of a provider.
const (
	Unknown Support = iota // nobody has shown it; treated as No where being wrong would break uploads
	Yes
	No
)

// String returns "unknown", "yes" or "no".
func (s Support) String() string {
	switch s {
	case Yes:
		return "yes"
	case No:
		return "no"
	}
	return "unknown"
}

// MarshalText writes the word that String returns.
func (s Support) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "unknown", "yes" or "no".
func (s *Support) UnmarshalText(text []byte) error {
	for _, v := range []Support{Unknown, Yes, No} {
		if string(text) == v.String() {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("%q is not unknown, yes or no", text)
}

// Provider says what the server of a bucket can do, as far as it is known: by
// its documentation, by reports, or by having been run. Servers of the same
// provider may be newer or set up in another way.
type Provider struct {
	Name      string `json:"name"`       // "aws", "r2", …
	Title     string `json:"title"`      // for people: "Cloudflare R2"
	PathStyle bool   `json:"path_style"` // the bucket's name goes into the path, not before the host
	Region    string `json:"region"`     // the one to sign for; empty: the endpoint or the operator says it
	Endpoint  string `json:"endpoint"`   // what one looks like, capitals to be filled in; empty for AWS, which needs none

	Post                Support `json:"post"`                   // form uploads with a policy signed as S3's
	PostByKey           Support `json:"post_by_key"`            // a policy that allows incoming/* lets a form for such a key in, and no other
	PutLength           Support `json:"put_length"`             // a signed content-length binds: one byte more or less is refused
	Checksum            Support `json:"checksum"`               // x-amz-checksum-sha256 is enforced
	SignedHeaders       Support `json:"signed_headers"`         // an x-amz-* header that the URL's signature does not cover is refused
	IfNoneMatch         Support `json:"if_none_match"`          // "If-None-Match: *" on PutObject
	CompleteIfNoneMatch Support `json:"complete_if_none_match"` // the same on CompleteMultipartUpload
	CORS                Support `json:"cors"`                   // PutBucketCors, S3's form of it
	Lifecycle           Support `json:"lifecycle"`              // Expiration by prefix, by PutBucketLifecycleConfiguration
	AbortLifecycle      Support `json:"abort_lifecycle"`        // AbortIncompleteMultipartUpload, the same way
	BucketPolicy        Support `json:"bucket_policy"`          // PutBucketPolicy
	PublicAccessBlock   Support `json:"public_access_block"`    // PutPublicAccessBlock
	IAM                 Support `json:"iam"`                    // users and their keys by AWS's IAM API
	Tagging             Support `json:"tagging"`                // of objects

	Traps  []string `json:"traps"`  // what to mind, a sentence each
	Source string   `json:"source"` // where this is known from
}

// Feature is one thing that a provider has or has not.
type Feature struct {
	Name    string // as in JSON: "put_length"
	Title   string // for people: "exact size of a PUT"
	Support Support
}

// Features returns what is known of p, in the order of the fields.
func (p Provider) Features() []Feature {
	return []Feature{
		{"post", "form uploads (POST)", p.Post},
		{"post_by_key", "forms judged by their key", p.PostByKey},
		{"put_length", "exact size of a PUT", p.PutLength},
		{"checksum", "SHA-256 checked", p.Checksum},
		{"signed_headers", "unsigned headers refused", p.SignedHeaders},
		{"if_none_match", "PUT cannot overwrite", p.IfNoneMatch},
		{"complete_if_none_match", "complete cannot overwrite", p.CompleteIfNoneMatch},
		{"cors", "CORS rules", p.CORS},
		{"lifecycle", "expiry rules", p.Lifecycle},
		{"abort_lifecycle", "abort rules for parts", p.AbortLifecycle},
		{"bucket_policy", "bucket policy", p.BucketPolicy},
		{"public_access_block", "public access block", p.PublicAccessBlock},
		{"iam", "IAM users", p.IAM},
		{"tagging", "object tags", p.Tagging},
	}
}

// Whole is how a file travels in one piece when nobody says how: by Post, which
// alone bounds a size that is not said, where the provider is known to have it,
// else by Put.
func (p Provider) Whole() Transfer {
	if p.Post == Yes {
		return Post
	}
	return Put
}

// ProviderByName returns the provider called name.
func ProviderByName(name string) (Provider, bool) {
	all := Providers()
	i := slices.IndexFunc(all, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return Provider{}, false
	}
	return all[i], true
}

// ProviderOf recognises the provider of an endpoint by its host name: "https://
// s3.eu-central-003.backblazeb2.com". No endpoint is AWS. Servers that people
// run themselves have any name: they are "other" unless the operator says more.
func ProviderOf(endpoint string) Provider {
	name, _ := recognise(endpoint)
	p, _ := ProviderByName(name)
	return p
}

// RegionOf is the region to sign for at an endpoint of p: the one that its host
// names, else p.Region, which may be empty.
func (p Provider) RegionOf(endpoint string) string {
	if p.Region != "" {
		return p.Region
	}
	if name, region := recognise(endpoint); name == p.Name {
		return region
	}
	return ""
}

// recognise finds provider and region in an endpoint's host name. A name counts
// as a whole only, from its registered domain to its service's label:
// "s3.amazonaws.com.example" is nobody's, and "ec2-….amazonaws.com" is a machine
// on which anything may run.
func recognise(endpoint string) (provider, region string) {
	if endpoint == "" {
		return "aws", ""
	}
	host, ok := hostOf(endpoint)
	if !ok {
		return "other", ""
	}
	for _, h := range hosts() {
		m := h.name.FindStringSubmatch(host)
		if m == nil {
			continue
		}
		if len(m) > 1 {
			region = m[1]
		}
		if real, ok := h.regions[region]; ok {
			region = real
		}
		return h.provider, region
	}
	return "other", ""
}

// hostOf is the host name of an endpoint, in lower case and without the dot
// that may end it.
func hostOf(endpoint string) (string, bool) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "//" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", false
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	// Some letters beyond ASCII have lower cases within it.
	beyond := strings.ContainsFunc(host, func(r rune) bool { return r > 0x7e })
	return strings.ToLower(host), !beyond
}

type endpointName struct {
	provider string
	name     *regexp.Regexp    // its group, if any, is the region
	regions  map[string]string // other names of regions
}

// hosts is how endpoints are called. A bucket's name may stand before each.
func hosts() []endpointName {
	const awsRegion = `([a-z]{2,4}(?:-[a-z]+)+-[0-9]+)`
	is := func(provider, pattern string) endpointName {
		return endpointName{provider: provider, name: regexp.MustCompile(`^(?:[a-z0-9._-]+\.)?` + pattern + `$`)}
	}
	// "Service URLs for Wasabi's Storage Regions", docs.wasabi.com.
	wasabi := is("wasabi", `s3(?:\.([a-z0-9-]+))?\.wasabisys\.com`)
	wasabi.regions = map[string]string{
		"": "us-east-1", "nl-1": "eu-central-1", "de-1": "eu-central-2", "uk-1": "eu-west-1", "fr-1": "eu-west-2", "uk-2": "eu-west-3", "it-1": "eu-south-1",
	}
	return []endpointName{
		// "Amazon S3 endpoints and quotas", AWS General Reference; interface
		// endpoints of a VPC: "AWS PrivateLink for Amazon S3", S3 user guide.
		is("aws", `s3(?:-fips)?(?:\.dualstack)?\.`+awsRegion+`(?:\.vpce)?\.amazonaws\.com(?:\.cn)?`),
		is("aws", `s3-`+awsRegion+`\.amazonaws\.com`),
		is("aws", `s3(?:-accelerate(?:\.dualstack)?)?\.amazonaws\.com`),
		// "S3 API compatibility" and "Data location", developers.cloudflare.com/r2.
		is("r2", `[a-z0-9]+(?:\.(?:eu|us|fedramp))?\.r2\.cloudflarestorage\.com`),
		// "Call the S3-Compatible API", backblaze.com/docs.
		is("b2", `s3\.([a-z0-9-]+)\.backblazeb2\.com`),
		// "Request endpoints", cloud.google.com/storage/docs; the second is regional.
		is("gcs", `storage\.googleapis\.com`),
		is("gcs", `storage\.[a-z0-9-]+\.rep\.googleapis\.com`),
		// "Spaces API", docs.digitalocean.com; its CDN and websites take no uploads.
		is("digitalocean", `([a-z]{3}[0-9]+)\.digitaloceanspaces\.com`),
		wasabi,
		// "Object Storage: concepts", scaleway.com/docs.
		is("scaleway", `s3\.([a-z]{2}-[a-z]{3})\.scw\.cloud`),
		// "Object Storage: overview", docs.hetzner.com.
		is("hetzner", `([a-z]{3}[0-9]+)\.your-objectstorage\.com`),
		// "Moving to virtual hosted URLs" and "Overview", tigrisdata.com.
		is("tigris", `fly\.storage\.tigris\.dev`),
		is("tigris", `t3\.storage\.dev`),
		// "Object Storage: endpoints", docs.ovhcloud.com.
		is("ovhcloud", `s3\.([a-z0-9-]+)\.(?:io|perf)\.cloud\.ovh\.(?:net|us)`),
	}
}

// Providers returns what is known of each provider, in the order in which the
// documentation has them. The caller may change it.
func Providers() []Provider {
	return []Provider{
		{
			Name: "aws", Title: "Amazon S3",
			Post: Yes, PostByKey: Yes, PutLength: Yes, Checksum: Yes, SignedHeaders: Yes, IfNoneMatch: Yes, CompleteIfNoneMatch: Yes, CORS: Yes,
			Lifecycle: Yes, AbortLifecycle: Yes, BucketPolicy: Yes, PublicAccessBlock: Yes, IAM: Yes, Tagging: Yes,
			Traps: []string{
				"ACLs are off on every bucket made since April 2023: show pictures by signed links, our server or CloudFront.",
				"A dot in the bucket's name does not fit the certificate, so such a bucket is addressed in the path.",
				"An endpoint of another region answers a preflight with a redirect, which browsers do not follow: name the bucket's own region.",
			},
			Source: "Amazon S3 user guide and API reference; answers recorded from S3",
		},
		{
			Name: "r2", Title: "Cloudflare R2", PathStyle: true, Region: "auto",
			Endpoint: "https://ACCOUNT.r2.cloudflarestorage.com",
			Post:     No, PutLength: Yes, Checksum: Yes, IfNoneMatch: Yes, CORS: Yes,
			Lifecycle: Yes, AbortLifecycle: Yes, BucketPolicy: No, PublicAccessBlock: No, IAM: No, Tagging: No,
			Traps: []string{
				`A form upload is answered 501 without CORS headers: the browser only says "Failed to fetch".`,
				"Signed URLs work on the account's r2.cloudflarestorage.com address only, not on custom domains.",
				"A bucket in a jurisdiction (eu, us, fedramp) answers on that jurisdiction's endpoint only.",
				"Keys are API tokens for whole buckets, made in Cloudflare's own dashboard or API.",
			},
			Source: "Cloudflare R2 documentation: S3 API compatibility, presigned URLs, data location; PostHog/posthog#102187; Moadong/moadong#2089",
		},
		{
			Name: "b2", Title: "Backblaze B2", PathStyle: true,
			Endpoint: "https://s3.REGION.backblazeb2.com",
			Post:     No, IfNoneMatch: No, CORS: Yes,
			Lifecycle: Yes, AbortLifecycle: Yes, IAM: No,
			Traps: []string{
				"A second PUT can overwrite the first until its URL ends, as there are no conditional writes; what was checked does not change by it.",
				"Expiration only hides files: add NoncurrentVersionExpiration, or they are paid for on and on.",
				"The master application key does not work here: make a key for the bucket; it also needs listAllBucketNames.",
			},
			Source: "Backblaze documentation: S3-Compatible API, S3 Put and Get Lifecycle Configuration; safebucket/safebucket#1278; TimMikeladze/next-upload#53",
		},
		{
			Name: "gcs", Title: "Google Cloud Storage (XML API)", Region: "auto",
			Endpoint:  "https://storage.googleapis.com",
			PutLength: Yes, IfNoneMatch: No, CompleteIfNoneMatch: No, CORS: No,
			Lifecycle: No, AbortLifecycle: No, BucketPolicy: No, IAM: No, Tagging: No,
			Traps: []string{
				"It needs an HMAC key, made under Settings, Interoperability.",
				"Its form uploads are signed with x-goog-* fields; whether those of S3 do is not known, so files go by PUT.",
				"CORS and lifecycle are set with gcloud: its XML for them is not S3's.",
				"A second PUT can overwrite the first until its URL ends: its condition is x-goog-if-generation-match, which S3 has not.",
			},
			Source: "Cloud Storage documentation: XML API, POST Object, simple migration from Amazon S3; Tigris' S3 compatibility tests; apache/opendal#7889",
		},
		{
			Name: "digitalocean", Title: "DigitalOcean Spaces",
			Endpoint: "https://REGION.digitaloceanspaces.com",
			Post:     Yes, CORS: Yes,
			Lifecycle: Yes, AbortLifecycle: Yes, BucketPolicy: Yes, IAM: No,
			Traps: []string{
				"Name the endpoint without the bucket and without cdn: https://fra1.digitaloceanspaces.com.",
				"Keys limited to some buckets cannot set a bucket policy.",
				"Lifecycle rules go by prefix, never by tag.",
			},
			Source: "DigitalOcean documentation: Spaces S3 compatibility; Uppy's example for Spaces",
		},
		{
			Name: "wasabi", Title: "Wasabi",
			Endpoint: "https://s3.REGION.wasabisys.com",
			Post:     Yes, CORS: Yes, Lifecycle: Yes, BucketPolicy: Yes, IAM: Yes,
			Traps: []string{
				"A file deleted early is paid for until its least storage time ends, and so is each upload that was checked and thrown away.",
			},
			Source: "Wasabi S3 API reference; rhnvrm/simples3#17",
		},
		{
			Name: "minio", Title: "MinIO", PathStyle: true,
			Endpoint: "https://HOST:9000",
			Post:     Yes, PostByKey: Yes, PutLength: Yes, Checksum: Yes, SignedHeaders: No, IfNoneMatch: Yes, CompleteIfNoneMatch: Yes, CORS: No,
			Lifecycle: Yes, AbortLifecycle: No, BucketPolicy: Yes, PublicAccessBlock: No, IAM: No, Tagging: Yes,
			Traps: []string{
				"The open source version is archived since February 2026 and has signature bypasses that nobody mends (CVE-2026-40344, CVE-2026-41145): choose another server.",
				"CORS is one setting for the whole server; as it comes it answers every origin.",
				"A comma list slips past a type condition that says starts-with; ours say eq.",
				"Unfinished uploads in parts are listed by exact key only, and no rule aborts them.",
				"A PUT or a part may carry an x-amz-copy-source that was not signed, and copies what the signing key may read: give it a signing key of its own, as setup does.",
			},
			Source: "run: the last open source commit, 7aac2a2c5b7c",
		},
		{
			Name: "ceph", Title: "Ceph RGW", PathStyle: true,
			Endpoint: "https://HOST",
			Post:     Yes, PostByKey: Yes, PutLength: Yes, Checksum: No, SignedHeaders: No, IfNoneMatch: Yes, CompleteIfNoneMatch: No, CORS: Yes,
			Lifecycle: Yes, AbortLifecycle: Yes, BucketPolicy: Yes, PublicAccessBlock: Yes, IAM: No, Tagging: Yes,
			Traps: []string{
				"A user policy never allows a form upload: let the signing key in by a bucket policy.",
				"It takes a form without a file and stores an empty object; the check rejects it.",
				"A form's answer has no ETag header.",
				"It knows no checksums; the check finds other bytes than were announced.",
				"A PUT may carry x-amz-* headers that were not signed: a copy of what the signing key may read, or a public ACL. Give it a signing key of its own, and block public access, as setup does.",
			},
			Source: "run: 16.2.15 (Debian 12); Ceph documentation: S3 API",
		},
		{
			Name: "seaweedfs", Title: "SeaweedFS", PathStyle: true,
			Endpoint: "https://HOST:8333",
			Post:     Yes, PostByKey: No, Checksum: Yes, IfNoneMatch: Yes, CompleteIfNoneMatch: Yes, CORS: Yes,
			Lifecycle: Yes, AbortLifecycle: Yes, BucketPolicy: Yes, PublicAccessBlock: No, IAM: Yes,
			Traps: []string{
				"A form may carry fields that its policy does not name (acl, tags).",
				"Its policies judge a form by the bucket, not the key: a key limited to incoming/* cannot send forms there. With a signing key of its own files go by PUT.",
				"Preflights from any origin are answered unless -allowedOrigins is set.",
			},
			Source: "run: 4.44, August 2026",
		},
		{
			Name: "garage", Title: "Garage", PathStyle: true,
			Endpoint: "https://HOST:3900",
			Post:     Yes, IfNoneMatch: No, CORS: Yes,
			Lifecycle: Yes, AbortLifecycle: Yes, BucketPolicy: No, PublicAccessBlock: No, IAM: No, Tagging: No,
			Traps: []string{
				"Set region to the server's own s3_region, or every signature is refused.",
				"Lifecycle rules need the Filter form; a Prefix beside it is refused.",
				"Keys have rights on whole buckets: read, write, owner.",
				"A second PUT can overwrite the first until its URL ends, as If-None-Match counts on reads and copies only.",
			},
			Source: "Garage documentation: S3 compatibility status; its source of June 2025",
		},
		{
			Name: "scaleway", Title: "Scaleway Object Storage",
			Endpoint: "https://s3.REGION.scw.cloud",
			Post:     Yes, IfNoneMatch: Yes, CompleteIfNoneMatch: Yes, CORS: Yes,
			Lifecycle: Yes, AbortLifecycle: Yes, BucketPolicy: Yes, PublicAccessBlock: No, IAM: No, Tagging: Yes,
			Traps: []string{
				"Keys and their rights are made by Scaleway's own IAM API; a bucket policy names its users and applications.",
			},
			Source: "Scaleway documentation: POST object, conditional writes (July 2026), lifecycle, supported API calls",
		},
		{
			Name: "hetzner", Title: "Hetzner Object Storage",
			Endpoint: "https://LOCATION.your-objectstorage.com",
			CORS:     Yes, Lifecycle: Yes, BucketPolicy: Yes, IAM: No, Tagging: No,
			Traps: []string{
				"Its list of exceptions does not name form uploads, but nobody has shown them: files go by PUT unless a preset says transfer: post.",
				"Every key may do everything in its project: bound it by a bucket policy.",
			},
			Source: "Hetzner documentation: list of supported actions",
		},
		{
			Name: "tigris", Title: "Tigris", Region: "auto",
			Endpoint: "https://t3.storage.dev",
			Post:     Yes, IfNoneMatch: Yes, CORS: Yes,
			Lifecycle: Yes, BucketPolicy: No, IAM: Yes, Tagging: Yes,
			Traps: []string{
				"Buckets made since 19 February 2025 are addressed by host name only.",
				"Conditional writes hold on buckets of a consistent type only.",
			},
			Source: "Tigris documentation: upload via HTML form, conditional requests, S3 compatibility (its own tests), moving to virtual hosted URLs",
		},
		{
			Name: "ovhcloud", Title: "OVHcloud Object Storage",
			Endpoint: "https://s3.REGION.io.cloud.ovh.net",
			Post:     Yes, IfNoneMatch: Yes, CompleteIfNoneMatch: Yes, CORS: Yes, Lifecycle: Yes,
			Traps: []string{
				"Form uploads (July 2026) and conditional writes (June 2026) are new here: an older private region may lack them.",
			},
			Source: "OVHcloud documentation: ovh/ovhcloud-docs#351 and #28",
		},
		{
			Name: "versitygw", Title: "Versity S3 Gateway", PathStyle: true,
			Endpoint: "https://HOST:7070",
			Post:     Yes, PostByKey: No, PutLength: Yes, Checksum: Yes, SignedHeaders: Yes, IfNoneMatch: Yes, CompleteIfNoneMatch: Yes, CORS: Yes,
			Lifecycle: No, AbortLifecycle: No, BucketPolicy: Yes, PublicAccessBlock: No, IAM: Yes, Tagging: Yes,
			Traps: []string{
				"It judges a form by the bucket, not the key: a key limited to incoming/* cannot send forms there, and one that can may write anywhere. With a signing key of its own files go by PUT.",
				"A form is held in memory four times over, before anybody is authenticated: put a limit on bodies before it.",
				"Nothing expires by itself: our own sweep is all that tidies up, and of several unfinished uploads of one key it is not told all.",
			},
			Source: "run: v1.8.0",
		},
		{
			Name: "embedded", Title: "Postern's own bucket", PathStyle: true, Region: "us-east-1",
			Endpoint: "http://HOST:9000",
			Post:     Yes, PostByKey: Yes, PutLength: Yes, Checksum: Yes, SignedHeaders: Yes, IfNoneMatch: Yes, CompleteIfNoneMatch: Yes, CORS: Yes,
			Lifecycle: Yes, AbortLifecycle: Yes, BucketPolicy: Yes, PublicAccessBlock: Yes, IAM: No, Tagging: Yes,
			Traps: []string{
				"One process on one disk: for this machine, for development and for tests.",
			},
			Source: "run: its tests ask it what S3's documentation promises",
		},
		{
			Name: "other", Title: "another S3 server", PathStyle: true,
			Endpoint: "https://HOST",
			// Assumed, not known: every server above that people run themselves
			// takes forms, and a PUT that must not overwrite is refused or, at
			// worst, overwrites.
			Post: Yes, IfNoneMatch: Yes,
			Traps: []string{
				"What it has is assumed from S3, not known: name its provider if it is one of the others.",
			},
			Source: "assumed",
		},
	}
}
