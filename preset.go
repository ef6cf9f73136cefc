package postern

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Preset is the named rules for one kind of upload. Zero fields mean the
// documented default.
type Preset struct {
	Name     string        `yaml:"name" json:"name"`                                     // 1 to 32 of a-z 0-9 _ -
	Types    []string      `yaml:"types,omitempty" json:"types"`                         // media types; default all of AcceptedTypes
	MinBytes int64         `yaml:"min_bytes,omitempty" json:"min_bytes"`                 // default 1
	MaxBytes int64         `yaml:"max_bytes,omitempty" json:"max_bytes"`                 // default 25 MB (25 000 000), at most 5 GiB, in parts 5 TiB; a check holds the file in memory
	Life     time.Duration `yaml:"life,omitempty" json:"life"`                           // of a grant; default 10 min, 1 s to 1 h
	Pixels   PixelLimits   `yaml:"pixels,omitempty" json:"pixels"`                       // of the picture
	Variants []VariantRule `yaml:"variants,omitempty" json:"variants"`                   // default thumb 256, medium 1024, large 2048
	Quality  int           `yaml:"jpeg_quality,omitempty" json:"jpeg_quality,omitempty"` // of JPEG variants, 1 to 100; default 80

	Quota Quota `yaml:"quota,omitempty" json:"quota,omitzero"` // of each principal; default: none

	Transfer      Transfer      `yaml:"transfer,omitempty" json:"transfer"`             // how files travel; default Auto
	MultipartFrom int64         `yaml:"multipart_from,omitempty" json:"multipart_from"` // bytes; Auto sends files of this size and above in parts; default 64 MiB
	PartSize      int64         `yaml:"part_size,omitempty" json:"part_size"`           // bytes, 5 MiB to 5 GiB; default 16 MiB; more where a file would need over 10 000 parts
	MultipartLife time.Duration `yaml:"multipart_life,omitempty" json:"multipart_life"` // of an upload in parts as a whole, 1 min to 18 h; its URLs have Life; default 6 h
}

// PixelLimits bound what a picture may cost to open. They are read off the
// file's headers before anything is decoded.
type PixelLimits struct {
	MaxPixels int64 `yaml:"max_pixels,omitempty" json:"max_pixels"` // width × height; default 50 000 000
	MaxSide   int   `yaml:"max_side,omitempty" json:"max_side"`     // pixels; default 16 383, WebP's own limit
	MaxFrames int   `yaml:"max_frames,omitempty" json:"max_frames"` // of an animation; default 300
	MaxTotal  int64 `yaml:"max_total,omitempty" json:"max_total"`   // sum of all frames' pixels; default 200 000 000
	MaxScans  int   `yaml:"max_scans,omitempty" json:"max_scans"`   // of a progressive JPEG; default 100
}

// VariantRule asks for one variant: the picture scaled down to fit a square
// box. The box is a maximum; a side may stay up to 2 % below it when that lets
// the decoder stop early. Pictures smaller than the box are not enlarged.
type VariantRule struct {
	Name string `yaml:"name" json:"name"` // 1 to 32 of a-z 0-9 _ -
	Box  int    `yaml:"box" json:"box"`   // pixels, 16 to 8192
}

// AcceptedTypes returns the media types that can be checked, and so allowed.
func AcceptedTypes() []string {
	return []string{"image/jpeg", "image/png", "image/gif", "image/webp"}
}

// Limits of a preset.
const (
	DefaultMaxBytes = 25_000_000
	DefaultLife     = 10 * time.Minute
	MaxLife         = time.Hour
	maxObjectBytes  = 5 << 30 // S3's limit for a single request

	DefaultMultipartFrom = 64 << 20
	DefaultPartSize      = 16 << 20
	DefaultMultipartLife = 6 * time.Hour
	MaxMultipartLife     = 18 * time.Hour // what an ID has room for
)

// DefaultPreset returns the rules used when none are configured.
func DefaultPreset() Preset { return Preset{Name: "photos"}.withDefaults() }

// CheckPresets returns the presets with their defaults filled in, or says what
// is wrong with one of them. Without any it returns the DefaultPreset.
func CheckPresets(list []Preset) ([]Preset, error) {
	if len(list) == 0 {
		return []Preset{DefaultPreset()}, nil
	}
	full := make([]Preset, len(list))
	seen := map[string]bool{}
	for i, p := range list {
		full[i] = p.withDefaults()
		if err := full[i].validate(); err != nil {
			return nil, err
		}
		if seen[p.Name] {
			return nil, fmt.Errorf("preset %q is there twice", p.Name)
		}
		seen[p.Name] = true
	}
	return full, nil
}

func (p Preset) withDefaults() Preset {
	if len(p.Types) == 0 {
		p.Types = AcceptedTypes()
	}
	p.MinBytes = or(p.MinBytes, 1)
	p.MaxBytes = or(p.MaxBytes, DefaultMaxBytes)
	p.Life = or(p.Life, DefaultLife)
	p.Quality = or(p.Quality, 80)
	p.Transfer = or(p.Transfer, Auto)
	p.MultipartFrom = or(p.MultipartFrom, DefaultMultipartFrom)
	p.PartSize = or(p.PartSize, DefaultPartSize)
	p.MultipartLife = or(p.MultipartLife, DefaultMultipartLife)
	p.Pixels.MaxPixels = or(p.Pixels.MaxPixels, 50_000_000)
	p.Pixels.MaxSide = or(p.Pixels.MaxSide, 16383)
	p.Pixels.MaxFrames = or(p.Pixels.MaxFrames, 300)
	p.Pixels.MaxTotal = or(p.Pixels.MaxTotal, 200_000_000)
	p.Pixels.MaxScans = or(p.Pixels.MaxScans, 100)
	if len(p.Variants) == 0 {
		p.Variants = []VariantRule{{"thumb", 256}, {"medium", 1024}, {"large", 2048}}
	}
	return p
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

var nameRE = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// validate says what is wrong with a preset whose defaults are filled in.
func (p Preset) validate() error {
	bad := func(field, format string, args ...any) error {
		return fmt.Errorf("preset %q: %s: %s", p.Name, field, fmt.Sprintf(format, args...))
	}
	switch {
	case !nameRE.MatchString(p.Name):
		return bad("name", "must be 1 to 32 of a-z, 0-9, _ and -")
	case p.MinBytes < 1:
		return bad("min_bytes", "%d is below 1", p.MinBytes)
	case p.MaxBytes < p.MinBytes:
		return bad("max_bytes", "%d is below min_bytes %d", p.MaxBytes, p.MinBytes)
	case !slices.Contains([]Transfer{Auto, Post, Put, Multi}, p.Transfer):
		return bad("transfer", "%q is not auto, post, put or multipart", p.Transfer)
	case (p.Transfer == Post || p.Transfer == Put) && p.MaxBytes > maxObjectBytes:
		return bad("max_bytes", "%d is above S3's limit for one request, %d; with transfer auto or multipart files go in parts", p.MaxBytes, int64(maxObjectBytes))
	case p.MaxBytes > maxInParts:
		return bad("max_bytes", "%d is above S3's limit for one object, %d", p.MaxBytes, int64(maxInParts))
	case p.MultipartFrom < 1 || p.MultipartFrom > maxObjectBytes:
		return bad("multipart_from", "%d is not within 1 and %d, S3's limit for one request", p.MultipartFrom, int64(maxObjectBytes))
	case p.PartSize < MinPartSize || p.PartSize > MaxPartSize:
		return bad("part_size", "%d is not within %d and %d, S3's limits for a part", p.PartSize, int64(MinPartSize), int64(MaxPartSize))
	case p.MultipartLife < time.Minute || p.MultipartLife > MaxMultipartLife:
		return bad("multipart_life", "%s is not within 1m and %s", p.MultipartLife, MaxMultipartLife)
	case p.Life < time.Second || p.Life > MaxLife:
		return bad("life", "%s is not within 1s and %s", p.Life, MaxLife)
	case p.Quality < 1 || p.Quality > 100:
		return bad("jpeg_quality", "%d is not within 1 and 100", p.Quality)
	case p.Pixels.MaxPixels < 1 || p.Pixels.MaxSide < 1 || p.Pixels.MaxFrames < 1 || p.Pixels.MaxTotal < 1 || p.Pixels.MaxScans < 1:
		return bad("pixels", "every limit must be at least 1")
	}
	if field, err := p.Quota.validate(p.MaxBytes); err != nil {
		return bad(field, "%v", err)
	}
	for _, t := range p.Types {
		if !slices.Contains(AcceptedTypes(), t) {
			return bad("types", "%q cannot be checked; choose from %v", t, AcceptedTypes())
		}
	}
	seen := map[string]bool{}
	for _, v := range p.Variants {
		switch {
		case !nameRE.MatchString(v.Name):
			return bad("variants", "name %q must be 1 to 32 of a-z, 0-9, _ and -", v.Name)
		case seen[v.Name]:
			return bad("variants", "name %q is there twice", v.Name)
		case v.Box < 16 || v.Box > 8192:
			return bad("variants", "box %d of %q is not within 16 and 8192", v.Box, v.Name)
		}
		seen[v.Name] = true
	}
	return nil
}
