package doctor

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"postern.example/postern/sigv4"
)

// maxAnswer is how much of an answer is read, bytes.
const maxAnswer = 1 << 20

// answer is what a server said.
type answer struct {
	Status    int
	Code      string // S3's, of an error: "AccessDenied"
	Message   string
	RequestID string
	Region    string // that the server names, in a redirect or an error
	Header    http.Header
	Body      []byte
}

// ok says whether the status is 2xx.
func (a *answer) ok() bool { return a.Status/100 == 2 }

// location is where a redirect leads.
func (a *answer) location() (*url.URL, error) { return url.Parse(a.Header.Get("Location")) }

// String is what a finding shows of it: "403 AccessDenied: Access Denied".
// S3's SignatureDoesNotMatch carries what was signed in other elements than
// Message; those are never shown.
func (a *answer) String() string {
	s := fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status))
	if a.Code != "" {
		s = fmt.Sprintf("%d %s", a.Status, a.Code)
	}
	if a.Message != "" {
		s += ": " + a.Message
	}
	return s
}

// ask is one request.
type ask struct {
	method string // default GET
	key    string // "" is the bucket itself
	query  string // raw: "cors", "list-type=2&prefix=incoming%2F"
	header http.Header
	body   []byte
	signed *sigv4.Credentials // nil: anonymous
	url    string             // instead of key and query: a presigned one
}

// do sends a. An error is one of the network: no answer came.
func (x *exam) do(ctx context.Context, a ask) (*answer, error) {
	if a.method == "" {
		a.method = http.MethodGet
	}
	target := a.url
	if target == "" {
		u := *x.base
		u.Path += "/" + a.key
		u.RawQuery = a.query
		target = u.String()
	}
	r, err := http.NewRequestWithContext(ctx, a.method, target, bytes.NewReader(a.body))
	if err != nil {
		return nil, fmt.Errorf("make request: %v", err)
	}
	if a.header != nil {
		r.Header = a.header.Clone()
	}
	if a.signed != nil {
		x.hide(a.signed)
		if err := x.sign.SignHeader(*a.signed, x.now(), r, sigv4.UnsignedPayload); err != nil {
			return nil, fmt.Errorf("sign request: %v", err)
		}
	}
	return x.send(r)
}

func (x *exam) send(r *http.Request) (*answer, error) { return x.sendAs(r, nil) }

// sendAs sends r, and shows look the answer before its body is read.
func (x *exam) sendAs(r *http.Request, look func(*http.Response)) (*answer, error) {
	resp, err := x.c.HTTP.Do(r)
	if err != nil {
		// The URL may be a signed one, so it does not go along.
		if u, ok := err.(*url.Error); ok { //nolint:errorlint // Do returns exactly this type
			err = u.Err
		}
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if look != nil {
		look(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read answer: %v", err)
	}
	a := &answer{Status: resp.StatusCode, Header: resp.Header, Body: body, RequestID: resp.Header.Get("X-Amz-Request-Id"), Region: resp.Header.Get("X-Amz-Bucket-Region")}
	var doc struct {
		XMLName   xml.Name `xml:"Error"`
		Code      string
		Message   string
		Region    string
		RequestID string `xml:"RequestId"`
	}
	if resp.StatusCode >= 300 && xml.Unmarshal(body, &doc) == nil {
		a.Code, a.Message = doc.Code, x.veil(doc.Message)
		if a.Region == "" {
			a.Region = doc.Region
		}
		if a.RequestID == "" {
			a.RequestID = doc.RequestID
		}
	}
	return a, nil
}

// veil takes out of a server's words what must not be repeated: some servers
// put the signature, the policy or the token that they refuse into them.
func (x *exam) veil(words string) string {
	const veiled = "(not shown)"
	for _, secret := range x.hidden {
		words = strings.ReplaceAll(words, secret, veiled)
	}
	return x.secretive.ReplaceAllString(words, veiled)
}

// hide has veil take out c's secrets from now on.
func (x *exam) hide(c *sigv4.Credentials) {
	for _, secret := range []string{c.SecretAccessKey, c.SessionToken} {
		if secret != "" && !slices.Contains(x.hidden, secret) {
			x.hidden = append(x.hidden, secret)
		}
	}
}

// secretPattern is what signatures, policies and tickets look like: 64 hex
// digits, or base64 that is longer than any name.
const secretPattern = `\b[0-9a-fA-F]{64}\b|[A-Za-z0-9+/_=-]{120,}` //nolint:gosec // what secrets look like, and none

// field is one field of a form.
type field struct{ name, value string }

// post sends a form with a file, as a browser would: with origin when it is not
// empty.
func (x *exam) post(ctx context.Context, fields []field, file []byte, origin string) (*answer, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		if err := w.WriteField(f.name, f.value); err != nil {
			return nil, fmt.Errorf("write form: %v", err)
		}
	}
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="doctor.png"`}, "Content-Type": {"application/octet-stream"},
	})
	if err != nil {
		return nil, fmt.Errorf("write form: %v", err)
	}
	if _, err := part.Write(file); err != nil {
		return nil, fmt.Errorf("write form: %v", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write form: %v", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, x.base.String(), &b)
	if err != nil {
		return nil, fmt.Errorf("make request: %v", err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return x.send(r)
}

// preflight asks whether a page of origin may send method with headers.
func (x *exam) preflight(ctx context.Context, origin, method string, headers ...string) (*answer, error) {
	h := http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}}
	if len(headers) > 0 {
		h.Set("Access-Control-Request-Headers", strings.Join(headers, ","))
	}
	return x.do(ctx, ask{method: http.MethodOptions, header: h})
}
