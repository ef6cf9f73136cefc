package posterntest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"postern.example/postern"
)

// sendsPart sends the n-th part as it was granted.
func sendsPart(n int) step {
	return func(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
		r := partRequest(g, file, n)
		status, answer, err := x.gate.SendPart(ctx, r.url, r.body)
		if err != nil {
			return err
		}
		return wants(status, 200, answer)
	}
}

func partRequest(g *postern.Grant, file []byte, n int) request {
	p := g.Parts.Signed[n-1]
	body := file[int64(n-1)*g.Parts.PartSize:]
	return request{http.MethodPut, p.URL, map[string]string{}, body[:p.Size:p.Size], p.Size}
}

// lies sends the n-th part after a change, wants it refused, and the parts of
// the upload as they were.
func lies(n int, lie func(x *transfers, r *request)) step {
	return func(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
		before, was := x.arrivedParts(ctx, g)
		r := partRequest(g, file, n)
		if lie != nil {
			lie(x, &r)
		}
		if err := x.refused(ctx, r); err != nil {
			return err
		}
		if after, is := x.arrivedParts(ctx, g); !slices.Equal(before, after) || !errors.Is(is, was) {
			return fmt.Errorf("the parts were %v (%w), and are %v (%w)", before, was, after, is)
		}
		return nil
	}
}

func (x *transfers) arrivedParts(ctx context.Context, g *postern.Grant) ([]postern.Part, error) {
	parts, err := x.service.Parts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket)
	if errors.Is(err, postern.ErrNotFound) {
		err = postern.ErrNotFound // nothing but which it is
	}
	return parts, err
}

func length(change func([]byte) []byte) func(*transfers, *request) {
	return func(_ *transfers, r *request) {
		r.body = change(slices.Clone(r.body))
		r.said = int64(len(r.body))
	}
}

func address(old, with string) func(*transfers, *request) {
	return func(_ *transfers, r *request) { r.url = strings.Replace(r.url, old, with, 1) }
}

func header(name, value string) func(*transfers, *request) {
	return func(_ *transfers, r *request) { r.headers[name] = value }
}

func method(name string, body string) func(*transfers, *request) {
	return func(_ *transfers, r *request) { r.method, r.body, r.said = name, []byte(body), int64(len(body)) }
}

// signing wants an error for the numbers of parts.
func signing(want error, numbers ...int) step {
	return func(ctx context.Context, x *transfers, g *postern.Grant, _ []byte) error {
		if _, _, err := x.service.SignParts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket, numbers); !errors.Is(err, want) {
			return fmt.Errorf("sign parts %v: %w, want %w", numbers, err, want)
		}
		return nil
	}
}

// stranger asks for everything that can be asked for with a ticket, and is told
// that there is no such upload.
func (x *transfers) stranger(ctx context.Context, principal string, id postern.ID, ticket string) error {
	ask := map[string]func() error{
		"sign parts": func() error {
			_, _, err := x.service.SignParts(ctx, principal, id, ticket, []int{1})
			return err
		},
		"list parts": func() error { _, err := x.service.Parts(ctx, principal, id, ticket); return err },
		"complete":   func() error { _, err := x.service.CompleteParts(ctx, principal, id, ticket); return err },
		"abort":      func() error { return x.service.AbortParts(ctx, principal, id, ticket) },
	}
	for _, name := range slices.Sorted(maps.Keys(ask)) {
		if err := ask[name](); !errors.Is(err, postern.ErrNotFound) {
			return fmt.Errorf("%s: %w, want %w", name, err, postern.ErrNotFound)
		}
	}
	return nil
}

// strangers are others with the ticket, and the right one with others' tickets.
func strangers(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
	eves, err := x.another(ctx, "eve", postern.Multi, file)
	if err != nil {
		return err
	}
	defer x.service.AbortParts(ctx, "eve", eves.Ticket.ID, eves.Parts.Ticket) //nolint:errcheck // hers is another story
	second, err := x.another(ctx, postern.Anonymous, postern.Multi, file)
	if err != nil {
		return err
	}
	defer x.service.AbortParts(ctx, postern.Anonymous, second.Ticket.ID, second.Parts.Ticket) //nolint:errcheck // so is this one
	forged := []byte(g.Parts.Ticket)
	forged[len(forged)/2] ^= 1
	for _, s := range []struct {
		what, principal string
		id              postern.ID
		ticket          string
	}{
		{"another principal", "eve", g.Ticket.ID, g.Parts.Ticket},
		{"another principal under her upload", "eve", eves.Ticket.ID, g.Parts.Ticket},
		{"somebody else's ticket", postern.Anonymous, g.Ticket.ID, eves.Parts.Ticket},
		{"somebody else's upload", postern.Anonymous, eves.Ticket.ID, eves.Parts.Ticket},
		{"the ticket of a second upload", postern.Anonymous, g.Ticket.ID, second.Parts.Ticket},
		{"a forged ticket", postern.Anonymous, g.Ticket.ID, string(forged)},
		{"a longer ticket", postern.Anonymous, g.Ticket.ID, g.Parts.Ticket + "AA"},
		{"no ticket", postern.Anonymous, g.Ticket.ID, ""},
	} {
		if err := x.stranger(ctx, s.principal, s.id, s.ticket); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	// Her URL does not take mine, either.
	r := partRequest(g, file, 1)
	_, mine, _ := strings.Cut(r.url, "/"+postern.IncomingPrefix)
	at, _, _ := strings.Cut(eves.Parts.Signed[0].URL, "/"+postern.IncomingPrefix)
	_, query, _ := strings.Cut(eves.Parts.Signed[0].URL, "?")
	mine, _, _ = strings.Cut(mine, "?")
	r.url = at + "/" + postern.IncomingPrefix + mine + "?" + query
	return x.refused(ctx, r)
}

func aborts(ctx context.Context, x *transfers, g *postern.Grant, _ []byte) error {
	return x.service.AbortParts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket)
}

func removes(ctx context.Context, x *transfers, g *postern.Grant, _ []byte) error {
	return x.service.Remove(ctx, postern.Anonymous, g.Ticket.ID)
}

// joins is what completes an upload, as a client would write it.
const joins = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"x"</ETag></Part></CompleteMultipartUpload>`

func parts() []transferCase {
	cutLast := func(b []byte) []byte { return b[1:] }
	list := []transferCase{
		{name: "parts", send: all(sendsPart(2), sendsPart(1), completes(nil)), ends: arrives},
		{name: "parts: one sent twice", send: all(sendsPart(1), sendsPart(1), sendsPart(2), completes(nil)), ends: arrives},
		{name: "parts: completed twice", send: all(sendsPart(1), sendsPart(2), completes(nil), completes(nil)), ends: arrives},
		{name: "parts: one longer than signed", send: lies(2, length(func(b []byte) []byte { return append(b, 'x') }))},
		{name: "parts: one shorter than signed", send: lies(2, length(cutLast))},
		{name: "parts: the last as long as the others", send: lies(2, length(func([]byte) []byte { return bytes.Repeat([]byte("x"), postern.MinPartSize) }))},
		{name: "parts: an empty one", send: lies(2, length(func([]byte) []byte { return nil }))},
		{name: "parts: no length", send: lies(2, func(_ *transfers, r *request) { r.said = -1 })},
		{name: "parts: cut off", send: lies(2, func(_ *transfers, r *request) { r.body = cutLast(r.body) })},
		{name: "parts: another number", send: lies(1, address("partNumber=1", "partNumber=2"))},
		{name: "parts: beyond the last", send: lies(2, address("partNumber=2", "partNumber=3"))},
		{name: "parts: the 10001st", send: lies(2, address("partNumber=2", "partNumber=10001"))},
		{name: "parts: no number", send: lies(2, address("partNumber=2&", ""))},
		{name: "parts: another upload", send: lies(1, address("uploadId=", "uploadId=x"))},
		{name: "parts: another key", send: lies(1, address("/"+postern.IncomingPrefix, "/"+postern.ImagesPrefix))},
		{name: "parts: another signature", send: lies(1, address("X-Amz-Signature=", "X-Amz-Signature=0"))},
		{name: "parts: a longer life", send: lies(1, address("X-Amz-Expires=600", "X-Amz-Expires=3600"))},
		{name: "parts: the length not signed", send: lies(1, address("content-length%3B", ""))},
		{name: "parts: more metadata", send: lies(1, header("x-amz-meta-more", "1"))},
		{name: "parts: an ACL", send: lies(1, header("x-amz-acl", "public-read"))},
		{name: "parts: a copy of somebody else's object", send: lies(1, func(x *transfers, r *request) { maps.Copy(r.headers, copied(x)) })},
		{name: "parts: a GET", send: lies(1, method(http.MethodGet, ""))},
		{name: "parts: aborted by the client", send: lies(1, method(http.MethodDelete, ""))},
		{name: "parts: completed by the client", send: all(sendsPart(1), lies(1, method(http.MethodPost, joins)))},
		{name: "parts: expired", ago: overdue, send: lies(1, nil)},
		{name: "parts: one is missing", send: all(sendsPart(1), completes(postern.ErrNotArrived))},
		{name: "parts: the first is missing", send: all(sendsPart(2), completes(postern.ErrNotArrived))},
		{name: "parts: none arrived", send: completes(postern.ErrNotArrived)},
		{name: "parts: numbers that are not there", send: all(
			signing(postern.ErrBadRequest, 0), signing(postern.ErrBadRequest, -1), signing(postern.ErrBadRequest, 3), signing(postern.ErrBadRequest, 1, 2, 3),
			signing(postern.ErrBadRequest, postern.MaxParts+1), signing(postern.ErrBadRequest))},
		{name: "parts: somebody else's", send: strangers},
		{name: "parts: one changed after complete", send: all(sendsPart(1), sendsPart(2), completes(nil), lies(2, nil)), ends: arrives},
		{name: "parts: after the abort", send: all(sendsPart(1), aborts, lies(2, nil), aborts), ends: spent},
		{name: "parts: removed without the ticket", send: all(sendsPart(1), removes, lies(2, nil)), ends: spent},
		{name: "parts: removed after complete", send: all(sendsPart(1), sendsPart(2), completes(nil), removes, lies(2, nil), completes(postern.ErrNotFound), sweeps), ends: gone},
	}
	for i := range list {
		list[i].transfer = postern.Multi
	}
	return list
}

// sweeps removes what a settled upload left, as the worker does.
func sweeps(ctx context.Context, x *transfers, g *postern.Grant, _ []byte) error {
	o, err := x.Bucket.Head(ctx, postern.IncomingPrefix+string(g.Ticket.ID))
	if err != nil {
		return err
	}
	if verdict, err := x.service.Adopt(ctx, o); verdict != postern.Replay {
		return fmt.Errorf("a sweep takes what was removed for %s: %w", verdict, err)
	}
	return x.Bucket.Delete(ctx, o.Key)
}
