package photo

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/png"
)

// scenery paints the scene as RGBA. With alpha, a disc in the middle is clear
// and its rim half so.
func scenery(o Options, alpha bool) *image.NRGBA {
	o = o.withDefaults()
	y := paint(o)
	m := image.NewNRGBA(y.Rect)
	r := min(o.Width, o.Height) / 5
	for py := range o.Height {
		for px := range o.Width {
			c := y.YCbCrAt(px, py)
			R, G, B := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			a := uint8(255)
			if dx, dy := px-o.Width/2, py-o.Height/2; alpha {
				switch d := dx*dx + dy*dy; {
				case d < r*r/2:
					a = 0
				case d < r*r:
					a = 128
				}
			}
			m.SetNRGBA(px, py, color.NRGBA{R, G, B, a})
		}
	}
	return m
}

// PNG returns an opaque PNG with the metadata asked for: EXIF in an eXIf
// chunk, the profile in iCCP, the rest in tEXt.
func PNG(o Options) []byte { return pngOf(o, scenery(o, false)) }

// PNGAlpha is [PNG] with a clear disc in the middle.
func PNGAlpha(o Options) []byte { return pngOf(o, scenery(o, true)) }

func pngOf(o Options, m image.Image) []byte {
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m); err != nil {
		panic("photo: " + err.Error())
	}
	var extra []byte
	if o.ICC {
		extra = append(extra, PNGChunk("iCCP", append([]byte("camera\x00\x00"), deflated(Profile())...))...)
	}
	if o.Orientation != 0 || o.GPS {
		extra = append(extra, PNGChunk("eXIf", EXIF(o.Orientation, o.GPS))...)
	}
	if o.XMP {
		extra = append(extra, PNGChunk("iTXt", append([]byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"), xmp()...))...)
	}
	if o.Comment != "" {
		extra = append(extra, PNGChunk("tEXt", append([]byte("Comment\x00"), o.Comment...))...)
	}
	const afterIHDR = 8 + 25
	out := append([]byte(nil), b.Bytes()[:afterIHDR]...)
	out = append(out, extra...)
	return append(out, b.Bytes()[afterIHDR:]...)
}

// PNGChunk returns one chunk with its length and CRC.
func PNGChunk(name string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(b, name...)
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// PNGHeader returns a PNG of less than 100 bytes that claims a size and holds
// next to nothing: a bomb for decoders that believe headers.
func PNGHeader(width, height int) []byte {
	h := binary.BigEndian.AppendUint32(nil, uint32(width))
	h = binary.BigEndian.AppendUint32(h, uint32(height))
	b := append([]byte("\x89PNG\r\n\x1a\n"), PNGChunk("IHDR", append(h, 8, 2, 0, 0, 0))...)
	b = append(b, PNGChunk("IDAT", deflated(make([]byte, 16)))...)
	return append(b, PNGChunk("IEND", nil)...)
}

// GIF returns a GIF of the scene in 216 colours with the given number of
// frames; the second and later ones are blank. One frame makes a still.
func GIF(o Options, frames int) []byte {
	o = o.withDefaults()
	src := scenery(o, false)
	palette := make(color.Palette, 0, 216)
	for i := range 216 {
		palette = append(palette, color.RGBA{uint8(i / 36 * 51), uint8(i / 6 % 6 * 51), uint8(i % 6 * 51), 255})
	}
	first := image.NewPaletted(src.Rect, palette)
	for y := range o.Height {
		for x := range o.Width {
			c := src.NRGBAAt(x, y)
			first.Pix[y*first.Stride+x] = (c.R+25)/51*36 + (c.G+25)/51*6 + (c.B+25)/51
		}
	}
	g := &gif.GIF{Image: []*image.Paletted{first}, Delay: []int{10}}
	for range frames - 1 {
		g.Image = append(g.Image, image.NewPaletted(src.Rect, palette))
		g.Delay = append(g.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		panic("photo: " + err.Error())
	}
	out := b.Bytes()
	if o.Comment != "" && len(o.Comment) < 256 {
		ext := append([]byte{0x21, 0xFE, byte(len(o.Comment))}, o.Comment...)
		end := len(out) - 1 // before the trailer
		out = append(append(append([]byte(nil), out[:end]...), append(ext, 0)...), out[end:]...)
	}
	return out
}
