// Command app is a web application of your own with a gate inside: its own
// sign-in, its own rules, and everything kept in one folder. Open the address
// and choose a picture; the user is the one in the cookie.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/web"
)

const page = `<!doctype html><meta charset="utf-8"><title>Avatar</title>
<h1>Your avatar</h1>
<script type="module" src="/gate/postern.js"></script>
<postern-upload preset="avatars" endpoint="/gate"></postern-upload>`

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "address of the application")
	bucket := flag.String("bucket-listen", "127.0.0.1:9090", "address of the embedded bucket")
	dir := flag.String("data", "app-data", "folder for everything")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	app, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	files, err := net.Listen("tcp", *bucket)
	if err != nil {
		log.Fatal(err)
	}
	g, err := gate.Open(ctx, gate.Config{
		Dir:            *dir,
		BucketListener: files,
		Pages:          []string{"http://" + app.Addr().String()},
		Presets: []postern.Preset{{
			Name: "avatars", Types: []string{"image/jpeg", "image/png"}, MaxBytes: 5e6,
			Variants: []postern.VariantRule{{Name: "small", Box: 64}, {Name: "large", Box: 512}},
		}},
		Handler: postern.HandlerConfig{BaseURL: "/gate", Principal: whoIsSignedIn},
	})
	if err != nil {
		log.Fatal(err)
	}
	checked := make(chan error)
	go func() { checked <- g.Run(ctx) }()

	mux := http.NewServeMux()
	mux.Handle("/gate/", http.StripPrefix("/gate", g))
	mux.Handle("/gate/postern.js", http.StripPrefix("/gate", web.Handler(web.Config{})))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "user", Value: "alice", HttpOnly: true, SameSite: http.SameSiteLaxMode}) // your sign-in
		fmt.Fprint(w, page)
	})
	server := &http.Server{Handler: mux}
	go func() { <-ctx.Done(); server.Shutdown(context.Background()) }()
	fmt.Printf("open http://%s\n", app.Addr())
	if err := server.Serve(app); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	if err := <-checked; err != nil {
		log.Fatal(err)
	}
	if err := g.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// whoIsSignedIn is the sign-in that your application has: here a cookie.
func whoIsSignedIn(r *http.Request) (string, error) {
	c, err := r.Cookie("user")
	if err != nil {
		return "", postern.ErrUnauthenticated
	}
	return c.Value, nil
}
