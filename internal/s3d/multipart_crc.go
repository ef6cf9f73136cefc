package s3d

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/minio/crc64nvme"
)

// The CRC of a whole follows from those of its parts, without a look at their
// bytes: a CRC is the remainder of the bytes, taken as a polynomial over GF(2),
// and to append n bytes is to multiply by x^8n. Bits are reflected, as in all
// CRCs of S3: the highest is x^0.

// polynomials are those modulo that of a CRC.
type polynomials struct {
	poly uint64
	one  uint64 // x^0
	// The last power that was needed, for parts are mostly of one size.
	bytes int64
	power uint64 // x^(8*bytes)
}

// newPolynomials returns those of a checksum, nil when that is no CRC.
func newPolynomials(a *algorithm) *polynomials {
	switch a.name {
	case "crc32":
		return &polynomials{poly: crc32.IEEE, one: 1 << 31}
	case "crc32c":
		return &polynomials{poly: crc32.Castagnoli, one: 1 << 31}
	case "crc64nvme":
		return &polynomials{poly: crc64nvme.NVME, one: 1 << 63}
	}
	return nil
}

// times multiplies two polynomials.
func (f *polynomials) times(a, b uint64) (product uint64) {
	for bit := f.one; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		odd := b & 1
		b >>= 1
		if odd != 0 {
			b ^= f.poly
		}
	}
	return product
}

// shift returns x^(8n).
func (f *polynomials) shift(n int64) uint64 {
	if f.power != 0 && f.bytes == n {
		return f.power
	}
	power, square := f.one, f.one>>8 // x^8
	for left := n; left > 0; left >>= 1 {
		if left&1 != 0 {
			power = f.times(power, square)
		}
		square = f.times(square, square)
	}
	f.bytes, f.power = n, power
	return power
}

// join returns the CRC of two pieces one after the other; the second has n
// bytes. What a CRC is begun and ended with cancels out, as both are all ones.
func (f *polynomials) join(first, second uint64, n int64) uint64 {
	return f.times(f.shift(n), first) ^ second
}

// number and sum turn a CRC as checksums have it, big-endian, to a number and
// back.

func (f *polynomials) number(sum []byte) uint64 {
	if len(sum) == 4 {
		return uint64(binary.BigEndian.Uint32(sum))
	}
	return binary.BigEndian.Uint64(sum)
}

func (f *polynomials) sum(n uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, n)
	if f.one == 1<<31 {
		return b[4:]
	}
	return b
}
