package records

import (
	"cmp"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
)

// noon is when the tests' clock starts.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// clock is a time that moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: noon} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// madeID returns the n-th of a sequence of ids that look and sort like real ones.
func madeID(n int) postern.ID {
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], uint64(noon.UnixMilli()+int64(n))<<16)
	return postern.ID(base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// arrival returns the n-th upload, as it is when its bytes have arrived.
func arrival(n int) postern.Upload {
	return postern.Upload{
		Ticket: postern.Ticket{
			ID: madeID(n), Preset: "photos", Principal: "alice", Filename: "Käfer <1>.jpg", Type: "image/jpeg",
			MinBytes: 1, MaxBytes: 25 << 20, SHA256: []byte("0123456789abcdef0123456789abcdef"),
			Metadata: map[string]string{"album": "42", "note": "a \"quoted\" word"},
			Expires:  noon.Add(10 * time.Minute),
		},
		State: postern.Stored, Size: 12345, ETag: `"9b2cf535f27731c974343645a3985328"`, StoredAt: noon.Add(time.Duration(n) * time.Millisecond),
		Trail: postern.Trail{RequestID: "request-1", Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	}
}

// ready returns u as a worker settles a good picture.
func ready(u postern.Upload) postern.Upload {
	u.State = postern.Ready
	u.SettledAt = noon.Add(time.Minute)
	u.Image = &postern.Image{
		Type: "image/jpeg", Width: 4000, Height: 3000, SHA256: []byte{0, 1, 254, 255}, Placeholder: []byte{7, 0, 9}, Color: "#a1b2c3",
		Variants: []postern.Variant{
			{Name: "thumb", Type: "image/jpeg", Width: 256, Height: 192, Size: 9000},
			{Name: "large", Type: "image/jpeg", Width: 2048, Height: 1536, Size: 500_000},
		},
	}
	return u
}

// place is where records lie: a file, or a schema on a server.
type place struct {
	conf    Config
	writers int // 0: as many as Open has
}

// onEach runs a test of what records promise wherever they lie.
func onEach(t *testing.T, test func(t *testing.T, p *place)) {
	t.Run("SQLite", func(t *testing.T) { test(t, &place{conf: Config{Path: filepath.Join(t.TempDir(), "records.db")}}) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, newServerPlace(t)) })
}

// open opens the records, once more if they are open, until the test ends.
func (p *place) open(t testing.TB, c *clock) *Records {
	t.Helper()
	conf, tune := p.conf, defaults()
	if conf.URL != "" {
		tune = serverDefaults()
	}
	tune.writers = cmp.Or(p.writers, tune.writers)
	if c != nil {
		conf.Now = c.Now
	}
	return openTuned(t, conf, tune)
}

func (p *place) openNew(t testing.TB) (*Records, *clock) {
	t.Helper()
	c := newClock()
	return p.open(t, c), c
}

// lite is the file in which r lies.
func lite(r *Records) *local { return r.db.(*local) }

// openAt opens records at path, on c, until the test ends.
func openAt(t *testing.T, path string, c *clock) *Records {
	t.Helper()
	return openTuned(t, Config{Path: path, Now: c.Now}, defaults())
}

func openNew(t *testing.T) (*Records, *clock) {
	t.Helper()
	c := newClock()
	return openAt(t, filepath.Join(t.TempDir(), "records.db"), c), c
}

func arrive(t *testing.T, r *Records, u postern.Upload) postern.Upload {
	t.Helper()
	now, fresh, err := r.Arrive(t.Context(), u)
	if err != nil || !fresh {
		t.Fatalf("Arrive: fresh %v, %v", fresh, err)
	}
	return now
}

func claimOne(t *testing.T, r *Records) postern.Claim {
	t.Helper()
	claims, err := r.Claim(t.Context(), time.Minute, 1)
	if err != nil || len(claims) != 1 {
		t.Fatalf("Claim: %d claims, %v; want one", len(claims), err)
	}
	return claims[0]
}

func want(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%s: %v; want %v", what, err, target)
	}
}

// eventually waits until ok holds, and fails the test when it never does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
