package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

// kind is what a client does.
type kind string

const (
	honest   kind = "honest"
	silent   kind = "never says that it arrived"
	doubled  kind = "says so five times at once"
	markup   kind = "sends HTML"
	cut      kind = "sends half a file"
	bomb     kind = "sends a bomb"
	larger   kind = "sends more than it said"
	replayed kind = "sends other bytes afterwards"
	faked    kind = "says so and sends nothing"
	foreign  kind = "says so of somebody else's"
)

var liars = []kind{silent, doubled, markup, cut, bomb, larger, replayed, faked, foreign}

// wanted is the state in which an upload of a kind has to end; empty: in none.
func (k kind) wanted() postern.State {
	switch k {
	case markup, cut, bomb:
		return postern.Rejected
	case larger, faked, foreign:
		return ""
	}
	return postern.Ready
}

// one is one client's upload.
type one struct {
	kind  kind
	photo int // which
	id    string
	acked bool // the bucket has said that it has it
	state postern.State
	grant time.Duration // how long the grant took
	fault error         // why its client gave up
	wait  time.Duration // from "complete" to the final state
}

// crowd is all clients.
type crowd struct {
	h      *house
	o      options
	photos [][]byte
	other  []byte // what replays send

	mu      sync.Mutex
	list    []*one
	begun   atomic.Int64
	settled atomic.Int64
	retries atomic.Int64
	gaveUp  atomic.Int64
}

const photoKinds = 8

func newCrowd(h *house, o options) *crowd {
	c := &crowd{h: h, o: o}
	for i := range photoKinds {
		c.photos = append(c.photos, photo.JPEG(photo.Options{Width: 320, Height: 240 + 16*i, Seed: int64(i), Orientation: 1, GPS: true}))
	}
	c.other = photo.JPEG(photo.Options{Width: 111, Height: 99, Seed: 99})
	return c
}

func (c *crowd) progress() string {
	return fmt.Sprintf("%d begun, %d settled, %d retries", c.begun.Load(), c.settled.Load(), c.retries.Load())
}

// run has the clients do their uploads.
func (c *crowd) run(ctx context.Context) {
	end := time.Now().Add(c.o.limit)
	work := make(chan int)
	var all sync.WaitGroup
	for range c.o.clients {
		all.Go(func() {
			for n := range work {
				c.upload(ctx, n)
			}
		})
	}
	for n := 0; n < c.o.uploads && time.Now().Before(end) && ctx.Err() == nil; n++ {
		work <- n
	}
	close(work)
	all.Wait()
}

func (c *crowd) upload(ctx context.Context, n int) {
	r := rand.New(rand.NewPCG(c.o.seed, uint64(n)+100)) //nolint:gosec // to be repeated
	u := &one{kind: honest, photo: r.IntN(photoKinds)}
	if r.IntN(20) == 0 {
		u.kind = liars[r.IntN(len(liars))]
	}
	c.begun.Add(1)
	c.mu.Lock()
	c.list = append(c.list, u)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	if err := c.live(ctx, r, u); err != nil {
		c.gaveUp.Add(1) // what was acknowledged is looked at in the end all the same
		u.fault = err
		return
	}
	c.settled.Add(1)
}

var errPermanent = errors.New("refused")

// tries does something until it is done, refused for good, or time is over.
func (c *crowd) tries(ctx context.Context, r *rand.Rand, do func() error) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 3*time.Second) {
		err := do()
		if err == nil || errors.Is(err, errPermanent) {
			return err
		}
		c.retries.Add(1)
		if !lasts(ctx, time.Duration(r.Int64N(int64(pause)))+10*time.Millisecond) {
			return err
		}
	}
}

// api asks one of the copies, whichever.
func (c *crowd) api(ctx context.Context, r *rand.Rand, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	return c.tries(ctx, r, func() error {
		q, err := http.NewRequestWithContext(ctx, method, "http://"+c.h.toCopy[r.IntN(copies)].Addr()+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		q.Header.Set("Content-Type", "application/json")
		res, err := c.h.http.Do(q)
		if err != nil {
			return err
		}
		defer res.Body.Close() //nolint:errcheck // it was only read
		text, err := io.ReadAll(res.Body)
		switch {
		case err != nil:
			return err
		case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
			return fmt.Errorf("status %d", res.StatusCode)
		case res.StatusCode >= 400:
			return fmt.Errorf("%w: %s %s: %d %.200s", errPermanent, method, path, res.StatusCode, text)
		case out == nil:
			return nil
		}
		return json.Unmarshal(text, out)
	})
}

// live is the life of one upload.
func (c *crowd) live(ctx context.Context, r *rand.Rand, u *one) error {
	file := c.photos[u.photo]
	sent := file
	switch u.kind {
	case markup:
		sent = []byte("<!doctype html><script>alert('chaos')</script>" + strings.Repeat(" ", r.IntN(999)))
	case cut:
		sent = file[:len(file)/2]
	case bomb:
		sent = photo.PNGHeader(60_000, 60_000)
	}
	size := int64(len(sent))
	if u.kind == larger {
		sent = append(bytes.Clone(file), make([]byte, 1+r.IntN(5000))...)
		size = int64(len(file))
	}
	preset := []string{"form", "form", "put", "parts", "quota"}[r.IntN(5)]
	if u.kind == replayed || u.kind == larger {
		preset = "form" // whose permission works twice, and takes a body as it is
	}
	var up posterntest.Upload
	began := time.Now()
	if err := c.api(ctx, r, http.MethodPost, "/uploads", postern.Request{Preset: preset, Filename: "p.jpg", Type: "image/jpeg", Size: &size}, &up); err != nil {
		return err
	}
	u.id, u.grant = up.ID, time.Since(began)
	if u.kind == faked || u.kind == foreign {
		return c.lie(ctx, r, u)
	}
	if err := c.send(ctx, r, u, up.Grant, sent); err != nil {
		if u.kind == larger && errors.Is(err, errPermanent) {
			return nil // as it should be
		}
		return err
	}
	u.acked = up.Grant.Method != "MULTIPART" // parts are an object once they are joined
	if u.kind == silent && u.acked {
		return nil // somebody has to find it
	}
	began = time.Now()
	in := map[string]string{}
	if up.Grant.Ticket != "" {
		in["ticket"] = up.Grant.Ticket
	}
	complete := func() error { return c.api(ctx, r, http.MethodPost, "/uploads/"+u.id+"/complete", in, nil) }
	if u.kind == doubled {
		var five sync.WaitGroup
		for range 5 {
			own := rand.New(rand.NewPCG(r.Uint64(), 5))                                                 //nolint:gosec // to be repeated
			five.Go(func() { c.api(ctx, own, http.MethodPost, "/uploads/"+u.id+"/complete", in, nil) }) //nolint:errcheck // one more follows
		}
		five.Wait()
	}
	if err := complete(); err != nil {
		return err
	}
	u.acked = true
	if err := c.follow(ctx, r, u); err != nil {
		return err
	}
	u.wait = time.Since(began)
	if u.kind == replayed {
		return c.send(ctx, r, u, up.Grant, append(bytes.Clone(c.other), make([]byte, len(file)-len(c.other))...))
	}
	return nil
}

// send sends the file to the bucket until that says that it has it, or that it
// will not.
func (c *crowd) send(ctx context.Context, r *rand.Rand, u *one, grant *posterntest.Grant, file []byte) error {
	g := &posterntest.Gate{HTTP: c.h.http}
	return c.tries(ctx, r, func() error {
		given := *grant
		given.Parts = append([]posterntest.SignedPart(nil), grant.Parts...)
		status, body, err := g.Send(ctx, &given, file)
		switch {
		case err != nil:
			return err
		case status/100 == 2, status == http.StatusPreconditionFailed: // an earlier try got through
			return nil
		case status == http.StatusForbidden || status == http.StatusBadRequest:
			if u.kind != larger && (strings.Contains(body, "RequestTimeout") || strings.Contains(body, "IncompleteBody")) {
				return fmt.Errorf("status %d", status)
			}
			return fmt.Errorf("%w: status %d: %.200s", errPermanent, status, body)
		}
		return fmt.Errorf("status %d", status)
	})
}

// lie says that something has arrived that has not.
func (c *crowd) lie(ctx context.Context, r *rand.Rand, u *one) error {
	id := u.id
	if u.kind == foreign {
		// One that nobody was given: the proof at its end is not ours.
		id = id[:len(id)-6] + strings.Map(func(x rune) rune {
			if x == '0' {
				return '1'
			}
			return '0'
		}, id[len(id)-6:])
	}
	for range 3 {
		err := c.api(ctx, r, http.MethodPost, "/uploads/"+id+"/complete", map[string]string{}, nil)
		if err == nil {
			return fmt.Errorf("%s: it was believed", u.kind)
		}
		if !errors.Is(err, errPermanent) {
			return err
		}
	}
	return nil
}

// follow asks until the upload is settled.
func (c *crowd) follow(ctx context.Context, r *rand.Rand, u *one) error {
	for {
		var up posterntest.Upload
		if err := c.api(ctx, r, http.MethodGet, "/uploads/"+u.id, nil, &up); err != nil {
			return err
		}
		if up.State == postern.Ready || up.State == postern.Rejected || up.State == postern.Failed {
			u.state = up.State
			return nil
		}
		if !lasts(ctx, 200*time.Millisecond+time.Duration(r.IntN(200))*time.Millisecond) {
			return ctx.Err()
		}
	}
}
