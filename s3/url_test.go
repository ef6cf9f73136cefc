package s3_test

import (
	"testing"

	"postern.example/postern/s3"
)

func TestURL(t *testing.T) {
	for _, tc := range []struct {
		c            s3.Config
		region, want string
	}{
		{s3.Config{Bucket: "photos"}, "eu-central-1", "https://photos.s3.eu-central-1.amazonaws.com"},
		{s3.Config{Bucket: "my.photos"}, "eu-central-1", "https://s3.eu-central-1.amazonaws.com/my.photos"},
		{s3.Config{Bucket: "photos", PathStyle: true}, "us-east-1", "https://s3.us-east-1.amazonaws.com/photos"},
		{s3.Config{Bucket: "photos"}, "cn-north-1", "https://photos.s3.cn-north-1.amazonaws.com.cn"},
		{s3.Config{Bucket: "photos", Endpoint: "https://s3.example:9000/", PathStyle: true}, "x", "https://s3.example:9000/photos"},
		{s3.Config{Bucket: "photos", Endpoint: "https://s3.example:9000/"}, "x", "https://photos.s3.example:9000"},
	} {
		if got := tc.c.URL(tc.region); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.c, got, tc.want)
		}
	}
}
