package posterntest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"postern.example/postern"
)

// Grant is what to send to the bucket, and how.
type Grant struct {
	Method string
	URL    string
	// A form.
	Fields    map[string]string
	FileField string `json:"file_field"`
	// A PUT.
	Headers map[string]string
	// Parts.
	Ticket    string
	PartSize  int64 `json:"part_size"`
	PartCount int   `json:"part_count"`
	Parts     []SignedPart
}

// SignedPart is one part to send.
type SignedPart struct {
	Number int
	URL    string
	Size   int64
}

// Ask asks for a grant.
func (g *Gate) Ask(ctx context.Context, in postern.Request) (Upload, error) {
	var up Upload
	err := g.Do(ctx, http.MethodPost, "/uploads", in, &up)
	return up, err
}

// SignParts asks for the URLs of parts.
func (g *Gate) SignParts(ctx context.Context, id, ticket string, numbers ...int) ([]SignedPart, error) {
	var out struct{ Parts []SignedPart }
	err := g.Do(ctx, http.MethodPost, "/uploads/"+id+"/parts", map[string]any{"ticket": ticket, "numbers": numbers}, &out)
	return out.Parts, err
}

// Complete says that the file was sent.
func (g *Gate) Complete(ctx context.Context, id string) (Upload, error) {
	return g.CompleteTicket(ctx, id, "")
}

// CompleteTicket says that the file was sent; one in parts has a ticket.
func (g *Gate) CompleteTicket(ctx context.Context, id, ticket string) (Upload, error) {
	in := map[string]string{}
	if ticket != "" {
		in["ticket"] = ticket
	}
	var up Upload
	err := g.Do(ctx, http.MethodPost, "/uploads/"+id+"/complete", in, &up)
	return up, err
}

// Send sends file to the bucket as a grant says, and returns the bucket's
// status and body; with parts, those of the first that was refused or of the last.
func (g *Gate) Send(ctx context.Context, grant *Grant, file []byte) (status int, body string, err error) {
	switch grant.Method {
	case http.MethodPost:
		form, contentType := Form(grant, file)
		return g.toBucket(ctx, http.MethodPost, grant.URL, map[string]string{"Content-Type": contentType}, form)
	case http.MethodPut:
		return g.toBucket(ctx, http.MethodPut, grant.URL, grant.Headers, file)
	case "MULTIPART":
		if len(grant.Parts) < grant.PartCount {
			return 0, "", errors.New("the grant has the first parts only; sign the others")
		}
		for _, p := range grant.Parts {
			n := min(p.Size, int64(len(file)))
			if status, body, err = g.SendPart(ctx, p.URL, file[:n]); err != nil || status/100 != 2 {
				return status, body, err
			}
			file = file[n:]
		}
		return status, body, err
	}
	return 0, "", fmt.Errorf("grant has the method %q", grant.Method)
}

// SendPart sends one part to its URL.
func (g *Gate) SendPart(ctx context.Context, url string, part []byte) (status int, body string, err error) {
	return g.toBucket(ctx, http.MethodPut, url, nil, part)
}

func (g *Gate) toBucket(ctx context.Context, method, url string, headers map[string]string, content []byte) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(content))
	if err != nil {
		return 0, "", err
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Origin", Origin)
	res, err := g.HTTP.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// Form builds the multipart body of a form grant, the file last.
func Form(grant *Grant, file []byte) (body []byte, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range grant.Fields {
		w.WriteField(name, value) //nolint:errcheck // bytes.Buffer never fails
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", fmt.Sprintf(`form-data; name=%q; filename="photo"`, grant.FileField))
	h.Set("Content-Type", grant.Fields["Content-Type"])
	part, _ := w.CreatePart(h)
	part.Write(file) //nolint:errcheck // bytes.Buffer never fails
	w.Close()        //nolint:errcheck // bytes.Buffer never fails
	return b.Bytes(), w.FormDataContentType()
}
