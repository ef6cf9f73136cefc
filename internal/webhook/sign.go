package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SecretPrefix begins a secret as people hand it on.
const SecretPrefix = "whsec_"

// Secrets are of 24 to 64 bytes, as the standard recommends.
const minSecret, maxSecret = 24, 64

// Secret is the key that signs, and that a receiver verifies with.
type Secret []byte

// ParseSecret reads "whsec_" and base64. Errors never repeat it.
func ParseSecret(text string) (Secret, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, SecretPrefix))
	switch {
	case err != nil:
		return nil, errors.New("a webhook secret must be whsec_ and base64: openssl rand -base64 32 makes what follows whsec_")
	case len(b) < minSecret || len(b) > maxSecret:
		return nil, fmt.Errorf("a webhook secret must have %d to %d bytes, not %d", minSecret, maxSecret, len(b))
	}
	return b, nil
}

// sign returns the webhook-signature of a message: one for each secret, so that
// a receiver that has either of them can verify while they are exchanged.
// Standard Webhooks, "Signature scheme": HMAC-SHA256 over id, timestamp and body
// with dots between.
func sign(secrets []Secret, id string, at time.Time, body []byte) string {
	signatures := make([]string, len(secrets))
	for i, s := range secrets {
		h := hmac.New(sha256.New, s)
		h.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		h.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return strings.Join(signatures, " ")
}
