package sigv4_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

func TestChunkedRefuses(t *testing.T) {
	const crc = "x-amz-checksum-crc32"
	page := strings.Repeat("a", 8192)
	type refusal struct {
		name    string
		mode    string
		length  int
		names   []string
		encoded string // $ stands for the signature that belongs there
		code    string
	}
	unsigned := func(name string, length int, encoded, code string) refusal {
		return refusal{name, sigv4.StreamingUnsignedTrailer, length, []string{crc}, encoded, code}
	}
	signed := func(name string, length int, encoded, code string) refusal {
		return refusal{name, sigv4.StreamingPayload, length, nil, encoded, code}
	}
	withTrailer := func(name, trailer, code string) refusal {
		return refusal{"trailer " + name, sigv4.StreamingPayloadTrailer, 3, []string{crc}, "3;chunk-signature=$\r\nabc\r\n0;chunk-signature=$\r\n" + trailer, code}
	}
	const good = crc + ":AAAAAA==\r\n\r\n"
	for _, tt := range []refusal{
		// So that what follows can fail: these pass.
		unsigned("", 3, "3\r\nabc\r\n0\r\n"+good, ""),
		signed("", 3, "3;chunk-signature=$\r\nabc\r\n0;chunk-signature=$\r\n\r\n", ""),
		withTrailer("", crc+":AAAAAA==\r\nx-amz-trailer-signature:$\r\n\r\n", ""),
		withTrailer("", crc+":AAAAAA==\n\r\nx-amz-trailer-signature:$\r\n\r\n", ""),

		unsigned("size with sign", 3, "+3\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size negative", 3, "-3\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size with prefix", 3, "0x3\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size with underscore", 16, "1_0\r\n0123456789abcdef\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size with leading zero", 3, "03\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size with space before", 3, " 3\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size with space after", 3, "3 \r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size missing", 3, "\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size no hex", 3, "g\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size beyond 64 bits", 3, "10000000000000003\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size of 2^63-1", 3, "7fffffffffffffff\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size of 2^64-1", 3, "ffffffffffffffff\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("size of 64 KiB in digits", 3, strings.Repeat("0", 65536)+"3\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("zeros for a last chunk", 3, "3\r\nabc\r\n000\r\n"+good, "IncompleteBody"),
		unsigned("line end LF", 3, "3\nabc\n0\n"+good, "IncompleteBody"),
		unsigned("line end CR", 3, "3\rabc\r0\r"+good, "IncompleteBody"),
		unsigned("line end CR CR LF", 3, "3\r\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("no line end after a chunk", 3, "3\r\nabc0\r\n"+good, "IncompleteBody"),
		unsigned("LF after a chunk", 3, "3\r\nabc\n0\r\n"+good, "IncompleteBody"),
		unsigned("chunk shorter than said", 3, "2\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("body shorter than said", 4, "3\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("body longer than said", 2, "3\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("body longer by a chunk", 8192, "2000\r\n"+page+"\r\n1\r\na\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("no last chunk", 3, "3\r\nabc\r\n"+good, "IncompleteBody"),
		unsigned("plain", 3, "abc", "IncompleteBody"),
		unsigned("small chunks", 4, "3\r\nabc\r\n1\r\nd\r\n0\r\n"+good, "InvalidChunkSizeError"),
		unsigned("chunk small by a byte", 8192, "1fff\r\n"+page[1:]+"\r\n1\r\na\r\n0\r\n"+good, "InvalidChunkSizeError"),
		unsigned("small chunk in the middle", 16386, "2000\r\n"+page+"\r\n1\r\na\r\n2001\r\na"+page+"\r\n0\r\n"+good, "InvalidChunkSizeError"),

		// Threat 30: an unsigned body does not pretend to be signed, and what is
		// not announced is not taken.
		unsigned("Threat30 chunk signature", 3, "3;chunk-signature=$\r\nabc\r\n0;chunk-signature=$\r\n"+good, "IncompleteBody"),
		unsigned("Threat30 chunk signature on the last", 3, "3\r\nabc\r\n0;chunk-signature=$\r\n"+good, "IncompleteBody"),
		unsigned("Threat30 chunk extension", 3, "3;a=b\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("Threat30 empty extension", 3, "3;\r\nabc\r\n0\r\n"+good, "IncompleteBody"),
		unsigned("Threat30 trailer signature", 3, "3\r\nabc\r\n0\r\n"+crc+":AAAAAA==\r\nx-amz-trailer-signature:"+strings.Repeat("0", 64)+"\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 trailer not announced", 3, "3\r\nabc\r\n0\r\n"+crc+":AAAAAA==\r\nx-amz-meta-admin:1\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 another trailer", 3, "3\r\nabc\r\n0\r\nx-amz-checksum-sha1:AAAAAA==\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 no trailer", 3, "3\r\nabc\r\n0\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 trailer in capitals", 3, "3\r\nabc\r\n0\r\nX-Amz-Checksum-Crc32:AAAAAA==\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 trailer without value", 3, "3\r\nabc\r\n0\r\n"+crc+":\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 trailer with spaces", 3, "3\r\nabc\r\n0\r\n"+crc+": AAAAAA==\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 trailer without name", 3, "3\r\nabc\r\n0\r\n:AAAAAA==\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 trailer without colon", 3, "3\r\nabc\r\n0\r\n"+crc+"AAAAAA==\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 trailer of 300 bytes", 3, "3\r\nabc\r\n0\r\n"+crc+":"+strings.Repeat("A", 300)+"\r\n\r\n", "IncompleteBody"),
		unsigned("Threat30 trailer of 1 MiB", 3, "3\r\nabc\r\n0\r\n"+crc+":"+strings.Repeat("A", 1<<20)+"\r\n\r\n", "IncompleteBody"),
		unsigned("Threat30 trailer with CR within", 3, "3\r\nabc\r\n0\r\n"+crc+":AA\rAA\r\n\r\n", "MalformedTrailerError"),
		unsigned("Threat30 no last line end", 3, "3\r\nabc\r\n0\r\n"+crc+":AAAAAA==\r\n", "IncompleteBody"),
		unsigned("Threat30 last line end LF", 3, "3\r\nabc\r\n0\r\n"+crc+":AAAAAA==\r\n\n", "MalformedTrailerError"),
		unsigned("Threat30 all line ends LF", 3, "3\r\nabc\r\n0\r\n"+crc+":AAAAAA==\n\n", "IncompleteBody"),
		unsigned("Threat30 a second body", 3, "3\r\nabc\r\n0\r\n"+good+"3\r\nxyz\r\n0\r\n"+good, "MalformedTrailerError"),
		{"Threat30 trailer none announced", sigv4.StreamingUnsignedTrailer, 3, nil, "3\r\nabc\r\n0\r\n" + good, "MalformedTrailerError"},
		{"Threat30 trailer twice", sigv4.StreamingUnsignedTrailer, 0, []string{crc, crc + "c"}, "0\r\n" + crc + ":A\r\n" + crc + ":B\r\n\r\n", "MalformedTrailerError"},
		{"Threat30 trailer one of two", sigv4.StreamingUnsignedTrailer, 0, []string{crc, crc + "c"}, "0\r\n" + crc + ":A\r\n\r\n", "MalformedTrailerError"},
		{"Threat30 trailer with line ends mixed", sigv4.StreamingUnsignedTrailer, 0, []string{crc, crc + "c"}, "0\r\n" + crc + ":A\n" + crc + "c:B\r\n\r\n", "MalformedTrailerError"},
		{"Threat30 trailer with line ends mixed", sigv4.StreamingUnsignedTrailer, 0, []string{crc, crc + "c"}, "0\r\n" + crc + ":A\r\n" + crc + "c:B\n\r\n\r\n", "MalformedTrailerError"},

		signed("Threat30 no signatures", 3, "3\r\nabc\r\n0\r\n\r\n", "IncompleteBody"),
		signed("Threat30 no last signature", 3, "3;chunk-signature=$\r\nabc\r\n0\r\n\r\n", "IncompleteBody"),
		signed("Threat30 empty signature", 3, "3;chunk-signature=\r\nabc\r\n0;chunk-signature=\r\n\r\n", "IncompleteBody"),
		signed("Threat30 short signature", 3, "3;chunk-signature="+strings.Repeat("0", 63)+"\r\nabc\r\n", "IncompleteBody"),
		signed("Threat30 long signature", 3, "3;chunk-signature=$0\r\nabc\r\n", "IncompleteBody"),
		signed("Threat30 other signature", 3, "3;chunk-signature="+strings.Repeat("0", 64)+"\r\nabc\r\n0;chunk-signature=$\r\n\r\n", "SignatureDoesNotMatch"),
		signed("Threat30 other last signature", 3, "3;chunk-signature=$\r\nabc\r\n0;chunk-signature="+strings.Repeat("0", 64)+"\r\n\r\n", "SignatureDoesNotMatch"),
		signed("Threat30 two extensions", 3, "3;a=b;chunk-signature=$\r\nabc\r\n0;chunk-signature=$\r\n\r\n", "IncompleteBody"),
		signed("Threat30 extension after the signature", 3, "3;chunk-signature=$;a=b\r\nabc\r\n0;chunk-signature=$\r\n\r\n", "IncompleteBody"),
		signed("Threat30 extension in capitals", 3, "3;Chunk-Signature=$\r\nabc\r\n0;chunk-signature=$\r\n\r\n", "IncompleteBody"),
		signed("Threat30 signed by an empty chunk, then more", 3, "0;chunk-signature=$\r\n\r\n3;chunk-signature=$\r\nabc\r\n", "IncompleteBody"),
		signed("Threat30 trailer", 3, "3;chunk-signature=$\r\nabc\r\n0;chunk-signature=$\r\n"+good, "MalformedTrailerError"),
		signed("small chunks", 4, "3;chunk-signature=$\r\nabc\r\n1;chunk-signature=$\r\nd\r\n0;chunk-signature=$\r\n\r\n", "InvalidChunkSizeError"),

		withTrailer("Threat30 not signed", good, "MalformedTrailerError"),
		withTrailer("Threat30 signature empty", crc+":AAAAAA==\r\nx-amz-trailer-signature:\r\n\r\n", "MalformedTrailerError"),
		withTrailer("Threat30 signature other", crc+":AAAAAA==\r\nx-amz-trailer-signature:"+strings.Repeat("0", 64)+"\r\n\r\n", "SignatureDoesNotMatch"),
		withTrailer("Threat30 signature first", "x-amz-trailer-signature:$\r\n"+crc+":AAAAAA==\r\n\r\n", "MalformedTrailerError"),
		withTrailer("Threat30 signature with LF", crc+":AAAAAA==\r\nx-amz-trailer-signature:$\n\r\n", "MalformedTrailerError"),
		withTrailer("Threat30 field after the signature", crc+":AAAAAA==\r\nx-amz-trailer-signature:$\r\nx-amz-meta-a:1\r\n\r\n", "MalformedTrailerError"),
		withTrailer("Threat30 empty line before", "\r\n"+crc+":AAAAAA==\r\nx-amz-trailer-signature:$\r\n\r\n", "MalformedTrailerError"),
		withTrailer("Threat30 ends early", crc+":AAAAAA==\r\nx-amz-trailer-signature:$\r\n", "IncompleteBody"),
	} {
		id, c := streaming(t, tt.mode, tt.length, tt.names...)
		encoded := resign(c, tt.encoded)
		got, _, err := decode(id, strings.NewReader(encoded), tt.length, tt.names...)
		if codeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.code != "" && tt.length > 0 && len(got) >= tt.length {
			t.Errorf("%s: all of the body was given", tt.name)
		}
	}
}

func TestThreat30_ChunkedIdentities(t *testing.T) {
	id, _ := streaming(t, sigv4.StreamingPayload, 3)
	trailer, _ := streaming(t, sigv4.StreamingPayloadTrailer, 3, "x-amz-checksum-crc32")
	unsigned, _ := streaming(t, sigv4.StreamingUnsignedTrailer, 3)
	made := sigv4.Identity{AccessKeyID: id.AccessKeyID, SignedHeaders: id.SignedHeaders, PayloadHash: id.PayloadHash}
	asPresigned := id
	asPresigned.Presigned = true
	plain := id
	plain.PayloadHash = sigv4.UnsignedPayload
	ecdsa := id
	ecdsa.PayloadHash = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
	nine := make([]string, 9)
	for i := range nine {
		nine[i] = fmt.Sprintf("x-amz-checksum-%d", i)
	}
	for _, tt := range []struct {
		name   string
		id     sigv4.Identity
		length int64
		names  []string
		code   string
	}{
		{"good", id, 3, nil, ""},
		{"good", trailer, 3, []string{"x-amz-checksum-crc32"}, ""},
		{"good", unsigned, 3, nil, ""},
		{"length of 2^63-1", unsigned, math.MaxInt64, nil, ""},
		{"not from a Verifier", made, 3, nil, "InvalidRequest"},
		{"presigned", asPresigned, 3, nil, "InvalidRequest"},
		{"not aws-chunked", plain, 3, nil, "InvalidRequest"},
		{"zero", sigv4.Identity{}, 3, nil, "InvalidRequest"},
		{"another algorithm", ecdsa, 3, nil, "InvalidRequest"},
		{"negative length", id, -1, nil, "MissingContentLength"},
		{"trailer without being of that kind", id, 3, []string{"x-amz-checksum-crc32"}, "InvalidRequest"},
		{"no trailer in spite of being of that kind", trailer, 3, nil, "MalformedTrailerError"},
		{"trailer of another family", unsigned, 3, []string{"x-amz-meta-a"}, "InvalidRequest"},
		{"trailer's signature", unsigned, 3, []string{"x-amz-trailer-signature"}, "InvalidRequest"},
		{"trailer without name", unsigned, 3, []string{""}, "InvalidRequest"},
		{"trailer without end of name", unsigned, 3, []string{"x-amz-checksum-"}, "InvalidRequest"},
		{"trailer with a list for a name", unsigned, 3, []string{"x-amz-checksum-a,x-amz-checksum-b"}, "InvalidRequest"},
		{"trailer with a line break", unsigned, 3, []string{"x-amz-checksum-a\r\n"}, "InvalidRequest"},
		{"trailer twice", unsigned, 3, []string{"x-amz-checksum-a", "X-Amz-Checksum-A"}, "InvalidRequest"},
		{"trailer too long", unsigned, 3, []string{"x-amz-checksum-" + strings.Repeat("a", 300)}, "InvalidRequest"},
		{"too many trailers", unsigned, 3, nine, "InvalidRequest"},
	} {
		r, err := tt.id.Chunked(strings.NewReader(""), tt.length, tt.names)
		if codeOf(err) != tt.code || (r == nil) != (tt.code != "") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A presigned URL may say STREAMING-, signed and all; its body is not taken.
func TestThreat30_PresignedStreaming(t *testing.T) {
	for _, mode := range streamingModes {
		u, _ := url.Parse("http://127.0.0.1:9000/photos/a")
		header := http.Header{"X-Amz-Content-Sha256": {mode}, "X-Amz-Decoded-Content-Length": {"3"}}
		signed, err := sigv4.NewSigner("us-east-1").Presign(example, exampleTime, sigv4.Request{Method: "PUT", URL: u, Header: header, Expires: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		r := newRequest(t, "PUT", signed, "abc")
		r.Header = header
		id, err := verifierFor(example, exampleTime).Request(received(t, r))
		if err != nil || id.PayloadHash != mode || !id.Presigned || !id.SignedAt.Equal(exampleTime) {
			t.Fatalf("%+v, %v", id, err)
		}
		if _, err := id.Chunked(strings.NewReader(""), 3, nil); !errors.Is(err, sigv4.ErrInvalidRequest) {
			t.Errorf("%s: %v", mode, err)
		}
		// With both ways to authenticate there is no identity to begin with.
		r = newRequest(t, "PUT", signed, "abc")
		r.Header = header
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+exampleCredential+", SignedHeaders=host, Signature="+strings.Repeat("0", 64))
		if id, err := verifierFor(example, exampleTime).Request(received(t, r)); !errors.Is(err, sigv4.ErrInvalidArgument) || id.PayloadHash != "" {
			t.Errorf("%s, header and query: %v", mode, err)
		}
	}
}

// What decides how the body is read must be signed: the mode, the length and
// the trailer's name. ECDSA is another algorithm.
func TestThreat30_StreamingHeadersAreSigned(t *testing.T) {
	sign := func() *http.Request {
		r := newRequest(t, "PUT", "http://127.0.0.1:9000/photos/a", "abc")
		r.Header.Set("X-Amz-Decoded-Content-Length", "3")
		if err := sigv4.NewSigner("us-east-1").SignHeader(example, exampleTime, r, sigv4.StreamingPayload); err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, tt := range []struct{ name, value, code string }{
		{"X-Amz-Meta-A", "", "AccessDenied"},
		{"X-Amz-Trailer", "x-amz-checksum-crc32", "AccessDenied"},
		{"X-Amz-Decoded-Content-Length", "4", "SignatureDoesNotMatch"},
		{"X-Amz-Content-Sha256", sigv4.StreamingUnsignedTrailer, "SignatureDoesNotMatch"},
		{"X-Amz-Content-Sha256", sigv4.UnsignedPayload, "SignatureDoesNotMatch"},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "InvalidArgument"},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", "InvalidArgument"},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-EVENTS", "InvalidArgument"},
		{"X-Amz-Content-Sha256", "streaming-unsigned-payload-trailer", "InvalidArgument"},
	} {
		r := sign()
		r.Header.Set(tt.name, tt.value)
		if _, err := verifierFor(example, exampleTime).Request(received(t, r)); codeOf(err) != tt.code {
			t.Errorf("%s %q: %v", tt.name, tt.value, err)
		}
	}
	if _, err := verifierFor(example, exampleTime).Request(received(t, sign())); err != nil {
		t.Error(err)
	}
}

// A chunk that belongs to another request, or to another place in this one.
func TestThreat30_ChunksDoNotMove(t *testing.T) {
	e := encoding{mode: sigv4.StreamingPayload, chunk: 8192}
	page, other := strings.Repeat("a", 8192), strings.Repeat("b", 8192)
	id, c := streaming(t, e.mode, 16384)
	encoded := e.encode(c, page+other)
	if _, _, err := decode(id, strings.NewReader(encoded), 16384); err != nil {
		t.Fatal(err)
	}
	first, second := encoded[:len(encoded)/2-43], encoded[len(encoded)/2-43:]
	if !strings.HasPrefix(second, "2000;") {
		t.Fatalf("the second chunk begins %q", second[:20])
	}
	chunk := len(first)
	swapped := second[:chunk] + first + second[chunk:]
	if _, _, err := decode(id, strings.NewReader(swapped), 16384); !errors.Is(err, sigv4.ErrSignatureDoesNotMatch) {
		t.Errorf("chunks that changed places: %v", err)
	}
	if _, _, err := decode(id, strings.NewReader(first+first+second[chunk:]), 16384); !errors.Is(err, sigv4.ErrSignatureDoesNotMatch) {
		t.Errorf("a chunk twice: %v", err)
	}
	elsewhere, _ := streaming(t, e.mode, 16384, "x-amz-checksum-crc32") // another request, so another seed
	if _, _, err := decode(elsewhere, strings.NewReader(encoded), 16384); !errors.Is(err, sigv4.ErrSignatureDoesNotMatch) {
		t.Errorf("another request's chunks: %v", err)
	}
}
