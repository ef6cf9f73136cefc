package main

import (
	"slices"
	"strings"
	"testing"

	"postern.example/postern"
	"postern.example/postern/posterntest"
)

// What "presets" says is what the service grants.
func TestTransfers_AreThoseGranted(t *testing.T) {
	const mib = 1 << 20
	r2, _ := postern.ProviderByName("r2")
	for name, c := range map[string]struct {
		on     postern.Provider // zero: the embedded bucket
		preset postern.Preset
	}{
		"auto":               {postern.Provider{}, postern.Preset{MaxBytes: 200 * mib}},
		"auto, never large":  {postern.Provider{}, postern.Preset{}},
		"auto, never small":  {postern.Provider{}, postern.Preset{MinBytes: 64 * mib, MaxBytes: 200 * mib}},
		"auto, always parts": {r2, postern.Preset{MinBytes: 64 * mib, MaxBytes: 200 * mib}},
		"auto, no POST":      {r2, postern.Preset{MaxBytes: 200 * mib}},
		"put":                {postern.Provider{}, postern.Preset{Transfer: postern.Put, MaxBytes: 200 * mib}},
		"parts":              {r2, postern.Preset{Transfer: postern.Multi, MaxBytes: 200 * mib}},
	} {
		t.Run(name, func(t *testing.T) {
			c.preset.Name = "photos"
			g := posterntest.Start(t, posterntest.Config{Presets: []postern.Preset{c.preset}, Provider: c.on, NoWorker: true})
			if c.on.Name == "" {
				c.on, _ = postern.ProviderByName("embedded")
			}
			full := g.Service.Presets()[0]
			granted := map[string]bool{}
			for _, size := range []*int64{nil, &full.MinBytes, new(full.MultipartFrom - 1), &full.MultipartFrom, &full.MaxBytes} {
				if size != nil && (*size < full.MinBytes || *size > full.MaxBytes) {
					continue
				}
				up, err := g.Service.Grant(t.Context(), "me", postern.Request{Type: "image/png", Size: size})
				if size == nil && err != nil {
					continue // by PUT and in parts the size must be said
				}
				if err != nil {
					t.Fatal(err)
				}
				granted[strings.ToLower(up.Method)] = true
			}
			said := transfers(&full, c.on)
			for _, way := range said {
				if !granted[string(way)] {
					t.Errorf("said %s, which no file is granted", way)
				}
				delete(granted, string(way))
			}
			if len(granted) > 0 {
				t.Errorf("said %v, but granted also %v", said, granted)
			}
		})
	}
}

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
