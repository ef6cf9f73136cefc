package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"postern.example/postern"
)

// JWTConfig says whose tokens are taken, and what their claims mean. Of JWKSURL,
// PublicKeys and Secrets one must be given; with one of the first two also
// Issuer and Audience, since whoever makes tokens makes them for others too.
type JWTConfig struct {
	// JWKSURL is where the public keys are: https, or http on this machine. They
	// are fetched when the first token comes, kept for 15 minutes, and asked for
	// anew when a token names one that is not known, once a minute at most.
	// Redirects are not followed.
	JWKSURL string
	// PublicKeys are the keys themselves: a JWKS document, or PEM ("PUBLIC KEY").
	// Which algorithm they are for follows from their type: RSA of 2048 bits and
	// more RS256, P-256 ES256, Ed25519 EdDSA.
	PublicKeys []byte
	// Secrets verify HS256, at least 32 bytes each; all are tried.
	Secrets [][]byte

	Issuer   string        // "iss", exactly
	Audience []string      // one of them must be in "aud"
	Leeway   time.Duration // for clocks that disagree; 0: a minute; at most five

	// PrincipalClaim names the principal: a text or a whole number; default "sub".
	PrincipalClaim string
	// PresetsClaim has the presets that they may upload by: a list of texts, or
	// one text with spaces between. Empty: all of them. When it is set, a token
	// without it may make no uploads.
	PresetsClaim string
	// MaxBytesClaim bounds a file's size, in bytes. Empty: as the preset has it.
	MaxBytesClaim string

	Transport http.RoundTripper // that fetches the keys; default: one of its own
	Now       func() time.Time  // default time.Now
	Logger    *slog.Logger      // default: nothing is logged
}

// JWT takes JSON Web Tokens (RFC 7519): "Authorization: Bearer eyJ…".
type JWT struct {
	keys     []verifyKey // that are always there
	set      *keySet     // nil: there is no address
	issuer   string
	audience []string
	leeway   time.Duration
	now      func() time.Time

	principalClaim, presetsClaim, maxBytesClaim string
}

const (
	maxJWT        = 8 << 10 // bytes of text
	maxCandidates = 8       // keys that are tried on a token that names none
	minSecret     = 32      // bytes; RFC 7518, section 3.2
	defaultLeeway = time.Minute
	maxLeeway     = 5 * time.Minute
)

// NewJWT makes the kind, or says which part of c is unusable. It calls nobody.
func NewJWT(c JWTConfig) (*JWT, error) {
	j := &JWT{
		issuer: c.Issuer, audience: c.Audience, leeway: c.Leeway, now: c.Now,
		principalClaim: c.PrincipalClaim, presetsClaim: c.PresetsClaim, maxBytesClaim: c.MaxBytesClaim,
	}
	if j.now == nil {
		j.now = time.Now
	}
	if j.principalClaim == "" {
		j.principalClaim = "sub"
	}
	if j.leeway == 0 {
		j.leeway = defaultLeeway
	}
	public := c.JWKSURL != "" || len(c.PublicKeys) > 0
	switch {
	case !public && len(c.Secrets) == 0:
		return nil, errors.New("jwt: nothing is given to verify tokens with: an address of keys, keys, or a secret")
	case public && (c.Issuer == "" || len(c.Audience) == 0):
		return nil, errors.New("jwt: issuer and audience must be given: tokens that were made for others would be taken")
	case slices.Contains(c.Audience, ""):
		return nil, errors.New("jwt: an audience is empty")
	case j.leeway < 0 || j.leeway > maxLeeway:
		return nil, fmt.Errorf("jwt: leeway must be from 0 to %s", maxLeeway)
	}
	for _, s := range c.Secrets {
		if len(s) < minSecret {
			return nil, fmt.Errorf("jwt: a secret has %d bytes; at least %d are needed", len(s), minSecret)
		}
		j.keys = append(j.keys, verifyKey{alg: jose.HS256, key: s})
	}
	if len(c.PublicKeys) > 0 {
		keys, err := parseKeys(c.PublicKeys)
		if err != nil {
			return nil, fmt.Errorf("jwt: read public keys: %w", err)
		}
		j.keys = append(j.keys, keys...)
	}
	if c.JWKSURL != "" {
		if err := checkSecure(c.JWKSURL); err != nil {
			return nil, fmt.Errorf("jwt: address of keys: %w", err)
		}
		j.set = &keySet{url: c.JWKSURL, client: newClient(c.Transport, askPatience), now: j.now, log: c.Logger}
		if j.set.log == nil {
			j.set.log = slog.New(slog.DiscardHandler)
		}
	}
	return j, nil
}

// Identify implements [Kind]. It takes every bearer token that is not one of
// ours.
func (j *JWT) Identify(r *http.Request) (postern.Identity, bool, error) {
	text := bearer(r)
	if text == "" || strings.HasPrefix(text, KeyPrefix) || strings.HasPrefix(text, TokenPrefix) {
		return postern.Identity{}, false, nil
	}
	who, err := j.verify(r.Context(), text)
	var known *postern.Error
	switch {
	case err == nil:
		return who, true, nil
	case errors.As(err, &known):
		return postern.Identity{}, true, err
	case errors.Is(err, errExpired):
		return postern.Identity{}, true, invalid("The token has expired.", err)
	}
	return postern.Identity{}, true, invalid("The token is not valid.", err)
}

// tokenHeader is what of a token's header is looked at. Addresses and keys in it
// (jku, x5u, jwk, x5c) are the sender's own word and not among it.
type tokenHeader struct {
	Algorithm jose.SignatureAlgorithm `json:"alg"`
	KeyID     string                  `json:"kid"`
	Type      string                  `json:"typ"`
	Critical  json.RawMessage         `json:"crit"`
	Encoded   json.RawMessage         `json:"b64"`
}

// parseHeader reads a token's header before anything of it is certain.
func parseHeader(text string) (h tokenHeader, err error) {
	if len(text) > maxJWT {
		return h, fmt.Errorf("it has over %d bytes", maxJWT)
	}
	first, _, ok := strings.Cut(text, ".")
	if !ok {
		return h, errors.New("it is not a JWT")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil || json.Unmarshal(raw, &h) != nil {
		return h, errors.New("its header is not JSON in base64url")
	}
	switch {
	case !slices.Contains(algorithms, h.Algorithm):
		return h, errors.New("it is not signed by an algorithm that is taken")
	case h.Critical != nil || h.Encoded != nil:
		return h, errors.New("its header demands extensions") // RFC 7515, section 4.1.11
	case len(h.KeyID) > 256:
		return h, errors.New("its key id is too long")
	}
	// Tokens of the same issuer that mean something else (RFC 8725, section 3.11)
	// say so here: logout+jwt, secevent+jwt.
	switch strings.ToLower(strings.TrimPrefix(strings.ToLower(h.Type), "application/")) {
	case "", "jwt", "at+jwt":
		return h, nil
	}
	return h, errors.New("it is a token of another type")
}

func (j *JWT) verify(ctx context.Context, text string) (who postern.Identity, err error) {
	h, err := parseHeader(text)
	if err != nil {
		return who, err
	}
	signed, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil {
		return who, errors.New("it is not a signed JWT")
	}
	payload, err := j.payload(ctx, &h, signed)
	if err != nil {
		return who, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return who, err
	}
	if err := j.checkParties(c); err != nil {
		return who, err
	}
	if err := j.checkTimes(c); err != nil {
		return who, err
	}
	return j.identity(c)
}

var errSignature = errors.New("no key of ours has signed it")

// payload returns what is in the token if a key that fits has signed it.
func (j *JWT) payload(ctx context.Context, h *tokenHeader, signed *jose.JSONWebSignature) ([]byte, error) {
	fits := func(k *verifyKey) bool {
		return k.alg == h.Algorithm && (k.id == h.KeyID || k.id == "" || h.KeyID == "")
	}
	if payload, ok := verified(signed, chosen(j.keys, fits)); ok {
		return payload, nil
	}
	if j.set == nil || h.Algorithm == jose.HS256 { // no secret comes from an address
		return nil, errSignature
	}
	keys, err := j.set.find(ctx, fits)
	if err != nil {
		return nil, err
	}
	if payload, ok := verified(signed, keys); ok {
		return payload, nil
	}
	// Keys change without their ids doing so, and not all have one.
	if keys, err = j.set.newer(ctx, fits); err != nil {
		return nil, err
	}
	if payload, ok := verified(signed, keys); ok {
		return payload, nil
	}
	return nil, errSignature
}

func verified(signed *jose.JSONWebSignature, keys []verifyKey) ([]byte, bool) {
	for i := range min(len(keys), maxCandidates) {
		if payload, err := signed.Verify(keys[i].key); err == nil {
			return payload, true
		}
	}
	return nil, false
}
