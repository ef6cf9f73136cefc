package posterntest

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // Content-MD5 is what Active Storage binds its bytes with
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/records"
	"postern.example/postern/sigv4"
)

// TransferTarget is the bucket that TestTransfers sends files to. Nobody else
// may write to it meanwhile.
type TransferTarget struct {
	Bucket      postern.Bucket // the service's way to it
	Name        string
	URL         string // as a browser reaches it
	Region      string
	Credentials sigv4.Credentials
	Provider    postern.Provider
	// Faults are the cases that fail here because of the server, by name, each
	// with its reason. One that holds after all fails the suite: it is to be
	// taken off the list.
	Faults map[string]string
}

// TestTransfers is the conformance suite of the transfers: an honest client,
// and clients that lie in every way there is, by form, PUT and in parts. What
// is refused changes nothing: not one object of the bucket, not the upload's
// state, and the grant still does what it was made for.
func TestTransfers(t *testing.T, c TransferTarget) {
	t.Helper()
	x := &transfers{TransferTarget: c, gate: &Gate{HTTP: &http.Client{Timeout: time.Minute}}}
	notes, err := records.Open(t.Context(), records.Config{Path: filepath.Join(t.TempDir(), "postern.db")})
	must(t, "open records", err)
	t.Cleanup(func() { must(t, "close records", notes.Close()) })
	x.service, err = postern.New(postern.Config{
		Presets: []postern.Preset{{Name: "any", PartSize: postern.MinPartSize, MaxBytes: 1 << 30}},
		Secrets: [][]byte{[]byte(random(32))}, Bucket: c.Bucket, Records: notes,
		Now: func() time.Time { return time.Now().Add(-x.ago) },
		Target: postern.Target{
			URL: c.URL, Bucket: c.Name, Region: c.Region, Provider: c.Provider,
			Apart:       true, // URLs are asked of every server, whatever it makes of them
			Credentials: func(context.Context) (sigv4.Credentials, error) { return c.Credentials, nil },
		},
	})
	must(t, "make service", err)
	must(t, "put what is nobody's to read", c.Bucket.Put(t.Context(), privateKey, "image/png", []byte("somebody else's")))
	t.Cleanup(func() { must(t, "delete it", c.Bucket.Delete(context.WithoutCancel(t.Context()), privateKey)) })

	cases := slices.Concat(forms(), puts(), parts())
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			err := x.run(t.Context(), &k)
			switch reason, known := c.Faults[k.name]; {
			case err != nil && known:
				t.Logf("known of this server: %s (%v)", reason, err)
			case err != nil:
				t.Error(err)
			case known:
				t.Errorf("it holds; take it off the list: %s", reason)
			}
		})
	}
	for name := range c.Faults {
		if !slices.ContainsFunc(cases, func(k transferCase) bool { return k.name == name }) {
			t.Errorf("there is no case %q", name)
		}
	}
}

// privateKey is an object that no client was given anything for.
const privateKey = postern.ImagesPrefix + "conformance/private"

// overdue is when the URLs of a grant have run out.
const overdue = postern.DefaultLife + time.Minute

type transfers struct {
	TransferTarget
	service *postern.Service
	gate    *Gate
	ago     time.Duration // how long ago it signs
}

// step is something that a client does with its grant; an error when it goes
// another way than it must.
type step func(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error

// transferCase is one client.
type transferCase struct {
	name     string
	transfer postern.Transfer
	hashed   bool          // the SHA-256 is announced
	md5      bool          // the MD5 is announced
	ago      time.Duration // since the grant
	send     step
	ends     ending
}

// ending is what became of what a client sent.
type ending int8

const (
	refused ending = iota // nothing, and the grant is as good as before
	arrives               // the file is there as it was granted
	spent                 // nothing, and the grant is good for nothing any more
	gone                  // it was there and was removed
)

// run plays one client and looks what became of it.
func (x *transfers) run(ctx context.Context, k *transferCase) error {
	before, err := x.objects(ctx)
	if err != nil {
		return err
	}
	file := bytes.Repeat([]byte("0123456789"), 100)
	if k.transfer == postern.Multi {
		file = append(bytes.Repeat([]byte("0123456789abcdef"), postern.MinPartSize/16), file...)
	}
	x.ago = k.ago
	g, err := x.service.Grant(ctx, postern.As(postern.Anonymous), k.request(file))
	x.ago = 0
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	defer x.clear(ctx, g, before)
	if err := k.send(ctx, x, g, bytes.Clone(file)); err != nil {
		return err
	}
	switch k.ends {
	case gone:
		return errors.Join(x.same(ctx, before), x.nothingUnfinished(ctx, g))
	case spent:
		return errors.Join(x.unchanged(ctx, k, g, before), x.nothingUnfinished(ctx, g))
	case refused:
		if err := x.unchanged(ctx, k, g, before); err != nil {
			return err
		}
		// It was the lie that was refused, and not the grant.
		if err := honest(ctx, x, g, bytes.Clone(file)); err != nil {
			return fmt.Errorf("the truth afterwards: %w", err)
		}
	}
	return x.arrived(ctx, g, file, before)
}

func (k *transferCase) request(file []byte) postern.Request {
	size := int64(len(file))
	r := postern.Request{Filename: "p.jpg", Type: "image/jpeg", Size: &size, Transfer: k.transfer}
	if k.hashed {
		r.SHA256 = sha256Of(file)
	}
	if k.md5 {
		sum := md5.Sum(file) //nolint:gosec // see above
		r.MD5 = sum[:]
	}
	return r
}

func sha256Of(file []byte) string {
	sum := sha256.Sum256(file)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// unchanged demands that nothing became of a lie.
func (x *transfers) unchanged(ctx context.Context, k *transferCase, g *postern.Grant, before map[string]string) error {
	if err := x.same(ctx, before); err != nil {
		return err
	}
	want := postern.Granted
	if k.ago > 0 && g.Parts == nil { // an upload in parts outlives its URLs
		want = postern.Expired
	}
	if u, err := x.service.Upload(ctx, postern.Anonymous, g.Ticket.ID); err != nil || u.State != want {
		return fmt.Errorf("the upload is %s (%w), want %s", u.State, err, want)
	}
	if _, err := x.complete(ctx, g); !errors.Is(err, postern.ErrNotArrived) {
		return fmt.Errorf("complete: %w, want %w", err, postern.ErrNotArrived)
	}
	return x.hidden(ctx, g)
}

// hidden demands that to somebody else there is no such upload.
func (x *transfers) hidden(ctx context.Context, g *postern.Grant) error {
	id := g.Ticket.ID
	_, seen := x.service.Upload(ctx, "eve", id)
	_, completed := x.service.Complete(ctx, "eve", id)
	removed := x.service.Remove(ctx, "eve", id)
	for what, err := range map[string]error{"sees": seen, "completes": completed, "removes": removed} {
		if !errors.Is(err, postern.ErrNotFound) {
			return fmt.Errorf("somebody else %s it: %w, want %w", what, err, postern.ErrNotFound)
		}
	}
	return nil
}

// arrived demands that the file is there as it was granted, and nothing else.
func (x *transfers) arrived(ctx context.Context, g *postern.Grant, file []byte, before map[string]string) error {
	u, err := x.complete(ctx, g)
	if err != nil || u.State != postern.Stored || u.Size != int64(len(file)) || u.Type != "image/jpeg" {
		return fmt.Errorf("complete: %s, %d bytes, %q, %w", u.State, u.Size, u.Type, err)
	}
	o, body, err := x.Bucket.Get(ctx, u.Key())
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	got, err := io.ReadAll(body)
	body.Close() //nolint:errcheck // it was only read
	if err != nil || !bytes.Equal(got, file) || o.Type != "image/jpeg" || o.ETag != u.ETag {
		return fmt.Errorf("other bytes are there: %d, %q, %w", len(got), o.Type, err)
	}
	if again, err := x.complete(ctx, g); err != nil || again.ETag != u.ETag || !again.StoredAt.Equal(u.StoredAt) {
		return fmt.Errorf("complete again: %s, %w", again.State, err)
	}
	if err := x.hidden(ctx, g); err != nil {
		return err
	}
	want := maps.Clone(before)
	want[u.Key()] = o.ETag
	if err := x.same(ctx, want); err != nil {
		return err
	}
	return x.nothingUnfinished(ctx, g)
}

func (x *transfers) nothingUnfinished(ctx context.Context, g *postern.Grant) error {
	left, err := x.Bucket.Multiparts(ctx, postern.IncomingPrefix+string(g.Ticket.ID), postern.MultipartUpload{}, 10)
	if err != nil || len(left) != 0 {
		return fmt.Errorf("%d unfinished uploads are left: %w", len(left), err)
	}
	return nil
}

// objects is all there is in the bucket: ETags by key.
func (x *transfers) objects(ctx context.Context) (map[string]string, error) {
	all, after := map[string]string{}, ""
	for {
		const limit = 1000
		page, err := x.Bucket.List(ctx, "", after, limit)
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		for _, o := range page {
			all[o.Key], after = o.ETag, o.Key
		}
		if len(page) < limit {
			return all, nil
		}
	}
}

// same demands that there are these objects in the bucket and no others.
func (x *transfers) same(ctx context.Context, want map[string]string) error {
	got, err := x.objects(ctx)
	if err != nil {
		return err
	}
	for key, etag := range got {
		if old, ok := want[key]; !ok || old != etag {
			return fmt.Errorf("an object is there that was not: %q", key)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("of %d objects %d are left", len(want), len(got))
	}
	return nil
}

// clear leaves what was there before.
func (x *transfers) clear(ctx context.Context, g *postern.Grant, before map[string]string) {
	if g.Parts != nil {
		x.service.AbortParts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket) //nolint:errcheck // it is the end of the case
	}
	now, _ := x.objects(ctx) // the next case says it
	for key := range now {
		if _, ok := before[key]; !ok {
			x.Bucket.Delete(ctx, key) //nolint:errcheck // the next case says it
		}
	}
}

func (x *transfers) complete(ctx context.Context, g *postern.Grant) (postern.Upload, error) {
	if g.Parts != nil {
		return x.service.CompleteParts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket)
	}
	return x.service.Complete(ctx, postern.Anonymous, g.Ticket.ID)
}

// another is a further grant, for a file of the same kind.
func (x *transfers) another(ctx context.Context, principal string, transfer postern.Transfer, file []byte) (*postern.Grant, error) {
	k := transferCase{transfer: transfer}
	g, err := x.service.Grant(ctx, postern.As(principal), k.request(file))
	if err != nil {
		return nil, fmt.Errorf("grant for %s: %w", principal, err)
	}
	return g, nil
}

// honest sends the file as it was granted.
func honest(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
	if g.Parts == nil {
		return whole(200, nil)(ctx, x, g, file)
	}
	numbers := make([]int, g.Parts.Count)
	for i := range numbers {
		numbers[i] = i + 1
	}
	// Signed anew: the first ones may have run out.
	signed, _, err := x.service.SignParts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket, numbers)
	if err != nil {
		return fmt.Errorf("sign parts: %w", err)
	}
	for _, p := range signed {
		status, body, err := x.gate.SendPart(ctx, p.URL, file[:p.Size])
		if err != nil {
			return err
		}
		if err := wants(status, 200, body); err != nil {
			return err
		}
		file = file[p.Size:]
	}
	return nil
}

// all does one thing after the other.
func all(steps ...step) step {
	return func(ctx context.Context, x *transfers, g *postern.Grant, file []byte) error {
		for i, do := range steps {
			if err := do(ctx, x, g, file); err != nil {
				return fmt.Errorf("step %d: %w", i+1, err)
			}
		}
		return nil
	}
}

// completes wants an error of complete, or none.
func completes(want error) step {
	return func(ctx context.Context, x *transfers, g *postern.Grant, _ []byte) error {
		if _, err := x.complete(ctx, g); !errors.Is(err, want) {
			return fmt.Errorf("complete: %w, want %w", err, want)
		}
		return nil
	}
}

// wants fails unless a status is the class of another: 200 for 204.
func wants(status, class int, body string) error {
	if status/100 != class/100 {
		return fmt.Errorf("status %d, want %d: %.300s", status, class, body)
	}
	return nil
}
