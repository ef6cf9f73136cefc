// Command bucket puts a gate in front of a bucket of your own: on AWS, or on
// any S3 with -endpoint. The credential comes from the AWS chain.
//
//	go run ./examples/bucket -bucket photos -region eu-central-1
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"

	"postern.example/postern"
	"postern.example/postern/gate"
	"postern.example/postern/s3"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "address of the API")
	name := flag.String("bucket", "", "name of the bucket")
	region := flag.String("region", "", "its region; default what the AWS chain says")
	endpoint := flag.String("endpoint", "", "URL of an S3 server other than AWS")
	dir := flag.String("data", "bucket-data", "folder for the records")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	g, err := gate.Open(ctx, gate.Config{
		Dir: *dir,
		S3: &s3.Config{
			Bucket: *name, Region: *region, Endpoint: *endpoint,
			PathStyle: postern.ProviderOf(*endpoint).PathStyle,
		},
		// A form where the provider has forms, a PUT elsewhere, parts for large files.
		Presets: []postern.Preset{{Name: "photos", Transfer: postern.Auto, MaxBytes: 200e6}},
	})
	if err != nil {
		log.Fatal(err)
	}
	checked := make(chan error)
	go func() { checked <- g.Run(ctx) }()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: g}
	go func() { <-ctx.Done(); server.Shutdown(context.Background()) }()
	fmt.Printf("listening on http://%s\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := errors.Join(<-checked, g.Close(context.Background())); err != nil {
		log.Fatal(err)
	}
}
