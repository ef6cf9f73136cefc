package compat

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"postern.example/postern"
)

const directUploads = "/rails/active_storage/direct_uploads"

// ActiveStorage serves the direct uploads of Rails Active Storage at
// /rails/active_storage/direct_uploads, as @rails/activestorage calls it: a PUT
// that is signed for the file's exact size and MD5 (or SHA-256, which Rails 8.2
// can send). The preset is the query's "preset", if there is one: the client
// takes data-direct-upload-url as it is. signed_id, which forms hand to the
// application, is the upload's id.
func ActiveStorage(s *postern.Service, c postern.HandlerConfig) (http.Handler, error) {
	sp, err := newSpeaker(s, c)
	if err != nil {
		return nil, err
	}
	a := &activeStorage{sp}
	// X-CSRF-Token is let through and not looked at: the edge refuses pages of
	// other sites, and the body must be JSON.
	a.AllowHeaders = []string{"content-type", "accept", "x-requested-with", "x-csrf-token", "authorization"}
	a.HandleAs("POST "+directUploads, a.create)
	return a.Edge, nil
}

type activeStorage struct{ speaker }

type blobAskJSON struct {
	Blob *struct {
		Filename    string         `json:"filename"`
		ContentType string         `json:"content_type"`
		ByteSize    *int64         `json:"byte_size"`
		Checksum    string         `json:"checksum"`
		Metadata    map[string]any `json:"metadata"`
	} `json:"blob"`
}

type blobJSON struct {
	ID           postern.ID        `json:"id"`
	Key          string            `json:"key"`
	Filename     string            `json:"filename"`
	ContentType  string            `json:"content_type"`
	Metadata     map[string]string `json:"metadata"`
	ServiceName  string            `json:"service_name"`
	ByteSize     int64             `json:"byte_size"`
	Checksum     string            `json:"checksum"`
	CreatedAt    time.Time         `json:"created_at"`
	SignedID     postern.ID        `json:"signed_id"`
	DirectUpload directUploadJSON  `json:"direct_upload"`
}

type directUploadJSON struct {
	URL     string         `json:"url"`
	Headers postern.Fields `json:"headers"`
}

func (a *activeStorage) create(w http.ResponseWriter, r *http.Request, who postern.Identity) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	var body blobAskJSON
	if err := decode(r, &body); err != nil {
		return err
	}
	b := body.Blob
	if b == nil {
		return badField("blob", "Say what the file is, in \"blob\".")
	}
	if err := named(b.Filename); err != nil {
		return err
	}
	in := postern.Request{
		Preset: q.Get("preset"), Filename: b.Filename, Type: typeOf(b.ContentType, b.Filename), Size: b.ByteSize,
		Transfer: postern.Put,
	}
	if in.Metadata, err = jsonMetadata(b.Metadata); err != nil {
		return err
	}
	if hash, ok := strings.CutPrefix(b.Checksum, "sha256:"); ok {
		in.SHA256 = hash
	} else if in.MD5, err = md5Of(b.Checksum); err != nil {
		return err
	}
	g, err := a.s.Grant(r.Context(), who, in)
	if err != nil {
		return err
	}
	a.s.Unannounced(g.Ticket.ID) // the protocol ends with the bucket's answer
	t := &g.Ticket
	return encode(w, http.StatusOK, blobJSON{
		ID: t.ID, Key: string(t.ID), Filename: t.Filename, ContentType: t.Type, Metadata: in.Metadata, ServiceName: "postern",
		ByteSize: *b.ByteSize, Checksum: b.Checksum, CreatedAt: a.now().UTC(), SignedID: t.ID,
		DirectUpload: directUploadJSON{URL: g.URL, Headers: g.Headers},
	})
}

// md5Of reads a base64 MD5, which a client may leave out.
func md5Of(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(sum) != 16 {
		return nil, badField("checksum", "checksum must be the base64 of an MD5, 16 bytes.")
	}
	return sum, nil
}
