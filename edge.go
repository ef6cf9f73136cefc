package postern

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Edge is what stands before every route of the gate: it names requests, knows
// who asks, bounds bodies, refuses pages of other sites, answers CORS, tells
// errors and writes the log line. [NewHandler] and package compat put their
// routes on one.
//
// Routes and fields are set before it serves; then it is safe for concurrent use.
type Edge struct {
	// Tell answers an error in the words of a client that does not read problem
	// documents. Nil: a problem document (RFC 9457).
	Tell func(w http.ResponseWriter, r *http.Request, e *Error, p Problem)
	// AllowHeaders are what pages of named origins may send; default
	// content-type, [TicketRequestHeader] and authorization.
	AllowHeaders []string
	// MaxBody bounds a request's body, in bytes; default 16 KiB.
	MaxBody int64
	// SecretPaths keeps paths out of the log, for protocols that have tickets
	// in them.
	SecretPaths bool

	s       *Service
	base    string
	origins []string
	hosts   []string
	auth    Authenticator
	log     *slog.Logger
	cross   *http.CrossOriginProtection
	mux     *http.ServeMux
}

// TicketRequestHeader carries the ticket of an upload in parts where a request
// has no body: a header, since addresses are logged on many a way.
const TicketRequestHeader = "Postern-Ticket"

// defaultMaxBody has room for the longest honest request: 1 000 part numbers.
const defaultMaxBody = 16 << 10

// NewEdge makes an Edge without routes, or says which part of c is unusable.
// Of c it takes BaseURL, Origins, Principal or Auth, Hosts and Logger.
func NewEdge(s *Service, c HandlerConfig) (*Edge, error) {
	e := &Edge{
		AllowHeaders: []string{"content-type", strings.ToLower(TicketRequestHeader), "authorization"},
		MaxBody:      defaultMaxBody,

		s: s, base: strings.TrimSuffix(c.BaseURL, "/"), origins: c.Origins, hosts: c.Hosts, auth: c.Auth,
		log: c.Logger, cross: http.NewCrossOriginProtection(), mux: http.NewServeMux(),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Auth != nil && c.Principal != nil:
		return nil, errors.New("there are both Principal and Auth; one says who asks")
	case c.Principal != nil:
		e.auth = principalOnly(c.Principal)
	case c.Auth == nil:
		e.auth = principalOnly(anybody)
	}
	for _, o := range c.Origins {
		if err := e.cross.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("origin %q: %w", o, err)
		}
	}
	return e, nil
}

// BaseURL is the public address of the routes, without a trailing slash; empty
// when they are relative to the host.
func (e *Edge) BaseURL() string { return e.base }

// Handle routes a pattern of [http.ServeMux] to f. The error that f returns is
// told, unless the answer has begun.
func (e *Edge) Handle(pattern string, f func(http.ResponseWriter, *http.Request) error) {
	e.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			e.fail(w.(*exchange), r, err)
		}
	})
}

// HandleAs routes a pattern to f, which needs to know who asks. What it answers
// is not to be kept by caches, and not for pages of other sites: some protocols
// ask for a grant by GET, to which a browser adds its cookies wherever it
// comes from.
func (e *Edge) HandleAs(pattern string, f func(w http.ResponseWriter, r *http.Request, who Identity) error) {
	e.Handle(pattern, func(w http.ResponseWriter, r *http.Request) error {
		if e.elsewhere(r) {
			return ErrCrossOrigin.With("Pages of other sites may not do this here.")
		}
		who, err := e.auth.Authenticate(r)
		if err != nil {
			return err
		}
		if who.Principal == "" || len(who.Principal) > MaxPrincipal {
			return ErrInternal.Because(errPrincipal)
		}
		w.(*exchange).set("Cache-Control", "no-store")
		return f(w, r, who)
	})
}

// ServeHTTP is the one place that owns identity, limits, errors and logging.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	trail := trailOf(r)
	x := &exchange{ResponseWriter: w, id: trail.RequestID}
	outer := r
	r = r.WithContext(WithTrail(r.Context(), trail))
	if r.Body != nil {
		x.body = countedBody{http.MaxBytesReader(w, r.Body, e.MaxBody), e.s}
		r.Body = &x.body
	}
	x.set("X-Request-Id", x.id)
	x.set("X-Content-Type-Options", "nosniff")
	e.route(x, r)
	outer.Pattern = r.Pattern // for those around us
	level := levelOf(x.status)
	if !e.log.Enabled(outer.Context(), level) {
		return
	}
	path := slog.String("path", r.URL.Path)
	if e.SecretPaths {
		path = slog.Attr{}
	}
	e.log.LogAttrs(outer.Context(), level, "request",
		slog.String("request_id", x.id), slog.String("method", r.Method), slog.String("route", r.Pattern), path,
		slog.Int("status", x.status), slog.String("code", string(x.code)),
		slog.Float64("took_ms", float64(time.Since(start).Microseconds())/1000), causeAttr(x.cause))
}

func (e *Edge) route(x *exchange, r *http.Request) {
	if err := e.guard(x, r); err != nil {
		e.fail(x, r, err)
		return
	}
	if r.Method == http.MethodOptions && x.Header().Get("Access-Control-Allow-Origin") != "" {
		x.Header().Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		x.Header().Set("Access-Control-Allow-Headers", strings.Join(e.AllowHeaders, ", "))
		x.Header().Set("Access-Control-Max-Age", "3600")
		x.WriteHeader(http.StatusNoContent)
		return
	}
	handler, pattern := e.mux.Handler(r)
	switch {
	case pattern == "": // the mux answers in plain text; say it as an error of ours
		probe := &statusOnly{header: http.Header{}}
		e.mux.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			x.Header().Set("Allow", probe.header.Get("Allow"))
			e.fail(x, r, ErrMethod.With("%s is not allowed here; %s is.", r.Method, probe.header.Get("Allow")))
			return
		}
		e.fail(x, r, ErrNotFound)
	case strings.Contains(pattern, "{"):
		e.mux.ServeHTTP(x, r) // it alone fills in path values
	default: // nothing is left that the mux would find out by a second look
		r.Pattern = pattern
		handler.ServeHTTP(x, r)
	}
}

// guard refuses requests that a page elsewhere makes a browser send.
func (e *Edge) guard(x *exchange, r *http.Request) error {
	if e.hosts != nil && !slices.Contains(e.hosts, hostName(r.Host)) {
		return ErrCrossOrigin.With("This server does not answer to the host name in the request.")
	}
	if err := e.cross.Check(r); err != nil {
		return ErrCrossOrigin.With("Pages of other sites may not do this here.").Because(err)
	}
	if len(e.origins) == 0 { // no answer depends on it
		return nil
	}
	if x.Header()["Vary"] == nil {
		x.set("Vary", "Origin")
	} else { // somebody around us has said something
		x.Header().Add("Vary", "Origin")
	}
	if o := r.Header.Get("Origin"); o != "" && slices.Contains(e.origins, o) {
		x.Header().Set("Access-Control-Allow-Origin", o)
		x.Header().Set("Access-Control-Expose-Headers", "Location, Retry-After, X-Request-Id")
	}
	return nil
}

// elsewhere reports whether a browser says that a page of another origin, which
// was not named, made it send r. Following a link is not meant: that is how
// people come to a form.
func (e *Edge) elsewhere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" && !slices.Contains(e.origins, r.Header.Get("Origin"))
}

// fail tells err, unless the answer has begun.
func (e *Edge) fail(x *exchange, r *http.Request, err error) {
	problem, row := ProblemOf(err)
	x.code, x.cause = row.Code, problem.Err
	if row.Status == http.StatusUnauthorized && x.status == 0 {
		x.Header().Set("WWW-Authenticate", challenge(row.Code)) // RFC 9110, section 11.6.1
	}
	switch {
	case x.status != 0:
	case e.Tell != nil:
		x.forget()
		e.Tell(x, r, problem, row)
	default:
		x.forget()
		x.problem(problem, row)
	}
}

// challenge says by RFC 6750, section 3, what would be accepted.
func challenge(c Code) string {
	if c == ErrCredentialInvalid.Code {
		return `Bearer error="invalid_token"`
	}
	return "Bearer"
}

func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}
