package postern

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// HandlerConfig says how the HTTP contract is served. Every field may be left
// out.
type HandlerConfig struct {
	// BaseURL is the handler's public address without a trailing slash, put
	// before the URLs it hands out. Empty: they are relative to the host.
	// A handler mounted below a prefix needs it, if only as "/prefix".
	BaseURL string
	// Origins are other sites whose pages may call the API, exactly as a
	// browser names them: "https://app.example".
	Origins []string
	// Principal says who asks, in 1 to MaxPrincipal bytes, or fails with
	// ErrUnauthenticated. Nil: everybody is Anonymous.
	Principal func(*http.Request) (string, error)
	// Auth says who asks and what they may do, in place of Principal.
	Auth Authenticator
	// Images is a public address of the bucket's images/ (a CDN, say), without
	// a trailing slash; /images/… redirects there. Empty: to a signed GET of
	// the bucket.
	Images string
	// ServeImages answers /images/… with the bytes themselves.
	ServeImages bool
	// Hosts are the host names the API answers to, without ports; a page that
	// has its own name resolve to this machine gets nothing. Nil: any.
	Hosts []string
	// Heartbeat is how long a stream of events may be silent before a comment is
	// sent, which keeps proxies from ending it; default 25 s.
	Heartbeat time.Duration
	// Logger gets one line for each request. Nil: nothing is logged.
	Logger *slog.Logger
}

//go:embed openapi.yaml
var openAPI []byte

type handler struct {
	*Edge
	images      string
	serveImages bool
	heartbeat   time.Duration
	rooms       sync.Pool // of *room
}

// room is for what is asked and answered at POST /uploads.
type room struct {
	text  []byte
	draft draft
}

// NewHandler serves the HTTP contract of docs/protocol.md for s: /uploads…,
// /limits, /images/… and /openapi.yaml. It may be mounted below a prefix with
// [http.StripPrefix]; BaseURL must name the prefix then.
func NewHandler(s *Service, c HandlerConfig) (http.Handler, error) {
	edge, err := NewEdge(s, c)
	if err != nil {
		return nil, err
	}
	h := &handler{
		Edge: edge, images: strings.TrimSuffix(c.Images, "/"), serveImages: c.ServeImages,
		heartbeat: or(c.Heartbeat, defaultHeartbeat),
		rooms:     sync.Pool{New: func() any { return new(room) }},
	}
	h.HandleAs("POST /uploads", h.grant)
	h.HandleAs("GET /uploads", h.list)
	h.HandleAs("GET /uploads/{id}", h.upload)
	h.HandleAs("DELETE /uploads/{id}", h.remove)
	h.HandleAs("POST /uploads/{id}/complete", h.complete)
	h.HandleAs("POST /uploads/{id}/parts", h.signParts)
	h.HandleAs("GET /uploads/{id}/parts", h.parts)
	h.HandleAs("GET /uploads/{id}/events", h.events)
	h.HandleAs("GET /limits", h.limits)
	h.Handle("GET /images/{id}/{variant}", h.image)
	h.Handle("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/yaml")
		_, err := w.Write(openAPI)
		return ignore(err)
	})
	return h, nil
}

func (h *handler) grant(w http.ResponseWriter, r *http.Request, who Identity) error {
	m := h.rooms.Get().(*room)
	defer func() {
		m.draft = draft{} // it holds on to no request and no credential
		h.rooms.Put(m)
	}()
	in, err := decodeAsk(r, &m.text)
	if err != nil {
		return err
	}
	b, id, err := h.s.appendGrant(r.Context(), m.text[:0], &m.draft, &who, &in)
	if err != nil {
		return err
	}
	m.text = append(b, '\n')
	x := w.(*exchange)
	x.set("Location", h.base+"/uploads/"+string(id))
	x.set("Content-Type", "application/json")
	if len(m.text) > 2048 { // net/http says the length of what fits its buffer; more would go in chunks
		x.set("Content-Length", strconv.Itoa(len(m.text)))
	}
	x.WriteHeader(http.StatusCreated)
	_, err = x.Write(m.text)
	return ignore(err)
}

func (h *handler) upload(w http.ResponseWriter, r *http.Request, who Identity) error {
	u, err := h.s.Upload(r.Context(), who.Principal, ID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, uploadView(&u, h.base))
}

func (h *handler) remove(w http.ResponseWriter, r *http.Request, who Identity) error {
	if err := h.s.Remove(r.Context(), who.Principal, ID(r.PathValue("id"))); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) list(w http.ResponseWriter, r *http.Request, who Identity) error {
	q := Query{Principal: who.Principal, Limit: 50}
	for name, values := range r.URL.Query() {
		v := values[0]
		if v == "" {
			continue
		}
		bad := func(format string, args ...any) error {
			e := ErrBadRequest.With(format, args...)
			e.Field = name
			return e
		}
		switch name {
		case "limit":
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > MaxPage {
				return bad("limit must be a number from 1 to %d.", MaxPage)
			}
			q.Limit = n
		case "cursor":
			if _, ok := ID(v).raw(); !ok {
				return bad("cursor must be the \"next\" of an earlier page.")
			}
			q.Before = ID(v)
		case "state":
			if q.State = State(v); !slices.Contains([]State{Stored, Ready, Rejected, Failed}, q.State) {
				return bad("state must be stored, ready, rejected or failed.")
			}
		}
	}
	list, next, err := h.s.Uploads(r.Context(), q)
	if err != nil {
		return err
	}
	page := listJSON{Uploads: make([]*uploadJSON, len(list)), Next: next}
	for i := range list {
		page.Uploads[i] = uploadView(&list[i], h.base)
	}
	return encode(w, http.StatusOK, page)
}

func (h *handler) limits(w http.ResponseWriter, r *http.Request, who Identity) error {
	p, err := h.s.PresetFor(who, r.URL.Query().Get("preset"))
	if err != nil {
		return err
	}
	view := limitsView(p)
	if view.Quota, err = h.s.quotaView(r.Context(), who.Principal, &p); err != nil {
		return err
	}
	return encode(w, http.StatusOK, view)
}

// isJSON refuses what a page elsewhere may send without asking first.
func isJSON(r *http.Request) error {
	if ct := r.Header.Get("Content-Type"); ct != "application/json" { // as most clients spell it
		if mt, _, err := mime.ParseMediaType(ct); err != nil || mt != "application/json" {
			return ErrMediaType.With("Send Content-Type: application/json.")
		}
	}
	return nil
}

// decode reads one JSON object, strictly, into v.
func decode(body io.Reader, v any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
		return ErrBadRequest.With("There is more than one JSON value in the body.")
	}
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		e := ErrBadRequest.With("The request has over %s; files go to the bucket, not here.", Bytes(tooLarge.Limit))
		e.Limit = tooLarge.Limit
		return e
	case errors.As(err, &wrongType) && wrongType.Field != "":
		e := ErrBadRequest.With("%s must be a %s, not a %s.", wrongType.Field, jsonName(wrongType.Type.Kind().String()), wrongType.Value)
		e.Field = wrongType.Field
		return e
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		name, _ := strconv.Unquote(strings.TrimPrefix(err.Error(), "json: unknown field "))
		e := ErrBadRequest.With("There is no field %q.", name)
		e.Field = name
		return e
	}
	return ErrBadRequest.With("The body is not one JSON object.").Because(err)
}

func jsonName(kind string) string {
	switch kind {
	case "int64":
		return "whole number"
	case "map", "struct":
		return "object of strings"
	}
	return kind
}

func encode(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return ErrInternal.Because(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(append(b, '\n'))
	return ignore(err)
}

// ignore drops the error of writing an answer: the client has gone.
func ignore(error) error { return nil }
