package compat

import (
	"net/http"

	"postern.example/postern"
)

const credentials = "/s3_credentials"

// Tutorial serves GET /s3_credentials?filename=, which the server of dwyl's
// image upload tutorial answers with endpoint_url and params: the form that its
// page sends to the bucket. The type is told by the file's name, or by
// "content_type" in the query, as descendants of the tutorial have it; "preset"
// and "size" may stand there as well.
func Tutorial(s *postern.Service, c postern.HandlerConfig) (http.Handler, error) {
	sp, err := newSpeaker(s, c)
	if err != nil {
		return nil, err
	}
	t := &tutorial{sp}
	t.HandleAs("GET "+credentials, t.credentials)
	return t.Edge, nil
}

type tutorial struct{ speaker }

type credentialsJSON struct {
	EndpointURL string         `json:"endpoint_url"`
	Params      postern.Fields `json:"params"`
}

func (t *tutorial) credentials(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	name := q.Get("filename")
	if err := named(name); err != nil {
		return err
	}
	in := postern.Request{Preset: q.Get("preset"), Filename: name, Type: typeOf(q.Get("content_type"), name), Transfer: postern.Post}
	if in.Size, err = sizeOf("size", q.Get("size")); err != nil {
		return err
	}
	g, err := t.s.Grant(r.Context(), who, in)
	if err != nil {
		return err
	}
	t.s.Unannounced(g.Ticket.ID) // the page ends with the bucket's answer
	return encode(w, http.StatusOK, credentialsJSON{EndpointURL: g.URL, Params: g.Fields})
}
