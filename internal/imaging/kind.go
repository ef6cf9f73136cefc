package imaging

import (
	"bytes"
	"strings"
)

// sniff names what bytes are by their first ones. What is none of ours is told
// in words, for people.
func sniff(b []byte) (mediaType, words string) {
	has := func(prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }
	switch {
	case has("\xFF\xD8\xFF"):
		return "image/jpeg", "a JPEG"
	case has("\x89PNG\r\n\x1a\n"):
		return "image/png", "a PNG"
	case has("GIF87a"), has("GIF89a"):
		return "image/gif", "a GIF"
	case len(b) >= 12 && has("RIFF") && string(b[8:12]) == "WEBP":
		return "image/webp", "a WebP"
	case has("%PDF-"):
		return "", "a PDF document"
	case has("PK\x03\x04"), has("PK\x05\x06"):
		return "", "a ZIP archive or an office document"
	case has("BM") && len(b) >= 26:
		return "", "a BMP picture"
	case has("II*\x00"), has("MM\x00*"):
		return "", "a TIFF picture"
	case has("MZ"), has("\x7fELF"):
		return "", "a program"
	case len(b) >= 12 && string(b[4:8]) == "ftyp":
		return "", isoWords(b)
	}
	head := strings.ToLower(strings.TrimLeft(strings.TrimPrefix(string(b[:min(len(b), 1024)]), "\xEF\xBB\xBF"), " \t\r\n"))
	switch {
	case strings.HasPrefix(head, "<") && strings.Contains(head, "<svg"):
		return "", "an SVG drawing"
	case strings.HasPrefix(head, "<!doctype html"), strings.HasPrefix(head, "<html"), strings.HasPrefix(head, "<script"):
		return "", "an HTML page"
	case head != "" && !strings.ContainsFunc(head, func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0xFFFD }):
		return "", "a text"
	}
	return "", "of an unknown kind"
}

// isoWords names the kinds of the ISO base media format by their brand.
func isoWords(b []byte) string {
	switch string(b[8:12]) {
	case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
		return "a HEIC photo"
	case "avif", "avis":
		return "an AVIF picture"
	}
	return "a video"
}
