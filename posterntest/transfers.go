package posterntest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/records"
	"postern.example/postern/sigv4"
)

// TransferTarget is the bucket that TestTransfers sends files to.
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
// is refused leaves no object behind.
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
			Credentials: func(context.Context) (sigv4.Credentials, error) { return c.Credentials, nil },
		},
	})
	must(t, "make service", err)
	cases := slices.Concat(forms(), puts(), parts())
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			err := x.run(t.Context(), k)
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

type transfers struct {
	TransferTarget
	service *postern.Service
	gate    *Gate
	ago     time.Duration // how long ago it signs
}

// transferCase is one client. What it sends is refused, unless it is honest.
type transferCase struct {
	name     string
	transfer postern.Transfer
	hashed   bool          // the hash is announced
	ago      time.Duration // since the grant
	honest   bool
	send     func(x *transfers, ctx context.Context, g *postern.Grant, file []byte) error
}

// run plays one client and looks what became of it.
func (x *transfers) run(ctx context.Context, k transferCase) error {
	file := bytes.Repeat([]byte("0123456789"), 100)
	if k.transfer == postern.Multi {
		file = append(bytes.Repeat([]byte("0123456789abcdef"), postern.MinPartSize/16), file...)
	}
	size := int64(len(file))
	r := postern.Request{Filename: "p.jpg", Type: "image/jpeg", Size: &size, Transfer: k.transfer}
	if k.hashed {
		sum := sha256.Sum256(file)
		r.SHA256 = base64.StdEncoding.EncodeToString(sum[:])
	}
	x.ago = k.ago
	g, err := x.service.Grant(ctx, postern.Anonymous, r)
	x.ago = 0
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	key := postern.IncomingPrefix + string(g.Ticket.ID)
	defer x.Bucket.Delete(ctx, key) //nolint:errcheck // the next case has another key
	defer x.abort(ctx, g)
	if err := k.send(x, ctx, g, file); err != nil {
		return err
	}
	o, err := x.Bucket.Head(ctx, key)
	switch {
	case k.honest && err != nil:
		return fmt.Errorf("the object is not there: %w", err)
	case k.honest && (o.Size != size || o.Type != "image/jpeg"):
		return fmt.Errorf("the object has %d bytes and the type %q", o.Size, o.Type)
	case !k.honest && err == nil:
		return fmt.Errorf("an object of %d bytes is there", o.Size)
	case !k.honest && !errors.Is(err, postern.ErrNotFound):
		return err
	case !k.honest:
		return nil
	}
	u, err := x.complete(ctx, g)
	if err != nil || u.State != postern.Stored {
		return fmt.Errorf("complete: %v, %w", u.State, err)
	}
	return nil
}

func (x *transfers) complete(ctx context.Context, g *postern.Grant) (postern.Upload, error) {
	if g.Parts != nil {
		return x.service.CompleteParts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket)
	}
	return x.service.Complete(ctx, postern.Anonymous, g.Ticket.ID)
}

func (x *transfers) abort(ctx context.Context, g *postern.Grant) {
	if g.Parts != nil {
		x.service.AbortParts(ctx, postern.Anonymous, g.Ticket.ID, g.Parts.Ticket) //nolint:errcheck // it is the end of the case
	}
}

// wants fails unless a status is the class of another: 200 for 204.
func wants(status, class int, body string) error {
	if status/100 != class/100 {
		return fmt.Errorf("status %d, want %d: %.300s", status, class, body)
	}
	return nil
}

func grantOf(g *postern.Grant) *Grant {
	asMap := func(list postern.Fields) map[string]string {
		m := map[string]string{}
		for _, f := range list {
			m[f.Name] = f.Value
		}
		return m
	}
	return &Grant{Method: g.Method, URL: g.URL, Fields: asMap(g.Fields), FileField: g.FileField, Headers: asMap(g.Headers)}
}

// whole sends a file in one request after change, and wants a status.
func whole(class int, change func(g *Grant, file []byte) []byte) func(*transfers, context.Context, *postern.Grant, []byte) error {
	return func(x *transfers, ctx context.Context, g *postern.Grant, file []byte) error {
		grant := grantOf(g)
		if change != nil {
			file = change(grant, bytes.Clone(file))
		}
		status, body, err := x.gate.Send(ctx, grant, file)
		if err != nil {
			return err
		}
		return wants(status, class, body)
	}
}

func more(_ *Grant, file []byte) []byte { return append(file, 'x') }
func less(_ *Grant, file []byte) []byte { return file[1:] }
func other(_ *Grant, file []byte) []byte {
	file[len(file)/2] ^= 1
	return file
}

const overdue = postern.DefaultLife + time.Minute

func forms() []transferCase {
	set := func(name, value string) func(*Grant, []byte) []byte {
		return func(g *Grant, file []byte) []byte { g.Fields[name] = value; return file }
	}
	drop := func(name string) func(*Grant, []byte) []byte {
		return func(g *Grant, file []byte) []byte { delete(g.Fields, name); return file }
	}
	list := []transferCase{
		{name: "form", honest: true, send: whole(200, nil)},
		{name: "form with a hash", honest: true, hashed: true, send: whole(200, nil)},
		{name: "form: one byte more", send: whole(400, more)},
		{name: "form: one byte less", send: whole(400, less)},
		{name: "form: other bytes than hashed", hashed: true, send: whole(400, other)},
		{name: "form: another type", send: whole(400, set("Content-Type", "text/html"))},
		{name: "form: no type", send: whole(400, drop("Content-Type"))},
		{name: "form: another key", send: whole(400, set("key", postern.ImagesPrefix+"x"))},
		{name: "form: another ticket", send: whole(400, set(postern.TicketHeader, "forged"))},
		{name: "form: no ticket", send: whole(400, drop(postern.TicketHeader))},
		{name: "form: more metadata", send: whole(400, set("x-amz-meta-more", "1"))},
		{name: "form: an ACL", send: whole(400, set("acl", "public-read"))},
		{name: "form: another policy", send: whole(400, func(g *Grant, file []byte) []byte {
			policy := []byte(g.Fields["policy"])
			policy[len(policy)/2] ^= 1
			g.Fields["policy"] = string(policy)
			return file
		})},
		{name: "form: expired", ago: overdue, send: whole(400, nil)},
	}
	for i := range list {
		list[i].transfer = postern.Post
	}
	return list
}

func puts() []transferCase {
	set := func(name, value string) func(*Grant, []byte) []byte {
		return func(g *Grant, file []byte) []byte { g.Headers[name] = value; return file }
	}
	drop := func(name string) func(*Grant, []byte) []byte {
		return func(g *Grant, file []byte) []byte { delete(g.Headers, name); return file }
	}
	list := []transferCase{
		{name: "PUT", honest: true, send: whole(200, nil)},
		{name: "PUT with a hash", honest: true, hashed: true, send: whole(200, nil)},
		{name: "PUT: one byte more", send: whole(400, more)},
		{name: "PUT: one byte less", send: whole(400, less)},
		{name: "PUT: other bytes than hashed", hashed: true, send: whole(400, other)},
		{name: "PUT: another type", send: whole(400, set("Content-Type", "text/html"))},
		{name: "PUT: another ticket", send: whole(400, set(postern.TicketHeader, "forged"))},
		{name: "PUT: no ticket", send: whole(400, drop(postern.TicketHeader))},
		{name: "PUT: no condition", send: whole(400, drop("If-None-Match"))},
		{name: "PUT: more metadata", send: whole(400, set("x-amz-meta-more", "1"))},
		{name: "PUT: an ACL", send: whole(400, set("x-amz-acl", "public-read"))},
		{name: "PUT: another key", send: whole(400, func(g *Grant, file []byte) []byte {
			g.URL = strings.Replace(g.URL, "/"+postern.IncomingPrefix, "/"+postern.ImagesPrefix, 1)
			return file
		})},
		{name: "PUT: a longer life", send: whole(400, func(g *Grant, file []byte) []byte {
			g.URL = strings.Replace(g.URL, "X-Amz-Expires=600", "X-Amz-Expires=3600", 1)
			return file
		})},
		{name: "PUT: expired", ago: overdue, send: whole(400, nil)},
		{name: "PUT: a second time", honest: true, send: func(x *transfers, ctx context.Context, g *postern.Grant, file []byte) error {
			if err := whole(200, nil)(x, ctx, g, file); err != nil {
				return err
			}
			status, body, err := x.gate.Send(ctx, grantOf(g), other(nil, bytes.Clone(file)))
			if err != nil {
				return err
			}
			if status != http.StatusPreconditionFailed {
				return fmt.Errorf("status %d, want 412: %.300s", status, body)
			}
			return nil
		}},
	}
	for i := range list {
		list[i].transfer = postern.Put
	}
	return list
}
