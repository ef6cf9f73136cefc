package provision_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"postern.example/postern/internal/provision"
)

const theirs = `{"Version":"2008-10-17","Id":"x","Statement":{"Sid":"Theirs","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/shared/*"}}`

func TestMergePolicy(t *testing.T) {
	w := wants(t)["aws-public"]
	merged, changed, err := provision.MergePolicy(theirs, &w)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	for _, want := range []string{`"Id": "x"`, `"Version": "2008-10-17"`, `"Theirs"`, `"PosternPublicImages"`, `arn:aws:iam::111122223333:root`} {
		if !strings.Contains(merged, want) {
			t.Errorf("%s is missing in %s", want, merged)
		}
	}
	if _, changed, err := provision.MergePolicy(merged, &w); err != nil || changed {
		t.Errorf("merged again it changes: %v", err)
	}
	// As AWS and MinIO spell the same: texts for lists of one, "*" as an AWS principal.
	other := strings.NewReplacer(`"Principal": "*"`, `"Principal": {"AWS": "*"}`, "[\n        \"s3:GetObject\"\n      ]", `"s3:GetObject"`).Replace(merged)
	if other == merged {
		t.Fatal("nothing is spelt in another way")
	}
	if _, changed, err := provision.MergePolicy(other, &w); err != nil || changed {
		t.Errorf("in another spelling it changes: %v", err)
	}
	w.Public = false
	private, changed, err := provision.MergePolicy(merged, &w)
	if err != nil || !changed || strings.Contains(private, "PosternPublicImages") || !strings.Contains(private, "Theirs") {
		t.Errorf("made private: %v %s", err, private)
	}
	left, some, err := provision.StripPolicy(merged)
	if err != nil || !some || strings.Contains(left, `"Postern`) || !strings.Contains(left, "Theirs") {
		t.Errorf("stripped: %v %s", err, left)
	}
	if left, some, err := provision.StripPolicy(strings.Replace(merged, "Theirs", "PosternTheirs", 1)); err != nil || some || left != "" {
		t.Errorf("stripped of all: %v %s", err, left)
	}
	for _, bad := range []string{"x", "[]", "null", `{"Version":"2012-10-17"}`, `{"Statement":"x"}`, `{"Statement":[1]}`, theirs + "{}"} {
		if _, _, err := provision.MergePolicy(bad, &w); !errors.Is(err, provision.ErrWant) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// Whatever stands in a bucket's policy: what is not ours stays, merging twice
// changes nothing, and taking ours away leaves what was there.
func FuzzMergePolicy(f *testing.F) {
	f.Add(theirs)
	f.Add("")
	f.Add(`{"Statement":[{"Sid":"PosternTLSOnly","Effect":"Deny"},{"Effect":1e400}]}`)
	f.Add(`{"Statement":[],"Statement":[{"Sid":"a"}]}`)
	f.Fuzz(func(t *testing.T, existing string) {
		w := wants(t)["aws-public"]
		merged, _, err := provision.MergePolicy(existing, &w)
		if err != nil {
			return
		}
		count := func(text string) (ours, others int) {
			if strings.TrimSpace(text) == "" {
				return 0, 0
			}
			var doc struct{ Statement json.RawMessage }
			if err := json.Unmarshal([]byte(text), &doc); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			list := []map[string]any{}
			if json.Unmarshal(doc.Statement, &list) != nil {
				list = append(list, map[string]any{})
				if err := json.Unmarshal(doc.Statement, &list[0]); err != nil {
					t.Skip() // a number that Go cannot hold
				}
			}
			for _, s := range list {
				if sid, _ := s["Sid"].(string); strings.HasPrefix(sid, "Postern") {
					ours++
				} else {
					others++
				}
			}
			return ours, others
		}
		_, before := count(existing)
		ours, after := count(merged)
		if before != after || ours != len(provision.BucketStatements(&w)) {
			t.Errorf("%d foreign statements became %d, and %d are ours", before, after, ours)
		}
		if _, changed, err := provision.MergePolicy(merged, &w); err != nil || changed {
			t.Errorf("merged again: changed %v, %v", changed, err)
		}
		left, _, err := provision.StripPolicy(merged)
		if err != nil {
			t.Fatal(err)
		}
		if ours, others := count(left); ours != 0 || others != before {
			t.Errorf("stripped: %d ours, %d of %d others", ours, others, before)
		}
	})
}
