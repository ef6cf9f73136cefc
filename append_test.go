package postern

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"postern.example/postern/sigv4"
)

type formJSON struct {
	Method    string `json:"method"`
	URL       string `json:"url"`
	Fields    Fields `json:"fields"`
	FileField string `json:"file_field"`
}

type putJSON struct {
	Method  string `json:"method"`
	URL     string `json:"url"`
	Headers Fields `json:"headers"`
}

type multipartJSON struct {
	Method    string           `json:"method"`
	Ticket    string           `json:"ticket"`
	PartSize  int64            `json:"part_size"`
	PartCount int              `json:"part_count"`
	ExpiresAt time.Time        `json:"expires_at"`
	Parts     []signedPartJSON `json:"parts"`
}

// view is the answer's document as the contract has it, for encoding/json.
func (g *Grant) view() *uploadJSON {
	granted, _, _ := g.Ticket.ID.times()
	var grant any = formJSON{g.Method, g.URL, g.Fields, g.FileField}
	switch p := g.Parts; {
	case p != nil:
		grant = multipartJSON{g.Method, p.Ticket, p.PartSize, p.Count, p.Expires, signedView(p.Signed)}
	case g.Headers != nil:
		grant = putJSON{g.Method, g.URL, g.Headers}
	}
	return &uploadJSON{
		ID: g.Ticket.ID, State: Granted, CreatedAt: granted, ExpiresAt: &g.Ticket.Expires,
		Preset: g.Ticket.Preset, Filename: g.Ticket.Filename, Type: g.Ticket.Type, Metadata: g.Ticket.Metadata,
		Grant: grant,
	}
}

func sameAsEncodingJSON(t *testing.T, g *Grant) {
	t.Helper()
	want, err := json.Marshal(g.view())
	if err != nil {
		t.Fatal(err)
	}
	if got := g.appendJSON(nil); string(got) != string(want) {
		t.Errorf("appendJSON:\n%s\nencoding/json:\n%s", got, want)
	}
}

// Every byte alone, every rune that encodes, and what UTF-8 forbids.
func TestAppendTextIsEncodingJSON(t *testing.T) {
	check := func(s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendText(nil, s); string(got) != string(want) {
			t.Errorf("appendText(%q) = %s, encoding/json has %s", s, got, want)
		}
	}
	for c := range 256 {
		check(string([]byte{byte(c)}))
		for at := range 18 { // wherever it stands among the eight that are looked up at once
			s := []byte("seventeen letters.")
			s[at] = byte(c)
			check(string(s))
		}
	}
	for r := range rune(utf8.MaxRune + 1) {
		check(string(r))
	}
	for _, s := range []string{"", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "é\xe2\x80", "\u2028\u2029\ufffd", `</script>&`} {
		check(s)
	}
}

func FuzzAppendGrant(f *testing.F) {
	k := testKeys(f)
	f.Fuzz(func(t *testing.T, preset, filename, contentType, name, value, url string, ms int64) {
		const year9000 = 221_845_392_000_000
		at := time.UnixMilli(ms & (1<<48 - 1) % year9000)
		id, err := k.newID(at, time.Minute, "somebody", strings.NewReader("sixteen byte seed"))
		if err != nil {
			t.Fatal(err)
		}
		g := &Grant{
			Ticket: Ticket{ID: id, Preset: preset, Filename: filename, Type: contentType, Expires: at.UTC().Truncate(time.Second)},
			Method: "POST", URL: url, FileField: fileField,
			Fields: Fields{{Name: name, Value: value}, {Name: value, Value: name}},
		}
		sameAsEncodingJSON(t, g)
		g.Fields = nil
		// One name: two that are not UTF-8 may come out the same, in any order.
		g.Ticket.Metadata = map[string]string{name: value}
		sameAsEncodingJSON(t, g)

		put := &Grant{Ticket: g.Ticket, Method: "PUT", URL: url, Headers: Fields{{Name: name, Value: value}}}
		sameAsEncodingJSON(t, put)
		parts := &PartsGrant{Ticket: value, PartSize: ms, Count: len(url), Expires: at.UTC()}
		sameAsEncodingJSON(t, &Grant{Ticket: g.Ticket, Method: "MULTIPART", Parts: parts})
		parts.Signed = []SignedPart{{Number: 1, URL: url, Size: ms}, {Number: len(name), URL: value}}
		sameAsEncodingJSON(t, &Grant{Ticket: g.Ticket, Method: "MULTIPART", Parts: parts})
	})
}

// Metadata comes sorted by name.
func TestAppendGrantWithMetadata(t *testing.T) {
	full := fullTicket(t, testKeys(t))
	sameAsEncodingJSON(t, &Grant{Ticket: *full, Method: "POST", URL: "https://a.example/b", FileField: fileField})
}

// The answer that is appended is the grant's, byte for byte: both are signed
// at one time, with one id.
func TestAppendGrantIsGrant(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)
	for name, c := range map[string]struct {
		request Request
		change  func(*Config)
	}{
		"plain":   {request: Request{Filename: "cat.jpg", Type: "image/jpeg"}},
		"exact":   {request: Request{Filename: "cat.jpg", Type: "image/jpeg", Size: size(2190194)}},
		"hostile": {request: Request{Filename: `"},{"key":"<&>` + "\u2028é", Type: "image/jpeg", Metadata: map[string]string{`a"\`: "</script>", "b": ""}}},
		"hashed":  {request: Request{Type: "image/png", SHA256: base64.StdEncoding.EncodeToString(make([]byte, 32))}},
		"redirect": {request: Request{
			Filename: "cat.jpg", AnyType: true, RedirectURL: "https://a.example/done?id={id}&x=<1>",
		}},
		"by put": {request: Request{Type: "image/png", Size: size(3), Transfer: Put}, change: func(c *Config) { c.Target.Apart = true }},
		"with a token and another clock": {
			request: Request{Filename: "cat.jpg", Type: "image/jpeg"},
			change: func(c *Config) {
				c.Target.Skew = func() time.Duration { return -90 * time.Second }
				c.Target.Credentials = func(context.Context) (sigv4.Credentials, error) {
					return sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "to+ken/=="}, nil
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			service := func() *Service { // each reads the same randomness from its beginning
				return signingService(t, func(config *Config) {
					config.Now = func() time.Time { return now }
					config.Random = strings.NewReader("sixteen byte seed")
					if c.change != nil {
						c.change(config)
					}
				})
			}
			whole, appending := service(), service()
			g, err := whole.Grant(t.Context(), As(Anonymous), c.request)
			if err != nil {
				t.Fatal(err)
			}
			got, id, err := appending.appendGrant(t.Context(), []byte("before"), new(draft), &Identity{Principal: Anonymous}, &c.request)
			if err != nil {
				t.Fatal(err)
			}
			if want := "before" + string(g.appendJSON(nil)); string(got) != want || id != g.Ticket.ID {
				t.Errorf("appendGrant:\n%s\nGrant:\n%s", got, want)
			}
			if a, b := whole.Stats().Granted, appending.Stats().Granted; a != 1 || b != 1 {
				t.Errorf("granted are counted %d and %d times", a, b)
			}
		})
	}
}

func TestAppendGrantRefuses(t *testing.T) {
	s := signingService(t, nil)
	got, _, err := s.appendGrant(t.Context(), nil, new(draft), &Identity{Principal: Anonymous}, &Request{Type: "text/plain"})
	if !errors.Is(err, ErrTypeNotAllowed) || len(got) != 0 {
		t.Errorf("appendGrant = %q, %v", got, err)
	}
}
