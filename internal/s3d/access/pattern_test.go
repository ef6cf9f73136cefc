package access

import (
	"strings"
	"testing"
	"time"
)

// A pattern made to be slow is not slow: the most that fits a bucket policy,
// against the longest key.
func TestHostilePatternsEndSoon(t *testing.T) {
	key := strings.Repeat("a", 1024)
	for _, pattern := range []string{
		strings.Repeat("*a", 250) + "*b",
		"*" + strings.Repeat("a", 512) + "b",
		strings.Repeat("*?", 250) + "b",
		strings.Repeat("*aaaaaaa?", 60) + "b",
	} {
		one := `"arn:aws:s3:::b/` + pattern + `"`
		n := (maxBucketPolicy - 200) / (len(one) + 1)
		doc := `{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":[` + strings.Repeat(one+",", n-1) + one + `]}}`
		p, err := ParseBucket([]byte(doc), "b")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if d := p.Judge(Request{Action: "s3:GetObject", Bucket: "b", Key: key}); d != NoMatch {
			t.Error(d)
		}
		took := time.Since(start)
		t.Logf("%d times %.12s… took %v", n, pattern, took)
		if took > 2*time.Second {
			t.Errorf("%.20s took %v", pattern, took)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	p, err := ParseIdentity([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload"],
	  "Resource":"arn:aws:s3:::bucket/incoming/*"},{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`))
	if err != nil {
		b.Fatal(err)
	}
	r := Request{Action: "s3:PutObject", Bucket: "bucket", Key: "incoming/01j8zq3k5v9x7w6t4r2p1n0m8h", Conditions: map[string][]string{"aws:securetransport": {"true"}}}
	b.ReportAllocs()
	for b.Loop() {
		if p.Judge(r) != Allow {
			b.Fatal("not allowed")
		}
	}
}
