package compat

import (
	"errors"
	"net/http"
	"strings"

	"postern.example/postern"
)

const presign = "/presign"

// Shrine serves the presign endpoint of Shrine, the file attachment toolkit for
// Ruby, at /presign: GET with filename, type and, if the client says them, size,
// checksum (base64 MD5, signed with a PUT) and preset in the query. How the file
// travels is the preset's to say; large files in parts go by [Uppy].
func Shrine(s *postern.Service, c postern.HandlerConfig) (http.Handler, error) {
	sp, err := newSpeaker(s, c)
	if err != nil {
		return nil, err
	}
	p := &shrine{sp}
	p.HandleAs("GET "+presign, p.presign)
	p.Handle("OPTIONS "+presign, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
	return p.Edge, nil
}

type shrine struct{ speaker }

type presignJSON struct {
	Fields  postern.Fields `json:"fields"`
	Headers postern.Fields `json:"headers"`
	Method  string         `json:"method"` // in lower case, as Shrine has it
	URL     string         `json:"url"`
}

func (p *shrine) presign(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	name := q.Get("filename")
	if err := named(name); err != nil {
		return err
	}
	in := postern.Request{Preset: q.Get("preset"), Filename: name, Type: typeOf(q.Get("type"), name), Transfer: postern.Post}
	if in.Size, err = sizeOf("size", q.Get("size")); err != nil {
		return err
	}
	if in.MD5, err = md5Of(q.Get("checksum")); err != nil {
		return err
	}
	g, err := p.s.Grant(r.Context(), who, in)
	if errors.Is(err, postern.ErrTransfer) { // no forms here
		in.Transfer = postern.Put
		g, err = p.s.Grant(r.Context(), who, in)
	}
	if err != nil {
		return err
	}
	p.s.Unannounced(g.Ticket.ID) // the protocol ends with the bucket's answer
	return encode(w, http.StatusOK, presignJSON{Fields: g.Fields, Headers: g.Headers, Method: strings.ToLower(g.Method), URL: g.URL})
}
