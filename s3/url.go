package s3

import (
	"net/url"
	"strings"
)

// URL is the bucket's address for browsers, which is where their files go: the
// endpoint with the bucket's name before the host or in the path, or AWS's own
// for the region.
func (c Config) URL(region string) string {
	if c.Endpoint == "" {
		domain := "amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			domain = "amazonaws.com.cn"
		}
		// A dot in the name does not fit the wildcard of AWS's certificate.
		if c.PathStyle || strings.Contains(c.Bucket, ".") {
			return "https://s3." + region + "." + domain + "/" + c.Bucket
		}
		return "https://" + c.Bucket + ".s3." + region + "." + domain
	}
	u, err := url.Parse(strings.TrimSuffix(c.Endpoint, "/"))
	if err != nil {
		return c.Endpoint
	}
	if c.PathStyle {
		return u.String() + "/" + c.Bucket
	}
	u.Host = c.Bucket + "." + u.Host
	return u.String()
}
