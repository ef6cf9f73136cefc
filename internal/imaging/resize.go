package imaging

import "math"

// Fixed-point separable resampling with the Catmull-Rom kernel (the cubic of
// Mitchell and Netravali with B = 0, C = ½), after a box average that leaves
// at least a factor of two to the good filter.

const fixBits = 14

func catmullRom(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return 1.5*x*x*x - 2.5*x*x + 1
	case x < 2:
		return -0.5*x*x*x + 2.5*x*x - 4*x + 2
	}
	return 0
}

// taps are the weights of every output sample; n for each, which begin at start.
type taps struct {
	start []int32
	coef  []int32
	n     int
}

func makeTaps(src, dst int) taps {
	scale := float64(src) / float64(dst)
	stretch := math.Max(scale, 1)
	support := 2 * stretch
	n := min(int(math.Ceil(support))*2+1, src)
	t := taps{start: make([]int32, dst), n: n, coef: make([]int32, dst*n)}
	w := make([]float64, n)
	for i := range dst {
		center := (float64(i) + 0.5) * scale
		s := max(0, min(int(math.Floor(center-support)), src-n))
		sum := 0.0
		for j := range w {
			w[j] = catmullRom((float64(s+j) + 0.5 - center) / stretch)
			sum += w[j]
		}
		t.start[i] = int32(s) //nolint:gosec // a side of a picture
		left, best := int32(1<<fixBits), 0
		for j := range w {
			q := int32(math.Round(w[j] / sum * (1 << fixBits)))
			t.coef[i*n+j] = q
			left -= q
			if w[j] > w[best] {
				best = j
			}
		}
		t.coef[i*n+best] += left // the weights sum to one exactly
	}
	return t
}

func clamp8(v int32) uint8 {
	if uint32(v) > 255 { //nolint:gosec // negative becomes large on purpose
		v = ^(v >> 31) & 255
	}
	return uint8(v)
}

// resize returns s with w×h samples. Columns are summed first, whole rows at a
// time, so that the inner loop is straight; the rows that are left are few.
func (s plane) resize(w, h int) plane {
	if s.w == w && s.h == h {
		return s
	}
	tv, th := makeTaps(s.h, h), makeTaps(s.w, w)
	d := plane{pix: make([]uint8, w*h), w: w, h: h, stride: w}
	acc, row := make([]int32, s.w), make([]uint8, s.w)
	for y := range h {
		for i := range acc {
			acc[i] = 1 << (fixBits - 1)
		}
		y0, cs := int(tv.start[y]), tv.coef[y*tv.n:(y+1)*tv.n]
		j := 0
		for ; j+1 < len(cs); j += 2 {
			addRows(acc, s.row(y0+j), s.row(y0+j+1), cs[j], cs[j+1])
		}
		if j < len(cs) {
			for i, v := range s.row(y0 + j) {
				acc[i] += cs[j] * int32(v)
			}
		}
		for i, v := range acc {
			row[i] = clamp8(v >> fixBits)
		}
		out := d.row(y)
		for x := range out {
			cs := th.coef[x*th.n:][:th.n]
			px := row[th.start[x]:][:len(cs)]
			a := int32(1 << (fixBits - 1))
			for j, c := range cs {
				a += c * int32(px[j])
			}
			out[x] = clamp8(a >> fixBits)
		}
	}
	return d
}

func (s plane) row(y int) []uint8 { return s.pix[y*s.stride:][:s.w] }

func addRows(acc []int32, a, b []uint8, ca, cb int32) {
	if ca == 0 && cb == 0 {
		return
	}
	a, b = a[:len(acc)], b[:len(acc)]
	for i := range acc {
		acc[i] += ca*int32(a[i]) + cb*int32(b[i])
	}
}

// shrink averages blocks of f×f samples.
func (s plane) shrink(f int) plane {
	w, h := s.w/f, s.h/f
	if f <= 1 || w < 1 || h < 1 {
		return s
	}
	d := plane{pix: make([]uint8, w*h), w: w, h: h, stride: w}
	if f == 2 {
		for y := range h {
			a, b, o := s.row(2 * y)[:2*w], s.row(2*y + 1)[:2*w], d.row(y)
			for x := range o {
				o[x] = uint8((uint32(a[2*x]) + uint32(a[2*x+1]) + uint32(b[2*x]) + uint32(b[2*x+1]) + 2) >> 2) //nolint:gosec // a mean of bytes
			}
		}
		return d
	}
	acc := make([]uint32, w)
	area := uint32(f * f) //nolint:gosec // small
	for y := range h {
		clear(acc)
		for k := range f {
			r := s.row(y*f + k)
			for x := range acc {
				var t uint32
				for _, v := range r[x*f:][:f] {
					t += uint32(v)
				}
				acc[x] += t
			}
		}
		o := d.row(y)
		for x, v := range acc {
			o[x] = uint8((v + area/2) / area) //nolint:gosec // a mean of bytes
		}
	}
	return d
}

// orient returns s turned as EXIF's orientation says (CIPA DC-008, 0x0112).
func (s plane) orient(o int) plane {
	if o <= 1 || o > 8 {
		return s
	}
	w, h := s.w, s.h
	if o >= 5 {
		w, h = h, w
	}
	d := plane{pix: make([]uint8, w*h), w: w, h: h, stride: w}
	for y := range h {
		x0, y0 := source(o, 0, y, s.w, s.h)
		x1, y1 := source(o, 1, y, s.w, s.h)
		at, step := y0*s.stride+x0, (y1-y0)*s.stride+x1-x0
		row := d.row(y)
		for x := range row {
			row[x] = s.pix[at]
			at += step
		}
	}
	return d
}

// source says which coded sample stands at x, y once the picture is upright.
func source(o, x, y, w, h int) (int, int) {
	switch o {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return y, h - 1 - x
	case 7:
		return w - 1 - y, h - 1 - x
	case 8:
		return w - 1 - y, x
	}
	return x, y
}
