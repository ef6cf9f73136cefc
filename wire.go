package postern

import (
	"encoding/base64"
	"time"
)

// What follows is the wire contract's JSON; docs/protocol.md describes it and
// openapi.yaml is checked against it.

type uploadJSON struct {
	ID          ID                `json:"id"`
	State       State             `json:"state"`
	Preset      string            `json:"preset,omitempty"`
	Filename    string            `json:"filename,omitempty"`
	Type        string            `json:"type,omitempty"`
	Size        *int64            `json:"size,omitempty"`
	SHA256      string            `json:"sha256,omitempty"`
	Width       int               `json:"width,omitempty"`
	Height      int               `json:"height,omitempty"`
	Placeholder string            `json:"placeholder,omitempty"`
	Color       string            `json:"color,omitempty"`
	Variants    []variantJSON     `json:"variants,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Problem     *problemJSON      `json:"problem,omitempty"`
	CreatedAt   time.Time         `json:"created_at"`
	ExpiresAt   *time.Time        `json:"expires_at,omitempty"`
	Grant       any               `json:"grant,omitempty"` // which Grant.appendJSON writes
}

type variantJSON struct {
	Variant
	URL string `json:"url"`
}

// MarshalJSON writes the fields as one object, in order.
func (f Fields) MarshalJSON() ([]byte, error) { return f.appendJSON(nil), nil }

type problemJSON struct {
	Type       string   `json:"type"`
	Title      string   `json:"title"`
	Status     int      `json:"status"`
	Detail     string   `json:"detail"`
	Instance   string   `json:"instance,omitempty"`
	Code       Code     `json:"code"`
	Field      string   `json:"field,omitempty"`
	Limit      int64    `json:"limit,omitempty"`
	Allowed    []string `json:"allowed,omitempty"`
	RetryAfter int      `json:"retry_after,omitempty"` // seconds
}

// DocsURL is the page that explains the problem codes; a problem's type is
// this address with the code behind a "#".
const DocsURL = "https://postern.example/docs/protocol"

func problemDoc(e *Error, p Problem, instance string) *problemJSON {
	return &problemJSON{
		Type: DocsURL + "#" + string(p.Code), Title: p.Title, Status: p.Status, Detail: or(e.Detail, p.Title+"."),
		Instance: instance, Code: p.Code, Field: e.Field, Limit: e.Limit, Allowed: e.Allowed,
		RetryAfter: int((e.RetryAfter + time.Second - 1) / time.Second),
	}
}

func (h *handler) uploadView(u *Upload) *uploadJSON {
	granted, _, _ := u.ID.times()
	v := &uploadJSON{
		ID: u.ID, State: u.State, CreatedAt: granted,
		Preset: u.Preset, Filename: u.Filename, Type: u.Type, Metadata: u.Metadata,
	}
	switch u.State {
	case Granted, Expired:
		v.ExpiresAt = &u.Expires
		return v
	case Ready:
		m := u.Image
		v.Type, v.Width, v.Height, v.Color = m.Type, m.Width, m.Height, m.Color
		v.SHA256 = base64.StdEncoding.EncodeToString(m.SHA256)
		v.Placeholder = base64.StdEncoding.EncodeToString(m.Placeholder)
		for _, x := range m.Variants {
			v.Variants = append(v.Variants, variantJSON{x, h.base + "/images/" + string(u.ID) + "/" + x.Name})
		}
	case Rejected, Failed:
		e, p := ProblemOf(u.Problem)
		v.Problem = problemDoc(e, p, "")
	}
	v.Size = &u.Size
	return v
}

type listJSON struct {
	Uploads []*uploadJSON `json:"uploads"`
	Next    ID            `json:"next,omitempty"`
}

type limitsJSON struct {
	Preset    string        `json:"preset"`
	Types     []string      `json:"types"`
	MinBytes  int64         `json:"min_bytes"`
	MaxBytes  int64         `json:"max_bytes"`
	MaxPixels int64         `json:"max_pixels"`
	MaxSide   int           `json:"max_side"`
	MaxFrames int           `json:"max_frames"`
	Variants  []VariantRule `json:"variants"`
	Quota     *quotaJSON    `json:"quota,omitempty"` // the caller's
}

func limitsView(p Preset) *limitsJSON {
	return &limitsJSON{
		Preset: p.Name, Types: p.Types, MinBytes: p.MinBytes, MaxBytes: p.MaxBytes,
		MaxPixels: p.Pixels.MaxPixels, MaxSide: p.Pixels.MaxSide, MaxFrames: p.Pixels.MaxFrames, Variants: p.Variants,
	}
}
