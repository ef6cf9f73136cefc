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
	if got.ok() {
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

// may tries what a key must or must not be allowed.
func (x *exam) may(ctx context.Context, c *sigv4.Credentials, a ask) (bool, *answer, error) {
	a.signed = c
	got, err := x.do(ctx, a)
	if err != nil {
		return false, nil, err
	}
	// A key that may, and a thing that is not there, is 404.
	return got.ok() || got.Status == http.StatusNotFound && a.method != http.MethodPut, got, nil
}

// power is one thing that a key might do.
type power struct {
	what string // "read incoming/"
	ask  ask
}

// powers tries each, and returns those that are allowed and those that are not.
func (x *exam) powers(ctx context.Context, c *sigv4.Credentials, list []power) (can, cannot []string, last *answer, err error) {
	for _, p := range list {
		ok, got, err := x.may(ctx, c, p.ask)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", p.what, err)
		}
		if ok {
			can = append(can, p.what)
		} else {
			cannot, last = append(cannot, p.what), got
		}
	}
	return can, cannot, last, nil
}

func probeSignerPrivilege(ctx context.Context, x *exam) []Finding {
	const title = "the key that signs can put files below incoming/, and do nothing else"
	if x.same() {
		return skipped(title, "one key does everything: see credentials.apart")
	}
	const beside = "write beside incoming/"
	shown := x.key(postern.ImagesPrefix, "signer-shown")
	if got, err := x.do(ctx, ask{method: http.MethodPut, key: shown, body: x.content(testSize), signed: &x.worker}); err != nil || !got.ok() {
		shown = ""
	}
	list := []power{
		{"list the bucket", ask{query: "list-type=2&max-keys=1"}},
		{"list incoming/", ask{query: listIncoming}},
		{"write images/", ask{method: http.MethodPut, key: x.key(postern.ImagesPrefix, "signer"), body: x.content(testSize)}},
		{beside, ask{method: http.MethodPut, key: x.name + "-signer", body: x.content(testSize)}},
	}
	if key := x.uploaded(ctx); key != "" {
		list = append(list, power{"read incoming/", ask{key: key}}, power{"delete from incoming/", ask{method: http.MethodDelete, key: x.incoming("signer-delete")}})
	}
	if shown != "" {
		list = append(list, power{"read images/", ask{key: shown}}, power{"delete from images/", ask{method: http.MethodDelete, key: x.key(postern.ImagesPrefix, "signer-delete")}})
	}
	can, _, last, err := x.powers(ctx, &x.signer, list)
	if err != nil {
		return []Finding{x.silent(title, "what the signer may do", err)}
	}
	f := Finding{Status: OK, Title: title, Tried: "with the signing key: " + names(list), Got: "all refused"}
	if last != nil {
		f.RequestID = last.RequestID
	}
	if slices.Contains(can, beside) {
		x.wrote = append(x.wrote, x.name+"-signer")
	}
	if len(can) > 0 {
		f.Status, f.Got = Fault, "it may "+strings.Join(can, ", ")
		f.Cause = "The key that signs may do more than it has to (" + strings.Join(can, ", ") + "): a leak of it, or a header that a server obeys, is more than one upload."
		f.Cure = x.fill("allow it s3:PutObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts on {bucket}/incoming/* and nothing else: {setup} --user NAME", nil)
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
	if key := x.uploaded(ctx); key != "" {
		must = append(must, power{"read incoming/", ask{key: key}}, power{"delete from incoming/", ask{method: http.MethodDelete, key: x.incoming("worker-delete")}})
	}
	_, cannot, last, err := x.powers(ctx, &x.worker, must)
	if err != nil {
		return []Finding{x.silent(title, "what the worker may do", err)}
	}
	f := Finding{Status: OK, Title: title, Tried: "with the worker's key: " + names(must) + "; write incoming/"}
	if len(cannot) > 0 {
		f.Status, f.Got, f.RequestID = Fault, last.String(), last.RequestID
		f.Cause = "The worker's key may not " + strings.Join(cannot, ", ") + ", which checking and sweeping need."
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
	writes, got, err := x.may(ctx, &x.worker, ask{method: http.MethodPut, key: x.incoming("worker"), body: x.content(testSize)})
	if err != nil {
		return []Finding{x.silent(title, "PUT into incoming/ with the worker's key", err)}
	}
	f.Got, f.RequestID = got.String(), got.RequestID
	if writes {
		f.Status = Warn
		f.Cause = "The worker's key may write below incoming/, which only browsers have to."
		f.Cure = x.fill("take s3:PutObject on {bucket}/incoming/* from it: {setup} --user NAME", nil)
	}
	return []Finding{f}
}
