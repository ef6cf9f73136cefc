package sigv4_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"postern.example/postern/sigv4"
)

// sums are the checksums that an SDK may send in a trailer.
var sums = map[types.ChecksumAlgorithm]func() hash.Hash{
	types.ChecksumAlgorithmCrc32:  func() hash.Hash { return crc32.NewIEEE() },
	types.ChecksumAlgorithmCrc32c: func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	types.ChecksumAlgorithmCrc64nvme: func() hash.Hash {
		return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5))
	},
	types.ChecksumAlgorithmSha1:   sha1.New,
	types.ChecksumAlgorithmSha256: sha256.New,
}

// bucket takes uploads as S3 does, and keeps what came last.
type bucket struct {
	v *sigv4.Verifier

	mu      sync.Mutex
	id      sigv4.Identity
	body    string
	trailer map[string]string
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, body, trailer, err := b.take(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.id, b.body, b.trailer = id, body, trailer
}

func (b *bucket) take(r *http.Request) (sigv4.Identity, string, map[string]string, error) {
	id, err := b.v.Request(r)
	if err != nil {
		return id, "", nil, err
	}
	length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil {
		return id, "", nil, err
	}
	chunks, err := id.Chunked(r.Body, length, r.Header.Values("X-Amz-Trailer"))
	if err != nil {
		return id, "", nil, err
	}
	body, err := io.ReadAll(chunks)
	if err == nil && r.ContentLength >= 0 && chunks.Encoded() != r.ContentLength {
		err = fmt.Errorf("%d bytes of %d were taken", chunks.Encoded(), r.ContentLength)
	}
	return id, string(body), chunks.Trailer(), err
}

// unseekable hides all of a reader but Read.
type unseekable struct{ io.Reader }

// Uploads by Amazon's own SDK over TLS, as people make them.
func TestSDKStreams(t *testing.T) {
	for _, c := range []sigv4.Credentials{example, liveSession} {
		b := &bucket{v: verifierFor(c, time.Now())}
		server := httptest.NewTLSServer(b)
		t.Cleanup(server.Close)
		client := s3.New(s3.Options{
			Region: "us-east-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true, HTTPClient: server.Client(),
			Credentials: credentials.StaticCredentialsProvider{Value: sdkCredentials(c)}, RetryMaxAttempts: 1,
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		})
		arrived := func(what, body string, algorithm types.ChecksumAlgorithm, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", what, err)
				return
			}
			h := sums[algorithm]()
			h.Write([]byte(body)) // a hash never fails
			want := map[string]string{"x-amz-checksum-" + strings.ToLower(string(algorithm)): base64.StdEncoding.EncodeToString(h.Sum(nil))}
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.id.PayloadHash != sigv4.StreamingUnsignedTrailer || b.body != body || !maps.Equal(b.trailer, want) {
				t.Errorf("%s: %s, %d bytes, trailer %q, want %q", what, b.id.PayloadHash, len(b.body), b.trailer, want)
			}
			if time.Since(b.id.SignedAt).Abs() > time.Minute || b.id.SignedAt.Location() != time.UTC {
				t.Errorf("%s: signed at %v", what, b.id.SignedAt)
			}
		}
		for _, size := range []int{1, 8192, 65537, 1 << 20} {
			body := textOf(size)
			for algorithm := range sums {
				_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
					Bucket: aws.String("photos"), Key: aws.String("a b/é+%"), Body: unseekable{strings.NewReader(body)},
					ContentLength: aws.Int64(int64(size)), ChecksumAlgorithm: algorithm, Metadata: map[string]string{"a": "  b  c "},
				})
				arrived(fmt.Sprintf("put %d %s", size, algorithm), body, algorithm, err)
			}
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("a"), Body: strings.NewReader(body), ContentEncoding: aws.String("gzip")})
			arrived(fmt.Sprintf("put %d", size), body, types.ChecksumAlgorithmCrc32, err)
			_, err = client.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: aws.String("photos"), Key: aws.String("a"), PartNumber: aws.Int32(1), UploadId: aws.String("a+b/c="), Body: strings.NewReader(body),
			})
			arrived(fmt.Sprintf("part %d", size), body, types.ChecksumAlgorithmCrc32, err)
		}
	}
}

// A client that goes away, or that the network cuts off, leaves nothing behind.
func TestChunkedCutConnection(t *testing.T) {
	b := &bucket{v: verifierFor(example, exampleTime)}
	result := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _, _, err := b.take(r)
		result <- err
	}))
	defer server.Close()
	body := textOf(100_000)
	e := encoding{mode: sigv4.StreamingPayload, chunk: 65536}
	r := newRequest(t, "PUT", server.URL+"/photos/a", "")
	r.Header.Set("X-Amz-Decoded-Content-Length", strconv.Itoa(len(body)))
	if err := sigv4.NewSigner("us-east-1").SignHeader(example, exampleTime, r, e.mode); err != nil {
		t.Fatal(err)
	}
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	encoded := e.encode(newChain(example, exampleStamp, "us-east-1", signature), body)
	for _, known := range []bool{true, false} { // whether the length is, or HTTP's own chunks are used
		for _, sent := range []int{0, 50, 70_000, len(encoded) - 1, len(encoded)} {
			in, out := io.Pipe()
			r.Body, r.ContentLength = in, -1
			if known {
				r.ContentLength = int64(len(encoded))
			}
			go func() {
				_, err := io.WriteString(out, encoded[:sent])
				if err == nil && sent < len(encoded) {
					err = io.ErrClosedPipe // the transport then breaks the connection
				}
				out.CloseWithError(err)
			}()
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err == nil {
				resp.Body.Close()
			}
			want := "IncompleteBody"
			if sent == len(encoded) {
				want = ""
			}
			if err := <-result; codeOf(err) != want {
				t.Errorf("after %d bytes of %d: %v", sent, len(encoded), err)
			}
		}
	}
}
