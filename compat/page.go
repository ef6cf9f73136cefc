package compat

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"postern.example/postern"
)

//go:embed pages/page.html
var pageHTML string

//go:embed pages/page.css
var pageCSS string

var pages = template.Must(template.New("").Parse(pageHTML))

// view is what every page has.
type view struct {
	Title   string
	Refresh string // where to look again in two seconds
	Style   template.CSS
}

func (v *view) outline() *view { return v }

// life tells the page after how many seconds it has expired.
func (v *view) life(seconds int64) {
	v.Style = template.CSS(fmt.Sprintf(":root { --life: %ds }\n", seconds)) //nolint:gosec // a number
}

type formView struct {
	view
	Action, FileField        string
	Fields                   postern.Fields
	Accept, Types            string
	MinBytes, MaxBytes       string
	MaxSide                  int
	Megapixels               string
	Until, UntilWords, Again string
}

type stateView struct {
	view
	Text     string
	Picture  *pictureView
	Variants []pictureView
	Links    []link
}

type pictureView struct {
	Name, URL     string
	Width, Height int
	Size          string
}

type link struct{ Name, URL string }

// noForm is the policy of pages that send nothing.
const noForm = "form-action 'none'"

// page answers one page. The policy lets it load nothing but what allow names:
// its style is allowed by its hash, script not at all.
func (f *form) page(w http.ResponseWriter, status int, name string, v interface{ outline() *view }, allow string) error {
	o := v.outline()
	o.Style = template.CSS(pageCSS) + o.Style //nolint:gosec // ours
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, v); err != nil {
		return postern.ErrInternal.Because(err)
	}
	hash := sha256.Sum256([]byte(o.Style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; frame-ancestors 'none'; " + allow
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b.Bytes()) //nolint:errcheck // the client has gone
	return nil
}

// megapixels says a number of pixels in millions.
func megapixels(n int64) string {
	return strconv.FormatFloat(float64(n)/1e6, 'f', -1, 64)
}
