package imaging

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
)

// tight keeps what a fuzzer makes us decode small.
func tight() *postern.Preset {
	p := preset()
	p.Pixels.MaxPixels, p.Pixels.MaxSide, p.Pixels.MaxTotal = 1<<16, 1024, 1<<18
	p.Variants = []postern.VariantRule{{Name: "a", Box: 64}, {Name: "b", Box: 16}}
	return p
}

// FuzzProbe: hostile headers never panic, and what passes is within the limits.
func FuzzProbe(f *testing.F) {
	p := tight()
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := engine.Probe(src, p)
		if err != nil {
			var e *postern.Error
			if !errors.As(err, &e) || e.Detail == "" {
				t.Fatalf("error without words: %v", err)
			}
			return
		}
		if got.Pixels() < 1 || got.Pixels() > p.Pixels.MaxPixels || max(got.Width, got.Height) > p.Pixels.MaxSide {
			t.Fatalf("passed: %+v", got)
		}
	})
}

// FuzzRender: whatever comes out can be opened and is within its box.
func FuzzRender(f *testing.F) {
	p := tight()
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := engine.Render(context.Background(), src, p)
		if err != nil {
			var e *postern.Error
			if !errors.As(err, &e) || e.Detail == "" {
				t.Fatalf("error without words: %v", err)
			}
			return
		}
		for _, v := range r.Image.Variants {
			if b := open(t, r.Files[v.Name]).Bounds(); b.Dx() != v.Width || b.Dy() != v.Height || max(v.Width, v.Height) > 64 {
				t.Fatalf("%+v decodes as %v", v, b)
			}
		}
	})
}

// FuzzEXIF: an orientation is 1 to 8, or none.
func FuzzEXIF(f *testing.F) {
	f.Fuzz(func(t *testing.T, header []byte) {
		if o := orientationOf(header); o < 0 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
	})
}

// Seeds are files. Run with POSTERN_UPDATE=1 to write them anew.
func TestFuzzSeeds(t *testing.T) {
	small := photo.Options{Width: 24, Height: 16, Orientation: 6, GPS: true}
	pictures := map[string][]byte{
		"jpeg": photo.JPEG(small), "grey": photo.JPEG(photo.Options{Width: 9, Height: 9, Gray: true}), "png": photo.PNG(small), "alpha": photo.PNGAlpha(small),
		"gif": photo.GIF(small, 2), "webp": photo.WebP(small), "webp-alpha": photo.WebPAlpha(small), "webp-animation": photo.WebPAnimation(small, 2),
		"huge": photo.PNGHeader(65535, 65535), "scans": scanBomb(3), "pdf": []byte("%PDF-1.7\n"), "svg": []byte("<svg/>"),
	}
	for _, name := range []string{"lossy.webp", "lossy-alpha.webp"} {
		pictures[name] = lossy(t, name)
	}
	seeds := map[string]map[string][]byte{
		"FuzzProbe": pictures, "FuzzRender": pictures,
		"FuzzEXIF": {"exif": bytes.TrimPrefix(photo.EXIF(6, true), []byte("Exif\x00\x00")), "little": []byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x03\x00\x00\x00"), "loop": []byte("MM\x00*\x00\x00\x00\x00")},
	}
	for target, list := range seeds {
		dir := filepath.Join("testdata", "fuzz", target)
		for name, b := range list {
			if os.Getenv("POSTERN_UPDATE") == "" {
				break
			}
			if err := errors.Join(os.MkdirAll(dir, 0o750), os.WriteFile(filepath.Join(dir, name), []byte("go test fuzz v1\n[]byte("+strconv.Quote(string(b))+")\n"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if found, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(found) < len(list) {
			t.Errorf("%s has %d seeds of %d (%v)", target, len(found), len(list), err)
		}
	}
}
