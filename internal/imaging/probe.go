package imaging

import (
	"bytes"
	"encoding/binary"
	"image"

	"postern.example/postern"
)

// outline is what a walk over a file's blocks says, without decoding.
type outline struct {
	postern.Probe
	total       int64 // pixels of all frames
	orientation int   // EXIF, 1 to 8
	icc         []byte

	at     image.Point // of an animated WebP: where its first frame stands
	ids    []byte      // of a JPEG: its components
	seen   [256]bool   // and those that a scan has named
	raw    int64       // bytes the coded samples must unpack to, at least
	packed int64       // bytes there are to unpack
	ratio  int64       // what one of them unpacks to at most; 0: unknown
}

var (
	errTruncated = postern.ErrTruncated.With("The file ends too early; it was probably cut short while it was copied or uploaded.")
	errCorrupt   = postern.ErrCorrupt.With("The picture is damaged and cannot be opened.")
)

func walk(b []byte) (*outline, error) {
	o := &outline{orientation: 1}
	o.Type, _ = sniff(b)
	o.Frames = 1
	var err error
	switch o.Type {
	case "image/jpeg":
		err = o.walkJPEG(b)
	case "image/png":
		err = o.walkPNG(b)
	case "image/gif":
		err = o.walkGIF(b)
	case "image/webp":
		err = o.walkWebP(b)
	}
	if err != nil {
		return nil, err
	}
	if o.Width == 0 || o.Height == 0 {
		return nil, errCorrupt
	}
	if o.total == 0 {
		o.total = o.Pixels() * int64(o.Frames)
	}
	return o, nil
}

func (o *outline) walkJPEG(b []byte) error {
	parts := map[int][]byte{}
	chunks := 0
	for i := 2; ; {
		if i+2 > len(b) {
			return errTruncated
		}
		if b[i] != 0xFF { // some cameras pad their segments; decoders look on
			i++
			continue
		}
		m := b[i+1]
		switch {
		case m == 0xFF:
			i++
			continue
		case m == 0xD9:
			for _, id := range o.ids {
				if !o.seen[id] {
					return errCorrupt // a colour that no scan fills
				}
			}
			o.icc = usableProfile(joinICC(parts, chunks))
			return nil
		case m == 0x01 || m >= 0xD0 && m <= 0xD7:
			i += 2
			continue
		}
		if i+4 > len(b) {
			return errTruncated
		}
		n := int(binary.BigEndian.Uint16(b[i+2:]))
		if n < 2 {
			return errCorrupt
		}
		if i+2+n > len(b) {
			return errTruncated
		}
		seg := b[i+4 : i+2+n]
		i += 2 + n
		switch {
		case m == 0xC0 || m == 0xC1 || m == 0xC2:
			if len(seg) < 6 {
				return errCorrupt
			}
			if seg[0] != 8 {
				return postern.ErrUnsupported.With("This JPEG has %d bits a colour; only 8 are supported.", seg[0])
			}
			if o.Width != 0 {
				return errCorrupt
			}
			o.Height, o.Width = int(binary.BigEndian.Uint16(seg[1:])), int(binary.BigEndian.Uint16(seg[3:]))
			if seg[5] == 4 {
				return postern.ErrUnsupported.With("This JPEG is made for print (CMYK). Save it with RGB colours.")
			}
			for c := seg[6:]; len(c) >= 3 && len(o.ids) < int(seg[5]); c = c[3:] {
				o.ids = append(o.ids, c[0])
			}
			// Each 8×8 block of the first component takes a bit at least, and
			// two when it is not progressive: a DC code and an AC code.
			o.raw, o.ratio = int64(o.Width+7)/8*(int64(o.Height+7)/8), 8
			if m != 0xC2 {
				o.raw *= 2
			}
		case m >= 0xC3 && m <= 0xCF && m != 0xC4 && m != 0xC8 && m != 0xCC:
			return postern.ErrUnsupported.With("This kind of JPEG (lossless or arithmetic) is not supported. Save it as a usual one.")
		case m == 0xE1 && bytes.HasPrefix(seg, []byte("Exif\x00\x00")):
			if v := orientationOf(seg[6:]); v != 0 {
				o.orientation = v
			}
		case m == 0xE2 && bytes.HasPrefix(seg, []byte("ICC_PROFILE\x00")) && len(seg) > 14:
			parts[int(seg[12])], chunks = seg[14:], int(seg[13])
		case m == 0xDA:
			o.Scans++
			for c := seg[min(1, len(seg)):]; len(c) >= 5; c = c[2:] { // 3 bytes follow the list
				o.seen[c[0]] = true
			}
			from := i
			for {
				k := bytes.IndexByte(b[i:], 0xFF)
				if k < 0 || i+k+1 >= len(b) {
					return errTruncated
				}
				i += k
				if c := b[i+1]; c == 0 || c >= 0xD0 && c <= 0xD7 {
					i += 2
				} else if c == 0xFF {
					i++
				} else {
					break
				}
			}
			o.packed += int64(i - from)
		}
	}
}
