package compat

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"postern.example/postern"
)

// The S3 routes of Uppy Companion 6, as @uppy/aws-s3 5 (its option endpoint)
// and 6 (its option companionEndpoint) call them.

type uppy struct{ speaker }

// Uppy serves the S3 routes of Uppy's Companion at /s3/…: /s3/params for a file
// in one go, /s3/multipart… for one in parts. The preset is the metadata field
// "preset", if there is one; the number in a field "size" is held against the
// preset's limits. /s3/sts is refused by design: a credential in the browser
// is bound by none of the preset's rules.
func Uppy(s *postern.Service, c postern.HandlerConfig) (http.Handler, error) {
	sp, err := newSpeaker(s, c)
	if err != nil {
		return nil, err
	}
	u := &uppy{sp}
	// What Companion lets pages send, in its order.
	u.AllowHeaders = []string{"uppy-auth-token", "uppy-credentials-params", "authorization", "origin", "content-type", "accept"}
	u.MaxBody = 1 << 20 // Companion's own limit for the list of parts
	u.SecretPaths = true
	u.HandleAs("GET /s3/params", u.params)
	u.HandleAs("POST /s3/multipart", u.create)
	u.HandleAs("GET /s3/multipart/{uploadId}", u.list)
	u.HandleAs("GET /s3/multipart/{uploadId}/batch", u.batch)
	u.HandleAs("GET /s3/multipart/{uploadId}/{partNumber}", u.part)
	u.HandleAs("POST /s3/multipart/{uploadId}/complete", u.complete)
	u.HandleAs("DELETE /s3/multipart/{uploadId}", u.abort)
	u.Handle("GET /s3/sts", func(http.ResponseWriter, *http.Request) error {
		return postern.ErrNotFound.With("Credentials are not handed out here: who has one could write any object, of any size and type. " +
			"Leave getTemporarySecurityCredentials off; every file gets a permission of its own.")
	})
	return u.Edge, nil
}

type paramsJSON struct {
	Method  string         `json:"method"`
	URL     string         `json:"url"`
	Fields  postern.Fields `json:"fields"`
	Headers postern.Fields `json:"headers"`
	Expires int64          `json:"expires"` // seconds
}

// params grants one file in one go.
func (u *uppy) params(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	metadata, err := queryMetadata(q)
	if err != nil {
		return err
	}
	in, err := uppyRequest(q.Get("filename"), q.Get("type"), metadata)
	if err != nil {
		return err
	}
	in.Transfer = postern.Post
	g, err := u.s.Grant(r.Context(), who, in)
	if errors.Is(err, postern.ErrTransfer) {
		g, err = u.paramsPut(r, who, in)
	}
	if err != nil {
		return err
	}
	u.s.Unannounced(g.Ticket.ID) // the protocol ends with the bucket's answer
	out := paramsJSON{Method: g.Method, URL: g.URL, Fields: g.Fields, Headers: g.Headers, Expires: u.seconds(g.Ticket.Expires)}
	if g.Method == http.MethodPost {
		// Uppy 6.0 to 6.2 make the file's address by putting url and key together.
		out.URL = strings.TrimSuffix(out.URL, "/") + "/"
	}
	return encode(w, http.StatusOK, out)
}

// paramsPut grants a PUT where forms do not exist. Uppy 6 does not look at the
// method and would send a form all the same; it is told by what it leaves out:
// Uppy 5 asks with Accept: application/json, Uppy 6 with the browser's own.
func (u *uppy) paramsPut(r *http.Request, who postern.Identity, in postern.Request) (*postern.Grant, error) {
	const inParts = "Set shouldUseMultipart: true in the options of Uppy's AwsS3 plugin."
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		return nil, postern.ErrTransfer.With("Files cannot be sent as a form here. %s", inParts)
	}
	in.Transfer = postern.Put
	g, err := u.s.Grant(r.Context(), who, in)
	switch {
	case errors.Is(err, postern.ErrSizeRequired):
		e := postern.ErrSizeRequired.With("Files cannot be sent as a form here, and for a PUT their size must be known. %s "+
			"Or put the size, in bytes, into the file's metadata as \"size\".", inParts)
		e.Field = "size"
		return nil, e
	case errors.Is(err, postern.ErrTransfer):
		return nil, postern.ErrTransfer.With("Files travel in parts here. %s", inParts)
	}
	return g, err
}

// uppyRequest makes a request of what Uppy says about a file.
func uppyRequest(filename, declared string, metadata map[string]string) (in postern.Request, err error) {
	if err := named(filename); err != nil {
		return in, err
	}
	in = postern.Request{Preset: metadata["preset"], Filename: filename, Type: typeOf(declared, filename), Metadata: metadata}
	if in.Size, err = sizeOf("size", metadata["size"]); err != nil {
		return in, err
	}
	// What Uppy says of every file (getAllowedMetadata), and what was for us.
	for _, name := range []string{"name", "type", "relativePath", "preset", "size"} {
		delete(metadata, name)
	}
	return in, nil
}

// queryMetadata reads metadata[name]=value out of a query.
func queryMetadata(q url.Values) (map[string]string, error) {
	metadata := map[string]string{}
	for name, values := range q {
		name, ok := strings.CutPrefix(name, "metadata[")
		if !ok {
			continue
		}
		name, ok = strings.CutSuffix(name, "]")
		if !ok || strings.ContainsAny(name, "[]") {
			return nil, badMetadata()
		}
		metadata[name] = values[0]
	}
	return metadata, nil
}

// jsonMetadata reads a JSON object of plain values. Null is a field that is not
// there, as Uppy's relativePath mostly is.
func jsonMetadata(object map[string]any) (map[string]string, error) {
	metadata := map[string]string{}
	for name, value := range object {
		switch v := value.(type) {
		case nil:
		case string:
			metadata[name] = v
		case json.Number:
			metadata[name] = v.String()
		case bool:
			metadata[name] = "false"
			if v {
				metadata[name] = "true"
			}
		default:
			return nil, badMetadata()
		}
	}
	return metadata, nil
}

func badMetadata() error {
	e := postern.ErrInvalidMetadata.With("Metadata fields must be texts, numbers, true or false.")
	e.Field = "metadata"
	return e
}
