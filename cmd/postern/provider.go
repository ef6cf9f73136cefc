package main

import (
	"strings"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/s3"
)

func providerNames() []string {
	var names []string
	for _, p := range postern.Providers() {
		names = append(names, p.Name)
	}
	return names
}

// findServer finds out what the bucket's server is, and completes what follows
// from that: region and addressing, unless they are set.
func (s *settings) findServer() error {
	var named bool
	if s.server, named = postern.ProviderByName(s.providerName); named {
		if err := s.checkProvider(); err != nil {
			return err
		}
	} else {
		s.recogniseServer()
	}
	if region := s.server.RegionOf(s.endpoint); region != "" && s.from["region"].kind == "default" {
		s.region, s.from["region"] = region, recognised
		if region == s.server.Region {
			s.from["region"] = origin{"provider", s.server.Name}
		}
	}
	if s.from["path-style"].kind == "default" {
		s.pathStyle, s.from["path-style"] = s.server.PathStyle, origin{"provider", s.server.Name}
		if !s.pathStyle && strings.Contains(s.bucket, ".") {
			// A dot does not fit the wildcard of the server's certificate.
			s.pathStyle, s.from["path-style"] = true, origin{"bucket", "with a dot"}
		}
	}
	return nil
}

// provider says what the bucket's server can do.
func (s *settings) provider() postern.Provider { return s.server }

var recognised = origin{"recognised", "from endpoint"}

// recogniseServer is for when the provider is not set.
func (s *settings) recogniseServer() {
	if s.bucket == "" {
		s.server, _ = postern.ProviderByName("embedded")
	} else if s.server = postern.ProviderOf(s.endpoint); s.endpoint != "" && s.server.Name != "other" {
		s.from["provider"] = recognised
	}
	s.providerName = s.server.Name
}

// checkProvider holds a provider that is set against the rest.
func (s *settings) checkProvider() error {
	at := s.from["provider"].name
	switch {
	case s.bucket == "" && s.providerName != "embedded":
		return misused("Name it with --bucket.", "the provider is %s (%s), but there is no bucket", s.providerName, at)
	case s.bucket != "" && s.endpoint == "" && s.server.Endpoint != "":
		return misused("Give it with --endpoint, such as "+s.server.Endpoint+".", "the provider is %s (%s), but its endpoint is not known", s.providerName, at)
	}
	return nil
}

// bucketAddress is the bucket's URL as browsers will have it, as far as it is
// known before anybody is asked.
func (s *settings) bucketAddress() string {
	switch {
	case s.bucketURL != "":
		return s.bucketURL
	case s.bucket == "":
		return "http://" + s.bucketListen + "/" + gate.EmbeddedBucket
	}
	region := s.region
	if region == "" {
		region = "REGION" // the AWS chain will say it
	}
	return s3.Config{Bucket: s.bucket, Endpoint: s.endpoint, PathStyle: s.pathStyle}.URL(region)
}
