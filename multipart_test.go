package postern

import (
	"reflect"
	"strings"
	"testing"
)

// Sizes of parts add up to the file, whatever its size, within S3's rules.
func TestPartSizes(t *testing.T) {
	for _, size := range []int64{1, MinPartSize - 1, MinPartSize, MinPartSize + 1, 100e6, 1 << 30, 5 << 30, 5<<40 - 1, maxInParts} {
		p := Preset{PartSize: MinPartSize}
		x := &partsTicket{partSize: p.partSizeFor(size), minBytes: size, maxBytes: size}
		if x.partSize < MinPartSize || x.partSize > MaxPartSize || x.count() < 1 || x.count() > MaxParts {
			t.Errorf("%d bytes: %d parts of %d", size, x.count(), x.partSize)
		}
		var parts []Part
		var sum int64
		for n := 1; n <= x.count(); n++ {
			parts = append(parts, Part{Number: n, Size: x.size(n)})
			sum += x.size(n)
			if x.size(n) < 1 || x.size(n) > x.partSize || (n < x.count() && x.size(n) != x.partSize) {
				t.Fatalf("%d bytes: part %d of %d has %d", size, n, x.count(), x.size(n))
			}
		}
		if sum != size {
			t.Errorf("%d bytes: the parts have %d", size, sum)
		}
		if err := x.check(parts); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		parts[len(parts)-1].Size++
		if err := x.check(parts); err == nil {
			t.Errorf("%d bytes: one byte more is taken", size)
		}
	}
}

func TestPartsTicket(t *testing.T) {
	k := testKeys(t)
	want := &partsTicket{
		id: ID(strings.Repeat("0", idLen)), principal: strings.Repeat("p", MaxPrincipal), uploadID: strings.Repeat("u", 200),
		partSize: MaxPartSize, minBytes: 1, maxBytes: maxInParts, life: 3600,
	}
	text := k.sealParts(want)
	if got, err := k.openParts(text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if len(text) > 700 {
		t.Errorf("a ticket has %d bytes", len(text))
	}
	if _, err := k.open(text); err == nil {
		t.Error("it opens as the ticket of an object")
	}
	if _, err := k.openParts(k.seal(&Ticket{ID: want.id})); err == nil {
		t.Error("the ticket of an object opens as one")
	}
	for i := range text {
		altered := []byte(text)
		altered[i] ^= 1
		if _, err := k.openParts(string(altered)); err == nil {
			t.Errorf("altered at %d it opens", i)
		}
	}
}

func FuzzPartsTicket(f *testing.F) {
	k := testKeys(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		// Hostile bytes under a right MAC must not panic, and what opens must
		// seal to the same ticket.
		ticket, err := k.openParts(sealed(k[0].parts, body))
		if err != nil {
			return
		}
		again, err := k.openParts(k.sealParts(ticket))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(ticket, again) {
			t.Errorf("%+v became %+v", ticket, again)
		}
	})
}
