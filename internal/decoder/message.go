package decoder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern.example/postern"
)

// greeting is the first thing a child says.
type greeting struct {
	Version int
	Limits
}

// rendering is a postern.Rendering on its way: the files follow in the order
// of Files, and variants of one size name the same one.
type rendering struct {
	Image postern.Image
	Files []int64 // bytes of each
	Use   []int   // of each of Image.Variants: which file
}

// refusal is an error on its way.
type refusal struct {
	Code    postern.Code // empty: not the file's fault
	Detail  string
	Limit   int64
	Allowed bool // the preset's types were named
	Cause   string
}

func refusalOf(err error) refusal {
	var e *postern.Error
	if !errors.As(err, &e) {
		return refusal{Cause: err.Error()}
	}
	r := refusal{Code: e.Code, Detail: e.Detail, Limit: e.Limit, Allowed: e.Allowed != nil}
	if e.Err != nil {
		r.Cause = e.Err.Error()
	}
	return r
}

func renderingOf(r *postern.Rendering) (rendering, [][]byte) {
	out := rendering{Image: r.Image}
	var files [][]byte
	for _, v := range r.Image.Variants {
		b := r.Files[v.Name]
		k := slices.IndexFunc(files, func(f []byte) bool { return len(f) == len(b) && (len(b) == 0 || &f[0] == &b[0]) })
		if k < 0 {
			k = len(files)
			files = append(files, b)
			out.Files = append(out.Files, int64(len(b)))
		}
		out.Use = append(out.Use, k)
	}
	return out, files
}

// Below is what the parent believes of a child that may be anybody's by now.

// nonsense is an answer that no child of ours gives.
type nonsense struct{ what string }

func (n *nonsense) Error() string { return "decoder answered nonsense: " + n.what }

func nonsensical(format string, args ...any) error { return &nonsense{fmt.Sprintf(format, args...)} }

// fileFaults is what a child may say about a file.
var fileFaults = []*postern.Error{
	postern.ErrTypeNotAllowed, postern.ErrEmpty, postern.ErrTooManyPixels, postern.ErrSideTooLong, postern.ErrTooManyFrames,
	postern.ErrTooManyScans, postern.ErrTruncated, postern.ErrCorrupt, postern.ErrUnsupported,
}

// answer is what a child said: one of the three.
type answer struct {
	probe     *postern.Probe
	rendering *postern.Rendering
	refused   error // of the file, or of ours
}

// readAnswer reads the answer to a question of the kind and number given. An error of its
// own is a child that is not to be asked again.
func readAnswer(r io.Reader, asked byte, number uint32, p *postern.Preset) (a answer, err error) {
	f, err := readFrame(r)
	if errors.Is(err, errFrame) {
		return a, nonsensical("%v", err)
	} else if err != nil {
		return a, err
	}
	if f.number != number {
		return a, nonsensical("an answer to question %d, asked was %d", f.number, number)
	}
	if f.kind != kindRendering && f.body != 0 {
		return a, nonsensical("%d bytes where none belong", f.body)
	}
	switch {
	case f.kind == kindRefused:
		a.refused, err = readRefusal(f.head, p)
	case f.kind == kindProbed && asked == kindProbe:
		a.probe, err = readProbe(f.head, p)
	case f.kind == kindRendering && asked == kindRender:
		a.rendering, err = readRendering(r, f, p)
	default:
		err = nonsensical("kind %q to question %q", f.kind, asked)
	}
	return a, err
}

func readRefusal(head []byte, p *postern.Preset) (error, error) {
	var r refusal
	if err := json.Unmarshal(head, &r); err != nil {
		return nil, nonsensical("refusal: %v", err)
	}
	cause := errors.New(legible(r.Cause, 500))
	if r.Code == "" {
		return cause, nil
	}
	k := slices.IndexFunc(fileFaults, func(e *postern.Error) bool { return e.Code == r.Code })
	if k < 0 || r.Limit < 0 {
		return nil, nonsensical("refusal with code %.40q", r.Code)
	}
	// People will read the detail.
	if r.Detail == "" || r.Detail != legible(r.Detail, 300) {
		return nil, nonsensical("refusal in %d bytes of words", len(r.Detail))
	}
	e := fileFaults[k].With("%s", r.Detail)
	e.Limit = r.Limit
	if r.Allowed {
		e.Allowed = p.Types
	}
	if r.Cause != "" {
		e.Err = cause
	}
	return e, nil
}

// legible is s without what is no text, and at most n bytes of it.
func legible(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	s = strings.ToValidUTF8(s, "")
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

func readProbe(head []byte, p *postern.Preset) (*postern.Probe, error) {
	var o postern.Probe
	if err := json.Unmarshal(head, &o); err != nil {
		return nil, nonsensical("probe: %v", err)
	}
	if !slices.Contains(p.Types, o.Type) || !within(o.Width, o.Height, p) || o.Frames < 1 || o.Frames > p.Pixels.MaxFrames ||
		o.Scans < 0 || o.Scans > p.Pixels.MaxScans {
		return nil, nonsensical("probe beyond the limits")
	}
	return &o, nil
}

func within(w, h int, p *postern.Preset) bool {
	return w >= 1 && h >= 1 && w <= p.Pixels.MaxSide && h <= p.Pixels.MaxSide && int64(w)*int64(h) <= p.Pixels.MaxPixels
}

var colorRE = regexp.MustCompile(`^#[0-9a-f]{6}$`)

// maxPlaceholder is above the 25 bytes that the longest ThumbHash has.
const maxPlaceholder = 64

func readRendering(r io.Reader, f frame, p *postern.Preset) (*postern.Rendering, error) {
	var m rendering
	if err := json.Unmarshal(f.head, &m); err != nil {
		return nil, nonsensical("rendering: %v", err)
	}
	if err := m.check(f.body, p); err != nil {
		return nil, err
	}
	files := make([][]byte, len(m.Files))
	for k, n := range m.Files {
		var err error
		if files[k], err = readBytes(r, nil, n); err != nil {
			return nil, err
		}
	}
	out := &postern.Rendering{Image: m.Image, Files: map[string][]byte{}}
	for i, v := range m.Image.Variants {
		b := files[m.Use[i]]
		if !looksLike(v.Type, b) {
			return nil, nonsensical("variant %q is no %s", v.Name, v.Type)
		}
		out.Files[v.Name] = b
	}
	return out, nil
}

// check holds all that is said about the files against the preset, before
// there is room for the first of them.
func (m *rendering) check(body int64, p *postern.Preset) error {
	i := &m.Image
	i.SHA256 = nil // the caller has hashed the file himself
	switch {
	case !slices.Contains(p.Types, i.Type) || !within(i.Width, i.Height, p):
		return nonsensical("rendering beyond the limits")
	case len(i.Placeholder) == 0 || len(i.Placeholder) > maxPlaceholder || !colorRE.MatchString(i.Color):
		return nonsensical("placeholder of %d bytes, colour of %d", len(i.Placeholder), len(i.Color))
	case len(i.Variants) != len(p.Variants) || len(m.Use) != len(i.Variants) || len(m.Files) > len(i.Variants):
		return nonsensical("%d variants in %d files; %d were asked for", len(i.Variants), len(m.Files), len(p.Variants))
	}
	seen, used, sum := map[string]bool{}, make([]bool, len(m.Files)), int64(0)
	for k, v := range i.Variants {
		at := slices.IndexFunc(p.Variants, func(r postern.VariantRule) bool { return r.Name == v.Name })
		if at < 0 || seen[v.Name] {
			return nonsensical("variant %.40q", v.Name)
		}
		seen[v.Name] = true
		box := p.Variants[at].Box
		switch {
		case v.Width < 1 || v.Height < 1 || v.Width > min(box, i.Width) || v.Height > min(box, i.Height):
			return nonsensical("variant %q of %d×%d pixels", v.Name, v.Width, v.Height)
		case v.Type != "image/jpeg" && v.Type != "image/png":
			return nonsensical("variant %q of type %.40q", v.Name, v.Type)
		case m.Use[k] < 0 || m.Use[k] >= len(m.Files) || v.Size != m.Files[m.Use[k]]:
			return nonsensical("variant %q in another file than it says", v.Name)
		case v.Size < 1 || v.Size > mostBytes(v.Width, v.Height):
			return nonsensical("variant %q of %d bytes", v.Name, v.Size)
		}
		if !used[m.Use[k]] {
			used[m.Use[k]] = true
			sum += v.Size
		}
	}
	if slices.Contains(used, false) || sum != body {
		return nonsensical("%d bytes of files, %d used", body, sum)
	}
	return nil
}

// mostBytes is more than any encoder of ours writes for w×h pixels: four bytes
// a pixel that do not pack, and a profile.
func mostBytes(w, h int) int64 { return 5*int64(w)*int64(h) + 256<<10 }

// looksLike reports whether b begins and ends as a file of the type does. A
// child that is somebody else's can show any picture; it cannot show a page.
func looksLike(mediaType string, b []byte) bool {
	s := string(b[:min(len(b), 8)])
	if mediaType == "image/png" {
		return s == "\x89PNG\r\n\x1a\n" && strings.HasSuffix(string(b[max(0, len(b)-8):]), "IEND\xaeB`\x82")
	}
	return strings.HasPrefix(s, "\xFF\xD8\xFF") && strings.HasSuffix(string(b[max(0, len(b)-2):]), "\xFF\xD9")
}
