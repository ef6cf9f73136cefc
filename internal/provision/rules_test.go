package provision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"postern.example/postern/internal/provision"
)

// Merged, ours stand beside somebody else's, which stay as they are and in their
// order; merged again nothing changes, however a server spells them; and what is
// stripped is what is ours.
func TestMergeCORS(t *testing.T) {
	w := wants(t)["aws-user"]
	theirs := []provision.CORSRule{
		{ID: "other", Origins: []string{"https://other.example"}, Methods: []string{"GET"}},
		{Origins: []string{"*"}, Methods: []string{"HEAD"}, Headers: []string{"*"}},
	}
	merged, changed := provision.MergeCORS(theirs, &w)
	if !changed || len(merged) != 3 || merged[0].ID != "postern" || merged[1].ID != "other" || merged[2].Methods[0] != "HEAD" {
		t.Fatalf("merged %v %+v", changed, merged)
	}
	for name, spell := range map[string]func(*provision.CORSRule){
		"as it was":  func(*provision.CORSRule) {},
		"without id": func(r *provision.CORSRule) { r.ID = "" },
		"another order": func(r *provision.CORSRule) {
			slices.Reverse(r.Methods)
			slices.Sort(r.Headers)
		},
		"capital letters": func(r *provision.CORSRule) {
			r.Headers, r.Expose = slices.Clone(r.Headers), []string{"etag", "location", "retry-after", "X-Amz-Request-Id"}
			r.Headers[0] = "Content-Type"
		},
	} {
		again := slices.Clone(merged)
		again[0].Methods, again[0].Headers = slices.Clone(again[0].Methods), slices.Clone(again[0].Headers)
		spell(&again[0])
		if _, changed := provision.MergeCORS(again, &w); changed {
			t.Errorf("%s: merged again it changes", name)
		}
		if left := provision.StripCORS(again, &w); len(left) != 2 || left[0].ID != "other" {
			t.Errorf("%s: stripped: %+v", name, left)
		}
	}
	for name, spoil := range map[string]func(*provision.CORSRule){
		"every origin":   func(r *provision.CORSRule) { r.Origins = []string{"*"} },
		"a page more":    func(r *provision.CORSRule) { r.Origins = append(slices.Clone(r.Origins), "https://evil.example") },
		"no PUT":         func(r *provision.CORSRule) { r.Methods = []string{"POST"} },
		"ETag hidden":    func(r *provision.CORSRule) { r.Expose = r.Expose[1:] },
		"a header less":  func(r *provision.CORSRule) { r.Headers = r.Headers[1:] },
		"asked all time": func(r *provision.CORSRule) { r.MaxAge = 0 },
	} {
		again := slices.Clone(merged)
		spoil(&again[0])
		got, changed := provision.MergeCORS(again, &w)
		if !changed || len(got) != 3 || got[0].MaxAge != 3600 || !slices.Equal(got[0].Origins, w.Origins) {
			t.Errorf("%s: %v %+v", name, changed, got)
		}
	}
}

func TestMergeLifecycle(t *testing.T) {
	w := wants(t)["aws-user"]
	theirs := []provision.LifecycleRule{{ID: "logs", Prefix: "logs/", ExpireDays: 90}}
	merged, changed := provision.MergeLifecycle(theirs, &w)
	if !changed || len(merged) != 3 || merged[0] != theirs[0] {
		t.Fatalf("merged %v %+v", changed, merged)
	}
	slices.Reverse(merged)
	if _, changed := provision.MergeLifecycle(merged, &w); changed {
		t.Error("in another order it changes")
	}
	if left := provision.StripLifecycle(merged); !slices.Equal(left, theirs) {
		t.Errorf("stripped: %+v", left)
	}
	for i := range merged[:2] {
		for name, spoil := range map[string]func(*provision.LifecycleRule){
			"another folder": func(r *provision.LifecycleRule) { r.Prefix = "images/" },
			"never":          func(r *provision.LifecycleRule) { r.ExpireDays, r.NoncurrentDays, r.AbortDays = 0, 0, 0 },
			"later":          func(r *provision.LifecycleRule) { r.ExpireDays += 6; r.AbortDays += 6 },
		} {
			spoilt := slices.Clone(merged)
			spoil(&spoilt[i])
			if got, changed := provision.MergeLifecycle(spoilt, &w); !changed || len(got) != 3 {
				t.Errorf("%s: %v %+v", name, changed, got)
			}
		}
	}
	for _, r := range provision.Lifecycle(&w) {
		if r.Prefix != "incoming/" {
			t.Errorf("a rule touches %q", r.Prefix)
		}
	}
}

// The same said in other words is the same, and another thing is not.
func TestSamePolicy(t *testing.T) {
	const doc = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":["s3:GetObject","s3:PutObject"],"Resource":["a","b"],"Condition":{"Bool":{"aws:SecureTransport":["false"]}}}]}`
	for name, same := range map[string]string{
		"one statement":  `{"Statement":{"Effect":"Deny","Principal":"*","Action":["s3:GetObject","s3:PutObject"],"Resource":["a","b"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}},"Version":"2012-10-17"}`,
		"another order":  strings.Replace(doc, `["s3:GetObject","s3:PutObject"]`, `["s3:PutObject","s3:GetObject"]`, 1),
		"a bool":         strings.Replace(doc, `["false"]`, `false`, 1),
		"AWS principals": strings.Replace(doc, `"Principal":"*"`, `"Principal":{"AWS":["*"]}`, 1),
	} {
		if !provision.SamePolicy(doc, same) {
			t.Errorf("%s: not the same", name)
		}
	}
	for name, other := range map[string]string{
		"Allow":           strings.Replace(doc, "Deny", "Allow", 1),
		"one action less": strings.Replace(doc, `,"s3:PutObject"`, "", 1),
		"joined":          strings.Replace(doc, `["a","b"]`, `["a,b"]`, 1),
		"true":            strings.Replace(doc, `["false"]`, `["true"]`, 1),
		"no condition":    strings.Replace(doc, `,"Condition":{"Bool":{"aws:SecureTransport":["false"]}}`, "", 1),
		"twice":           strings.Replace(doc, `"Statement":[`, `"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},`, 1),
		"no JSON":         "x",
	} {
		if provision.SamePolicy(doc, other) {
			t.Errorf("%s: the same", name)
		}
	}
}

func TestTrustPolicy(t *testing.T) {
	w := wants(t)["role-oidc"]
	p, err := provision.TrustPolicy(&w)
	if err != nil {
		t.Fatal(err)
	}
	is := p.Statement[0].Condition["StringEquals"]
	const issuer = "token.actions.githubusercontent.com"
	if len(p.Statement) != 1 || len(is) != 2 || is[issuer+":sub"][0] != w.Trust.Subject || is[issuer+":aud"][0] != "sts.amazonaws.com" {
		t.Errorf("%s", p)
	}
	for _, subject := range []string{"", "*", "repo:me/*", "repo:m?", "${" + issuer + ":sub}"} {
		w.Trust.Subject = subject
		if _, err := provision.TrustPolicy(&w); !errors.Is(err, provision.ErrWant) {
			t.Errorf("the subject %q: %v", subject, err)
		}
	}
	w.Trust.Subject, w.Trust.Audience = "repo:me/site", "*"
	if _, err := provision.TrustPolicy(&w); !errors.Is(err, provision.ErrWant) {
		t.Errorf("any audience: %v", err)
	}
	w = wants(t)["role-ec2"]
	w.Region = "cn-north-1"
	if p, err := provision.TrustPolicy(&w); err != nil || !strings.Contains(p.String(), `"ec2.amazonaws.com.cn"`) {
		t.Errorf("in China: %v %s", err, p)
	}
}

// Each of these is what browsers send, or never send, as an origin.
func TestCheck_Origins(t *testing.T) {
	for origin, ok := range map[string]bool{
		"https://app.example": true, "https://app.example:8443": true, "https://xn--bcher-kva.example": true, "https://192.0.2.1": true, "https://[2001:db8::1]:8443": true,
		"http://localhost": true, "http://localhost:3000": true, "http://app.localhost": true, "http://127.0.0.1:8080": true, "http://127.9.9.9": true, "http://[::1]:8080": true,
		"http://app.example": false, "http://192.168.0.10:3000": false, "http://localhost.example": false, "https://app.example:443": false, "http://localhost:80": false,
		"https://app.example:": false, "https://:8443": false, "https://bücher.example": false, "HTTPS://app.example": false, "https://app.example#x": false, "https://app.example?": false,
		"https://me@app.example": false, "app.example": false, "//app.example": false, "file://x": false, "chrome-extension://x": false, "https://a b": false, "https://app.example\n": false, "": false,
	} {
		w := wants(t)["aws-user"]
		w.Origins = []string{origin}
		if err := w.Check(); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "origin") {
			t.Errorf("%q: %v", origin, err)
		}
	}
}

// Names by "General purpose bucket naming rules".
func TestCheck_Buckets(t *testing.T) {
	aws, own := wants(t)["aws-user"], wants(t)["minio"]
	for name, ok := range map[string]bool{
		"abc": true, "a-b": true, "a--b": true, "1.2.3": false, "999.1.1.1": false, "a.b": false, "-ab": false, "ab-": false, "a_b": false, "aB": false,
		strings.Repeat("a", 63): true, strings.Repeat("a", 64): false, "sthree-a": false, "amzn-s3-demo-a": false, "a.mrap": false, "a--x-s3": false, "a--ol-s3": false, "a--table-s3": false,
	} {
		aws.Bucket = name
		if err := aws.Check(); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	own.Bucket = "my.photos"
	if err := own.Check(); err != nil {
		t.Errorf("in the path a dot does no harm: %v", err)
	}
	aws.Bucket, aws.PathStyle = "my.photos", true
	if err := aws.Check(); err == nil {
		t.Error("on AWS a dot is never covered")
	}
}
