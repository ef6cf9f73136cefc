// Command make writes photos for the browser tests into a folder: twelve
// megapixels each, in all eight EXIF orientations, with a place, XMP and a
// colour profile; and bomb.png, a few bytes that claim 60 megapixels.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"postern.example/postern/internal/imaging/photo"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: make FOLDER")
		os.Exit(2)
	}
	files := map[string][]byte{"bomb.png": photo.PNGHeader(10000, 6000)}
	for o := 1; o <= 8; o++ {
		files[fmt.Sprintf("orientation-%d.jpg", o)] = photo.JPEG(photo.Options{
			Width: 4032, Height: 3024, Orientation: o, GPS: true, XMP: true, ICC: true, Quality: 92, Seed: int64(o),
		})
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), b, 0o600); err != nil { //nolint:gosec // the folder is the caller's choice
			fmt.Fprintln(os.Stderr, "make photos:", err)
			os.Exit(1)
		}
	}
}
