package imaging

import (
	"fmt"
	"image"
	"math"
)

// thumbHash describes at most 100×100 premultiplied pixels in about 25 bytes,
// as Evan Wallace's ThumbHash does (github.com/evanw/thumbhash).
func thumbHash(m *image.RGBA) []byte {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	n := w * h
	var sum [4]float64
	for i := range n {
		p := m.Pix[4*i : 4*i+4]
		for k := range 4 {
			sum[k] += float64(p[k]) / 255
		}
	}
	var mean [3]float64
	if sum[3] > 0 {
		for k := range mean {
			mean[k] = sum[k] / sum[3]
		}
	}
	alpha := sum[3] < float64(n)-1e-9
	limit := 7.0
	if alpha {
		limit = 5
	}
	side := float64(max(w, h))
	lx := max(1, int(math.Round(limit*float64(w)/side)))
	ly := max(1, int(math.Round(limit*float64(h)/side)))
	l, p, q, a := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		px := m.Pix[4*i : 4*i+4]
		t := float64(px[3]) / 255
		r := mean[0]*(1-t) + float64(px[0])/255
		g := mean[1]*(1-t) + float64(px[1])/255
		b := mean[2]*(1-t) + float64(px[2])/255
		l[i], p[i], q[i], a[i] = (r+g+b)/3, (r+g)/2-b, r-g, t
	}
	ldc, lac, ls := cosines(l, w, h, max(3, lx), max(3, ly))
	pdc, pac, ps := cosines(p, w, h, 3, 3)
	qdc, qac, qs := cosines(q, w, h, 3, 3)
	round := func(v float64) int { return int(math.Floor(v + 0.5)) }
	h24 := round(63*ldc) | round(31.5+31.5*pdc)<<6 | round(31.5+31.5*qdc)<<12 | round(31*ls)<<18
	h16 := round(63*ps)<<3 | round(63*qs)<<9
	if alpha {
		h24 |= 1 << 23
	}
	if w > h {
		h16 |= ly | 1<<15
	} else {
		h16 |= lx
	}
	out := []byte{byte(h24), byte(h24 >> 8), byte(h24 >> 16), byte(h16), byte(h16 >> 8)} //nolint:gosec // packed bits
	all := [][]float64{lac, pac, qac}
	if alpha {
		adc, aac, as := cosines(a, w, h, 5, 5)
		out = append(out, byte(round(15*adc)|round(15*as)<<4)) //nolint:gosec // two nibbles
		all = append(all, aac)
	}
	i := 0
	for _, ac := range all {
		for _, f := range ac {
			if i&1 == 0 {
				out = append(out, 0)
			}
			out[len(out)-1] |= byte(round(15*f) << (i & 1 * 4)) //nolint:gosec // a nibble
			i++
		}
	}
	return out
}

// cosines returns the first terms of a channel's cosine transform: the mean,
// the others scaled to 0…1, and their scale.
func cosines(c []float64, w, h, nx, ny int) (dc float64, ac []float64, scale float64) {
	fx := make([]float64, w)
	for cy := range ny {
		for cx := 0; cx*ny < nx*(ny-cy); cx++ {
			for x := range fx {
				fx[x] = math.Cos(math.Pi / float64(w) * float64(cx) * (float64(x) + 0.5))
			}
			f := 0.0
			for y := range h {
				fy := math.Cos(math.Pi / float64(h) * float64(cy) * (float64(y) + 0.5))
				s := 0.0
				for x, v := range c[y*w:][:w] {
					s += v * fx[x]
				}
				f += s * fy
			}
			f /= float64(w * h)
			if cx == 0 && cy == 0 {
				dc = f
				continue
			}
			ac = append(ac, f)
			scale = math.Max(scale, math.Abs(f))
		}
	}
	if scale > 0 {
		for i := range ac {
			ac[i] = 0.5 + 0.5/scale*ac[i]
		}
	}
	return dc, ac, scale
}

// dominant is the mean of the fullest of 4096 colour cells, as "#rrggbb".
func dominant(m *image.RGBA) string {
	var count [4096]int
	var sum [4096][3]int
	best := 0
	for i := 0; i+3 < len(m.Pix); i += 4 {
		p := m.Pix[i : i+4]
		if p[3] < 128 {
			continue
		}
		k := int(p[0]>>4)<<8 | int(p[1]>>4)<<4 | int(p[2]>>4)
		count[k]++
		for c := range 3 {
			sum[k][c] += int(p[c])
		}
		if count[k] > count[best] {
			best = k
		}
	}
	n := max(1, count[best])
	return fmt.Sprintf("#%02x%02x%02x", sum[best][0]/n, sum[best][1]/n, sum[best][2]/n)
}
