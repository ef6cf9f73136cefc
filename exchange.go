package postern

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
)

// exchange is one request's answer, watched for the log line.
type exchange struct {
	http.ResponseWriter
	id     string
	status int
	code   Code
	cause  error
	body   countedBody

	values [6]string // of the headers in an ordinary answer
	used   int
}

// set sets a header as Header().Set does, which allocates a slice for each
// value; these are slices of one array that the exchange has anyway. name must
// be in canonical form.
func (x *exchange) set(name, value string) {
	if x.used == len(x.values) {
		x.Header().Set(name, value)
		return
	}
	v := x.values[x.used : x.used+1 : x.used+1] // an Add moves it elsewhere
	v[0] = value
	x.used++
	x.Header()[name] = v
}

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController, which flushes events.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// forget drops the headers of an answer that will be another one.
func (x *exchange) forget() {
	hd := x.Header()
	hd.Set("Cache-Control", "no-store")
	for _, name := range []string{"ETag", "Content-Length", "Location"} {
		hd.Del(name)
	}
}

// problem answers e as a problem document (RFC 9457).
func (x *exchange) problem(e *Error, p Problem) {
	doc, err := json.Marshal(problemDoc(e, p, x.id))
	if err != nil {
		x.WriteHeader(http.StatusInternalServerError)
		return
	}
	hd := x.Header()
	hd.Set("Content-Type", "application/problem+json")
	if e.RetryAfter > 0 {
		hd.Set("Retry-After", strconv.Itoa(problemDoc(e, p, "").RetryAfter))
	}
	x.WriteHeader(p.Status)
	x.Write(append(doc, '\n')) //nolint:errcheck // the client has gone
}

func levelOf(status int) slog.Level {
	if status >= http.StatusInternalServerError {
		return slog.LevelError
	}
	return slog.LevelInfo
}

func causeAttr(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	return slog.String("cause", err.Error())
}

// countedBody counts what is read of request bodies: files never pass here,
// and the counter proves it.
type countedBody struct {
	io.ReadCloser
	s *Service
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.s.stats.bodyBytes.Add(int64(n))
	return n, err
}

// statusOnly learns how a mux would refuse a request.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
