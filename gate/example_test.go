package gate_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"postern.example/postern"
	"postern.example/postern/gate"
)

// whoIsSignedIn is the sign-in that your program has already.
func whoIsSignedIn(r *http.Request) (string, error) {
	if name, _, ok := r.BasicAuth(); ok {
		return name, nil
	}
	return "", postern.ErrUnauthenticated
}

// A gate inside your own program: your mux, your sign-in, your preset. With
// S3: &s3.Config{Bucket: "photos"} it is in front of a bucket of your own, and
// without it keeps one in Dir.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	g, err := gate.Open(ctx, gate.Config{
		Dir:     folder,
		Presets: []postern.Preset{{Name: "avatars", MaxBytes: 5e6, Variants: []postern.VariantRule{{Name: "small", Box: 128}}}},
		Pages:   []string{"https://app.example"},
		Handler: postern.HandlerConfig{BaseURL: "/gate", Principal: whoIsSignedIn},

		BucketListener: anyPort(), // left out: 127.0.0.1:9000
	})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- g.Run(ctx) }() // checks what arrives

	mux := http.NewServeMux()
	mux.Handle("/gate/", http.StripPrefix("/gate", g))

	// Alice's browser asks, and so does somebody who is not signed in.
	ask := func(name string) int {
		r := httptest.NewRequest("POST", "/gate/uploads", strings.NewReader(`{"filename":"me.jpg","type":"image/jpeg","size":12345}`))
		r.Header.Set("Content-Type", "application/json")
		if name != "" {
			r.SetBasicAuth(name, "…")
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code
	}
	fmt.Println(ask("alice"), ask(""))

	stop()
	fmt.Println(<-done, g.Close(context.Background()))
	// Output:
	// 201 401
	// <nil> <nil>
}

var folder, _ = os.MkdirTemp("", "postern-example")
