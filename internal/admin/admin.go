package admin

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern.example/postern"
)

// Records is what the page needs of them besides what the service has.
type Records interface {
	Recent(ctx context.Context, state postern.State, before postern.ID, limit int) ([]postern.Upload, error)
	Upload(ctx context.Context, id postern.ID) (postern.Upload, error)
	Backlog(ctx context.Context) (n int, oldest time.Time, err error)
	Untold(ctx context.Context) (n int, oldest time.Time, err error)
}

// Config is what a page is made of. Service, Records and Bucket must be given.
type Config struct {
	Service *postern.Service
	Records Records
	Bucket  postern.Bucket
	// Jobs says how many jobs this copy is at, and how many it keeps for later.
	// Nil: it does none.
	Jobs func() (running, waiting int64)
	// Webhooks says that events are told to somebody.
	Webhooks bool
	// Name is how this copy is called, for operators of several.
	Name   string
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: nothing is logged
}

// New makes the page: "GET /", "/uploads/" and below, and its style.
// It is safe for concurrent use.
func New(c Config) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	p := &page{Config: c, began: c.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.told(p.overview))
	mux.HandleFunc("GET /uploads/{id}", p.told(p.upload))
	mux.HandleFunc("GET /uploads/{id}/image/{variant}", p.told(p.image))
	mux.HandleFunc("GET /uploads/{id}/delete", p.told(p.confirm))
	mux.HandleFunc("POST /uploads/{id}/delete", p.told(p.remove))
	mux.HandleFunc("POST /uploads/{id}/again", p.told(p.again))
	mux.HandleFunc("GET /admin.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, "admin.css")
	})
	mux.HandleFunc("/", p.told(func(http.ResponseWriter, *http.Request) error {
		return postern.ErrNotFound.With("There is no such page.")
	}))
	return guarded(mux)
}

// Patterns are the routes of the page, for a mux on which other things stand too.
func Patterns() []string { return []string{"/{$}", "/uploads/", "/admin.css"} }

//go:embed admin.css page.html
var files embed.FS

type page struct {
	Config
	began time.Time
}

// told answers an error as a page.
func (p *page) told(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), askTime)
		defer cancel()
		err := f(w, r.WithContext(ctx))
		if err == nil {
			return
		}
		e, row := postern.ProblemOf(err)
		if row.Status >= http.StatusInternalServerError {
			p.Logger.WarnContext(ctx, "the admin page could not answer", "path", r.URL.Path, "error", err)
		}
		v := p.view("It did not work")
		if v.Fault = e.Detail; v.Fault == "" {
			v.Fault = row.Title + "."
		}
		p.show(w, row.Status, "fault", v)
	}
}

// askTime bounds how long an answer waits for the records and the bucket.
const askTime = 10 * time.Second

// view is what every page shows, and what only some do.
type view struct {
	Title, Name string
	Now         time.Time
	Fault, Done string

	Funnel  *funnel
	Queue   *queue
	List    []row
	State   postern.State
	States  []postern.State
	Next    string // query of the page that follows; empty: none does
	Later   bool   // this is not the first page
	Search  string
	Upload  *row
	CanRedo bool
	WhyNot  string // it cannot be checked again
}

type funnel struct {
	postern.Stats
	Expired  int64
	Since    time.Time
	Problems []counted
	Limits   []counted
}

type counted struct {
	Name string
	N    int64
}

type queue struct {
	Due              int
	Oldest           time.Time
	Works            bool // this copy checks
	Running, Waiting int64
	Webhooks         bool
	Untold           int
	OldestUntold     time.Time
}

// row is an upload as a line shows it.
type row struct {
	postern.Upload
	Granted time.Time
	Reason  string
}

func (p *page) view(title string) *view {
	return &view{Title: title, Name: p.Name, Now: p.Now()}
}

func (p *page) row(u postern.Upload) row {
	granted, _ := u.ID.Granted()
	r := row{Upload: u, Granted: granted}
	if u.Problem != nil {
		e, problem := postern.ProblemOf(u.Problem)
		if r.Reason = e.Detail; r.Reason == "" {
			r.Reason = problem.Title + "."
		}
	}
	return r
}

// perPage is how many uploads a page lists.
const perPage = 50

func (p *page) overview(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if id := strings.TrimSpace(q.Get("id")); id != "" {
		return p.find(w, r, id)
	}
	ctx := r.Context()
	v := p.view("Postern")
	v.States = []postern.State{postern.Stored, postern.Ready, postern.Rejected, postern.Failed}
	v.State = postern.State(q.Get("state"))
	if v.State != "" && !slices.Contains(v.States, v.State) {
		return postern.ErrBadRequest.With("There is no state %q.", v.State)
	}
	before := postern.ID(q.Get("before"))
	v.Later = before != ""
	list, err := p.Records.Recent(ctx, v.State, before, perPage+1)
	if err != nil {
		return err
	}
	if len(list) > perPage {
		list = list[:perPage]
		v.Next = "?" + url.Values{"state": {string(v.State)}, "before": {string(list[perPage-1].ID)}}.Encode()
	}
	for _, u := range list {
		v.List = append(v.List, p.row(u))
	}
	if q.Get("done") == "deleted" {
		v.Done = "The upload is deleted; its pictures follow within moments."
	}
	v.Funnel = p.funnel()
	if v.Queue, err = p.queue(ctx); err != nil {
		return err
	}
	p.show(w, http.StatusOK, "overview", v)
	return nil
}

// find leads to the upload that somebody looks for.
func (p *page) find(w http.ResponseWriter, r *http.Request, id string) error {
	if _, err := p.Records.Upload(r.Context(), postern.ID(id)); err != nil {
		if errors.Is(err, postern.ErrNotFound) {
			return postern.ErrNotFound.With("No upload that arrived has the id %q.", short(id))
		}
		return err
	}
	http.Redirect(w, r, "/uploads/"+url.PathEscape(id), http.StatusSeeOther)
	return nil
}

func short(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func (p *page) funnel() *funnel {
	s := p.Service.Stats()
	f := &funnel{Stats: s, Expired: max(s.Ended-s.Used, 0), Since: p.began}
	for code, n := range s.Problems {
		f.Problems = append(f.Problems, counted{string(code), n})
	}
	for limit, n := range s.Limited {
		f.Limits = append(f.Limits, counted{strings.TrimPrefix(limit, "quota."), n})
	}
	for _, list := range [][]counted{f.Problems, f.Limits} {
		slices.SortFunc(list, func(a, b counted) int {
			if a.N != b.N {
				return int(b.N - a.N)
			}
			return strings.Compare(a.Name, b.Name)
		})
	}
	return f
}

func (p *page) queue(ctx context.Context) (q *queue, err error) {
	q = &queue{Webhooks: p.Webhooks}
	if q.Due, q.Oldest, err = p.Records.Backlog(ctx); err != nil {
		return nil, err
	}
	if p.Jobs != nil {
		q.Works = true
		q.Running, q.Waiting = p.Jobs()
	}
	if p.Webhooks {
		if q.Untold, q.OldestUntold, err = p.Records.Untold(ctx); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// one is the upload of a path; removed ones are not shown to anybody.
func (p *page) one(r *http.Request) (postern.Upload, error) {
	u, err := p.Records.Upload(r.Context(), postern.ID(r.PathValue("id")))
	if err == nil && u.State == postern.Removed {
		err = postern.ErrNotFound
	}
	if errors.Is(err, postern.ErrNotFound) {
		err = postern.ErrNotFound.With("There is no such upload: it never arrived, or it was deleted.")
	}
	return u, err
}

func (p *page) upload(w http.ResponseWriter, r *http.Request) error {
	u, err := p.one(r)
	if err != nil {
		return err
	}
	p.showUpload(w, r, u, "upload")
	return nil
}

func (p *page) confirm(w http.ResponseWriter, r *http.Request) error {
	u, err := p.one(r)
	if err != nil {
		return err
	}
	p.showUpload(w, r, u, "confirm")
	return nil
}

func (p *page) showUpload(w http.ResponseWriter, r *http.Request, u postern.Upload, name string) {
	v := p.view("Upload " + string(u.ID))
	shown := p.row(u)
	v.Upload = &shown
	switch u.State {
	case postern.Failed:
		v.CanRedo = true
	case postern.Rejected:
		v.WhyNot = "The file is at fault, and its bytes were deleted."
	case postern.Stored:
		v.WhyNot = "Its check is due already."
	}
	if r.URL.Query().Get("done") == "again" {
		v.Done = "It is being checked again."
	}
	p.show(w, http.StatusOK, name, v)
}

func (p *page) again(w http.ResponseWriter, r *http.Request) error {
	u, err := p.one(r)
	if err != nil {
		return err
	}
	ctx := trail(r.Context())
	if err := p.Service.Again(ctx, u.ID); err != nil {
		return err
	}
	p.Logger.InfoContext(ctx, "an operator had an upload checked again", "upload", u.ID)
	http.Redirect(w, r, "/uploads/"+string(u.ID)+"?done=again", http.StatusSeeOther)
	return nil
}

func (p *page) remove(w http.ResponseWriter, r *http.Request) error {
	u, err := p.one(r)
	if err != nil {
		return err
	}
	ctx := trail(r.Context())
	if err := p.Service.Remove(ctx, u.Principal, u.ID); err != nil {
		return err
	}
	p.Logger.InfoContext(ctx, "an operator deleted an upload", "upload", u.ID)
	http.Redirect(w, r, "/?done=deleted", http.StatusSeeOther)
	return nil
}

// trail names what an operator does, for the log and the webhooks.
func trail(ctx context.Context) context.Context {
	return postern.WithTrail(ctx, postern.Trail{RequestID: fmt.Sprintf("admin-%016x", rand.Uint64())}) //nolint:gosec // names, not secrets
}

// image shows one variant of a good upload. The gate's own address for it is
// another listener's, which may be elsewhere.
func (p *page) image(w http.ResponseWriter, r *http.Request) error {
	u, err := p.one(r)
	if err != nil {
		return err
	}
	name := r.PathValue("variant")
	if u.State != postern.Ready || !slices.ContainsFunc(u.Image.Variants, func(v postern.Variant) bool { return v.Name == name }) {
		return postern.ErrNotFound
	}
	o, body, err := p.Bucket.Get(r.Context(), postern.VariantKey(u.ID, name))
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	if o.Type != "image/jpeg" && o.Type != "image/png" {
		return postern.ErrNotFound
	}
	h := w.Header()
	h.Set("Content-Type", o.Type)
	h.Set("Content-Length", strconv.FormatInt(o.Size, 10))
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	io.Copy(w, body) //nolint:errcheck // the asker has gone
	return nil
}

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"bytes": postern.Bytes,
	"ago":   ago,
	"time":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"thumb": thumb,
}).ParseFS(files, "page.html"))

func (p *page) show(w http.ResponseWriter, status int, name string, v *view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, name, v); err != nil {
		p.Logger.Debug("the admin page was not read to its end", "error", err)
	}
}

// thumb is the address of the smallest picture of a good upload.
func thumb(u row) string {
	if u.State != postern.Ready || len(u.Image.Variants) == 0 {
		return ""
	}
	return "/uploads/" + string(u.ID) + "/image/" + u.Image.Variants[0].Name
}

// ago is how long before now t was, in words.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := int(d / u.size); n == 1 {
			return "1 " + u.name + " ago"
		} else if n > 1 {
			return fmt.Sprintf("%d %ss ago", n, u.name)
		}
	}
	return "just now"
}
