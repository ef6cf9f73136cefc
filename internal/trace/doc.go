// Package trace tells an OpenTelemetry collector what was done and for how long:
// requests, the checks that follow from them on whichever copy, and what was
// asked of the bucket meanwhile, all of one upload in one trace. It speaks OTLP
// over HTTP, in protobuf (OTLP Specification 1.9, "OTLP/HTTP").
//
// Spans say routes, states, ids and sizes. They never have a file's name, an
// object's key, an address with its query, a header or anything that signs.
package trace
