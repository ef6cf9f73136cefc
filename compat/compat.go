// Package compat speaks the protocols of other people's upload clients, so
// that they work with a gate unchanged: Uppy, Rails Active Storage, Shrine, the
// image-upload tutorial, and a plain HTML form without script.
//
// Each handler is a [http.Handler] over the same [postern.Service]: the same
// presets, records and checks. What a client says of keys, buckets and upload
// ids is never believed: a key must be that of an upload granted to who asks,
// and an upload id is a ticket that the service sealed for it.
//
// A handler answers at its protocol's own paths, see [Patterns]:
//
//	uppy, err := compat.Uppy(service, postern.HandlerConfig{Principal: whoIsSignedIn})
//	mux.Handle("/s3/", uppy)
//
// or below a prefix, next to the API's handler:
//
//	mux.Handle("/gate/s3/", http.StripPrefix("/gate", uppy)) // with BaseURL: "/gate"
//
// HandlerConfig.BaseURL is always the address of the gate's API, which
// addresses of uploads and pictures are made from.
package compat

import (
	"fmt"
	"net/http"
	"strings"

	"postern.example/postern"
)

// protocol is one of those that New makes.
type protocol struct {
	name     string
	patterns []string
	handler  func(*postern.Service, postern.HandlerConfig) (http.Handler, error)
}

func protocols() []protocol {
	return []protocol{
		{"uppy", []string{"/s3/"}, Uppy},
		{"activestorage", []string{directUploads}, ActiveStorage},
		{"shrine", []string{presign}, Shrine},
		{"tutorial", []string{credentials}, Tutorial},
		{"form", []string{formPath, donePath}, Form},
	}
}

// Names returns the names that New knows, in the order of the documentation.
func Names() []string {
	list := protocols()
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.name
	}
	return names
}

// Patterns returns where the protocol called name is served, as patterns of
// [http.ServeMux] without a method; nil for a name that New does not know.
func Patterns(name string) []string {
	for _, p := range protocols() {
		if p.name == name {
			return p.patterns
		}
	}
	return nil
}

// New makes the handler of the protocol called name, or says which part of c is
// unusable. Like [postern.NewHandler], it is safe for concurrent use.
func New(name string, s *postern.Service, c postern.HandlerConfig) (http.Handler, error) {
	for _, p := range protocols() {
		if p.name == name {
			return p.handler(s, c)
		}
	}
	return nil, fmt.Errorf("protocol %q is not known; choose from %s", name, strings.Join(Names(), ", "))
}
