package posterntest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"postern.example/postern"
)

// part sends the n-th part after change, and wants a status.
func part(n, class int, change func(url string, body []byte) (string, []byte)) func(*transfers, context.Context, *postern.Grant, []byte) error {
	return func(x *transfers, ctx context.Context, g *postern.Grant, file []byte) error {
		url, body := g.Parts.Signed[n-1].URL, file[int64(n-1)*g.Parts.PartSize:]
		body = body[:g.Parts.Signed[n-1].Size:g.Parts.Signed[n-1].Size]
		if change != nil {
			url, body = change(url, body)
		}
		status, answer, err := x.gate.SendPart(ctx, url, body)
		switch {
		case err != nil && class != 200:
			return nil // some servers refuse a body by closing the connection on it
		case err != nil:
			return err
		}
		return wants(status, class, answer)
	}
}

// all does one thing after the other.
func all(steps ...func(*transfers, context.Context, *postern.Grant, []byte) error) func(*transfers, context.Context, *postern.Grant, []byte) error {
	return func(x *transfers, ctx context.Context, g *postern.Grant, file []byte) error {
		for i, step := range steps {
			if err := step(x, ctx, g, file); err != nil {
				return fmt.Errorf("step %d: %w", i+1, err)
			}
		}
		return nil
	}
}

// completes wants an error, or none.
func completes(want error) func(*transfers, context.Context, *postern.Grant, []byte) error {
	return func(x *transfers, ctx context.Context, g *postern.Grant, _ []byte) error {
		if _, err := x.complete(ctx, g); !errors.Is(err, want) {
			return fmt.Errorf("complete: %w, want %w", err, want)
		}
		return nil
	}
}

// signing wants an error for the numbers of parts.
func signing(want error, numbers ...int) func(*transfers, context.Context, *postern.Grant, []byte) error {
	return func(x *transfers, ctx context.Context, g *postern.Grant, _ []byte) error {
		if _, _, err := x.service.SignParts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket, numbers); !errors.Is(err, want) {
			return fmt.Errorf("sign parts %v: %w, want %w", numbers, err, want)
		}
		return nil
	}
}

func parts() []transferCase {
	longer := func(url string, body []byte) (string, []byte) { return url, append(body, 'x') }
	shorter := func(url string, body []byte) (string, []byte) { return url, body[1:] }
	replaced := func(old, with string) func(string, []byte) (string, []byte) {
		return func(url string, body []byte) (string, []byte) { return strings.Replace(url, old, with, 1), body }
	}
	list := []transferCase{
		{name: "parts", honest: true, send: all(part(2, 200, nil), part(1, 200, nil), completes(nil))},
		{name: "parts: one sent twice", honest: true, send: all(part(1, 200, nil), part(1, 200, nil), part(2, 200, nil), completes(nil))},
		{name: "parts: completed twice", honest: true, send: all(part(1, 200, nil), part(2, 200, nil), completes(nil), completes(nil))},
		{name: "parts: one longer than signed", send: part(2, 400, longer)},
		{name: "parts: one shorter than signed", send: part(2, 400, shorter)},
		{name: "parts: another number", send: part(1, 400, replaced("partNumber=1", "partNumber=2"))},
		{name: "parts: another upload", send: part(1, 400, replaced("uploadId=", "uploadId=x"))},
		{name: "parts: another key", send: part(1, 400, replaced("/"+postern.IncomingPrefix, "/"+postern.ImagesPrefix))},
		{name: "parts: expired", ago: overdue, send: part(1, 400, nil)},
		{name: "parts: one is missing", send: all(part(1, 200, nil), completes(postern.ErrNotArrived))},
		{name: "parts: none arrived", send: completes(postern.ErrNotArrived)},
		{name: "parts: one too many", send: all(signing(postern.ErrBadRequest, 3), signing(postern.ErrBadRequest, postern.MaxParts+1))},
		{name: "parts: somebody else's", send: func(x *transfers, ctx context.Context, g *postern.Grant, file []byte) error {
			if _, err := x.service.CompleteParts(ctx, "eve", g.Ticket.ID, g.Parts.Ticket); !errors.Is(err, postern.ErrNotFound) {
				return fmt.Errorf("complete: %w", err)
			}
			if err := x.service.AbortParts(ctx, "eve", g.Ticket.ID, g.Parts.Ticket); !errors.Is(err, postern.ErrNotFound) {
				return fmt.Errorf("abort: %w", err)
			}
			return part(1, 200, nil)(x, ctx, g, file) // it is still there
		}},
		{name: "parts: after the abort", send: all(part(1, 200, nil), func(x *transfers, ctx context.Context, g *postern.Grant, _ []byte) error {
			return x.service.AbortParts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket)
		}, part(2, 400, nil), completes(postern.ErrNotArrived))},
		{name: "parts: removed without the ticket", send: all(part(1, 200, nil), func(x *transfers, ctx context.Context, g *postern.Grant, _ []byte) error {
			return x.service.Remove(ctx, postern.Anonymous, g.Ticket.ID)
		}, part(2, 400, nil))},
	}
	for i := range list {
		list[i].transfer = postern.Multi
	}
	return list
}
