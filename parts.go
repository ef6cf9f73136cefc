package postern

import (
	"net/http"
	"time"
)

// The routes of uploads in parts.

type signedPartsJSON struct {
	ExpiresAt time.Time        `json:"expires_at"`
	Parts     []signedPartJSON `json:"parts"`
}

type signedPartJSON struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Size   int64  `json:"size"`
}

type arrivedPartsJSON struct {
	PartSize  int64             `json:"part_size"`
	PartCount int               `json:"part_count"`
	Parts     []arrivedPartJSON `json:"parts"`
}

type arrivedPartJSON struct {
	Number int   `json:"number"`
	Size   int64 `json:"size"`
}

func signedView(signed []SignedPart) []signedPartJSON {
	list := make([]signedPartJSON, len(signed))
	for i, p := range signed {
		list[i] = signedPartJSON(p)
	}
	return list
}

// ticketJSON is what comes with requests for an upload in parts.
type ticketJSON struct {
	Ticket string `json:"ticket"`
}

type signPartsJSON struct {
	Ticket  string `json:"ticket"`
	Numbers []int  `json:"numbers"`
}

// signParts signs further parts.
func (h *handler) signParts(w http.ResponseWriter, r *http.Request, who Identity) error {
	if err := isJSON(r); err != nil {
		return err
	}
	var in signPartsJSON
	if err := decode(r.Body, &in); err != nil {
		return err
	}
	signed, expires, err := h.s.SignParts(r.Context(), who.Principal, ID(r.PathValue("id")), in.Ticket, in.Numbers)
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, signedPartsJSON{ExpiresAt: expires, Parts: signedView(signed)})
}

// parts tells what the bucket has, for a client that goes on after a break.
func (h *handler) parts(w http.ResponseWriter, r *http.Request, who Identity) error {
	id, ticket := ID(r.PathValue("id")), r.Header.Get(TicketRequestHeader)
	t, err := h.s.openTicket(who.Principal, id, ticket)
	if err != nil {
		return err
	}
	parts, err := h.s.Parts(r.Context(), who.Principal, id, ticket)
	if err != nil {
		return err
	}
	out := arrivedPartsJSON{PartSize: t.partSize, PartCount: t.count(), Parts: make([]arrivedPartJSON, len(parts))}
	for i, p := range parts {
		out.Parts[i] = arrivedPartJSON{Number: p.Number, Size: p.Size}
	}
	return encode(w, http.StatusOK, out)
}

// complete notes an upload that has arrived; one in parts is joined first.
func (h *handler) complete(w http.ResponseWriter, r *http.Request, who Identity) (err error) {
	id := ID(r.PathValue("id"))
	in, err := completeAsk(r)
	if err != nil {
		return err
	}
	var u Upload
	if in.Ticket == "" {
		u, err = h.s.Complete(r.Context(), who.Principal, id)
	} else {
		u, err = h.s.CompleteParts(r.Context(), who.Principal, id, in.Ticket)
	}
	if err != nil {
		return err
	}
	return encode(w, http.StatusAccepted, uploadView(&u, h.base))
}

// completeAsk reads the body of complete, which only uploads in parts have.
func completeAsk(r *http.Request) (in ticketJSON, err error) {
	doc, err := appendAll(nil, r.Body)
	if err == nil && len(doc) == 0 {
		return in, nil
	}
	if err := isJSON(r); err != nil {
		return in, err
	}
	return in, decode(resumed(doc, err), &in)
}
