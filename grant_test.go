package postern

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// signingService is a service of which only the signing side is used: it has
// neither bucket nor records, and must not miss them.
func signingService(t testing.TB, change func(*Config)) *Service {
	t.Helper()
	c := Config{
		Secrets: [][]byte{testSecret},
		Bucket:  struct{ Bucket }{}, Records: struct{ Records }{},
		Target: Target{
			URL: "https://bucket.example/photos", Bucket: "photos", Region: "eu-central-1",
			Credentials: func(context.Context) (sigv4.Credentials, error) {
				return sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
			},
		},
	}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func size(n int64) *int64 { return &n }

// policyOf verifies a grant as the bucket would and returns its policy.
func policyOf(t testing.TB, s *Service, g *Grant, now time.Time) (*sigv4.Policy, sigv4.Form) {
	t.Helper()
	form := sigv4.Form{}
	for _, f := range g.Fields {
		name := strings.ToLower(f.Name)
		if _, twice := form[name]; twice {
			t.Fatalf("field %s is there twice", name)
		}
		form[name] = f.Value
	}
	v := sigv4.Verifier{
		Region: s.target.Region, Now: func() time.Time { return now },
		Lookup: func(id string) (sigv4.Credentials, bool) {
			c, err := s.target.Credentials(t.Context())
			return c, err == nil && c.AccessKeyID == id
		},
	}
	_, doc, err := v.Post(form)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	p, err := sigv4.ParsePolicy(doc)
	if err != nil {
		t.Fatalf("parse policy: %v", err)
	}
	if err := p.Evaluate(form, s.target.Bucket, now); err != nil {
		t.Fatalf("the grant does not satisfy its own policy: %v", err)
	}
	return p, form
}

func TestGrantBindsEverything(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 500e6, time.UTC)
	s := signingService(t, func(c *Config) { c.Now = func() time.Time { return now } })
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32))
	g, err := s.Grant(t.Context(), As("alice"), Request{
		Filename: "../a/cat.jpg", Type: "image/JPEG; charset=x", Size: size(12345), SHA256: hash, Metadata: map[string]string{"album": "42"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, form := policyOf(t, s, g, now)
	if lo, hi, ok := p.SizeRange(); !ok || lo != 12345 || hi != 12345 {
		t.Errorf("size range %d to %d, %v; want exactly 12345", lo, hi, ok)
	}
	bound := map[string]string{}
	for _, c := range p.Conditions {
		switch c.Op {
		case sigv4.OpEq:
			bound[strings.ToLower(c.Field)] = c.Value
		case sigv4.OpLengthRange:
		default:
			t.Errorf("condition %v: a grant has eq conditions only", c)
		}
	}
	want := map[string]string{
		"bucket": "photos", "key": "incoming/" + string(g.Ticket.ID), "content-type": "image/jpeg", "success_action_status": "204",
		"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": hash,
	}
	for name, value := range want {
		if bound[name] != value {
			t.Errorf("%s is bound to %q, want %q", name, bound[name], value)
		}
	}
	if bound["acl"] != "" {
		t.Error("a grant must never name an ACL")
	}
	if !p.Expiration.Equal(time.Date(2026, 3, 1, 12, 10, 0, 0, time.UTC)) {
		t.Errorf("policy expires %v", p.Expiration)
	}
	ticket, err := s.keys.open(form[TicketHeader])
	if err != nil {
		t.Fatal(err)
	}
	if ticket.Principal != "alice" || ticket.Filename != "cat.jpg" || ticket.Preset != "photos" || ticket.MaxBytes != 12345 ||
		ticket.Metadata["album"] != "42" || !ticket.Expires.Equal(p.Expiration) || ticket.ID != g.Ticket.ID {
		t.Errorf("ticket %+v", ticket)
	}
}

func TestGrantWithoutSizeBindsThePresetsRange(t *testing.T) {
	s := signingService(t, nil)
	g, err := s.Grant(t.Context(), As("alice"), Request{Type: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := policyOf(t, s, g, time.Now())
	if lo, hi, _ := p.SizeRange(); lo != 1 || hi != DefaultMaxBytes {
		t.Errorf("size range %d to %d", lo, hi)
	}
}

func TestGrantRefusals(t *testing.T) {
	s := signingService(t, func(c *Config) {
		c.Presets = []Preset{{Name: "photos", MinBytes: 100, Types: []string{"image/jpeg", "image/png"}}, {Name: "other"}}
	})
	ok := Request{Preset: "photos", Filename: "a.jpg", Type: "image/jpeg", Size: size(1000)}
	pairs := map[string]string{}
	for i := range 17 {
		pairs[string(rune('a'+i))] = "x"
	}
	for _, c := range []struct {
		name   string
		change func(*Request)
		want   *Error
		field  string
		limit  int64
		says   string
	}{
		{"no preset named", func(r *Request) { r.Preset = "" }, ErrPresetUnknown, "preset", 0, "more than one"},
		{"unknown preset", func(r *Request) { r.Preset = "x" }, ErrPresetUnknown, "preset", 0, `"x"`},
		{"type not in preset", func(r *Request) { r.Type = "image/gif" }, ErrTypeNotAllowed, "type", 0, "JPEG or PNG"},
		{"SVG", func(r *Request) { r.Type = "image/svg+xml" }, ErrTypeNotAllowed, "type", 0, "image/svg+xml"},
		{"no type", func(r *Request) { r.Type, r.Filename = "", "x" }, ErrTypeNotAllowed, "type", 0, "not known"},
		{"no type, but a name", func(r *Request) { r.Type, r.Filename = "", "IMG_0001.HEIC" }, ErrTypeNotAllowed, "type", 0, "called .heic"},
		{"type list", func(r *Request) { r.Type, r.Filename = "image/jpeg,text/html", "" }, ErrTypeNotAllowed, "type", 0, "not known"},
		{"empty", func(r *Request) { r.Size = size(0) }, ErrEmpty, "size", 100, "0 bytes"},
		{"too small", func(r *Request) { r.Size = size(99) }, ErrTooSmall, "size", 100, "100 bytes"},
		{"too large", func(r *Request) { r.Size = size(26_000_000) }, ErrTooLarge, "size", 25_000_000, "26 MB; up to 25 MB"},
		{"negative", func(r *Request) { r.Size = size(-1) }, ErrBadRequest, "size", 0, "0 or more"},
		{"bad hash", func(r *Request) { r.SHA256 = "abc" }, ErrInvalidHash, "sha256", 0, "32 bytes"},
		{"long name", func(r *Request) { r.Filename = strings.Repeat("n", 256) }, ErrInvalidFilename, "filename", 255, "256 bytes"},
		{"line feed in name", func(r *Request) { r.Filename = "a\r\nSet-Cookie: x" }, ErrInvalidFilename, "filename", 0, "control"},
		{"NUL in name", func(r *Request) { r.Filename = "a\x00b" }, ErrInvalidFilename, "filename", 0, "control"},
		{"much metadata", func(r *Request) { r.Metadata = map[string]string{"a": strings.Repeat("v", 512)} }, ErrInvalidMetadata, "metadata", 512, "513 bytes"},
		{"many metadata", func(r *Request) { r.Metadata = pairs }, ErrInvalidMetadata, "metadata", 16, "17"},
		{"nameless metadata", func(r *Request) { r.Metadata = map[string]string{"": "x"} }, ErrInvalidMetadata, "metadata", 0, "no name"},
		{"control in metadata", func(r *Request) { r.Metadata = map[string]string{"a": "x\ny"} }, ErrInvalidMetadata, "metadata", 0, "control"},
		{"smuggled filename", func(r *Request) { r.Metadata = map[string]string{"a": "a${filename}"} }, ErrInvalidMetadata, "metadata", 0, "${"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ok
			c.change(&r)
			_, err := s.Grant(t.Context(), As("alice"), r)
			var e *Error
			if !errors.Is(err, c.want) || !errors.As(err, &e) {
				t.Fatalf("got %v, want %s", err, c.want.Code)
			}
			if e.Field != c.field || e.Limit != c.limit || !strings.Contains(e.Detail, c.says) {
				t.Errorf("field %q, limit %d, detail %q; want %q, %d, …%s…", e.Field, e.Limit, e.Detail, c.field, c.limit, c.says)
			}
		})
	}
	if _, err := s.Grant(t.Context(), As("alice"), ok); err != nil {
		t.Errorf("the request itself is fine: %v", err)
	}
	if got := s.Stats().Granted; got != 1 {
		t.Errorf("%d grants counted", got)
	}
}

// Threat 4: no user text gets near a key.
func TestThreat04_KeysAreOurs(t *testing.T) {
	s := signingService(t, nil)
	for _, name := range []string{"../../m/x", `..\..\x`, "%2e%2e/x", strings.Repeat("é", 100), "\u202egpj.exe", "$$", "${filename}", "..", "/", ""} {
		g, err := s.Grant(t.Context(), As("alice"), Request{Filename: name, Type: "image/png", Size: size(5)})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		_, form := policyOf(t, s, g, time.Now())
		if form["key"] != "incoming/"+string(g.Ticket.ID) {
			t.Errorf("%q: key %q", name, form["key"])
		}
		if strings.ContainsAny(g.Ticket.Filename, `/\`) {
			t.Errorf("%q: kept as %q", name, g.Ticket.Filename)
		}
	}
}

// Threat 5: what a client says cannot add or change a condition.
func TestThreat05_PolicyInjection(t *testing.T) {
	s := signingService(t, nil)
	hostile := "\"]},{\"acl\":\"public-read\"}\\\u2028\u2029\xff"
	g, err := s.Grant(t.Context(), As(hostile), Request{
		Filename: `"]},{"acl":"public-read"}`, Type: "image/png", Size: size(5), Metadata: map[string]string{`"},{"`: "\"\\\u2028"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := policyOf(t, s, g, time.Now())
	var fields []string
	for _, c := range p.Conditions {
		if c.Op != sigv4.OpLengthRange {
			fields = append(fields, strings.ToLower(c.Field))
		}
	}
	slices.Sort(fields)
	want := []string{"bucket", "content-type", "key", "success_action_status", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-meta-postern"}
	if !slices.Equal(fields, want) {
		t.Errorf("conditions on %q, want %q", fields, want)
	}
}

// Threat 25: a grant never outlives the credential.
func TestThreat25_CredentialExpiry(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var left time.Duration
	s := signingService(t, func(c *Config) {
		c.Now = func() time.Time { return now }
		c.Target.Credentials = func(context.Context) (sigv4.Credentials, error) {
			return sigv4.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "token", Expires: now.Add(left)}, nil
		}
	})
	left = 90 * time.Second
	g, err := s.Grant(t.Context(), As("alice"), Request{Type: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	if g.Ticket.Expires.After(now.Add(left)) {
		t.Errorf("the grant lives until %v, the credential until %v", g.Ticket.Expires, now.Add(left))
	}
	if _, form := policyOf(t, s, g, now); form["x-amz-security-token"] != "token" {
		t.Error("a temporary credential's token must be a field")
	}
	left = 5 * time.Second
	var e *Error
	if _, err := s.Grant(t.Context(), As("alice"), Request{Type: "image/png"}); !errors.As(err, &e) || e.Code != ErrCredentialExpiry.Code || e.RetryAfter == 0 {
		t.Errorf("5 s before the credential's end: %v", err)
	}
}

// Threat 34: a ticket speaks for its own upload only.
func TestThreat34_AnotherUploadsTicket(t *testing.T) {
	s := signingService(t, nil)
	a, err := s.Grant(t.Context(), As("alice"), Request{Type: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Grant(t.Context(), As("alice"), Request{Type: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	o := Object{Key: IncomingPrefix + string(a.Ticket.ID), Metadata: map[string]string{ticketMeta: s.keys.seal(&b.Ticket)}}
	if _, err := s.Verify(o, a.Ticket.ID); err == nil {
		t.Error("another upload's ticket was taken")
	}
	o.Metadata[ticketMeta] = s.keys.seal(&a.Ticket)
	if got, err := s.Verify(o, a.Ticket.ID); err != nil || got.ID != a.Ticket.ID {
		t.Errorf("its own ticket: %+v, %v", got, err)
	}
	if _, err := s.Verify(Object{}, a.Ticket.ID); err == nil {
		t.Error("no ticket was taken")
	}
}

func TestPresetValidation(t *testing.T) {
	for name, p := range map[string]Preset{
		"name":     {Name: "Bad Name"},
		"types":    {Name: "a", Types: []string{"image/svg+xml"}},
		"order":    {Name: "a", MinBytes: 10, MaxBytes: 5},
		"max":      {Name: "a", MaxBytes: 6 << 40},
		"max post": {Name: "a", MaxBytes: 6 << 30, Transfer: Post},
		"max put":  {Name: "a", MaxBytes: 6 << 30, Transfer: Put},
		"transfer": {Name: "a", Transfer: "POST"},
		"parts":    {Name: "a", PartSize: 5<<20 - 1},
		"part max": {Name: "a", PartSize: 5<<30 + 1},
		"from":     {Name: "a", MultipartFrom: 6 << 30},
		"long":     {Name: "a", MultipartLife: 19 * time.Hour},
		"life":     {Name: "a", Life: 2 * time.Hour},
		"quality":  {Name: "a", Quality: 101},
		"variant":  {Name: "a", Variants: []VariantRule{{"../x", 100}}},
		"box":      {Name: "a", Variants: []VariantRule{{"x", 8}}},
		"twice":    {Name: "a", Variants: []VariantRule{{"x", 100}, {"x", 200}}},
		"pixels":   {Name: "a", Pixels: PixelLimits{MaxPixels: -1}},
		"negative": {Name: "a", MinBytes: -1},
	} {
		if err := p.withDefaults().validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := DefaultPreset().validate(); err != nil {
		t.Error(err)
	}
}

func TestNewRefusesHalfAConfig(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no secret":      func(c *Config) { c.Secrets = nil },
		"short secret":   func(c *Config) { c.Secrets = [][]byte{[]byte("short")} },
		"no bucket":      func(c *Config) { c.Bucket = nil },
		"no records":     func(c *Config) { c.Records = nil },
		"no credentials": func(c *Config) { c.Target.Credentials = nil },
		"no bucket name": func(c *Config) { c.Target.Bucket = "" },
		"bad URL":        func(c *Config) { c.Target.URL = "bucket.example" },
		"URL with query": func(c *Config) { c.Target.URL = "https://b.example/?x=1" },
		"preset twice":   func(c *Config) { c.Presets = []Preset{{Name: "a"}, {Name: "a"}} },
	} {
		c := Config{
			Secrets: [][]byte{testSecret}, Bucket: struct{ Bucket }{}, Records: struct{ Records }{},
			Target: Target{URL: "https://b.example", Bucket: "b", Credentials: func(context.Context) (sigv4.Credentials, error) { return sigv4.Credentials{}, nil }},
		}
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzRequest sends hostile bodies to POST /uploads: never a panic or a 500,
// and what is granted satisfies its own policy, which binds by eq alone.
func FuzzRequest(f *testing.F) {
	s := signingService(f, nil)
	h, err := NewHandler(s, HandlerConfig{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/uploads", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if w.Code != http.StatusCreated {
			return
		}
		var up struct {
			Grant struct{ Fields map[string]string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &up); err != nil {
			t.Fatal(err)
		}
		g := &Grant{}
		for name, value := range up.Grant.Fields {
			g.Fields = append(g.Fields, sigv4.Field{Name: name, Value: value})
		}
		p, _ := policyOf(t, s, g, time.Now())
		for _, c := range p.Conditions {
			if c.Op == sigv4.OpStartsWith {
				t.Fatalf("condition %v", c)
			}
		}
	})
}

func BenchmarkGrant(b *testing.B) {
	s := signingService(b, nil)
	r := Request{Filename: "cat.jpg", Type: "image/jpeg", Size: size(12345)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Grant(b.Context(), As(Anonymous), r); err != nil {
			b.Fatal(err)
		}
	}
}
