package compat

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"postern.example/postern"
)

// Uppy's uploads in parts. Uppy decides how large a part is and says the file's
// size to nobody, so parts are signed without a length; the service lists what
// has arrived before it signs more, and before it joins them.
//
// uploadId is the ticket that the service sealed, key that of the object. Both
// come back with every request, and the service holds them against each other
// and against who asks.

type createJSON struct {
	Filename string         `json:"filename"`
	Type     string         `json:"type"`
	Metadata map[string]any `json:"metadata"`
}

type createdJSON struct {
	Key      string `json:"key"`
	UploadID string `json:"uploadId"`
}

func (u *uppy) create(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	var body createJSON
	if err := decode(r, &body); err != nil {
		return err
	}
	metadata, err := jsonMetadata(body.Metadata)
	if err != nil {
		return err
	}
	in, err := uppyRequest(body.Filename, body.Type, metadata)
	if err != nil {
		return err
	}
	if err := u.bound(who, &in); err != nil {
		return err
	}
	in.Transfer = postern.Multi
	g, err := u.s.Grant(r.Context(), who, in)
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, createdJSON{Key: postern.IncomingPrefix + string(g.Ticket.ID), UploadID: g.Parts.Ticket})
}

// bound refuses a size that the preset does not have room for, and takes it out
// of the request: a grant for a size signs parts of our own length, and Uppy's
// parts have another.
func (u *uppy) bound(who postern.Identity, in *postern.Request) error {
	if in.Size == nil {
		return nil
	}
	p, err := u.s.PresetFor(who, in.Preset)
	if err != nil {
		return err
	}
	n := *in.Size
	in.Size = nil
	return p.CheckSize(n)
}

// uploadOf returns the upload that key and uploadId name. That they belong
// together, and to who asks, is for the service to find.
func uploadOf(r *http.Request) (id postern.ID, ticket string, q url.Values, err error) {
	if q, err = query(r); err != nil {
		return "", "", nil, err
	}
	key := q.Get("key")
	if key == "" {
		return "", "", nil, badField("key", "Say the object's key in the query.")
	}
	text, ok := strings.CutPrefix(key, postern.IncomingPrefix)
	if !ok {
		return "", "", nil, postern.ErrNotFound
	}
	return postern.ID(text), r.PathValue("uploadId"), q, nil
}

type partJSON struct {
	PartNumber int
	Size       int64
	ETag       string // in quotes, as S3 has it
}

func (u *uppy) list(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	id, ticket, _, err := uploadOf(r)
	if err != nil {
		return err
	}
	parts, err := u.s.Parts(r.Context(), who.Principal, id, ticket)
	if err != nil {
		return err
	}
	out := make([]partJSON, len(parts))
	for i, p := range parts {
		out[i] = partJSON{PartNumber: p.Number, Size: p.Size, ETag: `"` + p.ETag + `"`}
	}
	return encode(w, http.StatusOK, out)
}

type signedJSON struct {
	URL     string `json:"url"`
	Expires int64  `json:"expires"` // seconds
}

func (u *uppy) part(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	id, ticket, _, err := uploadOf(r)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(r.PathValue("partNumber"))
	if err != nil {
		return badField("partNumber", "The part's number must be a number from 1 to %d.", postern.MaxParts)
	}
	signed, expires, err := u.s.SignParts(r.Context(), who.Principal, id, ticket, []int{number})
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, signedJSON{URL: signed[0].URL, Expires: u.seconds(expires)})
}

type batchJSON struct {
	PresignedURLs map[int]string `json:"presignedUrls"`
}

func (u *uppy) batch(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	id, ticket, q, err := uploadOf(r)
	if err != nil {
		return err
	}
	numbers, err := partNumbers(q.Get("partNumbers"))
	if err != nil {
		return err
	}
	signed, _, err := u.s.SignParts(r.Context(), who.Principal, id, ticket, numbers)
	if err != nil {
		return err
	}
	out := batchJSON{make(map[int]string, len(signed))}
	for _, p := range signed {
		out.PresignedURLs[p.Number] = p.URL
	}
	return encode(w, http.StatusOK, out)
}

// partNumbers reads "1,2,3".
func partNumbers(text string) ([]int, error) {
	bad := func() ([]int, error) {
		return nil, badField("partNumbers", "partNumbers must be 1 to %d numbers with commas between them.", postern.MaxPartsSigned)
	}
	if strings.Count(text, ",") >= postern.MaxPartsSigned {
		return bad()
	}
	var numbers []int
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return bad()
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// completeJSON is what Uppy believes to have sent. The bucket knows better, and
// is asked; only the shape is looked at.
type completeJSON struct {
	Parts []struct {
		PartNumber int    `json:"PartNumber"`
		ETag       string `json:"ETag"`
	} `json:"parts"`
}

type completedJSON struct {
	Location string `json:"location"`
	Key      string `json:"key"`
}

// complete answers with the address of the upload, not of the object: the
// latter is readable by nobody, and gone after the check.
func (u *uppy) complete(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	id, ticket, _, err := uploadOf(r)
	if err != nil {
		return err
	}
	var said completeJSON
	if err := decode(r, &said); err != nil {
		return err
	}
	up, err := u.s.CompleteParts(r.Context(), who.Principal, id, ticket)
	if err != nil {
		return err
	}
	return encode(w, http.StatusOK, completedJSON{Location: u.absolute(r) + "/uploads/" + string(up.ID), Key: up.Key()})
}

func (u *uppy) abort(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	id, ticket, _, err := uploadOf(r)
	if err != nil {
		return err
	}
	if err := u.s.AbortParts(r.Context(), who.Principal, id, ticket); err != nil {
		return err
	}
	return encode(w, http.StatusOK, struct{}{})
}
