package assume

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// body of chunks: what SDKs send, written by hand so that it can be wrong.
type chunks struct {
	payload string   // a STREAMING- name
	parts   []string // without the empty last one
	trailer string   // name:value, or empty
	header  []string
	forge   string // "chunk" or "trailer": its signature is wrong
	cut     int    // bytes missing at the end
	length  string // x-amz-decoded-content-length; default what the parts have
	drop    string // a header not sent
	target  string
}

// chunk sends a body in chunks. The signatures follow "Signature calculations
// for the authorization header: transferring a payload in multiple chunks".
func (b *Bucket) chunk(c chunks) Answer {
	now := time.Now()
	if c.target == "" {
		c.target = b.at("a")
	}
	if c.length == "" {
		c.length = decimal(len(strings.Join(c.parts, "")))
	}
	header := append([]string{"Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", c.length}, c.header...)
	if c.trailer != "" {
		name, _, _ := strings.Cut(c.trailer, ":")
		header = append(header, "X-Amz-Trailer", name)
	}
	r := b.request("PUT", c.target, "", header...)
	if c.drop != "" {
		r.Header.Del(c.drop)
	}
	b.signAs(b.Credentials, now, r, c.payload)

	previous := r.Header.Get("Authorization")
	previous = previous[len(previous)-64:]
	key := signingKey(b.Credentials, now, b.Region)
	sign := func(what, rest string) string {
		scope := now.UTC().Format(sigv4.DateFormat) + "/" + b.Region + "/s3/aws4_request"
		previous = hex.EncodeToString(mac(key, strings.Join([]string{what, r.Header.Get("X-Amz-Date"), scope, previous, rest}, "\n")))
		return previous
	}
	var body strings.Builder
	for i, p := range append(c.parts, "") {
		fmt.Fprintf(&body, "%x", len(p))
		if c.payload != sigv4.StreamingUnsignedTrailer {
			s := sign("AWS4-HMAC-SHA256-PAYLOAD", sigv4.EmptySHA256+"\n"+hexSHA256(p))
			if c.forge == "chunk" && i == 0 {
				s = strings.Repeat("0", 64)
			}
			body.WriteString(";chunk-signature=" + s)
		}
		body.WriteString("\r\n")
		if p != "" {
			body.WriteString(p + "\r\n")
		}
	}
	if c.trailer != "" {
		body.WriteString(c.trailer + "\r\n")
		if c.payload == sigv4.StreamingPayloadTrailer {
			s := sign("AWS4-HMAC-SHA256-TRAILER", hexSHA256(c.trailer+"\n"))
			if c.forge == "trailer" {
				s = strings.Repeat("0", 64)
			}
			body.WriteString("x-amz-trailer-signature:" + s + "\r\n")
		}
	}
	body.WriteString("\r\n")
	text := body.String()
	text = text[:len(text)-c.cut]
	sent := b.request("PUT", c.target, text)
	sent.Header, sent.Host = r.Header, r.Host
	return b.exchange(sent)
}

// chunked is what we assume of bodies in aws-chunked.
func chunked() []Assumption {
	const (
		page    = "Transferring payload in multiple chunks"
		trailer = "Transferring payload in multiple chunks with trailing headers"
		signed  = sigv4.StreamingPayload
	)
	crc := "x-amz-checksum-crc32:" + checksumOf("crc32", "hello")
	long := strings.Repeat("0123456789abcdef", 1<<9) // 8 KiB, the least of all but the last
	return []Assumption{
		{"chunked-signed", page, "you upload an object in multiple chunks … each chunk has its own signature", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: signed, parts: []string{long, "hello"}}).is(200, "").header("ETag", etagOf(long+"hello")), b.holds("a", long+"hello"))
		}},
		{"chunked-forged", page, "the signature of the chunk includes the signature of the previous chunk", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: signed, parts: []string{long, "hello"}, forge: "chunk"}).is(403, "SignatureDoesNotMatch"), b.absent("a"))
		}},
		{"chunked-encoding-is-not-stored", page, "Amazon S3 stores the resulting object without the aws-chunked value in the content-encoding header.", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: signed, parts: []string{"hello"}}).is(200, ""), b.head("a").lacks("Content-Encoding").header("Content-Length", "5"),
				b.chunk(chunks{payload: signed, parts: []string{"hello"}, header: []string{"Content-Encoding", "aws-chunked,x-none"}}).is(200, ""), b.head("a").header("Content-Encoding", "x-none"))
		}},
		{"chunked-length-is-needed", page, "Set the x-amz-decoded-content-length header to the length, in bytes, of the data to be chunked", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: signed, parts: []string{"hello"}, drop: "X-Amz-Decoded-Content-Length"}).is(411, "MissingContentLength"), b.absent("a"))
		}},
		{"chunked-length-must-be-right", page, "x-amz-decoded-content-length … without counting any metadata", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: signed, parts: []string{"hello"}, length: "6"}).refused(), b.chunk(chunks{payload: signed, parts: []string{"hello"}, length: "4"}).refused(), b.absent("a"))
		}},
		{"chunked-small-chunks", page, "chunk size must be at least 8 KB … except for the last chunk", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: signed, parts: []string{"hello", long}}).refused().element("Code", "InvalidChunkSizeError"), b.absent("a"))
		}},
		{"chunked-unsigned-trailer", trailer, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: sigv4.StreamingUnsignedTrailer, parts: []string{"hello"}, trailer: crc}).is(200, ""), b.holds("a", "hello"),
				b.head("a", "x-amz-checksum-mode", "ENABLED").header("x-amz-checksum-crc32", checksumOf("crc32", "hello")))
		}},
		{"chunked-unsigned-trailer-mismatch", "recorded", "400 BadDigest: The CRC32 you specified did not match the calculated checksum.", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: sigv4.StreamingUnsignedTrailer, parts: []string{"hullo"}, trailer: crc}).is(400, "BadDigest"), b.absent("a"))
		}},
		{"chunked-unsigned-trailer-missing", "recorded", "400: the trailer that x-amz-trailer announces does not come", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: sigv4.StreamingUnsignedTrailer, parts: []string{"hello"}, header: []string{"X-Amz-Trailer", "x-amz-checksum-crc32"}}).refused(), b.absent("a"))
		}},
		{"chunked-signed-trailer", trailer, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: sigv4.StreamingPayloadTrailer, parts: []string{long, "hello"}, trailer: "x-amz-checksum-sha256:" + base64SHA256(long+"hello")}).is(200, ""), b.holds("a", long+"hello"))
		}},
		{"chunked-signed-trailer-forged", trailer, "x-amz-trailer-signature", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: sigv4.StreamingPayloadTrailer, parts: []string{"hello"}, trailer: crc, forge: "trailer"}).is(403, "SignatureDoesNotMatch"), b.absent("a"))
		}},
		{"chunked-cut", "Error responses", "IncompleteBody: You did not provide the number of bytes specified by the Content-Length HTTP header", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: signed, parts: []string{long, "hello"}, cut: 100}).is(400, "IncompleteBody"), b.absent("a"))
		}},
		{"chunked-empty", page, "the final chunk … has 0 bytes of chunk data", func(b *Bucket) error {
			return all(b.chunk(chunks{payload: signed}).is(200, "").header("ETag", etagOf("")), b.holds("a", ""))
		}},
	}
}
