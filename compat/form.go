package compat

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postern.example/postern"
)

const (
	formPath = "/form"
	donePath = "/form/done/"
)

// Form serves a page with a plain HTML form at /form, for browsers that run no
// script. The bucket sends the browser on to /form/done/{id}, which completes
// the upload and tells how it goes, until the picture can be seen. The preset is
// the query's "preset", if there is one.
//
// BaseURL should be the full public address, as the bucket needs one to send
// the browser back; without it, it is the address that the page was asked by.
func Form(s *postern.Service, c postern.HandlerConfig) (http.Handler, error) {
	sp, err := newSpeaker(s, c)
	if err != nil {
		return nil, err
	}
	f := &form{speaker: sp, pictures: pictureSources(s, c)}
	f.Tell = f.tell
	f.HandleAs("GET "+formPath, f.form)
	f.HandleAs("GET "+donePath+"{id}", f.done)
	return f.Edge, nil
}

type form struct {
	speaker
	pictures string // where pictures come from, in the words of a Content-Security-Policy
}

// pictureSources is where a browser may be sent on to from /images/….
func pictureSources(s *postern.Service, c postern.HandlerConfig) string {
	if origin := originOf(c.Images); origin != "" {
		return " " + origin
	}
	if c.ServeImages {
		return ""
	}
	return " " + originOf(s.BucketURL())
}

// form shows the form of one grant.
func (f *form) form(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	p, err := f.s.PresetFor(who, q.Get("preset"))
	if err != nil {
		return err
	}
	base := f.absolute(r)
	g, err := f.s.Grant(r.Context(), who, postern.Request{
		Preset: p.Name, AnyType: true, Transfer: postern.Post, RedirectURL: base + donePath + "{id}",
	})
	if err != nil {
		return err
	}
	v := formView{
		view:   view{Title: "Send a picture"},
		Action: g.URL, Fields: g.Fields, FileField: g.FileField,
		Accept: strings.Join(p.Types, ","), Types: postern.TypeNames(p.Types),
		MaxBytes: postern.Bytes(p.MaxBytes), MaxSide: p.Pixels.MaxSide, Megapixels: megapixels(p.Pixels.MaxPixels),
		Until: g.Ticket.Expires.Format(time.RFC3339), UntilWords: g.Ticket.Expires.Format("15:04 MST"),
		Again: f.again(p.Name),
	}
	if p.MinBytes > 1 {
		v.MinBytes = postern.Bytes(p.MinBytes)
	}
	v.life(f.seconds(g.Ticket.Expires))
	// Chromium holds the redirect after the form against form-action as well, so
	// the gate is named beside the bucket.
	return f.page(w, http.StatusOK, "form", &v, "form-action "+g.URL+" 'self' "+originOf(base))
}

// done completes the upload and shows where it stands. It changes nothing that
// another call would not: loading the page again is harmless.
func (f *form) done(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	id := postern.ID(r.PathValue("id"))
	u, err := f.s.Complete(r.Context(), who.Principal, id)
	if errors.Is(err, postern.ErrNotArrived) {
		if u, granted := f.s.Upload(r.Context(), who.Principal, id); granted == nil && u.State == postern.Expired {
			v := stateView{view: view{Title: "The form has expired"}, Text: "Nothing arrived while it could be used. Open a fresh one and send the picture again."}
			v.Links = []link{{"Open a fresh form", f.again("")}}
			return f.page(w, http.StatusGone, "state", &v, noForm)
		}
	}
	if err != nil {
		return err
	}
	v := stateView{}
	switch u.State {
	case postern.Ready:
		f.ready(&v, &u)
	case postern.Rejected:
		v.Title, v.Text = "The picture was not accepted", problemText(&u)
		v.Links = []link{{"Try another one", f.again(u.Preset)}}
	case postern.Failed:
		v.Title, v.Text = "Something went wrong", problemText(&u)
		v.Links = []link{{"Try again", f.again(u.Preset)}}
	default:
		v.Title, v.Text = "The file has arrived", "It is being checked."
		v.Refresh = f.BaseURL() + donePath + string(id)
	}
	return f.page(w, http.StatusOK, "state", &v, "img-src 'self'"+f.ownPictures()+f.pictures+"; "+noForm)
}

func (f *form) ready(v *stateView, u *postern.Upload) {
	v.Title, v.Text = "The picture is ready", "It was checked, and made ready in these sizes."
	v.Links = []link{{"Send another one", f.again(u.Preset)}}
	for _, x := range u.Image.Variants {
		p := pictureView{
			Name: x.Name, URL: f.BaseURL() + "/images/" + url.PathEscape(string(u.ID)) + "/" + url.PathEscape(x.Name),
			Width: x.Width, Height: x.Height, Size: postern.Bytes(x.Size),
		}
		v.Variants = append(v.Variants, p)
		if v.Picture == nil || x.Width <= shownWidth {
			v.Picture = &p
		}
	}
}

// shownWidth is how wide a picture is shown at most, in pixels: twice the page's
// column.
const shownWidth = 1280

func problemText(u *postern.Upload) string {
	e, p := postern.ProblemOf(u.Problem)
	return sentence(e, p)
}

// again is the address of a fresh form.
func (f *form) again(preset string) string {
	if preset == "" {
		return f.BaseURL() + formPath
	}
	return f.BaseURL() + formPath + "?preset=" + url.QueryEscape(preset)
}

// ownPictures is the gate's own origin, when pages may be shown below another.
func (f *form) ownPictures() string {
	if origin := originOf(f.BaseURL()); origin != "" {
		return " " + origin
	}
	return ""
}

// tell answers an error as a page.
func (f *form) tell(w http.ResponseWriter, _ *http.Request, e *postern.Error, p postern.Problem) {
	retryAfter(w, e)
	v := stateView{view: view{Title: p.Title}, Text: sentence(e, p)}
	switch p.Code {
	case postern.ErrPresetUnknown.Code:
		for _, name := range e.Allowed {
			v.Links = append(v.Links, link{name, f.again(name)})
		}
	case postern.ErrTransfer.Code, postern.ErrUnauthenticated.Code:
		// Another form would say the same.
	default:
		v.Links = []link{{"Open a fresh form", f.again("")}}
	}
	f.page(w, p.Status, "state", &v, noForm) //nolint:errcheck // there is nobody left to tell
}

// originOf is the scheme and host of an address, "" for one without.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
