package main

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/doctor"
	"postern.example/postern/internal/folder"
)

const (
	doctorPath = "/doctor"
	// doctorTime is how long a report over HTTP may take.
	doctorTime = 2 * time.Minute
	// doctorFresh is how old a report may be that a second asker gets.
	doctorFresh = 10 * time.Second
)

// doctorPage makes a report when it is asked for one, for the person at this
// machine only: what is wrong with a bucket is news to an attacker, and a
// report costs some dozens of requests.
type doctorPage struct {
	config func(origin string) (doctor.Config, error)
	hosts  []string // that the gate answers to
	log    *slog.Logger
	now    func() time.Time

	turn sync.Mutex // one report at a time
	last *doctor.Report
	of   string // the origin that it was made for
	at   time.Time
}

// newDoctorPage returns nil where strangers may be: no page, and no link to it.
func newDoctorPage(p *program, c programConfig) *doctorPage {
	if !c.local() {
		return nil
	}
	return &doctorPage{
		config: func(origin string) (doctor.Config, error) { return p.doctorConfig(c, origin) },
		hosts:  c.hosts(), log: c.log, now: time.Now,
	}
}

// doctorConfig probes as the gate is, with the keys it has in use, for the page
// that asks and those that are named.
func (p *program) doctorConfig(s programConfig, origin string) (doctor.Config, error) {
	presets, err := fullPresets(s.settings)
	if err != nil {
		return doctor.Config{}, err
	}
	c := doctor.Config{
		Bucket: p.Bucket.Name(), Region: p.Bucket.Region(), Provider: s.server, URL: p.BucketURL(),
		Signer: p.Bucket.SigningCredentials, Worker: p.Bucket.Credentials, Same: !s.target().Apart && p.Embedded == nil,
		Public: s.imagesURL != "", ImagesURL: s.imagesURL, Known: p.known,
	}
	c.Source = sourceOf(p.Bucket, c.Same)
	c.Transfers, c.MaxBytes = used(presets, s.target())
	if p.Embedded != nil {
		keys, err := folder.OpenKeys(s.data, nil)
		if err != nil {
			return c, err
		}
		probeEmbedded(&c, p.BucketURL(), keys)
	}
	c.Origins = append([]string{origin}, slices.DeleteFunc(slices.Clone(s.origins), func(o string) bool { return o == origin })...)
	return c, nil
}

// known says whether an object in incoming/ is of an upload on record.
func (p *program) known(ctx context.Context, key string) (bool, error) {
	_, err := p.Records.Upload(ctx, postern.ID(strings.TrimPrefix(key, postern.IncomingPrefix)))
	if errors.Is(err, postern.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (d *doctorPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !d.forUs(r) {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), doctorTime)
	defer cancel()
	report, err := d.report(ctx, "http://"+r.Host)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept")
	status := http.StatusOK
	if err != nil {
		d.log.LogAttrs(ctx, slog.LevelWarn, "the doctor could not look", slog.String("cause", err.Error()))
		status = http.StatusServiceUnavailable
	}
	if wantsJSON(r) {
		h.Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err != nil {
			printLine(w, map[string]string{"error": err.Error()}) //nolint:errcheck // the asker has gone
			return
		}
		printJSON(w, report) //nolint:errcheck // the asker has gone
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	doctorHTML.Execute(w, doctorView(report, err)) //nolint:errcheck // the asker has gone
}

// forUs says whether a request is of the person at this machine: it comes from
// here, past no proxy, for a name that is ours (DNS rebinding changes the name),
// and not at the wish of another site's page.
func (d *doctorPage) forUs(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !loopbackHost(host) {
		return false
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	name := strings.Trim(r.Host, "[]")
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		name = host
	}
	if !slices.Contains(d.hosts, name) {
		return false
	}
	if o := r.Header.Get("Origin"); o != "" && o != "http://"+r.Host {
		return false
	}
	// https://www.w3.org/TR/fetch-metadata/: "same-site" is another port of this
	// machine, "none" is a person who typed the address.
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin" || site == "none"
}

// report makes a report, or returns one that was made a moment ago.
func (d *doctorPage) report(ctx context.Context, origin string) (*doctor.Report, error) {
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.last != nil && d.of == origin && d.now().Sub(d.at) < doctorFresh {
		return d.last, nil
	}
	if err := ctx.Err(); err != nil { // the asker did not wait
		return nil, err
	}
	conf, err := d.config(origin)
	if err != nil {
		return nil, err
	}
	report, err := doctor.Run(ctx, conf, nil)
	if err != nil {
		return nil, err
	}
	d.last, d.of, d.at = report, origin, d.now()
	return report, nil
}

// wantsJSON reads Accept: a browser names text/html, a program JSON.
func wantsJSON(r *http.Request) bool {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

type doctorSight struct {
	Summary string
	Report  *doctor.Report
	Signs   map[doctor.Status]string
	Error   string
}

func doctorView(report *doctor.Report, err error) doctorSight {
	v := doctorSight{Report: report, Signs: map[doctor.Status]string{doctor.OK: "✓", doctor.Warn: "!", doctor.Fault: "✗", doctor.Skipped: "–"}}
	if err != nil {
		v.Error = err.Error()
		return v
	}
	v.Summary = summary(report)
	return v
}

var doctorHTML = template.Must(template.New("doctor").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Postern: what the doctor found</title>
<link rel="icon" href="favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="page.css">
<body>
<header>
  <img src="favicon.svg" alt="" width="32" height="32">
  <h1>What the doctor found</h1>
</header>
<main class="doctor">
{{- if .Error}}
  <p class="verdict">The bucket could not be looked at: {{.Error}}</p>
{{- else}}
  <p class="verdict">{{.Summary}}</p>
  <p>Bucket {{.Report.Bucket}} in {{.Report.Region}}, <bdi>{{.Report.URL}}</bdi></p>
  <ol>
  {{- range .Report.Findings}}
    <li class="{{.Status}}" id="{{.ID}}">
      <h2><span role="img" aria-label="{{.Status}}">{{index $.Signs .Status}}</span> {{.Title}}</h2>
      {{- if .Cause}}
      <p>{{.Cause}}</p>
      {{- end}}
      {{- if .Cure}}
      <p>Cure: <code>{{.Cure}}</code></p>
      {{- end}}
      {{- if or .Tried .Got}}
      <p class="quiet">{{.ID}}{{if .Tried}}; tried: {{.Tried}}{{end}}{{if .Got}}; got: {{.Got}}{{end}}{{if .RequestID}}; request {{.RequestID}}{{end}}</p>
      {{- end}}
    </li>
  {{- end}}
  </ol>
{{- end}}
  <p><a href="doctor">Look again</a> · <a href="./">Back to the photos</a></p>
</main>
`))
