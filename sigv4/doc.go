// Package sigv4 signs and verifies requests to S3 with AWS Signature Version 4,
// in the three forms there are: forms with a POST policy, presigned URLs and
// the Authorization header. It uses the standard library only.
//
// One grammar serves both sides: the [Policy] that a gate builds and a [Signer]
// signs is the one that a bucket checks with a [Verifier], [ParsePolicy] and
// [Policy.Evaluate]. Where S3's documentation and its recorded answers differ,
// the answers count; where S3 is lax or unknown, this package refuses.
//
// # A form, from signature to check
//
//	p := &sigv4.Policy{Expiration: now.Add(5 * time.Minute), Conditions: []sigv4.Condition{
//		sigv4.Eq("bucket", "photos"), sigv4.Eq("key", "incoming/1"), sigv4.Eq("Content-Type", "image/png"),
//		sigv4.LengthRange(1, 25e6),
//	}}
//	fields := signer.Post(credentials, now, p) // to be sent with key and Content-Type, before the file
//
//	id, doc, err := verifier.Post(form) // who signed, and what
//	p, err := sigv4.ParsePolicy(doc)
//	err = p.Evaluate(form, "photos", now)
//	err = p.CheckSize(size) // once it is known
//
// # Rules
//
// Of signing and canonical requests ("Create a signed AWS API request", and
// "Authenticating Requests: Using Query Parameters" in the S3 API reference):
//
//  1. A derived key belongs to one UTC day, region, access key id and secret,
//     and is used for no other.
//  2. Paths and queries are decoded, then encoded once: all but A-Z a-z 0-9
//     - . _ ~ (and / in paths) as %XX in capitals. Paths are not normalized,
//     and %2F in a path is a slash. In a query a plus is a space.
//  3. Queries are sorted by name, then value, after encoding.
//  4. Values of headers are trimmed, runs of spaces folded, several values of
//     one header joined by commas in their order.
//  5. Signatures and tokens are compared in constant time, signatures before
//     anything they cover is decoded.
//  6. Host and every x-amz-* header must be signed. A presigned URL to which a
//     stranger adds an x-amz-* header is refused.
//  7. Header and query authentication at once, version 2, other algorithms, a
//     parameter that is there twice or in another spelling: refused.
//  8. Clocks may differ by 15 minutes. Presigned URLs live 1 s to 7 days, and
//     are good at their last instant, not after it.
//
// Of policies ("POST Policy" in the S3 API reference, and answers of S3 that
// were recorded; see each function):
//
//  9. The document is read by a strict token reader, not by encoding/json,
//     which matches names in any case and keeps the last of two members.
//  10. Every field but a few has a condition, every condition holds; the bucket
//     and the signature's own fields must have one.
//  11. Two size ranges are an intersection; [0,0] is the empty file, not "no
//     limit".
//
// Of aws-chunked bodies ("Transferring Payload in Multiple Chunks" and
// "Including Trailing Headers" in the S3 API reference; see [Identity.Chunked]):
//
//  12. They need the Authorization header. The headers that say how to read
//     them are signed, as all x-amz-* are.
//  13. A body is good when every signature, its trailer and its length are, and
//     nothing follows. Only then does [ChunkReader.Read] return io.EOF.
//  14. A trailer has what was announced and no more, whether signed or not. An
//     unsigned one, or unsigned chunks, must not look signed.
//
// # Speed
//
// [Signer.Post] and [Signer.Presign] suit most. A gate that signs all day takes
// [Signer.AppendPost], [Signer.AppendPresign] and [Parts], which give the same
// bytes and allocate nothing. Nearly all that is left is SHA-256 itself; what
// keeps it so:
//
//   - The day's key is derived once ([Signer]), and its two pads are hashed once.
//   - The state of a hash after a beginning that texts have in common is kept,
//     and used only for a text that begins so, byte for byte. Put the conditions
//     that are the same for all uploads before those that differ: of policies
//     signed in one second, only what follows is hashed.
//   - Base64, hexadecimal and percent encoding go by tables; text that needs no
//     escape is found eight bytes at a time.
//   - Nothing of a caller's policy or headers is held on to, so they stay on
//     his stack.
//
// # Errors
//
// Verification returns an *[Error] with S3's code, status and words, ready to
// become S3's XML. Signing returns plain errors: they are faults of the program
// that signs. Neither ever holds a secret, a signature, a policy or a token.
//
// # Concurrency
//
// A [Signer], a [Place] and a [Verifier] are safe for concurrent use. So are all
// functions and the methods of [Policy], as long as nobody writes to the policy.
// [Parts] and a [ChunkReader] are for one goroutine.
package sigv4
