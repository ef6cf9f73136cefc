package photo

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
)

// WebP returns a lossless still WebP of the scene, with the metadata asked for
// in ICCP, EXIF and XMP chunks.
func WebP(o Options) []byte { return webpOf(o, scenery(o, false)) }

// WebPAlpha is [WebP] with a clear disc in the middle.
func WebPAlpha(o Options) []byte { return webpOf(o, scenery(o, true)) }

func webpOf(o Options, m *image.NRGBA) []byte {
	body := vp8l(m)
	var flags byte
	var before, after []byte
	if o.ICC {
		flags |= 0x20
		before = riffChunk("ICCP", Profile())
	}
	if o.Orientation != 0 || o.GPS {
		flags |= 0x08
		after = append(after, riffChunk("EXIF", EXIF(o.Orientation, o.GPS))...)
	}
	if o.XMP {
		flags |= 0x04
		after = append(after, riffChunk("XMP ", xmp())...)
	}
	if flags == 0 {
		return riff(riffChunk("VP8L", body))
	}
	if !m.Opaque() {
		flags |= 0x10
	}
	return riff(vp8x(flags, m.Rect.Dx(), m.Rect.Dy()), before, riffChunk("VP8L", body), after)
}

// WebPAnimation returns an animated WebP: the scene, then blank frames of one
// pixel.
func WebPAnimation(o Options, frames int) []byte {
	m := scenery(o, false)
	w, h := m.Rect.Dx(), m.Rect.Dy()
	parts := [][]byte{vp8x(0x02|0x10, w, h), riffChunk("ANIM", make([]byte, 6)), anmf(m)}
	dot := anmf(image.NewNRGBA(image.Rect(0, 0, 1, 1)))
	for range frames - 1 {
		parts = append(parts, dot)
	}
	return riff(parts...)
}

func anmf(m *image.NRGBA) []byte {
	w, h := m.Rect.Dx()-1, m.Rect.Dy()-1
	b := []byte{0, 0, 0, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16), 100, 0, 0, 0}
	return riffChunk("ANMF", append(b, riffChunk("VP8L", vp8l(m))...))
}

func vp8x(flags byte, w, h int) []byte {
	w, h = w-1, h-1
	return riffChunk("VP8X", []byte{flags, 0, 0, 0, byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)})
}

func riff(parts ...[]byte) []byte {
	b := append([]byte("RIFF\x00\x00\x00\x00WEBP"), bytes.Join(parts, nil)...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func riffChunk(name string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body)))
	b = append(b, body...)
	return append(b, make([]byte, len(body)&1)...)
}

// vp8l codes a picture as lossless WebP (RFC 9649 section 3) in the plainest
// way: no transforms, and prefix codes of eight bits for every byte.
func vp8l(m *image.NRGBA) []byte {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	b := bits{out: make([]byte, 0, 64+4*w*h)}
	b.put(0x2F, 8)
	b.put(uint32(w-1), 14)
	b.put(uint32(h-1), 14)
	opaque := uint32(1)
	if m.Opaque() {
		opaque = 0
	}
	b.put(opaque, 1)
	b.put(0, 3) // version
	b.put(0, 1) // no transform
	b.put(0, 1) // no colour cache
	b.put(0, 1) // one group of prefix codes
	for _, symbols := range []int{256 + 24, 256, 256, 256, 40} {
		b.lengths(symbols)
	}
	// Codes are read most significant bit first, so their bits are reversed.
	for i := 0; i < len(m.Pix); i += 4 {
		for _, c := range []int{1, 0, 2, 3} { // green, red, blue, alpha
			b.put(uint32(reverse(m.Pix[i+c])), 8)
		}
	}
	b.put(0, 7)
	return b.out
}

type bits struct {
	out  []byte
	acc  uint64
	held int
}

func (b *bits) put(v uint32, n int) {
	b.acc |= uint64(v) << b.held
	for b.held += n; b.held >= 8; b.held -= 8 {
		b.out = append(b.out, byte(b.acc))
		b.acc >>= 8
	}
}

// lengths writes the code lengths of one alphabet: eight bits for each of the
// first 256 symbols and none for the others. The distance code of 40 symbols
// has a single symbol, which takes no bits.
func (b *bits) lengths(symbols int) {
	if symbols == 40 {
		b.put(1, 1) // simple code
		b.put(0, 1) // of one symbol
		b.put(0, 1) // in one bit
		b.put(0, 1) // symbol 0
		return
	}
	b.put(0, 1) // normal code
	// Lengths of the code length code, in the order 17 18 0 1 2 3 4 5 16 6 7
	// 8: one bit each for 0 and 8.
	b.put(12-4, 4)
	for _, n := range []uint32{0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1} {
		b.put(n, 3)
	}
	b.put(0, 1) // as many lengths as symbols
	for i := range symbols {
		if i < 256 {
			b.put(1, 1) // 8
		} else {
			b.put(0, 1) // 0
		}
	}
}

func reverse(v uint8) (r uint8) {
	for range 8 {
		r = r<<1 | v&1
		v >>= 1
	}
	return r
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	z.Write(b) //nolint:errcheck // bytes.Buffer never fails
	z.Close()  //nolint:errcheck // bytes.Buffer never fails
	return out.Bytes()
}
