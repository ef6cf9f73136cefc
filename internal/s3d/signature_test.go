package s3d

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// signature signs a text by the four steps of signature version 4.
func signature(secret, day, region, text string) string {
	key := []byte("AWS4" + secret)
	for _, step := range []string{day, region, "s3", "aws4_request", text} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(step))
		key = h.Sum(nil)
	}
	return hex.EncodeToString(key)
}
