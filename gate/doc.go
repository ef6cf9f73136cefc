// Package gate is the whole of Postern in one value, for your own program: the
// API as an [http.Handler], the records, the worker that checks what arrives,
// and a bucket of your own or an embedded one.
//
//	g, err := gate.Open(ctx, gate.Config{Dir: "postern-data", Handler: postern.HandlerConfig{
//		BaseURL: "/gate", Principal: whoIsSignedIn,
//	}})
//	defer g.Close(context.Background())
//	go g.Run(ctx)
//	mux.Handle("/gate/", http.StripPrefix("/gate", g))
//
// Who wants the parts by themselves finds them in the packages postern,
// records and s3; "postern serve" is made of this.
package gate
