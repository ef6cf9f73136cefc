package provision

import (
	"fmt"
	"slices"
	"strings"

	"postern.example/postern"
)

// Manuals are the steps that a person has to do, since the provider has no API
// for them that setup could use.
func Manuals(w *Want) []Manual {
	var list []Manual
	p := &w.Provider
	if p.CORS == postern.No {
		list = append(list, w.manualCORS())
	}
	if p.Lifecycle == postern.No {
		list = append(list, Manual{
			ID: "lifecycle", Title: "Nothing empties incoming/ by itself.", Why: p.Title + " has no lifecycle rules by S3's API.",
			Steps: lifecycleSteps(w),
		})
	} else if p.AbortLifecycle == postern.No {
		list = append(list, Manual{
			ID: "abort", Title: "Unfinished uploads in parts are not forgotten by a rule.", Why: p.Title + " has no such rule.",
			Steps: "Keep \"postern serve\" running: it aborts those that it began. MinIO itself drops parts that nobody finished after a day.",
		})
	}
	if p.PublicAccessBlock == postern.No {
		list = append(list, Manual{
			ID: "block-public-access", Title: "Public access cannot be blocked as a whole.", Why: p.Title + " has no Block Public Access.",
			Steps: "Make no policy or ACL that lets anybody read incoming/. \"postern doctor\" tries it.",
		})
	}
	if w.Public && p.BucketPolicy == postern.No {
		list = append(list, w.manualPublic())
	}
	if (w.User != "" || w.Role != "") && p.IAM == postern.No {
		list = append(list, w.manualKeys())
	}
	if p.IAM == postern.Yes && w.User != "" && slices.Contains([]string{"versitygw", "seaweedfs"}, p.Name) {
		list = append(list, Manual{
			ID: "forms", Title: "Let every preset send by PUT.", Why: p.Title + " judges a form by the bucket and not by its key: the signer's key, limited to incoming/, can send none.",
			Steps: "In postern.yaml, give each preset \"transfer: put\":\n  presets:\n    - name: default\n      transfer: put",
		})
	}
	if w.Distribution != "" {
		list = append(list, w.manualCDN())
	}
	return list
}

func (w *Want) manualCORS() Manual {
	rule := CORS(w)[0]
	m := Manual{ID: "cors", Title: "Let the pages send files to the bucket (CORS).", Why: w.Provider.Title + " takes no CORS rules by S3's API."}
	switch w.Provider.Name {
	case "minio":
		m.Steps = "CORS is one setting for the whole server. Start it with:\n  MINIO_API_CORS_ALLOW_ORIGIN=" + strings.Join(rule.Origins, ",") + " minio server …\nor run: mc admin config set ALIAS api cors_allow_origin=" + strings.Join(rule.Origins, ",")
	case "gcs":
		m.Steps = fmt.Sprintf("Save this as cors.json:\n  [{\"origin\": [%s], \"method\": [%s], \"responseHeader\": [%s], \"maxAgeSeconds\": %d}]\nand run: gcloud storage buckets update gs://%s --cors-file=cors.json",
			quotedList(rule.Origins), quotedList(rule.Methods), quotedList(append(rule.Headers, rule.Expose...)), rule.MaxAge, w.Bucket)
	default:
		m.Steps = fmt.Sprintf("In the provider's console, allow the origins %s, the methods %s and the headers %s; expose %s.",
			strings.Join(rule.Origins, ", "), strings.Join(rule.Methods, ", "), strings.Join(rule.Headers, ", "), strings.Join(rule.Expose, ", "))
	}
	return m
}

func lifecycleSteps(w *Want) string {
	if w.Provider.Name == "gcs" {
		return fmt.Sprintf("Save this as lifecycle.json:\n  {\"rule\": [{\"action\": {\"type\": \"Delete\"}, \"condition\": {\"age\": 1, \"matchesPrefix\": [\"%s\"]}}, {\"action\": {\"type\": \"AbortIncompleteMultipartUpload\"}, \"condition\": {\"age\": 1}}]}\nand run: gcloud storage buckets update gs://%s --lifecycle-file=lifecycle.json", postern.IncomingPrefix, w.Bucket)
	}
	return "Keep \"postern serve\" running: its sweep is all that tidies up."
}

func (w *Want) manualPublic() Manual {
	m := Manual{ID: "public", Title: "Let anybody read images/.", Why: w.Provider.Title + " has no bucket policy."}
	switch w.Provider.Name {
	case "r2":
		m.Steps = "A public R2 bucket is public as a whole, incoming/ too: do not do that. Put a Worker or a custom domain with a rule in front that answers images/ only, and set images_url to it; or show pictures by signed links, which needs nothing."
	case "gcs":
		m.Steps = fmt.Sprintf("Run: gcloud storage managed-folders create gs://%s/%s && gcloud storage managed-folders add-iam-policy-binding gs://%s/%s --member=allUsers --role=roles/storage.objectViewer", w.Bucket, postern.ImagesPrefix, w.Bucket, postern.ImagesPrefix)
	default:
		m.Steps = "Show pictures by signed links, which needs nothing, or put a CDN with a key of its own in front of images/."
	}
	return m
}

// manualKeys says how the two keys are made where IAM is not AWS's.
func (w *Want) manualKeys() Manual {
	name := w.keyName()
	m := Manual{ID: "keys", Title: "Make two keys: one that signs uploads, one that does the rest.", Why: w.Provider.Title + " has no IAM API as AWS has it."}
	into := fmt.Sprintf("\nPut them into a credentials file, as profiles %s-signer and %s-worker, and name file and profiles in postern.yaml (credentials_file, profile, signer_profile).", name, name)
	switch w.Provider.Name {
	case "minio":
		m.Steps = fmt.Sprintf("Save these two policies as signer.json and worker.json:\n%s\n%s\nThen run:\n  mc admin policy create ALIAS %[3]s-signer signer.json\n  mc admin policy create ALIAS %[3]s-worker worker.json\n  mc admin user add ALIAS %[3]s-signer SECRET1 && mc admin policy attach ALIAS %[3]s-signer --user %[3]s-signer\n  mc admin user add ALIAS %[3]s-worker SECRET2 && mc admin policy attach ALIAS %[3]s-worker --user %[3]s-worker", SignerPolicy(w), WorkerPolicy(w), name)
	case "ceph":
		m.Steps = fmt.Sprintf("Run, and note the keys that are printed:\n  radosgw-admin user create --uid=%[1]s-signer --display-name=%[1]s-signer\n  radosgw-admin user create --uid=%[1]s-worker --display-name=%[1]s-worker\nWhat they may do stands in the bucket's policy, which setup writes: its user policies never let a form in.", name)
	case "r2":
		m.Steps = fmt.Sprintf("In the Cloudflare dashboard, R2, Manage API tokens, make a token %s-worker with \"Object Read & Write\" for the bucket %s. R2 has no token that may only write below a prefix: the same token signs uploads, or temporary credentials of its API do, limited to %s and to object-write.", name, w.Bucket, postern.IncomingPrefix)
	case "b2":
		m.Steps = fmt.Sprintf("Run:\n  b2 key create --bucket %[1]s --name-prefix %[2]s %[3]s-signer writeFiles\n  b2 key create --bucket %[1]s %[3]s-worker listBuckets,listAllBucketNames,listFiles,readFiles,writeFiles,deleteFiles", w.Bucket, postern.IncomingPrefix, name)
	case "gcs":
		m.Steps = fmt.Sprintf("Make two service accounts, %[1]s-signer and %[1]s-worker, each with an HMAC key (gcloud storage hmac create). Give the signer roles/storage.objectCreator with the condition resource.name.startsWith(\"projects/_/buckets/%[2]s/objects/%[3]s\"), and the worker roles/storage.objectUser on the bucket.", name, w.Bucket, postern.IncomingPrefix)
	default:
		m.Steps = fmt.Sprintf("In the provider's console make two keys for the bucket %s. The signer needs to write below %s and nothing else; the worker to read and delete below %s, to read, write and delete below %s, and to list. Where keys cannot be limited so far, limit them as far as they can be.", w.Bucket, postern.IncomingPrefix, postern.IncomingPrefix, postern.ImagesPrefix)
	}
	m.Steps += into
	return m
}

func (w *Want) manualCDN() Manual {
	domain := "amazonaws.com"
	if w.partition() == "aws-cn" {
		domain += ".cn"
	}
	return Manual{
		ID: "cloudfront", Title: "Set the CloudFront distribution up.", Why: "setup touches the bucket and its keys, and no distribution.",
		Steps: fmt.Sprintf(`Origin: %s.s3.%s.%s, with origin access control (signing behaviour "always", protocol sigv4), and no origin path.
Behaviour images/*: redirect HTTP to HTTPS, GET and HEAD only, cache policy "CachingOptimized".
Default behaviour: no access, or your site. incoming/ must never be an origin path of any behaviour.
Response headers policy: X-Content-Type-Options nosniff; Content-Security-Policy "default-src 'none'; sandbox"; Cross-Origin-Resource-Policy cross-origin.
Then set images_url to https://NAME.cloudfront.net/images in postern.yaml.`, w.Bucket, w.Region, domain),
	}
}

func quotedList(list []string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(out, ", ")
}
