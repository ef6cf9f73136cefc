package s3d

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A bucket's tags are kept as a whole, and are gone when they are deleted.
func TestBucketTags(t *testing.T) {
	f := start(t)
	ctx, bucket := context.Background(), aws.String(testBucket)
	f.expect(f.do("GET", "/photos?tagging", nil, nil), 404, "NoSuchTagSet")
	for _, tags := range [][]types.Tag{
		{{Key: aws.String("made-by"), Value: aws.String("setup")}, {Key: aws.String("b"), Value: aws.String("")}},
		{{Key: aws.String("ü"), Value: aws.String("a+b=c")}},
	} {
		_, err := f.sdk().PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: bucket, Tagging: &types.Tagging{TagSet: tags}})
		must(t, err)
		out, err := f.sdk().GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket})
		must(t, err)
		if len(out.TagSet) != len(tags) {
			t.Fatalf("%d tags, want %d", len(out.TagSet), len(tags))
		}
		for _, want := range tags {
			found := false
			for _, got := range out.TagSet {
				found = found || *got.Key == *want.Key && *got.Value == *want.Value
			}
			if !found {
				t.Errorf("%s=%s is not there", *want.Key, *want.Value)
			}
		}
	}
	doc := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<Tag><Key>k%d</Key><Value>v</Value></Tag>", i)
		}
		return "<Tagging><TagSet>" + b.String() + "</TagSet></Tagging>"
	}
	for _, c := range []struct {
		doc    string
		status int
		code   string
	}{
		{doc(maxBucketTags), 204, ""},
		{doc(maxBucketTags + 1), 400, "InvalidTag"},
		{"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>2</Value></Tag></TagSet></Tagging>", 400, "InvalidTag"},
		{"<Tagging><TagSet><Tag><Key>aws:a</Key><Value>1</Value></Tag></TagSet></Tagging>", 400, "InvalidTag"},
		{"<Tagging/>", 400, "MalformedXML"},
		{"x", 400, "MalformedXML"},
	} {
		if r := f.set("tagging", c.doc); r.status != c.status || r.code() != c.code {
			t.Errorf("%.80s: %d %s", c.doc, r.status, r.body)
		}
	}
	if r := f.do("GET", "/photos?tagging", nil, nil); strings.Count(string(r.body), "<Tag>") != maxBucketTags {
		t.Errorf("a refused document has changed the tags: %s", r.body)
	}
	_, err := f.sdk().DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: bucket})
	must(t, err)
	f.expect(f.do("GET", "/photos?tagging", nil, nil), 404, "NoSuchTagSet")
}
