package main

import (
	"html/template"
	"io"
	"strings"
	"time"

	"postern.example/postern"
)

// writeForm writes a grant as an HTML file that needs no script.
func writeForm(w io.Writer, g *postern.Grant, p *postern.Preset) error {
	return signForm.Execute(w, struct {
		Grant   *postern.Grant
		Accept  string
		Types   string
		Most    string
		Expires string
	}{g, strings.Join(p.Types, ","), postern.TypeNames(p.Types), postern.Bytes(g.Ticket.MaxBytes), g.Ticket.Expires.Format(time.RFC1123)})
}

// The signature in it is the grant's own; html/template escapes for the place
// each value stands in.
var signForm = template.Must(template.New("form").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>Upload a picture</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 32rem; margin: 3rem auto; padding: 0 1rem }
input, button { font: inherit; margin: .5rem 0 }
</style>
</head>
<body>
<h1>Upload a picture</h1>
<p>{{.Types}}, up to {{.Most}}. This form can be used until {{.Expires}}.</p>
<form action="{{.Grant.URL}}" method="post" enctype="multipart/form-data">
{{range .Grant.Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<p><label>Picture <input type="file" name="{{.Grant.FileField}}" accept="{{.Accept}}" required></label></p>
<p><button>Upload</button></p>
</form>
</body>
</html>
`))
