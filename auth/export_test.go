package auth

import "encoding/base64"

// OpenToken opens a token and returns it as it is sealed again.
func OpenToken(secrets [][]byte) func(text string) (string, error) {
	keys, err := newTokenKeys(secrets)
	if err != nil {
		panic(err)
	}
	return func(text string) (string, error) {
		t, err := keys.open(text)
		if err != nil {
			return "", err
		}
		return keys.seal(t), nil
	}
}

// SealBody puts the seal on any bytes.
func SealBody(secret, body []byte) string {
	keys, err := newTokenKeys([][]byte{secret})
	if err != nil {
		panic(err)
	}
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(append(body[:len(body):len(body)], tag(keys[0], body)...))
}
