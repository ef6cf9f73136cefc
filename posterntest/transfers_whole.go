package posterntest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"

	"postern.example/postern"
)

// change makes a lie of a grant and a file.
type change func(g *Grant, file []byte) []byte

// whole sends a file in one request after a change, and wants a status.
func whole(class int, lie change) step {
	return func(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
		grant := grantOf(g)
		if lie != nil {
			file = lie(grant, bytes.Clone(file))
		}
		status, body, err := x.gate.Send(ctx, grant, file)
		if err != nil {
			return err
		}
		return wants(status, class, body)
	}
}

func grantOf(g *postern.Grant) *Grant {
	asMap := func(list postern.Fields) map[string]string {
		m := map[string]string{}
		for _, f := range list {
			m[f.Name] = f.Value
		}
		return m
	}
	return &Grant{Method: g.Method, URL: g.URL, Fields: asMap(g.Fields), FileField: g.FileField, Headers: asMap(g.Headers)}
}

// Lies about the file.

func more(_ *Grant, file []byte) []byte { return append(file, 'x') }
func less(_ *Grant, file []byte) []byte { return file[1:] }
func other(_ *Grant, file []byte) []byte {
	file[len(file)/2] ^= 1
	return file
}

// Lies about a form's fields or a PUT's headers, whichever there are.

func (g *Grant) said() map[string]string {
	if g.Method == http.MethodPost {
		return g.Fields
	}
	return g.Headers
}

func set(name, value string) change {
	return func(g *Grant, file []byte) []byte { g.said()[name] = value; return file }
}

func drop(name string) change {
	return func(g *Grant, file []byte) []byte { delete(g.said(), name); return file }
}

// altered changes one letter in the midst of a field.
func altered(name string) change {
	return func(g *Grant, file []byte) []byte {
		value := []byte(g.said()[name])
		value[len(value)/2] ^= 1
		g.said()[name] = string(value)
		return file
	}
}

func replaced(old, with string) change {
	return func(g *Grant, file []byte) []byte { g.URL = strings.Replace(g.URL, old, with, 1); return file }
}

// copied has the bucket take the bytes from an object that is not the client's,
// with what the client says in the place of the object's metadata.
func copied(x *transfers) map[string]string {
	return map[string]string{"x-amz-copy-source": "/" + x.Name + "/" + privateKey, "x-amz-metadata-directive": "REPLACE"}
}

// request is one that no client sends that means well.
type request struct {
	method  string
	url     string
	headers map[string]string
	body    []byte
	said    int64 // Content-Length: -1 for none
}

// refused sends r and wants it refused. Servers may hang up on it.
func (x *transfers) refused(ctx context.Context, r request) error {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, io.NopCloser(bytes.NewReader(r.body)))
	if err != nil {
		return err
	}
	for name, value := range r.headers {
		req.Header.Set(name, value)
	}
	req.ContentLength = r.said
	res, err := x.gate.HTTP.Do(req)
	if err != nil {
		return nil // what it did is looked at in the bucket
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	return wants(res.StatusCode, 400, string(body))
}

// formWithoutFile ends the form before its file.
func formWithoutFile(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
	form, contentType := Form(grantOf(g), file)
	_, says, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	end := "--" + says["boundary"]
	form = append(form[:bytes.LastIndex(form[:bytes.Index(form, file)], []byte(end))], end+"--\r\n"...)
	return x.refused(ctx, request{http.MethodPost, g.URL, map[string]string{"Content-Type": contentType}, form, int64(len(form))})
}

// formCutOff ends the connection within the file.
func formCutOff(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
	form, contentType := Form(grantOf(g), file)
	headers := map[string]string{"Content-Type": contentType}
	return x.refused(ctx, request{http.MethodPost, g.URL, headers, form[:bytes.Index(form, file)+len(file)/2], int64(len(form))})
}

// othersTicket takes the ticket of somebody else's grant.
func othersTicket(transfer postern.Transfer) step {
	return func(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
		eves, err := x.another(ctx, "eve", transfer, file)
		if err != nil {
			return err
		}
		return whole(400, set(postern.TicketHeader, grantOf(eves).said()[postern.TicketHeader]))(ctx, x, g, file)
	}
}

// replayed sends once more, other bytes if the bucket lets it, after complete:
// the upload stays what it was noted as.
func replayed(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
	if err := all(honest, completes(nil))(ctx, x, g, file); err != nil {
		return err
	}
	noted, err := x.service.Upload(ctx, postern.Anonymous, g.Ticket.ID)
	if err != nil {
		return err
	}
	if _, _, err := x.gate.Send(ctx, grantOf(g), other(nil, bytes.Clone(file))); err != nil {
		return err
	}
	u, err := x.complete(ctx, g)
	if err != nil || u.State != noted.State || u.ETag != noted.ETag || !u.StoredAt.Equal(noted.StoredAt) {
		return fmt.Errorf("after a replay the upload is %s: %w", u.State, err)
	}
	return honest(ctx, x, g, file) // the bytes themselves may be replaced by form; the check reads what was noted
}

// removed takes the upload away and sends it once more: it does not come back.
func removed(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
	if err := all(honest, completes(nil))(ctx, x, g, file); err != nil {
		return err
	}
	id := g.Ticket.ID
	if err := x.service.Remove(ctx, postern.Anonymous, id); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	key := postern.IncomingPrefix + string(id)
	if err := x.Bucket.Delete(ctx, key); err != nil { // as the worker does
		return err
	}
	if err := honest(ctx, x, g, file); err != nil {
		return fmt.Errorf("a replay: %w", err)
	}
	if _, err := x.complete(ctx, g); !errors.Is(err, postern.ErrNotFound) {
		return fmt.Errorf("complete after the removal: %w, want %w", err, postern.ErrNotFound)
	}
	o, err := x.Bucket.Head(ctx, key)
	if err != nil {
		return err
	}
	if verdict, err := x.service.Adopt(ctx, o); verdict != postern.Replay {
		return fmt.Errorf("a sweep takes the replay for %s: %w", verdict, err)
	}
	return x.Bucket.Delete(ctx, key) // as a sweep does
}

func forms() []transferCase {
	list := []transferCase{
		{name: "form", send: honest, ends: arrives},
		{name: "form with a hash", hashed: true, send: honest, ends: arrives},
		{name: "form: sent twice", send: all(honest, honest), ends: arrives},
		{name: "form: one byte more", send: whole(400, more)},
		{name: "form: one byte less", send: whole(400, less)},
		{name: "form: no bytes", send: whole(400, func(*Grant, []byte) []byte { return nil })},
		{name: "form: no file", send: formWithoutFile},
		{name: "form: cut off", send: formCutOff},
		{name: "form: other bytes than hashed", hashed: true, send: whole(400, other)},
		{name: "form: another hash", hashed: true, send: whole(400, func(g *Grant, file []byte) []byte {
			g.Fields["x-amz-checksum-sha256"] = sha256Of(other(nil, file))
			return file
		})},
		{name: "form: no hash", hashed: true, send: whole(400, drop("x-amz-checksum-sha256"))},
		{name: "form: another type", send: whole(400, set("Content-Type", "text/html"))},
		{name: "form: a list of types", send: whole(400, set("Content-Type", "image/jpeg,text/html"))},
		{name: "form: no type", send: whole(400, drop("Content-Type"))},
		{name: "form: another key", send: whole(400, set("key", postern.ImagesPrefix+"x"))},
		{name: "form: a longer key", send: whole(400, func(g *Grant, file []byte) []byte { g.Fields["key"] += "/x"; return file })},
		{name: "form: somebody else's key", send: whole(400, set("key", privateKey))},
		{name: "form: no key", send: whole(400, drop("key"))},
		{name: "form: another ticket", send: whole(400, set(postern.TicketHeader, "forged"))},
		{name: "form: somebody else's ticket", send: othersTicket(postern.Post)},
		{name: "form: no ticket", send: whole(400, drop(postern.TicketHeader))},
		{name: "form: more metadata", send: whole(400, set("x-amz-meta-more", "1"))},
		{name: "form: an ACL", send: whole(400, set("acl", "public-read"))},
		{name: "form: a disposition", send: whole(400, set("Content-Disposition", "inline"))},
		{name: "form: a redirect", send: whole(400, set("success_action_redirect", "https://evil.example/"))},
		{name: "form: another status", send: whole(400, set("success_action_status", "201"))},
		{name: "form: another policy", send: whole(400, altered("policy"))},
		{name: "form: no policy", send: whole(400, drop("policy"))},
		{name: "form: another signature", send: whole(400, altered("x-amz-signature"))},
		{name: "form: another day", send: whole(400, altered("x-amz-date"))},
		{name: "form: expired", ago: overdue, send: whole(400, nil), ends: spent},
		{name: "form: other bytes after complete", send: replayed, ends: arrives},
		{name: "form: again after its removal", send: removed, ends: gone},
	}
	for i := range list {
		list[i].transfer = postern.Post
	}
	return list
}

// putWith sends a PUT with more headers than were signed, and wants it refused.
func putWith(headers func(*transfers) map[string]string) step {
	return func(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
		return whole(400, func(g *Grant, file []byte) []byte { maps.Copy(g.Headers, headers(x)); return file })(ctx, x, g, file)
	}
}

// putOf sends a PUT as no client's library would.
func putOf(lie func(r *request)) step {
	return func(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
		r := request{http.MethodPut, g.URL, grantOf(g).Headers, file, int64(len(file))}
		lie(&r)
		return x.refused(ctx, r)
	}
}

func putAgain(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
	status, body, err := x.gate.Send(ctx, grantOf(g), other(nil, bytes.Clone(file)))
	if err != nil {
		return err
	}
	if status != http.StatusPreconditionFailed {
		return fmt.Errorf("a second PUT: status %d, want 412: %.300s", status, body)
	}
	return nil
}

func puts() []transferCase {
	list := []transferCase{
		{name: "PUT", send: honest, ends: arrives},
		{name: "PUT with a hash", hashed: true, send: honest, ends: arrives},
		{name: "PUT with an MD5", md5: true, send: honest, ends: arrives},
		{name: "PUT: one byte more", send: whole(400, more)},
		{name: "PUT: one byte less", send: whole(400, less)},
		{name: "PUT: no bytes", send: whole(400, func(*Grant, []byte) []byte { return nil })},
		{name: "PUT: no length", send: putOf(func(r *request) { r.said = -1 })},
		{name: "PUT: cut off", send: putOf(func(r *request) { r.body = r.body[1:] })},
		{name: "PUT: other bytes than hashed", hashed: true, send: whole(400, other)},
		{name: "PUT: other bytes than in the MD5", md5: true, send: whole(400, other)},
		{name: "PUT: no MD5", md5: true, send: whole(400, drop("Content-MD5"))},
		{name: "PUT: another type", send: whole(400, set("Content-Type", "text/html"))},
		{name: "PUT: no type", send: whole(400, drop("Content-Type"))},
		{name: "PUT: another ticket", send: whole(400, set(postern.TicketHeader, "forged"))},
		{name: "PUT: somebody else's ticket", send: othersTicket(postern.Put)},
		{name: "PUT: no ticket", send: whole(400, drop(postern.TicketHeader))},
		{name: "PUT: no condition", send: whole(400, drop("If-None-Match"))},
		{name: "PUT: more metadata", send: whole(400, set("x-amz-meta-more", "1"))},
		{name: "PUT: an ACL", send: whole(400, set("x-amz-acl", "public-read"))},
		{name: "PUT: a copy of somebody else's object", send: putWith(copied)},
		{name: "PUT: another key", send: whole(400, replaced("/"+postern.IncomingPrefix, "/"+postern.ImagesPrefix))},
		{name: "PUT: a longer key", send: whole(400, replaced("?", "/x?"))},
		{name: "PUT: another parameter", send: whole(400, replaced("?", "?response-content-type=text%2Fhtml&"))},
		{name: "PUT: another signature", send: whole(400, replaced("X-Amz-Signature=", "X-Amz-Signature=0"))},
		{name: "PUT: a longer life", send: whole(400, replaced("X-Amz-Expires=600", "X-Amz-Expires=3600"))},
		{name: "PUT: fewer signed headers", send: whole(400, replaced("content-length%3B", ""))},
		{name: "PUT: a GET", send: putOf(func(r *request) { r.method, r.body, r.said = http.MethodGet, nil, 0 })},
		{name: "PUT: a DELETE", send: putOf(func(r *request) { r.method, r.body, r.said = http.MethodDelete, nil, 0 })},
		{name: "PUT: expired", ago: overdue, send: whole(400, nil), ends: spent},
		{name: "PUT: a second time", send: all(honest, putAgain), ends: arrives},
		{name: "PUT: other bytes after complete", send: all(honest, completes(nil), putAgain), ends: arrives},
		{name: "PUT: again after its removal", send: removed, ends: gone},
	}
	for i := range list {
		list[i].transfer = postern.Put
	}
	return list
}
