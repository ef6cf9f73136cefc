package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

func privilegeProbes() []probe {
	return []probe{
		{id: "anonymous.read", after: ready(), run: probeAnonymousRead},
		{id: "anonymous.list", after: ready(), run: probeAnonymousList},
		{id: "anonymous.write", after: ready(), run: probeAnonymousWrite},
		{id: "anonymous.images", after: ready(), run: probeAnonymousImages},
		{id: "privilege.signer", after: ready(), run: probeSignerPrivilege},
		{id: "privilege.worker", after: ready(), run: probeWorkerPrivilege},
	}
}

func probeAnonymousRead(ctx context.Context, x *exam) []Finding {
	const title = "a stranger cannot read what was sent to incoming/"
	key := x.uploaded(ctx)
	if key == "" {
		return skipped(title, "nothing gets in: cure the uploads first")
	}
	got, err := x.do(ctx, ask{key: key})
	if err != nil {
		return []Finding{x.silent(title, "GET of "+key+" without a key", err)}
	}
	f := Finding{Status: OK, Title: title, Tried: "GET of " + key + " without a key", Got: got.String(), RequestID: got.RequestID}
	switch {
	case got.broken():
		return []Finding{x.refused(Warn, title, f.Tried, reads, got)}
	case got.ok():
		f.Status = Fault
		f.Cause = "Anybody may read incoming/: what strangers send, unchecked, is served from your bucket."
		f.Cure = x.fill("{setup}, which blocks public access; look for an Allow with Principal \"*\" in the bucket policy, and at the server's own public settings", nil)
	}
	return []Finding{f}
}

func probeAnonymousList(ctx context.Context, x *exam) []Finding {
	const title = "a stranger cannot list the bucket"
	f := Finding{Status: OK, Title: title, Tried: "lists of the bucket and of incoming/ without a key"}
	for _, query := range []string{"list-type=2&max-keys=1", listIncoming} {
		got, err := x.do(ctx, ask{query: query})
		if err != nil {
			return []Finding{x.silent(title, f.Tried, err)}
		}
		f.Got, f.RequestID = got.String(), got.RequestID
		if got.broken() {
			return []Finding{x.refused(Warn, title, f.Tried, lists, got)}
		}
		if got.ok() {
			f.Status = Fault
			f.Cause = "Anybody may list the bucket: the ids of uploads, which nobody can guess, can be read off."
			f.Cure = x.fill("{setup}; take s3:ListBucket out of the statement with Principal \"*\" in the bucket policy", nil)
			break
		}
	}
	return []Finding{f}
}

func probeAnonymousWrite(ctx context.Context, x *exam) []Finding {
	const title = "a stranger cannot write"
	f := Finding{Status: OK, Title: title, Tried: "PUT and POST to incoming/ without a key"}
	key := x.incoming("stranger")
	put, err := x.do(ctx, ask{method: http.MethodPut, key: key, body: x.content(testSize)})
	if err != nil {
		return []Finding{x.silent(title, f.Tried, err)}
	}
	form, err := x.post(ctx, []field{{"key", key}, {"Content-Type", testType}}, x.content(testSize), "")
	if err != nil {
		return []Finding{x.silent(title, f.Tried, err)}
	}
	f.Got, f.RequestID = put.String()+"; "+form.String(), put.RequestID
	if put.ok() || form.ok() {
		f.Status = Fault
		f.Cause = "Anybody may write without a permission: the bucket can be filled by everybody, at your cost."
		f.Cure = x.fill("{setup}; take s3:PutObject out of the statement with Principal \"*\" in the bucket policy", nil)
	}
	return []Finding{f}
}

// probeAnonymousImages holds what a stranger sees of images/ against what is
// set.
func probeAnonymousImages(ctx context.Context, x *exam) []Finding {
	title := "a stranger cannot read images/, whose pictures are shown by signed links"
	if x.c.Public {
		title = "a stranger can read images/, and by the address that is set"
	}
	key := x.key(postern.ImagesPrefix, "shown")
	content := x.content(testSize)
	got, err := x.do(ctx, ask{method: http.MethodPut, key: key, body: content, signed: &x.worker, header: http.Header{"Content-Type": {testType}}})
	if err != nil {
		return []Finding{x.silent(title, "PUT of "+key+" by the worker", err)}
	}
	if !got.ok() {
		return skipped(title, "the worker's key cannot write images/: "+got.String())
	}
	a, where := ask{key: key}, "in the bucket"
	if x.c.Public && x.c.ImagesURL != "" {
		where = x.c.ImagesURL
		a = ask{url: strings.TrimSuffix(x.c.ImagesURL, "/") + strings.TrimPrefix(key, strings.TrimSuffix(postern.ImagesPrefix, "/"))}
	}
	got, err = x.do(ctx, a)
	if err != nil {
		return []Finding{x.silent(title, "GET of "+key+" without a key, "+where, err)}
	}
	f := Finding{Status: OK, Title: title, Tried: "GET of " + key + " without a key, " + where, Got: got.String(), RequestID: got.RequestID}
	switch seen := got.ok() && bytes.Equal(got.Body, content); {
	case x.c.Public && !seen:
		f.Status = Fault
		f.Cause = fmt.Sprintf("images_url (%s) does not show what is in images/: pictures will not be seen.", where)
		f.Cure = x.fill("{setup} --public; or set images_url to the address that shows images/; or leave it out, and pictures are shown by signed links", nil)
	case !x.c.Public && seen:
		f.Status = Warn
		f.Cause = "Anybody may read images/, and nothing is set that would make use of it."
		f.Cure = x.fill("set images_url to the bucket's images/, which saves a redirect; or take it back: {setup}", nil)
	}
	return []Finding{f}
}

// power is one thing that a key might do.
type power struct {
	what string // "read incoming/"
	ask  ask
}

// outcome is what came of trying powers.
type outcome struct {
	can, cannot []string
	refusal     *answer // the last one
	odd         *answer // the first that tells neither: the server failed, or has no such thing
	oddly       string  // what was tried then
}

// powers tries each with a key. It may when the answer is good, or says that a
// thing is not there; it may not when the answer is 403, and 401 with some.
func (x *exam) powers(ctx context.Context, c *sigv4.Credentials, list []power) (*outcome, error) {
	var o outcome
	for _, p := range list {
		p.ask.signed = c
		got, err := x.do(ctx, p.ask)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.what, err)
		}
		switch {
		case got.ok(), got.Status == http.StatusNotFound && p.ask.method != http.MethodPut:
			if p.ask.method == http.MethodPut {
				x.written(p.ask.key)
			}
			o.can = append(o.can, p.what)
		case got.Status == http.StatusForbidden, got.Status == http.StatusUnauthorized:
			o.cannot, o.refusal = append(o.cannot, p.what), got
		case o.odd == nil:
			o.odd, o.oddly = got, p.what
		}
	}
	return &o, nil
}

// written has a key removed that should not have come to be: outside incoming/
// and images/ nobody could delete it otherwise, and what is not there would be
// said to have stayed.
func (x *exam) written(key string) {
	if !slices.Contains(x.wrote, key) {
		x.wrote = append(x.wrote, key)
	}
}

// particular are the words of refusals whose cause lies beside the key's own
// policy: "Troubleshoot access denied (403 Forbidden) errors", Amazon S3 user
// guide.
func particular(a *answer) bool {
	message := strings.ToLower(a.Message)
	return strings.Contains(message, "explicit deny") || strings.Contains(message, "kms")
}

func probeSignerPrivilege(ctx context.Context, x *exam) []Finding {
	const title = "the key that signs can put files below incoming/, and do nothing else"
	if x.same() {
		return skipped(title, "one key does everything: see credentials.apart")
	}
	shown := x.key(postern.ImagesPrefix, "signer-shown")
	if got, err := x.do(ctx, ask{method: http.MethodPut, key: shown, body: x.content(testSize), signed: &x.worker}); err != nil || !got.ok() {
		shown = ""
	}
	list := []power{
		{"list the bucket", ask{query: "list-type=2&max-keys=1"}},
		{"list incoming/", ask{query: listIncoming}},
		{"write images/", ask{method: http.MethodPut, key: x.key(postern.ImagesPrefix, "signer"), body: x.content(testSize)}},
		{"write beside incoming/", ask{method: http.MethodPut, key: x.name + "-signer", body: x.content(testSize)}},
	}
	if key := x.uploaded(ctx); key != "" {
		list = append(list, power{"read incoming/", ask{key: key}}, power{"delete from incoming/", ask{method: http.MethodDelete, key: x.incoming("signer-delete")}})
	}
	if shown != "" {
		list = append(list, power{"read images/", ask{key: shown}}, power{"delete from images/", ask{method: http.MethodDelete, key: x.key(postern.ImagesPrefix, "signer-delete")}})
	}
	o, err := x.powers(ctx, &x.signer, list)
	if err != nil {
		return []Finding{x.silent(title, "what the signer may do", err)}
	}
	f := Finding{Status: OK, Title: title, Tried: "with the signing key: " + names(list), Got: "all refused"}
	if o.refusal != nil {
		f.RequestID = o.refusal.RequestID
	}
	if len(o.can) > 0 {
		f.Status, f.Got = Fault, "it may "+strings.Join(o.can, ", ")
		f.Cause = "The key that signs may do more than it has to (" + strings.Join(o.can, ", ") + "): a leak of it, or a header that a server obeys, is more than one upload."
		f.Cure = x.fill("allow it s3:PutObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts on {bucket}/incoming/* and nothing else: {setup} --user NAME", nil)
		return []Finding{f}
	}
	if o.odd != nil && o.odd.broken() {
		return []Finding{x.refused(Warn, title, o.oddly+", with the signing key", anything, o.odd)}
	}
	return []Finding{f}
}

func names(list []power) string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.what
	}
	return strings.Join(out, ", ")
}

func probeWorkerPrivilege(ctx context.Context, x *exam) []Finding {
	const title = "the worker's key can do what it has to, and not write below incoming/"
	if x.same() {
		return skipped(title, "one key does everything: see credentials.apart")
	}
	image := x.key(postern.ImagesPrefix, "worker")
	must := []power{
		{"write images/", ask{method: http.MethodPut, key: image, body: x.content(testSize), header: http.Header{"Content-Type": {testType}}}},
		{"read images/", ask{key: image}},
		{"delete from images/", ask{method: http.MethodDelete, key: image}},
		{"list incoming/", ask{query: listIncoming}},
		{"list unfinished uploads", ask{query: "uploads=&prefix=incoming%2F&max-uploads=1"}},
	}
	never := []power{
		{"write incoming/", ask{method: http.MethodPut, key: x.incoming("worker"), body: x.content(testSize)}},
		{"write beside images/", ask{method: http.MethodPut, key: x.name + "-worker", body: x.content(testSize)}},
	}
	if key := x.uploaded(ctx); key != "" {
		must = append(must, power{"read incoming/", ask{key: key}}, power{"delete from incoming/", ask{method: http.MethodDelete, key: x.incoming("worker-delete")}})
	}
	o, err := x.powers(ctx, &x.worker, must)
	if err != nil {
		return []Finding{x.silent(title, "what the worker may do", err)}
	}
	f := Finding{Status: OK, Title: title, Tried: "with the worker's key: " + names(must) + "; " + names(never)}
	if o.odd != nil {
		return []Finding{x.refused(Fault, title, o.oddly+", with the worker's key", anything, o.odd)}
	}
	if len(o.cannot) > 0 {
		f.Status, f.Got, f.RequestID = Fault, o.refusal.String(), o.refusal.RequestID
		f.Cause = "The worker's key may not " + strings.Join(o.cannot, ", ") + ", which checking and sweeping need."
		if particular(o.refusal) {
			f.Tried = strings.Join(o.cannot, ", ") + ", with the worker's key"
			f.Cause, f.Cure = x.because(anything, o.refusal)
			return []Finding{f}
		}
		f.Cure = x.fill("{setup} --user NAME, or --role NAME, which write its policy; docs/provision.md has it line by line", nil)
		return []Finding{f}
	}
	// Whether something has arrived is told by 404; without s3:ListBucket it is 403.
	missing, err := x.do(ctx, ask{method: http.MethodHead, key: postern.IncomingPrefix + x.name + "-missing", signed: &x.worker})
	if err != nil {
		return []Finding{x.silent(title, "HEAD of what is not there", err)}
	}
	if missing.Status == http.StatusForbidden {
		f.Status, f.Got, f.RequestID = Fault, missing.String(), missing.RequestID
		f.Tried = "HEAD of what is not there, with the worker's key"
		f.Cause = "A file that has not arrived is answered 403 and not 404, so the gate cannot tell \"not yet\" from \"not allowed\": the worker's key has no s3:ListBucket, or only with a condition on the prefix, which a HEAD does not meet."
		f.Cure = x.fill("allow the worker s3:ListBucket on {bucket} without a condition: {setup} --user NAME", nil)
		return []Finding{f}
	}
	if o, err = x.powers(ctx, &x.worker, never); err != nil {
		return []Finding{x.silent(title, "what the worker must not do", err)}
	}
	switch {
	case len(o.can) > 0:
		f.Status, f.Got = Warn, "it may "+strings.Join(o.can, ", ")
		f.Cause = "The worker's key may " + strings.Join(o.can, ", ") + ", which it never has to: browsers write incoming/, and the worker images/."
		f.Cure = x.fill("allow it s3:PutObject on {bucket}/images/* and nowhere else: {setup} --user NAME", nil)
	case o.odd != nil && o.odd.broken():
		return []Finding{x.refused(Warn, title, o.oddly+", with the worker's key", anything, o.odd)}
	case o.refusal != nil:
		f.Got, f.RequestID = o.refusal.String(), o.refusal.RequestID
	}
	return []Finding{f}
}
