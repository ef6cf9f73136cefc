package s3d

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// drainLimit is how much of a refused body is read and dropped so that the
// sender gets to read why; drainTime is how long.
const (
	drainLimit = 1 << 20
	drainTime  = 5 * time.Second
)

// refuse answers with an error. A browser that is still sending reads nothing
// before it has sent all, or sees the connection break: so a body of bounded
// size is taken in first, and behind a larger one the connection is closed only
// after the answer is out and some more was read.
func (x *exchange) refuse(ctx context.Context, err error) {
	e := x.known(ctx, err)
	unread := x.r.ContentLength - x.body.n
	if x.r.ContentLength < 0 {
		unread = drainLimit + 1
	}
	waiting := x.body.n == 0 && x.r.Header.Get("Expect") != "" // for 100 Continue: it will not send
	early := unread > drainLimit || waiting
	if !early && !x.drain(unread) || early {
		x.w.Header().Set("Connection", "close")
	}
	control := http.NewResponseController(x.w)
	if early {
		control.EnableFullDuplex() //nolint:errcheck // where it is unknown there is no connection
	}
	if e.Status == http.StatusNotModified {
		x.w.WriteHeader(e.Status)
		return
	}
	x.answer(e.Status, xmlType, errorXML(e, "/"+x.name+strings.TrimSuffix("/"+x.key, "/"), x.id))
	if early && !waiting {
		control.Flush() //nolint:errcheck // the same
		x.drain(drainLimit)
	}
}

// drain drops up to n bytes of the body. It reports whether there were n.
func (x *exchange) drain(n int64) bool {
	if n <= 0 {
		return true
	}
	control := http.NewResponseController(x.w)
	until := time.Now().Add(drainTime)
	buf := x.s.buffers.Get().(*[bufferSize]byte)
	defer x.s.buffers.Put(buf)
	for n > 0 && time.Now().Before(until) {
		control.SetReadDeadline(until) //nolint:errcheck // where it is unknown there is no connection
		read, err := x.body.Read(buf[:min(n, bufferSize)])
		if n -= int64(read); err != nil {
			break
		}
	}
	return n == 0
}

// known turns an error into what S3 answers, and notes what is worth a line.
// Neither the line nor the answer ever has a header's or a field's value.
func (x *exchange) known(ctx context.Context, err error) *sigv4.Error {
	var e *sigv4.Error
	if !errors.As(err, &e) {
		e = errInternal()
		x.s.log.LogAttrs(ctx, slog.LevelError, "request failed", x.attrs(slog.String("error", err.Error()))...)
	}
	if e.Status == http.StatusNotImplemented {
		var names []string
		for name := range x.query {
			names = append(names, name)
		}
		slices.Sort(names)
		x.s.log.LogAttrs(ctx, slog.LevelWarn, "operation not implemented",
			x.attrs(slog.String("header", e.Extra["Header"]), slog.Any("query", names))...)
	} else {
		x.s.log.LogAttrs(ctx, slog.LevelDebug, "request refused", x.attrs(slog.String("code", e.Code))...)
	}
	return e
}

func (x *exchange) attrs(more ...slog.Attr) []slog.Attr {
	return append([]slog.Attr{
		slog.String("request_id", x.id), slog.String("method", x.r.Method), slog.String("bucket", x.name), slog.String("key", x.key),
	}, more...)
}

// readFault is the answer to a body that could not be read.
func readFault(err error) error {
	var e *sigv4.Error // of the chunks that the body comes in
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault(http.StatusBadRequest, "RequestTimeout", "Your socket connection to the server was not read from or "+
			"written to within the timeout period. Idle connections will be closed.")
	case errors.Is(err, errForm):
		return errMalformedPOST()
	case errors.Is(err, errPreFile):
		return fault(http.StatusBadRequest, "MaxPostPreDataLengthExceeded",
			"Your POST request fields preceeding the upload file was too large.", //nolint:misspell // S3 spells it so
			"MaxPostPreDataLengthBytes", strconv.Itoa(maxPreFile))
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, http.ErrBodyReadAfterClose):
		return errIncomplete()
	}
	// A connection that broke: nobody is there to read this.
	return errIncomplete()
}
