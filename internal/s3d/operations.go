package s3d

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// operation is one thing that S3 can do and we can, too.
type operation struct {
	name    string
	query   []string // parameters it knows, besides those of the signature
	headers []string // x-amz-* headers it knows, besides those of the signature
	run     func(*exchange) error
}

// operation finds what is asked. A sub-resource that we lack never falls
// through to the plain operation: its parameter is unknown to it.
func (x *exchange) operation() (operation, error) {
	has := func(name string) bool { _, ok := x.query[name]; return ok }
	switch method := x.r.Method; {
	case x.name == "":
		return operation{}, errNoOperation()
	case x.key != "":
		switch method {
		case http.MethodGet:
			return operation{"GetObject", nil, []string{"x-amz-checksum-mode"}, (*exchange).getObject}, nil
		case http.MethodHead:
			return operation{"HeadObject", nil, []string{"x-amz-checksum-mode"}, (*exchange).getObject}, nil
		case http.MethodPut:
			return operation{"PutObject", nil, []string{metaPrefix, "x-amz-checksum-", "x-amz-sdk-checksum-algorithm"}, (*exchange).putObject}, nil
		case http.MethodDelete:
			return operation{"DeleteObject", nil, nil, (*exchange).deleteObject}, nil
		case http.MethodPost: // POST without a sub-resource is for buckets; with one it is something we lack
			if len(x.query) == 0 {
				return operation{}, errMethod(method)
			}
			return operation{}, errNoOperation()
		}
	case has("cors"):
		switch method {
		case http.MethodGet:
			return operation{"GetBucketCors", []string{"cors"}, nil, (*exchange).getCORS}, nil
		case http.MethodPut:
			return operation{"PutBucketCors", []string{"cors"}, []string{"x-amz-checksum-", "x-amz-sdk-checksum-algorithm"}, (*exchange).putCORS}, nil
		case http.MethodDelete:
			return operation{"DeleteBucketCors", []string{"cors"}, nil, (*exchange).deleteCORS}, nil
		}
	default:
		switch method {
		case http.MethodGet:
			if x.query["list-type"] != "2" {
				return operation{}, errNoOperation()
			}
			return operation{"ListObjectsV2", listQuery(), nil, (*exchange).listObjects}, nil
		case http.MethodHead:
			return operation{"HeadBucket", nil, nil, (*exchange).headBucket}, nil
		case http.MethodPut:
			return operation{"CreateBucket", nil, []string{"x-amz-checksum-", "x-amz-sdk-checksum-algorithm"}, (*exchange).createBucket}, nil
		case http.MethodDelete, http.MethodPost:
			return operation{}, errNoOperation()
		}
	}
	return operation{}, errMethod(x.r.Method)
}

// authParameter reports whether a header or parameter belongs to the signature.
func authParameter(lower string) bool {
	switch lower {
	case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature",
		"x-amz-security-token", "x-amz-content-sha256", "x-amz-user-agent":
		return true
	}
	return false
}

// hoist takes the headers that a presigned URL carries in its query, as SDKs
// put them there, for headers.
func (x *exchange) hoist() error {
	for name, v := range x.query {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") {
			continue
		}
		delete(x.query, name)
		if authParameter(lower) {
			continue
		}
		if !x.identity.Presigned || x.r.Header.Get(lower) != "" {
			return errArgument("A header cannot be a query parameter here.", lower)
		}
		x.r.Header.Set(lower, v)
	}
	return nil
}

// knows refuses parameters and x-amz-* headers that the operation does not
// know, instead of ignoring what they ask for.
func (x *exchange) knows(op operation) error {
	for name := range x.query {
		// The SDKs name the operation in x-id; S3 ignores it.
		if name != "x-id" && !slices.Contains(op.query, name) {
			return errNotImplemented(name)
		}
	}
	for _, name := range x.headerNames() {
		switch {
		case !strings.HasPrefix(name, "x-amz-"), authParameter(name):
		case name == "x-amz-acl", strings.HasPrefix(name, "x-amz-grant-"):
			return errNoACL()
		case !slices.ContainsFunc(op.headers, func(h string) bool {
			return name == h || strings.HasSuffix(h, "-") && strings.HasPrefix(name, h)
		}):
			return errNotImplemented(name)
		}
	}
	return nil
}

// header returns a header's value, several joined as S3 does.
func (x *exchange) header(name string) string {
	return strings.Join(x.r.Header.Values(name), ",")
}

// headerNames returns the names of all headers in lower case, sorted.
func (x *exchange) headerNames() []string {
	names := slices.Collect(maps.Keys(x.r.Header))
	for i, n := range names {
		names[i] = strings.ToLower(n)
	}
	slices.Sort(names)
	return names
}

// answer sends a whole answer. An empty one has no Content-Type.
func (x *exchange) answer(status int, contentType string, b []byte) {
	h := x.w.Header()
	if len(b) > 0 {
		h.Set("Content-Type", contentType)
	}
	if status != http.StatusNoContent && status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(b)))
	}
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		x.w.Write(b) //nolint:errcheck // nobody is left to tell
	}
}

const xmlType = "application/xml"

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
	switch {
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
