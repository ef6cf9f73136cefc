package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"postern.example/postern/auth"
	"postern.example/postern/internal/folder"
)

// Kinds of sign-in, as they are spelt in settings.
const (
	byNobody  = "none"
	byKeys    = "keys"
	byJWT     = "jwt"
	byForward = "forward"
)

const signIn = "Sign-in"

type jwtSettings struct {
	jwksURL, keysFile, secret, secretFile       string
	issuer                                      string
	audience                                    []string
	leeway                                      string
	principalClaim, presetsClaim, maxBytesClaim string
}

type forwardSettings struct {
	url                                            string
	cookies, headers                               []string
	principalHeader, presetsHeader, maxBytesHeader string
	patience, keep                                 string
}

// authSettings are the rows of the table that say who may upload. In the file
// they stand below auth:, each kind with its own.
func authSettings() []setting {
	return []setting{
		{
			name: "auth", env: []string{"POSTERN_AUTH"}, category: signIn,
			usage: "`kind` of sign-in: keys (of your backend: \"postern key add\"), jwt, forward (your application is asked), or none, which lets everybody who can reach it upload; needed to listen beyond this machine; may be given more than once",
			check: oneOf(byNobody, byKeys, byJWT, byForward), into: func(s *settings) any { return &s.auth },
		},
		{
			name: "keys-file", env: []string{"POSTERN_KEYS_FILE"}, category: signIn, kind: byKeys,
			usage: "`file` of API keys; without it keys-api.json in the data folder",
			into:  func(s *settings) any { return &s.keys },
		},
		{
			name: "jwt-jwks-url", env: []string{"POSTERN_JWT_JWKS_URL"}, category: signIn, kind: byJWT,
			usage: "`URL` of the public keys that tokens are verified with (RS256, ES256, EdDSA)",
			into:  func(s *settings) any { return &s.jwt.jwksURL },
		},
		{
			name: "jwt-keys-file", env: []string{"POSTERN_JWT_KEYS_FILE"}, category: signIn, kind: byJWT,
			usage: "`file` of the public keys that tokens are verified with: PEM, or a set as the URL has it",
			into:  func(s *settings) any { return &s.jwt.keysFile },
		},
		{
			name: "jwt-secret", env: []string{"POSTERN_JWT_SECRET"}, secret: true, apart: true, kind: byJWT,
			usage: "secrets that tokens are verified with (HS256)",
			into:  func(s *settings) any { return &s.jwt.secret },
		},
		{
			name: "jwt-secret-file", env: []string{"POSTERN_JWT_SECRET_FILE"}, category: signIn, kind: byJWT,
			usage: "`file` of the secrets that tokens are verified with (HS256), one a line, at least 32 bytes each; or give them as POSTERN_JWT_SECRET",
			into:  func(s *settings) any { return &s.jwt.secretFile },
		},
		{
			name: "jwt-issuer", env: []string{"POSTERN_JWT_ISSUER"}, category: signIn, kind: byJWT,
			usage: "`issuer` of the tokens (iss), exactly; needed with public keys",
			into:  func(s *settings) any { return &s.jwt.issuer },
		},
		{
			name: "jwt-audience", env: []string{"POSTERN_JWT_AUDIENCE"}, category: signIn, kind: byJWT,
			usage: "`audience` that tokens must be for (aud); needed with public keys; may be given more than once: any of them will do",
			into:  func(s *settings) any { return &s.jwt.audience },
		},
		{
			name: "jwt-leeway", env: []string{"POSTERN_JWT_LEEWAY"}, initial: "1m", category: signIn, kind: byJWT,
			usage: "how far clocks may be apart, a `time` up to 5m", check: isDuration(5 * time.Minute),
			into: func(s *settings) any { return &s.jwt.leeway },
		},
		{
			name: "jwt-principal-claim", env: []string{"POSTERN_JWT_PRINCIPAL_CLAIM"}, initial: "sub", category: signIn, kind: byJWT,
			usage: "`claim` that says who it is",
			into:  func(s *settings) any { return &s.jwt.principalClaim },
		},
		{
			name: "jwt-presets-claim", env: []string{"POSTERN_JWT_PRESETS_CLAIM"}, category: signIn, kind: byJWT,
			usage: "`claim` that lists the presets that may be used; without this setting all may",
			into:  func(s *settings) any { return &s.jwt.presetsClaim },
		},
		{
			name: "jwt-max-bytes-claim", env: []string{"POSTERN_JWT_MAX_BYTES_CLAIM"}, category: signIn, kind: byJWT,
			usage: "`claim` that bounds a file's size, in bytes",
			into:  func(s *settings) any { return &s.jwt.maxBytesClaim },
		},
		{
			name: "forward-url", env: []string{"POSTERN_FORWARD_URL"}, category: signIn, kind: byForward,
			usage: "`URL` of your application that answers 2xx and names who is signed in",
			into:  func(s *settings) any { return &s.forward.url },
		},
		{
			name: "forward-cookie", env: []string{"POSTERN_FORWARD_COOKIE"}, category: signIn, kind: byForward,
			usage: "`name` of a cookie that your application is shown; may be given more than once",
			into:  func(s *settings) any { return &s.forward.cookies },
		},
		{
			name: "forward-header", env: []string{"POSTERN_FORWARD_HEADER"}, category: signIn, kind: byForward,
			usage: "`name` of a header that your application is shown; may be given more than once",
			into:  func(s *settings) any { return &s.forward.headers },
		},
		{
			name: "forward-principal-header", env: []string{"POSTERN_FORWARD_PRINCIPAL_HEADER"}, initial: auth.PrincipalHeader, category: signIn, kind: byForward,
			usage: "`name` of the answer's header that says who it is",
			into:  func(s *settings) any { return &s.forward.principalHeader },
		},
		{
			name: "forward-presets-header", env: []string{"POSTERN_FORWARD_PRESETS_HEADER"}, initial: "Postern-Presets", category: signIn, kind: byForward,
			usage: "`name` of the answer's header that lists the presets that may be used, with commas between; an answer without it allows all",
			into:  func(s *settings) any { return &s.forward.presetsHeader },
		},
		{
			name: "forward-max-bytes-header", env: []string{"POSTERN_FORWARD_MAX_BYTES_HEADER"}, initial: "Postern-Max-Bytes", category: signIn, kind: byForward,
			usage: "`name` of the answer's header that bounds a file's size, in bytes",
			into:  func(s *settings) any { return &s.forward.maxBytesHeader },
		},
		{
			name: "forward-patience", env: []string{"POSTERN_FORWARD_PATIENCE"}, initial: "3s", category: signIn, kind: byForward,
			usage: "`time` to wait for the answer, up to 30s; then it is a no", check: isDuration(30 * time.Second),
			into: func(s *settings) any { return &s.forward.patience },
		},
		{
			name: "forward-keep", env: []string{"POSTERN_FORWARD_KEEP"}, initial: "10s", category: signIn, kind: byForward,
			usage: "`time` that an answer holds, up to 5m", check: isDuration(5 * time.Minute),
			into: func(s *settings) any { return &s.forward.keep },
		},
	}
}

func isDuration(most time.Duration) func(string) error {
	return func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 || d > most {
			return fmt.Errorf("%q is not a time such as 10s, up to %s", v, most)
		}
		return nil
	}
}

// duration is a setting that isDuration has accepted.
func duration(v string) time.Duration {
	d, err := time.ParseDuration(v)
	if err != nil {
		return 0
	}
	return d
}

// validateAuth holds the settings of sign-in against each other.
func (s *settings) validateAuth() error {
	if s.jwt.secret != "" && s.jwt.secretFile != "" {
		return misused("Keep one of them.", "the secret that verifies tokens is given twice, by %s and by a file", s.from["jwt-secret"].name)
	}
	for _, x := range authSettings() {
		if x.kind == "" || x.kind == byKeys || slices.Contains(s.auth, x.kind) { // "postern key" needs no more than where they are
			continue
		}
		if from := s.from[x.name]; from.kind == "flag" {
			return misused("Say --auth "+x.kind+" as well.", "%s is for sign-in by %s, which is not switched on", from.name, x.kind)
		}
	}
	if len(s.auth) > 0 && !slices.Equal(slices.Compact(slices.Sorted(slices.Values(s.auth))), slices.Sorted(slices.Values(s.auth))) {
		return misused("", "%s: a kind of sign-in is there twice", s.from["auth"])
	}
	return nil
}

// keysPath is where API keys are kept.
func (s *settings) keysPath() string {
	if s.keys != "" {
		return s.keys
	}
	return filepath.Join(s.data, folder.APIKeysFile)
}

// authKinds makes the kinds of sign-in that are switched on.
func (s *settings) authKinds(logger *slog.Logger) ([]auth.Kind, error) {
	var kinds []auth.Kind
	for _, name := range s.auth {
		var kind auth.Kind
		var err error
		switch name {
		case byNobody:
			kind = auth.None{}
		case byKeys:
			kind, err = s.keysKind(logger)
		case byJWT:
			kind, err = s.jwtKind(logger)
		case byForward:
			kind, err = s.forwardKind(logger)
		}
		if err != nil {
			return nil, misused("docs/auth.md has an example of each kind of sign-in.", "sign-in (%s): %w", s.from["auth"], err)
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

func (s *settings) keysKind(logger *slog.Logger) (auth.Kind, error) {
	keys, err := auth.NewKeys(auth.KeysConfig{Path: s.keysPath(), Logger: logger})
	if err == nil && len(keys.List()) == 0 {
		logger.Warn("there is no API key yet; \"postern key add NAME\" makes one", slog.String("file", s.keysPath()))
	}
	return keys, err
}

func (s *settings) jwtKind(logger *slog.Logger) (auth.Kind, error) {
	j := &s.jwt
	c := auth.JWTConfig{
		JWKSURL: j.jwksURL, Issuer: j.issuer, Audience: j.audience, Leeway: duration(j.leeway), Logger: logger,
		PrincipalClaim: j.principalClaim, PresetsClaim: j.presetsClaim, MaxBytesClaim: j.maxBytesClaim,
	}
	if j.keysFile != "" {
		text, err := os.ReadFile(j.keysFile)
		if err != nil {
			return nil, fmt.Errorf("read public keys: %w", err)
		}
		c.PublicKeys = text
	}
	if j.secret != "" || j.secretFile != "" {
		text, err := secretFrom(j.secret, j.secretFile)
		if err != nil {
			return nil, err
		}
		for line := range strings.FieldsSeq(text) {
			c.Secrets = append(c.Secrets, []byte(line))
		}
	}
	return auth.NewJWT(c)
}

func (s *settings) forwardKind(logger *slog.Logger) (auth.Kind, error) {
	f := &s.forward
	return auth.NewForward(auth.ForwardConfig{
		URL: f.url, Cookies: f.cookies, Headers: f.headers,
		PrincipalHeader: f.principalHeader, PresetsHeader: f.presetsHeader, MaxBytesHeader: f.maxBytesHeader,
		Patience: duration(f.patience), Keep: duration(f.keep), Logger: logger,
	})
}

// open reports whether everybody who reaches the gate may upload.
func (s *settings) open() bool { return len(s.auth) == 0 || slices.Contains(s.auth, byNobody) }
