package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// Which algorithm a token is verified by follows from the type of our key, never
// from the token: one that says HS256 meets only secrets, so that a public key
// cannot pass for one (RFC 8725, sections 2.1 and 3.1).

// algorithms are those that tokens may be signed by. "none" is not among them.
var algorithms = []jose.SignatureAlgorithm{jose.HS256, jose.RS256, jose.ES256, jose.EdDSA}

// verifyKey is a key that tokens are verified with.
type verifyKey struct {
	id  string // kid; may be empty
	alg jose.SignatureAlgorithm
	key any
}

// Bounds of RSA keys, in bits: RFC 7518, section 3.3 has the lower; a larger one
// than the upper is there to keep us busy.
const (
	minRSA = 2048
	maxRSA = 8192
)

// algorithmOf is the one algorithm that a public key is good for; "" if none.
func algorithmOf(key any) jose.SignatureAlgorithm {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= minRSA && n <= maxRSA {
			return jose.RS256
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return jose.ES256
		}
	case ed25519.PublicKey:
		return jose.EdDSA
	}
	return ""
}

// maxJWKS bounds a set of keys.
const (
	maxJWKS     = 256 << 10 // bytes
	maxJWKSKeys = 64
)

// parseJWKS reads a set of public keys (RFC 7517). Keys that are none of ours,
// by type, use or algorithm, are left out, as section 5 has it.
func parseJWKS(doc []byte) ([]verifyKey, error) {
	if len(doc) > maxJWKS {
		return nil, fmt.Errorf("it has over %d bytes", maxJWKS)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(doc, &set); err != nil {
		return nil, errors.New("it is not a set of keys")
	}
	if len(set.Keys) > maxJWKSKeys {
		return nil, fmt.Errorf("it has %d keys; up to %d are read", len(set.Keys), maxJWKSKeys)
	}
	var keys []verifyKey
	for _, raw := range set.Keys {
		if k, ok := parseJWK(raw); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key for RS256 (2048 bits and more), ES256 or EdDSA")
	}
	return keys, nil
}

func parseJWK(raw []byte) (verifyKey, bool) {
	var uses struct {
		KeyOps []string `json:"key_ops"`
	}
	var k jose.JSONWebKey
	if json.Unmarshal(raw, &uses) != nil || k.UnmarshalJSON(raw) != nil || !k.Valid() || !k.IsPublic() {
		return verifyKey{}, false
	}
	alg := algorithmOf(k.Key)
	switch {
	case alg == "",
		k.Use != "" && k.Use != "sig",
		k.Algorithm != "" && k.Algorithm != string(alg),
		uses.KeyOps != nil && !slices.Contains(uses.KeyOps, "verify"):
		return verifyKey{}, false
	}
	return verifyKey{id: k.KeyID, alg: alg, key: k.Key}, true
}

// parseKeys reads public keys from a file: a set of keys, or PEM.
func parseKeys(text []byte) ([]verifyKey, error) {
	if block, _ := pem.Decode(text); block == nil {
		return parseJWKS(text)
	}
	var keys []verifyKey
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("there is a %q in it; a \"PUBLIC KEY\" is wanted", block.Type)
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("a key in it is damaged")
		}
		alg := algorithmOf(key)
		if alg == "" {
			return nil, errors.New("a key in it is not for RS256 (2048 bits and more), ES256 or EdDSA")
		}
		if keys = append(keys, verifyKey{alg: alg, key: key}); len(keys) > maxJWKSKeys {
			return nil, fmt.Errorf("it has over %d keys", maxJWKSKeys)
		}
	}
	return keys, nil
}
