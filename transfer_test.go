package postern_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"image"
	"image/png"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/posterntest"
)

const mib = 1 << 20

// big is a picture of two parts: noise does not compress.
func big(t testing.TB) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 1700, 1300))
	rand.NewChaCha8([32]byte{1}).Read(m.Pix) //nolint:errcheck // it never fails
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 0xff
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	if len(file) <= 5*mib || len(file) > 10*mib {
		t.Fatalf("the picture has %d bytes, which are not two parts", len(file))
	}
	return file
}

func with(p postern.Preset) posterntest.Config {
	p.Name = "photos"
	return posterntest.Config{Presets: []postern.Preset{p}}
}

var inParts = with(postern.Preset{Transfer: postern.Multi, PartSize: 5 * mib, MaxBytes: 100 * mib})

// ask has a grant for file signed, with its hash when hashed is set.
func ask(t testing.TB, g *posterntest.Gate, contentType string, file []byte, hashed bool) posterntest.Upload {
	t.Helper()
	size := int64(len(file))
	r := postern.Request{Filename: "p", Type: contentType, Size: &size}
	if hashed {
		sum := sha256.Sum256(file)
		r.SHA256 = base64.StdEncoding.EncodeToString(sum[:])
	}
	up, err := g.Ask(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return up
}

// What Transfers says is what the service grants.
func TestTransfers_AreThoseGranted(t *testing.T) {
	r2, minio, wasabi, versitygw := provider(t, "r2"), provider(t, "minio"), provider(t, "wasabi"), provider(t, "versitygw")
	for name, c := range map[string]struct {
		on     postern.Provider // zero: the embedded bucket
		preset postern.Preset
		apart  bool
	}{
		"auto":                          {postern.Provider{}, postern.Preset{MaxBytes: 200 * mib}, false},
		"auto, never large":             {postern.Provider{}, postern.Preset{}, false},
		"auto, never small":             {postern.Provider{}, postern.Preset{MinBytes: 64 * mib, MaxBytes: 200 * mib}, false},
		"auto, always parts":            {r2, postern.Preset{MinBytes: 64 * mib, MaxBytes: 200 * mib}, false},
		"auto, no POST":                 {r2, postern.Preset{MaxBytes: 200 * mib}, false},
		"put":                           {postern.Provider{}, postern.Preset{Transfer: postern.Put, MaxBytes: 200 * mib}, false},
		"auto, unsigned headers obeyed": {minio, postern.Preset{MaxBytes: 200 * mib}, false},
		"auto, unsigned headers obeyed, key apart":    {minio, postern.Preset{MaxBytes: 200 * mib}, true},
		"auto, unsigned headers unknown":              {wasabi, postern.Preset{MaxBytes: 200 * mib}, false},
		"auto, unsigned headers unknown, key apart":   {wasabi, postern.Preset{MaxBytes: 200 * mib}, true},
		"auto, forms judged by the bucket":            {versitygw, postern.Preset{MaxBytes: 200 * mib}, false},
		"auto, forms judged by the bucket, key apart": {versitygw, postern.Preset{MaxBytes: 200 * mib}, true},
		"put all the same":                            {minio, postern.Preset{Transfer: postern.Put, MaxBytes: 200 * mib}, false},
		"parts":                                       {r2, postern.Preset{Transfer: postern.Multi, MaxBytes: 200 * mib}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.preset.Name = "photos"
			g := posterntest.Start(t, posterntest.Config{Presets: []postern.Preset{c.preset}, Provider: c.on, Apart: c.apart, NoWorker: true})
			if c.on.Name == "" {
				c.on, _ = postern.ProviderByName("embedded")
			}
			full := g.Service.Presets()[0]
			granted := map[string]bool{}
			for _, size := range []*int64{nil, &full.MinBytes, new(full.MultipartFrom - 1), &full.MultipartFrom, &full.MaxBytes} {
				if size != nil && (*size < full.MinBytes || *size > full.MaxBytes) {
					continue
				}
				up, err := g.Service.Grant(t.Context(), postern.As("me"), postern.Request{Type: "image/png", Size: size})
				if size == nil && err != nil {
					continue // by PUT and in parts the size must be said
				}
				if err != nil {
					t.Fatal(err)
				}
				granted[strings.ToLower(up.Method)] = true
			}
			said := full.Transfers(&postern.Target{Provider: c.on, Apart: c.apart})
			for _, way := range said {
				if !granted[string(way)] {
					t.Errorf("said %s, which no file is granted", way)
				}
				delete(granted, string(way))
			}
			if len(granted) > 0 {
				t.Errorf("said %v, but granted also %v", said, granted)
			}
		})
	}
}

// Where a server may obey headers that are not signed, nobody is handed a URL
// by a key that reads, whatever protocol he speaks.
func TestTransfers_URLsNeedAKeyApart(t *testing.T) {
	size := int64(3)
	for _, way := range []postern.Transfer{postern.Put, postern.Multi} {
		for apart, want := range map[bool]error{false: postern.ErrTransfer, true: nil} {
			g := posterntest.Start(t, posterntest.Config{Provider: provider(t, "ceph"), Apart: apart, NoWorker: true})
			if _, err := g.Service.Grant(t.Context(), postern.As("me"), postern.Request{Type: "image/png", Size: &size, Transfer: way}); !errors.Is(err, want) {
				t.Errorf("%s, apart %v: %v, want %v", way, apart, err, want)
			}
		}
	}
}

// One upload by each transfer, with and without a hash, ends the same way.
func TestTransfers(t *testing.T) {
	for name, c := range map[string]struct {
		conf   posterntest.Config
		method string
		file   []byte
		typ    string
	}{
		"post":          {with(postern.Preset{Transfer: postern.Post}), "POST", small(1), "image/jpeg"},
		"put":           {with(postern.Preset{Transfer: postern.Put}), "PUT", small(2), "image/jpeg"},
		"one part":      {inParts, "MULTIPART", small(3), "image/jpeg"},
		"two parts":     {inParts, "MULTIPART", big(t), "image/png"},
		"auto, small":   {with(postern.Preset{}), "POST", small(4), "image/jpeg"},
		"auto, large":   {with(postern.Preset{MultipartFrom: 6 * mib, PartSize: 5 * mib}), "MULTIPART", big(t), "image/png"},
		"auto, no POST": {posterntest.Config{Provider: provider(t, "r2")}, "PUT", small(5), "image/jpeg"},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, c.conf)
			for _, hashed := range []bool{false, true} {
				up := ask(t, g, c.typ, c.file, hashed)
				if up.Grant.Method != c.method {
					t.Fatalf("method %s, want %s", up.Grant.Method, c.method)
				}
				if status, body, err := g.Send(t.Context(), up.Grant, c.file); err != nil || status/100 != 2 {
					t.Fatal(status, body, err)
				}
				got, err := g.CompleteTicket(t.Context(), up.ID, up.Grant.Ticket)
				if err != nil || got.State == postern.Granted {
					t.Fatalf("complete: %v, %v", got.State, err)
				}
				if _, err := g.CompleteTicket(t.Context(), up.ID, up.Grant.Ticket); err != nil {
					t.Errorf("complete again: %v", err)
				}
				if got = g.Wait(t, up.ID); got.State != postern.Ready || got.Size != int64(len(c.file)) || got.Filename != "p" {
					t.Errorf("%+v", got)
				}
			}
			unfinished(t, g, 0)
		})
	}
}

func provider(t testing.TB, name string) postern.Provider {
	t.Helper()
	p, ok := postern.ProviderByName(name)
	if !ok {
		t.Fatalf("no provider %q", name)
	}
	return p
}

// unfinished fails the test unless the bucket has n unfinished uploads in parts.
func unfinished(t testing.TB, g *posterntest.Gate, n int) {
	t.Helper()
	list, err := g.S3.Multiparts(t.Context(), postern.IncomingPrefix, postern.MultipartUpload{}, 100)
	if err != nil || len(list) != n {
		t.Errorf("%d unfinished uploads in parts, want %d: %v", len(list), n, err)
	}
}

// What a transfer cannot promise is refused at the grant, with words.
func TestTransferRefused(t *testing.T) {
	size := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		conf posterntest.Config
		ask  postern.Request
		code postern.Code
	}{
		"put without a size":     {with(postern.Preset{Transfer: postern.Put}), postern.Request{Type: "image/png"}, "size_required"},
		"parts without a size":   {inParts, postern.Request{Type: "image/png"}, "size_required"},
		"no POST and no size":    {posterntest.Config{Provider: provider(t, "r2")}, postern.Request{Type: "image/png"}, "size_required"},
		"over the preset's size": {inParts, postern.Request{Type: "image/png", Size: size(101 * mib)}, "too_large"},
		"parts of nothing":       {inParts, postern.Request{Type: "image/png", Size: size(0)}, "empty_file"},
		"wrong type":             {inParts, postern.Request{Type: "image/svg+xml", Size: size(10)}, "type_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			c.conf.NoWorker = true
			g := start(t, c.conf)
			if _, err := g.Ask(t.Context(), c.ask); code(err) != c.code {
				t.Errorf("%v, want %s", err, c.code)
			}
			unfinished(t, g, 0)
		})
	}
}

// Threats 2, 3 and 20 by PUT: the bucket refuses every byte, header and key
// that is not as signed, and a second PUT.
func TestThreat13_PutRefusesLies(t *testing.T) {
	c := with(postern.Preset{Transfer: postern.Put})
	c.NoWorker = true // the check deletes what it has read, and then there is room again
	g := start(t, c)
	file := small(1)
	other := bytes.Clone(file)
	other[len(other)/2] ^= 1
	lie := func(name string, want int, change func(*posterntest.Grant) []byte) {
		t.Helper()
		up := ask(t, g, "image/jpeg", file, true)
		status, body, err := g.Send(t.Context(), up.Grant, change(up.Grant))
		if err != nil || status != want {
			t.Errorf("%s: status %d, want %d: %s %v", name, status, want, body, err)
		}
		if _, err := g.Complete(t.Context(), up.ID); code(err) != "not_arrived" {
			t.Errorf("%s: complete: %v", name, err)
		}
	}
	lie("one byte more", 403, func(*posterntest.Grant) []byte { return append(bytes.Clone(file), 0) })
	lie("one byte less", 403, func(*posterntest.Grant) []byte { return file[:len(file)-1] })
	lie("other bytes than hashed", 400, func(*posterntest.Grant) []byte { return other })
	lie("another type", 403, func(x *posterntest.Grant) []byte { x.Headers["Content-Type"] = "text/html"; return file })
	lie("no type", 403, func(x *posterntest.Grant) []byte { delete(x.Headers, "Content-Type"); return file })
	lie("another ticket", 403, func(x *posterntest.Grant) []byte { x.Headers[postern.TicketHeader] += "A"; return file })
	lie("no ticket", 403, func(x *posterntest.Grant) []byte { delete(x.Headers, postern.TicketHeader); return file })
	lie("no condition", 403, func(x *posterntest.Grant) []byte { delete(x.Headers, "If-None-Match"); return file })
	lie("more metadata", 403, func(x *posterntest.Grant) []byte { x.Headers["x-amz-meta-more"] = "1"; return file })
	lie("an ACL", 403, func(x *posterntest.Grant) []byte { x.Headers["x-amz-acl"] = "public-read"; return file })
	lie("another key", 403, func(x *posterntest.Grant) []byte {
		x.URL = strings.Replace(x.URL, "/incoming/", "/images/", 1)
		return file
	})
	lie("a later date", 403, func(x *posterntest.Grant) []byte {
		x.URL = strings.Replace(x.URL, "X-Amz-Expires=600", "X-Amz-Expires=3600", 1)
		return file
	})

	up := ask(t, g, "image/jpeg", file, false)
	if status, body, err := g.Send(t.Context(), up.Grant, file); err != nil || status != 200 {
		t.Fatal(status, body, err)
	}
	if status, _, err := g.Send(t.Context(), up.Grant, other); err != nil || status != 412 {
		t.Errorf("a second PUT: status %d, %v", status, err)
	}
}

// The same lies in parts: the bucket refuses a part of another length, we
// refuse everything else, and nothing changes.
func TestThreat14_PartsRefuseLies(t *testing.T) {
	g := start(t, inParts)
	file := big(t)
	up := ask(t, g, "image/png", file, true)
	grant := up.Grant
	if grant.PartSize != 5*mib || grant.PartCount != 2 || len(grant.Parts) != 2 || grant.Parts[1].Size != int64(len(file)-5*mib) {
		t.Fatalf("%d parts of %d: %+v", grant.PartCount, grant.PartSize, grant.Parts[1].Size)
	}
	first, second := file[:5*mib], file[5*mib:]
	for name, part := range map[string][]byte{
		"longer than signed": append(bytes.Clone(second), 0), "shorter than signed": second[1:], "empty": {},
	} {
		if status, _, err := g.SendPart(t.Context(), grant.Parts[1].URL, part); err != nil || status != 403 {
			t.Errorf("a part %s: status %d, %v", name, status, err)
		}
	}
	if status, _, err := g.SendPart(t.Context(), strings.Replace(grant.Parts[0].URL, "partNumber=1", "partNumber=3", 1), first); err != nil || status != 403 {
		t.Errorf("a part of another number: status %d, %v", status, err)
	}
	for _, numbers := range [][]int{{3}, {0}, {-1}, {10_001}, {}, {1, 2, 3}, make([]int, 1001)} {
		if _, err := g.SignParts(t.Context(), up.ID, grant.Ticket, numbers...); code(err) != "bad_request" {
			t.Errorf("parts %v: %v", numbers[:min(3, len(numbers))], err)
		}
	}
	if _, err := g.CompleteTicket(t.Context(), up.ID, grant.Ticket); code(err) != "not_arrived" {
		t.Errorf("complete without a part: %v", err)
	}
	if status, body, err := g.SendPart(t.Context(), grant.Parts[0].URL, first); err != nil || status != 200 {
		t.Fatal(status, body, err)
	}
	if _, err := g.CompleteTicket(t.Context(), up.ID, grant.Ticket); code(err) != "not_arrived" || !strings.Contains(err.Error(), "1 of 2") {
		t.Errorf("complete with one part: %v", err)
	}

	// Other bytes than were hashed arrive, and are found out by the check.
	lie := bytes.Clone(second)
	lie[len(lie)/2] ^= 1
	if status, body, err := g.SendPart(t.Context(), grant.Parts[1].URL, lie); err != nil || status != 200 {
		t.Fatal(status, body, err)
	}
	if _, err := g.CompleteTicket(t.Context(), up.ID, grant.Ticket); err != nil {
		t.Fatal(err)
	}
	if got := g.Wait(t, up.ID); got.State != postern.Rejected || got.Problem.Code != "sha256_mismatch" {
		t.Errorf("%+v", got)
	}
}

// Tickets of uploads in parts: altered, another upload's and another
// principal's are a 404 on every route, and change nothing.
func TestThreat15_ForeignTickets(t *testing.T) {
	c := inParts
	c.NoWorker = true
	c.Handler.Principal = func(r *http.Request) (string, error) { return "user-" + r.Header.Get("X-User"), nil }
	g := start(t, c)
	file := big(t)
	mine, yours := ask(t, g, "image/png", file, false), ask(t, g, "image/png", file, false)
	ticket := mine.Grant.Ticket
	altered := []byte(ticket)
	altered[len(altered)/2] ^= 1
	objectTicket := func() string { // sealed for another use
		form := start(t, posterntest.Config{NoWorker: true})
		return form.Grant(t, "p.jpg", "image/jpeg", small(1)).Grant.Fields[postern.TicketHeader]
	}()
	for name, bad := range map[string]string{
		"altered": string(altered), "of another upload": yours.Grant.Ticket, "of another use": objectTicket,
		"empty": "", "not base64": "%%%", "long": strings.Repeat("A", 9000), "padded": ticket + "=",
	} {
		_, err := g.SignParts(t.Context(), mine.ID, bad, 1)
		if code(err) != "not_found" {
			t.Errorf("sign with a ticket %s: %v", name, err)
		}
		if _, err := g.Service.Parts(t.Context(), "user-", postern.ID(mine.ID), bad); !errors.Is(err, postern.ErrNotFound) {
			t.Errorf("list with a ticket %s: %v", name, err)
		}
		if err := g.Service.AbortParts(t.Context(), "user-", postern.ID(mine.ID), bad); !errors.Is(err, postern.ErrNotFound) {
			t.Errorf("abort with a ticket %s: %v", name, err)
		}
		if _, err := g.Service.CompleteParts(t.Context(), "user-", postern.ID(mine.ID), bad); !errors.Is(err, postern.ErrNotFound) {
			t.Errorf("complete with a ticket %s: %v", name, err)
		}
	}
	if _, _, err := g.Service.SignParts(t.Context(), "user-eve", postern.ID(mine.ID), ticket, []int{1}); !errors.Is(err, postern.ErrNotFound) {
		t.Errorf("somebody else's: %v", err)
	}
	unfinished(t, g, 2)
}

// A cancelled upload leaves no parts behind, with or without its ticket.
func TestThreat20_CancelledParts(t *testing.T) {
	c := inParts
	c.NoWorker = true
	g := start(t, c)
	file := big(t)
	for range 2 {
		up := ask(t, g, "image/png", file, false)
		if status, _, err := g.SendPart(t.Context(), up.Grant.Parts[0].URL, file[:5*mib]); err != nil || status != 200 {
			t.Fatal(status, err)
		}
		unfinished(t, g, 1)
		if err := g.Do(t.Context(), http.MethodDelete, "/uploads/"+up.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		unfinished(t, g, 0)
		if status, _, err := g.SendPart(t.Context(), up.Grant.Parts[1].URL, file[5*mib:]); err != nil || status != 404 {
			t.Errorf("a part of a cancelled upload: status %d, %v", status, err)
		}
		if _, err := g.CompleteTicket(t.Context(), up.ID, up.Grant.Ticket); code(err) != "not_arrived" {
			t.Errorf("complete of a cancelled upload: %v", err)
		}
	}
}

// After a break a client asks what is there, and sends the rest.
func TestResumedParts(t *testing.T) {
	g := start(t, inParts)
	file := big(t)
	up := ask(t, g, "image/png", file, false)
	if status, _, err := g.SendPart(t.Context(), up.Grant.Parts[1].URL, file[5*mib:]); err != nil || status != 200 {
		t.Fatal(status, err)
	}
	parts, err := g.Service.Parts(t.Context(), postern.Anonymous, postern.ID(up.ID), up.Grant.Ticket)
	if err != nil || len(parts) != 1 || parts[0].Number != 2 || parts[0].Size != int64(len(file)-5*mib) {
		t.Fatalf("%+v, %v", parts, err)
	}
	signed, err := g.SignParts(t.Context(), up.ID, up.Grant.Ticket, 1)
	if err != nil || len(signed) != 1 || signed[0].Number != 1 || signed[0].Size != 5*mib {
		t.Fatalf("%+v, %v", signed, err)
	}
	if status, _, err := g.SendPart(t.Context(), signed[0].URL, file[:5*mib]); err != nil || status != 200 {
		t.Fatal(status, err)
	}
	if _, err := g.CompleteTicket(t.Context(), up.ID, up.Grant.Ticket); err != nil {
		t.Fatal(err)
	}
	if got := g.Wait(t, up.ID); got.State != postern.Ready {
		t.Errorf("%+v", got)
	}
}

// Parts whose grant ran out are aborted by the sweep; no URL outlives it.
func TestThreat20_ExpiredParts(t *testing.T) {
	now := time.Now()
	c := with(postern.Preset{Transfer: postern.Multi, MultipartLife: time.Minute})
	c.Now, c.NoWorker = func() time.Time { return now }, true
	g := start(t, c)
	up := ask(t, g, "image/jpeg", small(1), false)
	sweep := func() {
		t.Helper()
		if _, err := g.Worker.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(58 * time.Second)
	sweep()
	unfinished(t, g, 1)
	signed, err := g.SignParts(t.Context(), up.ID, up.Grant.Ticket, 1)
	if err != nil || !strings.Contains(signed[0].URL, "X-Amz-Expires=1&") {
		t.Errorf("signed for longer than the upload lives: %v", err)
	}
	now = now.Add(2 * time.Second)
	if _, err := g.SignParts(t.Context(), up.ID, up.Grant.Ticket, 1); code(err) != "grant_expired" {
		t.Errorf("after it ran out: %v", err)
	}
	sweep()
	unfinished(t, g, 0)
	if s := g.Service.Stats(); s.Aborted != 1 {
		t.Errorf("stats %+v", s)
	}
}

// An upload in parts whose size was not said, as Companion's clients begin
// them: the parts are watched instead, and too much of them is aborted.
func TestThreat14_UnsizedParts(t *testing.T) {
	c := with(postern.Preset{MaxBytes: 11 * mib})
	g := start(t, c)
	ctx := t.Context()
	begin := func() *postern.Grant {
		x, err := g.Service.Grant(ctx, postern.As(postern.Anonymous), postern.Request{Filename: "p.png", Type: "image/png", Transfer: postern.Multi})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	sign := func(x *postern.Grant, n int) (string, error) {
		signed, _, err := g.Service.SignParts(ctx, postern.Anonymous, x.Ticket.ID, x.Parts.Ticket, []int{n})
		if err != nil {
			return "", err
		}
		return signed[0].URL, nil
	}
	send := func(url string, part []byte) {
		t.Helper()
		if status, body, err := g.SendPart(ctx, url, part); err != nil || status != 200 {
			t.Fatal(status, body, err)
		}
	}
	file := big(t)
	x := begin()
	for i, part := range [][]byte{file[:5*mib], file[5*mib:]} {
		url, err := sign(x, i+1)
		if err != nil {
			t.Fatal(err)
		}
		send(url, part)
	}
	if _, err := sign(x, 4); !errors.Is(err, postern.ErrTooLarge) {
		t.Errorf("a fourth part of at most 11 MiB: %v", err)
	}
	if u, err := g.Service.CompleteParts(ctx, postern.Anonymous, x.Ticket.ID, x.Parts.Ticket); err != nil || u.State != postern.Stored {
		t.Errorf("%v, %v", u.State, err)
	}
	if got := g.Wait(t, string(x.Ticket.ID)); got.State != postern.Ready {
		t.Errorf("%+v", got)
	}

	for name, then := range map[string]func(*postern.Grant) error{
		"sign": func(x *postern.Grant) error { _, err := sign(x, 2); return err },
		"complete": func(x *postern.Grant) error {
			_, err := g.Service.CompleteParts(ctx, postern.Anonymous, x.Ticket.ID, x.Parts.Ticket)
			return err
		},
	} {
		x := begin()
		url, err := sign(x, 1)
		if err != nil {
			t.Fatal(err)
		}
		send(url, make([]byte, 11*mib+1))
		if err := then(x); !errors.Is(err, postern.ErrTooLarge) {
			t.Errorf("%s after too much: %v", name, err)
		}
		unfinished(t, g, 0)
	}
}

// Clients that never say complete are found soon, long before a sweep.
func TestUnannounced(t *testing.T) {
	g := start(t, posterntest.Config{SweepEvery: time.Hour})
	x, err := g.Service.Grant(t.Context(), postern.As(postern.Anonymous), postern.Request{Filename: "p.jpg", Type: "image/jpeg"})
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for _, f := range x.Fields {
		fields[f.Name] = f.Value
	}
	grant := &posterntest.Grant{Method: x.Method, URL: x.URL, Fields: fields, FileField: x.FileField}
	if status, body, err := g.Send(t.Context(), grant, small(1)); err != nil || status != 204 {
		t.Fatal(status, body, err)
	}
	g.Service.Unannounced(x.Ticket.ID)
	if got := g.Wait(t, string(x.Ticket.ID)); got.State != postern.Ready {
		t.Errorf("%+v", got)
	}
}
