package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
)

// encode writes a JPEG, or a PNG where alpha matters, with the colour profile
// and no other metadata.
func encode(m image.Image, alpha bool, quality int, icc []byte) ([]byte, string, error) {
	if _, grey := m.(*image.Gray); icc != nil && !profileFits(icc, grey) {
		icc = nil // it would be read as for other colours than these
	}
	var b bytes.Buffer
	if alpha {
		if err := png.Encode(&b, m); err != nil {
			return nil, "", err
		}
		return profilePNG(b.Bytes(), icc), "image/png", nil
	}
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		return nil, "", err
	}
	return profileJPEG(b.Bytes(), icc), "image/jpeg", nil
}

// profileJPEG puts a profile just behind SOI (ICC.1:2022, annex B.4).
func profileJPEG(src, icc []byte) []byte {
	const most = 65535 - 2 - 14
	n := (len(icc) + most - 1) / most
	if n == 0 {
		return src
	}
	out := make([]byte, 0, len(src)+len(icc)+18*n)
	out = append(out, src[:2]...)
	for k := range n {
		c := icc[k*most : min(len(icc), (k+1)*most)]
		out = append(out, 0xFF, 0xE2)
		out = binary.BigEndian.AppendUint16(out, uint16(16+len(c))) //nolint:gosec // at most 65535
		out = append(out, "ICC_PROFILE\x00"...)
		out = append(out, byte(k+1), byte(n)) //nolint:gosec // at most 64 KB in all
		out = append(out, c...)
	}
	return append(out, src[2:]...)
}

// profilePNG puts a profile behind IHDR (PNG, section 11.3.2.3).
func profilePNG(src, icc []byte) []byte {
	const header = 8 + 12 + 13
	if len(icc) == 0 {
		return src
	}
	var body bytes.Buffer
	body.WriteString("iCCPICC\x00\x00")
	z := zlib.NewWriter(&body)
	z.Write(icc) //nolint:errcheck // bytes.Buffer never fails
	z.Close()    //nolint:errcheck // bytes.Buffer never fails
	out := make([]byte, 0, len(src)+body.Len()+8)
	out = append(out, src[:header]...)
	out = binary.BigEndian.AppendUint32(out, uint32(body.Len()-4)) //nolint:gosec // at most about 64 KB
	out = append(out, body.Bytes()...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body.Bytes()))
	return append(out, src[header:]...)
}
