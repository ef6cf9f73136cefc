package imaging

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
)

func preset() *postern.Preset {
	p := postern.DefaultPreset()
	return &p
}

func render(t testing.TB, src []byte) *postern.Rendering {
	t.Helper()
	r, err := engine.Render(context.Background(), src, preset())
	if err != nil {
		t.Fatalf("render: %v", err)
	}
	return r
}

func open(t testing.TB, b []byte) image.Image {
	t.Helper()
	m, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("decode variant: %v", err)
	}
	return m
}

// refused asserts that src is refused with the code, in words that say what.
func refused(t *testing.T, what string, src []byte, want *postern.Error, says string) {
	t.Helper()
	_, err := engine.Render(context.Background(), src, preset())
	var e *postern.Error
	if !errors.As(err, &e) || e.Code != want.Code {
		t.Errorf("%s: %v, want %s", what, err, want.Code)
		return
	}
	if e.Detail == "" || !strings.Contains(e.Detail, says) {
		t.Errorf("%s: it says %q, want …%s…", what, e.Detail, says)
	}
}

func TestEveryFormat(t *testing.T) {
	o := photo.Options{Width: 600, Height: 400}
	for name, c := range map[string]struct {
		src  []byte
		want string
		out  string
	}{
		"JPEG":            {photo.JPEG(o), "image/jpeg", "image/jpeg"},
		"grey JPEG":       {photo.JPEG(photo.Options{Width: 600, Height: 400, Gray: true}), "image/jpeg", "image/jpeg"},
		"PNG":             {photo.PNG(o), "image/png", "image/jpeg"},
		"PNG with alpha":  {photo.PNGAlpha(o), "image/png", "image/png"},
		"GIF":             {photo.GIF(o, 1), "image/gif", "image/jpeg"},
		"animated GIF":    {photo.GIF(o, 3), "image/gif", "image/jpeg"},
		"WebP":            {photo.WebP(o), "image/webp", "image/jpeg"},
		"WebP with alpha": {photo.WebPAlpha(o), "image/webp", "image/png"},
		"animated WebP":   {photo.WebPAnimation(o, 3), "image/webp", "image/jpeg"},
	} {
		t.Run(name, func(t *testing.T) {
			r := render(t, c.src)
			if r.Image.Type != c.want || r.Image.Width != 600 || r.Image.Height != 400 || len(r.Image.Variants) != 3 {
				t.Fatalf("%+v", r.Image)
			}
			for _, v := range r.Image.Variants {
				m := open(t, r.Files[v.Name])
				if v.Type != c.out || m.Bounds().Dx() != v.Width || m.Bounds().Dy() != v.Height || v.Size != int64(len(r.Files[v.Name])) {
					t.Errorf("%+v, decoded %v", v, m.Bounds())
				}
				if !strings.Contains(name, "grey") {
					if err := photo.Upright(m, true); err != nil {
						t.Errorf("%s: %v", v.Name, err)
					}
				}
			}
			if n := len(r.Image.Placeholder); n < 5 || n > 40 || len(r.Image.Color) != 7 {
				t.Errorf("placeholder of %d bytes, colour %q", n, r.Image.Color)
			}
		})
	}
}

func TestVariantsFitTheirBoxes(t *testing.T) {
	for _, c := range []struct {
		w, h int
		want [3]image.Point // thumb, medium, large
	}{
		{4032, 3024, [3]image.Point{{252, 189}, {1008, 756}, {2016, 1512}}}, // the 2 % rule
		{3024, 4032, [3]image.Point{{189, 252}, {756, 1008}, {1512, 2016}}},
		{3000, 2000, [3]image.Point{{256, 171}, {1024, 683}, {2048, 1365}}},
		{1500, 1000, [3]image.Point{{256, 171}, {1024, 683}, {1500, 1000}}},
		{100, 80, [3]image.Point{{100, 80}, {100, 80}, {100, 80}}}, // never enlarged
		{5000, 2, [3]image.Point{{256, 1}, {1024, 1}, {2048, 1}}},
		{1, 1, [3]image.Point{{1, 1}, {1, 1}, {1, 1}}},
	} {
		for i, box := range []int{256, 1024, 2048} {
			got := fit(c.w, c.h, box)
			if got != c.want[i] {
				t.Errorf("fit(%d, %d, %d) = %v, want %v", c.w, c.h, box, got, c.want[i])
			}
		}
	}
	r := render(t, photo.PNG(photo.Options{Width: 100, Height: 80}))
	if !bytes.Equal(r.Files["thumb"], r.Files["large"]) {
		t.Error("variants of one size must share their bytes")
	}
}

// Threat 35: upright, and nothing of what the camera wrote but the profile.
func TestThreat35_OrientationAndMetadata(t *testing.T) {
	for o := 1; o <= 8; o++ {
		src := photo.JPEG(photo.Options{Width: 480, Height: 360, Orientation: o, GPS: true, XMP: true, ICC: true, Comment: photo.Secret})
		r := render(t, src)
		wide := o <= 4
		if (r.Image.Width > r.Image.Height) != wide {
			t.Errorf("orientation %d: %d×%d", o, r.Image.Width, r.Image.Height)
		}
		for name, b := range r.Files {
			if err := photo.Upright(open(t, b), wide); err != nil {
				t.Errorf("orientation %d, %s: %v", o, name, err)
			}
			for _, s := range []string{"Exif", "http://ns.adobe.com", "Photoshop", photo.Secret} {
				if bytes.Contains(b, []byte(s)) {
					t.Errorf("orientation %d, %s: holds %q", o, name, s)
				}
			}
			if !bytes.Contains(b, photo.Profile()) {
				t.Errorf("orientation %d, %s: the profile is gone", o, name)
			}
		}
	}
	for name, src := range map[string][]byte{
		"PNG":  photo.PNG(photo.Options{Width: 300, Height: 200, Orientation: 6, GPS: true, ICC: true}),
		"WebP": photo.WebP(photo.Options{Width: 300, Height: 200, Orientation: 6, GPS: true, ICC: true}),
	} {
		r := render(t, src)
		if r.Image.Width != 200 {
			t.Errorf("%s: the orientation was not seen: %d×%d", name, r.Image.Width, r.Image.Height)
		}
		for v, b := range r.Files {
			if bytes.Contains(b, []byte(photo.Secret)) || !bytes.Contains(b, photo.Profile()) {
				t.Errorf("%s, %s: metadata kept or profile lost", name, v)
			}
		}
	}
	alpha := render(t, photo.PNGAlpha(photo.Options{Width: 300, Height: 200, ICC: true}))
	o, err := walk(alpha.Files["thumb"])
	if err != nil || !bytes.Equal(o.icc, photo.Profile()) {
		t.Errorf("PNG out: the profile is not there (%v)", err)
	}
}

// Threat 7: what is no picture is named.
func TestThreat07_WrongKinds(t *testing.T) {
	iso := func(brand string) []byte {
		return append([]byte("\x00\x00\x00\x18ftyp"+brand+"\x00\x00\x00\x00"), make([]byte, 40)...)
	}
	for _, c := range []struct {
		name, src, says string
	}{
		{"PDF", "%PDF-1.7\n", "PDF"},
		{"SVG", "<?xml version='1.0'?><svg xmlns='x'/>", "SVG"},
		{"HTML", "\xEF\xBB\xBF <!DOCTYPE html><p>", "HTML"},
		{"ZIP", "PK\x03\x04\x14\x00", "ZIP"},
		{"BMP", "BM" + strings.Repeat("\x00", 40), "BMP"},
		{"TIFF", "II*\x00\x08\x00\x00\x00", "TIFF"},
		{"program", "MZ\x90\x00", "program"},
		{"script", "alert(1)", "text"},
		{"HEIC", string(iso("heic")), "HEIC"},
		{"AVIF", string(iso("avif")), "AVIF"},
		{"MP4", string(iso("isom")), "video"},
		{"noise", "\x00\x01\x02\x03", "unknown"},
	} {
		refused(t, c.name, []byte(c.src), postern.ErrTypeNotAllowed, c.says)
	}
	refused(t, "nothing", nil, postern.ErrEmpty, "0 bytes")
	only := preset()
	only.Types = []string{"image/png"}
	if _, err := engine.Probe(photo.JPEG(photo.Options{Width: 10, Height: 10}), only); !errors.Is(err, postern.ErrTypeNotAllowed) {
		t.Errorf("a JPEG where only PNG is allowed: %v", err)
	}
}

// Threat 10: the head of one kind on the body of another opens nothing.
func TestThreat10_ParserConfusion(t *testing.T) {
	for name, src := range map[string]string{
		"GIF header, JS body": "GIF89a=1;alert(document.domain)//" + strings.Repeat(" ", 50),
		"JPEG header, HTML":   "\xFF\xD8\xFF<script>alert(1)</script>",
		"PNG header, PDF":     "\x89PNG\r\n\x1a\n%PDF-1.7 " + strings.Repeat(" ", 50),
	} {
		if _, err := engine.Render(context.Background(), []byte(src), preset()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	jpeg, png := photo.JPEG(photo.Options{Width: 60, Height: 40}), photo.PNG(photo.Options{Width: 60, Height: 40})
	for name, src := range map[string][]byte{"JPEG head, PNG body": append(bytes.Clone(jpeg[:4]), png...), "PNG head, JPEG body": append(bytes.Clone(png[:8]), jpeg...)} {
		if _, err := engine.Render(context.Background(), src, preset()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Threat 9: nothing beside the picture survives.
func TestThreat09_Polyglots(t *testing.T) {
	tail := "<script>alert(1)</script>PK\x03\x04"
	for name, src := range map[string][]byte{
		"JPEG": append(photo.JPEG(photo.Options{Width: 200, Height: 100, Comment: tail}), tail...),
		"PNG":  append(photo.PNG(photo.Options{Width: 200, Height: 100}), tail...),
		"GIF":  append(photo.GIF(photo.Options{Width: 200, Height: 100}, 1), tail...),
	} {
		for v, b := range render(t, src).Files {
			if bytes.Contains(b, []byte("<script")) || bytes.Contains(b, []byte("PK\x03\x04")) || !bytes.HasSuffix(b, []byte{0xFF, 0xD9}) {
				t.Errorf("%s, %s carries more than a picture", name, v)
			}
		}
	}
}

// Threat 11: bombs are refused from their headers, in words with the limit.
func TestThreat11_Bombs(t *testing.T) {
	refused(t, "65535² PNG", photo.PNGHeader(65535, 65535), postern.ErrSideTooLong, "16383")
	refused(t, "60 MP PNG", photo.PNGHeader(10000, 6000), postern.ErrTooManyPixels, "60 megapixels; up to 50 megapixels")
	claim := photo.JPEG(photo.Options{Width: 64, Height: 64})
	i := bytes.Index(claim, []byte{0xFF, 0xC0})
	binary.BigEndian.PutUint16(claim[i+5:], 65500)
	binary.BigEndian.PutUint16(claim[i+7:], 65500)
	refused(t, "65500² JPEG", claim, postern.ErrSideTooLong, "65500")
	refused(t, "1000-frame GIF", photo.GIF(photo.Options{Width: 16, Height: 16}, 1000), postern.ErrTooManyFrames, "1000 frames; up to 300")
	refused(t, "1000-scan JPEG", scanBomb(1000), postern.ErrTooManyScans, "passes; up to 100")
	huge := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xfe\x3f\x00\xfe\x3f\x00"), "VP8L\x05\x00\x00\x00\x2f\x00\x00\x00\x00\x00"...)
	binary.LittleEndian.PutUint32(huge[4:], uint32(len(huge)-8))
	refused(t, "16383² WebP", huge, postern.ErrTooManyPixels, "268.4 megapixels")

	// A frame whose bitstream is larger than its frame and canvas say.
	lie := photo.WebPAnimation(photo.Options{Width: 16, Height: 16}, 2)
	k := bytes.Index(lie, []byte("VP8L"))
	if k < 0 {
		t.Fatal("the animation has no VP8L frame")
	}
	binary.LittleEndian.PutUint32(lie[k+9:], 16382|16382<<14)
	refused(t, "WebP with a lying frame", lie, postern.ErrTooManyPixels, "268.4 megapixels")

	// A header that lies about its data: what was allowed is not exceeded.
	small := photo.GIF(photo.Options{Width: 50, Height: 50}, 1)
	binary.LittleEndian.PutUint16(small[6:], 1)
	binary.LittleEndian.PutUint16(small[8:], 1)
	if _, err := engine.Render(context.Background(), small, preset()); err == nil {
		t.Error("a GIF whose frame is larger than its canvas: accepted")
	}
	// A profile that unpacks to more than is kept is dropped.
	src := photo.PNG(photo.Options{Width: 20, Height: 20})
	bomb := append(append(bytes.Clone(src[:33]), photo.PNGChunk("iCCP", append([]byte("x\x00\x00"), deflated(50<<20)...))...), src[33:]...)
	if o, err := walk(bomb); err != nil || o.icc != nil {
		t.Errorf("a profile of 50 MB: %d bytes kept, %v", len(o.icc), err)
	}
	// Exactly at the limits is fine.
	p := preset()
	p.Pixels.MaxPixels, p.Pixels.MaxSide = 300*200, 300
	if _, err := engine.Render(context.Background(), photo.JPEG(photo.Options{Width: 300, Height: 200}), p); err != nil {
		t.Errorf("exactly at the limits: %v", err)
	}
	p.Pixels.MaxPixels--
	if _, err := engine.Render(context.Background(), photo.JPEG(photo.Options{Width: 300, Height: 200}), p); !errors.Is(err, postern.ErrTooManyPixels) {
		t.Errorf("one pixel over: %v", err)
	}
}

// scanBomb is a JPEG whose one scan stands there n times.
func scanBomb(n int) []byte {
	src := photo.JPEG(photo.Options{Width: 16, Height: 16})
	i := bytes.Index(src, []byte{0xFF, 0xDA})
	scan := src[i : len(src)-2]
	out := bytes.Clone(src[:i])
	for range n {
		out = append(out, scan...)
	}
	return append(out, 0xFF, 0xD9)
}

func TestDamage(t *testing.T) {
	for name, src := range map[string][]byte{
		"JPEG": photo.JPEG(photo.Options{Width: 300, Height: 200}),
		"PNG":  photo.PNG(photo.Options{Width: 300, Height: 200}),
		"GIF":  photo.GIF(photo.Options{Width: 300, Height: 200}, 2),
		"WebP": photo.WebP(photo.Options{Width: 300, Height: 200}),
	} {
		refused(t, name+" cut in half", src[:len(src)/2], postern.ErrTruncated, "too early")
		refused(t, name+" without its end", src[:len(src)-2], postern.ErrTruncated, "too early")
	}
	src := photo.PNG(photo.Options{Width: 300, Height: 200})
	clear(src[len(src)/2 : len(src)/2+200])
	refused(t, "overwritten PNG", src, postern.ErrCorrupt, "damaged")
	refused(t, "bare JPEG", []byte{0xFF, 0xD8, 0xFF, 0xD9}, postern.ErrCorrupt, "damaged")
	refused(t, "12-bit JPEG", bytes.Replace(photo.JPEG(photo.Options{Width: 16, Height: 16}), []byte{0xFF, 0xC0, 0, 17, 8}, []byte{0xFF, 0xC0, 0, 17, 12}, 1), postern.ErrUnsupported, "12 bits")
	refused(t, "arithmetic JPEG", bytes.Replace(photo.JPEG(photo.Options{Width: 16, Height: 16}), []byte{0xFF, 0xC0}, []byte{0xFF, 0xC9}, 1), postern.ErrUnsupported, "arithmetic")
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engine.Render(ctx, photo.JPEG(photo.Options{Width: 300, Height: 200}), preset()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The variants are what a plain floating-point resize of the same picture is.
func TestQuality(t *testing.T) {
	src := photo.JPEG(photo.Options{Width: 1280, Height: 960, Quality: 95})
	m, err := jpeg.Decode(bytes.NewReader(src))
	if err != nil {
		t.Fatal(err)
	}
	p := preset()
	p.Quality = 100
	r, err := engine.Render(t.Context(), src, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Image.Variants {
		got := open(t, r.Files[v.Name]).(*image.YCbCr)
		if psnr := against(m.(*image.YCbCr), got); psnr < 30 {
			t.Errorf("%s: %.1f dB", v.Name, psnr)
		}
	}
}

// against compares luma with an area average, in dB.
func against(src, got *image.YCbCr) float64 {
	w, h := got.Rect.Dx(), got.Rect.Dy()
	sx, sy := float64(src.Rect.Dx())/float64(w), float64(src.Rect.Dy())/float64(h)
	se := 0.0
	for y := range h {
		for x := range w {
			sum, n := 0.0, 0.0
			for v := int(float64(y) * sy); v < max(int(float64(y+1)*sy), int(float64(y)*sy)+1); v++ {
				for u := int(float64(x) * sx); u < max(int(float64(x+1)*sx), int(float64(x)*sx)+1); u++ {
					sum += float64(src.Y[v*src.YStride+u])
					n++
				}
			}
			d := sum/n - float64(got.Y[y*got.YStride+x])
			se += d * d
		}
	}
	return 10 * math.Log10(255*255/(se/float64(w*h)+1e-9))
}

// Semi-transparent edges keep their colour: no dark fringe.
func TestAlphaIsPremultiplied(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 400, 400))
	for y := range 400 {
		for x := range 400 {
			if (x/2+y/2)%2 == 0 {
				m.SetNRGBA(x, y, color.NRGBA{250, 10, 10, 255})
			} else {
				m.SetNRGBA(x, y, color.NRGBA{0, 0, 0, 0})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	out := open(t, render(t, b.Bytes()).Files["thumb"])
	mixed := 0
	for y := range out.Bounds().Dy() {
		for x := range out.Bounds().Dx() {
			c := color.NRGBAModel.Convert(out.At(x, y)).(color.NRGBA)
			if c.A < 40 || c.A > 215 {
				continue
			}
			if mixed++; c.R < 230 || c.G > 30 || c.B > 30 {
				t.Fatalf("part of a red at %d, %d is %+v", x, y, c)
			}
		}
	}
	if mixed < 1000 {
		t.Errorf("only %d mixed pixels", mixed)
	}
}

func TestSixteenBitsAndPalettes(t *testing.T) {
	deep := image.NewRGBA64(image.Rect(0, 0, 60, 40))
	flat := image.NewPaletted(image.Rect(0, 0, 60, 40), color.Palette{color.NRGBA{0, 0, 0, 0}, color.NRGBA{10, 200, 10, 255}})
	for y := range 40 {
		for x := range 60 {
			deep.SetRGBA64(x, y, color.RGBA64{0xffff, 0x8000, 0, 0xffff})
			flat.SetColorIndex(x, y, uint8(x/30))
		}
	}
	var a, b, c bytes.Buffer
	if err := errors.Join(png.Encode(&a, deep), png.Encode(&b, flat), gif.Encode(&c, flat, nil)); err != nil {
		t.Fatal(err)
	}
	if r := render(t, a.Bytes()); r.Image.Color != "#fe8001" && r.Image.Color != "#fe7f00" && r.Image.Color != "#ff8000" && !strings.HasPrefix(r.Image.Color, "#f") {
		t.Errorf("16 bits: %s", r.Image.Color)
	}
	for name, src := range map[string][]byte{"PNG": b.Bytes(), "GIF": c.Bytes()} {
		if r := render(t, src); r.Image.Variants[0].Type != "image/png" {
			t.Errorf("%s with a see-through colour became %s", name, r.Image.Variants[0].Type)
		}
	}
}

// Real cameras' files.
func TestCameras(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/photos/*")
	if len(files) == 0 {
		t.Skip("SKIPPED: the photo collection is not beside the repository")
	}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(f)
		r, err := engine.Render(t.Context(), src, preset())
		switch {
		case name == "corrupted.jpg":
			if !errors.Is(err, postern.ErrTruncated) && !errors.Is(err, postern.ErrCorrupt) {
				t.Errorf("%s: %v", name, err)
			}
		case strings.HasSuffix(name, ".HEIC"), name == "README.md":
			if !errors.Is(err, postern.ErrTypeNotAllowed) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case strings.HasPrefix(name, "portrait") && r.Image.Height <= r.Image.Width, strings.HasPrefix(name, "landscape") && r.Image.Width <= r.Image.Height:
			t.Errorf("%s: %d×%d", name, r.Image.Width, r.Image.Height)
		}
	}
}

func deflated(n int) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(make([]byte, n)) //nolint:errcheck // bytes.Buffer never fails
	z.Close()
	return b.Bytes()
}
