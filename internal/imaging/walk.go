package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"image"
	"io"
)

// maxICC is the largest colour profile that is kept; larger ones are dropped.
const maxICC = 64 << 10

func joinICC(parts map[int][]byte, total int) []byte {
	var icc []byte
	for k := 1; k <= total; k++ {
		p, ok := parts[k]
		if !ok || len(icc)+len(p) > maxICC {
			return nil
		}
		icc = append(icc, p...)
	}
	return icc
}

func (o *outline) walkPNG(b []byte) error {
	for i := 8; ; {
		if i+12 > len(b) {
			return errTruncated
		}
		n, name := int64(binary.BigEndian.Uint32(b[i:])), string(b[i+4:i+8])
		if n > 1<<31-1 {
			return errCorrupt
		}
		if (i == 8) != (name == "IHDR") {
			return errCorrupt
		}
		if name == "IHDR" && n >= 8 && i+16 <= len(b) {
			o.Width, o.Height = int(binary.BigEndian.Uint32(b[i+8:])), int(binary.BigEndian.Uint32(b[i+12:]))
			if o.Width < 0 || o.Height < 0 {
				return errCorrupt
			}
			if n == 13 && i+18 <= len(b) {
				o.unpacksTo(b[i+16], b[i+17])
			}
		}
		if int64(i)+12+n > int64(len(b)) {
			return errTruncated
		}
		body := b[i+8 : i+8+int(n)]
		switch name {
		case "acTL":
			if n >= 4 {
				o.Frames = max(1, int(min(binary.BigEndian.Uint32(body), 1<<30)))
			}
		case "eXIf":
			if v := orientationOf(body); v != 0 {
				o.orientation = v
			}
		case "IDAT":
			o.packed += n
		case "iCCP":
			o.icc = usableProfile(inflateICC(body))
		case "IEND":
			return nil
		}
		i += 12 + int(n)
	}
}

// unpacksTo notes how many bytes the scan lines have (PNG, sections 7.2 and 9),
// and that deflate makes at most 1,032 of one (RFC 1951, section 3.2.5: a match
// of 258 in two bits).
func (o *outline) unpacksTo(depth, colour byte) {
	channels := map[byte]int64{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
	line := 1 + (int64(o.Width)*channels*int64(depth)+7)/8
	o.ratio, o.raw = 1032, 1<<62
	if line <= o.raw/max(1, int64(o.Height)) {
		o.raw = line * int64(o.Height)
	}
}

func inflateICC(body []byte) []byte {
	k := bytes.IndexByte(body, 0)
	if k < 0 || k+2 > len(body) || body[k+1] != 0 {
		return nil
	}
	r, err := zlib.NewReader(bytes.NewReader(body[k+2:]))
	if err != nil {
		return nil
	}
	icc, err := io.ReadAll(io.LimitReader(r, maxICC+1))
	if err != nil || len(icc) > maxICC {
		return nil
	}
	return icc
}

func (o *outline) walkGIF(b []byte) error {
	if len(b) < 13 {
		return errTruncated
	}
	o.Width, o.Height, o.Frames = int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:])), 0
	i := 13
	if b[10]&0x80 != 0 {
		i += 3 << (b[10]&7 + 1)
	}
	blocks := func() bool {
		for i < len(b) {
			n := int(b[i])
			i += 1 + n
			if n == 0 {
				return true
			}
		}
		return false
	}
	for {
		if i >= len(b) {
			return errTruncated
		}
		switch b[i] {
		case 0x3B:
			if o.Frames == 0 {
				return errCorrupt
			}
			return nil
		case 0x21:
			if i += 2; !blocks() {
				return errTruncated
			}
		case 0x2C:
			if i+10 > len(b) {
				return errTruncated
			}
			o.Frames++
			o.total += int64(binary.LittleEndian.Uint16(b[i+5:])) * int64(binary.LittleEndian.Uint16(b[i+7:]))
			flags := b[i+9]
			i += 10
			if flags&0x80 != 0 {
				i += 3 << (flags&7 + 1)
			}
			if i++; !blocks() {
				return errTruncated
			}
		default:
			return errCorrupt
		}
	}
}

func (o *outline) walkWebP(b []byte) error {
	if len(b) < 20 {
		return errTruncated
	}
	size := int64(binary.LittleEndian.Uint32(b[4:]))
	if size+8 > int64(len(b)) {
		return errTruncated
	}
	b = b[:size+8]
	frames := 0
	for i := 12; i+8 <= len(b); {
		n := int64(binary.LittleEndian.Uint32(b[i+4:]))
		if int64(i)+8+n > int64(len(b)) {
			return errTruncated
		}
		body := b[i+8 : i+8+int(n)]
		switch name := string(b[i : i+4]); name {
		case "VP8X":
			if len(body) < 10 {
				return errCorrupt
			}
			o.atLeast(1+uint24(body[4:]), 1+uint24(body[7:]))
		case "VP8 ", "VP8L":
			if err := o.bitstream(name, body); err != nil {
				return err
			}
		case "ANMF":
			if len(body) < 24 {
				return errCorrupt
			}
			if frames++; frames == 1 {
				o.at = image.Pt(2*uint24(body), 2*uint24(body[3:]))
			}
			o.total += int64(1+uint24(body[6:])) * int64(1+uint24(body[9:]))
			if err := o.frame(body[16:]); err != nil {
				return err
			}
		case "EXIF":
			if v := orientationOf(bytes.TrimPrefix(body, []byte("Exif\x00\x00"))); v != 0 {
				o.orientation = v
			}
		case "ICCP":
			o.icc = usableProfile(body)
		}
		i += 8 + int(n+n&1)
	}
	o.Frames = max(1, frames)
	return nil
}

// frame walks the chunks of an animation's frame. The decoder goes by what
// stands in the bitstream, whatever frame and canvas say, and so do the limits.
func (o *outline) frame(b []byte) error {
	for i := 0; i+8 <= len(b); {
		n := int64(binary.LittleEndian.Uint32(b[i+4:]))
		if int64(i)+8+n > int64(len(b)) {
			return errTruncated
		}
		if name := string(b[i : i+4]); name == "VP8 " || name == "VP8L" {
			if err := o.bitstream(name, b[i+8:i+8+int(n)]); err != nil {
				return err
			}
		}
		i += 8 + int(n+n&1)
	}
	return nil
}

// bitstream reads the dimensions of a VP8 (RFC 6386, section 9.1) or VP8L
// (WebP lossless specification, section 3) bitstream.
func (o *outline) bitstream(name string, b []byte) error {
	switch {
	case name == "VP8 " && len(b) >= 10:
		o.atLeast(int(binary.LittleEndian.Uint16(b[6:]))&0x3FFF, int(binary.LittleEndian.Uint16(b[8:]))&0x3FFF)
	case name == "VP8L" && len(b) >= 5:
		v := binary.LittleEndian.Uint32(b[1:])
		o.atLeast(int(v&0x3FFF)+1, int(v>>14&0x3FFF)+1)
	default:
		return errCorrupt
	}
	return nil
}

func (o *outline) atLeast(w, h int) { o.Width, o.Height = max(o.Width, w), max(o.Height, h) }

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// orientationOf reads tag 0x0112 of a TIFF header; 0: there is none.
func orientationOf(t []byte) int {
	if len(t) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(t[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(t[4:]))
	if at < 8 || at+2 > int64(len(t)) {
		return 0
	}
	for k := range int64(order.Uint16(t[at:])) {
		e := at + 2 + 12*k
		if e+12 > int64(len(t)) {
			return 0
		}
		if order.Uint16(t[e:]) == 0x0112 {
			if v := int(order.Uint16(t[e+8:])); v >= 1 && v <= 8 {
				return v
			}
			return 0
		}
	}
	return 0
}
