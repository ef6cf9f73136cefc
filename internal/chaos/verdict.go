package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // what is served
	_ "image/png"  // likewise
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"postern.example/postern"
	"postern.example/postern/records"
)

// verdict is what was found in the end.
type verdict struct {
	states   map[postern.State]int
	acked    int
	looked   int // pictures that were fetched and opened
	events   int
	again    int // events that came more than once
	objects  int
	healed   time.Duration
	swept    string
	problems []string
}

const shownProblems = 20

func (v *verdict) wrong(format string, args ...any) {
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

// verdict waits until all is quiet, and looks at everything.
func (h *house) verdict(ctx context.Context, c *crowd) (*verdict, error) {
	v := &verdict{states: map[postern.State]int{}}
	began := time.Now()
	for _, p := range append(h.copies[:], h.disks...) {
		if p.ready == nil {
			continue
		}
		if err := p.awake(ctx, 2*time.Minute); err != nil {
			v.wrong("%v", err)
			return v, errors.New("it did not come back by itself")
		}
	}
	r, err := records.Open(ctx, records.Config{URL: h.database, NoMigrate: true})
	if err != nil {
		return v, err
	}
	defer r.Close() //nolint:errcheck // it was only read
	rows, err := h.quiet(ctx, c, r, v)
	if err != nil {
		return v, err
	}
	v.healed = time.Since(began)
	h.judge(c, rows, v)
	h.look(ctx, c, rows, v)
	if err := h.clean(ctx, rows, v); err != nil {
		return v, err
	}
	h.readLogs(v)
	if len(v.problems) > 0 {
		return v, fmt.Errorf("%d things are not as they must be", len(v.problems))
	}
	return v, nil
}

const quietTime = 5 * time.Minute

// quiet waits until every acknowledged upload is settled and told.
func (h *house) quiet(ctx context.Context, c *crowd, r *records.Records, v *verdict) (map[postern.ID]postern.Upload, error) {
	for end := time.Now().Add(quietTime); ; {
		rows := map[postern.ID]postern.Upload{}
		var after postern.ID
		for {
			page, err := r.Scan(ctx, after, 1000)
			if err != nil {
				return nil, err
			}
			for _, u := range page {
				rows[u.ID], after = u, u.ID
			}
			if len(page) < 1000 {
				break
			}
		}
		open := 0
		for _, u := range rows {
			if !u.State.Final() {
				open++
			}
		}
		missing := 0
		for _, u := range c.list {
			if u.acked && rows[postern.ID(u.id)].State == "" {
				missing++
			}
		}
		untold, _, err := r.Untold(ctx)
		if err != nil {
			return nil, err
		}
		if open+missing+untold == 0 {
			return rows, nil
		}
		if time.Now().After(end) {
			v.wrong("after %s %d uploads are not settled, %d are not noted, %d events are not told", quietTime, open, missing, untold)
			return rows, nil
		}
		if untold > 0 && open+missing == 0 { // their pauses are minutes: say that they are due
			if err := replayAll(ctx, r); err != nil {
				return nil, err
			}
		}
		if !lasts(ctx, time.Second) {
			return nil, ctx.Err()
		}
	}
}

// replayAll makes due what waits for its next try.
func replayAll(ctx context.Context, r *records.Records) error {
	list, err := r.Deliveries(ctx, time.Now().Add(time.Hour), false, 1_000_000)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.DeliveredAt.IsZero() && d.NextAt.After(time.Now().Add(10*time.Second)) {
			if _, err := r.Replay(ctx, d.Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge holds each client's upload against its record and its events.
func (h *house) judge(c *crowd, rows map[postern.ID]postern.Upload, v *verdict) {
	h.hooks.mu.Lock()
	defer h.hooks.mu.Unlock()
	if h.hooks.forged > 0 {
		v.wrong("%d events could not be verified", h.hooks.forged)
	}
	known := map[string]*one{}
	for _, u := range c.list {
		known[u.id] = u
		row, noted := rows[postern.ID(u.id)]
		if u.acked {
			v.acked++
		}
		want := u.kind.wanted()
		switch {
		case u.acked && !noted:
			v.wrong("%s (%s) was acknowledged and is not known", u.id, u.kind)
		case noted && want == "":
			v.wrong("%s (%s) is %s", u.id, u.kind, row.State)
		case noted && row.State != want:
			v.wrong("%s (%s) is %s (%v), not %s", u.id, u.kind, row.State, row.Problem, want)
		case u.state != "" && u.state != row.State:
			v.wrong("%s was said to be %s, and is %s", u.id, u.state, row.State)
		}
	}
	for id, row := range rows {
		v.states[row.State]++
		if known[string(id)] == nil {
			v.wrong("%s is %s, and nobody asked for it", id, row.State)
		}
		final := 0
		for event, n := range h.hooks.heard[string(id)] {
			v.events++
			if n > 1 {
				v.again++
			}
			if strings.HasPrefix(event, "upload.ready ") || strings.HasPrefix(event, "upload.rejected ") || strings.HasPrefix(event, "upload.failed ") {
				final++
			}
		}
		if final != 1 || len(h.hooks.heard[string(id)]) != 2 {
			v.wrong("%s: the events are %v", id, h.hooks.heard[string(id)])
		}
	}
}

// look fetches the pictures of every ready upload as a visitor would, and holds
// them against what its client sent.
func (h *house) look(ctx context.Context, c *crowd, rows map[postern.ID]postern.Upload, v *verdict) {
	work := make(chan *one)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for u := range work {
				err := h.seen(ctx, c, u, rows[postern.ID(u.id)])
				mu.Lock()
				v.looked++
				if err != nil {
					v.wrong("%s (%s): %v", u.id, u.kind, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, u := range c.list {
		work <- u
	}
	close(work)
	all.Wait()
}

// seen looks at one upload's pictures; of one that is not ready there are none.
func (h *house) seen(ctx context.Context, c *crowd, u *one, row postern.Upload) error {
	if u.id == "" {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.toCopy[0].Addr()+"/images/"+u.id+"/large", nil)
	if err != nil {
		return err
	}
	res, err := h.http.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if row.State != postern.Ready {
		if res.StatusCode == http.StatusOK {
			return errors.New("it is served")
		}
		return nil
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("its picture is not there: status %d", res.StatusCode)
	}
	got, _, err := image.Decode(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("its picture cannot be opened: %w", err)
	}
	sent, _, err := image.Decode(bytes.NewReader(c.photos[u.photo]))
	if err != nil {
		return err
	}
	if row.Image.Width != sent.Bounds().Dx() || row.Image.Height != sent.Bounds().Dy() {
		return fmt.Errorf("it is %d×%d, and was %v", row.Image.Width, row.Image.Height, sent.Bounds())
	}
	if d := apart(got, sent); d > 12 {
		return fmt.Errorf("it does not look like what was sent: %.0f apart", d)
	}
	return nil
}

// apart is how different two pictures are: the mean over a grid, of 255.
func apart(a, b image.Image) float64 {
	const n = 12
	sum := 0.0
	for y := range n {
		for x := range n {
			p, q := mean(a, x, y, n), mean(b, x, y, n)
			for i := range p {
				sum += math.Abs(p[i] - q[i])
			}
		}
	}
	return sum / (3 * n * n)
}

func mean(m image.Image, x, y, n int) (c [3]float64) {
	b := m.Bounds()
	count := 0.0
	for py := b.Min.Y + y*b.Dy()/n; py < b.Min.Y+(y+1)*b.Dy()/n; py++ {
		for px := b.Min.X + x*b.Dx()/n; px < b.Min.X+(x+1)*b.Dx()/n; px++ {
			r, g, bl, _ := m.At(px, py).RGBA()
			c[0], c[1], c[2] = c[0]+float64(r>>8), c[1]+float64(g>>8), c[2]+float64(bl>>8)
			count++
		}
	}
	for i := range c {
		c[i] /= count
	}
	return c
}

// clean sweeps, and goes through the whole bucket: nothing lies there that no
// upload has.
func (h *house) clean(ctx context.Context, rows map[postern.ID]postern.Upload, v *verdict) error {
	p := h.copies[0]
	cmd := exec.CommandContext(ctx, p.command[0], "sweep", "--json", "--config", h.dir+"/postern.yaml") //nolint:gosec // the program under test
	cmd.Env = append(os.Environ(), p.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		v.wrong("postern sweep: %v: %s", err, stderr.String())
		return nil
	}
	var report struct {
		Incoming struct{ Objects, Noted, Left, Deleted, Faults int }
		Images   struct{ Objects, Orphans, Lost, Strange int }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return err
	}
	v.swept = fmt.Sprintf("%+v", report)
	if report.Images.Lost+report.Images.Orphans+report.Images.Strange > 0 {
		v.wrong("the sweep found %+v", report.Images)
	}
	for _, prefix := range []string{postern.IncomingPrefix, postern.ImagesPrefix} {
		after := ""
		for {
			page, err := h.bucket.List(ctx, prefix, after, 1000)
			if err != nil {
				return err
			}
			for _, o := range page {
				after = o.Key
				v.objects++
				name, rest, _ := strings.Cut(strings.TrimPrefix(o.Key, prefix), "/")
				u := rows[postern.ID(name)]
				if prefix == postern.IncomingPrefix {
					v.wrong("%s was left behind (upload %s)", o.Key, u.State)
				} else if u.State != postern.Ready || rest != "thumb" && rest != "large" {
					v.wrong("%s is an orphan (upload %s)", o.Key, u.State)
				}
			}
			if len(page) < 1000 {
				break
			}
		}
	}
	return nil
}

// readLogs looks for what must never be in one.
func (h *house) readLogs(v *verdict) {
	for _, p := range h.copies {
		text, err := os.ReadFile(p.log)
		if err != nil {
			v.wrong("%v", err)
			continue
		}
		for _, e := range p.env {
			name, value, _ := strings.Cut(e, "=")
			if (strings.Contains(name, "SECRET") || name == "POSTERN_DATABASE") && value != "" && bytes.Contains(text, []byte(value)) {
				v.wrong("%s: %s is in the log", p.name, name)
			}
		}
		for _, word := range []string{"X-Amz-Signature=", "x-amz-signature\"", "panic:", "goroutine 1 ["} {
			if bytes.Contains(text, []byte(word)) {
				v.wrong("%s: %q is in the log", p.name, word)
			}
		}
	}
}

func percentile(list []time.Duration, p int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[(len(list)-1)*p/100].Round(time.Millisecond)
}

// print tells the figures.
func (v *verdict) print(out io.Writer, c *crowd, trouble map[string]int, took time.Duration) {
	kinds := map[kind]int{}
	var grants, waits []time.Duration
	for _, u := range c.list {
		kinds[u.kind]++
		if u.grant > 0 {
			grants = append(grants, u.grant)
		}
		if u.wait > 0 {
			waits = append(waits, u.wait)
		}
	}
	lies := 0
	for k, n := range kinds {
		if k != honest {
			lies += n
		}
	}
	fmt.Fprintf(out, "\nuploads begun     %d, of them %d liars of %d kinds; %.0f/s\n", len(c.list), lies, len(kinds)-1, float64(len(c.list))/took.Seconds())
	fmt.Fprintf(out, "acknowledged      %d\n", v.acked)
	fmt.Fprintf(out, "in the records    %d ready, %d rejected, %d failed, %d stored\n", v.states[postern.Ready], v.states[postern.Rejected], v.states[postern.Failed], v.states[postern.Stored])
	fmt.Fprintf(out, "clients           %d requests tried again, %d uploads given up\n", c.retries.Load(), c.gaveUp.Load())
	fmt.Fprintf(out, "a grant took      %s, p99 %s\n", percentile(grants, 50), percentile(grants, 99))
	fmt.Fprintf(out, "until settled     %s, p99 %s\n", percentile(waits, 50), percentile(waits, 99))
	fmt.Fprintf(out, "webhooks          %d events, %d of them heard more than once\n", v.events, v.again)
	fmt.Fprintf(out, "looked at         %d uploads' pictures; %d objects in the bucket after the sweep\n", v.looked, v.objects)
	fmt.Fprintf(out, "quiet             %s after the last trouble\n", v.healed.Round(time.Second))
	names := make([]string, 0, len(trouble))
	for name := range trouble {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(out, "  %3d × %s\n", trouble[name], name)
	}
	shown := 0
	for _, u := range c.list {
		if u.fault != nil && shown < 5 {
			shown++
			fmt.Fprintf(out, "given up: %s %s: %v\n", u.id, u.kind, u.fault)
		}
	}
	for i, p := range v.problems {
		if i == shownProblems {
			fmt.Fprintf(out, "… and %d more\n", len(v.problems)-i)
			break
		}
		fmt.Fprintln(out, "WRONG:", p)
	}
	if len(v.problems) == 0 {
		fmt.Fprintln(out, "every upload that was acknowledged is settled once and told, nothing of a liar is served, nothing is left behind")
	}
}
