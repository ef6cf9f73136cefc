package assume

import (
	"regexp"
	"time"

	"postern.example/postern/sigv4"
)

// conditions is what we assume of what a policy says.
func conditions() []Assumption {
	const page = "POST Policy"
	const failed = "Invalid according to Policy: Policy Condition failed: "
	return []Assumption{
		{"policy-expired", "recorded", "403 AccessDenied: Invalid according to Policy: Policy expired.", func(b *Bucket) error {
			return all(b.post(form{expires: -time.Minute}).is(403, "AccessDenied").says("Invalid according to Policy: Policy expired."), b.absent("a"))
		}},
		{"policy-eq-fails", "recorded", `403 AccessDenied: Invalid according to Policy: Policy Condition failed: ["eq", "$key", "other"]`, func(b *Bucket) error {
			return all(b.post(form{more: []sigv4.Condition{sigv4.Eq("key", "other")}}).is(403, "AccessDenied").says(failed+`["eq", "$key", "other"]`), b.absent("a"))
		}},
		{"policy-starts-with-fails", "recorded", `403 AccessDenied: Invalid according to Policy: Policy Condition failed: ["starts-with", "$key", "other"]`, func(b *Bucket) error {
			return all(b.post(form{more: []sigv4.Condition{sigv4.StartsWith("key", "other")}}).is(403, "AccessDenied").says(failed+`["starts-with", "$key", "other"]`), b.absent("a"))
		}},
		{"policy-simple-is-eq", page, `{"acl": "public-read" } … This example is an alternate way to indicate … [ "eq", "$acl", "public-read" ]`, func(b *Bucket) error {
			return all(b.post(form{document: replaced(`"conditions":[`, `"conditions":[{"key":"`+b.Prefix+`a"},["eq","$key","`+b.Prefix+`a"],`)}).is(204, ""),
				b.post(form{document: replaced(`"conditions":[`, `"conditions":[{"key":"other"},`)}).is(403, "AccessDenied").says(failed+`["eq", "$key", "other"]`))
		}},
		{"policy-values-keep-their-case", "recorded", "403 AccessDenied", func(b *Bucket) error {
			return b.post(form{fields: fields("Content-Type", "image/png"), more: []sigv4.Condition{sigv4.Eq("Content-Type", "Image/PNG")}}).is(403, "AccessDenied").failed()
		}},
		{"policy-names-in-any-case", "recorded", "204 for a condition on $CONTENT-TYPE", func(b *Bucket) error {
			return b.post(form{fields: fields("Content-Type", "image/png"), more: []sigv4.Condition{sigv4.StartsWith("CONTENT-type", "image/")}}).is(204, "").failed()
		}},
		{"policy-every-field-needs-a-condition", page, "Each form field that you specify in a form (except x-amz-signature, file, policy, and field names that have an x-ignore- prefix) must appear in the list of conditions.", func(b *Bucket) error {
			return all(b.post(form{set: fields("x-amz-meta-a", "1")}).is(403, "AccessDenied").says("Invalid according to Policy: Extra input fields: x-amz-meta-a"), b.absent("a"))
		}},
		{"policy-every-field-is-any-field", page, "Each form field that you specify in a form … must appear in the list of conditions.", func(b *Bucket) error {
			for _, name := range []string{"Content-Type", "Content-Disposition", "success_action_status", "submit"} {
				if err := b.post(form{set: fields(name, "200")}).is(403, "AccessDenied").says("Extra input fields").failed(); err != nil {
					return err
				}
			}
			return nil
		}},
		{"policy-key-needs-a-condition", "recorded", "403 AccessDenied: Invalid according to Policy: Extra input fields: key", func(b *Bucket) error {
			return all(b.post(form{conditions: []sigv4.Condition{sigv4.Eq("bucket", b.Name)}}).is(403, "AccessDenied").says("Extra input fields: key"), b.absent("a"))
		}},
		{"policy-bucket-needs-a-condition", "recorded", "403 AccessDenied: Invalid according to Policy: Extra input fields: bucket", func(b *Bucket) error {
			return all(b.post(form{conditions: b.anyKey()[1:]}).is(403, "AccessDenied").says("Extra input fields: bucket"), b.absent("a"))
		}},
		{"policy-needs-the-fields-of-the-signature", page, "Each form field that you specify in a form (except x-amz-signature, file, policy, and field names that have an x-ignore- prefix) must appear in the list of conditions.", func(b *Bucket) error {
			for _, name := range []string{"x-amz-algorithm", "x-amz-credential", "x-amz-date"} {
				condition := regexp.MustCompile(`,(\{"` + name + `":"[^"]*"\}|\["eq","\$` + name + `","[^"]*"\])`)
				without := func(s string) string { return condition.ReplaceAllString(s, "") }
				if err := b.post(form{document: without}).is(403, "AccessDenied").says("Extra input fields: " + name).failed(); err != nil {
					return err
				}
			}
			return b.absent("a").failed()
		}},
		{"policy-of-another-bucket", "recorded", "403 AccessDenied", func(b *Bucket) error {
			return all(b.post(form{conditions: append(b.anyKey()[1:], sigv4.Eq("bucket", "another"))}).is(403, "AccessDenied"), b.absent("a"))
		}},
		{"policy-ignores-x-ignore", page, "field names that have an x-ignore- prefix", func(b *Bucket) error {
			return b.post(form{set: fields("x-ignore-note", "1")}).is(204, "").failed()
		}},
		{"policy-starts-with-nothing", page, `To configure the policy to allow any content within a form field, use starts-with with an empty value ("").`, func(b *Bucket) error {
			return b.post(form{fields: fields("x-amz-meta-tag", "anything"), conditions: append(b.anyKey(), sigv4.StartsWith("x-amz-meta-tag", ""))}).is(204, "").failed()
		}},
		{"policy-starts-with-nothing-needs-the-field", "recorded", "403 AccessDenied", func(b *Bucket) error {
			return all(b.post(form{more: []sigv4.Condition{sigv4.StartsWith("x-amz-meta-tag", "")}}).is(403, "AccessDenied"), b.absent("a"))
		}},
		{"policy-all-conditions-must-hold", page, "specifies conditions that the request must meet", func(b *Bucket) error {
			return all(b.post(form{more: []sigv4.Condition{sigv4.StartsWith("key", b.Prefix)}}).is(204, ""),
				b.post(form{more: []sigv4.Condition{sigv4.StartsWith("key", b.Prefix+"b")}}).is(403, "AccessDenied"))
		}},
		{"policy-content-type-list", page, "Content-Types values for a starts-with condition that include commas are interpreted as lists.", func(b *Bucket) error {
			listed := func(v string) form {
				return form{fields: fields("Content-Type", v), conditions: append(b.anyKey(), sigv4.StartsWith("Content-Type", "image/"))}
			}
			return all(b.post(listed("image/png")).is(204, ""), b.post(listed("image/png,image/jpeg")).is(204, ""))
		}},
		{"policy-content-type-list-all-must-match", page, "Each value in the list must meet the condition for the whole condition to pass.", func(b *Bucket) error {
			return b.post(form{fields: fields("Content-Type", "image/png,text/html"), conditions: append(b.anyKey(), sigv4.StartsWith("Content-Type", "image/"))}).is(403, "AccessDenied").failed()
		}},
		{"policy-size-inclusive", page, `["content-length-range", 1048576, 10485760]: the minimum and maximum allowable size for the uploaded content`, func(b *Bucket) error {
			exactly := form{conditions: append(b.anyKey(), sigv4.LengthRange(5, 5))}
			return b.post(exactly).is(204, "").failed()
		}},
		{"policy-size-too-large", "recorded", "400 EntityTooLarge: Your proposed upload exceeds the maximum allowed size", func(b *Bucket) error {
			return all(b.post(form{conditions: append(b.anyKey(), sigv4.LengthRange(0, 4))}).is(400, "EntityTooLarge").
				says("Your proposed upload exceeds the maximum allowed size").element("MaxSizeAllowed", "4"), b.absent("a"))
		}},
		{"policy-size-proposed", "recorded", "<ProposedSize>5</ProposedSize><MaxSizeAllowed>4</MaxSizeAllowed>", func(b *Bucket) error {
			return b.post(form{conditions: append(b.anyKey(), sigv4.LengthRange(0, 4))}).element("ProposedSize", "5").failed()
		}},
		{"policy-size-too-small", "recorded", "400 EntityTooSmall: Your proposed upload is smaller than the minimum allowed size", func(b *Bucket) error {
			return all(b.post(form{conditions: append(b.anyKey(), sigv4.LengthRange(6, 10))}).is(400, "EntityTooSmall").
				says("Your proposed upload is smaller than the minimum allowed size").element("ProposedSize", "5").element("MinSizeAllowed", "6"), b.absent("a"))
		}},
		{"policy-size-zero-is-no-wildcard", page, "content-length-range: The minimum and maximum allowable size for the uploaded content.", func(b *Bucket) error {
			return all(b.post(form{conditions: append(b.anyKey(), sigv4.LengthRange(0, 0))}).is(400, "EntityTooLarge"), b.absent("a"))
		}},
		{"policy-size-of-the-file-alone", page, "content-length-range: … the uploaded content", func(b *Bucket) error {
			return b.post(form{fields: fields("x-ignore-filler", "much longer than the limit of five bytes"), conditions: append(b.anyKey(), sigv4.LengthRange(0, 5))}).is(204, "").failed()
		}},
		{"policy-replay-until-it-expires", page, "The expiration element specifies the expiration date and time of the POST policy in ISO8601 GMT date format.", func(b *Bucket) error {
			body, contentType := b.body(form{})
			again := func() Answer { return b.stranger("POST", "", body, "Content-Type", contentType) }
			return all(again().is(204, ""), again().is(204, ""))
		}},
	}
}
