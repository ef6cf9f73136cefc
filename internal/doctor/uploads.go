package doctor

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"postern.example/postern"
)

// ready is what has to be well before anything is sent.
func ready() []string {
	return []string{"network.dns", "network.reach", "network.tls", "network.region", "credentials.signer", "credentials.worker"}
}

func uploadProbes() []probe {
	return []probe{
		{id: "upload.post", after: ready(), run: probePost},
		{id: "upload.put", after: ready(), run: probePut},
		{id: "upload.multipart", after: ready(), run: probeMultipart},
		{id: "upload.checksum", after: ready(), run: probeChecksum},
		{id: "upload.overwrite", after: ready(), run: probeOverwrite},
	}
}

func probePost(ctx context.Context, x *exam) []Finding {
	const title = "a form with a signed policy arrives whole"
	switch {
	case x.c.Provider.Post == postern.No:
		return skipped(title, x.provider()+" has no form uploads; files go by PUT")
	case !x.uses(postern.Post):
		return skipped(title, "no preset sends forms")
	}
	key, file := x.incoming("form"), x.content(testSize)
	tried := fmt.Sprintf("POST of %d bytes to %s", len(file), key)
	got, err := x.post(ctx, x.form(permit{key: key, min: 1, max: testLimit}), file, "")
	if err != nil {
		return []Finding{x.silent(title, tried, err)}
	}
	if !got.ok() {
		return []Finding{x.refused(Fault, title, tried, forms, got)}
	}
	x.forms = true
	return x.arrived(ctx, title, tried, key, file, got)
}

func probePut(ctx context.Context, x *exam) []Finding {
	const title = "a PUT by a signed URL arrives whole"
	if !x.uses(postern.Put) {
		return skipped(title, "no preset sends by PUT")
	}
	key, file := x.incoming("put"), x.content(testSize)
	tried := fmt.Sprintf("PUT of %d bytes to %s, length and type signed", len(file), key)
	a, err := x.put(permit{key: key}, len(file))
	if err != nil {
		return []Finding{x.silent(title, tried, err)}
	}
	a.body = file
	got, err := x.do(ctx, a)
	if err != nil {
		return []Finding{x.silent(title, tried, err)}
	}
	if !got.ok() {
		return []Finding{x.refused(Fault, title, tried, puts, got)}
	}
	return x.arrived(ctx, title, tried, key, file, got)
}

// arrived looks with the worker's key whether what arrived is what was sent.
func (x *exam) arrived(ctx context.Context, title, tried, key string, file []byte, sent *answer) []Finding {
	f := Finding{Status: OK, Title: title, Tried: tried, Got: sent.String(), RequestID: sent.RequestID}
	got, err := x.do(ctx, ask{key: key, signed: &x.worker})
	switch {
	case err != nil:
		return []Finding{x.silent(title, "GET of "+key+" by the worker", err)}
	case !got.ok():
		return []Finding{x.refused(Fault, title, "GET of "+key+" by the worker", reads, got)}
	case !bytes.Equal(got.Body, file):
		f.Status, f.Got = Fault, fmt.Sprintf("%d bytes that are not those sent (%d)", len(got.Body), len(file))
		f.Cause = "Something between here and the bucket changes what is sent: a proxy, a filter, a cache."
		f.Cure = x.fill("let bodies through to {url} as they are, or name the bucket's own address: --bucket-url", nil)
	case got.Header.Get("Content-Type") != testType:
		f.Status, f.Got = Warn, fmt.Sprintf("stored as %q, sent as %q", got.Header.Get("Content-Type"), testType)
		f.Cause = "The server does not keep the type that was signed."
		f.Cure = "nothing to do for the gate, which looks at the bytes; do not rely on it elsewhere"
	}
	return []Finding{f}
}

// probeMultipart sends a file in parts, as the gate does: begun and completed by
// us, the one part by a URL.
func probeMultipart(ctx context.Context, x *exam) []Finding {
	const title = "a file in parts arrives whole"
	if !x.uses(postern.Multi) {
		return skipped(title, "no preset sends in parts")
	}
	key, file := x.incoming("parts"), x.content(testSize)
	step := "begin"
	fail := func(got *answer, err error) []Finding {
		tried := step + " an upload in parts to " + key
		if err != nil {
			return []Finding{x.silent(title, tried, err)}
		}
		return []Finding{x.refused(Fault, title, tried, inParts, got)}
	}
	got, err := x.do(ctx, ask{method: http.MethodPost, key: key, query: "uploads=", signed: &x.signer, header: http.Header{"Content-Type": {testType}}})
	if err != nil || !got.ok() {
		return fail(got, err)
	}
	var begun struct {
		UploadID string `xml:"UploadId"`
	}
	if err := xml.Unmarshal(got.Body, &begun); err != nil || begun.UploadID == "" {
		return fail(got, nil)
	}
	x.begun = append(x.begun, unfinished{key, begun.UploadID})
	step = "send the part of"
	id := escaped("uploadId", begun.UploadID)
	part, err := x.presigned(http.MethodPut, key, "partNumber=1&"+id, http.Header{"Content-Length": {strconv.Itoa(len(file))}}, nil, x.now())
	if err != nil {
		return fail(nil, err)
	}
	part.body = file
	if got, err = x.do(ctx, part); err != nil || !got.ok() {
		return fail(got, err)
	}
	etag := got.Header.Get("ETag")
	step = "list the parts of"
	if got, err = x.do(ctx, ask{key: key, query: id, signed: &x.signer}); err != nil || !got.ok() {
		return fail(got, err)
	}
	step = "complete"
	doc := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + escapedXML(etag) + "</ETag></Part></CompleteMultipartUpload>"
	got, err = x.do(ctx, ask{method: http.MethodPost, key: key, query: id, signed: &x.signer, body: []byte(doc), header: http.Header{"Content-Type": {"application/xml"}}})
	// S3 may say 200 first and then an error in the body.
	if err != nil || !got.ok() || strings.Contains(string(got.Body), "<Error>") {
		return fail(got, err)
	}
	x.begun = x.begun[:len(x.begun)-1]
	return x.arrived(ctx, title, fmt.Sprintf("%d bytes in one part to %s", len(file), key), key, file, got)
}

func escapedXML(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}

// probeChecksum announces the hash of another file.
func probeChecksum(ctx context.Context, x *exam) []Finding {
	const title = "a file that is not the one announced is refused"
	if x.c.Provider.Checksum == postern.No {
		return skipped(title, x.provider()+" knows no checksums; the check finds other bytes than were announced")
	}
	key, file := x.incoming("checksum"), x.content(testSize)
	got, err := x.arrive(ctx, permit{key: key, min: 1, max: testLimit, sha256: sum([]byte("another"))}, file)
	tried := "a file to " + key + " with the SHA-256 of another one"
	if err != nil {
		return []Finding{x.silent(title, tried, err)}
	}
	f := Finding{Status: OK, Title: title, Tried: tried, Got: got.String(), RequestID: got.RequestID}
	if got.ok() {
		f.Status = Warn
		f.Cause = "The server stores bytes whose SHA-256 is not the one that was signed."
		f.Cure = "nothing has to be done: the gate hashes what arrived and rejects it; name the server with --provider if it is a known one"
	}
	return []Finding{f}
}

// probeOverwrite sends a second file by a URL that has been used.
func probeOverwrite(ctx context.Context, x *exam) []Finding {
	const title = "a used PUT URL does not overwrite"
	if !x.uses(postern.Put) {
		return skipped(title, "no preset sends by PUT")
	}
	if x.c.Provider.IfNoneMatch != postern.Yes {
		return skipped(title, x.provider()+" is not known to have If-None-Match; what was checked does not change by it")
	}
	key, file := x.incoming("overwrite"), x.content(testSize)
	a, err := x.put(permit{key: key}, len(file))
	if err == nil {
		a.body = file
		_, err = x.do(ctx, a)
	}
	tried := "PUT to " + key + " twice, each with If-None-Match: *"
	if err != nil {
		return []Finding{x.silent(title, tried, err)}
	}
	got, err := x.do(ctx, a)
	if err != nil {
		return []Finding{x.silent(title, tried, err)}
	}
	f := Finding{Status: OK, Title: title, Tried: tried, Got: got.String(), RequestID: got.RequestID}
	if got.ok() {
		f.Status = Warn
		f.Cause = "The server ignores If-None-Match: a URL can be used again until it runs out, and then replaces the file."
		f.Cure = "nothing is lost by it: what was checked does not change; shorten the presets' life (life: 5m) if you pay by request"
	}
	return []Finding{f}
}
