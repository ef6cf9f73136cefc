package records

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
)

// oddities are strings that quoting, encodings and C have had trouble with.
var oddities = []string{
	"", " ", "'", `"`, `\`, "''; DROP TABLE uploads; --", "$1", "?1", "%s", "a\x00b", "\x00", "\ufeff", "\u2028\u2029",
	"é", "e\u0301", "👩‍👩‍👧", "\U0010ffff", "שלום", "\u202egpj.exe", "\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "a\xc3", "<b>&amp;</b>", "null", "[]", "{}", "0",
	"1e999", "NaN", "2026-01-01T00:00:00Z", strings.Repeat("x", 70_000), "\r\n\t", "\x1b[31m", "true", "[1,", "--", "/*",
}

func odd(g *rand.Rand) string {
	switch g.IntN(3) {
	case 0:
		return oddities[g.IntN(len(oddities))]
	case 1:
		b := make([]byte, g.IntN(40))
		for i := range b {
			b[i] = byte(g.UintN(256))
		}
		return string(b)
	}
	var b strings.Builder
	for range g.IntN(20) {
		b.WriteRune(rune(g.IntN(0x3000)))
	}
	return b.String()
}

// oddWords is odd, but text: what goes into JSON is written by ourselves.
func oddWords(g *rand.Rand) string { return strings.ToValidUTF8(odd(g), "\ufffd") }

func oddBytes(g *rand.Rand) []byte {
	if b := []byte(odd(g)); len(b) > 0 {
		return b
	}
	return nil
}

func oddTime(g *rand.Rand) time.Time { return time.UnixMilli(g.Int64N(1 << 45)).UTC() }

func oddUpload(g *rand.Rand, n int) postern.Upload {
	u := postern.Upload{
		Ticket: postern.Ticket{
			ID: madeID(n), Preset: odd(g), Principal: odd(g), Filename: odd(g), Type: odd(g),
			MinBytes: g.Int64(), MaxBytes: g.Int64(), SHA256: oddBytes(g), Expires: oddTime(g),
		},
		State: postern.Stored, Size: g.Int64(), ETag: odd(g), StoredAt: oddTime(g),
	}
	for range g.IntN(4) {
		if u.Metadata == nil {
			u.Metadata = map[string]string{}
		}
		u.Metadata[odd(g)] = odd(g)
	}
	return u
}

func oddEnd(g *rand.Rand, u postern.Upload) postern.Upload {
	u.SettledAt = oddTime(g)
	u.State = []postern.State{postern.Ready, postern.Rejected, postern.Failed}[g.IntN(3)]
	if u.State != postern.Ready {
		u.Problem = &postern.Error{Code: postern.Code(oddWords(g)), Detail: oddWords(g), Field: oddWords(g), Limit: g.Int64()}
		for range g.IntN(3) {
			u.Problem.Allowed = append(u.Problem.Allowed, oddWords(g))
		}
		return u
	}
	u.Image = &postern.Image{
		Type: oddWords(g), Width: g.Int(), Height: g.Int(), SHA256: oddBytes(g), Placeholder: oddBytes(g), Color: oddWords(g),
	}
	for range g.IntN(3) {
		u.Image.Variants = append(u.Image.Variants, postern.Variant{Name: oddWords(g), Type: oddWords(g), Width: g.Int(), Height: g.Int(), Size: g.Int64()})
	}
	return u
}

// Whatever is noted comes back as it was, byte for byte.
func TestUploadsComeBackAsTheyWere(t *testing.T) { onEach(t, testUploadsComeBackAsTheyWere) }

func testUploadsComeBackAsTheyWere(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	seed := rand.Uint64()
	var all sync.WaitGroup
	for n := range 300 {
		all.Go(func() {
			g := rand.New(rand.NewPCG(seed, uint64(n)))
			u := oddUpload(g, n)
			check := func(what string, got postern.Upload, err error) {
				if err != nil || !reflect.DeepEqual(got, u) {
					t.Errorf("seed %d, upload %d: %s: %v\n%+.2000q\nwant\n%+.2000q", seed, n, what, err, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", u))
				}
			}
			got, fresh, err := r.Arrive(t.Context(), u)
			check("Arrive", got, err)
			if !fresh {
				t.Errorf("seed %d, upload %d is not fresh", seed, n)
			}
			got, err = r.Upload(t.Context(), u.ID)
			check("Upload", got, err)
		})
	}
	all.Wait()
	claims, err := r.Claim(t.Context(), time.Minute, 300)
	if err != nil || len(claims) != 300 {
		t.Fatalf("%d claims, %v", len(claims), err)
	}
	for n, c := range claims {
		g := rand.New(rand.NewPCG(seed, uint64(1000+n)))
		all.Go(func() {
			u := oddEnd(g, c.Upload)
			if err := r.Settle(t.Context(), c, u); err != nil {
				t.Errorf("seed %d: Settle: %v", seed, err)
			}
			got, err := r.Upload(t.Context(), u.ID)
			if err != nil || !reflect.DeepEqual(got, u) {
				t.Errorf("seed %d: settled: %v\n%+.2000q\nwant\n%+.2000q", seed, err, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", u))
			}
			list, err := r.Uploads(t.Context(), postern.Query{Principal: u.Principal, State: u.State, Limit: postern.MaxPage})
			found := false
			for _, l := range list {
				found = found || reflect.DeepEqual(l, u)
			}
			if err != nil || !found {
				t.Errorf("seed %d: not in the list of %q: %v", seed, u.Principal, err)
			}
		})
	}
	all.Wait()
}

func TestRowsThatSomebodyElseWrote(t *testing.T) { onEach(t, testRowsThatSomebodyElseWrote) }

func testRowsThatSomebodyElseWrote(t *testing.T, p *place) {
	r, _ := p.openNew(t)
	good, err := encode(&postern.Upload{Ticket: arrival(1).Ticket, State: postern.Stored})
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*row){
		"sha256":   func(w *row) { w.sha256 = "xyz" },
		"metadata": func(w *row) { w.metadata = "{" },
		"pairs":    func(w *row) { w.metadata = "[1]" },
		"odd":      func(w *row) { w.metadata = `["YQ=="]` },
		"image":    func(w *row) { w.image = sql.NullString{String: "[]", Valid: true} },
		"problem":  func(w *row) { w.problem = sql.NullString{String: "", Valid: true} },
	} {
		w := good
		w.id = name
		spoil(&w)
		if _, err := w.decode(); err == nil {
			t.Errorf("%s: decoded", name)
		}
		if _, err := r.write(t.Context(), change{query: insertUpload, args: append(w.values(), 0)}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Upload(t.Context(), postern.ID(name)); err == nil {
			t.Errorf("%s: a bad row was read", name)
		}
		if l, ok := r.db.(*local); ok && l.file.broken.Load() {
			t.Errorf("%s: a bad row spoils the file", name)
		}
	}
}
