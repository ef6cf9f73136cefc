package photo_test

import (
	"bytes"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"testing"

	_ "golang.org/x/image/webp"

	"postern.example/postern/internal/imaging/photo"
)

func TestEveryFormatShowsTheScene(t *testing.T) {
	o := photo.Options{Width: 161, Height: 121, GPS: true, ICC: true, XMP: true, Comment: photo.Secret}
	for name, b := range map[string][]byte{
		"jpeg": photo.JPEG(o), "png": photo.PNG(o), "png alpha": photo.PNGAlpha(o),
		"gif": photo.GIF(o, 3), "webp": photo.WebP(o), "webp alpha": photo.WebPAlpha(o),
	} {
		m, _, err := image.Decode(bytes.NewReader(b))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := photo.Upright(m, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUprightSeesATurn(t *testing.T) {
	for o := 2; o <= 8; o++ {
		m, _, err := image.Decode(bytes.NewReader(photo.JPEG(photo.Options{Orientation: o})))
		if err != nil {
			t.Fatal(err)
		}
		if photo.Upright(m, true) == nil {
			t.Errorf("orientation %d: a picture that is not turned yet passes for upright", o)
		}
	}
}

func TestSeeds(t *testing.T) {
	a, b, c := photo.JPEG(photo.Options{Seed: 1}), photo.JPEG(photo.Options{Seed: 1}), photo.JPEG(photo.Options{Seed: 2})
	if !bytes.Equal(a, b) {
		t.Error("one seed gives two photos")
	}
	if bytes.Equal(a, c) {
		t.Error("two seeds give one photo")
	}
}

func TestSizeOfA12MegapixelPhoto(t *testing.T) {
	if n := len(photo.JPEG(photo.Options{Width: 4032, Height: 3024, Quality: 92})); n < 2e6 || n > 4e6 {
		t.Errorf("%d bytes; a phone's photo has 2 to 4 MB", n)
	}
}
