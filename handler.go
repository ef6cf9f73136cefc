package postern

import (
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"postern.example/postern/sigv4"
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
	// Images is a public address of the bucket's images/ (a CDN, say), without
	// a trailing slash; /images/… redirects there. Empty: to a signed GET of
	// the bucket.
	Images string
	// ServeImages answers /images/… with the bytes themselves.
	ServeImages bool
	// Hosts are the host names the API answers to, without ports; a page that
	// has its own name resolve to this machine gets nothing. Nil: any.
	Hosts []string
	// Logger gets one line for each request. Nil: nothing is logged.
	Logger *slog.Logger
}

//go:embed openapi.yaml
var openAPI []byte

type handler struct {
	s           *Service
	base        string
	origins     []string
	hosts       []string
	principal   func(*http.Request) (string, error)
	images      string
	serveImages bool
	log         *slog.Logger
	cross       *http.CrossOriginProtection
	mux         *http.ServeMux
	rooms       sync.Pool // of *[]byte, for what is asked and answered
}

// NewHandler serves the HTTP contract of docs/protocol.md for s: /uploads…,
// /limits, /images/… and /openapi.yaml. It may be mounted below a prefix with
// [http.StripPrefix]; BaseURL must name the prefix then.
func NewHandler(s *Service, c HandlerConfig) (http.Handler, error) {
	h := &handler{
		s: s, base: strings.TrimSuffix(c.BaseURL, "/"), origins: c.Origins, hosts: c.Hosts,
		principal: c.Principal, images: strings.TrimSuffix(c.Images, "/"), serveImages: c.ServeImages,
		log: c.Logger, cross: http.NewCrossOriginProtection(), mux: http.NewServeMux(),
		rooms: sync.Pool{New: func() any { return new([]byte) }},
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.principal == nil {
		h.principal = func(*http.Request) (string, error) { return Anonymous, nil }
	}
	for _, o := range c.Origins {
		if err := h.cross.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("origin %q: %w", o, err)
		}
	}
	h.mux.HandleFunc("POST /uploads", h.as(h.grant))
	h.mux.HandleFunc("GET /uploads", h.as(h.list))
	h.mux.HandleFunc("GET /uploads/{id}", h.as(h.upload))
	h.mux.HandleFunc("DELETE /uploads/{id}", h.as(h.remove))
	h.mux.HandleFunc("POST /uploads/{id}/complete", h.as(h.complete))
	h.mux.HandleFunc("GET /uploads/{id}/events", h.as(h.events))
	h.mux.HandleFunc("GET /limits", h.as(h.limits))
	h.mux.HandleFunc("GET /images/{id}/{variant}", h.run(h.image))
	h.mux.HandleFunc("GET /openapi.yaml", h.run(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/yaml")
		_, err := w.Write(openAPI)
		return ignore(err)
	}))
	return h, nil
}

// ServeHTTP is the one place that owns identity, limits, errors and logging.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	x := &exchange{ResponseWriter: w, id: requestID()}
	if r.Body != nil {
		x.body = countedBody{http.MaxBytesReader(w, r.Body, maxBody), h.s}
		r.Body = &x.body
	}
	x.set("X-Request-Id", x.id)
	x.set("X-Content-Type-Options", "nosniff")
	h.route(x, r)
	if !h.log.Enabled(r.Context(), levelOf(x.status)) {
		return
	}
	h.log.LogAttrs(r.Context(), levelOf(x.status), "request",
		slog.String("id", x.id), slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.String("path", r.URL.Path), slog.Int("status", x.status), slog.String("code", string(x.code)),
		slog.Float64("took_ms", float64(time.Since(start).Microseconds())/1000), causeAttr(x.cause))
}

func (h *handler) route(x *exchange, r *http.Request) {
	if err := h.guard(x, r); err != nil {
		x.fail(err)
		return
	}
	if r.Method == http.MethodOptions && x.Header().Get("Access-Control-Allow-Origin") != "" {
		x.Header().Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		x.Header().Set("Access-Control-Allow-Headers", "content-type")
		x.Header().Set("Access-Control-Max-Age", "3600")
		x.WriteHeader(http.StatusNoContent)
		return
	}
	handler, pattern := h.mux.Handler(r)
	switch {
	case pattern == "": // the mux answers in plain text; say it as a problem
		probe := &statusOnly{header: http.Header{}}
		h.mux.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			x.Header().Set("Allow", probe.header.Get("Allow"))
			x.fail(ErrMethod.With("%s is not allowed here; %s is.", r.Method, probe.header.Get("Allow")))
			return
		}
		x.fail(ErrNotFound)
	case strings.Contains(pattern, "{"):
		h.mux.ServeHTTP(x, r) // it alone fills in path values
	default: // nothing is left that the mux would find out by a second look
		r.Pattern = pattern
		handler.ServeHTTP(x, r)
	}
}

// guard refuses requests that a page elsewhere makes a browser send.
func (h *handler) guard(x *exchange, r *http.Request) error {
	if h.hosts != nil && !slices.Contains(h.hosts, hostName(r.Host)) {
		return ErrCrossOrigin.With("This server does not answer to the host name in the request.")
	}
	if err := h.cross.Check(r); err != nil {
		return ErrCrossOrigin.With("Pages of other sites may not do this here.").Because(err)
	}
	if x.Header()["Vary"] == nil {
		x.set("Vary", "Origin")
	} else { // somebody around us has said something
		x.Header().Add("Vary", "Origin")
	}
	if o := r.Header.Get("Origin"); o != "" && slices.Contains(h.origins, o) {
		x.Header().Set("Access-Control-Allow-Origin", o)
		x.Header().Set("Access-Control-Expose-Headers", "Location, Retry-After, X-Request-Id")
	}
	return nil
}

func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// run adapts a handler that may fail.
func (h *handler) run(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			w.(*exchange).fail(err)
		}
	}
}

// as adapts a handler that needs to know who asks.
func (h *handler) as(f func(w http.ResponseWriter, r *http.Request, principal string) error) http.HandlerFunc {
	return h.run(func(w http.ResponseWriter, r *http.Request) error {
		who, err := h.principal(r)
		if err != nil {
			return err
		}
		if who == "" || len(who) > MaxPrincipal {
			return ErrInternal.Because(errPrincipal)
		}
		w.(*exchange).set("Cache-Control", "no-store")
		return f(w, r, who)
	})
}

func (h *handler) grant(w http.ResponseWriter, r *http.Request, who string) error {
	room := h.rooms.Get().(*[]byte)
	defer h.rooms.Put(room)
	in, err := decodeAsk(r, room)
	if err != nil {
		return err
	}
	g, err := h.s.Grant(r.Context(), who, in)
	if err != nil {
		return err
	}
	x := w.(*exchange)
	x.set("Location", h.base+"/uploads/"+string(g.Ticket.ID))
	*room = append(g.appendJSON((*room)[:0]), '\n')
	x.set("Content-Type", "application/json")
	x.WriteHeader(http.StatusCreated)
	_, err = x.Write(*room)
	return ignore(err)
}

func (h *handler) complete(w http.ResponseWriter, r *http.Request, who string) error {
	u, err := h.s.Complete(r.Context(), who, ID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return encode(w, http.StatusAccepted, h.uploadView(&u))
}

func (h *handler) upload(w http.ResponseWriter, r *http.Request, who string) error {
	u, err := h.s.Upload(r.Context(), who, ID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, h.uploadView(&u))
}

func (h *handler) remove(w http.ResponseWriter, r *http.Request, who string) error {
	if err := h.s.Remove(r.Context(), who, ID(r.PathValue("id"))); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) list(w http.ResponseWriter, r *http.Request, who string) error {
	q := Query{Principal: who, Limit: 50}
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
		page.Uploads[i] = h.uploadView(&list[i])
	}
	return encode(w, http.StatusOK, page)
}

func (h *handler) limits(w http.ResponseWriter, r *http.Request, _ string) error {
	p, err := h.s.Preset(r.URL.Query().Get("preset"))
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, limitsView(p))
}

// events answers one server-sent event for each change of state.
func (h *handler) events(w http.ResponseWriter, r *http.Request, who string) error {
	out := http.NewResponseController(w)
	started := false
	for u, err := range h.s.Watch(r.Context(), who, ID(r.PathValue("id"))) {
		if err != nil {
			if !started {
				return err
			}
			return nil // removed while it was watched: the end of the stream says so
		}
		if !started {
			started = true
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
			w.WriteHeader(http.StatusOK)
		}
		doc, err := json.Marshal(h.uploadView(&u))
		if err != nil {
			return nil
		}
		if _, err := fmt.Fprintf(w, "event: state\ndata: %s\n\n", doc); err != nil {
			return nil
		}
		if err := out.Flush(); err != nil {
			return nil
		}
	}
	return nil
}

// signedLife is how long a signed GET of a variant works.
const signedLife = 5 * time.Minute

// image shows one variant. The id is all that is needed to see it: it cannot
// be guessed, and what cannot have been made by us costs no look-up.
func (h *handler) image(w http.ResponseWriter, r *http.Request) error {
	id, name := ID(r.PathValue("id")), r.PathValue("variant")
	if !h.s.keys.made(id) || !nameRE.MatchString(name) {
		return ErrNotFound
	}
	key := VariantKey(id, name)
	switch {
	case h.images != "":
		w.Header().Set("Cache-Control", "public, max-age=3600")
		http.Redirect(w, r, h.images+"/"+string(id)+"/"+name, http.StatusFound) //nolint:gosec // our own address, a made id and a plain name
		return nil
	case h.serveImages:
		return h.imageBytes(w, r, key)
	}
	cred, err := h.s.target.Credentials(r.Context())
	if err != nil {
		return ErrBucketUnavailable.Because(err)
	}
	u, err := url.Parse(h.s.target.URL)
	if err != nil {
		return ErrInternal.Because(err)
	}
	signed, err := h.s.signer.Presign(cred, h.s.now(), sigv4.Request{Method: http.MethodGet, URL: u.JoinPath(key), Expires: signedLife})
	if err != nil {
		return ErrInternal.Because(err)
	}
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, signed, http.StatusFound)
	return nil
}

func (h *handler) imageBytes(w http.ResponseWriter, r *http.Request, key string) error {
	o, body, err := h.s.bucket.Get(r.Context(), key)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	etag := `"` + o.ETag + `"`
	hd := w.Header()
	hd.Set("ETag", etag)
	hd.Set("Cache-Control", "public, max-age=31536000, immutable")
	hd.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	hd.Set("Cross-Origin-Resource-Policy", "cross-origin") // pages elsewhere show these
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if o.Type != "image/jpeg" && o.Type != "image/png" {
		return ErrNotFound.Because(fmt.Errorf("object has type %q", o.Type))
	}
	hd.Set("Content-Type", o.Type)
	hd.Set("Content-Length", strconv.FormatInt(o.Size, 10))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = io.Copy(w, body)
	return ignore(err)
}

// maxBody bounds a request's body. The largest honest one has about 1.5 kB.
const maxBody = 16 << 10

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
		e := ErrBadRequest.With("The request has over %s; files go to the bucket, not here.", Bytes(maxBody))
		e.Limit = maxBody
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

// requestID names a request in logs. It is no secret, so the runtime's own
// generator will do, which asks the kernel for nothing.
func requestID() string {
	var b [8]byte
	var text [2 * len(b)]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64()) //nolint:gosec // names, not secrets
	hex.Encode(text[:], b[:])
	return string(text[:])
}
