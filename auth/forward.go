package auth

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern.example/postern"
)

// ForwardConfig says whom to ask, and what to tell them.
type ForwardConfig struct {
	// URL of your application that knows who is signed in. It is asked by GET,
	// with the Cookies and Headers below of the request that came in and nothing
	// else of it. Any 2xx is a yes and names the principal in a header; 401, 403,
	// 404 and redirects are a no, and are not followed. Anything else, silence
	// included, is a no for now. It must be https, or http where nobody stands
	// between: this machine, a private address, or a name without a dot.
	URL string
	// Cookies and Headers to pass, by name; at least one in all. A request that
	// has none of them is not asked about.
	Cookies, Headers []string
	// What the answer says in its headers: the principal, default
	// "Postern-Principal"; the presets they may upload by, with commas between,
	// default "Postern-Presets", left out: all; a limit of a file's size in bytes,
	// default "Postern-Max-Bytes", left out: as the preset has it.
	PrincipalHeader, PresetsHeader, MaxBytesHeader string
	// Patience is how long an answer is waited for; default 3 s, at most 30.
	Patience time.Duration
	// Keep is how long an answer holds; default 10 s, at most 5 minutes. Somebody
	// who signs out may upload that much longer.
	Keep time.Duration

	Transport http.RoundTripper // default: one of its own
	Now       func() time.Time  // default time.Now
	Logger    *slog.Logger      // default: nothing is logged
}

// Forward asks your own application who sent a request.
type Forward struct {
	url              string
	cookies, headers []string
	principalHeader  string
	presetsHeader    string
	maxBytesHeader   string
	client           *http.Client
	now              func() time.Time
	log              *slog.Logger
	answers          answers
}

// Defaults of [ForwardConfig].
const (
	defaultPatience = 3 * time.Second
	maxPatience     = 30 * time.Second
	defaultKeep     = 10 * time.Second
	maxKeep         = 5 * time.Minute
	maxPassed       = 16 << 10 // bytes of what is passed on
)

// NewForward makes the kind, or says which part of c is unusable. It calls
// nobody.
func NewForward(c ForwardConfig) (*Forward, error) {
	f := &Forward{
		url: c.URL, cookies: c.Cookies,
		principalHeader: or(c.PrincipalHeader, PrincipalHeader), presetsHeader: or(c.PresetsHeader, "Postern-Presets"),
		maxBytesHeader: or(c.MaxBytesHeader, "Postern-Max-Bytes"),
		now:            c.Now, log: c.Logger,
	}
	if f.now == nil {
		f.now = time.Now
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if err := checkPrivate(c.URL); err != nil {
		return nil, fmt.Errorf("forward: URL: %w", err)
	}
	if len(c.Cookies)+len(c.Headers) == 0 {
		return nil, errors.New("forward: no cookie or header to pass is named; without one your application cannot know who asks")
	}
	for _, name := range c.Headers {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if !tokenRE.MatchString(name) || slices.Contains(unpassable, name) {
			return nil, fmt.Errorf("forward: the header %q cannot be passed", name)
		}
		f.headers = append(f.headers, name)
	}
	for _, name := range append([]string{f.principalHeader, f.presetsHeader, f.maxBytesHeader}, c.Cookies...) {
		if !tokenRE.MatchString(name) { // of a cookie it is the same alphabet
			return nil, fmt.Errorf("forward: %q is not a name", name)
		}
	}
	patience, keep := c.Patience, c.Keep
	if patience == 0 {
		patience = defaultPatience
	}
	if keep == 0 {
		keep = defaultKeep
	}
	if patience < 0 || patience > maxPatience || keep < 0 || keep > maxKeep {
		return nil, fmt.Errorf("forward: an answer is waited for up to %s and kept up to %s", maxPatience, maxKeep)
	}
	f.client = newClient(c.Transport, patience)
	f.answers = answers{keep: keep, now: f.now, ask: f.ask}
	return f, nil
}

// unpassable are headers of the connection, not of who asks, and those that have
// a list of their own.
var unpassable = []string{
	"Connection", "Content-Length", "Cookie", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// tokenRE is what names of headers and cookies are made of (RFC 9110, section
// 5.6.2).
var tokenRE = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// checkPrivate wants an address that cookies may be sent to.
func checkPrivate(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Fragment != "":
		return errors.New("it must be a URL such as https://app.example/whoami")
	case u.User != nil:
		return errors.New("it must not hold a password")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && nearby(u.Hostname()):
		return nil
	}
	return errors.New("it must be https, or http to this machine, a private address or a name without a dot: sessions would be seen on the way")
}

func nearby(host string) bool {
	if loopback(host) || host != "" && !strings.ContainsAny(host, ".:") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsPrivate()
}

// Identify implements [Kind]. A request with an Authorization header that your
// application is not shown is not its to judge, whatever else is in it.
func (f *Forward) Identify(r *http.Request) (postern.Identity, bool, error) {
	if _, shown := r.Header["Authorization"]; shown && !slices.Contains(f.headers, "Authorization") {
		return postern.Identity{}, false, nil
	}
	passed := f.passed(r)
	if len(passed) == 0 {
		return postern.Identity{}, false, nil
	}
	hash, size := digest(passed)
	if size > maxPassed {
		return postern.Identity{}, true, invalid("The sign-in is too long.", nil)
	}
	who, err := f.answers.of(r.Context(), hash, passed)
	return who, true, err
}

// passed is what of r your application gets to see.
func (f *Forward) passed(r *http.Request) http.Header {
	h := http.Header{}
	for _, name := range f.headers {
		if v := r.Header[name]; len(v) > 0 {
			h[name] = v
		}
	}
	var cookies []string
	if len(f.cookies) > 0 {
		for _, line := range r.Header["Cookie"] {
			for part := range strings.SplitSeq(line, ";") {
				part = textproto.TrimString(part)
				if name, _, ok := strings.Cut(part, "="); ok && slices.Contains(f.cookies, name) {
					cookies = append(cookies, part) // as it came: its quoting is not ours to mend
				}
			}
		}
	}
	if len(cookies) > 0 {
		h["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	return h
}

// digest is a hash of what is passed, which answers are kept under, and its
// size in bytes.
func digest(h http.Header) (sum [sha256.Size]byte, size int) {
	var b []byte
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range h[name] {
			for _, s := range [...]string{name, v} { // behind their length, so that no two lists look alike
				b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
			}
		}
	}
	return sha256.Sum256(b), len(b)
}

// ask asks your application.
func (f *Forward) ask(ctx context.Context, passed http.Header) (postern.Identity, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return postern.Identity{}, postern.ErrSignInUnavailable.Because(err)
	}
	for name, v := range passed {
		r.Header[name] = v
	}
	if _, ok := passed["User-Agent"]; !ok {
		r.Header.Set("User-Agent", "postern")
	}
	res, err := f.client.Do(r)
	if err != nil {
		return postern.Identity{}, f.unavailable(ctx, err)
	}
	defer res.Body.Close()                               //nolint:errcheck // it was only read
	io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10)) //nolint:errcheck // what it says does not matter; a short one lets the connection be used again
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		who, err := f.identity(res.Header)
		if err != nil {
			return postern.Identity{}, f.unavailable(ctx, err)
		}
		return who, nil
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusNotFound,
		res.StatusCode >= 300 && res.StatusCode < 400: // to the page where one signs in
		return postern.Identity{}, postern.ErrUnauthenticated.Because(fmt.Errorf("the application answered %d", res.StatusCode))
	}
	return postern.Identity{}, f.unavailable(ctx, fmt.Errorf("the application answered %d", res.StatusCode))
}

// unavailable is a no for now. What the application said is for the log.
func (f *Forward) unavailable(ctx context.Context, cause error) error {
	f.log.LogAttrs(ctx, slog.LevelWarn, "who is signed in cannot be found out", slog.String("url", f.url), slog.String("cause", cause.Error()))
	e := postern.ErrSignInUnavailable.Because(cause)
	e.RetryAfter = time.Second
	return e
}

// identity reads the headers of a yes.
func (f *Forward) identity(h http.Header) (who postern.Identity, err error) {
	one := func(name string) (string, error) {
		if v := h.Values(name); len(v) > 1 {
			return "", fmt.Errorf("there are %d headers %s in the application's answer", len(v), name)
		}
		return textproto.TrimString(h.Get(name)), nil
	}
	if who.Principal, err = one(f.principalHeader); err != nil {
		return who, err
	}
	if foreign(who.Principal) != nil {
		return who, fmt.Errorf("the header %s of the application's answer names nobody", f.principalHeader)
	}
	if list := h.Values(f.presetsHeader); len(list) > 0 {
		who.Presets = []string{}
		for name := range strings.SplitSeq(strings.Join(list, ","), ",") {
			if name = textproto.TrimString(name); name != "" {
				who.Presets = append(who.Presets, name)
			}
		}
	}
	bytes, err := one(f.maxBytesHeader)
	if err != nil || bytes == "" {
		return who, err
	}
	if who.Limits.MaxBytes, err = strconv.ParseInt(bytes, 10, 64); err != nil || who.Limits.MaxBytes < 1 {
		return who, fmt.Errorf("the header %s of the application's answer is not a number of bytes", f.maxBytesHeader)
	}
	return who, nil
}
