package imaging

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"

	"postern.example/postern"
)

// decode opens the picture that o outlines. It is the door for further
// engines: whatever returns a picture may stand here. A decoder that panics
// has met a file it cannot take; the process lives.
func decode(ctx context.Context, src []byte, o *outline) (p picture, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = nil, errCorrupt.Because(fmt.Errorf("decoder panic: %v", v))
		}
	}()
	var m image.Image
	switch o.Type {
	case "image/jpeg":
		m, err = jpeg.Decode(reading(ctx, src))
	case "image/png":
		m, err = png.Decode(reading(ctx, src))
	case "image/gif":
		m, err = gif.Decode(reading(ctx, src)) // the first frame alone
	case "image/webp":
		m, err = decodeWebP(ctx, src)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, errTruncated.Because(err)
	case err != nil:
		var unsupported jpeg.UnsupportedError
		if errors.As(err, &unsupported) {
			return nil, postern.ErrUnsupported.With("This kind of JPEG is not supported. Save it as a usual one.").Because(err)
		}
		return nil, errCorrupt.Because(err)
	}
	if _, cmyk := m.(*image.CMYK); cmyk {
		return nil, errCMYK
	}
	// A frame may be smaller than its canvas, never larger than what was allowed.
	if b := m.Bounds(); b.Dx() < 1 || b.Dy() < 1 || b.Dx() > o.Width || b.Dy() > o.Height {
		return nil, errCorrupt
	}
	if o.Type == "image/gif" || o.Frames > 1 {
		m = onCanvas(m, o)
	}
	return pictureOf(m), nil
}

// onCanvas puts the first frame of an animation where it stands, clear around
// it, as browsers show it.
func onCanvas(m image.Image, o *outline) image.Image {
	canvas, at := image.Rect(0, 0, o.Width, o.Height), m.Bounds().Add(o.at)
	if at == canvas {
		return m
	}
	out := image.NewRGBA(canvas)
	draw.Draw(out, at, m, m.Bounds().Min, draw.Src)
	return out
}

// reading hands a decoder its bytes for as long as ctx lives.
func reading(ctx context.Context, b []byte) io.Reader {
	r := bytes.NewReader(b)
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

var errCMYK = postern.ErrUnsupported.With("This JPEG is made for print (CMYK). Save it with RGB colours.")

// decodeWebP opens a WebP, of an animation the first frame.
//
// x/image/webp hands out lossy pictures in studio range, black as 16 and white
// as 235 (golang/go#40173): they are stretched here.
func decodeWebP(ctx context.Context, src []byte) (image.Image, error) {
	still, err := firstFrame(src)
	if err != nil {
		return nil, err
	}
	m, err := webp.Decode(reading(ctx, still))
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *image.YCbCr:
		stretch(m)
		return m, nil
	case *image.NYCbCrA:
		stretch(&m.YCbCr)
		return withAlpha(m), nil
	}
	return m, nil
}

func stretch(m *image.YCbCr) {
	var luma, chroma [256]uint8
	for v := range 256 {
		luma[v] = clamp8(int32((v-16)*255+109) / 219)
		chroma[v] = clamp8(int32((v-128)*255+28672+112) / 224)
	}
	for i, v := range m.Y {
		m.Y[i] = luma[v]
	}
	for i, v := range m.Cb {
		m.Cb[i] = chroma[v]
	}
	for i, v := range m.Cr {
		m.Cr[i] = chroma[v]
	}
}

func withAlpha(m *image.NYCbCrA) image.Image {
	b := m.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := m.NYCbCrAAt(b.Min.X+x, b.Min.Y+y)
			r, g, bl := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			out.SetNRGBA(x, y, color.NRGBA{R: r, G: g, B: bl, A: c.A})
		}
	}
	return out
}

// firstFrame returns src, or of an animation a still WebP of its first frame.
func firstFrame(src []byte) ([]byte, error) {
	for i := 12; i+8 <= len(src); {
		n := int64(binary.LittleEndian.Uint32(src[i+4:]))
		if int64(i)+8+n > int64(len(src)) {
			return nil, io.ErrUnexpectedEOF
		}
		if string(src[i:i+4]) == "ANMF" {
			if n < 16 {
				return nil, errCorrupt
			}
			frame := src[i+8 : i+8+int(n)]
			return stillWebP(uint24(frame[6:]), uint24(frame[9:]), frame[16:]), nil
		}
		i += 8 + int(n+n&1)
	}
	return src, nil
}

func stillWebP(widthMinus1, heightMinus1 int, chunks []byte) []byte {
	out := []byte("RIFF\x00\x00\x00\x00WEBP")
	if bytes.HasPrefix(chunks, []byte("ALPH")) {
		out = append(out, "VP8X\x0a\x00\x00\x00\x10\x00\x00\x00"...)
		for _, v := range []int{widthMinus1, heightMinus1} {
			out = append(out, byte(v), byte(v>>8), byte(v>>16)) //nolint:gosec // 24 bits
		}
	}
	out = append(out, chunks...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8)) //nolint:gosec // a file below 5 GiB in one frame below 4
	return out
}
