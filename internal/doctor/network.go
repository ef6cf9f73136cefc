package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"postern.example/postern/sigv4"
)

func networkProbes() []probe {
	return []probe{
		{id: "network.dns", run: probeDNS},
		{id: "network.reach", after: []string{"network.dns"}, run: probeReach},
		{id: "network.tls", after: []string{"network.dns", "network.reach"}, run: probeTLS},
		{id: "network.clock", after: []string{"network.dns", "network.reach", "network.tls"}, run: probeClock},
		{id: "network.region", after: []string{"network.dns", "network.reach", "network.tls"}, run: probeRegion},
	}
}

// knock is the first, anonymous request to the bucket, and what came of it.
type knock struct {
	got    *answer
	err    error
	tls    *tls.ConnectionState
	before time.Time // on our clock
	took   time.Duration
}

// knock asks once what the probes of the network then look at.
func (x *exam) knock(ctx context.Context) *knock {
	if x.knocked != nil {
		return x.knocked
	}
	k := &knock{before: x.c.Now()}
	x.knocked = k
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, x.base.String(), nil)
	if err != nil {
		k.err = fmt.Errorf("make request: %v", err)
		return k
	}
	began := time.Now()
	k.got, k.err = x.sendAs(r, func(resp *http.Response) { k.tls, k.took = resp.TLS, time.Since(began) })
	if k.err == nil {
		x.tellTime(k)
	}
	return k
}

// tellTime measures how far the bucket's clock is from ours. All that is signed
// later is dated by the bucket's, so that a wrong clock is one fault and not many.
func (x *exam) tellTime(k *knock) {
	theirs, err := http.ParseTime(k.got.Header.Get("Date"))
	if err != nil {
		return
	}
	if age, err := time.ParseDuration(k.got.Header.Get("Age") + "s"); err == nil { // a cache on the way, RFC 9111 section 5.1
		theirs = theirs.Add(age)
	}
	x.timed = true
	if skew := theirs.Sub(k.before.Add(k.took / 2)); skew.Abs() > skewNoise {
		x.skew = skew
	}
}

// proxy is the proxy on the way to the bucket, if there is one.
func (x *exam) proxy() *url.URL {
	way := x.c.HTTP.Transport
	if way == nil {
		way = http.DefaultTransport
	}
	t, ok := way.(*http.Transport)
	if !ok || t.Proxy == nil {
		return nil
	}
	u, err := t.Proxy(&http.Request{URL: x.base})
	if err != nil {
		return nil
	}
	return u
}

func probeDNS(ctx context.Context, x *exam) []Finding {
	host := x.base.Hostname()
	f := Finding{Status: OK, Title: host + " leads somewhere", Tried: "look up " + host}
	if p := x.proxy(); p != nil {
		f.Status, f.Got = Skipped, "the proxy "+p.Host+" looks names up"
		return []Finding{f}
	}
	if net.ParseIP(host) != nil {
		f.Got = "it is an address, not a name"
		return []Finding{f}
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		f.Status, f.Got = Fault, err.Error()
		f.Cause, f.Cure = x.unreached(err)
		return []Finding{f}
	}
	f.Got = strings.Join(addresses, ", ")
	return []Finding{f}
}

func probeReach(ctx context.Context, x *exam) []Finding {
	k := x.knock(ctx)
	f := Finding{Status: OK, Title: "something answers at " + x.base.Host, Tried: "GET " + x.base.String() + " as a stranger"}
	var broken *tls.CertificateVerificationError
	if errors.As(k.err, &broken) || isName(k.err) {
		f.Got = "a server whose certificate is not good"
		return []Finding{f} // network.tls has more to say
	}
	if k.err != nil {
		return []Finding{x.silent(f.Title, f.Tried, k.err)}
	}
	f.Got = fmt.Sprintf("%s after %d ms", k.got, k.took.Milliseconds())
	f.RequestID = k.got.RequestID
	switch {
	case k.got.Status >= 500 && k.got.Status != http.StatusNotImplemented:
		return []Finding{x.refused(Fault, f.Title, f.Tried, anything, k.got)}
	case x.onlyHere():
		f.Status = Warn
		f.Cause = fmt.Sprintf("%s is an address of this machine only, and the pages of %s are opened on others.", x.base.Host, strings.Join(x.c.Origins, " and "))
		f.Cure = "--bucket-url, the bucket's address for browsers"
	case !strings.Contains(x.base.Hostname(), ".") && net.ParseIP(x.base.Hostname()) == nil && !isLoopback(x.base.Hostname()):
		f.Status = Warn
		f.Cause = fmt.Sprintf("%q, a name without a dot, is known to machines or containers beside this one, and not to browsers.", x.base.Hostname())
		f.Cure = "--bucket-url, the bucket's address for browsers"
	}
	return []Finding{f}
}

// onlyHere says whether the bucket is reached from this machine only, and none
// of the pages is.
func (x *exam) onlyHere() bool {
	return len(x.c.Origins) > 0 && isLoopback(x.base.Hostname()) && !slices.ContainsFunc(x.c.Origins, func(o string) bool {
		u, err := url.Parse(o)
		return err != nil || isLoopback(u.Hostname())
	})
}

// isLoopback says whether a host is this machine, as browsers judge it: RFC 6761
// section 6.3 for names.
func isLoopback(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// When a certificate is about to end, days.
const (
	endsSoon  = 14
	hoursADay = 24
)

func probeTLS(ctx context.Context, x *exam) []Finding {
	k := x.knock(ctx)
	f := Finding{Status: OK, Title: "the way to the bucket is encrypted", Tried: "GET " + x.base.String()}
	if x.base.Scheme != "https" {
		return []Finding{x.plain(f)}
	}
	if k.err != nil {
		f.Status, f.Got = Fault, k.err.Error()
		f.Cause, f.Cure = x.unreached(k.err)
		return []Finding{f}
	}
	if k.tls == nil || len(k.tls.PeerCertificates) == 0 {
		f.Got = tls.VersionName(tls.VersionTLS12) + " or better"
		return []Finding{f}
	}
	ends := k.tls.PeerCertificates[0].NotAfter
	left := int(ends.Sub(x.c.Now()).Hours() / hoursADay)
	f.Got = fmt.Sprintf("%s, certificate good for %d days", tls.VersionName(k.tls.Version), left)
	if left < endsSoon {
		f.Status = Warn
		f.Cause = fmt.Sprintf("The certificate of %s ends on %s; from then on no browser sends anything.", x.base.Hostname(), ends.UTC().Format(time.DateOnly))
		f.Cure = "renew the certificate, and see why it was not renewed by itself"
	}
	return []Finding{f}
}

// plain judges a way without encryption: harmless within this machine, refused
// by browsers where the page itself is encrypted ("mixed content",
// https://www.w3.org/TR/mixed-content/#should-block-fetch), and else readable by
// everybody on the way.
func (x *exam) plain(f Finding) Finding {
	if isLoopback(x.base.Hostname()) {
		f.Title = "the way to the bucket does not leave this machine"
		f.Got = "not encrypted, which nobody else can read"
		return f
	}
	f.Got = x.base.Scheme
	f.Cure = "give the bucket a certificate, or put a proxy with one before it, and set --bucket-url https://…"
	i := slices.IndexFunc(x.c.Origins, func(o string) bool { return strings.HasPrefix(o, "https:") })
	if i >= 0 {
		f.Status = Fault
		f.Cause = fmt.Sprintf("Browsers do not let an encrypted page (%s) send to an address that is not (%s): \"mixed content\".", x.c.Origins[i], x.base.Scheme+"://"+x.base.Host)
		return f
	}
	f.Status = Warn
	f.Cause = "Files and signatures can be read and used by everybody on the way."
	return f
}

// How far clocks may be apart: S3 refuses from 15 minutes on (RequestTimeTooSkewed).
const (
	skewSaid = time.Minute
	skewBad  = sigv4.MaxSkew
	// skewNoise is what a Date of whole seconds and the way may account for.
	skewNoise = 2 * time.Second
)

func probeClock(ctx context.Context, x *exam) []Finding {
	x.knock(ctx)
	f := Finding{Status: OK, Title: "this machine's clock and the bucket's agree", Tried: "read Date of an answer"}
	if !x.timed {
		f.Status, f.Got = Skipped, "the bucket does not tell the time"
		return []Finding{f}
	}
	skew := x.skew
	f.Got = "within seconds"
	if skew.Abs() <= skewSaid {
		return []Finding{f}
	}
	way := "behind"
	if skew < 0 {
		way = "ahead of"
	}
	by := skew.Abs().Round(time.Second)
	f.Status, f.Got = Warn, fmt.Sprintf("%s apart", by)
	f.Cause = fmt.Sprintf("This machine's clock is %s %s the bucket's.", by, way)
	f.Cure = "set the clock: timedatectl set-ntp true"
	if skew.Abs() > skewBad {
		f.Status = Fault
		f.Cause = fmt.Sprintf("This machine's clock is %s %s the bucket's, which refuses signatures that are more than 15 minutes off (RequestTimeTooSkewed).", by, way)
	}
	return []Finding{f}
}

// probeRegion asks with the worker's key, whose signature says which region we
// take the bucket's for. Without one it asks as a stranger, whom AWS tells the
// region in every case.
func probeRegion(ctx context.Context, x *exam) []Finding {
	k := x.knock(ctx)
	title := fmt.Sprintf("the bucket %s is there, in %s", x.c.Bucket, x.c.Region)
	f := Finding{Status: OK, Title: title, Tried: "GET " + x.base.String() + " as a stranger", Got: k.got.String(), RequestID: k.got.RequestID}
	worker, err := x.c.Worker(ctx)
	if err != nil || worker.AccessKeyID == "" || worker.SecretAccessKey == "" || k.got.Status/100 == 3 { // credentials.worker says that there is no key
		if wrong := x.elsewhere(f, k.got); wrong != nil {
			return []Finding{*wrong}
		}
		return []Finding{f}
	}
	const tried = "list one object below incoming/ with the worker's key"
	got, err := x.do(ctx, ask{query: listIncoming, signed: &worker})
	if err != nil {
		return []Finding{x.silent(title, tried, err)}
	}
	f.Tried, f.Got, f.RequestID = tried, got.String(), got.RequestID
	if wrong := x.elsewhere(f, got); wrong != nil {
		return []Finding{*wrong}
	}
	switch {
	case got.Code == "" && !got.ok() && got.Status != http.StatusForbidden:
		return []Finding{x.refused(Fault, title, tried, anything, got)}
	case got.ok() && !strings.Contains(string(got.Body), "ListBucketResult"):
		f.Status = Fault
		f.Cause = fmt.Sprintf("What answers at %s is not an S3 server: it answers a listing with something else.", x.base)
		f.Cure = "--endpoint and --bucket-url, which must lead to the bucket itself (MinIO: the port of its API, not of its console)"
	}
	return []Finding{f}
}

// listIncoming lists one object below incoming/.
const listIncoming = "list-type=2&max-keys=1&prefix=incoming%2F"

// elsewhere is the finding about an answer that says that the bucket is in
// another place, or nowhere.
func (x *exam) elsewhere(f Finding, a *answer) *Finding {
	f.Got, f.RequestID = a.String(), a.RequestID
	f.Cause, f.Cure = x.because(anything, a)
	f.Status = Fault
	switch {
	case a.Status/100 == 3:
		if u, err := a.location(); err == nil && a.Region == "" && u.Host != "" && (u.Host != x.base.Host || u.Scheme != x.base.Scheme) {
			to := u.Scheme + "://" + u.Host
			f.Cause = fmt.Sprintf("%s leads on to %s, and browsers do not follow a redirect of a preflight.", x.base.Scheme+"://"+x.base.Host, to)
			f.Cure = "--endpoint or --bucket-url with " + to
		}
		return &f
	case slices.Contains([]string{"NoSuchBucket", "InvalidBucketName", "AllAccessDisabled", "IllegalLocationConstraintException", "InvalidRegionName"}, a.Code),
		a.Code == "AuthorizationHeaderMalformed" && strings.Contains(f.Cause, "region"):
		return &f
	case !a.ok() && a.Region != "" && a.Region != x.c.Region && x.c.Region != "auto":
		f.Cause = fmt.Sprintf("The bucket is in %s, and requests are signed for %s.", a.Region, x.c.Region)
		f.Cure = "--region " + a.Region
		return &f
	}
	return nil
}

// isName says whether err is about the name in a certificate.
func isName(err error) bool {
	var name x509.HostnameError
	return errors.As(err, &name)
}

// unreached says why no answer came, and what cures it.
func (x *exam) unreached(err error) (cause, cure string) {
	const address = "--endpoint and --bucket-url"
	host := x.base.Hostname()
	var (
		dns     *net.DNSError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		if x.c.Provider.Name == "aws" {
			return "There is no host " + host + ": the region or the bucket's name is mistyped.", "--bucket and --region, letter by letter"
		}
		return "There is no host " + host + ".", "correct " + address + ", or enter the name into DNS"
	case errors.As(err, &dns):
		return "The name server does not answer for " + host + ".", "look at this machine's DNS: getent hosts " + host
	case errors.As(err, &name):
		if label, found := strings.CutSuffix(host, "."+x.parent()); found && strings.Contains(label, ".") {
			return fmt.Sprintf("The bucket's name has a dot, which a certificate for *.%s does not cover.", x.parent()),
				"--path-style, which puts the name into the path; or a bucket without dots"
		}
		return "The certificate is not for " + host + ", but for " + namesOf(name.Certificate) + ".", "correct " + address + ", or give the server a certificate with that name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return expiredCause(host, invalid.Cert, time.Now()), "renew the certificate, and see why it was not renewed by itself; if it is good: timedatectl set-ntp true"
	case errors.As(err, &unknown):
		return "The certificate of " + host + " is signed by nobody whom this machine trusts; browsers will not trust it either.",
			"use a certificate of a public authority, or install that of your own here and in the browsers"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "The server at " + x.base.Host + " does not speak TLS.", "http:// instead of https:// in " + address + ", or another port"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens at " + x.base.Host + ".", "start the server, or correct host and port in " + address
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "There is no way from this machine to " + host + ".", "look at this machine's network and at firewalls"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return x.base.Host + " did not answer in time.", "let this machine out to " + x.base.Host + " (firewall, security group, proxy)"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), strings.HasSuffix(err.Error(), "EOF"):
		return x.base.Host + " ended the connection without an answer.", "look at the server's log, and at proxies and firewalls before it; http:// and https:// may be mixed up"
	}
	return "No answer came from " + x.base.Host + ".", "look at what answers at " + x.base.String()
}

// parent is the domain below which buckets have their hosts.
func (x *exam) parent() string {
	if x.pathStyle() {
		return x.base.Hostname()
	}
	return strings.TrimPrefix(x.base.Hostname(), x.c.Bucket+".")
}

func namesOf(c *x509.Certificate) string {
	switch {
	case len(c.DNSNames) > 0:
		return strings.Join(c.DNSNames, ", ")
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	}
	return "another name"
}

func expiredCause(host string, c *x509.Certificate, now time.Time) string {
	if now.Before(c.NotBefore) {
		return fmt.Sprintf("The certificate of %s is good from %s on only, or this machine's clock is behind.", host, c.NotBefore.UTC().Format(time.DateOnly))
	}
	return fmt.Sprintf("The certificate of %s has ended on %s.", host, c.NotAfter.UTC().Format(time.DateOnly))
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
