package postern_test

import (
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

// What was granted and never came is told once its time is over, and not before;
// what comes late, since nobody announced it, is taken out again.
func TestStats_Expired(t *testing.T) {
	now := time.Now()
	g := start(t, posterntest.Config{NoWorker: true, Now: func() time.Time { return now }})
	is := func(what string, ended, used int64) {
		t.Helper()
		if s := g.Service.Stats(); s.Ended != ended || s.Used != used {
			t.Errorf("%s: %d ended, %d used; want %d and %d", what, s.Ended, s.Used, ended, used)
		}
	}
	file := photo.JPEG(photo.Options{Width: 40, Height: 30})
	g.Upload(t, "used.jpg", "image/jpeg", file)
	g.Grant(t, "never.jpg", "image/jpeg", file)
	late := g.Put(t, "late.jpg", "image/jpeg", file) // it arrives, and nobody says so
	is("while they last", 0, 0)
	now = now.Add(postern.DefaultLife + 20*time.Second)
	is("when they are over", 3, 1)
	if _, err := g.Service.Adopt(t.Context(), g.Incoming(t)[indexOf(t, g, late.ID)]); err != nil {
		t.Fatal(err)
	}
	is("when the sweep has found the one", 3, 2)
	g.Grant(t, "next.jpg", "image/jpeg", file)
	is("with another one", 3, 2)
	now = now.Add(postern.DefaultLife + 20*time.Second)
	is("later", 4, 2)
}

func indexOf(t *testing.T, g *posterntest.Gate, id string) int {
	t.Helper()
	for i, o := range g.Incoming(t) {
		if o.Key == postern.IncomingPrefix+id {
			return i
		}
	}
	t.Fatalf("%s is not there", id)
	return 0
}
