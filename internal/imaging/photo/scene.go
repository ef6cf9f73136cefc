package photo

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
)

// marks are the colours of the corners: upper left, upper right, lower left,
// lower right.
func marks() [4]color.RGBA {
	return [4]color.RGBA{{220, 30, 30, 255}, {30, 180, 40, 255}, {40, 40, 220, 255}, {230, 210, 30, 255}}
}

// scene is what all pictures show, in upright coordinates.
type scene struct {
	cw, ch      int // coded size
	w, h        int // upright size
	orientation int
	mark        int // side of the corner marks
	y, cb, cr   [4]uint8
	hills       [3]lattice
}

// lattice is one octave of value noise.
type lattice struct {
	cell, n int
	v       []int32 // n×n values in -amplitude…amplitude
}

func newScene(rng *rand.Rand, w, h, orientation int) *scene {
	s := &scene{cw: w, ch: h, w: w, h: h, orientation: orientation}
	if orientation >= 5 {
		s.w, s.h = h, w
	}
	s.mark = max(1, min(w, h)/4)
	for i, c := range marks() {
		s.y[i], s.cb[i], s.cr[i] = color.RGBToYCbCr(c.R, c.G, c.B)
	}
	for i, amplitude := range []int32{40, 18, 9} {
		l := lattice{cell: max(2, max(w, h)>>(2+2*i)), n: 1 << (3 + 2*i)}
		l.v = make([]int32, l.n*l.n)
		for j := range l.v {
			l.v[j] = rng.Int32N(2*amplitude+1) - amplitude
		}
		s.hills[i] = l
	}
	return s
}

// upright gives where a coded pixel stands once the EXIF orientation (CIPA
// DC-008, tag 0x0112) is applied.
func (s *scene) upright(x, y int) (int, int) {
	fx, fy := s.cw-1-x, s.ch-1-y
	switch s.orientation {
	case 2:
		return fx, y
	case 3:
		return fx, fy
	case 4:
		return x, fy
	case 5:
		return y, x
	case 6:
		return fy, x
	case 7:
		return fy, fx
	case 8:
		return y, fx
	}
	return x, y
}

// corner returns the mark that u,v lies in, or -1.
func (s *scene) corner(u, v int) int {
	left, right, top, bottom := u < s.mark, u >= s.w-s.mark, v < s.mark, v >= s.h-s.mark
	switch {
	case left && top:
		return 0
	case right && top:
		return 1
	case left && bottom:
		return 2
	case right && bottom:
		return 3
	}
	return -1
}

func (s *scene) luma(u, v int, rng *rand.Rand) uint8 {
	if c := s.corner(u, v); c >= 0 {
		return s.y[c]
	}
	t := int32(90+70*v/s.h) + int32(rng.Uint32()&15) - 8
	for i := range s.hills {
		t += s.hills[i].at(u, v)
	}
	return uint8(max(0, min(t, 255)))
}

func (s *scene) chroma(u, v int) (cb, cr uint8) {
	if c := s.corner(u, v); c >= 0 {
		return s.cb[c], s.cr[c]
	}
	a, b := s.hills[0].at(u, v), s.hills[0].at(v, u)
	return uint8(max(0, min(118+a/2, 255))), uint8(max(0, min(132+b/2, 255)))
}

// at interpolates the lattice bilinearly, in integers.
func (l *lattice) at(u, v int) int32 {
	x, y := u/l.cell, v/l.cell
	fx, fy := int32(u%l.cell*64/l.cell), int32(v%l.cell*64/l.cell)
	m := l.n - 1
	a, b := l.v[y&m*l.n+x&m], l.v[y&m*l.n+(x+1)&m]
	c, d := l.v[(y+1)&m*l.n+x&m], l.v[(y+1)&m*l.n+(x+1)&m]
	return ((a*(64-fx)+b*fx)*(64-fy) + (c*(64-fx)+d*fx)*fy) >> 12
}

// Upright says what is wrong with m as a picture of the scene: turned,
// mirrored, of wrong colours, or high where it should be wide.
func Upright(m image.Image, wide bool) error {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	if (w > h) != wide {
		return fmt.Errorf("check picture: it has %d×%d pixels, wide should be %t", w, h, wide)
	}
	in := min(w, h) / 8
	at := [4]image.Point{{in, in}, {w - 1 - in, in}, {in, h - 1 - in}, {w - 1 - in, h - 1 - in}}
	for i, want := range marks() {
		r, g, bl, _ := m.At(b.Min.X+at[i].X, b.Min.Y+at[i].Y).RGBA()
		if far(r>>8, want.R) || far(g>>8, want.G) || far(bl>>8, want.B) {
			return fmt.Errorf("check picture: corner %d is #%02x%02x%02x, should be near #%02x%02x%02x", i, r>>8, g>>8, bl>>8, want.R, want.G, want.B)
		}
	}
	return nil
}

func far(got uint32, want uint8) bool {
	d := int(got) - int(want)
	return d > 40 || d < -40
}
