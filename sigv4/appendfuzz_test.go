package sigv4_test

import (
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// FuzzAppendPost holds the two ways to sign a form against each other, and the
// document against the strict reader.
func FuzzAppendPost(f *testing.F) {
	s := sigv4.NewSigner("us-east-1")
	f.Fuzz(func(t *testing.T, id, token, field, value string, milliseconds int64) {
		c := sigv4.Credentials{AccessKeyID: id, SecretAccessKey: "s", SessionToken: token}
		now := time.UnixMilli(milliseconds % 253402300800000).UTC() // years of four digits
		p := &sigv4.Policy{Expiration: now, Conditions: []sigv4.Condition{
			sigv4.Eq("bucket", "photos"), sigv4.Eq(field, value), sigv4.StartsWith(field, value),
		}}
		if now.Year() < 0 {
			return
		}
		samePost(t, s, c, now, p)
		doc := decoded(t, s.Post(c, now, p)[0].Value)
		got, err := sigv4.ParsePolicy(doc)
		if err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		want := 6
		if token != "" {
			want++
		}
		if len(got.Conditions) != want || validUTF8(field) && validUTF8(value) && got.Conditions[1] != p.Conditions[1] {
			t.Fatalf("%q, %q became %v", field, value, got.Conditions)
		}
	})
}

// FuzzAppendPresign holds the three ways to presign a URL against each other.
func FuzzAppendPresign(f *testing.F) {
	s := sigv4.NewSigner("us-east-1")
	f.Fuzz(func(t *testing.T, key, query, token, value, uploadID string, number uint16, length int64) {
		c := sigv4.Credentials{AccessKeyID: "AKID", SecretAccessKey: "s", SessionToken: token}
		samePresign(t, s, c, exampleTime, "https://b.example/p", key, query, []sigv4.Field{
			{Name: "content-type", Value: value}, {Name: "x-amz-meta-a", Value: strings.ToUpper(value)},
		})
		if n := int(number); uploadID != "" && n >= 1 && n <= sigv4.MaxParts && length >= 0 {
			sameParts(t, s, c, exampleTime, "https://b.example/p", key, uploadID, []int{n}, length)
		}
	})
}
