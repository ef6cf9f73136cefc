package clients

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

var listing = []string{"a", "a/1", "a/2", "a/b/1", "b/1", "b/2", "c", "ü/1"} //nolint:gochecknoglobals // what every client lists

func TestAWSList(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withBucket(t, s)
		ctx := t.Context()
		for _, k := range listing {
			c.put(k, "x")
		}
		for _, want := range []struct{ prefix, delimiter, keys, prefixes string }{
			{"", "", strings.Join(listing, " "), ""},
			{"", "/", "a c", "a/ b/ ü/"},
			{"a", "/", "a", "a/"},
			{"a/", "/", "a/1 a/2", "a/b/"},
			{"b/", "", "b/1 b/2", ""},
			{"ü", "/", "", "ü/"},
			{"none", "/", "", ""},
		} {
			for _, size := range []int32{1, 2, 1000} {
				var keys, prefixes []string
				pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: c.name, Prefix: &want.prefix, Delimiter: &want.delimiter, MaxKeys: &size})
				for pages.HasMorePages() {
					page, err := pages.NextPage(ctx)
					must(t, err)
					if n := len(page.Contents) + len(page.CommonPrefixes); n > int(size) || int(*page.KeyCount) != n {
						t.Errorf("%+v: page of %d has %d, says %d", want, size, n, *page.KeyCount)
					}
					for _, o := range page.Contents {
						if *o.Size != 1 || o.ETag == nil || o.LastModified == nil || o.StorageClass != "STANDARD" {
							t.Errorf("entry is %+v", o)
						}
						keys = append(keys, *o.Key)
					}
					for _, p := range page.CommonPrefixes {
						prefixes = append(prefixes, *p.Prefix)
					}
				}
				if strings.Join(keys, " ") != want.keys || strings.Join(prefixes, " ") != want.prefixes {
					t.Errorf("%q %q by %d: %v %v", want.prefix, want.delimiter, size, keys, prefixes)
				}

				keys, prefixes = nil, nil
				for marker := ""; ; {
					page, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: c.name, Prefix: &want.prefix, Delimiter: &want.delimiter, MaxKeys: &size, Marker: &marker})
					must(t, err)
					for _, o := range page.Contents {
						keys = append(keys, *o.Key)
						marker = *o.Key
					}
					for _, p := range page.CommonPrefixes {
						prefixes = append(prefixes, *p.Prefix)
					}
					if !*page.IsTruncated {
						break
					}
					if page.NextMarker != nil {
						marker = *page.NextMarker
					}
				}
				if strings.Join(keys, " ") != want.keys || strings.Join(prefixes, " ") != want.prefixes {
					t.Errorf("first version, %q %q by %d: %v %v", want.prefix, want.delimiter, size, keys, prefixes)
				}
			}
		}
		after, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: c.name, StartAfter: aws.String("b/1"), FetchOwner: aws.Bool(true)})
		must(t, err)
		var keys []string
		for _, o := range after.Contents {
			keys = append(keys, *o.Key)
			if o.Owner == nil || aws.ToString(o.Owner.ID) == "" {
				t.Errorf("%s has no owner", *o.Key)
			}
		}
		if !slices.Equal(keys, []string{"b/2", "c", "ü/1"}) {
			t.Errorf("after b/1 come %v", keys)
		}
		coded, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: c.name, Prefix: aws.String("ü"), EncodingType: "url"})
		must(t, err)
		equal(t, "encoded key", *coded.Contents[0].Key, "%C3%BC/1")
		_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: c.name, ContinuationToken: aws.String("made up")})
		refused(t, err, 400, "InvalidArgument")
	})
}
