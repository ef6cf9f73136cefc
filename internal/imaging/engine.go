package imaging

import (
	"context"
	"fmt"
	"image"
	"image/draw"
	"slices"
	"strings"

	"postern.example/postern"
)

// Engine checks and renders pictures. The zero value is ready, and safe for
// concurrent use.
type Engine struct{}

// Probe names what src is by its bytes, reads its dimensions, frames and scans
// from its blocks, and holds them against p. Nothing is decoded, and nothing
// is allocated that depends on a size the file claims. Errors are
// *postern.Error and blame the file.
func (Engine) Probe(src []byte, p *postern.Preset) (postern.Probe, error) {
	o, err := check(src, p)
	if err != nil {
		return postern.Probe{}, err
	}
	return o.Probe, nil
}

func check(src []byte, p *postern.Preset) (*outline, error) {
	if len(src) == 0 {
		return nil, postern.ErrEmpty.With("The file is empty (0 bytes).")
	}
	kind, words := sniff(src)
	if !slices.Contains(p.Types, kind) {
		e := postern.ErrTypeNotAllowed.With("This is %s. Allowed: %s.", words, postern.TypeNames(p.Types))
		if kind == "" {
			e = postern.ErrTypeNotAllowed.With("This is %s, not a picture that can be shown. Allowed: %s.", words, postern.TypeNames(p.Types))
		}
		e.Allowed = p.Types
		return nil, e
	}
	o, err := walk(src)
	if err != nil && (o == nil || o.Width == 0) {
		return nil, err
	}
	if e := over(o, &p.Pixels); e != nil {
		return nil, e
	}
	// A header that claims more than its data can fill is refused before
	// anybody makes room for it.
	if err == nil && o.ratio > 0 && o.packed < o.raw/o.ratio {
		return nil, errCorrupt
	}
	return o, err
}

func over(o *outline, l *postern.PixelLimits) error {
	limit := func(e *postern.Error, n int64) error {
		e.Limit = n
		return e
	}
	switch {
	case max(o.Width, o.Height) > l.MaxSide:
		return limit(postern.ErrSideTooLong.With("This picture has %d × %d pixels; up to %d a side are allowed.", o.Width, o.Height, l.MaxSide), int64(l.MaxSide))
	case o.Pixels() > l.MaxPixels:
		return limit(postern.ErrTooManyPixels.With("This picture has %s; up to %s are allowed.", megapixels(o.Pixels(), l.MaxPixels), megapixels(l.MaxPixels, o.Pixels())), l.MaxPixels)
	case o.Frames > l.MaxFrames:
		return limit(postern.ErrTooManyFrames.With("This animation has %d frames; up to %d are allowed.", o.Frames, l.MaxFrames), int64(l.MaxFrames))
	case o.total > l.MaxTotal:
		return limit(postern.ErrTooManyFrames.With("The frames of this animation have %s together; up to %s are allowed.", megapixels(o.total, l.MaxTotal), megapixels(l.MaxTotal, o.total)), l.MaxTotal)
	case o.Scans > l.MaxScans:
		return limit(postern.ErrTooManyScans.With("This JPEG is stored in %d passes; up to %d are allowed.", o.Scans, l.MaxScans), int64(l.MaxScans))
	}
	return nil
}

// megapixels writes n so that it reads differently from other.
func megapixels(n, other int64) string {
	short := func(n int64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/1e6), ".0") }
	if short(n) == short(other) {
		return fmt.Sprintf("%d pixels", n)
	}
	return short(n) + " megapixels"
}

// Render checks src as Probe does, decodes all of it and makes p's variants,
// smallest first in the Image. Errors are *postern.Error when the file is at
// fault, else ctx's or ours. A panic of a decoder is the file's fault.
func (Engine) Render(ctx context.Context, src []byte, p *postern.Preset) (*postern.Rendering, error) {
	o, err := check(src, p)
	if err != nil {
		return nil, err
	}
	m, err := decode(ctx, src, o)
	if err != nil {
		return nil, err
	}
	r := &postern.Rendering{Files: map[string][]byte{}}
	r.Image = postern.Image{Type: o.Type, Width: o.Width, Height: o.Height}
	w, h := m.size()
	r.Image.Width, r.Image.Height = w, h
	if o.orientation >= 5 {
		r.Image.Width, r.Image.Height = h, w
	}
	rules := slices.SortedFunc(slices.Values(p.Variants), func(a, b postern.VariantRule) int { return b.Box - a.Box })
	type made struct {
		variant postern.Variant
		file    []byte
	}
	bySize := map[image.Point]made{}
	cur := m
	for _, rule := range rules {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		size := fit(w, h, rule.Box)
		done, ok := bySize[size]
		if !ok {
			cur = cur.resize(size.X, size.Y)
			file, kind, err := encode(cur.image(o.orientation), len(m) == rgba, p.Quality, o.icc)
			if err != nil {
				return nil, fmt.Errorf("encode variant: %w", err)
			}
			if o.orientation >= 5 {
				size.X, size.Y = size.Y, size.X
			}
			done = made{postern.Variant{Type: kind, Width: size.X, Height: size.Y, Size: int64(len(file))}, file}
			bySize[fit(w, h, rule.Box)] = done
		}
		done.variant.Name = rule.Name
		r.Files[rule.Name] = done.file
		r.Image.Variants = append(r.Image.Variants, done.variant)
	}
	slices.Reverse(r.Image.Variants)
	small := tiny(cur, o.orientation)
	r.Image.Placeholder, r.Image.Color = thumbHash(small), dominant(small)
	return r, nil
}

// fit scales w×h down into a square box. The box is a maximum: a whole factor
// that ends within 2 % of it is taken, since that is cheaper to compute and
// sharper.
func fit(w, h, box int) image.Point {
	side := max(w, h)
	if side <= box {
		return image.Pt(w, h)
	}
	target := float64(box)
	if f := (side + box - 1) / box; float64(side)/float64(f) >= 0.98*float64(box) {
		target = float64(side / f)
	}
	scale := target / float64(side)
	return image.Pt(min(box, max(1, int(float64(w)*scale+0.5))), min(box, max(1, int(float64(h)*scale+0.5))))
}

// tiny returns the picture in at most 100×100 upright pixels.
func tiny(m picture, orientation int) *image.RGBA {
	w, h := m.size()
	size := image.Pt(w, h)
	if side := max(w, h); side > 100 {
		size = image.Pt(max(1, w*100/side), max(1, h*100/side))
	}
	from := m.resize(size.X, size.Y).image(orientation)
	out := image.NewRGBA(from.Bounds())
	draw.Draw(out, out.Bounds(), from, from.Bounds().Min, draw.Src)
	return out
}
