package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

func corsProbes() []probe {
	there := []string{"network.dns", "network.reach", "network.tls", "network.region"}
	known := append(slices.Clone(there), "credentials.signer", "credentials.worker")
	return []probe{
		{id: "cors.preflight", after: there, run: probePreflight},
		{id: "cors.foreign", after: there, run: probeForeign},
		{id: "cors.etag", after: append(slices.Clone(known), "cors.preflight"), run: probeETag},
		{id: "cors.errors", after: append(slices.Clone(there), "cors.preflight"), run: probeErrors},
	}
}

// sending is a request that the element makes, as a browser announces it. What
// the Fetch standard takes for safe is not announced, and still needs a method
// that is allowed: S3 refuses the preflight as a whole.
type sending struct {
	method  string
	headers []string // that a preflight names: in lower case, sorted
}

// sendings are the requests of the transfers in use. A form is a simple
// request, but for the listener that shows its progress, which makes browsers
// ask first (https://xhr.spec.whatwg.org/#dom-xmlhttprequest-send, upload
// listener flag).
func (x *exam) sendings() (list []sending) {
	if slices.Contains(x.c.Transfers, postern.Post) && x.c.Provider.Post != postern.No {
		list = append(list, sending{method: http.MethodPost})
	}
	if slices.Contains(x.c.Transfers, postern.Put) {
		headers := []string{"content-type"} // image/png is not on Fetch's list of safe types
		if x.c.Provider.IfNoneMatch == postern.Yes {
			headers = append(headers, "if-none-match")
		}
		if x.c.Provider.Checksum != postern.No {
			headers = append(headers, "x-amz-checksum-sha256")
		}
		list = append(list, sending{http.MethodPut, append(headers, postern.TicketHeader)})
	}
	if put := slices.ContainsFunc(list, func(s sending) bool { return s.method == http.MethodPut }); !put && slices.Contains(x.c.Transfers, postern.Multi) || len(list) == 0 {
		list = append(list, sending{method: http.MethodPut}) // a part has no type
	}
	return list
}

// ways says how an origin sends, in words: "POST and PUT".
func ways(list []sending) string {
	var words []string
	for _, s := range list {
		words = append(words, s.method)
	}
	return strings.Join(words, " and ")
}

// refusal is why a browser would not send after a preflight; "" if it would.
// https://fetch.spec.whatwg.org/#cors-preflight-fetch
func refusal(a *answer, origin string, s sending) string {
	if !a.ok() {
		return a.String()
	}
	if why := unreadable(a, origin); why != "" {
		return why
	}
	listed := func(name, want string) bool {
		for v := range strings.SplitSeq(strings.Join(a.Header.Values(name), ","), ",") {
			if v = strings.TrimSpace(v); v == "*" || strings.EqualFold(v, want) {
				return true
			}
		}
		return false
	}
	// GET, HEAD and POST need not be listed.
	if s.method != http.MethodPost && !listed("Access-Control-Allow-Methods", s.method) {
		return "it does not list " + s.method + " in Access-Control-Allow-Methods"
	}
	for _, h := range s.headers {
		if !listed("Access-Control-Allow-Headers", h) {
			return "it does not list " + h + " in Access-Control-Allow-Headers"
		}
	}
	return ""
}

// unreadable is why a browser does not show an answer to a page; "" if it does.
// https://fetch.spec.whatwg.org/#concept-cors-check
func unreadable(a *answer, origin string) string {
	switch allowed := a.Header.Values("Access-Control-Allow-Origin"); {
	case len(allowed) == 0:
		return "it has no Access-Control-Allow-Origin"
	case len(allowed) > 1:
		return "it has Access-Control-Allow-Origin twice"
	case allowed[0] != "*" && allowed[0] != origin:
		return "it allows the origin " + allowed[0]
	}
	return ""
}

// lets says whether pages of origin may send s. An error is one of the network.
func (x *exam) lets(ctx context.Context, origin string, s sending) (bool, error) {
	got, err := x.preflight(ctx, origin, s.method, s.headers...)
	return err == nil && refusal(got, origin, s) == "", err
}

func probePreflight(ctx context.Context, x *exam) (list []Finding) {
	sendings := x.sendings()
	if len(x.c.Origins) == 0 {
		return []Finding{{
			Status: Warn, Title: "pages may upload", Cause: "No page is named that may upload.", Cure: "--origin https://app.example, once for each site",
		}}
	}
	for _, origin := range x.c.Origins {
		title := fmt.Sprintf("pages of %s may send files (%s)", origin, ways(sendings))
		if bad := x.badOrigin(origin); bad != nil {
			bad.Title = title
			list = append(list, *bad)
			continue
		}
		list = append(list, x.preflightOf(ctx, title, origin, sendings)...)
	}
	return list
}

// preflightOf asks for one origin, up to the first that is refused.
func (x *exam) preflightOf(ctx context.Context, title, origin string, sendings []sending) []Finding {
	f := Finding{Status: OK, Title: title}
	for _, s := range sendings {
		f.Tried = announced(origin, s)
		got, err := x.preflight(ctx, origin, s.method, s.headers...)
		if err != nil {
			return []Finding{x.silent(title, f.Tried, err)}
		}
		f.Got, f.RequestID = got.String(), got.RequestID
		if why := refusal(got, origin, s); why != "" {
			if got.ok() {
				f.Got += ", but " + why
			}
			f.Status = Fault
			f.Cause, f.Cure = x.whyRefused(ctx, origin, s, got, why)
			return []Finding{f}
		}
	}
	return []Finding{f}
}

// announced is a preflight in words.
func announced(origin string, s sending) string {
	text := "OPTIONS from " + origin + " for " + s.method
	if len(s.headers) > 0 {
		text += " with " + strings.Join(s.headers, ", ")
	}
	return text
}

// badOrigin is the finding about an origin that no browser would say.
func (x *exam) badOrigin(origin string) *Finding {
	u, err := url.Parse(origin)
	right := ""
	if err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		right = strings.ToLower(u.Scheme + "://" + u.Host)
		if u.Scheme == "https" {
			right = strings.TrimSuffix(right, ":443")
		} else {
			right = strings.TrimSuffix(right, ":80")
		}
	}
	if right == origin {
		return nil
	}
	f := &Finding{Status: Fault, Tried: "read the origin", Got: origin}
	f.Cause = fmt.Sprintf("No browser names the origin %q: it is scheme, host and port, in lower case, without a path or a slash at the end.", origin)
	f.Cure = "--origin https://app.example"
	if right != "" {
		f.Cure = "--origin " + right
	}
	return f
}

// whyRefused finds out which mistake a rule has, by asking again with one thing
// changed at a time, and says what cures it.
func (x *exam) whyRefused(ctx context.Context, origin string, s sending, got *answer, why string) (cause, cure string) {
	cure = x.corsCure()
	if got.Status/100 == 3 || got.Status >= 500 || got.Status == http.StatusMethodNotAllowed || got.Status == http.StatusNotFound {
		return x.because(preflights, got)
	}
	if c, _ := x.because(preflights, got); strings.Contains(c, "no CORS rule") {
		return c, cure
	}
	if got.ok() && got.Header.Get("Access-Control-Allow-Origin") == "" {
		if ok, err := x.lets(ctx, "https://foreign.example", sending{method: s.method}); err == nil && !ok && x.c.Provider.CORS == postern.No {
			return fmt.Sprintf("%s has one list of origins for the whole server, and %s is not on it.", x.provider(), origin), cure
		}
	}
	// One thing at a time: headers, method, spelling of the origin.
	if ok, err := x.lets(ctx, origin, sending{method: s.method}); err == nil && ok && len(s.headers) > 0 {
		var missing []string
		for _, h := range s.headers {
			if ok, err := x.lets(ctx, origin, sending{s.method, []string{h}}); err == nil && !ok {
				missing = append(missing, h)
			}
		}
		return fmt.Sprintf("The CORS rule for %s does not allow the header %s.", origin, strings.Join(missing, " nor ")), cure
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodGet, http.MethodHead, http.MethodDelete} {
		if method == s.method {
			continue
		}
		if ok, err := x.lets(ctx, origin, sending{method: method}); err == nil && ok {
			return fmt.Sprintf("The CORS rule for %s allows %s, and does not allow %s.", origin, method, s.method), cure
		}
	}
	for _, other := range spellings(origin) {
		if ok, err := x.names(ctx, other.origin, s.method); err == nil && ok {
			return fmt.Sprintf("The CORS rule names %s, %s, and browsers say %s.", other.origin, other.words, origin), cure
		}
	}
	if got.ok() {
		return fmt.Sprintf("The answer to the preflight does not let pages of %s send: %s.", origin, why), cure
	}
	return fmt.Sprintf("No CORS rule names %s.", origin), cure
}

// names says whether a rule names origin, which need not be one that a browser
// would say.
func (x *exam) names(ctx context.Context, origin, method string) (bool, error) {
	got, err := x.preflight(ctx, origin, method)
	return err == nil && got.ok() && slices.Equal(got.Header.Values("Access-Control-Allow-Origin"), []string{origin}), err
}

type spelling struct{ origin, words string }

// spellings are the ways in which people write an origin wrongly into a rule.
func spellings(origin string) []spelling {
	scheme, host, name, port := splitOrigin(origin)
	list := []spelling{{origin + "/", "with a slash at the end"}}
	if scheme == "https" {
		list = append(list, spelling{"http://" + host, "with http"}, spelling{"http://" + host + "/", "with http and a slash at the end"})
	} else {
		list = append(list, spelling{"https://" + host, "with https"})
	}
	list = append(list, spelling{host, "without " + scheme + "://"})
	if bare, ok := strings.CutPrefix(host, "www."); ok {
		list = append(list, spelling{scheme + "://" + bare, "without www"})
	} else {
		list = append(list, spelling{scheme + "://www." + host, "with www"})
	}
	if port != "" {
		list = append(list, spelling{scheme + "://" + name, "without the port"})
		if name == "localhost" {
			list = append(list, spelling{scheme + "://127.0.0.1" + port, "by its address"})
		}
		if name == "127.0.0.1" {
			list = append(list, spelling{scheme + "://localhost" + port, "by its name"})
		}
	} else {
		for _, p := range []string{"443", "80", "3000", "8080"} {
			list = append(list, spelling{scheme + "://" + name + ":" + p, "with a port"})
		}
	}
	return append(list, spelling{scheme + "://" + strings.ToUpper(host[:1]) + host[1:], "with a capital"})
}

// splitOrigin takes an origin apart; host is name and port, and port has its
// colon.
func splitOrigin(origin string) (scheme, host, name, port string) {
	scheme, host, _ = strings.Cut(origin, "://")
	name = host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i:]
	}
	return scheme, host, name, port
}

// corsCure is what sets the rules.
func (x *exam) corsCure() string {
	switch {
	case x.c.Embedded:
		return x.setup()
	case x.c.Provider.Name == "minio":
		return "start MinIO with MINIO_API_CORS_ALLOW_ORIGIN=" + strings.Join(x.c.Origins, ",")
	case x.c.Provider.CORS == postern.No:
		return "set the origins " + strings.Join(x.c.Origins, ", ") + " in the configuration of " + x.provider()
	}
	return x.setup()
}

// probeForeign asks for pages of others. A grant is needed all the same, so
// this is a second wall: it stops the page of a stranger that got hold of one.
func probeForeign(ctx context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "pages of everybody else are refused", Tried: "OPTIONS from foreign origins"}
	var refused []string
	for _, o := range x.foreign() {
		for _, s := range []sending{{method: http.MethodPost}, {method: http.MethodPut}} {
			got, err := x.preflight(ctx, o.origin, s.method)
			if err != nil {
				return []Finding{x.silent(f.Title, announced(o.origin, s), err)}
			}
			if refusal(got, o.origin, s) != "" {
				continue
			}
			f.Tried, f.Got, f.RequestID = announced(o.origin, s), got.String(), got.RequestID
			f.Status = Fault
			if x.c.Provider.CORS != postern.Yes {
				f.Status = Warn // somebody may have no way to cure it
			}
			f.Cause, f.Cure = fmt.Sprintf("A CORS rule lets in %s: %s.", o.words, o.origin), x.corsCure()
			return []Finding{f}
		}
		refused = append(refused, o.origin)
	}
	f.Got = "refused: " + strings.Join(refused, ", ")
	return []Finding{f}
}

// foreign are origins that nobody named, from what lets everybody in to what
// only a careless pattern does.
func (x *exam) foreign() []spelling {
	list := []spelling{
		{"https://foreign.example", "pages of everybody"},
		{"http://foreign.example", "pages of everybody by http"},
		{"null", "sandboxed frames and local files, which anybody can make"},
	}
	for _, o := range x.c.Origins {
		scheme, host, name, port := splitOrigin(o)
		if host == "" {
			continue
		}
		list = append(list,
			spelling{o + ".evil.example", "pages of a site whose name begins with that of " + o},
			spelling{scheme + "://evil-" + host, "pages of a site whose name ends with that of " + o},
			spelling{scheme + "://evil." + host, "pages of any site below " + o},
		)
		if port != "" {
			list = append(list, spelling{scheme + "://" + name + ".evil.example" + port, "pages of a site whose name begins with that of " + o})
		}
		if scheme == "https" {
			list = append(list, spelling{"http://" + host, "pages that came without encryption, into which anybody on the way can write"})
		}
	}
	return slices.DeleteFunc(list, func(s spelling) bool { return slices.Contains(x.c.Origins, s.origin) })
}

// probeETag sends a file as a browser does, and looks whether its page may read
// the ETag. Allowing is not exposing: AllowedHeader is about what is sent,
// ExposeHeader about what comes back.
func probeETag(ctx context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "pages may read the ETag of what they have sent"}
	if len(x.c.Origins) == 0 {
		f.Status, f.Got = Skipped, "no page is named that may upload"
		return []Finding{f}
	}
	key := x.incoming("etag")
	for _, origin := range x.c.Origins {
		f.Tried = "PUT from " + origin
		got, err := x.do(ctx, ask{
			method: http.MethodPut, key: key, body: []byte("doctor"), signed: &x.signer,
			header: http.Header{"Origin": {origin}, "Content-Type": {"text/plain"}},
		})
		if err != nil {
			return []Finding{x.silent(f.Title, f.Tried, err)}
		}
		f.Got, f.RequestID = got.String(), got.RequestID
		if !got.ok() {
			f.Status, f.Got = Skipped, "no file could be sent: "+got.String() // the upload probes say why
			return []Finding{f}
		}
		exposed := strings.ToLower(strings.Join(got.Header.Values("Access-Control-Expose-Headers"), ","))
		if list := strings.FieldsFunc(exposed, func(r rune) bool { return r == ',' || r == ' ' }); slices.Contains(list, "etag") || slices.Contains(list, "*") && got.Header.Get("Access-Control-Allow-Credentials") != "true" {
			continue
		}
		if !slices.Contains(x.methods(), http.MethodPut) && unreadable(got, origin) != "" {
			f.Status, f.Got = Skipped, "pages of "+origin+" may not send a PUT, and need not"
			return []Finding{f}
		}
		f.Status = Warn
		if slices.Contains(x.c.Transfers, postern.Multi) {
			f.Status = Fault // clients such as Uppy wait for it for ever
		}
		f.Got += ", exposing " + orNothing(exposed)
		f.Cause = fmt.Sprintf("The CORS rule for %s does not expose ETag (ExposeHeader, which is not AllowedHeader): other clients than our own cannot finish an upload in parts.", origin)
		f.Cure = x.corsCure()
		return []Finding{f}
	}
	return []Finding{f}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// methods are those that the transfers in use need.
func (x *exam) methods() (list []string) {
	for _, s := range x.sendings() {
		list = append(list, s.method)
	}
	return list
}

// probeErrors looks whether a page may read why it was refused. Where it may
// not, a browser says "Failed to fetch", whatever the cause is.
func probeErrors(ctx context.Context, x *exam) []Finding {
	f := Finding{Status: OK, Title: "pages may read the bucket's errors"}
	if len(x.c.Origins) == 0 {
		f.Status, f.Got = Skipped, "no page is named that may upload"
		return []Finding{f}
	}
	for _, origin := range x.c.Origins {
		for _, method := range x.methods() {
			f.Tried = method + " from " + origin + " without permission"
			got, err := x.refusable(ctx, origin, method)
			if err != nil {
				return []Finding{x.silent(f.Title, f.Tried, err)}
			}
			f.Got, f.RequestID = got.String(), got.RequestID
			if why := unreadable(got, origin); why != "" {
				if got.Status == http.StatusNotImplemented { // upload.post says it
					f.Status, f.Got = Skipped, "the server does not know "+method
					return []Finding{f}
				}
				f.Status, f.Got = Warn, f.Got+", but "+why
				f.Cause = fmt.Sprintf("Refusals of a %s are without CORS headers: a page sees \"Failed to fetch\" and nobody the cause.", method)
				f.Cure = "if a proxy or CDN stands before the bucket, let it keep the headers Access-Control-* of errors; else look here whenever an upload fails: postern doctor"
				return []Finding{f}
			}
		}
	}
	return []Finding{f}
}

// refusable sends what no bucket may take, as a page would: signed, by a key
// that nobody knows.
func (x *exam) refusable(ctx context.Context, origin, method string) (*answer, error) {
	key, nobody := x.incoming("unknown"), sigv4.Credentials{AccessKeyID: "AKIADOCTORSNOBODY000", SecretAccessKey: x.name}
	if method != http.MethodPost {
		return x.do(ctx, ask{method: method, key: key, body: []byte("doctor"), signed: &nobody, header: http.Header{"Origin": {origin}, "Content-Type": {"text/plain"}}})
	}
	policy := &sigv4.Policy{Expiration: x.now().Add(time.Minute), Conditions: []sigv4.Condition{
		sigv4.Eq("bucket", x.c.Bucket), sigv4.Eq("key", key), sigv4.LengthRange(1, 100),
	}}
	fields := []field{{"key", key}}
	for _, f := range x.sign.Post(nobody, x.now(), policy) {
		fields = append(fields, field{f.Name, f.Value})
	}
	return x.post(ctx, fields, []byte("doctor"), origin)
}
