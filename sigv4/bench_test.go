package sigv4_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// The caches are warm, as they are in a gate, but the clock moves at every
// call, so nothing is kept from one second to the next.

func BenchmarkPost(b *testing.B) {
	s := sigv4.NewSigner("us-east-1")
	now := exampleTime
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := now.Add(time.Duration(i%80000) * time.Second)
		if fields := s.Post(example, at, photoPolicy(at)); len(fields) != 5 {
			b.Fatal(fields)
		}
	}
}

func BenchmarkPresign(b *testing.B) {
	s := sigv4.NewSigner("us-east-1")
	r := sigv4.Request{
		Method: "PUT", URL: &url.URL{Scheme: "https", Host: "photos.s3.us-east-1.amazonaws.com", Path: "/incoming/1"},
		Header: http.Header{"Content-Type": {"image/png"}}, Expires: 5 * time.Minute,
	}
	now := exampleTime
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Presign(example, now.Add(time.Duration(i%80000)*time.Second), r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyPost(b *testing.B) {
	v := verifierFor(example, exampleTime)
	f := signedForm(example, exampleTime)
	b.ReportAllocs()
	for b.Loop() {
		if err := accept(v, f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyRequest(b *testing.B) {
	r := newRequest(b, "GET", "http://127.0.0.1:9000/b/a?list-type=2", "")
	if err := sigv4.NewSigner("us-east-1").SignHeader(example, exampleTime, r, ""); err != nil {
		b.Fatal(err)
	}
	in := received(b, r)
	v := verifierFor(example, exampleTime)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Request(in); err != nil {
			b.Fatal(err)
		}
	}
}

// 1 MiB in chunks of 64 KiB. The first is mostly SHA-256.

func BenchmarkChunkedSigned(b *testing.B) { benchmarkChunked(b, sigv4.StreamingPayload) }

func BenchmarkChunkedUnsignedTrailer(b *testing.B) {
	benchmarkChunked(b, sigv4.StreamingUnsignedTrailer)
}

func benchmarkChunked(b *testing.B, mode string) {
	const size = 1 << 20
	e := encoding{mode: mode, chunk: 64 << 10}
	if mode != sigv4.StreamingPayload {
		e.trailer = []string{"x-amz-checksum-crc32:AAAAAA=="}
	}
	id, c := streaming(b, mode, size, e.names()...)
	encoded := e.encode(c, textOf(size))
	in, p := strings.NewReader(encoded), make([]byte, 32<<10)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(encoded)
		r, err := id.Chunked(in, size, e.names())
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = r.Read(p)
		}
		if err != io.EOF { //nolint:errorlint // by the contract of io.Reader
			b.Fatal(err)
		}
	}
}
