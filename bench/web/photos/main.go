// Command photos writes 200 photos of twelve megapixels, 3 to 5 MB each, into a
// folder, for `make bench-web`. They depend on nothing but this program, so what
// is there already is left as it is; another recipe needs another folder.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"postern.example/postern/internal/imaging/photo"
)

const count = 200

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: photos FOLDER")
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := write(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "write photos:", err)
		os.Exit(1)
	}
}

// write makes those that are missing, one by one: the machine may be shared.
func write(ctx context.Context, folder string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	for n := 1; n <= count; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(folder, fmt.Sprintf("photo-%03d.jpg", n))
		if _, err := os.Stat(path); err == nil {
			continue
		} else if !os.IsNotExist(err) {
			return err
		}
		if err := replace(path, picture(n)); err != nil {
			return err
		}
	}
	return nil
}

// picture is as a phone writes it: a place, a profile, and lying on its side as
// often as not.
func picture(n int) []byte {
	return photo.JPEG(photo.Options{
		Width: 4032, Height: 3024, Orientation: []int{1, 6, 3, 8}[n%4],
		GPS: true, XMP: true, ICC: true, Quality: 94 + n%4, Seed: int64(n),
	})
}

// replace puts a whole file in place, so that a run that was cut short leaves
// no half of one.
func replace(path string, content []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, content, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}
