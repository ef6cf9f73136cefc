// Package photo makes pictures for tests: photos with every kind of metadata a
// camera writes, in any of the eight EXIF orientations, and small files of the
// other formats. What it makes depends on its options alone.
//
// Every picture shows one scene, which [Upright] recognises: a red mark in the
// upper left corner, green in the upper right, blue in the lower left and
// yellow in the lower right, over hills of noise.
package photo

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
)

// Secret stands in every piece of metadata that the package plants. Nothing
// that is served may contain it.
const Secret = "postern-secret-7f3a"

// Options say which photo to make. The zero value is a plain photo of 640×480.
type Options struct {
	Width, Height int    // pixels as coded, before any EXIF turn; default 640×480
	Orientation   int    // EXIF, 1 to 8: the scene is upright once it is applied; 0: no such tag
	GPS           bool   // EXIF with a place, a camera's maker note and a thumbnail
	XMP           bool   // an XMP packet and an IPTC record
	ICC           bool   // the colour profile of [Profile]
	Comment       string // for a COM segment, if not empty
	Gray          bool   // one component, no colour
	Quality       int    // of the JPEG, 1 to 100; default 90
	Seed          int64  // another seed gives another noise
}

func (o Options) withDefaults() Options {
	if o.Width == 0 {
		o.Width = 640
	}
	if o.Height == 0 {
		o.Height = 480
	}
	if o.Quality == 0 {
		o.Quality = 90
	}
	return o
}

// JPEG returns a baseline 4:2:0 JPEG. A photo of 4032×3024 at quality 92 has
// about 3 MB, as one from a phone. It panics when a side is above 65535.
func JPEG(o Options) []byte {
	o = o.withDefaults()
	m := paint(o)
	var picture image.Image = m
	if o.Gray {
		picture = &image.Gray{Pix: m.Y, Stride: m.YStride, Rect: m.Rect}
	}
	var coded bytes.Buffer
	if err := jpeg.Encode(&coded, picture, &jpeg.Options{Quality: o.Quality}); err != nil {
		panic("photo: " + err.Error())
	}
	var b bytes.Buffer
	b.Write([]byte{0xFF, 0xD8})
	if o.Orientation != 0 || o.GPS {
		segment(&b, 0xE1, append([]byte("Exif\x00\x00"), EXIF(o.Orientation, o.GPS)...))
	}
	if o.XMP {
		segment(&b, 0xE1, append([]byte("http://ns.adobe.com/xap/1.0/\x00"), xmp()...))
		segment(&b, 0xED, iptc())
	}
	if o.ICC {
		segment(&b, 0xE2, append([]byte("ICC_PROFILE\x00\x01\x01"), Profile()...))
	}
	if o.Comment != "" {
		segment(&b, 0xFE, []byte(o.Comment))
	}
	b.Write(coded.Bytes()[2:])
	return b.Bytes()
}

func segment(b *bytes.Buffer, marker byte, body []byte) {
	n := len(body) + 2
	b.Write([]byte{0xFF, marker, byte(n >> 8), byte(n)})
	b.Write(body)
}

// paint draws the scene as coded, so that turning it by the EXIF orientation
// makes it upright. It paints planes: a 12 MP photo takes 18 MB, not 48.
func paint(o Options) *image.YCbCr {
	w, h := o.Width, o.Height
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	rng := rand.New(rand.NewPCG(uint64(o.Seed), 0x506f737465726e)) //nolint:gosec // noise for pictures, not a secret
	s := newScene(rng, w, h, o.Orientation)
	for y := range h {
		row := m.Y[y*m.YStride:][:w]
		for x := range row {
			u, v := s.upright(x, y)
			row[x] = s.luma(u, v, rng)
		}
	}
	for y := range (h + 1) / 2 {
		for x := range (w + 1) / 2 {
			u, v := s.upright(min(2*x, w-1), min(2*y, h-1))
			i := y*m.CStride + x
			m.Cb[i], m.Cr[i] = s.chroma(u, v)
		}
	}
	return m
}
