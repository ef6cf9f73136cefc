package postern

import (
	"bytes"
	"encoding/base64"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

var testSecret = bytes.Repeat([]byte("s"), 32)

func testKeys(t testing.TB, secrets ...[]byte) keys {
	t.Helper()
	if secrets == nil {
		secrets = [][]byte{testSecret}
	}
	k, err := newKeys(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func fullTicket(t testing.TB, k keys) *Ticket {
	t.Helper()
	id, err := k.newID(time.Unix(1_700_000_000, 0), MaxLife, strings.Repeat("p", MaxPrincipal), rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for i := range MaxMetadataPairs {
		m[string(rune('a'+i))] = strings.Repeat("v", MaxMetadata/MaxMetadataPairs-1)
	}
	return &Ticket{
		ID: id, Preset: strings.Repeat("x", 32), Principal: strings.Repeat("p", MaxPrincipal),
		Filename: strings.Repeat("f", MaxFilename), Type: "image/jpeg", MinBytes: 5 << 30, MaxBytes: 5 << 30,
		SHA256: bytes.Repeat([]byte{7}, 32), Metadata: m, Expires: time.Unix(1_700_003_600, 0).UTC(),
	}
}

func TestTicketRoundTrip(t *testing.T) {
	k := testKeys(t)
	full := fullTicket(t, k)
	for _, want := range []*Ticket{full, {ID: full.ID, Preset: "p", Principal: "anonymous", Type: "image/png", MinBytes: 1, MaxBytes: 2, Expires: full.Expires}} {
		sealed := k.seal(want)
		if len(sealed) > maxTicket {
			t.Errorf("a sealed ticket has %d bytes; S3 and the design allow %d", len(sealed), maxTicket)
		}
		got, err := k.open(sealed)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("open = %+v, %v, want %+v", got, err, want)
		}
	}
}

// The largest ticket must also be legal as one header field and as S3 user metadata.
func TestTicketFitsS3(t *testing.T) {
	k := testKeys(t)
	if n := len(k.seal(fullTicket(t, k))); n > 1536 || n+len(TicketHeader) > 2048 {
		t.Errorf("the largest ticket has %d bytes", n)
	}
}

func TestTicketRotation(t *testing.T) {
	old, fresh := bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("n"), 32)
	before := testKeys(t, old)
	sealed := before.seal(fullTicket(t, before))
	during := testKeys(t, fresh, old)
	if _, err := during.open(sealed); err != nil {
		t.Errorf("during rotation the old secret must open: %v", err)
	}
	id := fullTicket(t, before).ID
	if !during.made(id) || !during.madeFor(id, strings.Repeat("p", MaxPrincipal)) {
		t.Error("during rotation ids of the old secret must be known")
	}
	after := testKeys(t, fresh)
	if _, err := after.open(sealed); !errors.Is(err, errTicket) {
		t.Errorf("after rotation the old secret must not open: %v", err)
	}
}

// Threat 4, 34: a ticket that was forged or altered anywhere is not a ticket.
func TestThreat34_AlteredTicket(t *testing.T) {
	k := testKeys(t)
	sealed := k.seal(fullTicket(t, k))
	raw, _ := base64.RawURLEncoding.DecodeString(sealed)
	for i := range raw {
		b := bytes.Clone(raw)
		b[i] ^= 1 << (i % 8)
		if _, err := k.open(base64.RawURLEncoding.EncodeToString(b)); err == nil {
			t.Fatalf("bit %d of byte %d flipped: opened", i%8, i)
		}
	}
	for n := range raw {
		if _, err := k.open(base64.RawURLEncoding.EncodeToString(raw[:n])); err == nil {
			t.Fatalf("cut to %d bytes: opened", n)
		}
	}
	other := testKeys(t, bytes.Repeat([]byte("z"), 32))
	for _, forged := range []string{"", "x", other.seal(fullTicket(t, other)), sealed + "A", sealed + "=", " " + sealed, strings.Repeat("A", 5000)} {
		if _, err := k.open(forged); err == nil {
			t.Errorf("opened %.20q…", forged)
		}
	}
}

func TestIDs(t *testing.T) {
	k := testKeys(t)
	random := rand.NewChaCha8([32]byte{2})
	start := time.UnixMilli(1_700_000_000_123)
	last := ID("")
	for i := range 1000 {
		now := start.Add(time.Duration(i) * time.Millisecond)
		id, err := k.newID(now, 10*time.Minute, "alice", random)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[0-9a-v]{52}$`).MatchString(string(id)) {
			t.Fatalf("id %q", id)
		}
		if id <= last {
			t.Fatalf("ids must sort by time: %q after %q", id, last)
		}
		last = id
		granted, expires, ok := id.times()
		if !ok || !granted.Equal(now) || !expires.Equal(now.Add(10*time.Minute)) {
			t.Fatalf("times of %q: %v %v %v", id, granted, expires, ok)
		}
		if !k.made(id) || !k.madeFor(id, "alice") || k.madeFor(id, "bob") || k.madeFor(id, "") {
			t.Fatal("the id must be alice's alone")
		}
	}
}

// Threat 15, 40: made-up ids are told from real ones without a look-up, and
// there is one spelling of each.
func TestThreat40_MadeUpIDs(t *testing.T) {
	k := testKeys(t)
	id, err := k.newID(time.Now(), time.Minute, "alice", rand.NewChaCha8([32]byte{3}))
	if err != nil {
		t.Fatal(err)
	}
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCXYZ/-. %"
	for i := range id {
		for _, c := range alphabet {
			if byte(c) == id[i] {
				continue
			}
			forged := id[:i] + ID(c) + id[i+1:]
			if k.madeFor(forged, "alice") {
				t.Fatalf("%q is taken for %q", forged, id)
			}
		}
	}
	for _, forged := range []ID{"", "x", id + "0", id[1:], ID(strings.ToUpper(string(id))), "../../../../etc/passwd"} {
		if k.made(forged) {
			t.Errorf("%q is taken for an id", forged)
		}
	}
}

func FuzzTicket(f *testing.F) {
	k := testKeys(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		// Hostile bytes under a right MAC must not panic, and what opens must
		// seal to the same ticket.
		ticket, err := k.open(sealed(k[0].ticket, body))
		if err != nil {
			return
		}
		again, err := k.open(k.seal(ticket))
		if err != nil {
			if len(k.seal(ticket)) > maxTicket {
				return
			}
			t.Fatalf("%+v does not open again: %v", ticket, err)
		}
		if again.ID != ticket.ID || !maps.Equal(again.Metadata, ticket.Metadata) || !bytes.Equal(again.SHA256, ticket.SHA256) {
			t.Fatalf("got %+v, want %+v", again, ticket)
		}
	})
}

// Fuzz targets without seeds search blindly; see that each has some.
func TestFuzzSeeds(t *testing.T) {
	for _, name := range []string{"FuzzTicket", "FuzzRequest", "FuzzAppendGrant", "FuzzPlainAsk"} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", name, "*"))
		if err != nil || len(seeds) == 0 {
			t.Errorf("%s has no seeds (%v)", name, err)
		}
	}
	if _, err := os.Stat("testdata"); err != nil {
		t.Error(err)
	}
}
