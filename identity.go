package postern

import (
	"context"
	"net/http"
	"slices"
)

// Authenticator finds out who asks. Package auth has several: API keys, upload
// tokens, JWTs, a question to your own application. A program that knows who is
// signed in gives [HandlerConfig] a Principal function instead.
type Authenticator interface {
	// Authenticate returns who sent r, or an error: ErrUnauthenticated when the
	// request names nobody, ErrCredentialInvalid when what it shows is not
	// worth anything, ErrSignInUnavailable when that cannot be found out now. It
	// does not read the body. It is called once for each request to a route that
	// needs to know, by several at a time.
	Authenticate(r *http.Request) (Identity, error)
}

// Identity is who asks, and what they may do.
type Identity struct {
	// Principal owns what is uploaded, in 1 to MaxPrincipal bytes, and sees
	// nothing else.
	Principal string
	// Presets are the names of those they may upload by. Nil: all. Empty: none.
	Presets []string
	// Limits are held beside those of the preset.
	Limits Limits
	// Charge is called for each grant when nothing else stands against it, before
	// it is signed; its error refuses the grant. Nil: grants are not counted.
	Charge func(context.Context) error
}

// Limits bound what one identity may upload, whatever the preset allows.
type Limits struct {
	MaxBytes int64 // of one file; 0: as the preset has it
}

// As is an Identity that may do all that the presets allow.
func As(principal string) Identity { return Identity{Principal: principal} }

// principalOnly is the Authenticator that a Principal function makes.
type principalOnly func(*http.Request) (string, error)

func (f principalOnly) Authenticate(r *http.Request) (Identity, error) {
	who, err := f(r)
	return Identity{Principal: who}, err
}

func anybody(*http.Request) (string, error) { return Anonymous, nil }

// PresetFor returns the preset called name as who may use it, with their
// limits. An empty name means the only one that they may use, the only one there
// is, or the one called "default". Errors: ErrPresetUnknown, ErrNotPermitted.
func (s *Service) PresetFor(who Identity, name string) (Preset, error) {
	p, err := s.presetFor(&who, name)
	if err != nil {
		return Preset{}, err
	}
	return *p, nil
}

func (s *Service) presetFor(who *Identity, name string) (*Preset, error) {
	if who.Presets != nil {
		if name == "" && len(who.Presets) == 1 {
			name = who.Presets[0]
		}
		// Which other presets there are is not theirs to know.
		if wanted := or(name, "default"); !slices.Contains(who.Presets, wanted) {
			e := ErrNotPermitted.With("You may not upload by the preset %q.", wanted)
			if len(who.Presets) == 0 {
				e = ErrNotPermitted.With("You may look at your uploads, but not make new ones.")
			}
			e.Field, e.Allowed = "preset", who.Presets
			return nil, e
		}
		name = or(name, "default")
	}
	p, err := s.preset(name)
	if err != nil || who.Limits.MaxBytes <= 0 || who.Limits.MaxBytes >= p.MaxBytes {
		return p, err
	}
	if who.Limits.MaxBytes < p.MinBytes {
		e := ErrNotPermitted.With("You may upload files of up to %s; the preset %q takes none below %s.",
			Bytes(who.Limits.MaxBytes), p.Name, Bytes(p.MinBytes))
		e.Field, e.Limit = "preset", who.Limits.MaxBytes
		return nil, e
	}
	own := *p
	own.MaxBytes = who.Limits.MaxBytes
	return &own, nil
}
