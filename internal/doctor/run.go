package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

// probe asks one thing, or a few that belong together.
type probe struct {
	id    string   // "cors.preflight"; its findings have this id
	after []string // probes that must not have ended in a fault, else this one is skipped
	run   func(context.Context, *exam) []Finding
}

// probes are all there are, in the order in which they run: what others depend
// on comes first, so that the first fault is the one to cure.
func probes() []probe {
	return slices.Concat(networkProbes(), credentialProbes(), corsProbes(), settingProbes(), uploadProbes(), attackProbes(), privilegeProbes(), leftoverProbes())
}

// IDs returns the names that Config.Only may have.
func IDs() []string {
	var ids []string
	for _, p := range probes() {
		ids = append(ids, p.id)
	}
	return ids
}

// exam is one run over one bucket. Probes run one after the other.
type exam struct {
	c     Config
	base  *url.URL     // of the bucket
	place *sigv4.Place // the same, to sign for
	sign  *sigv4.Signer
	name  string // random; part of every key that is written

	secretive *regexp.Regexp // secretPattern
	hidden    []string       // secrets that were in use

	signer, worker sigv4.Credentials
	knocked        *knock        // the first answer, once somebody has asked for it
	skew           time.Duration // the bucket's clock minus ours, once measured
	timed          bool          // it was

	wrote  []string     // keys to remove
	begun  []unfinished // multiparts to abort
	forms  bool         // the bucket took a form
	notes  map[string]string
	result map[string]Status // worst of each probe so far
}

type unfinished struct{ key, uploadID string }

// errUsage marks a Config with which nothing can be probed.
var errUsage = errors.New("cannot be probed")

// Run runs the probes and removes what they wrote. It returns an error when it
// could not run at all: nothing to reach, no credential, or ctx is done.
// progress, if not nil, is told each finding as it is made.
func Run(ctx context.Context, c Config, progress func(Finding)) (*Report, error) {
	x, err := newExam(c)
	if err != nil {
		return nil, err
	}
	r := &Report{Bucket: c.Bucket, Region: c.Region, URL: c.URL, Provider: x.c.Provider.Name, Began: x.c.Now()}
	all := probes()
	wanted, err := chosen(all, c.Only)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if wanted[p.id] == unwanted {
			continue
		}
		if err := ctx.Err(); err != nil {
			break
		}
		for _, f := range x.try(ctx, &p) {
			if wanted[p.id] != reported {
				continue
			}
			r.Findings = append(r.Findings, f)
			if progress != nil {
				progress(f)
			}
		}
	}
	// What was written goes away also after Ctrl-C.
	away, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	for _, f := range x.cleanUp(away) {
		r.Findings = append(r.Findings, f)
		if progress != nil {
			progress(f)
		}
	}
	r.Took = x.c.Now().Sub(r.Began)
	return r, ctx.Err()
}

func newExam(c Config) (*exam, error) {
	if c.HTTP == nil {
		c.HTTP = &http.Client{
			Timeout:       30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	base, err := url.Parse(strings.TrimSuffix(c.URL, "/"))
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("%w: the bucket's address %q is not a URL", errUsage, c.URL)
	}
	if len(c.Transfers) == 0 {
		c.Transfers = []postern.Transfer{postern.Post, postern.Put}
	}
	if c.Signer == nil || c.Worker == nil {
		return nil, fmt.Errorf("%w: there is no credential", errUsage)
	}
	place, err := sigv4.NewPlace(base)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errUsage, err)
	}
	return &exam{
		c: c, base: base, place: place, sign: sigv4.NewSigner(c.Region), name: "doctor-" + strings.ToLower(rand.Text()),
		secretive: regexp.MustCompile(secretPattern), notes: map[string]string{}, result: map[string]Status{},
	}, nil
}

// try runs one probe, unless one that it needs has failed.
func (x *exam) try(ctx context.Context, p *probe) []Finding {
	for _, id := range p.after {
		if x.result[id] == Fault {
			x.result[p.id] = Skipped
			return []Finding{{ID: p.id, Status: Skipped, Title: "not tried", Got: fmt.Sprintf("cure %q first", id)}}
		}
	}
	list := p.run(ctx, x)
	for i := range list {
		list[i].ID = p.id
		x.result[p.id] = worse(x.result[p.id], list[i].Status)
	}
	return list
}

// worse is the worse of two.
func worse(a, b Status) Status {
	order := []Status{"", Skipped, OK, Warn, Fault}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// How a probe is wanted.
const (
	unwanted = iota
	needed   // by another one
	reported
)

// chosen resolves Only, and what the chosen ones need.
func chosen(all []probe, only []string) (map[string]int, error) {
	wanted := map[string]int{}
	for _, o := range only {
		if !slices.ContainsFunc(all, func(p probe) bool { return p.is(o) }) {
			return nil, fmt.Errorf("%w: there is no probe %q; there are %s", errUsage, o, strings.Join(IDs(), ", "))
		}
	}
	for _, p := range slices.Backward(all) { // what is needed comes before what needs it
		if len(only) == 0 || slices.ContainsFunc(only, p.is) {
			wanted[p.id] = reported
		}
		if wanted[p.id] == unwanted {
			continue
		}
		for _, id := range p.after {
			wanted[id] = max(wanted[id], needed)
		}
	}
	return wanted, nil
}

// is says whether p is meant by an id or by what comes before its dot.
func (p *probe) is(id string) bool { return p.id == id || strings.HasPrefix(p.id, id+".") }

// now is the time as the bucket has it, by which signatures are dated.
func (x *exam) now() time.Time { return x.c.Now().Add(x.skew) }

// incoming is a key below incoming/ that is ours and will be removed.
func (x *exam) incoming(what string) string { return x.key(postern.IncomingPrefix, what) }

// key is a key below prefix that is ours and will be removed.
func (x *exam) key(prefix, what string) string {
	key := prefix + x.name + "-" + what
	if !slices.Contains(x.wrote, key) {
		x.wrote = append(x.wrote, key)
	}
	return key
}

// counted is "1 rule" or "2 rules".
func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
