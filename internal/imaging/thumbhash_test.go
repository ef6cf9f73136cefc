package imaging

import (
	"bytes"
	"image"
	"math"
	"math/rand/v2"
	"testing"
)

// plainThumbHash follows the description step by step, one coefficient at a
// time, on pixels that are not premultiplied.
func plainThumbHash(w, h int, px []float64) []byte {
	var avg [4]float64
	for i := 0; i < w*h; i++ {
		a := px[4*i+3]
		for k := range 3 {
			avg[k] += a * px[4*i+k]
		}
		avg[3] += a
	}
	for k := range 3 {
		if avg[3] > 0 {
			avg[k] /= avg[3]
		}
	}
	hasAlpha := avg[3] < float64(w*h)
	channel := func(k, i int) float64 {
		a := px[4*i+3]
		r, g, b := avg[0]*(1-a)+a*px[4*i], avg[1]*(1-a)+a*px[4*i+1], avg[2]*(1-a)+a*px[4*i+2]
		return [4]float64{(r + g + b) / 3, (r+g)/2 - b, r - g, a}[k]
	}
	encode := func(k, nx, ny int) (float64, []float64, float64) {
		dc, scale := 0.0, 0.0
		var ac []float64
		for cy := 0; cy < ny; cy++ {
			for cx := 0; cx*ny < nx*(ny-cy); cx++ {
				f := 0.0
				for y := range h {
					for x := range w {
						f += channel(k, x+y*w) * math.Cos(math.Pi/float64(w)*float64(cx)*(float64(x)+0.5)) * math.Cos(math.Pi/float64(h)*float64(cy)*(float64(y)+0.5))
					}
				}
				f /= float64(w * h)
				if cx > 0 || cy > 0 {
					ac = append(ac, f)
					scale = max(scale, math.Abs(f))
				} else {
					dc = f
				}
			}
		}
		for i := range ac {
			if scale > 0 {
				ac[i] = 0.5 + 0.5/scale*ac[i]
			}
		}
		return dc, ac, scale
	}
	limit := 7.0
	if hasAlpha {
		limit = 5
	}
	m := float64(max(w, h))
	lx, ly := max(1, int(math.Round(limit*float64(w)/m))), max(1, int(math.Round(limit*float64(h)/m)))
	ldc, lac, ls := encode(0, max(3, lx), max(3, ly))
	pdc, pac, ps := encode(1, 3, 3)
	qdc, qac, qs := encode(2, 3, 3)
	r := func(v float64) int { return int(math.Floor(v + 0.5)) }
	bit := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	landscape := w > h
	h24 := r(63*ldc) | r(31.5+31.5*pdc)<<6 | r(31.5+31.5*qdc)<<12 | r(31*ls)<<18 | bit(hasAlpha)<<23
	small := lx
	if landscape {
		small = ly
	}
	h16 := small | r(63*ps)<<3 | r(63*qs)<<9 | bit(landscape)<<15
	out := []byte{byte(h24), byte(h24 >> 8), byte(h24 >> 16), byte(h16), byte(h16 >> 8)}
	ac := append(append(append([]float64{}, lac...), pac...), qac...)
	if hasAlpha {
		adc, aac, as := encode(3, 5, 5)
		out = append(out, byte(r(15*adc)|r(15*as)<<4))
		ac = append(ac, aac...)
	}
	for i := 0; i < len(ac); i += 2 {
		v := r(15 * ac[i])
		if i+1 < len(ac) {
			v |= r(15*ac[i+1]) << 4
		}
		out = append(out, byte(v))
	}
	return out
}

func TestThumbHash(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		w, h  int
		alpha bool
	}{{32, 24, false}, {24, 32, false}, {20, 20, true}, {40, 5, false}, {1, 1, false}, {7, 13, true}} {
		m := image.NewRGBA(image.Rect(0, 0, c.w, c.h))
		px := make([]float64, 0, 4*c.w*c.h)
		for i := range c.w * c.h {
			a := 255
			if c.alpha && random.IntN(3) == 0 {
				a = 0
			}
			for k := range 3 {
				v := (i*(k+3) + random.IntN(60)) % 256 * a / 255
				m.Pix[4*i+k] = uint8(v)
				px = append(px, float64(v)/255)
			}
			m.Pix[4*i+3] = uint8(a)
			px = append(px, float64(a)/255)
		}
		if got, want := thumbHash(m), plainThumbHash(c.w, c.h, px); !bytes.Equal(got, want) {
			t.Errorf("%d×%d, alpha %v: %x, want %x", c.w, c.h, c.alpha, got, want)
		}
	}
}

func TestDominant(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 10, 10))
	for i := range 100 {
		copy(m.Pix[4*i:], []uint8{200, 16, 32, 255})
		if i < 30 {
			copy(m.Pix[4*i:], []uint8{0, 250, 0, 255})
		}
	}
	if got := dominant(m); got != "#c81020" {
		t.Errorf("got %s", got)
	}
	if got := dominant(image.NewRGBA(image.Rect(0, 0, 2, 2))); got != "#000000" {
		t.Errorf("see-through: %s", got)
	}
}
