package sigv4

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

// Texts that have every kind of beginning in common, one after the other, by
// one mac: each code is that of crypto/hmac.
func TestMACIsHMAC(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 32, 63, 64, 65, 200} {
		key := make([]byte, size)
		for i := range key {
			key[i] = byte(rnd.Int())
		}
		m := mac{key: newHMACStates(key), hash: sha256.New()}
		for range 3000 {
			// Each block is one of two, so that beginnings come and go.
			some := make([]byte, rnd.IntN(400))
			for at := 0; at < len(some); at += sha256.BlockSize {
				kind := byte(rnd.IntN(2))
				for i := at; i < min(at+sha256.BlockSize, len(some)); i++ {
					some[i] = kind
				}
			}
			m.sign(some)
			want := hmac.New(sha256.New, key)
			want.Write(some)
			if !bytes.Equal(m.sum[:], want.Sum(nil)) {
				t.Fatalf("key of %d bytes, text of %d: %x", size, len(some), m.sum)
			}
		}
	}
}

func TestEncodings(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(rnd.Int())
		}
		if got, want := string(appendBase64([]byte("#"), text)), "#"+base64.StdEncoding.EncodeToString(text); got != want {
			t.Fatalf("%d bytes: %s, want %s", n, got, want)
		}
		sum := sha256.Sum256(text)
		if got, want := string(appendHex([]byte("#"), &sum)), "#"+hex.EncodeToString(sum[:]); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}

// Every byte in every position of texts of all short lengths.
func TestIsPlain(t *testing.T) {
	for size := 1; size < 20; size++ {
		for at := range size {
			for c := range 256 {
				text := bytes.Repeat([]byte("x"), size)
				text[at] = byte(c)
				want := c >= ' ' && c < 0x7f && c != '"' && c != '\\'
				if got := isPlain(string(text)); got != want {
					t.Fatalf("%q: %v", text, got)
				}
			}
		}
	}
	if !isPlain("") {
		t.Error("nothing is not plain")
	}
}
