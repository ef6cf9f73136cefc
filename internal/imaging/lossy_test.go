package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"os"
	"testing"
)

// The files are a browser's: 64×32, the left half black, the right half white;
// of lossy-alpha the upper quarter is clear.
func lossy(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte("VP8 ")) {
		t.Fatalf("%s is not lossy", name)
	}
	return b
}

// x/image/webp hands out black as 16 and white as 235; ours are 0 and 255.
func TestLossyWebPHasFullContrast(t *testing.T) {
	for name, src := range map[string][]byte{
		"still":           lossy(t, "lossy.webp"),
		"alpha":           lossy(t, "lossy-alpha.webp"),
		"animation":       animated(t, lossy(t, "lossy.webp")),
		"animation alpha": animated(t, lossy(t, "lossy-alpha.webp")),
	} {
		t.Run(name, func(t *testing.T) {
			r := render(t, src)
			if r.Image.Type != "image/webp" || r.Image.Width != 64 || r.Image.Height != 32 {
				t.Fatalf("%+v", r.Image)
			}
			m := open(t, r.Files["large"])
			at := func(x, y int) color.NRGBA { return color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA) }
			if black, white := at(8, 24), at(56, 24); black.R > 6 || black.G > 6 || white.R < 249 || white.G < 249 {
				t.Errorf("black is %v, white is %v", black, white)
			}
			clear := r.Image.Variants[0].Type == "image/png"
			if want := name == "alpha" || name == "animation alpha"; clear != want || (want && at(8, 2).A > 10) || (want && at(8, 24).A != 255) {
				t.Errorf("variants are %s, above %v, below %v", r.Image.Variants[0].Type, at(8, 2), at(8, 24))
			}
		})
	}
}

// animated makes an animation of one frame from a still WebP.
func animated(t *testing.T, still []byte) []byte {
	t.Helper()
	frame := []byte("\x00\x00\x00\x00\x00\x00\x3f\x00\x00\x1f\x00\x00\x64\x00\x00\x00")
	for i := 12; i+8 <= len(still); {
		n := int(binary.LittleEndian.Uint32(still[i+4:]))
		next := min(len(still), i+8+n+n&1)
		if name := string(still[i : i+4]); name == "ALPH" || name == "VP8 " {
			frame = append(frame, still[i:next]...)
		}
		i = next
	}
	out := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x12\x00\x00\x00\x3f\x00\x00\x1f\x00\x00ANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00ANMF")
	out = binary.LittleEndian.AppendUint32(out, uint32(len(frame)))
	out = append(out, frame...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func TestStretch(t *testing.T) {
	m := image.NewYCbCr(image.Rect(0, 0, 4, 1), image.YCbCrSubsampleRatio444)
	copy(m.Y, []uint8{0, 16, 126, 235})
	copy(m.Cb, []uint8{16, 128, 240, 255})
	copy(m.Cr, []uint8{16, 128, 240, 255})
	stretch(m)
	if want := []uint8{0, 0, 128, 255}; !bytes.Equal(m.Y, want) {
		t.Errorf("luma %v, want %v", m.Y, want)
	}
	if want := []uint8{0, 128, 255, 255}; !bytes.Equal(m.Cb, want) && !bytes.Equal(m.Cb, []uint8{1, 128, 255, 255}) {
		t.Errorf("chroma %v, want %v", m.Cb, want)
	}
}
