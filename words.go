package postern

import (
	"errors"
	"strconv"
	"strings"
)

var errPrincipal = errors.New("principal must have 1 to 96 bytes")

// Bytes says a number of bytes as people do, in decimal units: "25 MB",
// "1.5 kB", "1 byte". It never rounds to a whole unit what is not one, so that
// a file just over a limit of 25 MB is not told that it has 25 MB.
func Bytes(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1e9, " GB"}, {1e6, " MB"}, {1e3, " kB"}} {
		switch {
		case n < u.size:
			continue
		case n%u.size == 0:
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
		for digits := 1; digits <= 3; digits++ {
			s := strings.TrimRight(strconv.FormatFloat(float64(n)/float64(u.size), 'f', digits, 64), "0")
			if !strings.HasSuffix(s, ".") {
				return s + u.name
			}
		}
		break
	}
	if n == 1 {
		return "1 byte"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

// TypeNames says media types of pictures as people do: "JPEG, PNG or WebP".
func TypeNames(types []string) string {
	names := make([]string, len(types))
	for i, t := range types {
		switch t {
		case "image/webp":
			names[i] = "WebP"
		default:
			names[i] = strings.ToUpper(strings.TrimPrefix(t, "image/"))
		}
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}
