package doctor

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"postern.example/postern"
)

// lifecycleRule is goodLifecycle with replacements.
func lifecycleRule(oldnew ...string) string {
	return strings.NewReplacer(oldnew...).Replace(goodLifecycle)
}

func TestSabotage_Lifecycle(t *testing.T) {
	t.Parallel()
	const expires, aborts = "<Expiration><Days>1</Days></Expiration>", "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
	for _, c := range []struct {
		name, lifecycle string
		words           string
		want            Status
	}{
		{"none", "none", "No lifecycle rule removes what is left in incoming/", Warn},
		{"switched off", lifecycleRule("Enabled", "Disabled"), `rule "incoming" is switched off`, Warn},
		{"of another prefix", lifecycleRule("incoming/", "uploads/"), `is about "uploads/", and no rule about incoming/ removes`, Warn},
		{"of a part of the prefix", lifecycleRule("incoming/", "incoming/tmp/"), `is about "incoming/tmp/"`, Warn},
		{"after half a year", lifecycleRule("<Days>1</Days>", "<Days>180</Days>"), "waits 180 days", Warn},
		{"by a tag", lifecycleRule("<Filter><Prefix>incoming/</Prefix></Filter>", "<Filter><And><Prefix>incoming/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter>", aborts, ""), "by tag or size", Warn},
		{"without expiry", lifecycleRule(expires, ""), "No lifecycle rule removes what is left", Warn},
		{"without abort", lifecycleRule(aborts, ""), "No lifecycle rule aborts unfinished uploads", Warn},
		{"of everything", lifecycleRule("incoming/", "", aborts, ""), "deletes images 1 day after they were made", Fault},
		{"of images", lifecycleRule("incoming/", "images/", aborts, ""), "deletes images", Fault},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{lifecycle: c.lifecycle})
			b.Config.Embedded = false
			if f := b.run("settings.lifecycle").first(t, "settings.lifecycle", c.words); f.Status != c.want || !strings.HasPrefix(f.Cure, "postern setup --bucket photos") {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestSabotage_Policy(t *testing.T) {
	t.Parallel()
	allow := func(more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Sid":"Careless","Effect":"Allow","Principal":"*",` + more + `}]}`
	}
	for _, c := range []struct {
		name, policy string
		public       bool
		words        string // empty: nothing is wrong
		want         Status
	}{
		{"incoming/ is readable", allow(`"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/incoming/*"`), false, "read incoming/", Fault},
		{"everything is readable", allow(`"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/*"]`), true, "read incoming/", Fault},
		{"everything is allowed", allow(`"Action":"s3:*","Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"]`), true, "read incoming/", Fault},
		{"incoming/ is writable", allow(`"Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/*"`), false, "write into incoming/ without a grant", Fault},
		{"images/ is writable", allow(`"Action":"s3:Put*","Resource":"arn:aws:s3:::photos/images/*"`), true, "write into images/", Fault},
		{"it can be listed", allow(`"Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos"`), true, "list the names of all objects", Fault},
		{"images/ is readable and shall not be", allow(`"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/images/*"`), false, "shall not be public", Fault},
		{"originals are readable", allow(`"Action":"s3:GetObject","NotResource":"arn:aws:s3:::photos/incoming/*"`), true, "outside images/", Fault},
		{"all but deleting", allow(`"NotAction":"s3:DeleteObject","Resource":"arn:aws:s3:::photos/incoming/*"`), true, "read incoming/", Fault},
		{"from one network", allow(`"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/incoming/*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`), false, "under a condition", Warn},
		{"images/ is readable as it shall be", allow(`"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/images/*"`), true, "", OK},
		{"what setup writes about TLS", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"},"StringEquals":{"s3:authType":"nothing"}}}}`, false, "", OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{policy: c.policy})
			b.Config.Public = c.public
			r := b.run("settings.policy")
			if c.words == "" {
				if f := r.Findings[0]; f.Status != OK || !strings.Contains(f.Got, "1 statement") {
					t.Errorf("%+v", f)
				}
				return
			}
			if f := r.first(t, "settings.policy", c.words); f.Status != c.want {
				t.Errorf("%+v", f)
			}
		})
	}
}

// saying answers a GET of one setting.
func saying(setting string, status int, doc string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Query().Has(setting) {
				w.WriteHeader(status)
				io.WriteString(w, doc) //nolint:errcheck // the asker reads it
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestSabotage_Settings(t *testing.T) {
	t.Parallel()
	const (
		allOff  = `<Error><Code>NoSuchPublicAccessBlockConfiguration</Code><Message>no</Message></Error>`
		twoOff  = `<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>false</BlockPublicPolicy><RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>`
		writers = `<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>`
		noOwner = `<Error><Code>OwnershipControlsNotFoundError</Code><Message>no</Message></Error>`
		kept    = `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`
		paused  = `<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>`
		noRule  = `<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code><Message>no</Message></Error>`
		kms     = `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`
	)
	for _, c := range []struct {
		name, setting string
		status        int
		doc           string
		public        bool
		id            string
		words         string // of the cause, or of what came if that is well
		want          Status
	}{
		{"public access is not blocked", "publicAccessBlock", 404, allOff, false, "settings.public-access", "BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets", Warn},
		{"policies are not blocked", "publicAccessBlock", 200, twoOff, false, "settings.public-access", "has BlockPublicPolicy, RestrictPublicBuckets switched off", Warn},
		{"policies are not blocked, as it must be", "publicAccessBlock", 200, twoOff, true, "settings.public-access", "200", OK},
		{"ACLs are in force", "ownershipControls", 200, writers, false, "settings.ownership", "ACLs are in force", Warn},
		{"ACLs are in force by age", "ownershipControls", 404, noOwner, false, "settings.ownership", "ACLs are in force", Warn},
		{"versions are kept", "versioning", 200, kept, false, "settings.versioning", "for ever and at full price", Warn},
		{"old versions are kept", "versioning", 200, paused, false, "settings.versioning", "for ever and at full price", Warn},
		{"nothing is encrypted", "encryption", 404, noRule, false, "settings.encryption", "no default encryption", Warn},
		{"nothing is said of encryption", "encryption", 404, noRule, true, "settings.encryption", "encrypt the disks", Skipped},
		{"a KMS key is needed", "encryption", 200, kms, false, "settings.encryption", "kms:GenerateDataKey", OK},
		{"not as S3 has it", "versioning", 200, "<html>", false, "settings.versioning", "not as S3 has it", Skipped},
		{"not known", "ownershipControls", 501, "", false, "settings.ownership", "has no such setting", Skipped},
		{"a fault", "versioning", 503, "", false, "settings.versioning", "could not be read", Skipped},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{front: saying(c.setting, c.status, c.doc)})
			b.Config.Public, b.Config.Embedded = c.public, false
			if c.want == Warn {
				b.Config.Provider, _ = postern.ProviderByName("aws")
			}
			r := b.run(c.id)
			if c.want == Warn {
				r.first(t, c.id, c.words)
			} else if f := r.Findings[0]; f.Status != c.want || !strings.Contains(f.Got, c.words) {
				t.Errorf("%+v", f)
			}
		})
	}
	t.Run("versions are kept, and a rule removes them", func(t *testing.T) {
		t.Parallel()
		b := admit(t, ward{front: func(next http.Handler) http.Handler {
			rule := strings.Replace(goodLifecycle, "</Expiration>", "</Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>", 1)
			return saying("versioning", 200, kept)(saying("lifecycle", 200, rule)(next))
		}})
		if f := b.run("settings.versioning").Findings[0]; f.Status != OK {
			t.Errorf("%+v", f)
		}
	})
}

// Least privilege is no fault: the gate's own keys read no settings.
func TestSettings_Forbidden(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	b.Config.Inspector, b.Config.Embedded = nil, false
	list := b.run("settings").Findings
	if len(list) != len(settingProbes()) {
		t.Errorf("%d findings", len(list))
	}
	for _, f := range list {
		if f.Status != Skipped || !strings.Contains(f.Got, "may not read this, as it should") || !strings.Contains(f.Got, "--operator-profile") {
			t.Errorf("%+v", f)
		}
	}
	// One who cannot have rules is not told to make some.
	b.Config.Provider, _ = postern.ProviderByName("versitygw")
	if f := b.run("settings.lifecycle").Findings[0]; f.Status != Skipped || !strings.Contains(f.Got, "own sweep") {
		t.Errorf("%+v", f)
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"*", "", true},
		{"*", "abc", true},
		{"a*c", "abc", true},
		{"a*c", "abcd", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"**a**", "bab", true},
		{"a*b*c", "aXbXbXc", true},
		{"a*b*c", "aXcXb", false},
		{"a", "", false},
		{"", "a", false},
		{strings.Repeat("a*", 5000) + "b", strings.Repeat("a", 50), false},
	} {
		if got := matches(c.pattern, c.s); got != c.want {
			t.Errorf("%.20q, %q: %v", c.pattern, c.s, got)
		}
	}
}
