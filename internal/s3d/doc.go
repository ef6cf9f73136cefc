// Package s3d is the embedded bucket: the part of S3 that uploads need, as an
// [http.Handler] over a directory. It is as strict as S3 and as durable as the
// disk below it. It is not general S3: what it lacks it refuses by name.
//
// # What it promises
//
//   - An answer of 2xx to a write means that the bytes and everything said
//     about them are on disk: file synced, renamed, folder synced.
//   - Bytes and metadata live in one file and change by one rename. A reader
//     gets the old object or the new one, never a mixture, and a crash leaves
//     one of the two.
//   - Signature and policy are judged before anything is written, and a file is
//     never held in memory.
//   - An operation, sub-resource, header or field that it does not know is
//     answered 501 NotImplemented and noted in the log; it is never taken for
//     another operation and never dropped in silence.
//
// # Where things lie
//
//	DIR/.lock                            held while a Server is open
//	DIR/.deleted-<random>/               what is left of a deleted bucket; removed when the folder is opened
//	DIR/<bucket>/objects/<xx>/<name>     one file per object, see object.go and keyname.go
//	DIR/<bucket>/uploads/<upload id>/    one multipart upload: a file about it and one per part, see upload_folder.go
//	DIR/<bucket>/tmp/                    drafts; emptied when the folder is opened
//	DIR/<bucket>/created                 when the bucket was made, RFC 3339
//	DIR/<bucket>/cors.xml                its CORS rules, as they were sent
//	DIR/<bucket>/lifecycle.xml           its lifecycle rules, each with an id
//	DIR/<bucket>/tags.xml                its tags, as they were sent
//	DIR/<bucket>/policy.json             its policy, as it was sent
//	DIR/<bucket>/public-access.xml       its Block Public Access; no file: all four, an empty one: none
//
// A setting that was never made, or was deleted, has no file. Ownership,
// encryption and versioning have none, as they are the same for every bucket:
// the owner owns all, and nothing is encrypted or versioned.
//
// # Growing old
//
// Lifecycle rules are carried out by [Server.Run], which looks every hour, or
// [Server.Sweep], which looks once. Without either nothing expires.
//
// # Serving it
//
// Addressing is path-style: /bucket/key. Do not put a [http.ServeMux] or
// anything else that cleans paths in front: "..", "//" and "%2F" are ordinary
// bytes of a key. The server around it should set ReadHeaderTimeout (10 s),
// IdleTimeout (2 min) and MaxHeaderBytes (32 KiB), must not set ReadTimeout or
// WriteTimeout (a large file takes its time), and should instead bound how
// long a body may stand still by moving the read deadline on with each read.
package s3d
