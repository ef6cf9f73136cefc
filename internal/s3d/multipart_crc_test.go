package s3d

import (
	"encoding/base64"
	"encoding/hex"
	"hash/crc32"
	"hash/crc64"
	"testing"
)

// FuzzCRCJoin: the CRC of two pieces is that of their bytes, as the standard
// library has it.
func FuzzCRCJoin(f *testing.F) {
	f.Fuzz(func(t *testing.T, first, second []byte) {
		whole := append(append([]byte{}, first...), second...)
		for name, sum := range map[string]func([]byte) uint64{
			"crc32":     func(b []byte) uint64 { return uint64(crc32.ChecksumIEEE(b)) },
			"crc32c":    func(b []byte) uint64 { return uint64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))) },
			"crc64nvme": func(b []byte) uint64 { return crc64.Checksum(b, crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
		} {
			p := newPolynomials(findAlgorithm(name))
			for range 2 { // the second time with the power at hand
				if got, want := p.join(sum(first), sum(second), int64(len(second))), sum(whole); got != want {
					t.Errorf("%s: %x, want %x", name, got, want)
				}
			}
			if back := p.number(p.sum(sum(whole))); back != sum(whole) {
				t.Errorf("%s: %x becomes %x", name, sum(whole), back)
			}
		}
	})
}

// The values of known texts, so that nothing rests on the standard library's
// tables alone: CRC-64/NVME of "123456789" is AE8B14860A799888 (its entry in
// the catalogue of CRC algorithms), and of zeros by the terabyte.
func TestCRCJoin(t *testing.T) {
	a := findAlgorithm("crc64nvme")
	decode := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		must(t, err)
		return b
	}
	p := newPolynomials(a)
	first, second := decode(sumOf(a.name, "12345")), decode(sumOf(a.name, "6789"))
	if got := hex.EncodeToString(p.sum(p.join(p.number(first), p.number(second), 4))); got != "ae8b14860a799888" {
		t.Errorf("%s", got)
	}
	// Doubling zeros: 2^43 bytes, one way and the other.
	for _, name := range []string{"crc32", "crc32c", "crc64nvme"} {
		a := findAlgorithm(name)
		p := newPolynomials(a)
		zero := p.number(decode(sumOf(name, "\x00")))
		doubled, n := zero, int64(1)
		for range 43 {
			doubled = p.join(doubled, doubled, n)
			n *= 2
		}
		// n-3 zeros and three more.
		short := zero
		left := n - 4
		for at, power := int64(1), zero; left > 0; left >>= 1 {
			if left&1 != 0 {
				short = p.join(short, power, at)
			}
			power, at = p.join(power, power, at), at*2
		}
		if got := p.join(short, p.number(decode(sumOf(name, "\x00\x00\x00"))), 3); got != doubled {
			t.Errorf("%s: %x, want %x", name, got, doubled)
		}
	}
	for _, name := range []string{"sha1", "sha256"} {
		if newPolynomials(findAlgorithm(name)) != nil {
			t.Errorf("%s is no CRC", name)
		}
	}
}
