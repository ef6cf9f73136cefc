package postern

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/http"
)

// Trail says by which request something came about. [Edge] puts it into the
// context of each; the upload that a request announced keeps it, so that its
// check and its events can be traced to it, whichever copy makes them.
type Trail struct {
	// RequestID is in the answer's X-Request-Id: the client's own, where that is
	// plain (up to 64 of A-Z, a-z, 0-9, ".", "_" and "-"), or one that was made.
	// Empty for what the sweep found.
	RequestID string
	// Parent is the span that was asked, as the header traceparent has it (W3C
	// Trace Context, section 3.2); empty: nobody traces.
	Parent string
}

type trailKey struct{}

// WithTrail returns ctx with t, for [TrailOf] and [NewLogHandler].
func WithTrail(ctx context.Context, t Trail) context.Context {
	return context.WithValue(ctx, trailKey{}, &t)
}

// TrailOf returns the trail that ctx has; empty without one.
func TrailOf(ctx context.Context) Trail {
	if t, ok := ctx.Value(trailKey{}).(*Trail); ok {
		return *t
	}
	return Trail{}
}

// maxRequestID bounds ids that clients choose.
const maxRequestID = 64

// trailOf reads the trail of a request, and completes it.
func trailOf(r *http.Request) Trail {
	t := Trail{RequestID: r.Header.Get("X-Request-Id"), Parent: r.Header.Get("Traceparent")}
	if !plainID(t.RequestID) {
		t.RequestID = newRequestID()
	}
	if !traceparent(t.Parent) {
		t.Parent = ""
	}
	return t
}

func plainID(s string) bool {
	if s == "" || len(s) > maxRequestID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// traceparent reports whether s is one of version 00: "00-" trace "-" span "-" flags.
func traceparent(s string) bool {
	if len(s) != 55 || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return false
	}
	for i := 3; i < len(s); i++ {
		if c := s[i]; i != 35 && i != 52 && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// newRequestID names a request in logs. It is no secret, so the runtime's own
// generator will do, which asks the kernel for nothing.
func newRequestID() string {
	var b [8]byte
	var text [2 * len(b)]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64()) //nolint:gosec // names, not secrets
	hex.Encode(text[:], b[:])
	return string(text[:])
}

// NewLogHandler returns next with "request_id" in every line whose context has a
// [Trail]. Package gate puts it around the logger that it is given.
func NewLogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := TrailOf(ctx).RequestID; id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h logHandler) WithGroup(name string) slog.Handler {
	return logHandler{h.Handler.WithGroup(name)}
}
