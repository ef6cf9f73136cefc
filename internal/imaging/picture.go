package imaging

import (
	"image"
	"image/color"
)

// plane is one component of a picture, 8 bits a sample.
type plane struct {
	pix          []uint8
	w, h, stride int
}

// picture is decoded samples: one plane is grey, three are Y, Cb, Cr, four are
// red, green, blue (premultiplied) and alpha.
type picture []plane

const (
	grey = 1
	ycc  = 3
	rgba = 4
)

func newPlane(w, h int) plane { return plane{make([]uint8, w*h), w, h, w} }

// pictureOf takes over what a decoder returns, without a copy where it can.
func pictureOf(m image.Image) picture {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	switch m := m.(type) {
	case *image.YCbCr:
		cw, ch := chromaSize(m.SubsampleRatio, w, h)
		return picture{
			{m.Y[m.YOffset(b.Min.X, b.Min.Y):], w, h, m.YStride},
			{m.Cb[m.COffset(b.Min.X, b.Min.Y):], cw, ch, m.CStride},
			{m.Cr[m.COffset(b.Min.X, b.Min.Y):], cw, ch, m.CStride},
		}
	case *image.Gray:
		return picture{{m.Pix[m.PixOffset(b.Min.X, b.Min.Y):], w, h, m.Stride}}
	}
	if opaque(m) {
		p := picture{newPlane(w, h), newPlane(w, h), newPlane(w, h)}
		eachPixel(m, func(i int, r, g, bl, _ uint8) {
			p[0].pix[i], p[1].pix[i], p[2].pix[i] = color.RGBToYCbCr(r, g, bl)
		})
		return p
	}
	p := picture{newPlane(w, h), newPlane(w, h), newPlane(w, h), newPlane(w, h)}
	eachPixel(m, func(i int, r, g, bl, a uint8) {
		p[0].pix[i], p[1].pix[i], p[2].pix[i], p[3].pix[i] = r, g, bl, a
	})
	return p
}

// opaque reports whether no pixel lets anything through.
func opaque(m image.Image) bool {
	if o, ok := m.(interface{ Opaque() bool }); ok {
		return o.Opaque()
	}
	return false
}

// eachPixel calls f with each pixel, premultiplied.
func eachPixel(m image.Image, f func(i int, r, g, b, a uint8)) {
	bounds := m.Bounds()
	i := 0
	switch m := m.(type) {
	case *image.NRGBA:
		for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
			row := m.Pix[m.PixOffset(bounds.Min.X, y):]
			for x := range bounds.Dx() {
				p := row[4*x : 4*x+4 : 4*x+4]
				a := uint32(p[3])
				f(i, mul(p[0], a), mul(p[1], a), mul(p[2], a), p[3])
				i++
			}
		}
	case *image.RGBA:
		for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
			row := m.Pix[m.PixOffset(bounds.Min.X, y):]
			for x := range bounds.Dx() {
				p := row[4*x : 4*x+4 : 4*x+4]
				f(i, p[0], p[1], p[2], p[3])
				i++
			}
		}
	case *image.Paletted:
		var palette [256][4]uint8
		for k, c := range m.Palette {
			r, g, b, a := c.RGBA()
			palette[k] = [4]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), uint8(a >> 8)} //nolint:gosec // 16 bits to 8
		}
		for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
			for _, k := range m.Pix[m.PixOffset(bounds.Min.X, y):][:bounds.Dx()] {
				c := &palette[k]
				f(i, c[0], c[1], c[2], c[3])
				i++
			}
		}
	default:
		for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
			for x := bounds.Min.X; x < bounds.Max.X; x++ {
				r, g, b, a := m.At(x, y).RGBA()
				f(i, uint8(r>>8), uint8(g>>8), uint8(b>>8), uint8(a>>8)) //nolint:gosec // 16 bits to 8
				i++
			}
		}
	}
}

func mul(v uint8, a uint32) uint8 { return uint8((uint32(v)*a + 127) / 255) } //nolint:gosec // at most 255

func chromaSize(r image.YCbCrSubsampleRatio, w, h int) (int, int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return (w + 1) / 2, h
	case image.YCbCrSubsampleRatio420:
		return (w + 1) / 2, (h + 1) / 2
	case image.YCbCrSubsampleRatio440:
		return w, (h + 1) / 2
	case image.YCbCrSubsampleRatio411:
		return (w + 3) / 4, h
	case image.YCbCrSubsampleRatio410:
		return (w + 3) / 4, (h + 1) / 2
	}
	return w, h
}

func (p picture) size() (w, h int) { return p[0].w, p[0].h }

// resize returns the picture with w×h pixels; chroma gets half of each side,
// as the JPEGs we write have it.
func (p picture) resize(w, h int) picture {
	out := make(picture, len(p))
	for i, s := range p {
		dw, dh := w, h
		if len(p) == ycc && i > 0 {
			dw, dh = (w+1)/2, (h+1)/2
		}
		switch f := min(s.w/dw, s.h/dh) / 2; {
		case s.w == 2*dw && s.h == 2*dh:
			// Phones' 4032 to 2016 by the 2 % rule. The mean of four is as good
			// as the kernel here, and four times as fast.
			s = s.shrink(2)
		case f > 1:
			s = s.shrink(f) // what is left of the way is the kernel's
		}
		out[i] = s.resize(dw, dh)
	}
	return out
}

// image returns the picture, turned upright, for an encoder.
func (p picture) image(orientation int) image.Image {
	t := make(picture, len(p))
	for i := range p {
		t[i] = p[i].orient(orientation)
	}
	w, h := t.size()
	r := image.Rect(0, 0, w, h)
	switch len(t) {
	case grey:
		return &image.Gray{Pix: t[0].pix, Stride: t[0].stride, Rect: r}
	case ycc:
		return &image.YCbCr{
			Y: t[0].pix, Cb: t[1].pix, Cr: t[2].pix, YStride: t[0].stride, CStride: t[1].stride,
			SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: r,
		}
	}
	m := image.NewRGBA(r)
	for y := range h {
		row := m.Pix[y*m.Stride:]
		for x := range w {
			a := t[3].pix[y*t[3].stride+x]
			for k := range 3 {
				row[4*x+k] = min(t[k].pix[y*t[k].stride+x], a) // overshoot of the kernel
			}
			row[4*x+3] = a
		}
	}
	return m
}
