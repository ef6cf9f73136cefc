package main

import (
	"slices"
	"strings"
	"testing"

	"postern.example/postern"
)

// Every provider can be named, and what follows from it does not contradict
// the rest of the settings.
func TestFindServer_EveryProvider(t *testing.T) {
	fill := strings.NewReplacer("ACCOUNT", "0123abc", "REGION", "fra1", "LOCATION", "fsn1", "HOST", "s3.example.org")
	for _, p := range postern.Providers() {
		inFolder(t)
		env := map[string]string{"POSTERN_PROVIDER": p.Name, "POSTERN_BUCKET": "photos", "POSTERN_ENDPOINT": fill.Replace(p.Endpoint)}
		s, err := resolve(noFlags, envOf(env))
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		if s.server.Name != p.Name || s.provider().Name != p.Name || s.pathStyle != p.PathStyle {
			t.Errorf("%s: server %s, path style %v", p.Name, s.server.Name, s.pathStyle)
		}
		conf, err := s.ownBucket(nil)
		if err != nil || conf.PathStyle != p.PathStyle || conf.Region != p.RegionOf(s.endpoint) {
			t.Errorf("%s: %+v, %v", p.Name, conf, err)
		}
		if !strings.Contains(s.bucketAddress(), "photos") {
			t.Errorf("%s: the bucket is at %s", p.Name, s.bucketAddress())
		}
	}
	if !slices.Contains(providerNames(), "embedded") {
		t.Error("the embedded bucket has no name")
	}
}
