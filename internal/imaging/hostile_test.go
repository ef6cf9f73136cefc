package imaging

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"runtime"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
)

// withProfile returns a colour photo that carries p as its ICC profile.
func withProfile(p []byte) []byte {
	return profileJPEG(photo.JPEG(photo.Options{Width: 300, Height: 200}), p)
}

// Threat 9: the one thing of a source that is served carries no second file.
func TestThreat09_Profile(t *testing.T) {
	markup := "<script>x()</script>"
	for name, p := range map[string][]byte{
		"no profile at all":          append([]byte(markup+"PK\x03\x04"), make([]byte, 200)...),
		"markup in a proper profile": bytes.Replace(photo.Profile(), []byte("Postern test profile"), []byte(markup), 1),
		"an archive in a profile":    bytes.Replace(photo.Profile(), []byte("Post"), []byte("PK\x03\x04"), 1),
	} {
		for file, b := range render(t, withProfile(p)).Files {
			if bytes.Contains(b, []byte("<script")) || bytes.Contains(b, []byte("PK\x03\x04")) || bytes.Contains(b, []byte("ICC_PROFILE")) {
				t.Errorf("%s: %s carries it", name, file)
			}
		}
	}
	if b := render(t, withProfile(photo.Profile())).Files["thumb"]; !bytes.Contains(b, photo.Profile()) {
		t.Error("a good profile is gone")
	}
}

func TestProfileOfOtherColours(t *testing.T) {
	p := bytes.Clone(photo.Profile())
	copy(p[16:], "GRAY")
	if bytes.Contains(render(t, withProfile(p)).Files["thumb"], []byte("ICC_PROFILE")) {
		t.Error("a profile for grey is served with a colour picture")
	}
	grey := profileJPEG(photo.JPEG(photo.Options{Gray: true}), p)
	if !bytes.Contains(render(t, grey).Files["thumb"], p) {
		t.Error("a profile for grey is gone from a grey picture")
	}
}

// Threat 11: nobody makes room for what a header claims and its data cannot
// fill; blank pictures, which pack best, are opened.
func TestThreat11_HollowHeaders(t *testing.T) {
	claim := func(sof byte) []byte {
		b := photo.JPEG(photo.Options{Width: 64, Height: 48})
		i := bytes.Index(b, []byte{0xFF, 0xC0})
		b[i+1] = sof
		binary.BigEndian.PutUint16(b[i+5:], 7000)
		binary.BigEndian.PutUint16(b[i+7:], 7000)
		return b
	}
	for name, src := range map[string][]byte{"PNG": photo.PNGHeader(7000, 7000), "baseline": claim(0xC0), "progressive": claim(0xC2)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := engine.Render(context.Background(), src, preset())
		runtime.ReadMemStats(&after)
		if !errors.Is(err, postern.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 10e6 {
			t.Errorf("%s: %d bytes of file had %d bytes allocated", name, len(src), n)
		}
	}
	blank := image.NewGray(image.Rect(0, 0, 3000, 3000))
	var asPNG, asJPEG bytes.Buffer
	if err := errors.Join((&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&asPNG, blank), jpeg.Encode(&asJPEG, blank, &jpeg.Options{Quality: 1})); err != nil {
		t.Fatal(err)
	}
	render(t, asPNG.Bytes())
	render(t, asJPEG.Bytes())
}

// A colour component that no scan fills would be shown as green.
func TestMissingScan(t *testing.T) {
	b := photo.JPEG(photo.Options{Width: 64, Height: 48, Gray: true})
	i := bytes.Index(b, []byte{0xFF, 0xC0})
	after := i + 2 + int(binary.BigEndian.Uint16(b[i+2:]))
	src := append(bytes.Clone(b[:i]), 0xFF, 0xC0, 0, 17)
	src = append(src, b[i+4:i+9]...)
	src = append(src, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0)
	refused(t, "one scan of three", append(src, b[after:]...), postern.ErrCorrupt, "damaged")
}

// The first frame of an animation may be smaller than its canvas.
func TestFirstFrameOnItsCanvas(t *testing.T) {
	palette := color.Palette{color.RGBA{200, 0, 0, 255}, color.RGBA{0, 0, 200, 255}}
	g := &gif.GIF{
		Image:  []*image.Paletted{image.NewPaletted(image.Rect(40, 30, 60, 50), palette), image.NewPaletted(image.Rect(0, 0, 100, 80), palette)},
		Delay:  []int{1, 1},
		Config: image.Config{Width: 100, Height: 80, ColorModel: palette},
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	r := render(t, b.Bytes())
	m := open(t, r.Files["thumb"])
	if r.Image.Width != 100 || r.Image.Height != 80 || m.Bounds().Dx() != 100 || m.Bounds().Dy() != 80 {
		t.Fatalf("the canvas has 100×80, the picture %d×%d, the variant %v", r.Image.Width, r.Image.Height, m.Bounds())
	}
	if _, _, _, a := m.At(5, 5).RGBA(); a != 0 {
		t.Error("beside the frame it is not clear")
	}
	if red, _, _, a := m.At(50, 40).RGBA(); a != 0xFFFF || red>>8 != 200 {
		t.Error("the frame does not stand where it should")
	}
}

func TestSentenceJustAboveTheLimit(t *testing.T) {
	_, err := engine.Probe(photo.PNGHeader(7072, 7071), preset())
	var e *postern.Error
	if !errors.As(err, &e) || e.Code != postern.ErrTooManyPixels.Code || !strings.Contains(e.Detail, "has 50006112 pixels; up to 50000000 pixels") {
		t.Errorf("%v", err)
	}
}

// A cancelled render stops within the decoder, not behind it.
func TestCancelledWhileDecoding(t *testing.T) {
	o, err := check(photo.JPEG(photo.Options{Width: 2000, Height: 2000}), preset())
	if err != nil {
		t.Fatal(err)
	}
	ctx := &endsAfter{Context: context.Background(), calls: 3}
	if _, err := decode(ctx, photo.JPEG(photo.Options{Width: 2000, Height: 2000}), o); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if ctx.calls < -4 { // one read, and the look at why it failed
		t.Errorf("ctx was asked %d times after its end", -ctx.calls)
	}
}

// endsAfter is cancelled once it was asked a number of times.
type endsAfter struct {
	context.Context
	calls int
}

func (c *endsAfter) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *endsAfter) Err() error {
	if c.calls--; c.calls < 0 {
		return context.Canceled
	}
	return nil
}

// Threat 12: a decoder's panic is the file's fault, and no more than that.
func TestThreat12_DecoderPanic(t *testing.T) {
	if _, err := decode(panics{t.Context()}, photo.JPEG(photo.Options{Width: 8, Height: 8}), &outline{Probe: postern.Probe{Type: "image/jpeg", Width: 8, Height: 8}}); !errors.Is(err, postern.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// panics is a context that does when a decoder's reader asks it.
type panics struct{ context.Context }

func (panics) Err() error { panic("index out of range") }
