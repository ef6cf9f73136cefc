package compat

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"postern.example/postern"
)

// speaker is what all protocols are made of: an edge, and the service behind it.
type speaker struct {
	*postern.Edge
	s   *postern.Service
	now func() time.Time
}

// newSpeaker makes a speaker that tells errors as most clients read them.
func newSpeaker(s *postern.Service, c postern.HandlerConfig) (speaker, error) {
	edge, err := postern.NewEdge(s, c)
	if err != nil {
		return speaker{}, err
	}
	edge.Tell = tell
	return speaker{Edge: edge, s: s, now: time.Now}, nil
}

// fault is an error in the shapes that clients look for: Companion's own
// controllers say error, what is around them says message, and Uppy 5 shows the
// latter to people.
type fault struct {
	Error   string       `json:"error"`
	Message string       `json:"message"`
	Code    postern.Code `json:"code"`
}

func tell(w http.ResponseWriter, _ *http.Request, e *postern.Error, p postern.Problem) {
	retryAfter(w, e)
	text := sentence(e, p)
	encode(w, p.Status, fault{Error: text, Message: text, Code: p.Code}) //nolint:errcheck // strings are always JSON
}

func sentence(e *postern.Error, p postern.Problem) string {
	if e.Detail != "" {
		return e.Detail
	}
	return p.Title + "."
}

func retryAfter(w http.ResponseWriter, e *postern.Error) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
}

func encode(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return postern.ErrInternal.Because(err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(append(b, '\n')) //nolint:errcheck // the client has gone
	return nil
}

// decode reads one JSON object into v. Members that v has not are left out:
// other people's clients send what other people's servers want.
func decode(r *http.Request, v any) error {
	// A page elsewhere may send anything but JSON without asking first.
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return postern.ErrMediaType.With("Send Content-Type: application/json.")
	}
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
		return postern.ErrBadRequest.With("There is more than one JSON value in the body.")
	}
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		e := postern.ErrBadRequest.With("The request has over %s; files go to the bucket, not here.", postern.Bytes(tooLarge.Limit))
		e.Limit = tooLarge.Limit
		return e
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return badField(wrongType.Field, "%s must not be a %s.", wrongType.Field, wrongType.Value)
	}
	return postern.ErrBadRequest.With("The body is not one JSON object.").Because(err)
}

// query parses the request's query, all of it or nothing.
func query(r *http.Request) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, postern.ErrBadRequest.With("The query is not understood.").Because(err)
	}
	return q, nil
}

func badField(field, format string, args ...any) error {
	e := postern.ErrBadRequest.With(format, args...)
	e.Field = field
	return e
}

// sizeOf reads a size in bytes that a client may say.
func sizeOf(field, text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return nil, badField(field, "%s must be the number of bytes, 0 or more.", field)
	}
	return &n, nil
}

// named refuses a file without a name, as the servers of these protocols do.
func named(filename string) error {
	if filename != "" {
		return nil
	}
	e := postern.ErrInvalidFilename.With("Say the file's name.")
	e.Field = "filename"
	return e
}

// typeOf is the media type that a client declares. These clients say nothing,
// or "bytes", when the browser does not know the file's type; the name tells
// then, and the check reads the bytes anyway.
func typeOf(declared, filename string) string {
	if declared != "" && declared != "application/octet-stream" {
		return declared
	}
	switch strings.ToLower(path.Ext(filename)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif":
		return "image/jpeg"
	case ".png":
		return "image/png"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	}
	return ""
}

// seconds is how long something is good for, for clients that count seconds.
func (s *speaker) seconds(until time.Time) int64 {
	return int64(max(until.Sub(s.now()), 0) / time.Second)
}

// absolute is the API's public address with scheme and host. Without one in
// BaseURL it is the one that this request came to, which is the client's own word for us.
func (s *speaker) absolute(r *http.Request) string {
	base := s.BaseURL()
	if base != "" && !strings.HasPrefix(base, "/") {
		return base
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + base
}
