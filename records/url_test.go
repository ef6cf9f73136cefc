package records

import (
	"strings"
	"testing"
)

func TestMaskURL(t *testing.T) {
	for raw, masked := range map[string]string{
		"postgres://db.example/photos":                             "postgres://db.example/photos",
		"postgres://me@db.example:5433/photos":                     "postgres://me@db.example:5433/photos",
		"postgresql://me:pw@a,b:5433/photos?sslmode=verify-full":   "postgresql://me:********@a,b:5433/photos?sslmode=verify-full",
		"postgres://me:p%40w@db.example/photos?sslmode=require":    "postgres://me:********@db.example/photos?sslmode=require",
		"postgres://me@db.example/photos?password=pw&sslmode=none": "postgres://me@db.example/photos?sslmode=none",
		"postgres://me:p/w@db.example/photos":                      "********",
		"postgres://me:1234/secret@db.example/photos":              "********", // the port 1234 of the host me
		"host=db.example password=pw":                              "********",
		"":                                                         "********",
	} {
		if got := MaskURL(raw); got != masked {
			t.Errorf("%s is shown as %s, want %s", raw, got, masked)
		}
	}
}

func FuzzMaskURL(f *testing.F) {
	for _, s := range []string{"secret-word", "se%63ret", "a@b", "a/b", "?x=y", "#", "%", "a:b@c/d?e=f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if len(password) < 4 || strings.Contains("postgres://user@host.example/photos********", password) {
			return
		}
		for _, raw := range []string{"postgres://user:" + password + "@host.example/photos", "postgres://host.example/photos?password=" + password} {
			if got := MaskURL(raw); strings.Contains(got, password) {
				t.Errorf("%q is shown as %q", raw, got)
			}
		}
	})
}
