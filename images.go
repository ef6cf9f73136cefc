package postern

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// signedLife is how long a signed GET of a variant works.
const signedLife = 5 * time.Minute

// image shows one variant. The id is all that is needed to see it: it cannot
// be guessed, and what cannot have been made by us costs no look-up.
func (h *handler) image(w http.ResponseWriter, r *http.Request) error {
	id, name := ID(r.PathValue("id")), r.PathValue("variant")
	if !h.s.keys.made(id) || !nameRE.MatchString(name) {
		return ErrNotFound
	}
	key := VariantKey(id, name)
	switch {
	case h.images != "":
		w.Header().Set("Cache-Control", "public, max-age=3600")
		http.Redirect(w, r, h.images+"/"+string(id)+"/"+name, http.StatusFound) //nolint:gosec // our own address, a made id and a plain name
		return nil
	case h.serveImages:
		return h.imageBytes(w, r, key)
	}
	x, err := h.s.signing(r.Context(), h.s.target.LinkCredentials, signedLife)
	if err != nil {
		return err
	}
	signed, err := h.s.signer.AppendPresign(nil, x.cred, x.dated(), sigv4.PlaceRequest{Place: h.s.place, Key: key, Expires: x.life})
	if err != nil {
		return ErrInternal.Because(err)
	}
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, string(signed), http.StatusFound)
	return nil
}

func (h *handler) imageBytes(w http.ResponseWriter, r *http.Request, key string) error {
	o, body, err := h.s.bucket.Get(r.Context(), key)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // it was only read
	etag := `"` + o.ETag + `"`
	hd := w.Header()
	hd.Set("ETag", etag)
	hd.Set("Cache-Control", "public, max-age=31536000, immutable")
	hd.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	hd.Set("Cross-Origin-Resource-Policy", "cross-origin") // pages elsewhere show these
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if o.Type != "image/jpeg" && o.Type != "image/png" {
		return ErrNotFound.Because(fmt.Errorf("object has type %q", o.Type))
	}
	hd.Set("Content-Type", o.Type)
	hd.Set("Content-Length", strconv.FormatInt(o.Size, 10))
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = io.Copy(w, body)
	return ignore(err)
}
