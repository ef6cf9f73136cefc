package sigv4_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"postern.example/postern/sigv4"
)

// Amazon's examples: 66560 times "a", in chunks of 64 KiB.
func TestVectors_DocumentedChunks(t *testing.T) {
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	const headers = "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class"
	body := strings.Repeat("a", 66560)
	for _, tt := range []struct {
		name, mode, signedHeaders, seed string
		header                          http.Header
		chunks                          [3]string
		names                           []string
		trailer                         string
	}{
		{
			"signed", sigv4.StreamingPayload, "content-encoding;content-length;" + headers,
			"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
			http.Header{"Content-Length": {"66824"}},
			[3]string{
				"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
				"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
				"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
			},
			nil, "",
		},
		{
			"signed trailer", sigv4.StreamingPayloadTrailer, "content-encoding;" + headers + ";x-amz-trailer",
			"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
			http.Header{"X-Amz-Trailer": {"x-amz-checksum-crc32c"}},
			[3]string{
				"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
				"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
				"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
			},
			[]string{"x-amz-checksum-crc32c"},
			"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{
				"Content-Encoding": {"aws-chunked"}, "X-Amz-Content-Sha256": {tt.mode},
				"X-Amz-Decoded-Content-Length": {"66560"}, "X-Amz-Storage-Class": {"REDUCED_REDUNDANCY"},
			}
			maps.Copy(header, tt.header)
			id := signedAs(t, at, "/examplebucket/chunkObject.txt", "s3.amazonaws.com", tt.signedHeaders, tt.seed, header)
			if !id.SignedAt.Equal(at) {
				t.Errorf("signed at %v", id.SignedAt)
			}
			encoded := "10000;chunk-signature=" + tt.chunks[0] + "\r\n" + body[:65536] + "\r\n" +
				"400;chunk-signature=" + tt.chunks[1] + "\r\n" + body[65536:] + "\r\n" +
				"0;chunk-signature=" + tt.chunks[2] + "\r\n" + tt.trailer + "\r\n"
			if tt.trailer == "" && len(encoded) != 66824 {
				t.Errorf("the example has %d bytes, not Amazon's 66824", len(encoded))
			}
			got, r, err := decode(id, strings.NewReader(encoded), len(body), tt.names...)
			if err != nil || got != body || r.Encoded() != int64(len(encoded)) {
				t.Fatalf("%d bytes of %d, %v", len(got), r.Encoded(), err)
			}
			if tt.trailer != "" && r.Trailer()["x-amz-checksum-crc32c"] != "sOO8/Q==" {
				t.Errorf("trailer %q", r.Trailer())
			}
			// Our encoder, which the other tests rest on, agrees with Amazon.
			e := encoding{mode: tt.mode, chunk: 65536}
			if tt.trailer != "" {
				e.trailer = []string{"x-amz-checksum-crc32c:sOO8/Q=="}
			}
			if mine := e.encode(newChain(example, "20130524T000000Z", "us-east-1", tt.seed), body); mine != encoded {
				t.Errorf("the encoder of this test differs")
			}
		})
	}
}

// Recorded from minio-go v7.4.1's signer package.
func TestRecordedMinioGo(t *testing.T) {
	const signed = "content-encoding;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length"
	long := strings.Repeat("a", 65536)
	for _, tt := range []struct {
		name, mode, seed, body, encoded string
		trailer                         bool
	}{
		{
			"empty", sigv4.StreamingPayload, "fb1ce2001028bde469b192fbe8d75a514155f06bd9edb68489a9bf73e9582171", "",
			"0;chunk-signature=842bc91f44245222719334bebdf9037863b2ecc65b2f6ee33c750c9f27802612\r\n\r\n", false,
		},
		{
			"two chunks", sigv4.StreamingPayload, "f06941d0e29fcf50ea4ef30cbbd39e99abadb1284e81c20ff591fdda92525c62", long + "aaa",
			"10000;chunk-signature=3859c077d1a2ddf76675c228028eca4f2a0da13d7e6087fbf6528fd347e2460d\r\n" + long +
				"\r\n3;chunk-signature=30a3faf314e4ae9846dddaae9bccfd562a00b3e880115a12241fc13746b8daa7\r\naaa" +
				"\r\n0;chunk-signature=a2437f7142ebc1261fce2a165164f421488f5eb42e8844b8dff26fb6a1ad2c54\r\n\r\n", false,
		},
		{
			"empty with trailer", sigv4.StreamingPayloadTrailer, "261bd6ab942cca225b10c4ba3b0dabc4068643abae94e74f5e835cfd3fdca398", "",
			"0;chunk-signature=73247b1b5cc6988ee671b412c4012b13f6b2bfe6732fe086e480b2ea268a98b6\r\n" +
				"x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:cbe0db74b81e55fe18dabd5e9cbe9a676d96cf52210c806569a120eb05610faf\r\n\r\n", true,
		},
		{
			"two chunks with trailer", sigv4.StreamingPayloadTrailer, "538ececfdbfb9bc3eb307e00940d4a3b661e0decb5d33dbac86e0a69531f2a85", long + "aaa",
			"10000;chunk-signature=0a527d49a08732a5fa1f1962bf15a8afd74af03d4b9b142b24057c9612e00d7c\r\n" + long +
				"\r\n3;chunk-signature=0f3ead5ca98756a143a30e36c0fe88ce7818812dead9e63e455cb061f0acf2c5\r\naaa" +
				"\r\n0;chunk-signature=2b8a961eb69a90d4421421007e2e39b6f2437884258198de70df6e09dc610cc1\r\n" +
				"x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:cf9f7de95d717e47c58de7673dfa182aea11eeb35e73409bcb7bcebd7de223e6\r\n\r\n", true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{
				"Content-Encoding": {"aws-chunked"}, "Content-Type": {"image/png"}, "X-Amz-Content-Sha256": {tt.mode},
				"X-Amz-Decoded-Content-Length": {fmt.Sprint(len(tt.body))},
			}
			headers, names := signed, []string(nil)
			if tt.trailer {
				headers, names = signed+";x-amz-trailer", []string{"x-amz-checksum-crc32c"}
				header.Set("X-Amz-Trailer", names[0])
			}
			id := signedAs(t, exampleTime, "/photos/a%20b", "127.0.0.1:9000", headers, tt.seed, header)
			got, r, err := decode(id, strings.NewReader(tt.encoded), len(tt.body), names...)
			if err != nil || got != tt.body {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if tt.trailer && r.Trailer()["x-amz-checksum-crc32c"] != "sOO8/Q==" {
				t.Errorf("trailer %q", r.Trailer())
			}
		})
	}
}

// What SDKs send over TLS. botocore's and minio-go's bytes are recorded from
// botocore 1.43.11 and minio-go v7.4.1; JavaScript's and Rust's are written as
// their sources do (@smithy/util-stream, getAwsChunkedEncodingStream; aws-runtime,
// content_encoding). Go's is real in TestSDKStreams.
func TestRecordedUnsignedTrailers(t *testing.T) {
	page := strings.Repeat("b", 0x4000)
	for _, tt := range []struct{ name, body, encoded, trailer string }{
		{"botocore", "hello", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "x-amz-checksum-crc32:NhCmhg=="},
		{"botocore, empty", "", "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "x-amz-checksum-crc32:AAAAAA=="},
		{"minio-go", "aaa", "3\r\naaa\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\n\r\n\r\n", "x-amz-checksum-crc32c:sOO8/Q=="},
		{"minio-go, empty", "", "0\r\nx-amz-checksum-crc32c:sOO8/Q==\n\r\n\r\n", "x-amz-checksum-crc32c:sOO8/Q=="},
		{"JavaScript", page + page + "b", "4000\r\n" + page + "\r\n4000\r\n" + page + "\r\n1\r\nb\r\n0\r\nx-amz-checksum-crc64nvme:AAAAAAAAAAA=\r\n\r\n", "x-amz-checksum-crc64nvme:AAAAAAAAAAA="},
		{"Rust", "0123456789", "A\r\n0123456789\r\n0\r\nx-amz-checksum-sha256:hNiYd/DUBB77a/kaFqAkjy/VcRu+a1QR75fPzcg7/94=\r\n\r\n", "x-amz-checksum-sha256:hNiYd/DUBB77a/kaFqAkjy/VcRu+a1QR75fPzcg7/94="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, value, _ := strings.Cut(tt.trailer, ":")
			id, _ := streaming(t, sigv4.StreamingUnsignedTrailer, len(tt.body), name)
			got, r, err := decode(id, strings.NewReader(tt.encoded), len(tt.body), name)
			if err != nil || got != tt.body || !maps.Equal(r.Trailer(), map[string]string{name: value}) {
				t.Fatalf("%d bytes, %q, %v", len(got), r.Trailer(), err)
			}
		})
	}
	// S3 takes a body without a trailer when none is announced (versitygw
	// issue 1632).
	id, _ := streaming(t, sigv4.StreamingUnsignedTrailer, 5)
	if got, r, err := decode(id, strings.NewReader("5\r\nhello\r\n0\r\n\r\n"), 5); err != nil || got != "hello" || len(r.Trailer()) != 0 {
		t.Errorf("%q, %v", got, err)
	}
}

var streamingModes = []string{sigv4.StreamingPayload, sigv4.StreamingPayloadTrailer, sigv4.StreamingUnsignedTrailer}

// encodings are ways to send a body of size bytes.
func encodings(size int) []encoding {
	var out []encoding
	for _, mode := range streamingModes {
		for _, chunk := range []int{8192, 65536, max(size, 1)} {
			trailers := [][]string{{"x-amz-checksum-sha1:a9mTfI8="}, {"x-amz-checksum-crc32:b==", "x-amz-checksum-crc32c:c=="}}
			if mode == sigv4.StreamingPayload {
				trailers = [][]string{nil}
			}
			for _, trailer := range trailers {
				out = append(out, encoding{mode, chunk, trailer, false})
				if len(trailer) > 0 {
					out = append(out, encoding{mode, chunk, trailer, true})
				}
			}
		}
	}
	return out
}

func textOf(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*i>>3 + i) // line ends and digits are among them
	}
	return string(b)
}

func TestChunkedRoundTrip(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"whole":        func(r io.Reader) io.Reader { return r },
		"byte by byte": iotest.OneByteReader,
		"halves":       iotest.HalfReader,
		"end at once":  iotest.DataErrReader,
	}
	for _, size := range []int{0, 1, 8191, 8192, 8193, 65536, 3*65536 + 5} {
		body := textOf(size)
		for _, e := range encodings(size) {
			id, c := streaming(t, e.mode, size, e.names()...)
			encoded := e.encode(c, body)
			for name, wrap := range readers {
				got, r, err := decode(id, wrap(strings.NewReader(encoded)), size, e.names()...)
				if err != nil || got != body || r.Encoded() != int64(len(encoded)) {
					t.Fatalf("%+v, %d bytes %s: %d bytes of %d, %v", e, size, name, len(got), r.Encoded(), err)
				}
				for _, f := range e.trailer {
					name, value, _ := strings.Cut(f, ":")
					if r.Trailer()[name] != value {
						t.Fatalf("%+v: %q", e, r.Trailer())
					}
				}
			}
			r, err := id.Chunked(strings.NewReader(encoded), int64(size), e.names())
			if err != nil {
				t.Fatal(err)
			}
			if size < 10_000 {
				if err := iotest.TestReader(r, []byte(body)); err != nil {
					t.Fatalf("%+v: %v", e, err)
				}
			}
		}
	}
}

// The names in x-amz-trailer are of any case, as those of headers are.
func TestChunkedTrailerNamesInAnyCase(t *testing.T) {
	id, _ := streaming(t, sigv4.StreamingUnsignedTrailer, 0, "X-Amz-Checksum-CRC32")
	_, r, err := decode(id, strings.NewReader("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), 0, "X-Amz-Checksum-CRC32")
	if err != nil || r.Trailer()["x-amz-checksum-crc32"] != "AAAAAA==" {
		t.Errorf("%v", err)
	}
}

// Every byte of a signed body counts: whichever is changed, left out, put in or
// cut off, the reader never ends well and never gives the last byte.
func TestChunkedEveryByteCounts(t *testing.T) {
	const size = 8192 + 19 // no letters in its sizes, 2000 and 13, which could change case
	body := textOf(size)
	for _, e := range []encoding{
		{sigv4.StreamingPayload, 8192, nil, false},
		{sigv4.StreamingPayloadTrailer, 8192, []string{"x-amz-checksum-crc32:AAAAAA=="}, false},
		{sigv4.StreamingPayloadTrailer, 8192, []string{"x-amz-checksum-crc32:AAAAAA=="}, true},
	} {
		id, c := streaming(t, e.mode, size, e.names()...)
		amazons, first := e, *c
		amazons.bare = false
		same := amazons.encode(&first, body) // which minio-go's is when its LF is left out
		encoded := e.encode(c, body)
		refused := func(what string, i int, text string, codes ...string) {
			t.Helper()
			if e.bare && text == same {
				return
			}
			got, r, err := decode(id, strings.NewReader(text), size, e.names()...)
			if !slices.Contains(codes, codeOf(err)) || len(got) >= size || r.Trailer() != nil {
				t.Fatalf("%+v, %s at %d of %d: %d bytes, %v", e, what, i, len(encoded), len(got), err)
			}
		}
		any := []string{"SignatureDoesNotMatch", "IncompleteBody", "MalformedTrailerError", "InvalidChunkSizeError"}
		for i := range encoded {
			if i > 300 && i < 8000 { // within one chunk all are alike
				continue
			}
			refused("cut", i, encoded[:i], "IncompleteBody")
			for bit := range 8 {
				changed := []byte(encoded)
				changed[i] ^= 1 << bit
				refused("change", i, string(changed), any...)
			}
			if i+1 < len(encoded) && encoded[i] == encoded[i+1] {
				continue // leaving out the one or the other is the same
			}
			refused("leave out", i, encoded[:i]+encoded[i+1:], any...)
			refused("put in", i, encoded[:i]+"\x00"+encoded[i:], any...)
		}
		refused("append", len(encoded), encoded+"x", "MalformedTrailerError")
		refused("append", len(encoded), encoded+encoded, "MalformedTrailerError")
	}
}

func TestChunkedErrorsSayWhatS3Says(t *testing.T) {
	id, c := streaming(t, sigv4.StreamingPayload, 5)
	_, _, err := decode(id, strings.NewReader(encoding{mode: sigv4.StreamingPayload, chunk: 3}.encode(c, "hello")), 5)
	var e *sigv4.Error
	if !errors.As(err, &e) || e.Status != http.StatusForbidden || !maps.Equal(e.Extra, map[string]string{"Chunk": "2", "BadChunkSize": "3"}) {
		t.Errorf("%v, %+v", err, e)
	}
	id, c = streaming(t, sigv4.StreamingPayload, 3)
	_, _, err = decode(id, strings.NewReader(encoding{mode: sigv4.StreamingPayload, chunk: 8192}.encode(c, "hello")), 3)
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest || !maps.Equal(e.Extra, map[string]string{"NumberBytesExpected": "3", "NumberBytesProvided": "5"}) {
		t.Errorf("%v, %+v", err, e)
	}
}

// faulty fails once, with its bytes, and then is at its end.
type faulty struct {
	text string
	err  error
}

func (f *faulty) Read(p []byte) (int, error) {
	n, err := copy(p, f.text), f.err
	f.text, f.err = f.text[n:], io.EOF
	return n, err
}

func TestChunkedErrorsStay(t *testing.T) {
	id, _ := streaming(t, sigv4.StreamingUnsignedTrailer, 3)
	fault := errors.New("cable pulled")
	r, err := id.Chunked(io.MultiReader(strings.NewReader("3\r\nab"), iotest.ErrReader(fault)), 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if string(got) != "ab" || err != fault { //nolint:errorlint // it must be the very one
		t.Errorf("%q, %v", got, err)
	}
	for range 2 {
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != fault { //nolint:errorlint // it must be the very one
			t.Errorf("%d, %v", n, err)
		}
	}
	// A fault that comes with bytes, once, into a buffer that needs no other.
	long, _ := streaming(t, sigv4.StreamingUnsignedTrailer, 8192)
	page := strings.Repeat("a", 8192)
	r, err = long.Chunked(io.MultiReader(strings.NewReader("2000\r\n"), &faulty{page[:5000], fault}, strings.NewReader(page[5000:]+"\r\n0\r\n\r\n")), 8192, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 8192)); n != 5000 || err != fault { //nolint:errorlint // it must be the very one
		t.Errorf("%d, %v", n, err)
	}
	// net/http says so when a client goes away.
	for _, at := range []string{"", "3", "3\r\n", "3\r\nab", "3\r\nabc", "3\r\nabc\r\n0\r\n"} {
		_, _, err := decode(id, io.MultiReader(strings.NewReader(at), iotest.ErrReader(io.ErrUnexpectedEOF)), 3)
		if !errors.Is(err, sigv4.ErrIncompleteBody) {
			t.Errorf("after %q: %v", at, err)
		}
		_, _, err = decode(id, io.MultiReader(strings.NewReader(at), iotest.ErrReader(fault)), 3)
		if err != fault { //nolint:errorlint // it must be the very one
			t.Errorf("after %q: %v", at, err)
		}
	}
	// A fault after the end is no end.
	_, r, err = decode(id, io.MultiReader(strings.NewReader("3\r\nabc\r\n0\r\n\r\n"), iotest.ErrReader(fault)), 3)
	if err != fault || r.Trailer() != nil { //nolint:errorlint // it must be the very one
		t.Errorf("after all: %v", err)
	}
	if n, err := r.Read(nil); n != 0 || err != fault { //nolint:errorlint // it must be the very one
		t.Errorf("%d, %v", n, err)
	}
}

// A caller who counts bytes, and never sees how it ends, is not deceived.
func TestChunkedLastBytesAreVerified(t *testing.T) {
	body := textOf(20000)
	for _, e := range encodings(len(body)) {
		if e.mode == sigv4.StreamingUnsignedTrailer {
			continue
		}
		id, c := streaming(t, e.mode, len(body), e.names()...)
		encoded := []byte(e.encode(c, body))
		encoded[len(encoded)-5] ^= 1 // a signature's last digit, or the last chunk's
		r, err := id.Chunked(bytes.NewReader(encoded), int64(len(body)), e.names())
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.ReadFull(r, make([]byte, len(body))); err == nil {
			t.Errorf("%+v: %d bytes, no error", e, n)
		}
	}
}

// Nor by a body that ends, in one read, with its last byte.
func TestChunkedLastBytesNeedAnEnd(t *testing.T) {
	id, _ := streaming(t, sigv4.StreamingUnsignedTrailer, 8192)
	r, err := id.Chunked(io.MultiReader(strings.NewReader("2000\r\n"), &faulty{strings.Repeat("a", 8192), io.ErrUnexpectedEOF}), 8192, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 8192)); n != 0 || !errors.Is(err, sigv4.ErrIncompleteBody) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A chunk of 5 GiB costs what a chunk of 5 bytes does, and a Read nothing.
func TestChunkedIsFlat(t *testing.T) {
	const size = 5 << 30
	for _, mode := range []string{sigv4.StreamingPayload, sigv4.StreamingUnsignedTrailer} {
		id, _ := streaming(t, mode, size)
		line := "140000000\r\n"
		if mode == sigv4.StreamingPayload {
			line = "140000000;chunk-signature=" + strings.Repeat("0", 64) + "\r\n"
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := id.Chunked(io.MultiReader(strings.NewReader(line), zeros{}), size, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 32<<10)
		if _, err := io.ReadFull(r, p); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 128<<10 {
			t.Errorf("%s: %d bytes were allocated", mode, grown)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := r.Read(p); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations at each read", mode, n)
		}
	}
	if raceEnabled {
		return // sync.Pool, where the keyed hashes are, then forgets some on purpose
	}
	// Nor when reads begin and end chunks.
	e := encoding{mode: sigv4.StreamingPayload, chunk: 8192}
	id, c := streaming(t, e.mode, 200*8192)
	r, err := id.Chunked(strings.NewReader(e.encode(c, textOf(200*8192))), 200*8192, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 8192)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := io.ReadFull(r, p); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations at each chunk", n)
	}
}

// An Identity ends up in logs.
func TestIdentityTellsNoSecret(t *testing.T) {
	for _, mode := range streamingModes {
		id, c := streaming(t, mode, 3, "x-amz-checksum-crc32")
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("test", "id", id, "pointer", &id)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("test", "id", id, "pointer", &id)
		text := fmt.Sprintf("%v %+v %#v %v %+v %#v", id, id, id, &id, &id, &id) + logged.String()
		if !strings.Contains(text, id.AccessKeyID) || !strings.Contains(text, mode) {
			t.Errorf("not printed at all: %s", text)
		}
		for what, secret := range map[string]string{
			"signature": c.previous, "secret": example.SecretAccessKey, "key": fmt.Sprintf("%x", c.key),
			"key in decimal": strings.Trim(fmt.Sprintf("%d", c.key), "[]"), "stamp": exampleStamp, "scope": c.scope,
		} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is printed: %s", what, text)
			}
		}
	}
}
