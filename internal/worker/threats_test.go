package worker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"testing"

	"postern.example/postern"
	"postern.example/postern/internal/worker"
)

// What is shown is always the picture whose hash the record names, whenever
// the browser's object is written over with the same grant.
func TestThreat01_SwapAfterComplete(t *testing.T) {
	t.Run("before the check", func(t *testing.T) {
		h := newHouse(t)
		good, evil := jpegOf(t, 640, 480, green), jpegOf(t, 480, 640, red)
		g := h.grant(postern.Request{})
		h.send(g, good)
		h.complete(g)
		h.send(g, evil)
		h.run(h.worker(nil))
		// The other bytes are no worse than the first: they were checked too.
		h.wantShown(h.await(g.Ticket.ID, postern.Ready), evil, red)
		h.awaitGone(postern.IncomingPrefix)
	})
	t.Run("before the check, by no picture", func(t *testing.T) {
		h := newHouse(t)
		g := h.grant(postern.Request{})
		h.send(g, jpegOf(t, 640, 480, green))
		h.complete(g)
		h.send(g, []byte("<script>alert(1)</script>"))
		h.run(h.worker(nil))
		h.await(g.Ticket.ID, postern.Rejected)
		h.awaitGone(postern.IncomingPrefix)
		h.awaitGone(postern.ImagesPrefix)
	})
	t.Run("during the check", func(t *testing.T) {
		swapDuring(t, newHouse(t), nil)
	})
	t.Run("after the check", func(t *testing.T) {
		h := newHouse(t)
		good := jpegOf(t, 640, 480, green)
		g := h.grant(postern.Request{})
		h.send(g, good)
		h.complete(g)
		w := h.worker(nil)
		h.run(w)
		h.await(g.Ticket.ID, postern.Ready)
		h.awaitGone(postern.IncomingPrefix)
		before := h.served(g.Ticket.ID)
		h.send(g, jpegOf(t, 480, 640, red))
		h.complete(g)
		if _, err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.wantSame(g.Ticket.ID, before)
		h.wantShown(h.await(g.Ticket.ID, postern.Ready), good, green)
		h.awaitGone(postern.IncomingPrefix)
	})
}

// swapDuring writes the object over while its picture is being rendered.
func swapDuring(t *testing.T, h *house, bucket postern.Bucket) {
	good, evil := jpegOf(t, 640, 480, green), jpegOf(t, 480, 640, red)
	rendering := newGate()
	h.run(h.worker(func(c *worker.Config) {
		c.Engine = &troubledEngine{Engine: h.engine, render: func(ctx context.Context, _ []byte) error { return rendering.pass(ctx) }}
		if bucket != nil {
			c.Bucket = bucket
		}
	}))
	g := h.grant(postern.Request{})
	h.send(g, good)
	h.complete(g)
	rendering.waitFor(t)
	h.send(g, evil)
	rendering.release()
	h.wantShown(h.await(g.Ticket.ID, postern.Ready), good, green)
	h.awaitGone(postern.IncomingPrefix)
}

// oneETag is a bucket whose ETags all collide.
type oneETag struct{ troubledBucket }

func (b *oneETag) Head(ctx context.Context, key string) (postern.Object, error) {
	o, err := b.Bucket.Head(ctx, key)
	o.ETag = "00000000000000000000000000000000"
	return o, err
}

// The worker trusts no ETag: it has the bytes in its hands.
func TestThreat02_ETagCollision(t *testing.T) {
	h := newHouse(t)
	swapDuring(t, h, &oneETag{troubledBucket{Bucket: h.bucket}})
}

// A grant used again after its upload was settled changes nothing.
func TestThreat03_Replay(t *testing.T) {
	for _, test := range []struct {
		name        string
		first, next []byte
		state       postern.State
	}{
		{"of a ready upload", jpegOf(t, 640, 480, green), jpegOf(t, 300, 200, red), postern.Ready},
		{"of a rejected upload", []byte("no picture at all"), jpegOf(t, 300, 200, red), postern.Rejected},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			w := h.worker(nil)
			stop := h.run(w)
			g := h.grant(postern.Request{})
			h.send(g, test.first)
			h.complete(g)
			settled := h.await(g.Ticket.ID, test.state)
			h.awaitGone(postern.IncomingPrefix)
			stop() // from here on only the sweeps made below
			before, counted := h.served(g.Ticket.ID), w.Stats()
			for range 3 {
				h.send(g, test.next)
				h.complete(g)
				s, err := w.Sweep(t.Context())
				if err != nil || s.Replays != 1 || s.DeletedBytes != int64(len(test.next)) {
					t.Fatalf("sweep: %+v, %v; want one replay of %d bytes", s, err, len(test.next))
				}
			}
			h.wantSame(g.Ticket.ID, before)
			now := h.record(g.Ticket.ID)
			if now.State != test.state || !now.SettledAt.Equal(settled.SettledAt) || now.Size != settled.Size {
				t.Errorf("record is %+v, was %+v", now, settled)
			}
			if got := w.Stats().Settled; got != counted.Settled {
				t.Errorf("%d jobs were settled, want %d", got, counted.Settled)
			}
			h.awaitGone(postern.IncomingPrefix)
		})
	}
}

// What the bytes are decides, not what was declared.
func TestThreat07_ContentTypeSpoof(t *testing.T) {
	h := newHouse(t)
	h.run(h.worker(nil))
	for name, body := range map[string]string{
		"html": "<!doctype html><script>alert(document.domain)</script>",
		"svg":  `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`,
		"pdf":  "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
		"zip":  "PK\x03\x04\x14\x00\x00\x00\x08\x00 and so on, at some length",
		"exe":  "MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00",
		"js":   "window.alert('not a picture');",
	} {
		t.Run(name, func(t *testing.T) {
			h := h.in(t)
			id := h.upload([]byte(body))
			u := h.await(id, postern.Rejected)
			if u.Problem == nil || u.Problem.Detail == "" {
				t.Errorf("problem is %+v, want words", u.Problem)
			}
			if got := h.served(id); len(got) > 0 {
				t.Errorf("served: %v", got)
			}
		})
	}
	t.Run("png as jpeg", func(t *testing.T) {
		h, src := h.in(t), pngOf(t, 300, 200, green)
		u := h.await(h.upload(src), postern.Ready)
		if u.Image.Type != "image/png" {
			t.Errorf("type is %s, want image/png", u.Image.Type)
		}
		h.wantShown(u, src, green)
	})
	h.awaitGone(postern.IncomingPrefix)
}

// Files built to exhaust whoever opens them are refused, in bounded memory,
// and the next upload goes through.
func TestThreat11_BombsLeaveWorkerAlive(t *testing.T) {
	h := newHouse(t)
	h.run(h.worker(nil))
	var frames gif.GIF
	for range 400 {
		frames.Image = append(frames.Image, image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{green, red}))
		frames.Delay = append(frames.Delay, 1)
	}
	var animation bytes.Buffer
	if err := gif.EncodeAll(&animation, &frames); err != nil {
		t.Fatal(err)
	}
	wide := jpegOf(t, 64, 64, red)
	sof := bytes.Index(wide, []byte{0xff, 0xc0}) // ff c0 length(2) precision(1) height(2) width(2)
	binary.BigEndian.PutUint16(wide[sof+5:], 65500)
	binary.BigEndian.PutUint16(wide[sof+7:], 65500)
	tall := pngOf(t, 64, 64, red)
	binary.BigEndian.PutUint32(tall[16:], 65535)
	binary.BigEndian.PutUint32(tall[20:], 65535)
	binary.BigEndian.PutUint32(tall[29:], crc32.ChecksumIEEE(tall[12:29]))
	lying := pngOf(t, 64, 64, red) // 64 rows are there, 4000 are said
	binary.BigEndian.PutUint32(lying[20:], 4000)
	binary.BigEndian.PutUint32(lying[29:], crc32.ChecksumIEEE(lying[12:29]))

	ids := map[string]postern.ID{}
	for name, bomb := range map[string][]byte{
		"65500x65500 jpeg": wide, "65535x65535 png": tall, "400 frames gif": animation.Bytes(), "png that ends early": lying,
	} {
		ids[name] = h.upload(bomb)
	}
	for name, id := range ids {
		u := h.await(id, postern.Rejected)
		if u.Problem == nil || u.Problem.Detail == "" || len(h.served(id)) > 0 {
			t.Errorf("%s: problem %+v, served %v", name, u.Problem, h.served(id))
		}
	}
	good := jpegOf(t, 640, 480, green)
	h.wantShown(h.await(h.upload(good), postern.Ready), good, green)
	h.awaitGone(postern.IncomingPrefix)
}

// A panic in a decoder ends one attempt. After the last, that one upload has
// failed; all else goes on.
func TestThreat12_DecoderPanic(t *testing.T) {
	for _, where := range []string{"probe", "render"} {
		t.Run(where, func(t *testing.T) {
			h := newHouse(t)
			cursed, good := jpegOf(t, 320, 200, red), jpegOf(t, 640, 480, green)
			curse := func(src []byte) {
				if bytes.Equal(src, cursed) {
					var none []byte
					_ = none[len(src)] // as a decoder would
				}
			}
			e := &troubledEngine{Engine: h.engine}
			if where == "probe" {
				e.probe = curse
			} else {
				e.render = func(_ context.Context, src []byte) error { curse(src); return nil }
			}
			w := h.worker(func(c *worker.Config) { c.Engine, c.Attempts = e, 3 })
			h.run(w)
			bad := h.upload(cursed)
			h.wantShown(h.await(h.upload(good), postern.Ready), good, green)
			u := h.await(bad, postern.Failed)
			if u.Problem == nil || u.Problem.Code != postern.ErrProcessing.Code || u.Problem.Detail == "" {
				t.Errorf("problem is %+v", u.Problem)
			}
			if s := w.Stats(); s.Panics != 3 || s.PixelsInUse != 0 {
				t.Errorf("stats are %+v, want 3 panics and no pixels in use", s)
			}
			h.wantShown(h.await(h.upload(good), postern.Ready), good, green)
			if h.object(postern.IncomingPrefix+string(bad)) == nil {
				t.Error("the bytes of a failed upload were deleted at once")
			}
		})
	}
}

// Saying "complete" makes nothing true.
func TestThreat34_FakeComplete(t *testing.T) {
	h := newHouse(t)
	w := h.worker(nil)
	h.run(w)
	missing := h.grant(postern.Request{})
	if _, err := h.service.Complete(t.Context(), principal, missing.Ticket.ID); !errors.Is(err, postern.ErrNotArrived) {
		t.Errorf("complete with nothing there: %v, want %v", err, postern.ErrNotArrived)
	}
	foreign := h.grant(postern.Request{})
	h.put(postern.IncomingPrefix+string(foreign.Ticket.ID), jpegOf(t, 100, 100, red)) // without a ticket
	if _, err := h.service.Complete(t.Context(), principal, foreign.Ticket.ID); !errors.Is(err, postern.ErrNotArrived) {
		t.Errorf("complete with an object without a ticket: %v, want %v", err, postern.ErrNotArrived)
	}
	good := jpegOf(t, 640, 480, green)
	h.wantShown(h.await(h.upload(good), postern.Ready), good, green)
	for _, id := range []postern.ID{missing.Ticket.ID, foreign.Ticket.ID} {
		if u := h.record(id); u.ID != "" || len(h.served(id)) > 0 {
			t.Errorf("there is a record %+v, served %v", u, h.served(id))
		}
	}
}

// An object that does not carry the upload's ticket was not granted. It is
// not rendered; nor is it deleted before it is certain that no secret was
// mixed up.
func TestThreat34_TicketTakenAway(t *testing.T) {
	h := newHouse(t)
	g := h.grant(postern.Request{})
	h.send(g, jpegOf(t, 640, 480, green))
	h.complete(g)
	key := postern.IncomingPrefix + string(g.Ticket.ID)
	h.put(key, jpegOf(t, 640, 480, red)) // by someone with a key to the bucket
	w := h.worker(func(c *worker.Config) { c.Attempts = 2 })
	h.run(w)
	eventually(t, "5 attempts", func() bool { return w.Stats().Postponed >= 5 })
	if u := h.record(g.Ticket.ID); u.State != postern.Stored || h.object(key) == nil {
		t.Fatalf("upload is %s, want %s and its object there", u.State, postern.Stored)
	}
	h.clock.advance(postern.Grace)
	u := h.await(g.Ticket.ID, postern.Failed)
	if u.Problem.Detail != "The file in the bucket is not the one that was granted." {
		t.Errorf("problem is %+v", u.Problem)
	}
	h.awaitGone(postern.ImagesPrefix)
	h.clock.advance(postern.Grace)
	if s, err := w.Sweep(t.Context()); err != nil || s.Replays != 1 {
		t.Errorf("sweep: %+v, %v; want the object of a failed upload deleted a day later", s, err)
	}
	h.awaitGone(postern.IncomingPrefix)
}
