package sigv4

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
)

// A policy's text in base64 took a third of a signature with encoding/base64,
// and hexadecimal a tenth with encoding/hex: both go letter by letter. Here a
// table gives two letters at a time. TestEncodings holds them against the
// standard library's.

// base64Pairs has the two letters of every 12 bits, the first in the low byte.
var base64Pairs = func() (t [1 << 12]uint16) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range t {
		t[i] = uint16(letters[i>>6]) | uint16(letters[i&63])<<8
	}
	return t
}()

// appendBase64 appends src in standard base64 with padding, RFC 4648 section 4.
// The two may share an array if dst begins where src ends.
func appendBase64(dst, src []byte) []byte {
	dst = slices.Grow(dst, base64.StdEncoding.EncodedLen(len(src)))
	for len(src) >= 8 { // six of them become eight letters; a load of eight is one instruction
		v := binary.BigEndian.Uint64(src)
		dst = binary.LittleEndian.AppendUint64(dst,
			uint64(base64Pairs[v>>52])|
				uint64(base64Pairs[v>>40&0xfff])<<16|
				uint64(base64Pairs[v>>28&0xfff])<<32|
				uint64(base64Pairs[v>>16&0xfff])<<48)
		src = src[6:]
	}
	return base64.StdEncoding.AppendEncode(dst, src)
}

// hexPairs has the two lower-case hexadecimal digits of every byte, the first
// in the low byte.
var hexPairs = func() (t [1 << 8]uint16) {
	for i := range t {
		t[i] = uint16(hexDigits[i>>4]) | uint16(hexDigits[i&15])<<8
	}
	return t
}()

// appendHex appends a hash in lower-case hexadecimal.
func appendHex(dst []byte, sum *[32]byte) []byte {
	for i := 0; i < len(sum); i += 4 {
		dst = binary.LittleEndian.AppendUint64(dst,
			uint64(hexPairs[sum[i]])|uint64(hexPairs[sum[i+1]])<<16|uint64(hexPairs[sum[i+2]])<<32|uint64(hexPairs[sum[i+3]])<<48)
	}
	return dst
}
