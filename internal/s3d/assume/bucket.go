package assume

import (
	"slices"
	"strings"
)

// buckets is what we assume of buckets as such.
func buckets() []Assumption {
	const naming = "General purpose bucket naming rules"
	badName := func(rule, quote, name string) Assumption {
		return Assumption{"bucket-name-" + rule, naming, quote, func(b *Bucket) error {
			return b.exchange(b.sign(b.Server.request("PUT", "/"+name, ""), hexSHA256(""))).is(400, "InvalidBucketName").failed()
		}}
	}
	return []Assumption{
		{"bucket-create", "API CreateBucket", "Creates a new S3 bucket.", func(b *Bucket) error {
			o := b.unmade()
			*b.made = append(*b.made, o)
			return all(o.send("HEAD", "", "").is(404, ""), o.send("PUT", "", "").is(200, "").header("Location", "/"+o.Name), o.send("HEAD", "", "").is(200, ""))
		}},
		{"bucket-create-again", "API CreateBucket", "The bucket you tried to create already exists, and you own it. Amazon S3 returns this error in all Amazon Web Services Regions except in the North Virginia Region. For legacy compatibility, if you re-create an existing bucket that you already own in the North Virginia Region, Amazon S3 returns 200 OK", func(b *Bucket) error {
			o := b.other()
			o.put("a", "hello")
			a := o.send("PUT", "", "")
			if b.Region == "us-east-1" {
				return all(a.is(200, ""), o.holds("a", "hello"))
			}
			return all(a.is(409, "BucketAlreadyOwnedByYou"), o.holds("a", "hello"))
		}},
		{"bucket-create-elsewhere", "Error responses", "InvalidLocationConstraint: The specified location constraint is not valid.", func(b *Bucket) error {
			return b.unmade().send("PUT", "", `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>mars-1</LocationConstraint></CreateBucketConfiguration>`).is(400, "InvalidLocationConstraint").failed()
		}},
		{"bucket-create-malformed", "Error responses", "MalformedXML: This happens when the user sends malformed XML (XML that doesn't conform to the published XSD) for the configuration.", func(b *Bucket) error {
			return b.unmade().send("PUT", "", "<Bucket").is(400, "MalformedXML").failed()
		}},
		{"bucket-create-public", "recorded", "400 InvalidBucketAclWithObjectOwnership: Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting", func(b *Bucket) error {
			o := b.unmade()
			*b.made = append(*b.made, o)
			return all(o.send("PUT", "", "", "x-amz-acl", "public-read").is(400, "InvalidBucketAclWithObjectOwnership"), o.send("HEAD", "", "").is(404, ""))
		}},
		badName("short", "Bucket names must be between 3 (min) and 63 (max) characters long.", "ab"),
		badName("long", "Bucket names must be between 3 (min) and 63 (max) characters long.", strings.Repeat("a", 64)),
		badName("capitals", "Bucket names can consist only of lowercase letters, numbers, periods (.), and hyphens (-).", "Assume-Photos"),
		badName("underscore", "Bucket names can consist only of lowercase letters, numbers, periods (.), and hyphens (-).", "assume_photos"),
		badName("ends-with-a-hyphen", "Bucket names must begin and end with a letter or number.", "assume-photos-"),
		badName("two-periods", "Bucket names must not contain two adjacent periods.", "assume..photos"),
		badName("ip-address", "Bucket names must not be formatted as an IP address (for example, 192.168.5.4).", "192.168.5.4"),
		badName("xn", "Bucket names must not start with the prefix xn--.", "xn--assume"),
		badName("s3alias", "Bucket names must not end with the suffix -s3alias.", "assume-s3alias"),
		{"bucket-head", "API HeadBucket", "You can use this operation to determine if a bucket exists and if you have permission to access it.", func(b *Bucket) error {
			return all(b.send("HEAD", "", "").is(200, "").body(""), b.unmade().send("HEAD", "", "").is(404, ""))
		}},
		{"bucket-head-region", "API HeadBucket", "The Region that the bucket is located.", func(b *Bucket) error {
			return b.send("HEAD", "", "").is(200, "").header("x-amz-bucket-region", b.Region).failed()
		}},
		{"bucket-head-of-nothing", "API HeadBucket", "If the bucket doesn't exist or you don't have permission to access it, the HEAD request returns a generic 400 Bad Request , 403 Forbidden , or 404 Not Found HTTP status code.", func(b *Bucket) error {
			return b.unmade().send("HEAD", "", "").is(404, "").body("").failed()
		}},
		{"bucket-location", "API GetBucketLocation", "Buckets in Region us-east-1 have a LocationConstraint of null.", func(b *Bucket) error {
			want := b.Region
			if want == "us-east-1" {
				want = ""
			}
			a := b.send("GET", "?location", "").is(200, "")
			var root node
			return all(a, same("root", a.root().Local, "LocationConstraint"), that(a.decode(&root) == nil && strings.TrimSpace(root.Text) == want, "LocationConstraint is %q", root.Text))
		}},
		{"bucket-location-of-nothing", "Error responses", "NoSuchBucket: The specified bucket does not exist.", func(b *Bucket) error {
			return b.unmade().send("GET", "?location", "").is(404, "NoSuchBucket").failed()
		}},
		{"bucket-list", "API ListBuckets", "Returns a list of all buckets owned by the authenticated sender of the request.", func(b *Bucket) error {
			o := b.other()
			a := b.exchange(b.sign(b.Server.request("GET", "/", ""), "")).is(200, "")
			names := a.texts("Buckets/Bucket/Name")
			return all(a, same("root", a.root().Local, "ListAllMyBucketsResult"), that(slices.Contains(names, b.Name) && slices.Contains(names, o.Name), "buckets are %q", names),
				that(a.text("Buckets/Bucket/CreationDate") != "", "no CreationDate"), that(slices.IsSorted(names), "buckets are not sorted: %q", names))
		}},
		{"bucket-delete", "API DeleteBucket", "Deletes the S3 bucket.", func(b *Bucket) error {
			o := b.other()
			return all(o.send("DELETE", "", "").is(204, ""), o.send("HEAD", "", "").is(404, ""), o.put("a", "x").is(404, "NoSuchBucket"), o.send("PUT", "", "").is(200, ""))
		}},
		{"bucket-delete-not-empty", "API DeleteBucket", "All objects (including all object versions and delete markers) in the bucket must be deleted before the bucket itself can be deleted.", func(b *Bucket) error {
			o := b.other()
			return all(o.put("a", "hello"), o.send("DELETE", "", "").is(409, "BucketNotEmpty"), o.holds("a", "hello"), o.remove("a"), o.send("DELETE", "", "").is(204, ""))
		}},
		{"bucket-delete-of-nothing", "Error responses", "NoSuchBucket: The specified bucket does not exist.", func(b *Bucket) error {
			return b.unmade().send("DELETE", "", "").is(404, "NoSuchBucket").failed()
		}},
		{"bucket-settings-go-with-it", "API CreateBucket", "Creates a new S3 bucket.", func(b *Bucket) error {
			o := b.other()
			const cors = `<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>`
			return all(o.settings("cors", cors).is(200, ""), o.send("DELETE", "", "").is(204, ""), o.send("PUT", "", "").is(200, ""), o.send("GET", "?cors", "").is(404, "NoSuchCORSConfiguration"))
		}},
		{"method-not-allowed", "Error responses", "MethodNotAllowed: The specified method is not allowed against this resource.", func(b *Bucket) error {
			return b.send("POST", b.at("a"), "").is(405, "MethodNotAllowed").failed()
		}},
	}
}
