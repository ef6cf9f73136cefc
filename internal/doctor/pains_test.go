package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The 23 pains that users of direct uploads have most, and what covers each:
// probes; rows of the table of causes; and, of what no probe of a bucket can
// see, the part of Postern that does away with it, by its test or document.
func TestPains(t *testing.T) {
	t.Parallel()
	type said struct {
		answer answer
		in     doing
		words  string // that the cause has
	}
	ids := map[string]bool{}
	for _, id := range IDs() {
		ids[id] = true
	}
	rows := []struct {
		pain      string
		probes    []string
		causes    []said
		elsewhere []string // "file: what it has"
	}{
		{
			pain:   "1 CORS: wrong origin, missing method, ETag not exposed; everything is called CORS",
			probes: []string{"cors.preflight", "cors.etag", "cors.foreign", "cors.errors"},
			causes: []said{{answer{Status: 403, Code: "AccessForbidden", Message: "CORSResponse: CORS is not enabled for this bucket."}, preflights, "no CORS rule"}},
		},
		{
			pain:      "2 signing endpoint open by default",
			elsewhere: []string{"threats_test.go: func TestThreat17_Unauthenticated", "cmd/postern/testdata/script/threat17-closed-beyond-loopback.txtar: serve"},
		},
		{
			pain:      "3 no trustworthy \"it arrived\"",
			probes:    []string{"upload.post", "upload.put", "upload.multipart"},
			elsewhere: []string{"threats_test.go: func TestThreat34_FakeComplete", "threats_test.go: func TestSweepTakesUp"},
		},
		{
			pain:      "4 an object is swapped after it was checked",
			probes:    []string{"upload.overwrite", "attack.replay"},
			elsewhere: []string{"internal/worker/threats_test.go: func TestThreat01_SwapAfterComplete"},
		},
		{
			pain:   "5 R2 and B2 have no form uploads",
			probes: []string{"upload.post"},
			causes: []said{
				{answer{Status: 501, Code: "NotImplemented"}, forms, "no form uploads"},
				{answer{Status: 405}, forms, "takes no POST"},
			},
		},
		{
			pain:   "6 a PUT does not bound sizes",
			probes: []string{"attack.size", "attack.put-length"},
			causes: []said{{answer{Status: 400, Code: "EntityTooLarge"}, anything, "larger than"}},
		},
		{
			pain:   "7 SignatureDoesNotMatch by another Content-Type",
			probes: []string{"upload.put", "attack.type"},
			causes: []said{{answer{Status: 403, Code: "SignatureDoesNotMatch"}, puts, "Content-Type"}},
		},
		{
			pain:   "8 ACLs are switched off",
			probes: []string{"settings.ownership", "settings.public-access", "attack.field"},
			causes: []said{
				{answer{Status: 400, Code: "AccessControlListNotSupported"}, forms, "ACLs are switched off"},
				{answer{Status: 403, Code: "AccessDenied", Message: "because public policies are prevented by the BlockPublicPolicy setting"}, anything, "Block Public Access"},
			},
		},
		{
			pain:   "9 region: redirects of preflights, wrong region in the credential",
			probes: []string{"network.region"},
			causes: []said{
				{answer{Status: 307, Code: "TemporaryRedirect", Region: "eu-west-1"}, preflights, "do not follow a redirect"},
				{answer{Status: 301, Code: "PermanentRedirect", Region: "eu-west-1"}, preflights, "eu-west-1"},
				{answer{Status: 400, Code: "AuthorizationHeaderMalformed", Message: "the region 'us-east-1' is wrong; expecting 'eu-west-1'", Region: "eu-west-1"}, anything, "is in eu-west-1"},
				{answer{Status: 400, Code: "InvalidArgument", Message: "the region 'us-east-1' is wrong; expecting 'eu-west-1'", Region: "eu-west-1"}, forms, "is in eu-west-1"},
			},
		},
		{
			pain:      "10 orphans and unfinished multiparts",
			probes:    []string{"leftovers.objects", "leftovers.multiparts", "settings.lifecycle", "settings.versioning"},
			elsewhere: []string{"internal/worker/sweep_test.go: func Test"},
		},
		{
			pain:      "11 HEIC",
			elsewhere: []string{"internal/imaging/engine_test.go: func TestThreat07_WrongKinds", "grant_test.go: IMG_0001.HEIC"},
		},
		{
			pain:      "12 EXIF: sideways pictures, GPS",
			elsewhere: []string{"threats_test.go: func TestThreat35_Metadata", "internal/imaging/engine_test.go: func TestThreat35_OrientationAndMetadata"},
		},
		{
			pain:   "13 default checksums of SDKs",
			probes: []string{"upload.checksum", "upload.put"},
			causes: []said{
				{answer{Status: 400, Code: "BadDigest"}, puts, "another checksum"},
				{answer{Status: 501, Code: "NotImplemented", Message: "A header you provided implies functionality that is not implemented"}, puts, "one of the headers"},
			},
		},
		{
			pain:   "14 a local server that differs from AWS",
			probes: []string{"network.reach", "cors.foreign", "attack.size"}, // names without a dot; CORS of the whole server; ranges
			elsewhere: []string{
				"internal/conform/testdata/differences.txt: minio", "internal/s3d/assume/testdata: ",
			},
		},
		{
			pain:      "15 grants run out in the queue",
			probes:    []string{"attack.expired"},
			causes:    []said{{answer{Status: 403, Code: "AccessDenied", Message: "Invalid according to Policy: Policy expired."}, forms, "had run out"}},
			elsewhere: []string{"web/test/core.test.mjs: a grant that ran out while we waited is asked for anew"},
		},
		{
			pain:   "16 clocks",
			probes: []string{"network.clock"},
			causes: []said{
				{answer{Status: 403, Code: "RequestTimeTooSkewed"}, anything, "15 minutes apart"},
				{answer{Status: 403, Code: "AccessDenied", Message: "Request has expired"}, puts, "clock is behind"},
			},
			elsewhere: []string{"s3/clock_test.go: func TestThreat26_ClockSkew"},
		},
		{
			pain:   "17 strictness of policies",
			probes: []string{"attack.field", "attack.tampered"},
			causes: []said{
				{answer{Status: 403, Code: "AccessDenied", Message: "Invalid according to Policy: Extra input fields: acl"}, forms, "does not cover"},
				{answer{Status: 403, Code: "AccessDenied", Message: `Invalid according to Policy: Policy Condition failed: ["eq", "$key", "k"]`}, forms, "not what its policy says"},
				{answer{Status: 400, Code: "InvalidPolicyDocument"}, forms, "does not understand"},
			},
		},
		{
			pain:      "18 names that are not ASCII",
			elsewhere: []string{`grant_test.go: strings.Repeat("é", 100)`, "sigv4/append_test.go: photo é+&.jpg"},
		},
		{
			pain:      "19 declared types lie, SVG",
			probes:    []string{"attack.type"},
			elsewhere: []string{"threats_test.go: func TestThreat07_SpoofedTypes", "threats_test.go: func TestThreat08_SVG"},
		},
		{
			pain:   "20 public or private delivery",
			probes: []string{"anonymous.read", "anonymous.images", "settings.policy", "settings.public-access"},
			causes: []said{{answer{Status: 403, Code: "AccessDenied"}, reads, "may not read"}},
		},
		{
			pain:      "21 Safari and phones: aborts, opaque status 0",
			probes:    []string{"cors.errors"},
			elsewhere: []string{"web/test/core.test.mjs: an opaque answer of the bucket is told as such in the end", "web/e2e/doctor.test.mjs: the page links to the cause"},
		},
		{
			pain: "22 going direct goes around a scan for malware",
			// Nobody is ever served the bytes that a browser sent.
			elsewhere: []string{"threats_test.go: func TestThreat09_Polyglots", "threats_test.go: func TestThreat21_QuarantineIsUnreadable"},
		},
		{
			pain: "23 rate and quota of signing",
			// Grants keep no state, so that a flood of them fills nothing; who may
			// ask at all is decided before.
			causes:    []said{{answer{Status: 503, Code: "SlowDown"}, anything, "too much to do"}},
			elsewhere: []string{"threats_test.go: func TestThreat17_Unauthenticated", "docs/decisions.md: Signing keeps no state"},
		},
	}
	if len(rows) != 23 {
		t.Errorf("%d rows", len(rows))
	}
	x, err := newExam(healthyConfig("http://127.0.0.1:9000/photos"))
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		number, _, _ := strings.Cut(row.pain, " ")
		if number != strconv.Itoa(i+1) {
			t.Errorf("row %d is of %s", i+1, number)
		}
		if len(row.probes)+len(row.causes)+len(row.elsewhere) == 0 {
			t.Errorf("%s: nothing covers it", row.pain)
		}
		for _, id := range row.probes {
			if !ids[id] {
				t.Errorf("%s: there is no probe %s", row.pain, id)
			}
		}
		for _, s := range row.causes {
			cause, cure := x.because(s.in, &s.answer)
			if !strings.Contains(cause, s.words) || cure == "" || strings.ContainsAny(cause+cure, "{}") {
				t.Errorf("%s: %s in %q is %q, cure %q", row.pain, &s.answer, s.in, cause, cure)
			}
		}
		for _, place := range row.elsewhere {
			file, words, _ := strings.Cut(place, ": ")
			path := filepath.Join("..", "..", file)
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), words) {
				t.Errorf("%s: %s has no %q (%v)", row.pain, file, words, err)
			}
		}
	}
}

// Every row of the table is reached: none stands behind one that fits it, too.
func TestCauses(t *testing.T) {
	t.Parallel()
	x, err := newExam(healthyConfig("http://127.0.0.1:9000/photos"))
	if err != nil {
		t.Fatal(err)
	}
	all := causes()
	for i, k := range all {
		a := &answer{Status: k.status, Code: k.code, Message: x.fill(k.words, nil)}
		if a.Status == 0 {
			a.Status = 400
		}
		cause, cure := x.because(k.in, a)
		if want := x.fill(k.cause, a); cause != want {
			t.Errorf("row %d (%s %d %q %q) is never reached: %q comes first", i, k.code, k.status, k.in, k.words, cause)
		}
		for _, text := range []string{cause, cure} {
			if text == "" || strings.ContainsAny(text, "{}") {
				t.Errorf("row %d: %q", i, text)
			}
		}
		if !strings.HasSuffix(k.cause, ".") || strings.HasSuffix(k.cure, ".") {
			t.Errorf("row %d: a cause is a sentence, a cure is not: %q, %q", i, k.cause, k.cure)
		}
		if slices.ContainsFunc(all[:i], func(o known) bool {
			return o.code == k.code && o.status == k.status && o.in == k.in && o.words == k.words
		}) {
			t.Errorf("row %d is there twice", i)
		}
	}
	// What nobody has heard of is still said.
	if cause, cure := x.because(anything, &answer{Status: 418, Code: "Teapot"}); !strings.Contains(cause, "Teapot") || cure == "" {
		t.Error(cause, cure)
	}
	if cause, _ := x.because(anything, &answer{Status: 418}); !strings.Contains(cause, "does not speak as an S3 server") {
		t.Error(cause)
	}
	if cause, _ := x.because(anything, &answer{Status: 200}); !strings.Contains(cause, "where it should have refused") {
		t.Error(cause)
	}
}
