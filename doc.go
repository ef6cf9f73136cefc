// Package postern lets browsers upload images straight into your S3 bucket,
// and sees to it that only checked pictures are ever shown.
//
// # Three nouns, one flow
//
// A [Service] hands out a [Grant]: the signed permission to upload one file
// under one key, of one size, one type, for minutes. The browser sends the
// bytes to the bucket itself. Then the [Upload] is noted in the records, a
// worker reads it once, checks it and writes what it made of it elsewhere in
// the bucket, and deletes the original.
//
//	granted → stored → ready | rejected | failed
//
// [NewHandler] serves the flow over HTTP as docs/protocol.md describes it, in
// your own mux and with your own idea of who asks:
//
//	gate, err := postern.New(postern.Config{Secrets: …, Target: …, Bucket: …, Records: …})
//	handler, err := postern.NewHandler(gate, postern.HandlerConfig{Principal: whoIsSignedIn})
//	mux.Handle("/gate/", http.StripPrefix("/gate", handler)) // with BaseURL: "/gate"
//
// # Three rules
//
//  1. The bytes never pass through the signing server on their way in.
//  2. Nobody ever sees bytes a browser wrote. A grant can be used again until
//     it expires, so what is served lies under keys that no grant can reach.
//  3. Signing keeps no state. What an upload is allowed travels on the object
//     as a sealed [Ticket], so that every object explains itself.
//
// # Errors
//
// Every error a caller may act on is an [*Error] with a stable [Code]; compare
// with the sentinels by [errors.Is]. [Problems] is the table of codes, HTTP
// statuses and titles.
//
// # Compatibility
//
// Until v1 the Go API may change between minor versions; CHANGELOG.md says
// how. The wire contract, the error codes and sealed tickets change only with
// a new version of the contract. This package imports the standard library
// and sigv4, nothing else; a test keeps it so.
package postern
