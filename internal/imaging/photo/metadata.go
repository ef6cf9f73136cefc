package photo

import (
	"encoding/binary"
	"math"
	"strings"
)

// EXIF returns a big-endian TIFF block (CIPA DC-008): the orientation if it is
// not 0 and, with a place, what a camera adds: description, maker note, GPS
// and a thumbnail, all holding [Secret].
func EXIF(orientation int, place bool) []byte {
	t := &tiff{}
	t.b = append(t.b, "MM\x00*\x00\x00\x00\x08"...)
	var ifd0, exif, gps, ifd1 []entry
	if orientation != 0 {
		ifd0 = append(ifd0, entry{0x0112, 3, 1, []byte{byte(orientation >> 8), byte(orientation)}})
	}
	if place {
		ifd0 = append([]entry{{0x010E, 2, 0, []byte(Secret + " description\x00")}, {0x010F, 2, 0, []byte(Secret + " cameras\x00")}}, ifd0...)
		exif = []entry{{0x9003, 2, 0, []byte("2026:11:22 10:00:00\x00")}, {0x927C, 7, 0, []byte("MakerNote " + Secret)}}
		gps = []entry{
			{1, 2, 2, []byte("N\x00")},
			{2, 5, 3, degrees(59, 19, 30)},
			{3, 2, 2, []byte("E\x00")},
			{4, 5, 3, degrees(18, 4, 12)},
			{0x1B, 7, 0, []byte("ASCII\x00\x00\x00GPS " + Secret)},
		}
		ifd1 = []entry{{0x0103, 3, 1, []byte{0, 6}}, {0x0201, 13, 0, []byte("\xFF\xD8\xFF\xFE\x00\x15" + Secret + "\xFF\xD9")}}
	}
	t.directory(ifd0, exif, gps, ifd1)
	return t.b
}

type entry struct {
	tag, kind uint16
	count     uint32 // 0: as many as there are bytes
	value     []byte
}

type tiff struct{ b []byte }

// directory writes IFD0, the directories that hang below it and the one that
// follows it. Kind 13 marks a thumbnail: an offset, with its length after it.
func (t *tiff) directory(entries, exif, gps, next []entry) {
	if exif != nil {
		entries = append(entries, entry{tag: 0x8769, kind: 4, count: 1}, entry{tag: 0x8825, kind: 4, count: 1})
	}
	at := len(t.b)
	n := len(entries)
	for _, e := range entries {
		if e.kind == 13 {
			n++
		}
	}
	t.b = append(t.b, make([]byte, 2+12*n+4)...)
	be := binary.BigEndian
	be.PutUint16(t.b[at:], uint16(n))
	p := at + 2
	put := func(e entry, offset bool) {
		be.PutUint16(t.b[p:], e.tag)
		be.PutUint16(t.b[p+2:], e.kind)
		count := e.count
		if count == 0 {
			count = uint32(len(e.value))
		}
		be.PutUint32(t.b[p+4:], count)
		if offset || len(e.value) > 4 {
			be.PutUint32(t.b[p+8:], uint32(len(t.b)))
			t.b = append(t.b, e.value...)
		} else {
			copy(t.b[p+8:], e.value)
		}
		p += 12
	}
	for _, e := range entries {
		switch {
		case e.kind == 13:
			put(entry{e.tag, 4, 1, e.value}, true)
			put(entry{e.tag + 1, 4, 1, be.AppendUint32(nil, uint32(len(e.value)))}, false)
		case e.tag == 0x8769:
			put(entry{e.tag, 4, 1, be.AppendUint32(nil, uint32(len(t.b)))}, false)
			t.directory(exif, nil, nil, nil)
		case e.tag == 0x8825:
			put(entry{e.tag, 4, 1, be.AppendUint32(nil, uint32(len(t.b)))}, false)
			t.directory(gps, nil, nil, nil)
		default:
			put(e, false)
		}
	}
	if next != nil {
		be.PutUint32(t.b[p:], uint32(len(t.b)))
		t.directory(next, nil, nil, nil)
	}
}

func degrees(d, m, s uint32) []byte {
	var b []byte
	for _, v := range []uint32{d, m, s} {
		b = binary.BigEndian.AppendUint32(b, v)
		b = binary.BigEndian.AppendUint32(b, 1)
	}
	return b
}

func xmp() []byte {
	return []byte("<?xpacket begin='\uFEFF' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>" +
		"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'>" +
		"<dc:creator>" + Secret + "</dc:creator></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>")
}

// iptc is a Photoshop resource block with one IPTC record: the by-line.
func iptc() []byte {
	record := append([]byte{0x1C, 2, 80, 0, byte(len(Secret))}, Secret...)
	b := []byte("Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00")
	b = append(b, byte(len(record)))
	b = append(b, record...)
	return append(b, make([]byte, len(record)&1)...)
}

// Profile returns a colour profile as cameras embed one: ICC version 2, a
// display of sRGB's primaries (ICC.1:2001-04 section 6) with a gamma of 2.2.
func Profile() []byte {
	xyz := func(x, y, z float64) []byte {
		b := []byte("XYZ \x00\x00\x00\x00")
		for _, v := range []float64{x, y, z} {
			b = binary.BigEndian.AppendUint32(b, uint32(math.Round(v*65536)))
		}
		return b
	}
	text := "Postern test profile"
	desc := append([]byte("desc\x00\x00\x00\x00\x00\x00\x00"), byte(len(text)+1))
	desc = append(desc, text+strings.Repeat("\x00", 1+78)...)
	gamma := []byte("curv\x00\x00\x00\x00\x00\x00\x00\x01\x02\x33\x00\x00")
	tags := []struct {
		name  string
		value []byte
	}{
		{"desc", desc},
		{"cprt", []byte("text\x00\x00\x00\x00No rights reserved\x00")},
		{"wtpt", xyz(0.9642, 1, 0.8249)},
		{"rXYZ", xyz(0.4361, 0.2225, 0.0139)},
		{"gXYZ", xyz(0.3851, 0.7169, 0.0971)},
		{"bXYZ", xyz(0.1431, 0.0606, 0.7141)},
		{"rTRC", gamma},
		{"gTRC", gamma},
		{"bTRC", gamma},
	}
	be := binary.BigEndian
	b := make([]byte, 128, 1024)
	copy(b[8:], "\x02\x40\x00\x00mntrRGB XYZ ")
	copy(b[24:], "\x07\xEA\x00\x0B\x00\x16\x00\x00\x00\x00\x00\x00acsp")
	copy(b[68:], xyz(0.9642, 1, 0.8249)[8:])
	b = be.AppendUint32(b, uint32(len(tags)))
	at := len(b)
	b = append(b, make([]byte, 12*len(tags))...)
	for i, t := range tags {
		e := b[at+12*i:]
		copy(e, t.name)
		be.PutUint32(e[4:], uint32(len(b)))
		be.PutUint32(e[8:], uint32(len(t.value)))
		b = append(b, t.value...)
		b = append(b, make([]byte, -len(b)&3)...)
	}
	be.PutUint32(b, uint32(len(b)))
	return b
}
